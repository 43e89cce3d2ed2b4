//! `target = expression, …` of `eval`.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};

use super::{Arguments, eval};
use crate::Assignment;
use crate::cursor::{Cursor, unescape};

impl Arguments<'_> {
    /// Takes `target = expression` pairs that commas separate; at least one.
    ///
    /// A target is bare (`low-user`, `v_{p}`) or in quotes of either kind.
    ///
    /// # Errors
    /// A target, its `=` or its expression is missing or malformed.
    pub fn assignments(&mut self) -> Result<Vec<Assignment>, Diagnostic> {
        self.expected = "an operator, `,` or the end of the command";
        let mut assignments = Vec::new();
        loop {
            let target = target(&mut self.cursor)?;
            equals(&mut self.cursor)?;
            let value = eval::expression(&mut self.cursor)?;
            assignments.push(Assignment { target, value });
            if self.cursor.eat(",").is_none() {
                return Ok(assignments);
            }
        }
    }
}

fn target(cursor: &mut Cursor<'_>) -> Result<Spanned<String>, Diagnostic> {
    const WHAT: &str = "a field to assign to";
    cursor.skip_blanks();
    if let Some(quote @ ('"' | '\'')) = cursor.peek() {
        let Some(raw) = cursor.quoted(quote) else { return Err(cursor.expected(WHAT)) };
        let raw = raw?;
        let name = if quote == '"' { unescape(raw.value) } else { raw.value.to_owned() };
        return Ok(Spanned::new(name, raw.span));
    }
    let bare = cursor.take_while(|c| {
        !c.is_whitespace()
            && !matches!(c, '=' | ',' | '(' | ')' | '[' | ']' | '"' | '\'' | '<' | '>' | '!')
    });
    if bare.value.is_empty() {
        return Err(cursor.expected(WHAT));
    }
    Ok(Spanned::new(bare.value.to_owned(), bare.span))
}

fn equals(cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
    cursor.skip_blanks();
    if cursor.rest().starts_with("==") {
        let span = cursor.advance(2);
        return Err(Diagnostic::error(Code::SYNTAX, "expected `=`, found `==`")
            .label(span, "expected `=`")
            .help("a comparison belongs into `where`, or into `if(…)` after the `=`"));
    }
    if cursor.eat("=").is_some() { Ok(()) } else { Err(cursor.expected("`=`")) }
}

//! Parses the `target = expression, …` list of `eval`.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};

use super::{Arguments, eval};
use crate::Assignment;
use crate::cursor::{Cursor, unescape};

impl Arguments<'_> {
    /// Takes one or more `target = expression` pairs, separated by commas.
    ///
    /// A target is bare (`low-user`, `v_{p}`) or in single or double quotes. If another pair
    /// follows a malformed one, the malformed pair is reported and parsing continues.
    ///
    /// # Errors
    /// Fails if the target, the `=` or the expression of the last pair is missing or malformed.
    pub fn assignments(&mut self) -> Result<Vec<Assignment>, Diagnostic> {
        self.expected = "an operator, `,` or the end of the command";
        let mut assignments = Vec::new();
        loop {
            let mut start = self.cursor.clone();
            match assignment(&mut self.cursor) {
                Ok(assignment) => assignments.push(assignment),
                Err(diagnostic) if skip_past_comma(&mut start) => {
                    self.cursor = start;
                    self.report(diagnostic);
                    continue;
                }
                Err(diagnostic) => return Err(diagnostic),
            }
            if self.cursor.eat(",").is_none() {
                return Ok(assignments);
            }
        }
    }
}

fn assignment(cursor: &mut Cursor<'_>) -> Result<Assignment, Diagnostic> {
    let target = target(cursor)?;
    equals(cursor)?;
    let value = eval::expression(cursor)?;
    Ok(Assignment { target, value })
}

/// Skips past the next comma outside quotes and brackets; returns false if none follows.
fn skip_past_comma(cursor: &mut Cursor<'_>) -> bool {
    loop {
        match cursor.peek() {
            None => return false,
            Some(',') => {
                cursor.advance(1);
                return true;
            }
            Some(quote @ ('"' | '\'')) => {
                cursor.quoted(quote);
            }
            Some('(' | '[') if cursor.clone().balanced().is_ok() => {
                let _ = cursor.balanced();
            }
            Some(other) => {
                cursor.advance(other.len_utf8());
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
        return Err(Diagnostic::error(Code::EXPECTED, "expected `=`, found `==`")
            .label(span, "expected `=`")
            .help("a comparison belongs into `where`, or into `if(…)` after the `=`"));
    }
    if cursor.eat("=").is_some() { Ok(()) } else { Err(cursor.expected("`=`")) }
}

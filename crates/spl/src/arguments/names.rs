//! Parses field names as in `stats`, `table` and `rename`: bare, dotted, braced or quoted.

use std::collections::HashMap;

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use super::Arguments;
use super::given::no_wildcard;
use super::options::keyword_ahead;
use crate::cursor::{Cursor, unescape};

impl Arguments<'_> {
    /// Takes a field name: bare (`a.b{}.c`, wildcards allowed), or in double or single quotes.
    ///
    /// A bare name may end in parentheses, because `stats` names its columns that way:
    /// `sum(bytes)`.
    ///
    /// # Errors
    /// Fails if no field name comes next.
    pub fn field(&mut self) -> Result<Spanned<String>, Diagnostic> {
        field(&mut self.cursor)
    }

    /// Takes the name of one field as [`Arguments::field`] does, and reports a wildcard.
    ///
    /// # Errors
    /// Fails if no field name comes next.
    pub fn one_field(&mut self) -> Result<Spanned<String>, Diagnostic> {
        let field = self.field()?;
        self.each_is_one_field(std::slice::from_ref(&field));
        Ok(field)
    }

    /// Reports wildcards among names of which each must be that of one field.
    pub fn each_is_one_field(&mut self, fields: &[Spanned<String>]) {
        for field in fields.iter().filter(|field| field.value.contains('*')) {
            let message = format!("`{}` takes no wildcard here", self.command.name.value);
            self.report(no_wildcard(message, field.span));
        }
    }

    /// Reports fields that are named twice.
    pub fn each_once<'f>(&mut self, fields: impl IntoIterator<Item = &'f Spanned<String>>) {
        let mut named: HashMap<&str, Span> = HashMap::new();
        for field in fields {
            let Some(earlier) = named.insert(&field.value, field.span) else { continue };
            let message = format!("the field `{}` is named twice", field.value);
            let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(field.span)
                .label(earlier, "the name is taken here")
                .help("remove one of them");
            self.report(diagnostic);
        }
    }

    /// Takes one or more fields separated by blanks or commas.
    ///
    /// The list ends at an option (`name=value`), at a square bracket, or at any other text that is
    /// not a field.
    ///
    /// # Errors
    /// Fails if no field comes next, or if a quote is not closed.
    pub fn fields(&mut self) -> Result<Vec<Spanned<String>>, Diagnostic> {
        self.fields_until(&[])
    }

    /// Takes fields as [`Arguments::fields`] does, up to one of the keywords in `stop` (any case).
    ///
    /// # Errors
    /// Fails if no field comes before the keyword, or if a quote is not closed.
    pub fn fields_until(&mut self, stop: &[&str]) -> Result<Vec<Spanned<String>>, Diagnostic> {
        self.expected = "a field or the end of the command";
        fields(&mut self.cursor, stop)
    }
}

pub(super) fn fields(
    cursor: &mut Cursor<'_>,
    stop: &[&str],
) -> Result<Vec<Spanned<String>>, Diagnostic> {
    let mut fields = Vec::new();
    loop {
        while cursor.eat(",").is_some() {}
        if stop.iter().any(|word| keyword_ahead(cursor, word)) || !field_ahead(cursor) {
            break;
        }
        fields.push(field(cursor)?);
    }
    if fields.is_empty() { Err(cursor.expected("a field")) } else { Ok(fields) }
}

/// Returns true if a field name comes next that does not begin an option.
fn field_ahead(cursor: &mut Cursor<'_>) -> bool {
    cursor.skip_blanks();
    match cursor.peek() {
        Some('"' | '\'') => true,
        Some(c) if is_bare(c) => {
            let mut ahead = cursor.clone();
            ahead.take_while(is_bare);
            !ahead.rest().trim_start().starts_with('=')
        }
        _ => false,
    }
}

pub(super) fn field(cursor: &mut Cursor<'_>) -> Result<Spanned<String>, Diagnostic> {
    cursor.skip_blanks();
    if let Some(quote @ ('"' | '\'')) = cursor.peek() {
        let Some(raw) = cursor.quoted(quote) else { return Err(cursor.expected("a field")) };
        let raw = raw?;
        let name = if quote == '"' { unescape(raw.value) } else { raw.value.to_owned() };
        return Ok(Spanned::new(name, raw.span));
    }
    let bare = cursor.take_while(is_bare);
    if bare.value.is_empty() {
        return Err(cursor.expected("a field"));
    }
    let mut name = bare.value.to_owned();
    let mut end = bare.span.end;
    if cursor.peek() == Some('(')
        && let Ok(arguments) = cursor.balanced()
    {
        name.push_str(arguments.value);
        end = arguments.span.end;
    }
    Ok(Spanned::new(name, Span::new(bare.span.start, end)))
}

fn is_bare(c: char) -> bool {
    !c.is_whitespace()
        && !matches!(c, ',' | '(' | ')' | '[' | ']' | '|' | '"' | '\'' | '=' | '<' | '>' | '!')
}

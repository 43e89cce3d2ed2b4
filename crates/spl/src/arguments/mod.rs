//! A command's arguments, read piece by piece by the command itself.
//!
//! There is no token list: in `search`, `a-b` is one name, in `eval` it is a subtraction. A command asks
//! for what its grammar has at this place, and [`Arguments`] reads it there. All spans are places in the
//! expanded text.

mod assignments;
mod eval;
mod names;
mod options;
mod search;
mod stats;

use spilltrail_diagnostic::{Diagnostic, Span, Spanned};

use crate::cursor::{Cursor, unescape};
use crate::parse::{Place, parse_at};
use crate::{Command, EvalExpr, Pipeline, SearchExpr};

pub use eval::{parse_eval, unescape_controls};
pub use search::parse_search;

/// A reading position in a command's arguments.
#[derive(Debug, Clone)]
pub struct Arguments<'a> {
    command: &'a Command,
    cursor: Cursor<'a>,
    /// What [`Arguments::finish`] says that it expected.
    expected: &'static str,
}

impl<'a> Arguments<'a> {
    /// Starts at the beginning of `command`'s arguments.
    #[must_use]
    pub fn new(command: &'a Command) -> Self {
        let cursor = Cursor::new(&command.arguments.value, command.arguments.span.start);
        Self { command, cursor, expected: "the end of the command" }
    }

    /// Returns the command whose arguments these are.
    #[must_use]
    pub fn command(&self) -> &'a Command {
        self.command
    }

    /// Returns the place of all arguments, or of the command's name when there are none.
    #[must_use]
    pub fn span(&self) -> Span {
        if self.command.arguments.value.is_empty() {
            self.command.name.span
        } else {
            self.command.arguments.span
        }
    }

    /// Returns true if nothing but blanks is left.
    pub fn is_empty(&mut self) -> bool {
        self.cursor.at_end()
    }

    /// Returns the place of the next character, blanks included.
    #[must_use]
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Takes `symbol` if it comes next. `=` does not match the first half of `==`.
    pub fn symbol(&mut self, symbol: &str) -> Option<Span> {
        self.cursor.skip_blanks();
        if symbol == "=" && self.cursor.rest().starts_with("==") {
            return None;
        }
        self.cursor.eat(symbol)
    }

    /// Takes a text in double quotes; only `\"` and `\\` are replaced, as regular expressions want it.
    pub fn quoted(&mut self) -> Option<Spanned<String>> {
        self.cursor.skip_blanks();
        let mut ahead = self.cursor.clone();
        let raw = ahead.quoted('"')?.ok()?;
        self.cursor = ahead;
        Some(Spanned::new(unescape(raw.value), raw.span))
    }

    /// Takes one eval expression, as far as it goes.
    ///
    /// # Errors
    /// What comes next is no expression.
    pub fn eval(&mut self) -> Result<EvalExpr, Diagnostic> {
        self.expected = "an operator or the end of the command";
        eval::expression(&mut self.cursor)
    }

    /// Takes a search expression up to the end.
    ///
    /// # Errors
    /// The text does not follow the grammar of `search`.
    pub fn search(&mut self) -> Result<SearchExpr, Diagnostic> {
        self.search_until(&[])
    }

    /// Takes a search expression up to one of the keywords in `stop`, which may be written in any case.
    ///
    /// # Errors
    /// The text does not follow the grammar of `search`.
    pub fn search_until(&mut self, stop: &[&str]) -> Result<SearchExpr, Diagnostic> {
        search::expression(&mut self.cursor, stop)
    }

    /// Takes a pipeline in square brackets.
    ///
    /// A leading word is a command there, with or without a pipe before it. The result's first error is
    /// returned as the error.
    pub fn subsearch(&mut self) -> Option<Result<Pipeline, Diagnostic>> {
        subsearch(&mut self.cursor)
    }

    /// Takes a text in square brackets as it stands, brackets excluded: a template of `foreach`.
    pub fn bracketed(&mut self) -> Option<Result<Spanned<&'a str>, Diagnostic>> {
        bracketed(&mut self.cursor)
    }

    /// Takes everything that is left, without the blanks at its ends.
    pub fn rest(&mut self) -> Spanned<&'a str> {
        self.cursor.skip_blanks();
        let text = self.cursor.rest().trim_end();
        let span = self.cursor.advance(text.len());
        Spanned::new(text, span)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// A syntax error at what is left.
    pub fn finish(&mut self) -> Result<(), Diagnostic> {
        if self.cursor.at_end() {
            return Ok(());
        }
        let diagnostic = self.cursor.expected(self.expected);
        Err(match self.cursor.peek() {
            Some(')') => diagnostic.help("remove the `)`, or add the missing `(` before it"),
            Some('{' | '}' | ':' | '@' | '#' | '$') => diagnostic.help(
                "in an expression a field's name needs single quotes unless it consists of letters, digits and `_`",
            ),
            _ => diagnostic,
        })
    }
}

/// Takes a text in square brackets as it stands, brackets excluded.
fn bracketed<'a>(cursor: &mut Cursor<'a>) -> Option<Result<Spanned<&'a str>, Diagnostic>> {
    cursor.skip_blanks();
    if cursor.peek() != Some('[') {
        return None;
    }
    Some(cursor.balanced().map(|whole| {
        let inner = &whole.value[1..whole.value.len() - 1];
        Spanned::new(inner, Span::new(whole.span.start + 1, whole.span.end - 1))
    }))
}

/// Takes a pipeline in square brackets.
fn subsearch(cursor: &mut Cursor<'_>) -> Option<Result<Pipeline, Diagnostic>> {
    Some(bracketed(cursor)?.and_then(|inner| {
        let (pipeline, diagnostics) = parse_at(inner.value, inner.span.start, Place::Brackets);
        match diagnostics.into_iter().next() {
            Some(diagnostic) => Err(diagnostic),
            None => Ok(pipeline),
        }
    }))
}

//! Reads a command's arguments piece by piece, as the command asks for them.
//!
//! SPL has no common token list: `a-b` is one name in `search` but a subtraction in `eval`. A
//! command asks for what its grammar allows at the current position, and [`Arguments`] reads it
//! there. All spans are byte ranges of the expanded text.

mod assignments;
mod declared;
mod eval;
mod given;
mod names;
mod options;
mod search;
mod stats;

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

use crate::cursor::{Cursor, unescape};
use crate::parse::{Place, parse_at};
use crate::{Command, EvalExpr, Pipeline, SearchExpr};

use self::given::Given;

pub use declared::{Argument, Form, Support, Takes};
pub use eval::{parse_eval, unescape_controls};
pub use given::{FromOption, OptionValue, boolean};
pub use search::{is_time_bound, parse_search};

/// A position in a command's arguments, from which the command reads on.
#[derive(Debug, Clone)]
pub struct Arguments<'a> {
    command: &'a Command,
    cursor: Cursor<'a>,
    /// The text that the error of [`Arguments::finish`] names as expected.
    expected: &'static str,
    /// The arguments that the command declares.
    declared: &'static [Argument],
    /// The options read so far, in the order of the text.
    given: Vec<Given>,
    /// The problems found so far.
    reported: Vec<Diagnostic>,
}

impl<'a> Arguments<'a> {
    /// Returns a reader at the beginning of `command`'s arguments, without declared arguments.
    #[must_use]
    pub fn new(command: &'a Command) -> Self {
        Self::of(command, &[])
    }

    /// Returns a reader at the beginning of `command`'s arguments, with its declared arguments.
    #[must_use]
    pub fn of(command: &'a Command, declared: &'static [Argument]) -> Self {
        let cursor = Cursor::new(&command.arguments.value, command.arguments.span.start);
        let (given, reported) = (Vec::new(), Vec::new());
        Self { command, cursor, expected: "the end of the command", declared, given, reported }
    }

    /// Returns the command that the arguments belong to.
    #[must_use]
    pub fn command(&self) -> &'a Command {
        self.command
    }

    /// Returns the span of all arguments, or of the command's name if it has none.
    #[must_use]
    pub fn span(&self) -> Span {
        if self.command.arguments.value.is_empty() {
            self.command.name.span
        } else {
            self.command.arguments.span
        }
    }

    /// Returns true if only blanks are left.
    pub fn is_empty(&mut self) -> bool {
        self.cursor.at_end()
    }

    /// Returns the offset of the next character, which may be a blank.
    #[must_use]
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Takes `symbol` if it comes next; `=` does not match the first half of `==`.
    pub fn symbol(&mut self, symbol: &str) -> Option<Span> {
        self.cursor.skip_blanks();
        if symbol == "=" && self.cursor.rest().starts_with("==") {
            return None;
        }
        self.cursor.eat(symbol)
    }

    /// Takes a text in double quotes.
    ///
    /// Only `\"` and `\\` are unescaped, because regular expressions need all other backslashes.
    pub fn quoted(&mut self) -> Option<Spanned<String>> {
        self.cursor.skip_blanks();
        let mut ahead = self.cursor.clone();
        let raw = ahead.quoted('"')?.ok()?;
        self.cursor = ahead;
        Some(Spanned::new(unescape(raw.value), raw.span))
    }

    /// Takes the longest possible eval expression.
    ///
    /// # Errors
    /// Fails if no expression comes next.
    pub fn eval(&mut self) -> Result<EvalExpr, Diagnostic> {
        self.expected = "an operator or the end of the command";
        eval::expression(&mut self.cursor)
    }

    /// Takes a search expression up to the end of the arguments.
    ///
    /// # Errors
    /// Fails if the text does not follow the grammar of `search`.
    pub fn search(&mut self) -> Result<SearchExpr, Diagnostic> {
        self.search_until(&[])
    }

    /// Takes a search expression up to one of the keywords in `stop`, which match in any case.
    ///
    /// # Errors
    /// Fails if the text does not follow the grammar of `search`.
    pub fn search_until(&mut self, stop: &[&str]) -> Result<SearchExpr, Diagnostic> {
        search::expression(&mut self.cursor, stop)
    }

    /// Takes a pipeline in square brackets, or returns `None` if the next character is no bracket.
    ///
    /// A leading word in brackets is a command, with or without a pipe before it. If the pipeline
    /// has errors, the first one is returned.
    pub fn subsearch(&mut self) -> Option<Result<Pipeline, Diagnostic>> {
        subsearch(&mut self.cursor)
    }

    /// Takes the literal text in square brackets, without the brackets: a template of `foreach`.
    pub fn bracketed(&mut self) -> Option<Result<Spanned<&'a str>, Diagnostic>> {
        bracketed(&mut self.cursor)
    }

    /// Takes the text up to and including `end`; returns it without `end`, or `None` if `end` is
    /// missing.
    pub fn until(&mut self, end: &str) -> Option<Spanned<&'a str>> {
        let text = self.cursor.rest();
        let text = &text[..text.find(end)?];
        let span = self.cursor.advance(text.len());
        self.cursor.advance(end.len());
        Some(Spanned::new(text, span))
    }

    /// Takes all remaining text and returns it without surrounding blanks.
    pub fn rest(&mut self) -> Spanned<&'a str> {
        self.cursor.skip_blanks();
        let text = self.cursor.rest().trim_end();
        let span = self.cursor.advance(text.len());
        Spanned::new(text, span)
    }

    /// Checks that no text is left.
    ///
    /// # Errors
    /// Fails with a syntax error at the remaining text.
    pub fn finish(&mut self) -> Result<(), Diagnostic> {
        if self.cursor.at_end() {
            return Ok(());
        }
        let diagnostic = self.cursor.expected(self.expected);
        let diagnostic = Diagnostic { code: Code::TRAILING_TEXT, ..diagnostic };
        Err(match self.cursor.peek() {
            Some(')') => diagnostic.help("remove the `)`, or add the missing `(` before it"),
            Some('{' | '}' | ':' | '@' | '#' | '$') => diagnostic.help(
                "in an expression a field's name needs single quotes unless it consists of letters, digits and `_`",
            ),
            _ => diagnostic,
        })
    }
}

/// Takes the literal text in square brackets, without the brackets.
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn command(text: &str) -> Command {
        let span = Span::new(100, 100 + text.len());
        Command {
            name: Spanned::new("test".to_owned(), Span::new(95, 99)),
            arguments: Spanned::new(text.to_owned(), span),
        }
    }

    fn values(found: Vec<Spanned<String>>) -> Vec<String> {
        found.into_iter().map(|field| field.value).collect()
    }

    #[test]
    fn options_have_bare_quoted_and_bracketed_values() {
        let cases = [
            ("span=5m x", "5m"),
            ("SPAN = \"a \\\"b\\\" \\d\" x", "a \"b\" \\d"),
            ("span='a b'", "a b"),
            ("span=eval(a=1 AND b=\")\") x", "eval(a=1 AND b=\")\")"),
            ("span=(a OR b), x", "(a OR b)"),
            ("span=[search a | b] x", "[search a | b]"),
            ("span=5,x", "5"),
            ("span=", ""),
            ("span=(a", ""),
        ];
        for (text, expected) in cases {
            let command = command(text);
            let value = Arguments::new(&command).option("span").map(|value| value.value);
            assert_eq!(value.as_deref(), Some(expected), "{text}");
        }
        for text in ["spans=1", "span==1", "span 1", "\"span\"=1", "x span=1", ""] {
            let command = command(text);
            assert_eq!(Arguments::new(&command).option("span"), None, "{text}");
        }
    }

    #[test]
    fn pieces_are_taken_in_any_order() {
        let command = command("limit=3 By, x - 12 5m \"q\\d\\\\\" + [a | b] rest of it");
        let mut arguments = Arguments::new(&command);
        assert!(!arguments.peek_keyword("by"));
        let (name, value) = arguments.any_option().unwrap();
        assert_eq!((name.value.as_str(), name.span), ("limit", Span::new(100, 105)));
        assert_eq!((value.value.as_str(), value.span), ("3", Span::new(106, 107)));
        assert_eq!(arguments.keyword("b"), None);
        assert_eq!(arguments.keyword("by"), Some(Span::new(108, 110)));
        assert_eq!(arguments.symbol(","), Some(Span::new(110, 111)));
        assert_eq!(arguments.word().map(|word| word.value), Some("x".to_owned()));
        assert_eq!(arguments.symbol("-"), Some(Span::new(114, 115)));
        assert_eq!(arguments.integer(), Some(Spanned::new(12, Span::new(116, 118))));
        assert_eq!(arguments.integer(), None);
        assert_eq!(arguments.word().map(|word| word.value), Some("5m".to_owned()));
        assert_eq!(arguments.quoted().map(|text| text.value), Some("q\\d\\".to_owned()));
        assert_eq!(arguments.subsearch(), None);
        assert_eq!(arguments.symbol("+").map(|span| span.end - span.start), Some(1));
        let pipeline = arguments.clone().subsearch().unwrap().unwrap();
        assert_eq!(pipeline.commands.len(), 2);
        let inner = arguments.bracketed().unwrap().unwrap();
        assert_eq!(inner.value, "a | b");
        assert_eq!(pipeline.span, inner.span);
        assert_eq!(arguments.rest().value, "rest of it");
        assert!(arguments.is_empty());
    }

    #[test]
    fn fields_are_bare_or_quoted() {
        let cases = [
            ("a,b c , d", vec!["a", "b", "c", "d"]),
            ("a.b{}.c _time* k/x:y@z-w", vec!["a.b{}.c", "_time*", "k/x:y@z-w"]),
            ("\"a b\" 'c d'", vec!["a b", "c d"]),
            ("sum(x) count(eval(a=1)) c", vec!["sum(x)", "count(eval(a=1))", "c"]),
            ("a limit=5", vec!["a"]),
            ("a [search b]", vec!["a"]),
            ("a b sortby c", vec!["a", "b"]),
        ];
        for (text, expected) in cases {
            let command = command(text);
            let fields = Arguments::new(&command).fields_until(&["sortby"]);
            assert_eq!(
                fields.map(values),
                Ok(expected.iter().map(|&f| f.to_owned()).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn assignments_have_targets_of_every_form() {
        let command = command("low-user=1, \"a b\" = 2,'c.d'=3, {key}_x=a=b, e=\",\"");
        let mut arguments = Arguments::new(&command);
        let targets =
            arguments.assignments().map(|found| found.into_iter().map(|a| a.target).collect());
        assert_eq!(
            targets.map(values),
            Ok(["low-user", "a b", "c.d", "{key}_x", "e"].map(str::to_owned).to_vec())
        );
        assert_eq!(arguments.finish(), Ok(()));
    }

    #[test]
    fn what_is_left_is_an_error() {
        type Method = fn(&mut Arguments<'_>) -> bool;
        let cases: &[(&str, Method, &str)] = &[
            ("x", |_| true, "expected the end of the command, found `x`"),
            (
                "a )",
                |a| a.fields().is_ok(),
                "expected a field or the end of the command, found `)`",
            ),
            (
                "a=1 b=2",
                |a| a.assignments().is_ok(),
                "expected an operator, `,` or the end of the command, found `b`",
            ),
            (
                "a 'b'",
                |a| a.eval().is_ok(),
                "expected an operator or the end of the command, found `'b'`",
            ),
        ];
        for (text, method, expected) in cases {
            let command = command(text);
            let mut arguments = Arguments::new(&command);
            assert!(method(&mut arguments), "{text}");
            let message = arguments.finish().err().map(|diagnostic| diagnostic.message);
            assert_eq!(message.as_deref(), Some(*expected), "{text}");
        }
        let long = "x".repeat(500);
        let command = command(&long);
        let message = Arguments::new(&command).finish().unwrap_err().message;
        assert!(message.ends_with("x…`") && message.len() < 120, "{message}");
    }

    #[test]
    fn a_command_without_arguments_is_marked_at_its_name() {
        let command = command("");
        let mut arguments = Arguments::new(&command);
        assert_eq!(arguments.span(), Span::new(95, 99));
        assert!(arguments.is_empty());
        assert_eq!(arguments.fields().unwrap_err().span(), Some(Span::new(100, 100)));
    }
}

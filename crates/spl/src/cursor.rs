//! Reads a piece of the expanded text, character by character.
//!
//! SPL has no common tokens, because the extent of a word depends on the command. All grammars of
//! this crate therefore read through this cursor, which knows its offset in the whole search.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};

/// The maximum nesting depth of parentheses, calls and prefix operators.
pub(crate) const MAX_DEPTH: usize = 200;

/// The maximum number of characters of the user's text in a message.
const FOUND_LENGTH: usize = 40;

/// A position in `text`, which starts at byte `base` of the whole search.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    base: usize,
    offset: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str, base: usize) -> Self {
        Self { text, base, offset: 0, depth: 0 }
    }

    /// Returns the remaining text, including leading blanks.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    pub(crate) fn position(&self) -> usize {
        self.base + self.offset
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Returns the character at `distance` characters after the next one.
    pub(crate) fn peek_after(&self, distance: usize) -> Option<char> {
        self.rest().chars().nth(distance + 1)
    }

    /// Advances by `length` bytes, which must end at a character boundary.
    pub(crate) fn advance(&mut self, length: usize) -> Span {
        let start = self.position();
        self.offset = (self.offset + length).min(self.text.len());
        Span::new(start, self.position())
    }

    /// Returns the position `length` bytes back, which must have been read before.
    pub(crate) fn rewound(&self, length: usize) -> Self {
        Self { offset: self.offset.saturating_sub(length), ..self.clone() }
    }

    pub(crate) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start().len();
    }

    /// Skips blanks; returns true if no text is left.
    pub(crate) fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    /// Takes the longest run of characters that `belongs` accepts; it may be empty.
    pub(crate) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> Spanned<&'a str> {
        let rest = self.rest();
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let span = self.advance(length);
        Spanned::new(&rest[..length], span)
    }

    /// Takes `symbol`, with any blanks before it, if it comes next.
    pub(crate) fn eat(&mut self, symbol: &str) -> Option<Span> {
        self.skip_blanks();
        self.rest().starts_with(symbol).then(|| self.advance(symbol.len()))
    }

    /// Returns the bare word that comes next without taking it; it ends where a keyword would.
    pub(crate) fn word_ahead(&mut self) -> &'a str {
        self.skip_blanks();
        let rest = self.rest();
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    }

    /// Takes a text in `quote`s and returns its contents, with escapes.
    ///
    /// # Errors
    /// Fails if the closing quote is missing; all text is then taken.
    pub(crate) fn quoted(&mut self, quote: char) -> Option<Result<Spanned<&'a str>, Diagnostic>> {
        let rest = self.rest();
        let inner = rest.strip_prefix(quote)?;
        let Some(length) = closing_quote(inner, quote) else {
            let span = Span::new(self.position(), self.position() + quote.len_utf8());
            self.advance(rest.len());
            return Some(Err(unclosed_quote(span)));
        };
        let span = self.advance(length + 2);
        Some(Ok(Spanned::new(&inner[..length], span)))
    }

    /// Takes a text in brackets of the kind that comes next, and returns it with the brackets.
    ///
    /// Brackets of the same kind nest; those in double quotes do not count.
    pub(crate) fn balanced(&mut self) -> Result<Spanned<&'a str>, Diagnostic> {
        let rest = self.rest();
        let (open, close) = if rest.starts_with('[') { ('[', ']') } else { ('(', ')') };
        match closing_bracket(rest, open, close) {
            Some(length) => {
                let span = self.advance(length);
                Ok(Spanned::new(&rest[..length], span))
            }
            None => Err(unclosed_bracket(open, Span::new(self.position(), self.position() + 1))),
        }
    }

    /// Enters one more level of nesting; fails if that is too deep.
    pub(crate) fn enter(&mut self) -> Result<(), Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.too_deep()) } else { Ok(()) }
    }

    /// Leaves a level of nesting.
    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(crate) fn too_deep(&self) -> Diagnostic {
        Diagnostic::error(
            Code::TOO_DEEP,
            format!("expression nests deeper than {MAX_DEPTH} levels"),
        )
        .at(Span::new(self.position(), self.position()))
        .help("split the expression over several commands")
    }

    /// Returns the error `expected {what}, found …` at the next character or the end of the text.
    pub(crate) fn expected(&mut self, what: &str) -> Diagnostic {
        self.skip_blanks();
        let (found, span) = self.found();
        let code = if self.at_end() { Code::UNEXPECTED_END } else { Code::EXPECTED };
        Diagnostic::error(code, format!("expected {what}, found {found}"))
            .label(span, format!("expected {what}"))
    }

    fn found(&mut self) -> (String, Span) {
        let start = self.position();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return ("the end".to_owned(), Span::new(start, start));
        };
        let word = self.word_ahead().len();
        let length = match (word, first) {
            (0, '"' | '\'') => {
                closing_quote(&rest[1..], first).map_or(first.len_utf8(), |inner| inner + 2)
            }
            (0, _) => first.len_utf8(),
            _ => word,
        };
        let text = &rest[..length];
        let span = Span::new(start, start + length);
        match text.char_indices().nth(FOUND_LENGTH) {
            Some((cut, _)) => (format!("`{}…`", &text[..cut]), span),
            None => (format!("`{text}`"), span),
        }
    }
}

/// Returns true for the characters of a bare word, which is a keyword or a plain name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the length of the text before the closing quote in `inner`.
///
/// In double quotes, a backslash escapes the next character; single quotes have no escapes.
pub(crate) fn closing_quote(inner: &str, quote: char) -> Option<usize> {
    let mut characters = inner.char_indices();
    while let Some((index, c)) = characters.next() {
        if c == quote {
            return Some(index);
        }
        if c == '\\' && quote == '"' {
            characters.next();
        }
    }
    None
}

/// Returns the length of the bracketed text at the start of `text`, including both brackets.
fn closing_bracket(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut index = 0;
    while let Some(c) = text[index..].chars().next() {
        index += c.len_utf8();
        if c == '"' {
            index += closing_quote(&text[index..], '"')? + 1;
        } else if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

pub(crate) fn unclosed_quote(span: Span) -> Diagnostic {
    Diagnostic::error(Code::UNBALANCED, "quote is never closed")
        .label(span, "opened here")
        .help("close it, or write `\\\"` for a quote inside a text")
}

pub(crate) fn unclosed_bracket(bracket: char, span: Span) -> Diagnostic {
    let close = if bracket == '[' { ']' } else { ')' };
    Diagnostic::error(Code::UNBALANCED, format!("`{bracket}` is never closed"))
        .label(span, "opened here")
        .help(format!("add the missing `{close}`"))
}

/// Removes the two escapes common to all quoted texts of SPL: `\"` and `\\`.
///
/// All other backslashes stay, because regular expressions need them.
pub(crate) fn unescape(raw: &str) -> String {
    unescape_with(raw, |_| None)
}

/// Removes the escapes of `\"` and `\\`, and replaces others by the result of `further`.
pub(crate) fn unescape_with(raw: &str, further: impl Fn(char) -> Option<char>) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(c) = characters.next() {
        let replacement = match characters.peek() {
            Some(next) if c == '\\' => match next {
                '"' | '\\' => Some(*next),
                other => further(*other),
            },
            _ => None,
        };
        if replacement.is_some() {
            characters.next();
        }
        text.push(replacement.unwrap_or(c));
    }
    text
}

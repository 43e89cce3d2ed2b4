//! Parses `name=value` options, keywords and plain words.

use spilltrail_diagnostic::{Span, Spanned};

use super::Arguments;
use crate::cursor::{Cursor, is_word, unescape};

impl Arguments<'_> {
    /// Takes the option `name` (in any case) if it comes next, and returns its value.
    ///
    /// Blanks around `=` are allowed. The value is a bare word, a quoted text, or text in balanced
    /// parentheses or brackets (including `eval(x=1)`). Quotes are removed, parentheses and
    /// brackets are kept. A missing value is returned as empty text.
    pub fn option(&mut self, name: &str) -> Option<Spanned<String>> {
        let mut ahead = self.cursor.clone();
        let written = option_name(&mut ahead)?;
        if !written.value.eq_ignore_ascii_case(name) {
            return None;
        }
        let value = option_value(&mut ahead);
        self.cursor = ahead;
        Some(value)
    }

    /// Takes the next option, whatever its name; returns its name and value.
    pub fn any_option(&mut self) -> Option<(Spanned<String>, Spanned<String>)> {
        let mut ahead = self.cursor.clone();
        let name = option_name(&mut ahead)?;
        let value = option_value(&mut ahead);
        self.cursor = ahead;
        Some((name, value))
    }

    /// Takes the unquoted word `word`, in any case, if it comes next.
    ///
    /// `name=value` is never a keyword.
    pub fn keyword(&mut self, word: &str) -> Option<Span> {
        keyword_ahead(&mut self.cursor, word).then(|| self.cursor.advance(word.len()))
    }

    /// Returns true if [`Arguments::keyword`] would take `word`.
    pub fn peek_keyword(&mut self, word: &str) -> bool {
        keyword_ahead(&mut self.cursor, word)
    }

    /// Takes a quoted text without its quotes, or a bare word.
    ///
    /// A bare word ends at a blank, a comma, a parenthesis, a square bracket or a pipe.
    pub fn word(&mut self) -> Option<Spanned<String>> {
        self.cursor.skip_blanks();
        match self.cursor.peek()? {
            '"' => self.quoted(),
            _ => {
                let bare = self.cursor.take_while(|c| {
                    !c.is_whitespace() && !matches!(c, ',' | '(' | ')' | '[' | ']' | '|')
                });
                (!bare.value.is_empty()).then(|| Spanned::new(bare.value.to_owned(), bare.span))
            }
        }
    }

    /// Takes an integer with an optional sign; a number followed by other characters (`5m`) is not
    /// taken.
    pub fn integer(&mut self) -> Option<Spanned<i64>> {
        let mut ahead = self.clone();
        let word = ahead.word()?;
        let number = word.value.parse().ok()?;
        if self.cursor.peek() == Some('"') {
            return None;
        }
        self.cursor = ahead.cursor;
        Some(Spanned::new(number, word.span))
    }
}

/// Returns true if the unquoted word `word` comes next as a whole word.
pub(super) fn keyword_ahead(cursor: &mut Cursor<'_>, word: &str) -> bool {
    cursor.skip_blanks();
    let rest = cursor.rest();
    let matches = rest.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
    matches
        && rest[word.len()..].chars().next().is_none_or(|next| {
            !is_word(next) && !matches!(next, '.' | '-' | ':' | '*' | '{' | '=' | '@' | '/')
        })
        && !rest[word.len()..].trim_start().starts_with('=')
}

/// Takes `name =` and returns the name.
pub(super) fn option_name(cursor: &mut Cursor<'_>) -> Option<Spanned<String>> {
    cursor.skip_blanks();
    let name = cursor.take_while(|c| is_word(c) || c == '.' || c == '-');
    cursor.skip_blanks();
    let rest = cursor.rest();
    if name.value.is_empty() || !rest.starts_with('=') || rest.starts_with("==") {
        return None;
    }
    cursor.advance(1);
    Some(Spanned::new(name.value.to_owned(), name.span))
}

pub(super) fn option_value(cursor: &mut Cursor<'_>) -> Spanned<String> {
    option_value_until(cursor, |_| false)
}

/// Takes the value of an option as [`option_value`] does; a bare value also ends where `ends` says.
pub(super) fn option_value_until(
    cursor: &mut Cursor<'_>,
    ends: impl Fn(char) -> bool,
) -> Spanned<String> {
    cursor.skip_blanks();
    let start = cursor.position();
    match cursor.peek() {
        Some(quote @ ('"' | '\'')) => {
            let mut ahead = cursor.clone();
            if let Some(Ok(raw)) = ahead.quoted(quote) {
                *cursor = ahead;
                let value = if quote == '"' { unescape(raw.value) } else { raw.value.to_owned() };
                return Spanned::new(value, raw.span);
            }
        }
        Some('[') => {
            if let Ok(whole) = cursor.balanced() {
                return Spanned::new(whole.value.to_owned(), whole.span);
            }
        }
        _ => {}
    }
    let mut value = String::new();
    loop {
        value.push_str(
            cursor
                .take_while(|c| {
                    !c.is_whitespace() && !matches!(c, ',' | '(' | ')' | '|') && !ends(c)
                })
                .value,
        );
        if cursor.peek() != Some('(') {
            break;
        }
        match cursor.balanced() {
            Ok(whole) => value.push_str(whole.value),
            Err(_) => break,
        }
    }
    Spanned::new(value, Span::new(start, cursor.position()))
}

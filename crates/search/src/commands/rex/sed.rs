//! `sed` expressions: `s/regular expression/replacement/flags` and `y/characters/others/`.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_eval::regex::Regex;
use spilltrail_event::Value;

use crate::operators::RowFunction;
use crate::rows::state::state_of;

/// A parsed `sed` expression.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Script {
    text: String,
    edit: Edit,
}

#[derive(Debug)]
enum Edit {
    /// Replaces the matches whose numbers, counted from 0, are in `matches`.
    Substitute { regex: Regex, replacement: String, matches: Range<usize> },
    /// Replaces each character that is the first of a pair by the second.
    Translate(Vec<(char, char)>),
}

impl TryFrom<String> for Script {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&Spanned::new(text, Span::default())).map_err(|error| error.message)
    }
}

impl Script {
    /// Parses an expression; the character after `s` or `y` is the delimiter.
    ///
    /// # Errors
    /// Fails if the text is not a single `s` or `y` expression, or if the regular expression is
    /// invalid.
    pub(super) fn parse(text: &Spanned<String>) -> Result<Self, Diagnostic> {
        let malformed = || {
            Diagnostic::error(Code::BAD_ARGUMENT, format!("`{}` is no sed expression", text.value))
                .at(text.span)
                .help("write `s/regular expression/replacement/g` or `y/abc/xyz/`")
        };
        let script = text.value.trim();
        let mut characters = script.chars();
        let command = characters.next();
        let delimiter = characters.next().ok_or_else(malformed)?;
        let parts = parts(characters.as_str(), delimiter);
        let [first, second, flags] = parts.as_slice() else { return Err(malformed()) };
        let edit = match command {
            Some('s') => {
                let (flags, matches) = which(flags.trim()).ok_or_else(malformed)?;
                let regex = Regex::compile(&format!("{flags}{first}"), text.span)?;
                Edit::Substitute { regex, replacement: controls(second), matches }
            }
            Some('y') if flags.trim().is_empty() => {
                let (from, to) = (controls(first), controls(second));
                if from.chars().count() != to.chars().count() {
                    return Err(malformed().note("`y` needs as many characters on both sides"));
                }
                Edit::Translate(from.chars().zip(to.chars()).collect())
            }
            _ => return Err(malformed()),
        };
        Ok(Self { text: script.to_owned(), edit })
    }

    /// Returns the edited text, or `None` if a substitution replaces no match.
    fn apply(&self, text: &str) -> Option<String> {
        match &self.edit {
            Edit::Substitute { regex, replacement, matches } => {
                regex.replace_matches("rex", text, replacement, matches.clone())
            }
            Edit::Translate(pairs) => {
                let other = |c| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
                Some(text.chars().map(other).collect())
            }
        }
    }
}

impl RowFunction for Script {
    fn name(&self) -> &'static str {
        "sed"
    }

    fn state(&self) -> String {
        state_of(&self.text)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let edited = inputs[0].members().into_iter().map(|member| match self.apply(&member) {
            Some(edited) => Cow::Owned(edited),
            None => Cow::Owned(member.into_owned()),
        });
        outputs[0] = Value::multi(edited.collect());
    }
}

/// Splits the text at unescaped delimiters, and removes the backslash before escaped ones.
fn parts(text: &str, delimiter: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c == delimiter {
            parts.push(String::new());
            continue;
        }
        let Some(part) = parts.last_mut() else { continue };
        match (c, characters.clone().next()) {
            ('\\', Some(next)) => {
                characters.next();
                if next != delimiter {
                    part.push('\\');
                }
                part.push(next);
            }
            _ => part.push(c),
        }
    }
    parts
}

/// Parses the flags of `s`; returns the prefix for the pattern and the matches to replace.
///
/// `g` replaces all matches, a number only that match, and both together that match and all
/// later ones. `i` ignores case. Other flags return `None`.
fn which(flags: &str) -> Option<(&'static str, Range<usize>)> {
    let ignores_case = flags.contains(['i', 'I']);
    let is_global = flags.contains('g');
    let number: String = flags.chars().filter(char::is_ascii_digit).collect();
    if flags.chars().any(|c| !matches!(c, 'i' | 'I' | 'g') && !c.is_ascii_digit()) {
        return None;
    }
    let first = match number.as_str() {
        "" => 0,
        number => number.parse::<usize>().ok()?.checked_sub(1)?,
    };
    let end = if is_global { usize::MAX } else { first.checked_add(1)? };
    Some((if ignores_case { "(?i)" } else { "" }, first..end))
}

/// Replaces `\n` and `\t` by a line feed and a tab; other escapes, such as `\1` and `\\`, are
/// kept, because the replacement of matches interprets them.
fn controls(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (c, characters.clone().next()) {
            ('\\', Some('n')) => replaced.push('\n'),
            ('\\', Some('t')) => replaced.push('\t'),
            ('\\', Some(next)) => {
                replaced.push('\\');
                replaced.push(next);
            }
            _ => {
                replaced.push(c);
                continue;
            }
        }
        characters.next();
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use spilltrail_diagnostic::Span;

    fn script(text: &str) -> Result<Script, Diagnostic> {
        Script::parse(&Spanned::new(text.to_owned(), Span::new(0, text.len())))
    }

    #[test]
    fn edits() {
        for (expression, text, result) in [
            ("s/a/b/", "aaa", Some("baa")),
            ("s/a/b/g", "aaa", Some("bbb")),
            ("s/a/b/2", "aaa", Some("aba")),
            ("s/a/b/2g", "aaa", Some("abb")),
            ("s/A/b/i", "aaa", Some("baa")),
            (r"s/(\w)-(\w)/\2-\1/", "x-y", Some("y-x")),
            (r"s/\//|/g", "a/b", Some("a|b")),
            ("s#/#_#g", "a/b", Some("a_b")),
            (r"s/,/\n/", "a,b", Some("a\nb")),
            ("s/z/b/", "aaa", None),
            ("y/abc/xyz/", "cabd", Some("zxyd")),
        ] {
            assert_eq!(script(expression).unwrap().apply(text).as_deref(), result, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression() {
        for text in ["", "s", "s/a", "s/a/b", "s/a/b/q", "s/a/b/0", "d/a/b/", "y/ab/c/"] {
            assert!(script(text).is_err(), "{text}");
        }
        assert_eq!(script("s/(/b/").unwrap_err().code, Code::BAD_REGEX);
    }
}

//! What is wrong with something a user wrote: plain data with spans, one registry of codes, one
//! renderer for the terminal.

mod codes;
mod render;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use codes::{Class, Code, Entry, REGISTRY, RETIRED, by_name};
pub use render::{Color, render};

/// Byte range in a source text; `start <= end`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Returns the range from `start` to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the smallest range that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the expanded source text.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Returns `value` placed at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The search runs, but probably not as meant, or a behaviour is approximated.
    Warning,
    /// Valid SPL that this version cannot run; counted apart from errors.
    Unsupported,
    /// The search cannot run.
    Error,
}

/// A marked place with what is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The place, in the text that the diagnostic is rendered against.
    pub span: Span,
    /// What is to say; may be empty.
    pub text: String,
}

/// One finding about something a user wrote.
///
/// Messages start in lower case, have no final stop, and put backticks around the user's own text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Code from the registry.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Places; the first is the primary one.
    pub labels: Vec<Label>,
    /// One concrete next step.
    pub help: Option<String>,
    /// Further facts, such as the macro the text came from.
    pub notes: Vec<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// Returns an error with `code` that says `message`.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Returns a warning with `code` that says `message`.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Returns an `unsupported` diagnostic with `code` that says `message`.
    pub fn unsupported(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Unsupported, code, message)
    }

    /// Returns the diagnostic of a bug: `what` happened, and must not.
    pub fn bug(what: &str) -> Self {
        Self::error(Code::INTERNAL, format!("a bug in Spilltrail: {what}"))
            .help("please report it with the search; `SPILLTRAIL_LOG=1` prints what is known of it")
    }

    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity, message, labels: Vec::new(), help: None, notes: Vec::new() }
    }

    /// Adds a place without words.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        self.label(span, "")
    }

    /// Adds a place with words.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the help line.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Returns the class of the gravest of these, the first of several.
    #[must_use]
    pub fn class_of(diagnostics: &[Self]) -> Option<Class> {
        let gravest = diagnostics.iter().rev().max_by_key(|diagnostic| diagnostic.severity)?;
        Some(gravest.code.class())
    }

    /// Returns the primary place, if there is one.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// Returns the candidate that `name` was most probably meant to be.
///
/// Only names within a third of the length in edit distance count, so that a suggestion is worth
/// reading.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_a_stranger_is_not() {
        let known = ["user_arn", "src_ip", "aws_account_id"];
        assert_eq!(similar("user_arm", known), Some("user_arn"));
        assert_eq!(similar("bytes", known), None);
    }
}

//! Diagnostics about searches, options, content and input: plain structs with source spans, a
//! registry of codes, and a terminal renderer.

mod codes;
mod few;
mod render;
mod visible;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use codes::{Class, Code, Entry, REGISTRY, RETIRED, by_name};
pub use few::Few;
pub use render::{Color, render};
pub use visible::{visible, visible_lines};

/// A byte range in a source text, with `start <= end`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset just past the last byte.
    pub end: usize,
}

impl Span {
    /// Returns the range from `start` to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the smallest span that covers both spans.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A value with its span in the source text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Span of the value in the source text after macro expansion.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Returns `value` with `span` as its location.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The search runs, but probably not as intended, or Splunk's behavior is only approximated.
    Warning,
    /// The SPL is valid, but this version cannot run it. Counted separately from errors.
    Unsupported,
    /// The search cannot run.
    Error,
}

impl Severity {
    /// Returns the name of the severity.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }
}

/// A span of the source text that is marked in the output, with a comment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// The span in the text that is passed to [`render()`].
    pub span: Span,
    /// Text that is printed at the span; may be empty.
    pub text: String,
}

/// One problem in something that a user wrote.
///
/// Messages start with a lower-case letter, do not end with a period, and put backticks around
/// the user's own text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Code from the [`REGISTRY`].
    pub code: Code,
    /// Severity of the problem.
    pub severity: Severity,
    /// Description of the problem in one line.
    pub message: String,
    /// Marked spans; the first is the primary one.
    pub labels: Vec<Label>,
    /// One concrete step that the user can take next.
    pub help: Option<String>,
    /// Further facts, such as the macro that the text came from.
    pub notes: Vec<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl Diagnostic {
    /// Returns an error with this code and message.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Returns a warning with this code and message.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// Returns a diagnostic of severity [`Severity::Unsupported`] with this code and message.
    pub fn unsupported(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Unsupported, code, message)
    }

    /// Returns the diagnostic of a bug; `what` describes the event that must not happen.
    pub fn bug(what: &str) -> Self {
        Self::error(Code::INTERNAL, format!("a bug in Spilltrail: {what}"))
            .help("please report it with the search; `SPILLTRAIL_LOG=1` prints what is known of it")
    }

    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity, message, labels: Vec::new(), help: None, notes: Vec::new() }
    }

    /// Adds a marked span without text.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        self.label(span, "")
    }

    /// Adds a marked span with text.
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

    /// Adds a note, printed before the help line.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Returns the class of the diagnostic with the highest severity, or of the first such one.
    /// Returns `None` if the slice is empty.
    #[must_use]
    pub fn class_of(diagnostics: &[Self]) -> Option<Class> {
        let gravest = diagnostics.iter().rev().max_by_key(|diagnostic| diagnostic.severity)?;
        Some(gravest.code.class())
    }

    /// Returns the primary span; `None` if the diagnostic has no label.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// Returns the candidate that is most similar to `name`, as a suggestion for a misspelled name.
///
/// Ignores candidates whose edit distance exceeds a third of the length of `name` (but at least
/// one), so that suggestions are plausible. The objects that dotted names have in common do not count
/// towards the length: `Processes.tag` is not like `Processes.path`.
pub fn similar<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = |candidate: &str| {
        let own = &name[shared_objects(name, candidate)..];
        (own.chars().count() / 3).max(1)
    };
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns the length of the objects with which both dotted names begin, with their last dot; case does
/// not count.
fn shared_objects(left: &str, right: &str) -> usize {
    let pairs = left.char_indices().zip(right.chars());
    let same = pairs.take_while(|((_, a), b)| a.eq_ignore_ascii_case(b));
    same.filter(|((_, a), _)| *a == '.').map(|((at, _), _)| at + 1).last().unwrap_or(0)
}

/// Returns how many insertions, deletions, substitutions and swaps of neighbors turn one text into
/// the other; case does not count.
#[must_use]
pub fn edit_distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let substituted = row[j] + usize::from(a != b);
            let mut least = substituted.min(next[j] + 1).min(row[j + 1] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
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
        let dotted = ["Processes.tag", "Processes.process"];
        assert_eq!(similar("Processes.path", dotted), None);
        assert_eq!(similar("processes.tga", dotted), Some("Processes.tag"));
        assert_eq!(similar("Proceses.tag", dotted), Some("Processes.tag"));
    }
}

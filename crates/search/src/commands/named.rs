//! The fields that commands name: which commands depend on them, and where they are.

use spilltrail_diagnostic::Span;
use spilltrail_spl::Command as Written;

/// Commands of which the rows, or their order, depend on the fields that they read.
pub(crate) const CHOOSE_ROWS: &[&str] = &[
    "where",
    "search",
    "regex",
    "dedup",
    "sort",
    "selfjoin",
    "kmeans",
    "concurrency",
    "diff",
    "head",
];

/// Functions of eval that ask whether there is a value.
pub(crate) const ASK_FOR_VALUES: &[&str] = &["coalesce", "isnotnull", "isnull"];

/// Returns the place of a field in a command; that of its arguments if they do not have it.
pub(crate) fn place(field: &str, command: &Written) -> Span {
    let (text, start) = (&command.arguments.value, command.arguments.span.start);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let found = text.match_indices(field).find(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + field.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    found.map_or(command.arguments.span, |(at, _)| Span::new(start + at, start + at + field.len()))
}

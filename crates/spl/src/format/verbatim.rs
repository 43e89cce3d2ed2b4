//! Decides whether the arguments of a command are kept as they are, because their blanks count.

use super::chunk::Kind;
use super::pieces::{each_chunk, is_any};

/// Commands whose arguments can be a regular expression without quotes.
const PATTERNS: &[&str] = &["rex", "regex", "erex"];

/// Returns true if the blanks in the arguments of the command `name` must stay.
pub(super) fn is_kept(name: &str, arguments: &str) -> bool {
    if name.eq_ignore_ascii_case("from") {
        // The name of a dataset may have blanks.
        return !arguments.is_empty();
    }
    is_any(PATTERNS, name)
        && (has_pattern(arguments)
            || (name.eq_ignore_ascii_case("regex") && has_bare_pattern(arguments)))
}

/// Returns true if the text has characters outside of quotes that patterns have and options do not.
fn has_pattern(arguments: &str) -> bool {
    let mut found = false;
    each_chunk(arguments, |_, kind| {
        found = match kind {
            Kind::Plain(c) => "()[]{}\\^$+?'".contains(c),
            Kind::Escape => true,
            _ => false,
        };
        !found
    });
    found
}

/// Returns true if the pattern of `regex`, after `field=`, is not in quotes. It then is all the text.
fn has_bare_pattern(arguments: &str) -> bool {
    let mut operator = None;
    each_chunk(arguments, |at, kind| {
        operator = (kind == Kind::Plain('=')).then_some(at);
        operator.is_none()
    });
    operator.is_some_and(|at| !arguments[at + 1..].trim_start().starts_with('"'))
}

//! The bound on what an expression may make of small inputs.
//!
//! A function can return far more than it takes: `replace` on half a megabyte of digits would return
//! 125 gigabytes. No value may be larger than [`MAX_VALUE`], so that whoever makes one asks
//! [`allows`] first and returns null if it may not. The refusal is kept for the thread, because most
//! functions have no other result than a value, and [`watch`] turns it into an error of the search.

use std::cell::Cell;

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;

/// Bytes of the largest value that an expression or a command may make. A member of a multivalue
/// counts its text and [`MEMBER`].
pub const MAX_VALUE: usize = 16 << 20;

/// Bytes that a member of a multivalue counts besides its text. It takes more than that; but an array of
/// the largest event that is read must not be refused for its short members.
pub const MEMBER: usize = 8;

thread_local! {
    /// The function that was refused a value on this thread, since [`watch`] began.
    static REFUSED: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Returns whether `function` may make a value of so many bytes. If not, the search fails.
#[must_use]
pub fn allows(function: &'static str, bytes: usize) -> bool {
    if bytes > MAX_VALUE && !is_refused() {
        REFUSED.set(Some(function));
    }
    bytes <= MAX_VALUE
}

/// Returns the value if `function` may make it, and else null.
#[must_use]
pub fn bounded<'a>(function: &'static str, value: Value<'a>) -> Value<'a> {
    if allows(function, size(&value)) { value } else { Value::Null }
}

/// Returns the bytes of a value.
#[must_use]
pub fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Multi(members) => members.iter().map(|member| member.len() + MEMBER).sum(),
        _ => 0,
    }
}

/// Returns whether a value was refused, so that going on is of no use.
#[must_use]
pub fn is_refused() -> bool {
    REFUSED.get().is_some()
}

/// Runs `work`, which evaluates rows.
///
/// # Errors
/// Fails if a value would have been too large; the diagnostic names the function.
pub fn watch<T>(work: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    REFUSED.set(None);
    let result = work();
    match REFUSED.take() {
        None => Ok(result),
        Some(function) => Err(Diagnostic::error(
            Code::LIMIT,
            format!("`{function}` would return a value of more than {} MiB", MAX_VALUE >> 20),
        )
        .help("shorten what it takes, for example with `substr` or `mvindex`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_fails_the_work_it_belongs_to() {
        assert_eq!(watch(|| allows("a", MAX_VALUE)), Ok(true));
        let refused = watch(|| allows("a", MAX_VALUE + 1) || allows("b", MAX_VALUE + 1));
        let refused = refused.unwrap_err();
        assert!(refused.code == Code::LIMIT && refused.message.starts_with("`a` "), "{refused:?}");
        assert_eq!(
            watch(|| size(&Value::multi(vec!["ab".into(), "c".into()]))),
            Ok(3 + 2 * MEMBER)
        );
    }
}

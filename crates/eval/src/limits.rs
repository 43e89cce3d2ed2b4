//! Limits the size of the values that expressions return.
//!
//! A result can be far larger than the input: `replace` on half a megabyte of digits could return
//! 125 gigabytes. No value may be larger than [`MAX_VALUE`]. A function calls [`allows`] before it
//! builds a large value, and returns null if that is refused. Most functions can return only a
//! value and no error, so the refusal is stored per thread, and [`watch`] converts it to an error
//! of the search.

use std::cell::Cell;

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;

use crate::cancel::is_canceled;

/// Maximum size in bytes of a value that an expression or a command builds. A member of a
/// multivalue counts the size of its text plus [`MEMBER`].
pub const MAX_VALUE: usize = 16 << 20;

/// Size in bytes that a member of a multivalue counts in addition to its text. The real overhead
/// is larger, but an array from the largest readable event must not be refused because it has many
/// short members.
pub const MEMBER: usize = 8;

thread_local! {
    /// Name of the function whose value was refused on this thread since [`watch`] started.
    static REFUSED: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// The number of calls of [`is_refused`] since [`watch`] started.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// After this many rows it is asked again whether the run was canceled, which costs more than the
/// simplest expression does.
const ROWS_BETWEEN: usize = 64;

/// Returns whether `function` may build a value of this size in bytes. If not, the search fails.
#[must_use]
pub fn allows(function: &'static str, bytes: usize) -> bool {
    if bytes > MAX_VALUE && REFUSED.get().is_none() {
        REFUSED.set(Some(function));
    }
    bytes <= MAX_VALUE
}

/// Returns the value if its size is allowed, otherwise null.
#[must_use]
pub fn bounded<'a>(function: &'static str, value: Value<'a>) -> Value<'a> {
    if allows(function, size(&value)) { value } else { Value::Null }
}

/// Returns the size of a value in bytes, as the limit counts it.
#[must_use]
pub fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Multi(members) => members.iter().map(|member| member.len() + MEMBER).sum(),
        _ => 0,
    }
}

/// Returns true if a value was refused on this thread, or the run was canceled, so that further work
/// is useless. It is cheap enough to be called for each row: a canceled run is noticed after a few rows.
#[must_use]
pub fn is_refused() -> bool {
    if REFUSED.get().is_some() {
        return true;
    }
    let calls = CALLS.get();
    // Once the run is canceled, each call asks again, so that no further row is computed.
    let is_canceled = calls.is_multiple_of(ROWS_BETWEEN) && is_canceled();
    if !is_canceled {
        CALLS.set(calls.wrapping_add(1));
    }
    is_canceled
}

/// Returns the error of work that ended early because its run was canceled.
#[must_use]
pub fn canceled() -> Diagnostic {
    Diagnostic::error(Code::CANCELED, "the search was canceled")
}

/// Runs `work`, which evaluates rows, and checks whether a value was refused.
///
/// # Errors
/// Fails if a value would exceed the limit, and the diagnostic names the function; or if the run was
/// canceled, because the work may have ended early.
pub fn watch<T>(work: impl FnOnce() -> T) -> Result<T, Diagnostic> {
    REFUSED.set(None);
    CALLS.set(0);
    let result = work();
    match REFUSED.take() {
        None if is_canceled() => Err(canceled()),
        None => Ok(result),
        Some(function) => Err(Diagnostic::error(
            Code::TOO_LARGE,
            format!("`{function}` would return a value of more than {} MiB", MAX_VALUE >> 20),
        )
        .help("shorten what it takes, for example with `substr` or `mvindex`")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::cancel::Cancel;

    #[test]
    fn a_refusal_fails_the_work_it_belongs_to() {
        assert_eq!(watch(|| allows("a", MAX_VALUE)), Ok(true));
        let refused = watch(|| allows("a", MAX_VALUE + 1) || allows("b", MAX_VALUE + 1));
        let refused = refused.unwrap_err();
        assert!(
            refused.code == Code::TOO_LARGE && refused.message.starts_with("`a` "),
            "{refused:?}"
        );
        let canceled = Cancel::when(|| true).during(|| watch(is_refused)).unwrap_err();
        assert_eq!(canceled.code, Code::CANCELED);
        let asked = Arc::new(AtomicUsize::new(0));
        let asks = asked.clone();
        let cancel = Cancel::when(move || asks.fetch_add(1, Ordering::Relaxed) > 0);
        let rows = |count| (0..count).filter(|_| !is_refused()).count();
        let mut computed = 0;
        let ended = cancel.during(|| watch(|| computed = rows(10 * ROWS_BETWEEN)));
        assert_eq!((ended.unwrap_err().code, computed), (Code::CANCELED, ROWS_BETWEEN));
        assert_eq!(watch(|| rows(10 * ROWS_BETWEEN)), Ok(10 * ROWS_BETWEEN));
        assert_eq!(
            watch(|| size(&Value::multi(vec!["ab".into(), "c".into()]))),
            Ok(3 + 2 * MEMBER)
        );
    }
}

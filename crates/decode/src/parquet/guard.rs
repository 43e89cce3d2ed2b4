//! Turns a panic of the reader of Parquet into an error.
//!
//! The reader checks much of a file, but relies on the rest with assertions and indexing, so that a
//! damaged page may end it with a panic. This is the last resort for what the checks before it do
//! not know; the state of the reader is dropped with it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// True while a panic of this thread is no bug of ours.
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `read`; returns `None` if it panics, without the message that a panic prints.
pub(super) fn caught<T>(read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if !IS_EXPECTED.get() {
                hook(info);
            }
        }));
    });
    IS_EXPECTED.set(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    IS_EXPECTED.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| -> i32 { panic!("a damaged page") }), None);
    }
}

//! Tells work on rows that its run was canceled.
//!
//! A run is canceled by dropping its work, which takes effect only where the work waits. What
//! computes for long without waiting asks [`is_canceled`] and ends early; most functions can return
//! only a value and no error, so whoever runs the work for a [`Cancel`] asks it afterwards.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// Tells whether a run was canceled. The default never is.
#[derive(Clone, Default)]
pub struct Cancel(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_set()).finish()
    }
}

thread_local! {
    /// What tells whether the work on this thread was canceled.
    static CURRENT: RefCell<Cancel> = const { RefCell::new(Cancel(None)) };
}

impl Cancel {
    /// Returns what is set as soon as `is_canceled` returns true.
    pub fn when(is_canceled: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(is_canceled)))
    }

    /// Returns true if the run was canceled.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|is_canceled| is_canceled())
    }

    /// Runs `work`, in which [`is_canceled`] asks this.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Restores what was asked before, also if the work panics.
        struct Restore(Option<Cancel>);
        impl Drop for Restore {
            fn drop(&mut self) {
                let before = self.0.take().unwrap_or_default();
                CURRENT.with(|current| *current.borrow_mut() = before);
            }
        }
        let before = CURRENT.with(|current| current.replace(self.clone()));
        let _restore = Restore(Some(before));
        work()
    }
}

/// Returns true if the run was canceled whose work this thread does, so that further work is
/// useless.
#[must_use]
pub fn is_canceled() -> bool {
    CURRENT.with(|current| current.borrow().is_set())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_asks_the_run_that_it_belongs_to() {
        let (yes, no) = (Cancel::when(|| true), Cancel::default());
        assert!(!is_canceled());
        let seen = yes.during(|| (is_canceled(), no.during(is_canceled), is_canceled()));
        assert_eq!(seen, (true, false, true));
        assert!(!is_canceled());
    }
}

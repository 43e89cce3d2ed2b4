//! How much memory all requests together may take for what they have read and not stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes that are left to all requests.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
}

/// The bytes that a request has, which go back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) const fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Returns an empty share.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Changes the share to this many bytes. Returns false, with the share as it was, if so many are not
    /// left.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        if let Some(less) = self.bytes.checked_sub(bytes) {
            self.budget.left.fetch_add(less, Ordering::Relaxed);
        } else {
            let more = bytes - self.bytes;
            let take = |left: usize| left.checked_sub(more);
            let left = &self.budget.left;
            if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                return false;
            }
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_do_not_exceed_the_budget() {
        let budget = Arc::new(Budget::new(10));
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.set(6));
        assert!(!two.set(5));
        assert!(two.set(4));
        assert!(!one.set(7));
        assert!(one.set(2));
        assert!(two.set(8));
        drop(two);
        assert!(one.set(10));
        drop(one);
        assert_eq!(budget.left.load(Ordering::Relaxed), 10);
    }
}

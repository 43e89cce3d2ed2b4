//! Times with an order, as keys of sorted maps and sets.

use std::cmp::Ordering;

/// A time in epoch seconds that is no NaN; 0 and -0 are the same time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instant(pub(crate) f64);

impl Ord for Instant {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

impl PartialOrd for Instant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Instant {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Instant {}

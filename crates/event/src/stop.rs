//! A signal to stop reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says to all who have a copy of it that they should stop.
///
/// Once it is set it stays set. Threads look at it between events, so that a run ends soon after.
#[derive(Debug, Clone, Default)]
pub struct StopToken(Arc<Signal>);

#[derive(Debug, Default)]
struct Signal {
    is_set: AtomicBool,
    parent: Option<StopToken>,
}

impl StopToken {
    /// Returns a token that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a token that is set when this one is, and that can be set without setting this one.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Signal { is_set: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Sets the token and with it all its children.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::Relaxed);
    }

    /// Returns true if the token, or one that it is a child of, was set.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Relaxed) || self.0.parent.as_ref().is_some_and(Self::is_set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stops_its_children_and_not_its_parent() {
        let parent = StopToken::new();
        let (one, other) = (parent.child(), parent.child().child());
        one.set();
        assert_eq!([&parent, &one, &other].map(StopToken::is_set), [false, true, false]);
        parent.set();
        assert_eq!([&parent, &one, &other].map(StopToken::is_set), [true, true, true]);
    }
}

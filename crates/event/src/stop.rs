//! Signals that reading should stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A signal that asks all holders of its copies to stop.
///
/// A set token stays set. Threads check it between events, so that a run ends soon after.
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

    /// Returns a child: setting this token also sets the child, but not the reverse.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Signal { is_set: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Sets the token and all its children.
    pub fn set(&self) {
        self.0.is_set.store(true, Ordering::Relaxed);
    }

    /// Returns true if the token or one of its ancestors is set.
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

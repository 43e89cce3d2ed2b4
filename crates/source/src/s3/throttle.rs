//! Limits concurrent requests: the limit is halved when the server asks for it, then slowly rises.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Most concurrent requests to S3.
pub(crate) const MAX_REQUESTS: usize = 16;

/// Hands out slots for requests.
#[derive(Debug)]
pub(crate) struct Throttle {
    state: Mutex<Pace>,
    freed: Notify,
}

#[derive(Debug)]
struct Pace {
    /// Number of requests that may run, rounded down; every success adds a fraction.
    limit: f64,
    running: usize,
    /// Number of times the limit was cut.
    cuts: u64,
}

/// The permission to run one request, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    throttle: &'a Throttle,
    /// Number of cuts when the request began.
    cuts: u64,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        let state = Pace { limit: MAX_REQUESTS as f64, running: 0, cuts: 0 };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Pace> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may run.
    pub(crate) async fn enter(&self) -> Slot<'_> {
        loop {
            // Registering before the check ensures that a slot freed between check and wait wakes
            // this task.
            let freed = self.freed.notified();
            if let Some(slot) = self.try_enter() {
                return slot;
            }
            freed.await;
        }
    }

    fn try_enter(&self) -> Option<Slot<'_>> {
        let mut state = self.state();
        if state.running as f64 >= state.limit.floor() {
            return None;
        }
        state.running += 1;
        Some(Slot { throttle: self, cuts: state.cuts })
    }

    #[cfg(test)]
    pub(crate) fn limit(&self) -> usize {
        self.state().limit as usize
    }
}

impl Slot<'_> {
    /// Records a success: about one success for each running request raises the limit by one.
    pub(crate) fn succeeded(self) {
        let mut state = self.throttle.state();
        state.limit = (state.limit + 1.0 / state.limit).min(MAX_REQUESTS as f64);
    }

    /// Halves the limit because the server throttled. Requests that began before the last cut do
    /// not cut the limit again.
    pub(crate) fn throttled(self) {
        let mut state = self.throttle.state();
        if state.cuts == self.cuts {
            state.limit = (state.limit / 2.0).max(1.0);
            state.cuts += 1;
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.throttle.state().running -= 1;
        self.throttle.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_falls_once_for_a_round_and_comes_back() {
        let throttle = Throttle::new();
        let mut slots: Vec<Slot<'_>> = std::iter::from_fn(|| throttle.try_enter()).collect();
        assert_eq!(slots.len(), MAX_REQUESTS);
        slots.drain(..).for_each(Slot::throttled);
        assert_eq!(throttle.limit(), MAX_REQUESTS / 2);
        for _ in 0..10 {
            throttle.try_enter().unwrap().throttled();
        }
        assert_eq!(throttle.limit(), 1);
        let only = throttle.try_enter().unwrap();
        assert!(throttle.try_enter().is_none());
        only.succeeded();
        assert_eq!(throttle.limit(), 2);
        for _ in 0..1000 {
            throttle.try_enter().unwrap().succeeded();
        }
        assert_eq!(throttle.limit(), MAX_REQUESTS);
    }
}

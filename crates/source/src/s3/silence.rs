//! Gives up on a server that accepts requests and never answers.
//!
//! Each request counts the time since it last heard from the server, over all of its attempts.
//! While it waits, a notice is given now and then. After a minute it fails, and if no other request
//! to the bucket has heard anything either, those that follow fail at once, until one that still
//! waits is answered.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::SCHEME;
use super::failure::Failure;
use crate::logs::Notice;

/// How long a silent server is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The interval of the notices.
    pub(crate) notice: Duration,
    /// The silence after which a request fails.
    pub(crate) longest: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { notice: Duration::from_secs(10), longest: Duration::from_mins(1) }
    }
}

/// The silence of a server. Buckets may be in different regions, so each has a server of its own.
#[derive(Debug)]
pub(crate) struct Silence {
    limits: Limits,
    notice: Option<Notice>,
    buckets: Mutex<HashMap<String, State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When any request last heard from the server.
    heard: Option<Instant>,
    /// When the last notice was given.
    noticed: Option<Instant>,
    /// Whether a request gave up while no other one heard anything.
    is_gone: bool,
}

/// The silence that one request has met with.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    /// When the request began, or last heard from the server.
    since: Option<Instant>,
    /// How long it has waited since then, without the pauses between attempts.
    quiet: Duration,
}

impl Silence {
    pub(crate) fn new(limits: Limits, notice: Option<Notice>) -> Self {
        Self { limits, notice, buckets: Mutex::default() }
    }

    /// Applies a function to what is known of a bucket.
    fn of<T>(&self, bucket: &str, apply: impl FnOnce(&mut State) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        apply(buckets.entry(bucket.to_owned()).or_default())
    }

    /// Waits for an answer about a bucket.
    ///
    /// # Errors
    /// Fails if the server has been silent for too long.
    pub(crate) async fn wait<T>(
        &self,
        listener: &mut Listener,
        bucket: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let since = *listener.since.get_or_insert_with(Instant::now);
        let mut answer = std::pin::pin!(answer);
        loop {
            let left = self.limits.longest.saturating_sub(listener.quiet);
            if left.is_zero() || self.of(bucket, |state| state.is_gone) {
                return Err(self.give_up(bucket, since));
            }
            // Here, so that the notice is also given if an attempt ends when it is due.
            if listener.quiet >= self.limits.notice {
                self.remind(bucket, listener.quiet);
            }
            let began = Instant::now();
            let answered = tokio::select! {
                biased;
                answer = &mut answer => Some(answer),
                () = tokio::time::sleep(self.limits.notice.min(left)) => None,
            };
            listener.quiet += began.elapsed();
            if let Some(answer) = answered {
                return Ok(answer);
            }
        }
    }

    /// Records that the server answered a request.
    pub(crate) fn heard(&self, listener: &mut Listener, bucket: &str) {
        let now = Instant::now();
        *listener = Listener { since: Some(now), quiet: Duration::ZERO };
        self.of(bucket, |state| {
            state.heard = Some(now);
            state.is_gone = false;
        });
    }

    fn give_up(&self, bucket: &str, since: Instant) -> Failure {
        // A server that answers other requests is not gone; only this request is stuck.
        self.of(bucket, |state| state.is_gone |= state.heard.is_none_or(|heard| heard <= since));
        Failure::Silent { seconds: self.limits.longest.as_secs() }
    }

    /// Gives a notice, unless another request just did.
    fn remind(&self, bucket: &str, quiet: Duration) {
        let Some(notice) = self.notice.as_ref().filter(|_| quiet < self.limits.longest) else {
            return;
        };
        let now = Instant::now();
        // Requests that wait at the same time are due within moments of each other.
        let interval = self.limits.notice.mul_f64(0.9);
        let is_due = self.of(bucket, |state| {
            let is_due = state.noticed.is_none_or(|last| now.duration_since(last) >= interval);
            if is_due {
                state.noticed = Some(now);
            }
            is_due
        });
        if !is_due {
            return;
        }
        let (quiet, longest) = (quiet.as_secs(), self.limits.longest.as_secs());
        (notice.0)(&format!(
            "{SCHEME}{bucket}: no answer for {quiet} seconds; waiting for up to {longest}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn only_the_silent_bucket_is_given_up_and_it_may_come_back() {
        let limits =
            Limits { notice: Duration::from_millis(5), longest: Duration::from_millis(20) };
        let silence = Silence::new(limits, None);
        let listener = Listener::default;
        let silent = silence.wait(&mut listener(), "silent", pending::<()>()).await;
        assert!(matches!(silent, Err(Failure::Silent { .. })), "{silent:?}");
        let next = silence.wait(&mut listener(), "silent", ready(())).await;
        assert!(next.is_err(), "those that follow fail at once");
        assert!(silence.wait(&mut listener(), "other", ready(())).await.is_ok());
        silence.heard(&mut listener(), "silent");
        assert!(silence.wait(&mut listener(), "silent", ready(())).await.is_ok());
    }
}

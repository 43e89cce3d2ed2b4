//! Where events go: what the collector asks of a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use spilltrail_lake::{Commit, Wal, WalError};

/// For how long a store counts as refusing after it refused a commit. Then those who ask for health before
/// they send may try again, and so find out.
const FULL_FOR: Duration = Duration::from_secs(10);

/// The answer to a commit, once it is on the disk.
pub type Stored = Pin<Box<dyn Future<Output = Result<(), InboxError>> + Send>>;

/// Keeps events.
pub trait Inbox: Send + Sync + 'static {
    /// Stores a commit as a whole, and at once: the commit is under way when this returns, whether or not
    /// anybody waits for the answer. The answer comes when nothing can lose it any more.
    ///
    /// # Errors
    /// Fails, here or in the answer, if the commit is not known to be stored. It must not block.
    fn append(&self, commit: Commit) -> Result<Stored, InboxError>;

    /// Returns why a commit would most likely be refused at present.
    fn trouble(&self) -> Option<InboxError>;

    /// Returns true if little more can wait to be stored.
    fn is_nearly_full(&self) -> bool;
}

/// Why a commit was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// Too much waits to be stored.
    #[error("too much waits to be stored")]
    Busy,
    /// There is no room left.
    #[error("there is no room left for events")]
    Full,
    /// The store is closed.
    #[error("the store of events is closed")]
    Closed,
    /// Storing failed.
    #[error("events cannot be stored: {0}")]
    Failed(String),
}

/// Keeps events in the log of arriving events.
#[derive(Debug, Clone)]
pub struct WalInbox {
    wal: Arc<Wal>,
    state: Arc<State>,
}

/// Is told when events can no longer be stored, and when they can again.
pub type Tell = Box<dyn Fn(Result<(), &InboxError>) + Send + Sync>;

/// Whether events can be stored.
#[derive(Default)]
struct State {
    refusals: Mutex<Refusals>,
    tell: OnceLock<Tell>,
}

/// The commits that were refused lately.
#[derive(Debug, Default)]
struct Refusals {
    /// The last one, and why, if none was stored since.
    last: Option<(Instant, InboxError)>,
    /// When the last one failed, if that was told.
    told: Option<Instant>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("refusals", &self.refusals).finish_non_exhaustive()
    }
}

impl WalInbox {
    /// Wraps a log.
    #[must_use]
    pub fn new(wal: Arc<Wal>) -> Self {
        Self { wal, state: Arc::default() }
    }

    /// Lets somebody be told when the disk is full or storing fails, and when it works again. A log that is
    /// busy for a moment is not told.
    pub fn set_tell(&self, tell: Tell) {
        // There is one.
        let _ = self.state.tell.set(tell);
    }
}

impl Refusals {
    fn recent(&self, now: Instant) -> Option<InboxError> {
        let (at, why) = self.last.as_ref()?;
        (now.saturating_duration_since(*at) < FULL_FOR).then(|| why.clone())
    }

    /// Takes note of the outcome of a commit. Returns true if it is to be told.
    fn see(&mut self, outcome: &Result<(), InboxError>, now: Instant) -> bool {
        match outcome {
            Ok(()) => {
                self.last = None;
                // Commits that are refused now and then are one trouble.
                let is_over = |at: &mut Instant| now.saturating_duration_since(*at) >= FULL_FOR;
                self.told.take_if(is_over).is_some()
            }
            // The server stops.
            Err(InboxError::Closed) => false,
            Err(why) => {
                self.last = Some((now, why.clone()));
                *why != InboxError::Busy && self.told.replace(now).is_none()
            }
        }
    }
}

impl State {
    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        // It is whole at any moment.
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn see(&self, outcome: &Result<(), InboxError>) {
        let is_told = self.refusals().see(outcome, Instant::now());
        if let Some(tell) = self.tell.get().filter(|_| is_told) {
            tell(outcome.as_ref().map(|&()| ()));
        }
    }
}

impl From<WalError> for InboxError {
    fn from(error: WalError) -> Self {
        match error {
            WalError::Busy => Self::Busy,
            WalError::DiskFull => Self::Full,
            WalError::Closed => Self::Closed,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Inbox for WalInbox {
    fn append(&self, commit: Commit) -> Result<Stored, InboxError> {
        let answer = self.wal.append(commit).map_err(InboxError::from);
        let answer = answer.inspect_err(|error| self.state.see(&Err(error.clone())))?;
        let state = self.state.clone();
        Ok(Box::pin(async move {
            let outcome = match answer.await {
                Ok(stored) => stored.map(drop).map_err(InboxError::from),
                Err(_) => Err(InboxError::Closed),
            };
            state.see(&outcome);
            outcome
        }))
    }

    fn trouble(&self) -> Option<InboxError> {
        self.state.refusals().recent(Instant::now())
    }

    fn is_nearly_full(&self) -> bool {
        self.wal.is_nearly_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_once_and_counts_for_a_while() {
        let began = Instant::now();
        let mut refusals = Refusals::default();
        let failed = || InboxError::Failed("broken".into());
        for (second, outcome, is_told, trouble) in [
            (0, Ok(()), false, None),
            (1, Err(InboxError::Busy), false, Some(InboxError::Busy)),
            (2, Ok(()), false, None),
            (3, Err(failed()), true, Some(failed())),
            (4, Err(InboxError::Full), false, Some(InboxError::Full)),
            (5, Err(InboxError::Closed), false, Some(InboxError::Full)),
            // Some are stored between those that are refused.
            (6, Ok(()), false, None),
            (7, Err(InboxError::Full), false, Some(InboxError::Full)),
            (16, Ok(()), false, None),
            (17, Ok(()), true, None),
            (18, Ok(()), false, None),
            (19, Err(InboxError::Full), true, Some(InboxError::Full)),
        ] {
            let now = began + Duration::from_secs(second);
            assert_eq!(refusals.see(&outcome, now), is_told, "{second}");
            assert_eq!(refusals.recent(now), trouble, "{second}");
        }
        let at = |seconds| refusals.recent(began + Duration::from_secs(seconds));
        assert_eq!((at(28), at(29)), (Some(InboxError::Full), None));
    }
}

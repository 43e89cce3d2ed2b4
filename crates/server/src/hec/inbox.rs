//! Where events go: what the collector asks of a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use spilltrail_lake::{Commit, Wal, WalError};

/// For how long a store counts as full after it refused a commit. Then those who ask for health before
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
    /// Fails, here or in the answer, if nothing of the commit is stored. It must not block.
    fn append(&self, commit: Commit) -> Result<Stored, InboxError>;

    /// Returns true if a commit would most likely be refused at present.
    fn is_full(&self) -> bool;
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
    /// When a commit was refused for want of room, if none was stored since.
    refused: Arc<Mutex<Option<Instant>>>,
}

impl WalInbox {
    /// Wraps a log.
    #[must_use]
    pub fn new(wal: Arc<Wal>) -> Self {
        Self { wal, refused: Arc::default() }
    }
}

/// Returns true if a commit was refused not long ago.
fn is_recent(refused: Option<Instant>, now: Instant) -> bool {
    refused.is_some_and(|at| now.saturating_duration_since(at) < FULL_FOR)
}

fn note(refused: &Mutex<Option<Instant>>, outcome: &Result<(), InboxError>) {
    let at = match outcome {
        Ok(()) => None,
        Err(InboxError::Busy | InboxError::Full) => Some(Instant::now()),
        Err(_) => return,
    };
    // It is whole at any moment.
    *refused.lock().unwrap_or_else(PoisonError::into_inner) = at;
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
        let answer = answer.inspect_err(|error| note(&self.refused, &Err(error.clone())))?;
        let refused = self.refused.clone();
        Ok(Box::pin(async move {
            let outcome = match answer.await {
                Ok(stored) => stored.map(drop).map_err(InboxError::from),
                Err(_) => Err(InboxError::Closed),
            };
            note(&refused, &outcome);
            outcome
        }))
    }

    fn is_full(&self) -> bool {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        is_recent(refused, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_full_for_a_while() {
        let now = Instant::now();
        let refused = Mutex::new(None);
        let at = || *refused.lock().unwrap();
        for (outcome, is_full) in [
            (Ok(()), false),
            (Err(InboxError::Failed("broken".into())), false),
            (Err(InboxError::Full), true),
            (Err(InboxError::Closed), true),
            (Ok(()), false),
            (Err(InboxError::Busy), true),
        ] {
            note(&refused, &outcome);
            assert_eq!(is_recent(at(), now), is_full, "{outcome:?}");
        }
        assert!(is_recent(at(), now + FULL_FOR / 2));
        assert!(!is_recent(at(), now + FULL_FOR * 2));
    }
}

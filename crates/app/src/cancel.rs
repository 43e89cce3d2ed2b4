//! How a run is ended before its end, and what had been done of it by then.

use std::sync::Arc;

use spilltrail_event::StopToken;
use spilltrail_source::Logs;
use tokio_util::sync::CancellationToken;

use crate::error::AppError;
use crate::unread::Unread;

/// What had been done of a run when it was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Files that were to be read; zero if they had not been listed.
    pub files: u64,
    /// Files of these that were read to their end.
    pub files_read: u64,
    /// Events in the files that were read.
    pub events: u64,
    /// Rows that were handed on; zero for a hunt.
    pub rows: u64,
    /// Detections that were to be run; zero for a search.
    pub detections: u64,
    /// Detections of these that were finished.
    pub finished: u64,
    /// Findings of them, whether the last one could be handed on or not.
    pub findings: u64,
    /// Input that was not read, or not whole, although it should have been by then.
    pub unread: Vec<Unread>,
}

impl Done {
    /// Returns what had been done of a run that does nothing but read.
    pub(crate) fn of_reading(logs: Option<&Arc<Logs>>) -> Self {
        let Some(logs) = logs else { return Self::default() };
        let read = logs.report();
        Self {
            files: logs.files().len() as u64,
            files_read: read.files,
            events: read.total.events,
            unread: Unread::of(logs),
            ..Self::default()
        }
    }
}

/// Stops the threads that read for a run when the run is dropped.
#[derive(Debug, Default)]
pub(crate) struct StopWhenDropped(StopToken);

impl StopWhenDropped {
    pub(crate) fn token(&self) -> StopToken {
        self.0.clone()
    }
}

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Runs work until it is done, or dropped because the run is cancelled.
pub(crate) async fn until_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    tokio::select! {
        // Whoever cancels wants no more, also if there is more already.
        biased;
        () = cancel.cancelled() => Err(AppError::Cancelled(Box::default())),
        outcome = work => outcome,
    }
}

//! Cancels a run, and records its progress up to that point.

use std::sync::Arc;

use spilltrail_event::StopToken;
use spilltrail_source::Logs;
use tokio_util::sync::CancellationToken;

use crate::error::AppError;
use crate::unread::{Times, Unread};

/// Progress of a run at the moment when it was stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Number of files to read; zero if they had not been listed yet.
    pub files: u64,
    /// Number of these files that were read completely.
    pub files_read: u64,
    /// Number of events in the files that were read.
    pub events: u64,
    /// Number of rows returned to the caller; zero for a hunt.
    pub rows: u64,
    /// Number of detections to run; zero for a search.
    pub detections: u64,
    /// Number of these detections that finished.
    pub finished: u64,
    /// Number of findings, including the last one even if the sink rejected it.
    pub findings: u64,
    /// Input that was skipped, damaged or not found up to that point.
    pub unread: Vec<Unread>,
}

impl Done {
    /// Returns the reading progress of a run, with zero rows, detections and findings.
    pub(crate) fn of_reading(logs: Option<&Arc<Logs>>) -> Self {
        let Some(logs) = logs else { return Self::default() };
        let read = logs.report();
        Self {
            files: logs.files().len() as u64,
            files_read: read.files,
            events: read.total.events,
            unread: Unread::of(logs, Times::Unused),
            ..Self::default()
        }
    }
}

/// Stops the reader threads of a run when it is dropped.
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

/// Runs `work` until it completes, or drops it when the run is canceled.
pub(crate) async fn until_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    tokio::select! {
        // Check for cancellation first: after canceling, the caller wants no result, even one that
        // is ready.
        biased;
        () = cancel.cancelled() => Err(AppError::Cancelled(Box::default())),
        // Work that computes for long ends with an error when it learns that it is canceled.
        outcome = work => match outcome {
            Err(_) if cancel.is_cancelled() => Err(AppError::Cancelled(Box::default())),
            outcome => outcome,
        },
    }
}

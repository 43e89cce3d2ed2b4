//! What can go wrong.

use std::path::PathBuf;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// The file cannot be brought to the form that this version of the program reads.
    #[error("cannot use {}: {reason}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process writes to the same file.
    #[error("another process writes to {}", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// No space is left on the disk. Nothing was stored.
    #[error("the disk is full")]
    DiskFull,
    /// Reading or writing failed. Nothing was stored.
    #[error("cannot use the store: {0}")]
    Failed(rusqlite::Error),
    /// A run or a missed firing is about a schedule that is not stored.
    #[error("there is no schedule `{id}` in the store")]
    NoSchedule {
        /// The id.
        id: String,
    },
    /// A run has two findings with the same id.
    #[error("the run has two findings with the id `{id}`")]
    Twice {
        /// The id.
        id: String,
    },
    /// A run that did not finish has findings.
    #[error("a run with the status `{status}` has no findings")]
    NoFindings {
        /// The status.
        status: &'static str,
    },
    /// A stored value cannot be read.
    #[error("the stored {what} is damaged: {reason}")]
    Damaged {
        /// What it is.
        what: &'static str,
        /// Why it cannot be read.
        reason: String,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Failed(error),
        }
    }
}

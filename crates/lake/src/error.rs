//! What can go wrong.

use std::path::PathBuf;
use std::sync::Arc;

/// Why a batch cannot be made or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The batch has as many bytes as it can have.
    #[error("the batch is full")]
    Full,
    /// An event alone has more bytes than a batch can have.
    #[error("an event of {bytes} bytes is too long; the longest has {most}")]
    TooLong {
        /// The length of the event.
        bytes: usize,
        /// The most that an event can have.
        most: usize,
    },
    /// There is no memory to compress the batch.
    #[error("there is no memory to compress the batch")]
    NoMemory,
    /// The stored bytes are not those of a batch.
    #[error("the stored batch is damaged: {0}")]
    Damaged(&'static str),
}

/// Why the log of arriving events cannot be used.
///
/// The error of one transaction goes to everyone whose batches it held, so that it can be cloned.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WalError {
    /// The file or its folder cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: Arc<rusqlite::Error>,
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
    /// More bytes wait to be stored than the options allow. Nothing of the commit was stored; it can be
    /// sent again.
    #[error("too much waits to be stored")]
    Busy,
    /// No space is left on the disk. Nothing of the commit was stored.
    #[error("the disk is full")]
    DiskFull,
    /// Reading or writing failed. Nothing of the commit was stored.
    #[error("cannot store events: {0}")]
    Failed(Arc<rusqlite::Error>),
    /// A stored batch cannot be read.
    #[error("batch {number}: {error}")]
    Batch {
        /// The number of the batch.
        number: u64,
        /// What is wrong with it.
        error: BatchError,
    },
    /// The log was closed before it answered. Whether the commit was stored is not known.
    #[error("the log of arriving events is closed")]
    Closed,
}

impl From<rusqlite::Error> for WalError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Failed(Arc::new(error)),
        }
    }
}

/// Why the table of events cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file or folder of the table cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The log of the table, or a file of it, cannot be read or written.
    #[error("the table of events cannot be used: {0}")]
    Table(#[from] deltalake_core::DeltaTableError),
    /// Other processes committed each time.
    #[error("other processes write to the table of events all the time")]
    Busy,
}

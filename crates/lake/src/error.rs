//! What can go wrong.

use std::path::{Path, PathBuf};
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
        /// The bytes of the event: its text, its fields and its head.
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
    /// SQLite's own log beside the file was damaged after it was written. Whoever opens the file loses what is
    /// behind the damage.
    #[error(
        "{} is damaged: behind byte {offset} it has {transactions} transactions of events that cannot be \
         read. Copy this file, in case somebody can mend it, and cut it to {offset} bytes to go on without \
         them",
        path.display()
    )]
    Damaged {
        /// SQLite's own log.
        path: PathBuf,
        /// Where the damage begins, in bytes.
        offset: u64,
        /// How many transactions end behind it.
        transactions: u64,
    },
    /// Another process writes to the same file.
    #[error("another process writes to {}: a server or an ingestion works in this folder", path.display())]
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
    /// Writing failed. Nothing of the commit is known to be stored. If waiting for the disk is what failed, all
    /// of it may be there if the process is killed before the next commit.
    #[error("cannot write to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: Arc<rusqlite::Error>,
    },
    /// Reading failed.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: Arc<rusqlite::Error>,
    },
    /// Something must come into the table, or be known not to, before rows are added straight to it.
    #[error(
        "{} has events, or marks of rows, that may not be in the table yet; move its events to the table \
         first",
        path.display()
    )]
    Unsettled {
        /// The file.
        path: PathBuf,
    },
    /// The log has batches, but has given out fewer numbers than the table knows: it is not the log of the
    /// table.
    #[error(
        "{} has given out numbers up to {newest}, and the table has batches up to {last}",
        path.display()
    )]
    Behind {
        /// The file.
        path: PathBuf,
        /// The largest number that the log has given out.
        newest: u64,
        /// The number of the last batch in the table.
        last: u64,
    },
    /// The log was closed before it answered. Whether the commit was stored is not known.
    #[error("the log of arriving events is closed")]
    Closed,
}

impl WalError {
    /// Returns what the failure to write to a file is.
    pub(crate) fn write(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Write { path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// Returns what the failure to read a file is.
    pub(crate) fn read(path: &Path, source: rusqlite::Error) -> Self {
        Self::Read { path: path.to_owned(), source: Arc::new(source) }
    }
}

/// Why batches cannot be moved from the log to the table, or both cannot be read together.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The log of arriving events cannot be used.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The table cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The log has events that would count as being in the table by their numbers, and are not: it is not
    /// the log from which the table was made.
    #[error(
        "{} is not the log of the table in {}: the table has batches up to number {last}, and the log \
         has given out numbers up to {newest}; put the log back that was there, or move this one, which \
         has events, to a new folder and let them come into a table there",
        log.display(),
        table.display()
    )]
    Foreign {
        /// The file of the log.
        log: PathBuf,
        /// The folder of the table.
        table: PathBuf,
        /// The largest number that the log has given out.
        newest: u64,
        /// The number of the last batch in the table.
        last: u64,
    },
    /// The table lacks what it had: its own log was deleted, cut or replaced by an older one. Whoever goes on
    /// would take its files for ones that nobody needs.
    #[error(
        "the table in {} lacks events that it had: batches up to number {had} had come in, and its log knows \
         of those up to {last}; put its folder `_delta_log` back as it was, from a backup, or begin a new lake \
         in another folder",
        table.display()
    )]
    Lost {
        /// The folder of the table.
        table: PathBuf,
        /// The number of the last batch that had come in.
        had: u64,
        /// The number of the last batch in the table.
        last: u64,
    },
    /// Others have added to the table what should have been added by this process. Its rows were not added.
    #[error(
        "another process adds events to the table in {}; stop it, and add them again",
        table.display()
    )]
    Overtaken {
        /// The folder of the table.
        table: PathBuf,
    },
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
    /// A commit of the table's log says nothing: what it said is lost.
    #[error(
        "{} is damaged: it names no change of the table; put it back from a backup, or begin a new lake in \
         another folder",
        path.display()
    )]
    EmptyCommit {
        /// The file.
        path: PathBuf,
    },
    /// There are files of events, and no log that says which of them count.
    #[error(
        "{} has files of events, and no folder `_delta_log`; put it back from a backup, or begin a new lake in \
         another folder",
        path.display()
    )]
    NoLog {
        /// The folder of the table.
        path: PathBuf,
    },
    /// The log of the table, or a file of it, cannot be read or written.
    #[error("the table of events cannot be used: {}", without_trace(&.0.to_string()))]
    Table(#[from] deltalake_core::DeltaTableError),
    /// A file of the table cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// A file of the table cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: parquet::errors::ParquetError,
    },
    /// Rows cannot be put together.
    #[error("cannot put rows together: {0}")]
    Rows(#[from] deltalake_core::arrow::error::ArrowError),
    /// The log of the table says what cannot be.
    #[error("the log of the table of events is damaged: it has {0}")]
    Log(String),
    /// Other processes committed each time.
    #[error("other processes write to the table of events all the time")]
    Busy,
}

/// Returns a message of the library without the addresses of its code, which it writes behind some.
fn without_trace(message: &str) -> &str {
    let end = ["\n   0:", "\\n   0:", "\n\n"].iter().filter_map(|mark| message.find(mark)).min();
    message[..end.unwrap_or(message.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_no_addresses() {
        for (message, expected) in [
            ("it is cut", "it is cut"),
            ("it is cut\n   0: <unknown>\n   1: x", "it is cut"),
            ("it is cut\\n   0: <unknown>", "it is cut"),
        ] {
            assert_eq!(without_trace(message), expected);
        }
    }
}

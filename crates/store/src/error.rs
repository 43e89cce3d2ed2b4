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
    #[error("another process writes to {}: a server or an ingestion works in this folder", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// No space is left on the disk. Nothing was stored.
    #[error("the disk is full")]
    DiskFull,
    /// Another process has been writing for longer than this one waits. Nothing was stored.
    #[error("another process has been writing to the store for too long: try again")]
    Busy,
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
    /// There are no findings with some ids. Nothing was changed.
    #[error("no finding has the id {}", quoted(ids))]
    NoFinding {
        /// The ids.
        ids: Vec<String>,
    },
    /// Too little of an id is given.
    #[error("`{prefix}` is too short for an id: give at least {least} of its characters")]
    ShortId {
        /// What is given.
        prefix: String,
        /// How many characters are enough.
        least: usize,
    },
    /// Several findings have ids that begin alike.
    #[error("several findings have ids that begin with `{prefix}`: {}", some(candidates))]
    AmbiguousId {
        /// How they begin.
        prefix: String,
        /// Some of the ids.
        candidates: Vec<String>,
    },
    /// A change of findings says nothing.
    #[error("the change says nothing: give a status, owner, urgency, disposition or comment")]
    EmptyChange,
    /// Nothing has the urgency `unknown`.
    #[error("`unknown` is no urgency: expected `informational` to `critical`")]
    NoUrgency,
    /// What should tell where a page of a list begins does not.
    #[error("`{text}` is no place in a list: take the one that the page before gives")]
    Cursor {
        /// What is given.
        text: String,
    },
    /// A pattern has so many wildcards that matching could take forever.
    #[error("the pattern `{pattern}` has more than {most} wildcards")]
    Wildcards {
        /// The pattern.
        pattern: String,
        /// How many wildcards it may have.
        most: usize,
    },
    /// The allow-list has no such entry.
    #[error("the allow-list has no entry {id}")]
    NoEntry {
        /// The id.
        id: i64,
    },
    /// What is to be delivered is not there to be.
    #[error("the outbox has no entry {seq} after {after} and up to {up_to}")]
    NoOutboxEntry {
        /// The number of the entry.
        seq: u64,
        /// How far the output has come.
        after: u64,
        /// How far it was to be moved on.
        up_to: u64,
    },
    /// A delivery cannot be repeated.
    #[error("there is no delivery {seq} to `{output}` any more that could be repeated")]
    NoDelivery {
        /// The name of the output.
        output: String,
        /// The number of the entry of the outbox.
        seq: u64,
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
            Some(rusqlite::ErrorCode::DatabaseBusy) => Self::Busy,
            _ => Self::Failed(error),
        }
    }
}

/// How many names a message shows.
const MOST_SHOWN: usize = 5;

/// Returns some of many names in backticks. How many there are is not known.
fn some(names: &[String]) -> String {
    let shown = names.get(..MOST_SHOWN).unwrap_or(names);
    let rest = if shown.len() < names.len() { " and others" } else { "" };
    quoted(shown) + rest
}

/// Returns names in backticks, with how many more there are.
fn quoted(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(MOST_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST_SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn ids_that_begin_alike_are_not_counted() {
        let text = |count: u8| {
            let candidates = (0..count).map(|number| format!("a{number}")).collect();
            StoreError::AmbiguousId { prefix: "a".to_owned(), candidates }.to_string()
        };
        assert!(text(5).ends_with("`a`: `a0`, `a1`, `a2`, `a3`, `a4`"), "{}", text(5));
        assert!(text(10).ends_with("`a3`, `a4` and others"), "{}", text(10));
    }

    #[test]
    fn what_is_in_the_way_for_a_while_is_told_apart() {
        for (code, expected) in [
            (ffi::SQLITE_BUSY, "another process has been writing"),
            (ffi::SQLITE_BUSY_SNAPSHOT, "another process has been writing"),
            (ffi::SQLITE_LOCKED, "cannot use the store"),
            (ffi::SQLITE_FULL, "the disk is full"),
            (ffi::SQLITE_CORRUPT, "cannot use the store"),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = StoreError::from(error).to_string();
            assert!(error.starts_with(expected), "{code}: {error}");
        }
    }
}

//! What users change while a server runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::form;
use crate::lock;
use crate::reader::StoreReader;

/// How long to wait before looking again whether another process has brought the file to its form.
const PAUSE: Duration = Duration::from_millis(50);

/// A writer of what users decide: triage, the allow-list, overrides of schedules, and what is delivered
/// again. There may be any number of them, in any process, beside the one [`Store`](crate::Store) that
/// writes runs and findings. Each call is one transaction.
#[derive(Debug)]
pub struct Desk {
    path: PathBuf,
    pub(crate) reader: StoreReader,
}

impl Desk {
    /// Opens the store in a file, which is created if it is not there.
    ///
    /// # Errors
    /// Fails if the file has an older form and a server of an older version writes to it, if it is of
    /// another program or a newer version of this one, or if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let started = Instant::now();
        loop {
            if let Some(connection) = form::open_to_share(path)? {
                return Ok(Self { path: path.to_owned(), reader: StoreReader { connection } });
            }
            match lock::take(path) {
                Ok(_lock) => drop(form::open_to_write(path)?),
                // Most likely, a server has just started and is about to do so.
                Err(StoreError::Locked { .. }) if started.elapsed() < form::PATIENCE => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what reads the store as it is.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// Begins a transaction that writes. It waits for those of other processes first, because one that
    /// has read before it waits would fail.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        let behavior = TransactionBehavior::Immediate;
        Ok(self.reader.connection.transaction_with_behavior(behavior)?)
    }
}

/// How often users have changed something, by what it is. A process that keeps what it read compares
/// the counts, which costs less than reading it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeskChanges {
    /// The triage of findings.
    pub triage: u64,
    /// The allow-list.
    pub allow: u64,
    /// The overrides of schedules.
    pub overrides: u64,
}

impl StoreReader {
    /// Returns how often users have changed something.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn changed(&self) -> Result<DeskChanges, StoreError> {
        let sql = "SELECT triage, allow, overrides FROM desk";
        let mut statement = self.connection.prepare_cached(sql)?;
        let changes = statement.query_row([], |row| {
            let (triage, allow, overrides) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(DeskChanges { triage, allow, overrides })
        });
        Ok(changes?)
    }
}

//! Reading the log of arriving events, in this process or another one, while it is written.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row};

use super::form;
use super::writer::IN_TABLE;
use crate::arrival::Arrival;
use crate::batch::{Batch, Origin};
use crate::error::WalError;

/// A batch in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// The number; later batches have larger ones.
    pub number: u64,
    /// When it arrived, in microseconds since the epoch.
    pub received: i64,
    /// The events.
    pub batch: Batch,
}

/// What a batch in the log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedBatch {
    /// The number; later batches have larger ones.
    pub number: u64,
    /// The index of the events.
    pub index: String,
    /// The sourcetype that the sender gave.
    pub sourcetype: Option<String>,
    /// The source that the sender gave.
    pub source: Option<String>,
    /// The format in which the texts of the events are read, by its name.
    pub format: String,
    /// The number of events.
    pub events: u64,
    /// The number of bytes after compression.
    pub bytes: u64,
}

/// What the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WalSize {
    /// The number of batches.
    pub batches: u64,
    /// The number of their events.
    pub events: u64,
    /// The number of their bytes before compression.
    pub bytes: u64,
    /// The largest number that a batch has had, removed ones included; 0 if there was none.
    pub last_number: u64,
    /// The number of damaged batches, which are set aside.
    pub set_aside: u64,
}

/// What a batch takes in memory beside its events.
const BYTES_OF_BATCH: u64 = 4096;

/// What the row of an event costs beside its text.
const BYTES_OF_EVENT: u64 = 512;

/// A reader of the log. There may be any number of them.
#[derive(Debug)]
pub struct WalReader {
    path: PathBuf,
    connection: Connection,
}

impl WalReader {
    /// Opens the log in a file.
    ///
    /// # Errors
    /// Fails if there is no such log, or if it cannot be read.
    pub fn open(path: &Path) -> Result<Self, WalError> {
        // Who writes to it has looked at it, and what is being written now may look damaged.
        if !super::is_written(path)
            && let Err(damaged) = super::check_log(path)
            && !super::is_written(path)
        {
            return Err(damaged);
        }
        Ok(Self { path: path.to_owned(), connection: form::open_to_read(path)? })
    }

    /// Keeps what is read from now on as it is at this moment, whatever is written or removed, until the
    /// reader is dropped.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if something is held already.
    pub fn hold(&self) -> Result<(), WalError> {
        let hold = || {
            self.connection.execute_batch("BEGIN")?;
            // The moment is that of the first read, however little it reads.
            let first = "SELECT number FROM batches LIMIT 1";
            self.connection.query_row(first, [], |_| Ok(())).optional()
        };
        self.read(hold()).map(drop)
    }

    fn read<T>(&self, found: Result<T, rusqlite::Error>) -> Result<T, WalError> {
        found.map_err(|source| WalError::read(&self.path, source))
    }

    /// Returns the largest number that a batch has had, removed ones included; 0 if there was none.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn last_number(&self) -> Result<u64, WalError> {
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'";
        let last = self.connection.query_row(sql, [], |row| row.get(0)).optional();
        Ok(self.read(last)?.unwrap_or(0))
    }

    /// Returns the batches after a number, in order: as many as have `most_bytes` together before
    /// compression, each with 4 KiB for itself and half a KiB for each event, but at least one if there is
    /// one.
    ///
    /// # Errors
    /// Fails if the file cannot be read. Batches before the one that cannot be read come by themselves.
    pub fn after(&self, number: u64, most_bytes: u64) -> Result<Vec<StoredBatch>, WalError> {
        let after = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT number, received, index_name, sourcetype, source, host, format, events, bytes,
                     body
                 FROM batches WHERE number > ?1 ORDER BY number",
            )?;
            let mut rows = statement.query([i64::try_from(number).unwrap_or(i64::MAX)])?;
            let (mut found, mut bytes) = (Vec::new(), 0_u64);
            loop {
                let next = rows.next().and_then(|row| row.map(stored).transpose());
                let stored = match next {
                    Ok(Some(stored)) => stored,
                    Ok(None) => break,
                    // Those before the damage come first; the next call tells of it.
                    Err(_) if !found.is_empty() => break,
                    Err(error) => return Err(error),
                };
                let of_events = stored.batch.events.saturating_mul(BYTES_OF_EVENT);
                let of_batch = stored.batch.bytes.saturating_add(of_events);
                bytes = bytes.saturating_add(of_batch).saturating_add(BYTES_OF_BATCH);
                if bytes > most_bytes && !found.is_empty() {
                    break;
                }
                found.push(stored);
            }
            Ok(found)
        };
        self.read(after())
    }

    /// Returns what the batches after a number are, in order, without their events.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn list_after(&self, number: u64) -> Result<Vec<ListedBatch>, WalError> {
        let list = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT number, index_name, sourcetype, source, format, events, length(body)
                 FROM batches WHERE number > ?1 ORDER BY number",
            )?;
            let listed = |row: &Row<'_>| {
                Ok(ListedBatch {
                    number: row.get(0)?,
                    index: row.get(1)?,
                    sourcetype: row.get(2)?,
                    source: row.get(3)?,
                    format: row.get(4)?,
                    events: row.get(5)?,
                    bytes: row.get(6)?,
                })
            };
            statement.query_map([i64::try_from(number).unwrap_or(i64::MAX)], listed)?.collect()
        };
        self.read(list())
    }

    /// Returns the value of a mark.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn mark(&self, key: &str) -> Result<Option<String>, WalError> {
        let mark = || {
            let sql = "SELECT value FROM marks WHERE key = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([key], |row| row.get(0)).optional()
        };
        self.read(mark())
    }

    /// Returns the number up to which the table has all; 0 if nothing is known of that.
    pub(crate) fn in_table(&self) -> Result<u64, WalError> {
        Ok(self.mark(IN_TABLE)?.and_then(|number| number.parse().ok()).unwrap_or(0))
    }

    /// Returns true if marks wait for rows of theirs to come into the table: see [`Wal::pend`].
    ///
    /// [`Wal::pend`]: super::Wal::pend
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn has_pending(&self) -> Result<bool, WalError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM pending)";
        self.read(self.connection.query_row(sql, [], |row| row.get(0)))
    }

    /// Returns the number of the first batch, if there is one.
    pub(crate) fn first_number(&self) -> Result<Option<u64>, WalError> {
        let sql = "SELECT number FROM batches ORDER BY number LIMIT 1";
        self.read(self.connection.query_row(sql, [], |row| row.get(0)).optional())
    }

    /// Returns when events happened that came into the table with batches after this number, in order.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn arrivals_after(&self, number: u64) -> Result<Vec<Arrival>, WalError> {
        let sql = "SELECT number, index_name, spans FROM arrivals WHERE number > ?1
                   ORDER BY number, index_name";
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            let rows = statement.query_map([number], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = self.read(read())?;
        let arrival = |(number, index, spans): (u64, String, String)| {
            let spans = serde_json::from_str(&spans).map_err(|error| WalError::Form {
                path: self.path.clone(),
                reason: format!("the times of batch {number} are damaged: {error}"),
            })?;
            Ok(Arrival { number, index, spans })
        };
        rows.into_iter().map(arrival).collect()
    }

    /// Writes the log as it is at one moment into a new file.
    ///
    /// # Errors
    /// Fails if the file is there, if it cannot be written, or if the log cannot be read.
    pub fn copy_to(&self, file: &Path) -> Result<(), WalError> {
        let copied = self.connection.execute("VACUUM INTO ?1", [file.to_string_lossy()]);
        self.read(copied).map(drop)
    }

    /// Returns what the log holds.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn size(&self) -> Result<WalSize, WalError> {
        // One statement sees one moment.
        let sums = "SELECT count(*), coalesce(sum(events), 0), coalesce(sum(bytes), 0),
                coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'batches'), 0),
                (SELECT count(*) FROM set_aside)
             FROM batches";
        let size = self.connection.query_row(sums, [], |row| {
            Ok(WalSize {
                batches: row.get(0)?,
                events: row.get(1)?,
                bytes: row.get(2)?,
                last_number: row.get(3)?,
                set_aside: row.get(4)?,
            })
        });
        self.read(size)
    }
}

fn stored(row: &Row<'_>) -> Result<StoredBatch, rusqlite::Error> {
    Ok(StoredBatch {
        number: row.get(0)?,
        received: row.get(1)?,
        batch: Batch {
            origin: Origin {
                index: row.get(2)?,
                sourcetype: row.get(3)?,
                source: row.get(4)?,
                host: row.get(5)?,
                format: row.get(6)?,
            },
            events: row.get(7)?,
            bytes: row.get(8)?,
            body: row.get(9)?,
        },
    })
}

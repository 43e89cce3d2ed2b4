//! Old events leave the table, and files that no longer count leave the disk.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::TimeDelta;
use deltalake_core::kernel::Action;
use deltalake_core::operations::vacuum::{Clock, VacuumMode};
use deltalake_core::protocol::DeltaOperation;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Change, EventTable, TableFile};
use crate::error::TableError;

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// The number of files that no longer count.
    pub files: u64,
    /// The number of their events.
    pub rows: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vacuumed {
    /// The number of files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

impl EventTable {
    /// Drops the events of an index whose day, in UTC, is before this one, in one commit. Of events
    /// without a day, files are dropped whose events all arrived before it.
    ///
    /// The files are deleted by [`EventTable::vacuum`].
    ///
    /// # Errors
    /// Fails if the log cannot be read or written. The commit may have been made: call it again.
    pub async fn drop_before(&mut self, index: &str, day: Date) -> Result<Dropped, TableError> {
        let midnight = day
            .to_zoned(TimeZone::UTC)
            .map_or(i64::MIN, |midnight| midnight.timestamp().as_microsecond());
        let is_old = |file: &TableFile| {
            file.index == index
                && match file.day {
                    Some(of_file) => of_file < day,
                    None => file.max_received.is_some_and(|last| last < midnight),
                }
        };
        let dropped = self.change(|table, _| {
            let mut old = table.files()?;
            old.retain(&is_old);
            if old.is_empty() {
                return Ok(None);
            }
            let dropped = Dropped {
                files: old.len() as u64,
                rows: old.iter().map(|file| file.rows).sum(),
                bytes: old.iter().map(|file| file.bytes).sum(),
            };
            let predicate = format!("index = '{}' AND day < '{day}'", index.replace('\'', "''"));
            let change = Change {
                actions: table.removals(&old, true)?,
                operation: DeltaOperation::Delete { predicate: Some(predicate) },
                number: None,
            };
            Ok(Some((change, dropped)))
        });
        Ok(dropped.await?.unwrap_or_default())
    }

    /// Returns what removes files from the table. Fewer come back if some are not in it.
    pub(super) fn removals(
        &self,
        files: &[TableFile],
        data_changes: bool,
    ) -> Result<Vec<Action>, TableError> {
        let paths: std::collections::HashSet<&Path> =
            files.iter().map(|file| file.path.as_path()).collect();
        let all = self.table.snapshot()?.log_data().into_iter();
        let removed = all
            .filter(|file| paths.contains(self.folder.join(file.path().as_ref()).as_path()))
            .map(|file| Action::Remove(file.remove_action(data_changes)));
        Ok(removed.collect())
    }

    /// Deletes files that stopped to count before a moment, and those older than it that no commit names,
    /// such as of a process that was killed.
    ///
    /// Whoever opened the table after that moment reads on: it should be longer ago than any search
    /// takes, and must be longer ago than any append or compaction takes. The log knows for a week when a
    /// file stopped to count; after that, only the age of the file counts.
    ///
    /// # Errors
    /// Fails if the log cannot be read, or if a file cannot be deleted. Others are deleted by then.
    pub async fn vacuum(&mut self, before: SystemTime) -> Result<Vacuumed, TableError> {
        self.refresh().await?;
        // The plan only: the library would commit that it deletes files, past commits that are not on
        // the disk.
        let plan = self.table.clone().vacuum().with_mode(VacuumMode::Full).with_dry_run(true);
        let plan = plan
            .with_enforce_retention_duration(false)
            .with_retention_period(TimeDelta::zero())
            .with_clock(Arc::new(Moment(before)));
        let (_, plan) = plan.await?;
        let mut done = Vacuumed::default();
        for path in plan.files_deleted {
            delete(&self.folder.join(path), &mut done)?;
        }
        delete_halves(&self.folder, before, &mut done)?;
        Ok(done)
    }
}

/// What the library takes for the time.
#[derive(Debug)]
struct Moment(SystemTime);

impl Clock for Moment {
    fn current_timestamp_millis(&self) -> i64 {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Deletes files that were never whole: those with the number that the library gives a file while it
/// writes it, as in `1.checkpoint.parquet#1`, also those of the log.
fn delete_halves(folder: &Path, before: SystemTime, done: &mut Vacuumed) -> Result<(), TableError> {
    let failed = |source| TableError::Folder { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_half = name.rsplit_once('#').is_some_and(|(name, number)| {
            let is_ours =
                name.ends_with(".parquet") || name.ends_with(".json") || name == "_last_checkpoint";
            is_ours && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if kind.is_dir() {
            delete_halves(&path, before, done)?;
        } else if is_half {
            match entry.metadata().and_then(|file| file.modified()) {
                Ok(changed) if changed <= before => delete(&path, done)?,
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn delete(path: &Path, done: &mut Vacuumed) -> Result<(), TableError> {
    let bytes = path.metadata().map_or(0, |file| file.len());
    match fs::remove_file(path) {
        // Another process may delete files, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        deleted => {
            deleted.map_err(|source| TableError::Folder { path: path.to_owned(), source })?;
        }
    }
    done.files += 1;
    done.bytes += bytes;
    Ok(())
}

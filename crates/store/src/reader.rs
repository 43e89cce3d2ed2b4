//! Reading the store, in this process or another one, while it is written.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row};
use spilltrail_schedule::{Covered, Interval, Moment, ScheduleSpec, ThrottleState};

use crate::error::StoreError;
use crate::findings::{self, COLUMNS};
use crate::form;
use crate::lock;
use crate::records::{
    FindingRecord, ScheduleRecord, Status, StoredFinding, StoredRun, StoredSchedule,
};

/// The columns that [`run`] reads.
pub(crate) const RUN: &str = "schedule, nominal, attempt, first, firings, status, covers_from, \
     covers_to, indexes, seen, reason, started, took, cost";

/// A reader of the store. There may be any number of them.
#[derive(Debug)]
pub struct StoreReader {
    pub(crate) connection: Connection,
}

impl StoreReader {
    /// Opens the store in a file.
    ///
    /// # Errors
    /// Fails if there is no such store, or if it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: form::open_to_read(path)? })
    }

    /// Returns whether a server works with the store in a file.
    #[must_use]
    pub fn has_server(path: &Path) -> bool {
        lock::is_taken(path)
    }

    /// Writes the store as it is at one moment into a new file.
    ///
    /// # Errors
    /// Fails if the file is there, if it cannot be written, or if the store cannot be read.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        self.connection.execute("VACUUM INTO ?1", [file.to_string_lossy()])?;
        Ok(())
    }

    /// Returns all schedules, ordered by id.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        let sql = "SELECT id, spec, is_enabled, stated, done, seam FROM schedules ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let spec: ScheduleSpec = parsed("schedule", &row.get::<_, String>(1)?)?;
            let stated = row.get::<_, Option<String>>(3)?;
            let stated = stated.map(|stated| parsed("schedule", &stated)).transpose()?;
            let (id, is_enabled) = (row.get(0)?, row.get(2)?);
            let schedule = ScheduleRecord { id, spec, is_enabled, stated };
            let seam = row.get::<_, Option<i64>>(5)?.map(Moment);
            found.push(StoredSchedule { schedule, done: Moment(row.get(4)?), seam });
        }
        Ok(found)
    }

    /// Returns the findings that a run has, apart from those that are withdrawn.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn findings_of(
        &self,
        schedule: &str,
        nominal: Moment,
    ) -> Result<Vec<FindingRecord>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM findings
             WHERE detection = ?1 AND nominal = ?2 AND state <> 'withdrawn' ORDER BY id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query((schedule, nominal.0))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(findings::read(&self.connection, row)?.finding);
        }
        Ok(found)
    }

    /// Returns what a schedule throttles; nothing if it has not reported yet.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn throttle(&self, schedule: &str) -> Result<ThrottleState, StoreError> {
        let sql = "SELECT throttle FROM schedules WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let text = statement.query_row([schedule], |row| row.get::<_, Option<String>>(0));
        match text.optional()?.flatten() {
            Some(text) => parsed("state of a throttle", &text),
            None => Ok(ThrottleState::default()),
        }
    }

    /// Returns the number of the next attempt at a run; the first is 1.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn next_attempt(&self, schedule: &str, nominal: Moment) -> Result<u32, StoreError> {
        let sql =
            "SELECT ifnull(max(attempt), 0) + 1 FROM runs WHERE schedule = ?1 AND nominal = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row((schedule, nominal.0), |row| row.get(0))?)
    }

    /// Returns true if any run is recorded.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn has_runs(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM runs)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns the number of the last entry of the ledger of a run that ran again for late events; 0 if there is
    /// none.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn last_late_run(&self) -> Result<u64, StoreError> {
        let sql = "SELECT ifnull(max(number), 0) FROM runs WHERE status = 'late'";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns the entries of the ledger from a nominal time on, in the order of nominal times and of
    /// attempts.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn runs(&self, from: Moment) -> Result<Vec<StoredRun>, StoreError> {
        let sql = format!(
            "SELECT {RUN} FROM runs WHERE nominal >= ?1 ORDER BY nominal, schedule, attempt"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([from.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(run(row)?);
        }
        Ok(found)
    }

    /// Returns what runs covered, from a nominal time on: what decides which runs must run again.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn covered(&self, from: Moment) -> Result<Vec<Covered>, StoreError> {
        let sql =
            "SELECT schedule, nominal, status, covers_from, covers_to, indexes, seen FROM runs
                   WHERE nominal >= ?1 AND covers_from IS NOT NULL AND covers_to IS NOT NULL
                       AND seen IS NOT NULL
                   ORDER BY nominal, schedule, attempt";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([from.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            if !Status::parse(&row.get::<_, String>(2)?)?.has_findings() {
                continue;
            }
            found.push(Covered {
                schedule: row.get(0)?,
                nominal: Moment(row.get(1)?),
                interval: Interval { from: Moment(row.get(3)?), to: Moment(row.get(4)?) },
                indexes: parsed("list of indexes", &row.get::<_, String>(5)?)?,
                seen: row.get(6)?,
            });
        }
        Ok(found)
    }

    /// Returns the findings of runs from a nominal time on, withdrawn ones included, in the order of
    /// nominal times, detections and ids.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn findings(&self, from: Moment) -> Result<Vec<StoredFinding>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM findings WHERE nominal >= ?1 ORDER BY nominal, detection, id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([from.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(findings::read(&self.connection, row)?);
        }
        Ok(found)
    }
}

/// Reads a row of [`RUN`].
pub(crate) fn run(row: &Row<'_>) -> Result<StoredRun, StoreError> {
    let interval = row.get::<_, Option<i64>>(6)?.zip(row.get::<_, Option<i64>>(7)?);
    Ok(StoredRun {
        schedule: row.get(0)?,
        nominal: Moment(row.get(1)?),
        attempt: row.get(2)?,
        first: Moment(row.get(3)?),
        firings: row.get(4)?,
        status: Status::parse(&row.get::<_, String>(5)?)?,
        interval: interval.map(|(from, to)| Interval { from: Moment(from), to: Moment(to) }),
        indexes: parsed("list of indexes", &row.get::<_, String>(8)?)?,
        seen: row.get(9)?,
        reason: row.get(10)?,
        started: row.get::<_, Option<i64>>(11)?.map(Moment),
        took: row.get(12)?,
        cost: row.get(13)?,
    })
}

pub(crate) fn parsed<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    let damaged =
        |error: serde_json::Error| StoreError::Damaged { what, reason: error.to_string() };
    serde_json::from_str(text).map_err(damaged)
}

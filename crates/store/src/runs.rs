//! Lists of runs: of one schedule, the last ones, and how many went how.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::error::StoreError;
use crate::reader::{RUN, StoreReader, run};
use crate::records::{Status, StoredRun};

/// The most runs that are read at once.
pub const MOST_RUNS: usize = 1000;

/// How many firings of a schedule went how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// The id of the schedule.
    pub schedule: String,
    /// How many ran.
    pub done: u64,
    /// How often one ran again, because events arrived after it.
    pub late: u64,
    /// How often one did not finish.
    pub failed: u64,
    /// How many did not run, for a reason.
    pub skipped: u64,
    /// How many did not run because it was too long ago.
    pub gap: u64,
}

impl StoreReader {
    /// Returns the entries of the ledger of a schedule with nominal times from `since` on, newest first:
    /// at most `most`, and at most [`MOST_RUNS`].
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn runs_of(
        &self,
        schedule: &str,
        since: Moment,
        most: usize,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let sql = format!(
            "SELECT {RUN} FROM runs WHERE schedule = ?1 AND nominal >= ?2
             ORDER BY nominal DESC, number DESC LIMIT ?3"
        );
        self.some_runs(&sql, params![schedule, since.0, most.min(MOST_RUNS)])
    }

    /// Returns the last entry of the ledger of each schedule that has one, in the order of their
    /// ids: that of the newest nominal time, and of it the one stored last.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn last_runs(&self) -> Result<Vec<StoredRun>, StoreError> {
        // The ids are found one by one in the index, because each has very many entries.
        let sql = format!(
            "WITH RECURSIVE ids(schedule) AS (
                 SELECT min(schedule) FROM runs
                 UNION ALL
                 SELECT (SELECT min(runs.schedule) FROM runs WHERE runs.schedule > ids.schedule)
                 FROM ids WHERE ids.schedule IS NOT NULL
             )
             SELECT {RUN} FROM runs WHERE number IN (
                 SELECT (SELECT number FROM runs WHERE runs.schedule = ids.schedule
                         ORDER BY nominal DESC, number DESC LIMIT 1)
                 FROM ids)
             ORDER BY schedule"
        );
        self.some_runs(&sql, [])
    }

    /// Returns how many firings of each schedule went how, with nominal times from `since` on, in the
    /// order of their ids. Schedules without entries are left out.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn run_counts(&self, since: Moment) -> Result<Vec<RunCounts>, StoreError> {
        let sql = "SELECT schedule, status, sum(firings) FROM runs WHERE nominal >= ?1
                   GROUP BY schedule, status ORDER BY schedule";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([since.0])?;
        let mut found: Vec<RunCounts> = Vec::new();
        while let Some(row) = rows.next()? {
            let schedule: String = row.get(0)?;
            if found.last().is_none_or(|counts| counts.schedule != schedule) {
                found.push(RunCounts { schedule, ..RunCounts::default() });
            }
            let Some(counts) = found.last_mut() else { continue };
            let count = match Status::parse(&row.get::<_, String>(1)?)? {
                Status::Done => &mut counts.done,
                Status::Late => &mut counts.late,
                Status::Failed => &mut counts.failed,
                Status::Skipped => &mut counts.skipped,
                Status::Gap => &mut counts.gap,
            };
            *count = row.get(2)?;
        }
        Ok(found)
    }

    fn some_runs(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(run(row)?);
        }
        Ok(found)
    }
}

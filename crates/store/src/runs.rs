//! Lists of runs: of one schedule, the last ones, and how many went how.

use rusqlite::params_from_iter;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::conditions::Conditions;
use crate::error::StoreError;
use crate::reader::{RUN, StoreReader, run};
use crate::records::{Status, StoredRun};
use crate::rows::Rows;

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
    /// How many of those that ran could not tell all, for a reason.
    pub doubtful: u64,
}

/// Which entries of the ledger of a schedule a list has. The default has all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// The first nominal time.
    pub since: Option<Moment>,
    /// What became of them; anything if it is empty.
    pub statuses: Vec<Status>,
    /// The nominal time and the attempt of an entry, for those after it in the list: the last one of a
    /// page, where the next page begins.
    pub after: Option<(Moment, u32)>,
}

impl StoreReader {
    /// Returns the entries of the ledger of a schedule that a filter lets pass, newest first: at most
    /// `most`, and at most [`MOST_RUNS`]. Of each nominal time the last attempt comes first.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn runs_of(
        &self,
        schedule: &str,
        filter: &RunFilter,
        most: usize,
    ) -> Result<Rows<StoredRun>, StoreError> {
        let RunFilter { since, statuses, after } = filter;
        let mut conditions = Conditions::default();
        conditions.with("schedule = ?", [schedule.to_owned()]);
        if let Some(since) = since {
            conditions.with("nominal >= ?", [since.0]);
        }
        if !statuses.is_empty() {
            let places = vec!["?"; statuses.len()].join(", ");
            let names = statuses.iter().map(|status| status.name().to_owned());
            conditions.with(&format!("status IN ({places})"), names);
        }
        if let Some((nominal, attempt)) = after {
            conditions.with("(nominal, attempt) < (?, ?)", [nominal.0, i64::from(*attempt)]);
        }
        let most = most.min(MOST_RUNS);
        let sql = format!(
            "SELECT {RUN} FROM runs WHERE {} ORDER BY nominal DESC, attempt DESC LIMIT ?",
            conditions.sql()
        );
        conditions.values.push(Value::Integer(most as i64 + 1));
        Ok(Rows::cut(self.some_runs(&sql, params_from_iter(&conditions.values))?, most))
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
        let sql =
            "SELECT schedule, status, sum(firings), count(reason) FROM runs WHERE nominal >= ?1
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
            let status = Status::parse(&row.get::<_, String>(1)?)?;
            let count = match status {
                Status::Done => &mut counts.done,
                Status::Late => &mut counts.late,
                Status::Failed => &mut counts.failed,
                Status::Skipped => &mut counts.skipped,
                Status::Gap => &mut counts.gap,
            };
            *count = row.get(2)?;
            if status.has_findings() {
                counts.doubtful += row.get::<_, u64>(3)?;
            }
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

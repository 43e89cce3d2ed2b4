//! Findings that count, for whoever adds them up: what a search over the indexes of findings reads.
//!
//! What is withdrawn or hidden does not count. Runs over overlapping intervals find the same; it counts
//! for the first of them. A run over another interval that finds the same again has found it once more.

use rusqlite::params;
use spilltrail_schedule::Moment;

use crate::error::StoreError;
use crate::findings;
use crate::reader::StoreReader;
use crate::records::StoredFinding;

/// The seconds of a day.
const DAY: i64 = 86_400;

/// When a finding is told, as Splunk's index time: the nominal time of its run, so that a run that
/// catches up tells it in time; for a run that ran again because events were late, when it did, so that
/// searches see it which have looked at the nominal time already.
const TOLD: &str = "CASE WHEN runs.status = 'late' THEN runs.started ELSE findings.nominal END";

/// The rows that count.
const COUNT: &str = "findings JOIN runs ON runs.schedule = findings.detection
         AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt
     WHERE findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL
         AND NOT EXISTS (
             SELECT 1 FROM findings AS other
             JOIN runs AS its ON its.schedule = other.detection
                 AND its.nominal = other.nominal AND its.attempt = other.attempt
             WHERE other.id = findings.id AND other.hash = findings.hash
                 AND other.detection = findings.detection AND other.nominal < findings.nominal
                 -- An interval ends at its nominal time at the latest, so that earlier ones are apart.
                 AND other.nominal > runs.covers_from
                 AND other.state <> 'withdrawn' AND other.suppressed_by IS NULL
                 AND its.covers_to > runs.covers_from)";

/// A finding that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// When it is told.
    pub told: Moment,
    /// The finding.
    pub finding: StoredFinding,
}

impl StoreReader {
    /// Returns the findings that count and are told from one moment on and before another, in the order
    /// in which they are told.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn counted(&self, from: Moment, to: Moment) -> Result<Vec<Counted>, StoreError> {
        let columns = findings::COLUMNS;
        let sql = format!(
            "SELECT {columns}, {TOLD} AS told FROM {COUNT} AND told >= ?1 AND told < ?2
             ORDER BY told, findings.detection, findings.id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![from.0, to.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let told = Moment(row.get("told")?);
            found.push(Counted { told, finding: findings::read(&self.connection, row)? });
        }
        Ok(found)
    }

    /// Returns the days on which findings are told that may count, each by its first moment, and how many
    /// there are at most.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn counted_days(&self) -> Result<Vec<(Moment, u64)>, StoreError> {
        // Which of them count is found out when they are read: that looks at other runs of each.
        let sql = format!(
            "SELECT ({TOLD}) / {DAY} AS day, count(*)
             FROM findings JOIN runs ON runs.schedule = findings.detection
                 AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt
             WHERE findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL
             GROUP BY day ORDER BY day"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| {
            let day: i64 = row.get(0)?;
            Ok((Moment(day.saturating_mul(DAY)), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

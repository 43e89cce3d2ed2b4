//! Findings that count, for whoever adds them up: what a search over the indexes of findings reads.
//!
//! What is withdrawn or hidden does not count. Runs over overlapping intervals find the same; it counts
//! for the first of them. A run over another interval that finds the same again has found it once more.

use rusqlite::{Row, params};
use spilltrail_schedule::{Interval, Moment};

use crate::error::StoreError;
use crate::findings;
use crate::reader::StoreReader;
use crate::records::StoredFinding;

/// That a finding has a run, as the searches here join the two.
pub(crate) const OF_RUN: &str = "runs.schedule = findings.detection
     AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt";

/// The seconds of a day.
const DAY: i64 = 86_400;

/// That a finding is neither withdrawn nor hidden, as partial indexes have it.
pub(crate) const MAY_COUNT: &str =
    "findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL";

/// That no earlier run of those that overlap found it: alike, or with events as late as its own. A window that
/// slides past some events leaves others that count already.
pub(crate) const IS_FIRST: &str = "NOT EXISTS (
     SELECT 1 FROM findings AS other
     JOIN runs AS its ON its.schedule = other.detection
         AND its.nominal = other.nominal AND its.attempt = other.attempt
     WHERE other.id = findings.id
         AND (other.hash = findings.hash
              OR json_extract(other.body, '$.last_seen') >= json_extract(findings.body, '$.last_seen'))
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
    /// The interval of its run.
    pub interval: Option<Interval>,
    /// The finding.
    pub finding: StoredFinding,
}

impl StoreReader {
    /// Visits the findings that count and are told from one moment on and before another, in the order
    /// in which they are told: one after the other, as they are when it begins. The visitor may use this
    /// reader.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or with the first error of the visitor.
    pub fn counted_each<E: From<StoreError>>(
        &self,
        from: Moment,
        to: Moment,
        mut visit: impl FnMut(Counted) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = findings::COLUMNS;
        // The index on `told` has this order, so that nothing is sorted in memory.
        let sql = format!(
            "SELECT {columns}, findings.told, runs.covers_from, runs.covers_to
             FROM findings JOIN runs ON {OF_RUN}
             WHERE findings.told >= ?1 AND findings.told < ?2 AND {MAY_COUNT} AND {IS_FIRST}
             ORDER BY findings.told, findings.detection, findings.id"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params![from.0, to.0]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            visit(self.read_counted(row)?)?;
        }
        Ok(())
    }

    fn read_counted(&self, row: &Row<'_>) -> Result<Counted, StoreError> {
        let moment = |name: &str| row.get::<_, Option<i64>>(name).map(|moment| moment.map(Moment));
        let interval = moment("covers_from")?.zip(moment("covers_to")?);
        Ok(Counted {
            told: Moment(row.get("told")?),
            interval: interval.map(|(from, to)| Interval { from, to }),
            finding: findings::read(&self.connection, row)?,
        })
    }

    /// Returns the days on which findings are told that may count, each by its first moment, and how many
    /// there are at most.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn counted_days(&self) -> Result<Vec<(Moment, u64)>, StoreError> {
        // Which of them count is found out when they are read: that looks at other runs of each.
        let sql = format!(
            "SELECT findings.told / {DAY} AS day, count(*) FROM findings
             WHERE findings.told IS NOT NULL AND {MAY_COUNT} GROUP BY day ORDER BY day"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| {
            let day: i64 = row.get(0)?;
            Ok((Moment(day.saturating_mul(DAY)), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

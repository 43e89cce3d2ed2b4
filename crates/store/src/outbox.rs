//! The outbox: what is to be told to others about findings, in order.
//!
//! What others know are contents of findings: the id and the hash of one, for each detection. A run that
//! makes one appear, disappear or give way to another one adds an entry in its own transaction. A content
//! that a run over an overlapping interval has found already, and still has, is not told again: such runs
//! find the same. One that was found over another interval is told once more, because it has happened
//! once more. A content is withdrawn only when the last run of all that had it has it no longer, as in
//! lists. What an entry of the allow-list hides counts as not found.
//!
//! So whoever follows the entries knows at any time which contents are found. What somebody has
//! closed is open again if more of it is told.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::{Interval, Moment};

use crate::counted::{MAY_COUNT, OF_RUN};
use crate::error::StoreError;
use crate::findings;
use crate::growth::adds_nothing;
use crate::ledger;
use crate::reader::{StoreReader, parsed};
use crate::records::{FindingRecord, FindingState, RunRecord};
use crate::store::{Store, Told};
use crate::triage;

/// The most entries that are read at once.
pub const MOST_ENTRIES: usize = 1000;

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str = "outbox.seq, outbox.detection, outbox.nominal, outbox.id, \
     outbox.state, outbox.replaced, outbox.time, outbox.finding";

/// That no delivery of an entry may have to be made.
pub(crate) const IS_DELIVERED: &str = "NOT EXISTS (
     SELECT 1 FROM deliveries WHERE deliveries.seq = outbox.seq AND deliveries.state <> 'done')";

/// An entry of the outbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// Its number. Later entries have higher ones, some numbers are left out, and none is used twice.
    pub seq: u64,
    /// The id of the detection.
    pub detection: String,
    /// The nominal time of the run.
    pub nominal: Moment,
    /// The id of the finding.
    pub id: String,
    /// What is to be told: that a finding is there, that it has another content than the same run had, or
    /// than another run over an overlapping interval has, or that a content is no longer there.
    pub state: FindingState,
    /// The hash of the content that is no longer there, if one is not.
    pub replaced: Option<String>,
    /// When the run started that says so.
    pub time: Moment,
    /// The finding as it is, or as it was if it is withdrawn.
    pub finding: FindingRecord,
}

impl StoreReader {
    /// Returns the entries of the outbox with numbers after `seq`, in order: at most `most`, and at most
    /// [`MOST_ENTRIES`]. The first number is 1. Whoever wants all asks again after the last one, until
    /// there is none.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn outbox_after(&self, seq: u64, most: usize) -> Result<Vec<OutboxEntry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![seq, most.min(MOST_ENTRIES)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Returns the entry with a number; `None` if there is none any more.
    ///
    /// # Errors
    /// Fails if the file or the entry cannot be read.
    pub fn outbox_entry(&self, seq: u64) -> Result<Option<OutboxEntry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM outbox WHERE seq = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([seq])?;
        rows.next()?.map(read).transpose()
    }

    /// Returns the number of the last entry that was ever in the outbox; 0 if there was none.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn outbox_end(&self) -> Result<u64, StoreError> {
        end(&self.connection)
    }
}

impl Store {
    /// Removes the entries of the outbox up to a number, which everybody has been told, and returns how
    /// many there were. An entry stays if a delivery of it waits, or was given up and may be repeated.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn forget_outbox(&mut self, up_to: u64) -> Result<usize, StoreError> {
        let sql = format!("DELETE FROM outbox WHERE seq <= ?1 AND {IS_DELIVERED}");
        let transaction = self.begin()?;
        let removed = transaction.prepare_cached(&sql)?.execute([up_to])?;
        transaction.commit()?;
        Ok(removed)
    }
}

/// Returns the number of the last entry that was ever in the outbox; 0 if there was none.
pub(crate) fn end(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'outbox'";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// Returns how many entries with numbers after `seq` there are, by their states.
pub(crate) fn told_since(connection: &Connection, seq: u64) -> Result<Told, StoreError> {
    // A content that another one of the finding stands for is not withdrawn from anybody.
    let sql = "SELECT state, count(*) FROM outbox
               WHERE seq > ?1 AND NOT (state = 'withdrawn' AND EXISTS (
                   SELECT 1 FROM findings WHERE findings.id = outbox.id
                       AND findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL))
               GROUP BY state";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([seq])?;
    let mut told = Told::default();
    while let Some(row) = rows.next()? {
        let count = match FindingState::parse(&row.get::<_, String>(0)?)? {
            FindingState::New => &mut told.new,
            FindingState::Changed => &mut told.changed,
            FindingState::Withdrawn => &mut told.withdrawn,
        };
        *count = row.get(1)?;
    }
    Ok(told)
}

/// Adds what is to be told about a finding, before its row is changed: the hash of what the run had, and
/// what it has; hidden findings count as none.
pub(crate) fn tell(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    id: &str,
    was: Option<&str>,
    is: Option<&FindingRecord>,
) -> Result<(), StoreError> {
    let hash = is.map(|finding| finding.hash.as_str());
    if was == hash {
        return Ok(());
    }
    let is_elsewhere = |hash: &str, near| is_elsewhere(transaction, run, id, hash, near);
    let gained = match is {
        Some(finding) if !is_elsewhere(&finding.hash, Some(run.interval))? => Some(finding),
        _ => None,
    };
    // That runs overlap says nothing of the runs that these overlap: one that was not told because of
    // another one stands, though a third one goes.
    let lost = match was {
        Some(hash) if !is_elsewhere(hash, None)? => Some(hash),
        _ => None,
    };
    let (state, finding) = match (gained, lost) {
        (Some(finding), None) => {
            let is_known = was.is_some() || is_known(transaction, run, id)?;
            let state = if is_known { FindingState::Changed } else { FindingState::New };
            (state, ledger::json(finding)?)
        }
        (Some(finding), Some(_)) => (FindingState::Changed, ledger::json(finding)?),
        (None, Some(_)) => {
            let before = findings::of_run(transaction, run, id)?;
            (FindingState::Withdrawn, ledger::json(&before)?)
        }
        (None, None) => return Ok(()),
    };
    let sql = "INSERT INTO outbox (detection, nominal, id, state, replaced, time, finding)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    transaction.prepare_cached(sql)?.execute(params![
        run.schedule,
        run.nominal.0,
        id,
        state.name(),
        lost,
        run.started.0,
        finding,
    ])?;
    let Some(finding) = gained else { return Ok(()) };
    if triage::is_over(transaction, id)?
        && (lost.is_some() || !was_seen(transaction, run, finding)?)
    {
        triage::reopen(transaction, run, id)?;
    }
    Ok(())
}

/// Returns whether another run of the detection has a content: any run, or one over an interval that
/// overlaps `near`. What a run over another interval finds is found once more, however alike it is.
fn is_elsewhere(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    id: &str,
    hash: &str,
    near: Option<Interval>,
) -> Result<bool, StoreError> {
    // A finding that is kept may have no run any more.
    let sql = "SELECT 1 FROM findings
               LEFT JOIN runs ON runs.schedule = findings.detection
                   AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt
               WHERE findings.id = ?1 AND findings.hash = ?2 AND findings.detection = ?3
                   AND findings.nominal <> ?4
                   AND findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL
                   AND (?5 IS NULL OR runs.covers_from < ?6 AND runs.covers_to > ?5)";
    let mut statement = transaction.prepare_cached(sql)?;
    let (from, to) = (near.map(|near| near.from.0), near.map(|near| near.to.0));
    Ok(statement.exists(params![id, hash, run.schedule, run.nominal.0, from, to])?)
}

/// Returns whether another run over an overlapping interval has found an id, however it was.
fn is_known(transaction: &Transaction<'_>, run: &RunRecord, id: &str) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT 1 FROM findings JOIN runs ON {OF_RUN}
         WHERE findings.id = ?1 AND findings.detection = ?2 AND findings.nominal <> ?3 AND {MAY_COUNT}
             AND runs.covers_from < ?5 AND runs.covers_to > ?4"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let Interval { from, to } = run.interval;
    Ok(statement.exists(params![id, run.schedule, run.nominal.0, from.0, to.0])?)
}

/// Returns whether a run over an overlapping interval has found all that a finding says: events as late as its
/// own, and no less of them. Then nothing happened since, and nothing has come to light.
fn was_seen(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    finding: &FindingRecord,
) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT findings.body FROM findings JOIN runs ON {OF_RUN}
         WHERE findings.id = ?1 AND findings.detection = ?2 AND findings.nominal <> ?3 AND {MAY_COUNT}
             AND runs.covers_from < ?5 AND runs.covers_to > ?4
             AND json_extract(findings.body, '$.last_seen') >= json_extract(?6, '$.last_seen')"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let (from, to) = (run.interval.from.0, run.interval.to.0);
    let nominal = run.nominal.0;
    let row = params![finding.id, run.schedule, nominal, from, to, finding.body];
    let mut rows = statement.query(row)?;
    while let Some(row) = rows.next()? {
        if adds_nothing(&row.get::<_, String>(0)?, &finding.body) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &rusqlite::Row<'_>) -> Result<OutboxEntry, StoreError> {
    Ok(OutboxEntry {
        seq: row.get(0)?,
        detection: row.get(1)?,
        nominal: Moment(row.get(2)?),
        id: row.get(3)?,
        state: FindingState::parse(&row.get::<_, String>(4)?)?,
        replaced: row.get(5)?,
        time: Moment(row.get(6)?),
        finding: parsed("entry of the outbox", &row.get::<_, String>(7)?)?,
    })
}

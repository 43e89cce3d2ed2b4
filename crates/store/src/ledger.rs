//! The statements that write the entry of a run and its findings, within a transaction.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};
use spilltrail_schedule::{Changes, Moment, changes};

use crate::error::StoreError;
use crate::records::{FindingRecord, FindingState, StoredRun};

/// Stores an entry of the ledger; returns false if it is there already.
pub(crate) fn add(transaction: &Transaction<'_>, run: &StoredRun) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO runs (schedule, nominal, attempt, first, firings, status, covers_from, covers_to,
                           indexes, seen, reason, started, took, cost)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (schedule, nominal, attempt) DO NOTHING",
    )?;
    let added = statement.execute(params![
        run.schedule,
        run.nominal.0,
        run.attempt,
        run.first.0,
        run.firings,
        run.status.name(),
        run.interval.map(|interval| interval.from.0),
        run.interval.map(|interval| interval.to.0),
        json(&run.indexes)?,
        run.seen,
        run.reason,
        run.started.map(|started| started.0),
        run.took,
        run.cost,
    ])?;
    Ok(added > 0)
}

/// Moves a schedule on to a nominal time. It never goes back.
pub(crate) fn move_on(
    transaction: &Transaction<'_>,
    schedule: &str,
    nominal: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET done = max(done, ?2) WHERE id = ?1";
    require(transaction.prepare_cached(sql)?.execute((schedule, nominal.0))?, schedule)
}

/// Stores the findings of an attempt at a run in place of those of the attempts before it.
pub(crate) fn replace_findings(
    transaction: &Transaction<'_>,
    (detection, nominal, attempt): (&str, Moment, u32),
    findings: &[FindingRecord],
) -> Result<Changes, StoreError> {
    let mut after: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings {
        if after.insert(finding.id.clone(), finding.hash.clone()).is_some() {
            return Err(StoreError::Twice { id: finding.id.clone() });
        }
    }
    let changes = changes(&stored(transaction, detection, nominal)?, &after);
    let mut insert = transaction.prepare_cached(
        "INSERT INTO findings (detection, nominal, id, attempt, time, entity, score, severity, hash,
                               state, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (detection, nominal, id) DO UPDATE SET
             attempt = excluded.attempt, time = excluded.time, entity = excluded.entity,
             score = excluded.score, severity = excluded.severity, hash = excluded.hash,
             state = excluded.state, body = excluded.body",
    )?;
    for finding in findings {
        let state = if changes.new.binary_search(&finding.id).is_ok() {
            FindingState::New
        } else if changes.changed.binary_search(&finding.id).is_ok() {
            FindingState::Changed
        } else {
            continue;
        };
        insert.execute(params![
            detection,
            nominal.0,
            finding.id,
            attempt,
            finding.time,
            finding.entity,
            finding.score,
            finding.severity,
            finding.hash,
            state.name(),
            finding.body,
        ])?;
    }
    let mut withdraw = transaction.prepare_cached(
        "UPDATE findings SET state = ?4, attempt = ?5
         WHERE detection = ?1 AND nominal = ?2 AND id = ?3",
    )?;
    for id in &changes.withdrawn {
        let state = FindingState::Withdrawn.name();
        withdraw.execute(params![detection, nominal.0, id, state, attempt])?;
    }
    Ok(changes)
}

/// Fails unless a row was changed, which is that of a schedule.
pub(crate) fn require(changed: usize, schedule: &str) -> Result<(), StoreError> {
    match changed {
        0 => Err(StoreError::NoSchedule { id: schedule.to_owned() }),
        _ => Ok(()),
    }
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Damaged { what: "value", reason: error.to_string() })
}

/// Returns the findings that a run has, as hashes by id.
fn stored(
    transaction: &Transaction<'_>,
    detection: &str,
    nominal: Moment,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, hash FROM findings WHERE detection = ?1 AND nominal = ?2 AND state <> ?3",
    )?;
    let withdrawn = FindingState::Withdrawn.name();
    let rows = statement.query_map(params![detection, nominal.0, withdrawn], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

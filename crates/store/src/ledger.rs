//! The statements that write the entry of a run, within a transaction.

use rusqlite::{Transaction, params};
use spilltrail_schedule::Moment;

use crate::error::StoreError;
use crate::records::StoredRun;

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

/// Takes note that a run has looked at what was before the events of a changed schedule, if it is its first.
pub(crate) fn close_seam(
    transaction: &Transaction<'_>,
    schedule: &str,
    nominal: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET seam = NULL WHERE id = ?1 AND done < ?2 AND seam IS NOT NULL";
    transaction.prepare_cached(sql)?.execute((schedule, nominal.0))?;
    Ok(())
}

/// Moves a schedule on to a nominal time. It never goes back.
pub(crate) fn move_on(
    transaction: &Transaction<'_>,
    schedule: &str,
    nominal: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET done = max(done, ?2) WHERE id = ?1";
    match transaction.prepare_cached(sql)?.execute((schedule, nominal.0))? {
        0 => Err(StoreError::NoSchedule { id: schedule.to_owned() }),
        _ => Ok(()),
    }
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Damaged { what: "value", reason: error.to_string() })
}

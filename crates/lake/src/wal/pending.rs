//! Marks of rows that come straight into the table. They wait under a number until the table has it.
//!
//! The numbers are those of batches, so that the table's number says of both whether they came in.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::writer::{note_in, note_in_table, number_of, remove_in};
use super::{Arriving, Mark};

/// Takes the next number, and keeps marks and arrivals under it. Returns `None` if something else must
/// come into the table first.
pub(super) fn pend(
    connection: &mut Connection,
    marks: &[Mark],
    arrivals: &[Arriving],
) -> Result<Option<u64>, rusqlite::Error> {
    let transaction = connection.transaction()?;
    if is_any(&transaction, "batches")? || is_any(&transaction, "pending")? {
        return Ok(None);
    }
    let number = last_number(&transaction)? + 1;
    go_on_after(&transaction, number)?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO pending (number, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (number, key) DO UPDATE SET value = excluded.value",
        )?;
        for mark in marks {
            insert.execute(params![number_of(number), mark.key, mark.value])?;
        }
    }
    let arrivals = arrivals.iter();
    note_in(&transaction, arrivals.map(|(index, spans)| (number, index.as_str(), &spans[..])))?;
    transaction.commit()?;
    Ok(Some(number))
}

/// Lets the marks count whose numbers the table has, and drops the others. Returns the largest number that
/// the log has given out if that is before the table's, and batches are there: nothing is changed then.
pub(super) fn settle(
    connection: &mut Connection,
    last: u64,
) -> Result<Option<u64>, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let newest = last_number(&transaction)?;
    if newest >= last {
        promote(&transaction, last)?;
        remove_in(&transaction, last)?;
    } else if is_any(&transaction, "batches")? {
        return Ok(Some(newest));
    } else {
        // The table's numbers are those of another log, and say nothing of the marks of this one.
        go_on_after(&transaction, last)?;
    }
    transaction.execute("DELETE FROM pending", [])?;
    note_in_table(&transaction, last)?;
    transaction.commit()?;
    Ok(None)
}

/// Lets the marks count that were kept under numbers up to this one.
pub(super) fn promote(transaction: &Transaction<'_>, up_to: u64) -> Result<(), rusqlite::Error> {
    let up_to = number_of(up_to);
    transaction.execute(
        "INSERT INTO marks (key, value)
         SELECT key, value FROM pending WHERE number <= ?1 ORDER BY number
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [up_to],
    )?;
    transaction.execute("DELETE FROM pending WHERE number <= ?1", [up_to]).map(drop)
}

fn is_any(transaction: &Transaction<'_>, table: &str) -> Result<bool, rusqlite::Error> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM {table})");
    transaction.query_row(&sql, [], |row| row.get(0))
}

fn last_number(transaction: &Transaction<'_>) -> Result<u64, rusqlite::Error> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'";
    let last: Option<u64> = transaction.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0))
}

/// Lets the numbers go on after this one.
fn go_on_after(transaction: &Transaction<'_>, number: u64) -> Result<(), rusqlite::Error> {
    let number = number_of(number);
    let sql = "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'batches'";
    // SQLite adds the row with the first batch, and names no two of them the same.
    if transaction.execute(sql, [number])? == 0 {
        let sql = "INSERT INTO sqlite_sequence (name, seq) VALUES ('batches', ?1)";
        transaction.execute(sql, [number])?;
    }
    Ok(())
}

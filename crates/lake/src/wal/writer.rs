//! The thread that writes the log of arriving events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{Commit, Numbers};
use crate::error::WalError;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Store a commit with this many compressed bytes.
    Append { commit: Commit, bytes: usize, answer: oneshot::Sender<Result<Numbers, WalError>> },
    /// Remove the batches up to a number.
    Remove { up_to: u64, answer: oneshot::Sender<Result<(), WalError>> },
    /// Put a batch aside.
    SetAside { number: u64, answer: oneshot::Sender<Result<(), WalError>> },
}

/// A commit that shares a transaction with others.
struct Waiting {
    commit: Commit,
    answer: oneshot::Sender<Result<Numbers, WalError>>,
}

/// Does what is ordered until no more orders can come.
pub(super) fn run(
    mut connection: Connection,
    orders: &Receiver<Order>,
    waiting: &AtomicUsize,
    most_together: usize,
) {
    let mut next = orders.recv().ok();
    while let Some(order) = next.take() {
        match order {
            Order::Remove { up_to, answer } => {
                // Whoever no longer waits for the answer needs none.
                let _ = answer.send(remove(&connection, up_to));
            }
            Order::SetAside { number, answer } => {
                let _ = answer.send(set_aside(&mut connection, number));
            }
            Order::Append { commit, bytes, answer } => {
                let mut group = vec![Waiting { commit, answer }];
                let mut together = bytes;
                // What came while the last transaction waited for the disk shares this one.
                while together < most_together {
                    match orders.try_recv() {
                        Ok(Order::Append { commit, bytes, answer }) => {
                            together += bytes;
                            group.push(Waiting { commit, answer });
                        }
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let stored = store(&mut connection, &group);
                waiting.fetch_sub(together, Ordering::Relaxed);
                answer_all(group, stored);
            }
        }
        next = next.or_else(|| orders.recv().ok());
    }
}

fn answer_all(group: Vec<Waiting>, stored: Result<Vec<Numbers>, WalError>) {
    match stored {
        Ok(numbers) => {
            for (one, numbers) in group.into_iter().zip(numbers) {
                let _ = one.answer.send(Ok(numbers));
            }
        }
        Err(error) => {
            for one in group {
                let _ = one.answer.send(Err(error.clone()));
            }
        }
    }
}

/// Stores commits in one transaction, and returns the numbers of the batches of each.
fn store(connection: &mut Connection, group: &[Waiting]) -> Result<Vec<Numbers>, WalError> {
    let transaction = connection.transaction()?;
    let mut stored = Vec::with_capacity(group.len());
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO batches (received, index_name, sourcetype, source, host, events, bytes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let mut mark = transaction.prepare_cached(
            "INSERT INTO marks (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )?;
        for Waiting { commit, .. } in group {
            let mut numbers: Numbers = None;
            for batch in &commit.batches {
                let origin = &batch.origin;
                let number = insert.insert(params![
                    commit.received,
                    origin.index,
                    origin.sourcetype,
                    origin.source,
                    origin.host,
                    batch.events,
                    batch.bytes,
                    batch.body,
                ])?;
                // SQLite gives out the numbers from one.
                let number = number.unsigned_abs();
                numbers = Some(numbers.map_or(number, |numbers| *numbers.start())..=number);
            }
            for one in &commit.marks {
                mark.execute(params![one.key, one.value])?;
            }
            stored.push(numbers);
        }
    }
    transaction.commit()?;
    Ok(stored)
}

fn set_aside(connection: &mut Connection, number: u64) -> Result<(), WalError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let transaction = connection.transaction()?;
    let copy = "INSERT INTO set_aside SELECT * FROM batches WHERE number = ?1";
    transaction.execute(copy, [number])?;
    transaction.execute("DELETE FROM batches WHERE number = ?1", [number])?;
    Ok(transaction.commit()?)
}

fn remove(connection: &Connection, up_to: u64) -> Result<(), WalError> {
    let up_to = i64::try_from(up_to).unwrap_or(i64::MAX);
    connection.execute("DELETE FROM batches WHERE number <= ?1", [up_to])?;
    // Gives the room of removed batches back to the disk.
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

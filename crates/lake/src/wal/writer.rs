//! The thread that writes the log of arriving events.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::oneshot;

use super::{Arriving, Commit, Mark, Numbers, pending};
use crate::arrival::{Arrival, MOST_ARRIVALS};
use crate::error::WalError;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Store a commit with this many compressed bytes.
    Append { commit: Commit, bytes: usize, answer: oneshot::Sender<Result<Numbers, WalError>> },
    /// Keep marks under the next number.
    Pend {
        marks: Vec<Mark>,
        arrivals: Vec<Arriving>,
        answer: oneshot::Sender<Result<u64, WalError>>,
    },
    /// Let marks count or drop them, now that the table's number is known.
    Settle { last: u64, answer: oneshot::Sender<Result<(), WalError>> },
    /// Remove the batches up to a number.
    Remove { up_to: u64, answer: oneshot::Sender<Result<(), WalError>> },
    /// Store which events have come into the table.
    Note { arrivals: Vec<Arrival>, answer: oneshot::Sender<Result<(), WalError>> },
    /// Remove what is known of arrivals up to a number.
    Forget { up_to: u64, answer: oneshot::Sender<Result<(), WalError>> },
    /// Put a batch aside.
    SetAside { number: u64, answer: oneshot::Sender<Result<(), WalError>> },
}

/// A commit that shares a transaction with others.
struct Waiting {
    commit: Commit,
    answer: oneshot::Sender<Result<Numbers, WalError>>,
}

/// The most pages that one removal gives back to the disk: 16 MB, so that commits wait for it briefly.
/// What is left over is used for new batches, or given back by the next removal.
pub(super) const PAGES_OF_VACUUM: u32 = 1024;

/// Writes the file.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    path: PathBuf,
}

impl Writer {
    pub(super) fn new(connection: Connection, path: PathBuf) -> Self {
        Self { connection, path }
    }

    /// Does what is ordered until no more orders can come.
    pub(super) fn run(
        mut self,
        orders: &Receiver<Order>,
        waiting: &AtomicUsize,
        most_together: usize,
    ) {
        let mut next = orders.recv().ok();
        while let Some(order) = next.take() {
            match order {
                Order::Remove { up_to, answer } => {
                    let removed = remove(&mut self.connection, up_to);
                    // Whoever no longer waits for the answer needs none.
                    let _ = answer.send(self.told(removed));
                    // The batches are removed, whatever becomes of their room.
                    let _ = give_back(&self.connection);
                }
                Order::Pend { marks, arrivals, answer } => {
                    let pended = pending::pend(&mut self.connection, &marks, &arrivals);
                    let _ = answer.send(self.told(pended).and_then(|number| {
                        number.ok_or_else(|| WalError::Unsettled { path: self.path.clone() })
                    }));
                }
                Order::Settle { last, answer } => {
                    let settled = pending::settle(&mut self.connection, last);
                    let _ = answer.send(self.told(settled).and_then(|behind| match behind {
                        None => Ok(()),
                        Some(newest) => {
                            Err(WalError::Behind { path: self.path.clone(), newest, last })
                        }
                    }));
                    let _ = give_back(&self.connection);
                }
                Order::SetAside { number, answer } => {
                    let moved = set_aside(&mut self.connection, number);
                    let _ = answer.send(self.told(moved));
                }
                Order::Note { arrivals, answer } => {
                    let noted = note(&mut self.connection, &arrivals);
                    let _ = answer.send(self.told(noted));
                }
                Order::Forget { up_to, answer } => {
                    let sql = "DELETE FROM arrivals WHERE number <= ?1";
                    let done = self.connection.execute(sql, [number_of(up_to)]).map(drop);
                    let _ = answer.send(self.told(done));
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
                    let stored = store(&mut self.connection, &group);
                    waiting.fetch_sub(together, Ordering::Relaxed);
                    answer_all(group, self.told(stored));
                }
            }
            next = next.or_else(|| orders.recv().ok());
        }
    }

    fn told<T>(&self, done: Result<T, rusqlite::Error>) -> Result<T, WalError> {
        done.map_err(|source| WalError::write(&self.path, source))
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
fn store(connection: &mut Connection, group: &[Waiting]) -> Result<Vec<Numbers>, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let mut stored = Vec::with_capacity(group.len());
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO batches
                 (received, index_name, sourcetype, source, host, format, events, bytes, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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
                    origin.format,
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

fn note(connection: &mut Connection, arrivals: &[Arrival]) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    let all = arrivals.iter();
    let all = all.map(|arrival| (arrival.number, arrival.index.as_str(), &arrival.spans[..]));
    note_in(&transaction, all)?;
    transaction.commit()
}

/// Notes arrivals: each with its number, its index and its spans.
pub(super) fn note_in<'a>(
    transaction: &Transaction<'_>,
    arrivals: impl Iterator<Item = (u64, &'a str, &'a [(i64, i64)])>,
) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO arrivals (number, index_name, spans) VALUES (?1, ?2, ?3)",
    )?;
    for (number, index, spans) in arrivals {
        let spans = serde_json::to_string(spans).expect("numbers can be written");
        insert.execute(params![number_of(number), index, spans])?;
    }
    merge_oldest(transaction)
}

/// Makes one arrival of each index of those beyond [`MOST_ARRIVALS`], so that none is forgotten: it has the last
/// of their numbers, and one span from the first of their times to the last.
fn merge_oldest(transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
    let sql = "SELECT number FROM arrivals ORDER BY number DESC LIMIT 1 OFFSET ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let last = statement.query_row([number_of(MOST_ARRIVALS)], |row| row.get::<_, i64>(0));
    let Some(last) = last.optional()? else { return Ok(()) };
    let sql = "SELECT index_name, min(json_extract(span.value, '$[0]')),
                      max(json_extract(span.value, '$[1]'))
               FROM arrivals, json_each(arrivals.spans) AS span
               WHERE number <= ?1 GROUP BY index_name";
    let mut statement = transaction.prepare_cached(sql)?;
    let merged = statement.query_map([last], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let merged: Vec<_> = merged.collect::<Result<_, _>>()?;
    transaction.execute("DELETE FROM arrivals WHERE number <= ?1", [last])?;
    let sql = "INSERT INTO arrivals (number, index_name, spans) VALUES (?1, ?2, json_array(json_array(?3, ?4)))";
    let mut insert = transaction.prepare_cached(sql)?;
    for (index, from, to) in merged {
        insert.execute(params![last, index, from, to])?;
    }
    Ok(())
}

/// Returns the number of a batch as SQLite has it.
pub(super) fn number_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn set_aside(connection: &mut Connection, number: u64) -> Result<(), rusqlite::Error> {
    let number = number_of(number);
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO set_aside
             (number, received, index_name, sourcetype, source, host, format, events, bytes, body)
         SELECT number, received, index_name, sourcetype, source, host, format, events, bytes, body
         FROM batches WHERE number = ?1",
        [number],
    )?;
    transaction.execute("DELETE FROM batches WHERE number = ?1", [number])?;
    transaction.commit()
}

fn remove(connection: &mut Connection, up_to: u64) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction()?;
    pending::promote(&transaction, up_to)?;
    remove_in(&transaction, up_to)?;
    note_in_table(&transaction, up_to)?;
    transaction.commit()
}

/// The key of the mark that says up to which number all is in the table. Those of files have a blank.
pub(super) const IN_TABLE: &str = "table";

/// Notes that the table has all up to a number, so that a table which lacks some of it can be told.
pub(super) fn note_in_table(
    transaction: &Transaction<'_>,
    up_to: u64,
) -> Result<(), rusqlite::Error> {
    let sql = "INSERT INTO marks (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value
               WHERE CAST(value AS INTEGER) < CAST(excluded.value AS INTEGER)";
    transaction.execute(sql, (IN_TABLE, up_to.to_string())).map(drop)
}

/// Removes the batches up to a number.
pub(super) fn remove_in(transaction: &Transaction<'_>, up_to: u64) -> Result<(), rusqlite::Error> {
    let sql = "DELETE FROM batches WHERE number <= ?1";
    transaction.execute(sql, [number_of(up_to)]).map(drop)
}

/// Gives room of removed batches back to the disk.
fn give_back(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut vacuum =
        connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_OF_VACUUM})"))?;
    let mut rows = vacuum.query([])?;
    // Each step gives back one page.
    while rows.next()?.is_some() {}
    Ok(())
}

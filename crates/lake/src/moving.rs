//! Moves batches from the log of arriving events to the table of events.

use crate::adding::settle;
use crate::arrival::Arrival;
use crate::error::{BatchError, LakeError, WalError};
use crate::table::{EventTable, RowsBuilder};
use crate::wal::{Removed, StoredBatch, Wal, WalReader};

/// What was moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// The number of batches.
    pub batches: u64,
    /// The number of their events.
    pub events: u64,
    /// The number of the last batch that is in the table; 0 if there is none.
    pub last: u64,
    /// The numbers of the batches that cannot be moved, and why. They are set aside in the log.
    pub damaged: Vec<(u64, BatchError)>,
}

/// The rows from which on no more batches are moved together: about half a KiB each, apart from their texts.
const MOST_ROWS: usize = 400_000;

/// Makes the rows of batches.
pub trait Rows {
    /// Adds the rows of a batch.
    ///
    /// # Errors
    /// Fails if the batch is damaged. It is set aside.
    fn add(&mut self, batch: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError>;

    /// Returns when the events happened of the batches since the last call. It is noted in the log before
    /// they are in the table.
    fn arrivals(&mut self) -> Vec<Arrival>;
}

/// A function that tells nothing of arrivals.
impl<F: FnMut(&StoredBatch, &mut RowsBuilder) -> Result<(), BatchError>> Rows for F {
    fn add(&mut self, batch: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
        self(batch, rows)
    }

    fn arrivals(&mut self) -> Vec<Arrival> {
        Vec::new()
    }
}

/// Moves all batches that are in the log now, some at a time: as many as [`WalReader::after`] returns for
/// `most_bytes`. Batches that come meanwhile are left to the next move, so that it ends.
///
/// `rows_of` makes the rows of a batch. If the process stops at any moment, or an error ends the move,
/// each batch is in the log or in the table, and the next move goes on from there. What is in both counts
/// as in the table, and the next move removes it from the log: it begins with [`settle`]. So it must not run
/// while rows are [added](crate::add_rows) straight to the table.
///
/// # Errors
/// Fails if the log or the table cannot be used, and with [`LakeError::Foreign`] if the log is not that of
/// the table.
pub async fn move_batches(
    wal: &Wal,
    table: &mut EventTable,
    most_bytes: u64,
    rows_of: &mut (dyn Rows + Send),
) -> Result<Moved, LakeError> {
    let reader = WalReader::open(wal.path())?;
    let mut moved = Moved { last: settle(wal, table).await?, ..Moved::default() };
    let newest = reader.last_number()?;
    while moved.last < newest {
        let batches = reader.after(moved.last, most_bytes)?;
        // Batches that are set aside have numbers, too.
        let Some(mut number) = batches.last().map(|batch| batch.number) else { break };
        let (mut rows, mut damaged) = (Vec::new(), Vec::new());
        let mut count = 0;
        for batch in &batches {
            // Texts may give many more rows than they are.
            if count >= MOST_ROWS {
                break;
            }
            number = batch.number;
            let mut builder = RowsBuilder::with_capacity(batch.batch.events);
            match rows_of.add(batch, &mut builder) {
                Ok(()) => {
                    moved.batches += 1;
                    moved.events += builder.len() as u64;
                    count += builder.len();
                    rows.push(builder.finish());
                }
                Err(error) => damaged.push((batch.number, error)),
            }
        }
        // They must be elsewhere before the table's number goes past them.
        for (number, _) in &damaged {
            answered(wal.set_aside(*number)?).await?;
        }
        moved.damaged.extend(damaged);
        let arrivals = rows_of.arrivals();
        if !arrivals.is_empty() {
            answered(wal.note(arrivals)?).await?;
        }
        table.append(rows, number).await?;
        answered(wal.remove_up_to(number)?).await?;
        moved.last = number;
    }
    Ok(moved)
}

pub(crate) async fn answered(answer: Removed) -> Result<(), WalError> {
    answer.await.unwrap_or(Err(WalError::Closed))
}

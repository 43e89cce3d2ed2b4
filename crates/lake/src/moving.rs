//! Moves batches from the log of arriving events to the table of events.

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
    /// The numbers of the batches that are damaged. They are set aside in the log.
    pub damaged: Vec<u64>,
}

/// Moves all batches that are in the log now, some at a time: as many as have `most_bytes` together.
///
/// `rows_of` makes the rows of a batch. If the process stops at any moment, or an error ends the move,
/// each batch is in the log or in the table, and the next move goes on from there. What is in both is in
/// the table, and the log is told so.
///
/// # Errors
/// Fails if the log or the table cannot be used.
pub async fn move_batches<F>(
    wal: &Wal,
    table: &mut EventTable,
    most_bytes: u64,
    mut rows_of: F,
) -> Result<Moved, LakeError>
where
    F: FnMut(&StoredBatch, &mut RowsBuilder) -> Result<(), BatchError>,
{
    let mut moved = Moved::default();
    let reader = WalReader::open(wal.path())?;
    table.refresh().await?;
    let mut last = table.last_number().await?;
    // The last move may have ended before it removed what it had added.
    answered(wal.remove_up_to(last)?).await?;
    loop {
        let batches = reader.after(last, most_bytes)?;
        let Some(number) = batches.last().map(|batch| batch.number) else { return Ok(moved) };
        let mut rows = Vec::new();
        for batch in &batches {
            let mut builder = RowsBuilder::new();
            match rows_of(batch, &mut builder) {
                Ok(()) => {
                    moved.batches += 1;
                    moved.events += batch.batch.events;
                    rows.push(builder.finish());
                }
                Err(_) => {
                    answered(wal.set_aside(batch.number)?).await?;
                    moved.damaged.push(batch.number);
                }
            }
        }
        table.append(&rows, number).await?;
        answered(wal.remove_up_to(number)?).await?;
        last = number;
    }
}

async fn answered(answer: Removed) -> Result<(), WalError> {
    answer.await.unwrap_or(Err(WalError::Closed))
}

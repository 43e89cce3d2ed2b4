//! Adds rows straight to the table, without a way through the log of arriving events.
//!
//! What they are made of is there until they are in the table, such as a file that can be read again. So
//! only the marks that say how far it was read go through the log. They wait there under a number, the table
//! gets the rows together with that number, and then the marks count. Wherever the process stops, the table
//! tells by its number whether the rows came in, and [`settle`] treats the marks alike.

use std::path::Path;

use deltalake_core::arrow::array::RecordBatch;

use crate::error::{LakeError, WalError};
use crate::moving::answered;
use crate::table::{Added, EventTable};
use crate::wal::{Arriving, Commit, Mark, Wal, WalReader};

/// Finds out what the table has of what was under way when a process stopped or an error came, and lets the
/// log follow: batches that are in the table leave it, marks of rows that came in count, and those of rows
/// that did not are dropped. Returns the number of the last batch in the table.
///
/// Call it before anything is stored in the log: a log that is new beside an older table goes on with the
/// numbers of the table then. It must not run while [`add_rows`] or a move is under way.
///
/// # Errors
/// Fails if the log or the table cannot be used, and with [`LakeError::Foreign`] if the log has events, but
/// the table is not made of that log.
pub async fn settle(wal: &Wal, table: &mut EventTable) -> Result<u64, LakeError> {
    let reader = WalReader::open(wal.path())?;
    // What is in the table must also be on the disk before it leaves the log.
    table.catch_up().await?;
    let last = table.last_number().await?;
    lacks_nothing(&reader, table.folder(), last)?;
    let is_settled = reader.last_number()? >= last
        && reader.first_number()?.is_none_or(|first| first > last)
        && !reader.has_pending()?;
    if !is_settled {
        answered(wal.settle(last)?).await.map_err(|error| foreign(error, table))?;
    }
    Ok(last)
}

/// Adds rows to the table, and stores marks together with them: wherever the process stops, both are there
/// after [`settle`], or neither is. `arrivals` tells when the events happened.
///
/// All batches of the log must be in the table: call [`move_batches`](crate::move_batches) first. Other
/// batches may be stored at the same time, but not be moved.
///
/// # Errors
/// Fails with [`WalError::Unsettled`] if batches are in the log, or if an earlier call failed since the last
/// [`settle`]. Nothing was added then. After another error, the rows may be in the table or not; [`settle`]
/// finds out, and the marks tell.
pub async fn add_rows(
    wal: &Wal,
    table: &mut EventTable,
    mut rows: Vec<RecordBatch>,
    marks: Vec<Mark>,
    arrivals: Vec<Arriving>,
) -> Result<(), LakeError> {
    let reader = WalReader::open(wal.path())?;
    rows.retain(|batch| batch.num_rows() > 0);
    if rows.is_empty() {
        // Marks that wait would replace these later.
        if reader.has_pending()? {
            return Err(WalError::Unsettled { path: wal.path().to_owned() }.into());
        }
        let stored = wal.append(Commit { marks, ..Commit::default() })?.await;
        return Ok(stored.unwrap_or(Err(WalError::Closed)).map(drop)?);
    }
    table.refresh().await?;
    let (newest, last) = (reader.last_number()?, table.last_number().await?);
    lacks_nothing(&reader, table.folder(), last)?;
    if newest < last {
        let error = WalError::Behind { path: wal.path().to_owned(), newest, last };
        return Err(foreign(error, table));
    }
    let number = wal.pend(marks, arrivals)?.await.unwrap_or(Err(WalError::Closed))?;
    match table.append(rows, number).await? {
        Added::Now => Ok(answered(wal.remove_up_to(number)?).await?),
        Added::Before => {
            // The number is that of other rows, with which the marks must not count.
            answered(wal.settle(0)?).await?;
            Err(LakeError::Overtaken { table: table.folder().to_owned() })
        }
    }
}

/// Fails if the table, which has batches up to the number `last`, had later ones once.
pub(crate) fn lacks_nothing(reader: &WalReader, table: &Path, last: u64) -> Result<(), LakeError> {
    let had = reader.in_table()?;
    if had > last {
        return Err(LakeError::Lost { table: table.to_owned(), had, last });
    }
    Ok(())
}

/// Names both files if the log is not that of the table.
fn foreign(error: WalError, table: &EventTable) -> LakeError {
    match error {
        WalError::Behind { path, newest, last } => {
            LakeError::Foreign { log: path, table: table.folder().to_owned(), newest, last }
        }
        other => other.into(),
    }
}

//! The lake: events that a data folder keeps.
//!
//! Events arrive in batches. [`Wal`] stores a batch before its sender is told that it was taken, so that
//! nothing acknowledged is lost, whenever the process or the machine stops. Batches have numbers that
//! grow and are never used again.
//!
//! [`EventTable`] has the events in Parquet files, which other programs read, too. Each of its commits
//! carries the number of the last batch whose events it adds, so that each batch comes in exactly once.

mod batch;
mod error;
mod table;
mod wal;

pub use batch::{Batch, BatchBuilder, Event, Events, MAX_BATCH_BYTES, Origin};
pub use error::{BatchError, TableError, WalError};
pub use table::{Added, EventRow, EventTable, LEADS, RowsBuilder, TableFile};
pub use wal::{
    Appended, Commit, Mark, Numbers, Removed, StoredBatch, Wal, WalOptions, WalReader, WalSize,
};

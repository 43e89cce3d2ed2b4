//! The lake: events that a data folder keeps.
//!
//! Events arrive in batches. [`Wal`] stores a batch before its sender is told that it was taken, so that
//! nothing acknowledged is lost, whenever the process or the machine stops. Batches have numbers that
//! grow and are never used again.
//!
//! [`EventTable`] has the events in Parquet files, which other programs read, too. Each of its commits
//! carries the number of the last batch whose events it adds, so that each batch comes in exactly once.
//! [`move_batches`] moves them there, and [`View`] has all events as they are at one moment.
//!
//! Rows of files that can be read again go straight there, by [`add_rows`]. The log only keeps marks that say
//! how far the files were read, and they count exactly if the rows are in the table.
//!
//! The table stays in order by [`EventTable::compact`], [`EventTable::drop_before`] and
//! [`EventTable::vacuum`], which whoever owns it calls now and then.

mod adding;
mod arrival;
mod batch;
mod error;
mod folder;
mod moving;
mod table;
mod view;
mod wal;

pub use adding::{add_rows, settle};
pub use arrival::Arrival;
pub use batch::{Batch, BatchBuilder, Event, Events, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Origin};
pub use error::{BatchError, LakeError, TableError, WalError};
pub use folder::LakeFolder;
pub use moving::{Moved, Rows, move_batches};
pub use table::{
    Added, Compacted, Compaction, Dropped, EventRow, EventTable, IndexSize, Origins, Raw,
    RowsBuilder, TableFile, Vacuumed, file_of,
};
pub use view::View;
pub use wal::{
    Appended, Arriving, Commit, ListedBatch, Mark, Numbers, Pended, Removed, StoredBatch, Wal,
    WalOptions, WalReader, WalSize,
};

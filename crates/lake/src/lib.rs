//! The lake: events that a data folder keeps.
//!
//! Events arrive in batches. [`Wal`] stores a batch before its sender is told that it was taken, so that
//! nothing acknowledged is lost, whenever the process or the machine stops. Batches have numbers that
//! grow and are never used again: whatever takes them over remembers the last number, and so takes each
//! batch exactly once.

mod batch;
mod error;
mod wal;

pub use batch::{Batch, BatchBuilder, Event, Events, MAX_BATCH_BYTES, Origin};
pub use error::{BatchError, WalError};
pub use wal::{Appended, Commit, Mark, Numbers, StoredBatch, Wal, WalOptions, WalReader, WalSize};

//! What a server remembers of its detections: schedules, the ledger of their runs, and their findings.
//!
//! It is one SQLite file with one writer and any number of readers. Whatever belongs together is one
//! transaction: the entry of a run, its findings, what it throttles and how far its schedule has come are
//! stored together or not at all, and are on the disk when the call returns.

mod error;
mod form;
mod ledger;
mod reader;
mod records;
mod store;
#[cfg(test)]
mod tests;

pub use error::StoreError;
pub use reader::StoreReader;
pub use records::{
    FindingRecord, FindingState, RunRecord, ScheduleRecord, Status, StoredFinding, StoredRun,
    StoredSchedule,
};
pub use store::{Finished, Store};

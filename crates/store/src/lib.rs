//! What a server remembers of its detections: schedules, the ledger of their runs, their findings, what
//! analysts make of these, and what others are told of them.
//!
//! It is one SQLite file. One [`Store`] writes runs and findings, any number of [`Desk`]s write what users
//! decide, and any number of [`StoreReader`]s read. Whatever belongs together is one transaction: the
//! entry of a run, its findings, what it throttles and how far its schedule has come are stored together
//! or not at all, and are on the disk when the call returns.

mod allow;
mod conditions;
mod counted;
mod deliveries;
mod desk;
mod details;
mod error;
mod findings;
mod form;
mod growth;
mod ledger;
mod list;
mod lock;
mod outbox;
mod overrides;
mod reader;
mod records;
mod retention;
mod risk;
mod rows;
mod runs;
mod steps;
mod store;
#[cfg(test)]
mod tests;
mod triage;
mod urgency;

pub use allow::{AllowCondition, AllowEntry, AllowError, AllowRule};
pub use counted::Counted;
pub use deliveries::{
    Attempt, AttemptEnd, Delivery, DeliveryFilter, DeliveryState, MOST_DELIVERIES,
};
pub use desk::{Desk, DeskChanges};
pub use details::{Details, MOST_SIGHTINGS, MoreDetails, Sighting};
pub use error::StoreError;
pub use list::{Cursor, Filter, Listed, MOST_ROWS, Page, Span, Suppressed};
pub use outbox::{MOST_ENTRIES, OutboxEntry};
pub use overrides::{Override, OverrideError, StoredOverride};
pub use reader::StoreReader;
pub use records::{
    FindingRecord, FindingState, RiskRecord, RunRecord, ScheduleRecord, Status, StoredFinding,
    StoredRun, StoredSchedule,
};
pub use risk::{MOST_OBJECTS, MOST_RISKS, ObjectRisk, RiskEvent, RiskFilter};
pub use rows::Rows;
pub use runs::{MOST_RUNS, RunCounts, RunFilter};
pub use store::{Finished, Outcome, Store, Told};
pub use triage::{
    Aspect, Change, Disposition, HistoryEntry, MOST_HISTORY, SHORTEST_ID, Step, Triage,
    TriageStatus,
};
pub use urgency::{Level, urgency};

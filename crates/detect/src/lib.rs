//! Runs detections and turns their rows into findings.
//!
//! [`hunt::prepare`] plans many detections and reads their events once; [`run()`] runs one
//! detection by itself. Either sends a [`Finding`] for each row as soon as it is built, with risk,
//! notable and drilldowns according to the detection's type and deployment, and with the events
//! behind it. Then it returns a [`DetectionRun`] with its [`Status`]. Both types can be serialized
//! and deserialized. The searches run in the caller's `SearchContext`; this crate reads the clock
//! only to measure how long a search took.

mod analyzed;
mod baseline;
mod evidence;
mod finding;
pub mod hunt;
mod identity;
mod risk_event;
mod run;
mod serial;
mod status;
mod trails;

pub use analyzed::AnalyzedContent;
pub use baseline::lookup_meant;
pub use evidence::{Evidence, MAX_EVENT_IDS};
pub use finding::{
    DetectionRef, Finding, Notable, RiskObjectValue, SCHEMA_VERSION, ThreatObjectValue,
};
pub use identity::identity;
pub use risk_event::{STASH, notable_event, risk_events};
pub use run::{DetectionRun, MAX_FINDINGS, run};
pub use status::{Missing, Status};

#[cfg(test)]
mod tests;

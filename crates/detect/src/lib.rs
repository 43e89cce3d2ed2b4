//! Results of a detection to findings.
//!
//! [`hunt::prepare`] plans many detections and has their events read once; [`run()`] runs one detection
//! by itself. Either sends a [`Finding`] for each row as it is made, with risk, notable and
//! drilldowns as the detection's type and deployment decide and the events behind it, and then says
//! what came of the detection: a [`DetectionRun`] with its [`Status`]. Both can be written down and read
//! back. The searches run in the caller's `SearchContext`; nothing here reads a clock but to say how long a
//! search took.

mod analyzed;
mod baseline;
mod evidence;
mod finding;
pub mod hunt;
mod identity;
mod run;
mod serial;
mod status;
mod trails;

pub use analyzed::AnalyzedContent;
pub use evidence::{Evidence, MAX_EVENT_IDS};
pub use finding::{
    DetectionRef, Finding, Notable, RiskObjectValue, SCHEMA_VERSION, ThreatObjectValue,
};
pub use identity::identity;
pub use run::{DetectionRun, MAX_FINDINGS, run};
pub use status::Status;

#[cfg(test)]
mod tests;

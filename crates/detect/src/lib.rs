//! Results of a detection to findings.
//!
//! [`hunt::prepare`] plans many detections and has their events read once; [`run()`] runs one detection
//! by itself. Either says what came of it: a [`Status`], and a [`Finding`] for each row,
//! with risk, notable and drilldowns as its type and deployment decide, and the events behind it. The
//! searches run in the caller's `SearchContext`; nothing here reads a clock but to say how long a
//! search took.

mod baseline;
mod evidence;
mod finding;
pub mod hunt;
mod identity;
mod run;
mod trails;

pub use evidence::{Evidence, MAX_EVENT_IDS};
pub use finding::{DetectionRef, Finding, Notable, RiskObjectValue, ThreatObjectValue};
pub use identity::identity;
pub use run::{DetectionRun, MAX_FINDINGS, Status, run};

#[cfg(test)]
mod tests;

//! Lakes: how their events are read in place of log files, and how log files come into one.

mod arrived;
mod ingest;
mod view;

pub use ingest::{IngestOptions, Ingested, ingest};
pub(crate) use view::open;

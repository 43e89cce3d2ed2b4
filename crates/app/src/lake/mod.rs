//! Lakes: how their events are read in place of log files, and how log files come into one.

mod arrived;
mod damages;
mod findings;
mod ingest;
mod sizes;
mod view;

pub(crate) use arrived::{MovedRows, TEXT_SOURCETYPE};
pub(crate) use damages::FILE as DAMAGED_INPUTS;
pub use damages::damaged_inputs;
pub use ingest::{IngestOptions, Ingested, ingest};
pub(crate) use ingest::{Stamp, check_folder, ingest_into};
pub use sizes::{IndexUse, index_sizes};
pub(crate) use view::open;

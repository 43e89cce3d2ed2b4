//! Log files, folders, patterns, objects on S3 and standard input: how they are listed and read.
//!
//! [`Logs::open`] lists the files. All reading uses the same pass (`pass`): threads decode runs of
//! files, and their results are consumed in file order. [`Logs::scan`] reads once for many searches
//! and keeps the matched rows; [`Logs::table`] streams the rows of one search; [`Logs::discover`]
//! finds the names of fields. [`Logs::of_datasets`] has data whose origin is known, and
//! [`Logs::of_stored`] tables of events that name their own. [`Logs::report`] lists the files that could
//! not be read.

mod bits;
mod blocking;
pub mod codec;
mod dataset;
mod description;
mod discover;
mod feed;
pub mod file_kind;
mod given;
mod ingest;
mod inputs;
mod kernel_files;
mod layout;
mod lines;
mod logs;
mod named;
mod newest;
mod pass;
mod pipe;
mod row_kinds;
mod s3;
mod scan;
mod spool;
mod spool_table;
mod stored;
mod stream;
mod table;
mod wanted;
mod whole_events;

pub use dataset::{Dataset, DatasetBytes, Labels};
pub use description::{FileDescription, ScanDescription};
pub use given::Eventless;
pub use ingest::Collect;
pub use inputs::{InputProblem, LogFile, PathSkips, SkippedCount};
pub use layout::{CLOCK_SKEW, LATE_DELIVERY, Layout, Reason, Service};
pub use logs::{Duplicates, FileProblem, Logs, Notice, Progress, ReadOptions, ReadReport};
pub use named::NamedFiles;
pub use newest::{Beyond, MAX_AHEAD, Newest};
pub use s3::{EndpointError, S3Options, check_endpoint, s3_credentials};
pub use scan::{ScanCosts, ScanError, ScanOptions, Scanned};
pub use stored::{KeptTable, StoredFacts, StoredPlace, StoredTable};
pub use table::{LogScan, LogTable};
pub use wanted::Wanted;

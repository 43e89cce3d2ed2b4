//! Where logs are: files, folders, patterns, objects on S3 and standard input, and the DataFusion table
//! that reads them.
//!
//! [`Logs::open`] lists; [`Logs::table`] gives the table for one leading search, a `FileSource` inside
//! `DataSourceExec`, so that the plan can be cut and sent elsewhere; [`Logs::discover`] learns field
//! names. What could not be read is kept in [`Logs::report`].

mod feed;
mod file_source;
mod inputs;
mod layout;
mod logs;
mod newest;
mod s3;
mod scan;
mod spool;
mod spool_table;
mod table;
mod wanted;
mod whole_events;

pub use inputs::{InputProblem, LogFile, PathSkips, SkippedCount};
pub use layout::{CLOCK_SKEW, LATE_DELIVERY, Layout, Reason, Service};
pub use logs::{Duplicates, FileProblem, Logs, Progress, ReadOptions, ReadReport};
pub use s3::S3Options;
pub use scan::{ScanCosts, ScanError, ScanOptions, Scanned};
pub use table::LogTable;
pub use wanted::Wanted;

//! Where logs are: files, folders, patterns, objects on S3 and standard input, and how they are read.
//!
//! [`Logs::open`] lists. All reading is the same pass (`pass`): threads decode runs of files, and what they
//! find is taken in the order of the files. [`Logs::scan`] makes one for many searches and keeps their
//! rows; [`Logs::table`] is the table of one search, which streams them; [`Logs::discover`] learns the
//! names of fields. What could not be read is in [`Logs::report`].

mod blocking;
mod description;
mod discover;
mod feed;
mod inputs;
mod layout;
mod logs;
mod newest;
mod pass;
mod pipe;
mod s3;
mod scan;
mod spool;
mod spool_table;
mod stream;
mod table;
mod wanted;
mod whole_events;

pub use description::{FileDescription, ScanDescription};
pub use inputs::{InputProblem, LogFile, PathSkips, SkippedCount};
pub use layout::{CLOCK_SKEW, LATE_DELIVERY, Layout, Reason, Service};
pub use logs::{Duplicates, FileProblem, Logs, Progress, ReadOptions, ReadReport};
pub use s3::{EndpointError, S3Options, check_endpoint};
pub use scan::{ScanCosts, ScanError, ScanOptions, Scanned};
pub use table::{LogScan, LogTable};
pub use wanted::Wanted;

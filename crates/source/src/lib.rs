//! Where logs are: files, folders, patterns and standard input, and the DataFusion table that reads
//! them.
//!
//! [`Logs::open`] lists; [`Logs::table`] gives the table for one leading search, a `FileSource` inside
//! `DataSourceExec`, so that the plan can be cut and sent elsewhere; [`Logs::discover`] learns field
//! names. What could not be read is kept in [`Logs::report`].

mod file_source;
mod inputs;
mod logs;
mod scan;
mod spool;
mod spool_table;
mod table;

pub use inputs::{InputProblem, LogFile};
pub use logs::{Duplicates, FileProblem, Logs, Progress, ReadOptions, ReadReport};
pub use scan::{ScanCosts, ScanError, ScanOptions, Scanned};
pub use table::LogTable;

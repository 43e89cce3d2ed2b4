//! The operations of Spilltrail as a library, for a command line, a server or a test.
//!
//! [`Content::load`] loads detections with their macros and lookups. [`hunt`](hunt()) runs
//! detections over logs and passes the findings to a [`HuntSink`]. [`search`](search()) opens logs
//! for one search and returns its rows, and [`fields`](fields()) counts the fields of its events.
//! [`test`](test()) runs the tests of detections, [`replay`](replay()) moves logs to the present, and
//! [`ingest`](ingest()) brings them into a lake.
//! Options and results are plain structs; this crate does not print, read command-line arguments, or
//! choose exit statuses.

mod allow;
mod cancel;
pub mod check;
mod clock;
mod content;
mod environment;
mod error;
mod fields;
mod format;
mod geo;
mod hash;
mod hunt;
mod input_rows;
mod kept_file;
mod lake;
mod left_out;
mod listing;
mod logs;
mod lookups;
mod memory;
mod missing;
mod names;
pub mod option_file;
mod options;
mod replay;
mod search;
mod select;
mod serve;
mod test;
mod unread;
mod used_files;
mod whole_file;

pub use allow::{
    AllowDoubt, AllowEntry, AllowReport, AllowedValues, Condition as AllowCondition, doubts,
};
pub use cancel::Done;
pub use clock::Clock;
pub use content::Content;
pub use error::AppError;
pub use fields::{FieldList, FieldUse, fields};
pub use format::{FormatMode, FormatOutcome, format};
pub use hunt::baselines::{BaselineReport, BaselineStatus};
pub use hunt::explain::{DetectionScan, EventsAsked, ScanPlan, explain_scan};
pub use hunt::hunt;
pub use hunt::sink::{HuntEvent, HuntSink, SinkError};
pub use hunt::summary::{Cause, NowIs, Pass, Report, Summary};
pub use lake::{IndexUse, IngestOptions, Ingested, damaged_inputs, index_sizes, ingest};
pub use memory::MemoryUse;
pub use missing::Missing;
pub use options::{
    ContentOptions, HuntOptions, Input, Lake, ReadOptions, RunOptions, SearchOptions, SearchText,
    TimeOptions,
};
pub use replay::{
    HecOptions, HecSink, ReplayOptions, ReplaySink, ReplaySummary, ReplayedEvent, replay,
};
pub use search::{FoundRows, RowBatch, Search, Untouched, search};
pub use select::Selection;
pub use serve::{
    AUDIT, Copied, CurrentContent, DataFolder, Delivered, INTERNAL, InputOptions, Journal,
    PriorityEntry, Retention, ScheduleOverride, SchedulePlan, ServeEvent, ServeOptions, ServeSink,
    Server, Trouble, allow_entry_of, copy_data, schedule_spec, schedules_of, standing_of,
};
pub use spilltrail_decode::{Profile, SkipKind};
pub use spilltrail_diagnostic::Class;
pub use spilltrail_source::Labels;
pub use test::{TestCounts, TestOptions, TestReport, TestStatus, TestSummary, test};
pub use tokio_util::sync::CancellationToken;
pub use unread::{Unread, UnreadKind};

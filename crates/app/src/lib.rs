//! What a program with detections does, for any edge: a command line, a server, a test.
//!
//! [`Content::load`] reads detections and what they refer to. [`hunt`](hunt()) runs detections over
//! logs and hands what it finds to a [`HuntSink`]; [`search`](search()) opens logs for one search, whose
//! rows the caller takes. Everything is asked for with plain options and answered with plain values;
//! nothing here prints, reads arguments, or knows exit statuses.

mod cancel;
mod clock;
mod content;
mod environment;
mod error;
mod geo;
mod hunt;
mod input_rows;
mod listing;
mod logs;
mod lookups;
mod memory;
mod options;
mod search;
mod unread;

pub use cancel::Done;
pub use clock::Clock;
pub use content::Content;
pub use error::AppError;
pub use hunt::explain::{DetectionScan, EventsAsked, ScanPlan, explain_scan};
pub use hunt::hunt;
pub use hunt::sink::{HuntEvent, HuntSink, SinkError};
pub use hunt::summary::{Pass, Report, Summary};
pub use memory::MemoryUse;
pub use options::{
    ContentOptions, HuntOptions, Input, ReadOptions, RunOptions, SearchOptions, SearchText,
    TimeOptions,
};
pub use search::{FoundRows, RowBatch, Search, search};
pub use spilltrail_decode::Profile;
pub use spilltrail_diagnostic::Class;
pub use tokio_util::sync::CancellationToken;
pub use unread::{Unread, UnreadKind};

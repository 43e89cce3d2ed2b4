//! Bytes of log files to events to Arrow columns.
//!
//! The steps are: undo the compression (`inflate`), cut the text into events (`split`), pick the
//! wanted members out of each (`paths`), derive the fields that Splunk's add-on for AWS gives them
//! (`cloudtrail`), and collect those of the events that match a request (`extract`). Formats are
//! recognised by content. Damage costs the event it is in; it is reported, and everything before and
//! after it is kept. Nothing here does IO beyond the readers it is given, and memory is bounded
//! whatever comes.

mod cloudtrail;
mod columns;
mod decoder;
mod dedup;
mod delivered;
mod discover;
mod event_view;
mod extract;
mod gzip;
mod inflate;
mod json;
mod needles;
mod paths;
mod peek;
mod record;
mod report;
mod rows;
mod split;
mod texts;
mod time;
mod utf16;

pub use cloudtrail::{Profile, kind_of};
pub use columns::{data_type, schema_of};
pub use decoder::{DecodeOptions, Decoder, Sink};
pub use dedup::SeenEvents;
pub use delivered::MAX_WHOLE;
pub use discover::{Discovery, FoundFields, MAX_FIELDS};
pub use event_view::Origin;
pub use extract::{BATCH_ROWS, Extraction, needed_words};
pub use inflate::{Input, MAX_HELD_ZIP, MakeScratch, ReadSeek, Scratch};
pub use peek::holds_rows;
pub use record::{Format, MAX_RECORD, RawRecord};
pub use report::{Damage, DamageKind, FileReport, KEPT_DAMAGES, SkipKind};
pub use rows::{CodedRows, Rows, coded_schema};
pub use split::{Item, Splitter};

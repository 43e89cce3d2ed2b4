//! Decodes the bytes of log files into events and Arrow columns.
//!
//! The steps are: undo compressions and archives (`inflate`), cut the text into events (`split`), pick the
//! wanted members out of each event (`paths`), derive the fields that Splunk's add-on for AWS gives
//! it (`cloudtrail`), and collect the fields of the events that match a request (`extract`).
//! Formats are detected from the content. Damage costs only the event that contains it; it is
//! reported, and all events before and after it are kept. This crate does no IO beyond the readers
//! it is given, and its memory is bounded for any input.

mod cloudtrail;
mod columns;
mod csv;
mod decoder;
mod dedup;
mod delivered;
mod discover;
mod event_view;
mod events;
mod extract;
mod given;
mod gzip;
mod incomplete;
mod inflate;
mod json;
mod leads;
mod left_out;
mod lines;
mod lookalike;
mod lost;
mod members;
mod needles;
mod nulls;
mod origin;
mod own_names;
mod parquet;
mod paths;
mod peek;
mod plain;
mod record;
mod report;
mod rows;
mod shift;
mod split;
mod texts;
mod time;
mod utf16;
mod utf32;

pub use cloudtrail::{FieldDoc, Profile, field_docs, kind_of};
pub use columns::{data_type, schema_of};
pub use decoder::{DecodeOptions, Decoder, Sink};
pub use dedup::SeenEvents;
pub use delivered::MAX_WHOLE;
pub use discover::{Discovery, FoundFields, MAX_FIELDS};
pub use events::{EventReader, FoundEvent, Visit};
pub use extract::{BATCH_ROWS, Extraction, LAKE_SOURCETYPES, SOURCETYPES, needed_words};
pub use given::Given;
pub use inflate::{Input, MAX_HELD_ZIP, MakeScratch, ReadSeek, Scratch};
pub use leads::{LeadReader, Leads};
pub use left_out::{LeftOut, Member, MemberSet};
pub use lines::{MAX_LINE, for_each_line};
pub use origin::{Origin, OwnOrigin};
pub use own_names::OwnNames;
pub use peek::{Look, holds_rows};
pub use plain::Arrived;
pub use record::{Format, MAX_RECORD, RawRecord};
pub use report::{
    CALENDAR_END, Damage, DamageKind, FileReport, KEPT_DAMAGES, NAMED_ENTRIES, SkipKind, Untimed,
};
pub use rows::{CodedRows, Rows, coded_schema};
pub use shift::{first_time, shifted};
pub use split::{Item, Splitter};

//! What one event is: its fields and their kinds, the values SPL sees, and the compiled form of a
//! leading search. Plain data; no IO.

pub mod fields;
mod keyword;
mod number;
mod pattern;
mod predicate;
mod value;

pub use fields::{Demand, Field, Kind, ScanRequest};
pub use keyword::{Keyword, KeywordKind};
pub use number::{format_number, parse_number};
pub use pattern::{CaseRule, Pattern, wildcard_capture, wildcard_match};
pub use predicate::{Comparison, Predicate, Record, TimeBounds, compare};
pub use value::Value;

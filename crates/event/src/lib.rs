//! Represents events: their fields and kinds, the values that SPL sees, and the compiled form of a
//! leading search.
//!
//! The crate contains plain data and does no IO.

pub mod exact;
pub mod fields;
mod keyword;
mod lookups;
mod needle;
mod number;
mod pattern;
mod predicate;
mod range;
mod stop;
pub mod stored;
mod value;
mod values;

pub use fields::{Demand, Field, Kind, ScanRequest};
pub use keyword::{Keyword, KeywordKind, has_major_breaker, terms_after};
pub use needle::Needle;
pub use number::{compare_numbers, format_number, parse_number, significant_digits};
pub use pattern::{CaseRule, Pattern, wildcard_capture, wildcard_match};
pub use predicate::{Comparison, Known, Predicate, Record, TimeBounds, compare};
pub use range::ValueRange;
pub use stop::StopToken;
pub use value::Value;
pub use values::{Cases, ValueSet};

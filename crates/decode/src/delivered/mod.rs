//! Reads files that fit into memory and are exactly what CloudTrail delivers, by a faster way.
//!
//! The file is inflated in a single step ([`Inflater`]) and cut into records by its brackets alone
//! ([`records::Records`]); values that no search asks for are never parsed. A file of any other
//! form is read from the beginning by the [splitter](crate::Splitter), with the same results.

mod blocks;
mod head;
mod inflater;
mod marks;
pub(crate) mod records;

pub(crate) use inflater::Inflater;
pub use inflater::MAX_WHOLE;
pub(crate) use marks::{Marks, Quotes};
pub(crate) use records::{Records, WholeRecord, wide};

//! The short way through a file that fits into memory and is just what CloudTrail delivers.
//!
//! The file is inflated at once ([`Inflater`]) and cut into records by its brackets alone
//! ([`records::Records`]); what no search asks for is never looked at again. It is a short cut and no
//! more: a file that is not exactly as expected is read from the beginning by the
//! [splitter](crate::Splitter).

mod blocks;
mod head;
mod inflater;
mod marks;
pub(crate) mod records;

pub(crate) use inflater::Inflater;
pub use inflater::MAX_WHOLE;
pub(crate) use marks::{Marks, Quotes};
pub(crate) use records::{Records, WholeRecord, wide};

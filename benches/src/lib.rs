//! Benchmarks: logs with known contents, what it costs to read them at the least, and what programs
//! need for the same answers.
//!
//! All of it is a library, so that whatever measures uses the same logs.

pub mod floor;
pub mod generate;
pub mod random;

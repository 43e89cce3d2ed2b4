//! Benchmarks: logs with known contents, what it costs to read them at the least, and what programs
//! need for the same answers.
//!
//! `cargo xtask bench` runs it; `docs/performance.md` says what is measured and why that way. The
//! library is for the micro-benchmarks in `micro/`, which use the same logs.

pub mod answers;
pub mod floor;
pub mod generate;
pub mod growth;
pub mod machine;
pub mod measure;
pub mod options;
pub mod random;
pub mod report;
pub mod session;
pub mod subjects;
pub mod table;

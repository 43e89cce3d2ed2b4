//! The binary from the outside: what it prints and the status it ends with.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod detections;
mod fixture;
mod hunt;

//! The HTTP edge.
//!
//! [`hec`] takes events from the senders of Splunk's HTTP Event Collector. [`serve()`] serves its router, or
//! any other one, on a listener.

pub mod hec;
mod serve;

pub use serve::{Plain, ServeOptions, Wire, serve};

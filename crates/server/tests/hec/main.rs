//! The collector behind a real listener, with a store that can do all that a store can do wrong.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

mod client;
mod codes;
mod limits;
#[path = "../shared/log.rs"]
mod log;
mod malformed;
mod senders;
mod store;
mod stored;
mod wal;

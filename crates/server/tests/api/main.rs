//! The API over a router in memory, with a store on disk and searches that do as they are told.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

mod access;
mod changes;
mod fuzz;
mod listener;
#[path = "../shared/log.rs"]
mod log;
mod reads;
mod searches;
mod server;

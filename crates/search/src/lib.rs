//! Plans SPL searches on DataFusion and runs them.
//!
//! [`analysis::analyze`] expands and parses a search's text and collects the facts known before it
//! runs, [`run::plan`] plans the search, and [`run::Prepared`] runs it. Commands are in
//! [`commands`], eval functions in `spilltrail_eval` and aggregate functions in [`stats`]; each is
//! one file and one line in a registry. An [`events::EventSource`] provides the events.

pub mod analysis;
pub mod commands;
pub mod context;
pub mod error;
pub mod events;
pub mod lineage;
pub mod lookups;
pub mod operators;
pub mod planning;
pub mod pool;
pub mod rows;
pub mod run;
pub mod stack;
pub mod stats;
#[cfg(test)]
mod testing;

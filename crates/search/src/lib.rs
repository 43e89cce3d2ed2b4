//! SPL tree to DataFusion plan to rows.
//!
//! [`analysis::analyze`] takes a search's text through expansion and parsing, and says what is known of it;
//! [`run::plan`] plans it; [`run::Prepared`] runs it. Commands are in [`commands`], eval functions in `spilltrail_eval`, statistics in [`stats`];
//! each is one file and one line in a registry. Where events come from is the business of an
//! [`events::EventSource`].

pub mod analysis;
pub mod commands;
pub mod context;
pub mod error;
pub mod events;
pub mod lineage;
mod lookups;
pub mod operators;
pub mod planning;
pub mod pool;
pub mod rows;
pub mod run;
pub mod stack;
pub mod stats;
#[cfg(test)]
mod testing;

//! SPL tree to DataFusion plan to rows.
//!
//! [`run::prepare`] takes a search's text through expansion, parsing and planning; [`run::Prepared`]
//! runs it. Commands are in [`commands`], eval functions in [`functions`], statistics in [`stats`];
//! each is one file and one line in a registry. Where events come from is the business of an
//! [`context::EventSource`].

pub mod bins;
pub mod commands;
pub mod context;
pub mod convert;
pub mod error;
pub mod eval;
pub mod events;
pub mod expression;
pub mod first_rows;
pub mod functions;
pub mod json;
mod lookups;
pub mod mapped;
pub mod memory;
pub mod operators;
mod optimizer;
mod order;
pub mod plan;
mod planner;
mod predicate;
mod predicate_udf;
pub mod row_memo;
pub mod rows;
pub mod run;
pub mod shared;
mod sort_key;
pub mod stats;
mod subsearch;
#[cfg(test)]
mod testing;

//! Tools with which commands build plans: the plan so far, the needs of later commands, sort
//! orders, conditions, aggregates, and the plan that reads events.

pub mod aggregate;
pub(crate) mod batch_rows;
pub(crate) mod classes;
pub mod eval;
pub mod eval_udf;
pub(crate) mod execution;
pub(crate) mod expression;
pub mod facts;
pub mod index;
pub(crate) mod order;
pub mod placed;
pub mod plan;
pub(crate) mod predicate;
pub(crate) mod predicate_udf;
pub(crate) mod reserved;
pub(crate) mod scan;
mod sparkline;
pub mod stage;
pub(crate) mod stand_in;
mod worlds;

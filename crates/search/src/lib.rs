//! SPL tree to DataFusion plan to results.

pub mod expression;
pub mod functions;

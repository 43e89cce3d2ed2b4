//! Operators of our own, for what DataFusion has no equivalent.
//!
//! An [`Operator`] is plain data (its name and its state as JSON identify it, so that a plan can be
//! compared and sent elsewhere); [`Operator::start`] makes the running half, which takes batches in
//! order and gives batches in order. One logical node and one execution plan carry them all.

mod append;
mod blocking;
pub(crate) mod by_key;
mod compact;
mod compute;
mod count;
mod derive;
mod exec;
mod expand;
pub(crate) mod gather;
pub(crate) mod held;
mod kept;
pub(crate) mod key;
mod node;
mod ordered;
mod pack;
mod parts;
mod project;
mod range_bins;
mod select;
mod serial;
mod summarize;

use std::fmt::Debug;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

pub use append::Append;
pub use compact::Compact;
pub use compute::{ComputeNode, Source};
pub use count::CountRows;
pub use derive::{Derive, RowFunction};
pub use exec::OperatorExec;
pub use expand::{Expand, Whole};
pub(crate) use kept::KeptRows;
pub use node::{OperatorNode, OperatorPlanner};
pub use ordered::Ordered;
pub(crate) use pack::{KEY, VALUES};
pub use pack::{Pack, Unpack};
pub(crate) use project::ProjectInParts;
pub use range_bins::RangeBins;
pub use select::Select;
pub use serial::SerialNumbers;
pub use summarize::{Summarize, Summary};

/// What an operator does, as plain data.
pub trait Operator: Debug + Send + Sync {
    /// Returns the operator's name, for `EXPLAIN` and for finding its codec.
    fn name(&self) -> &'static str;

    /// Returns the operator's whole state as text: two operators with the same name and state do the
    /// same.
    fn state(&self) -> String;

    /// Returns the columns it gives for these columns.
    fn output(&self, input: &[Field]) -> Vec<Field>;

    /// Returns true if the output's rows are the input's, one for one, so that a limit may come first.
    fn keeps_rows(&self) -> bool {
        false
    }

    /// Returns true if it gives nothing, and does nothing else either, when it gets no row.
    fn needs_rows(&self) -> bool {
        false
    }

    /// Returns the running half. `input` and `output` are the schemas of the batches taken and given.
    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>>;
}

/// The running half of an operator over one ordered stream of rows.
pub trait Running: Send {
    /// Takes the next batch and returns what can be given now.
    ///
    /// # Errors
    /// Fails if the rows break a limit that the operator states.
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>>;

    /// Returns what else the last batch gives; called after each [`Running::push`] until it returns
    /// none, so that an operator need not hold all that one batch becomes.
    ///
    /// # Errors
    /// As [`Running::push`].
    fn more(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Returns what is left to give after the last batch; called until it returns none.
    ///
    /// # Errors
    /// As [`Running::push`].
    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Returns true when no further input can change the output, so that reading may stop.
    fn is_done(&self) -> bool {
        false
    }

    /// Returns the bytes held, for the memory pool.
    fn held(&self) -> usize {
        0
    }
}

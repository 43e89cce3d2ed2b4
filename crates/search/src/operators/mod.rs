//! Operators for the steps that DataFusion has no equivalent of.
//!
//! An [`Operator`] is plain data: its name and its JSON state describe it completely, so plans can
//! be compared and sent to another process ([`Codec`]). [`Operator::start`] creates the running
//! half, which reads batches in order and returns batches in order. All operators share one logical
//! node ([`OperatorNode`]; [`ComputeNode`] adds expressions) and one execution plan
//! ([`OperatorExec`]).

mod append;
pub(crate) mod batch_rows;
mod blocking;
pub(crate) mod by_key;
mod carried;
pub(crate) mod codec;
mod compact;
mod compute;
mod count;
mod cut_lists;
mod derive;
mod exec;
mod expand;
pub(crate) mod gather;
pub(crate) mod held;
mod kept;
pub(crate) mod key;
mod leading;
mod node;
pub(crate) mod observed;
mod ordered;
mod pack;
mod parts;
mod range_bins;
mod select;
mod serial;
mod summarize;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use spilltrail_event::Field;

pub use append::Append;
pub(crate) use append::widened;
pub(crate) use carried::CarriedRows;
pub use codec::Codec;
pub use compact::Compact;
pub use compute::{ComputeNode, Source};
pub use count::{CountAs, CountRows};
pub use cut_lists::CutLists;
pub use derive::{Derive, RowFunction};
pub use exec::OperatorExec;
pub use expand::{Expand, Whole};
pub(crate) use kept::KeptRows;
pub(crate) use leading::Leading;
pub use node::{OperatorNode, OperatorPlanner};
pub use observed::observed;
pub use ordered::Ordered;
pub(crate) use pack::{KEY, VALUES};
pub use pack::{Pack, Unpack};
pub use range_bins::RangeBins;
pub use select::Select;
pub use serial::SerialNumbers;
pub use summarize::{Summarize, Summary};

/// How many rows the engine's own nodes put into a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchRows {
    /// As many as above the operator.
    Unchanged,
    /// At most this number.
    AtMost(usize),
    /// As many as outside of an enclosing [`BatchRows::AtMost`].
    Restored,
}

/// An operator's description, as plain data.
pub trait Operator: Debug + Send + Sync {
    /// Returns the operator's name, which `EXPLAIN` prints and which selects its codec.
    fn name(&self) -> &'static str;

    /// Returns the operator's whole state as JSON, from which its [`Codec`] rebuilds an equal
    /// operator, also in another process.
    fn state(&self) -> String;

    /// Returns the DataFusion expressions that the operator evaluates.
    ///
    /// They are not part of the state: a plan carries them separately, in DataFusion's own format.
    fn expressions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &[]
    }

    /// Returns a short text for `EXPLAIN` and for comparing plans.
    ///
    /// Two operators with the same name and identity do the same.
    fn identity(&self) -> String {
        self.state()
    }

    /// Returns the output columns for the given input columns.
    fn output(&self, input: &[Field]) -> Vec<Field>;

    /// Returns true if each input row becomes exactly one output row, in order.
    ///
    /// DataFusion may then apply a later limit to the input instead of the output.
    fn keeps_rows(&self) -> bool {
        false
    }

    /// Returns true if the operator, given no rows, returns no rows and has no other effect.
    fn needs_rows(&self) -> bool {
        false
    }

    /// Returns the number of rows in the batches that the engine makes below this operator.
    fn batches_below(&self) -> BatchRows {
        BatchRows::Unchanged
    }

    /// Returns the running half.
    ///
    /// `input` and `output` are the schemas of the batches that it reads and returns.
    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>>;
}

/// The running half of an operator over one ordered stream of rows.
pub trait Running: Send {
    /// Lets the operator register counters in the plan's metrics; called once, before the first
    /// batch.
    fn observe(&mut self, _: &ExecutionPlanMetricsSet) {}

    /// Reads the next batch and returns the output that is ready, if any.
    ///
    /// # Errors
    /// Fails if the rows exceed one of the operator's limits.
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>>;

    /// Returns the next part of the last batch's output.
    ///
    /// Called after each [`Running::push`] until it returns `None`, so an operator does not have to
    /// hold the whole output of one batch in memory.
    ///
    /// # Errors
    /// As [`Running::push`].
    fn more(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Returns the next part of the remaining output; called after the last batch until it returns
    /// `None`.
    ///
    /// # Errors
    /// As [`Running::push`].
    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        Ok(None)
    }

    /// Returns true if no further input can change the output, so that reading may stop.
    fn is_done(&self) -> bool {
        false
    }

    /// Returns the bytes that the operator holds, to be reserved in the memory pool.
    fn held(&self) -> usize {
        0
    }
}

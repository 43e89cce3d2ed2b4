//! Operators of our own, for what DataFusion has no equivalent.
//!
//! An [`Operator`] is plain data: its name and its state as JSON are all of it, so that a plan can be
//! compared and sent elsewhere ([`Codec`]). [`Operator::start`] makes the running half, which takes batches in
//! order and gives batches in order. One logical node and one execution plan carry them all.

mod append;
mod blocking;
pub(crate) mod by_key;
mod carried;
pub(crate) mod codec;
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
pub(crate) use carried::CarriedRows;
pub use codec::Codec;
pub use compact::Compact;
pub use compute::{ComputeNode, Source};
pub use count::{CountAs, CountRows};
pub use derive::{Derive, RowFunction};
pub use exec::OperatorExec;
pub use expand::{Expand, Whole};
pub(crate) use kept::KeptRows;
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

/// What an operator does, as plain data.
pub trait Operator: Debug + Send + Sync {
    /// Returns the operator's name, for `EXPLAIN` and for finding its codec.
    fn name(&self) -> &'static str;

    /// Returns the operator's whole state as JSON: what its [`Codec`] makes the same operator of,
    /// wherever that is.
    fn state(&self) -> String;

    /// Returns the expressions of the engine that the operator evaluates. They are not in its state: they
    /// travel beside it, in the engine's own form.
    fn expressions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &[]
    }

    /// Returns a short text for `EXPLAIN`, and for comparing plans: two operators with the same name and
    /// identity do the same.
    fn identity(&self) -> String {
        self.state()
    }

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

    /// Returns the number of rows in the batches that the engine makes below this operator.
    fn batches_below(&self) -> BatchRows {
        BatchRows::Unchanged
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
    /// Lets the operator count what it notices in metrics of the plan; called once, before its rows come.
    fn observe(&mut self, _: &ExecutionPlanMetricsSet) {}

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

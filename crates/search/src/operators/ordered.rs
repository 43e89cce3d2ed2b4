//! Rows whose order the engine must keep.
//!
//! SQL knows an order of rows only at the end, so DataFusion drops a sort that another one follows,
//! however many steps lie between. In SPL each step sees the rows in the order that they have. This
//! operator stands on every sort and, as all operators do, asks for the order that it was planned on.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::{Operator, Running};
use crate::rows::state::state_of;

/// Gives the rows as they are.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ordered;

impl Operator for Ordered {
    fn name(&self) -> &'static str {
        "ordered"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Passing { output }))
    }
}

struct Passing {
    output: SchemaRef,
}

impl Running for Passing {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

//! Prevents DataFusion from removing a sort.
//!
//! In SQL only the order of the final rows matters, so DataFusion removes a sort if another sort
//! follows, even with other steps in between. In SPL each step reads the rows in their current
//! order. This operator is planned directly after every sort and, like all operators, requires the
//! order that its input was planned with, so the sort stays.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::{Operator, Running};
use crate::rows::state::state_of;

/// Returns the rows unchanged.
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

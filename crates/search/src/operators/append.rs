//! Rows held in memory after the rows of the stream.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

use super::{Operator, Running};
use crate::rows::Rows;

/// Gives the rows of the stream, then `rows`, which have the same columns.
#[derive(Debug)]
pub struct Append {
    /// The rows.
    pub rows: Arc<Rows>,
}

impl Operator for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn state(&self) -> String {
        // The rows themselves would be too long a text; the same memory is the same rows.
        format!("{} rows at {:p}", self.rows.len(), Arc::as_ptr(&self.rows))
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.rows.fields.clone()
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let left = self.rows.batches.iter().cloned().collect();
        Ok(Box::new(Appending { output, left }))
    }
}

struct Appending {
    output: SchemaRef,
    left: VecDeque<RecordBatch>,
}

impl Running for Appending {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        Ok(Some(batch.with_schema(self.output.clone())?))
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.left.pop_front())
    }
}

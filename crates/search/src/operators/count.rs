//! Counts the rows on the way; they go through unchanged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

use super::{Operator, Running};

/// Adds the number of rows to a counter.
#[derive(Debug)]
pub struct CountRows {
    /// Where the rows are counted.
    pub counter: Arc<AtomicU64>,
}

impl Operator for CountRows {
    fn name(&self) -> &'static str {
        "count_rows"
    }

    fn state(&self) -> String {
        String::new()
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Counting { output, counter: self.counter.clone() }))
    }
}

struct Counting {
    output: SchemaRef,
    counter: Arc<AtomicU64>,
}

impl Running for Counting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.counter.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

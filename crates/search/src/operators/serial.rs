//! Numbers the rows in their current order, so that a later sort can keep equal rows in it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, Float64Array, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind};

use super::{Operator, Running};
use crate::rows::state::state_of;

/// Adds a column with the row's number, from 0.
#[derive(Debug, Serialize, Deserialize)]
pub struct SerialNumbers {
    /// The column's name; it must not exist yet.
    pub column: String,
}

impl Operator for SerialNumbers {
    fn name(&self) -> &'static str {
        "serial"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let mut output = input.to_vec();
        output.push(Field::new(&self.column, Kind::Number));
        output
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Numbering { output, next: 0 }))
    }
}

struct Numbering {
    output: SchemaRef,
    next: u64,
}

impl Running for Numbering {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let first = self.next;
        self.next += batch.num_rows() as u64;
        // Row numbers stay far below 2^53, so a double holds them exactly.
        #[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
        let numbers = Float64Array::from_iter_values((first..self.next).map(|n| n as f64));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(numbers) as Arc<dyn Array>);
        Ok(Some(RecordBatch::try_new(self.output.clone(), columns)?))
    }
}

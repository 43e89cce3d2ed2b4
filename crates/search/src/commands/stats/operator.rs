//! Counts which columns have values, on the way; the rows go through unchanged.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

use crate::context::GroupObservation;
use crate::error::lock;
use crate::operators::{Operator, Running};
use crate::rows::arrow::ColumnReader;

/// Notes how many rows came through, and in how many each column had a value.
#[derive(Debug)]
pub(super) struct CountPresent {
    /// The columns.
    pub(super) columns: Vec<String>,
    /// Where the counts go; its fields are in the order of `columns`.
    pub(super) observation: Arc<GroupObservation>,
}

impl Operator for CountPresent {
    fn name(&self) -> &'static str {
        "count_present"
    }

    fn state(&self) -> String {
        self.observation.fields.join(" ")
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let indices = self
            .columns
            .iter()
            .map(|column| input.index_of(column))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Box::new(Counting { output, indices, observation: self.observation.clone() }))
    }
}

struct Counting {
    output: SchemaRef,
    indices: Vec<usize>,
    observation: Arc<GroupObservation>,
}

impl Running for Counting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        {
            let mut counts = lock(&self.observation.counts);
            counts.0 += rows as u64;
            for (slot, index) in self.indices.iter().enumerate() {
                counts.1[slot] += present(batch.column(*index))?;
            }
        }
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

/// Returns how many rows of a column have a value; an empty list is none.
fn present(column: &ArrayRef) -> Result<u64> {
    let rows = column.len();
    if !matches!(column.data_type(), DataType::List(_) | DataType::Null) {
        return Ok((rows - column.null_count()) as u64);
    }
    let reader = ColumnReader::new(column)?;
    Ok((0..rows).filter(|row| !reader.value(*row).is_null()).count() as u64)
}

//! An operator that counts values per column for the search's metrics and returns rows unchanged.

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use crate::operators::observed::{self, GROUPED, PRESENT};
use crate::operators::{Operator, Running};
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// Counts the rows that pass, and for each column the rows that have a value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CountPresent {
    /// The names of the columns to count.
    pub(super) columns: Vec<String>,
    /// The fields that the columns are copies of, in the same order; metrics use these names.
    pub(super) fields: Vec<String>,
}

impl Operator for CountPresent {
    fn name(&self) -> &'static str {
        "count_present"
    }

    fn state(&self) -> String {
        state_of(self)
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
        let present = self.fields.iter().map(|field| (field.clone(), Count::new())).collect();
        Ok(Box::new(Counting { output, indices, rows: Count::new(), present }))
    }
}

struct Counting {
    output: SchemaRef,
    indices: Vec<usize>,
    rows: Count,
    /// For each column, its field and the number of rows that have a value.
    present: Vec<(String, Count)>,
}

impl Running for Counting {
    fn observe(&mut self, metrics: &ExecutionPlanMetricsSet) {
        self.rows = observed::counter(metrics, GROUPED);
        for (field, count) in &mut self.present {
            *count = observed::field_counter(metrics, PRESENT, field);
        }
    }

    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.rows.add(batch.num_rows());
        for (index, (_, count)) in self.indices.iter().zip(&self.present) {
            count.add(present(batch.column(*index))?);
        }
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

/// Returns how many rows of a column have a value; an empty list is not a value.
fn present(column: &ArrayRef) -> Result<usize> {
    let rows = column.len();
    if !matches!(column.data_type(), DataType::List(_) | DataType::Null) {
        return Ok(rows - column.null_count());
    }
    let reader = ColumnReader::new(column)?;
    Ok((0..rows).filter(|row| !reader.value(*row).is_null()).count())
}

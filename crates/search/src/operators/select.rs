//! Selects, reorders and renames columns by their index.
//!
//! DataFusion's projection refers to each column by name and finds it by comparing all names,
//! several times per projection. With thousands of columns, that takes minutes.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::{Operator, Running, gather};
use crate::rows::state::state_of;

/// Returns columns of the input under the given names.
#[derive(Debug, Serialize, Deserialize)]
pub struct Select {
    /// The name of each output column and the index of its input column.
    pub columns: Vec<(String, usize)>,
}

impl Operator for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let field = |(name, index): &(String, usize)| Field::new(name, input[*index].kind);
        self.columns.iter().map(field).collect()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let indices = self.columns.iter().map(|(_, index)| *index).collect();
        Ok(Box::new(Selecting { output, indices }))
    }
}

struct Selecting {
    output: SchemaRef,
    indices: Vec<usize>,
}

impl Running for Selecting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let columns = self.indices.iter().map(|index| batch.column(*index).clone()).collect();
        gather::of_columns(&self.output, columns, batch.num_rows()).map(Some)
    }
}

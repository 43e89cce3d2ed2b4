//! Columns chosen, ordered and named anew, by their index.
//!
//! A projection of the engine names every column, and finds each name by looking through all of them,
//! several times for each projection. With thousands of columns that takes minutes.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::{Operator, Running, gather};
use crate::rows::state::state_of;

/// Gives columns of the input under other names.
#[derive(Debug, Serialize, Deserialize)]
pub struct Select {
    /// The name of each column given, and the index of the column of the input that it is.
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

//! Rows as long as a condition holds.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float64Type, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use crate::operators::{Operator, Running};
use crate::rows::state::state_of;

/// Gives rows until `column` is not 1.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct While {
    /// A number column: 1 where the condition holds.
    pub(super) column: String,
    /// Whether the row that ends it is given too.
    pub(super) keep_last: bool,
}

impl Operator for While {
    fn name(&self) -> &'static str {
        "while"
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

    fn start(&self, input: SchemaRef, _: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let index = input.index_of(&self.column)?;
        Ok(Box::new(Holding { index, keep_last: self.keep_last, is_done: false }))
    }
}

struct Holding {
    index: usize,
    keep_last: bool,
    is_done: bool,
}

impl Running for Holding {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let holds = batch.column(self.index).as_primitive::<Float64Type>();
        let end = holds.iter().position(|value| value != Some(1.0));
        self.is_done = end.is_some();
        let kept = end.map_or(batch.num_rows(), |end| end + usize::from(self.keep_last));
        Ok(Some(batch.slice(0, kept)))
    }

    fn is_done(&self) -> bool {
        self.is_done
    }
}

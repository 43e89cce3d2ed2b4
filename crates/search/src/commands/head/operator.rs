//! The operator of `head` with a condition: returns rows until the condition fails.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Float64Type, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use crate::operators::{Operator, Running};
use crate::rows::state::state_of;

/// Returns rows until `column` is not 1.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct While {
    /// The name of a number column that is 1 where the condition holds.
    pub(super) column: String,
    /// Whether the first row where the condition fails is returned too.
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
    /// Whether the condition has failed, so that no more input is needed.
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

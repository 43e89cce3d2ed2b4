//! Counts the rows on the way; they go through unchanged.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::observed::{self, MATCHED, TOTAL};
use super::{Operator, Running};
use crate::rows::state::state_of;

/// What rows are counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountAs {
    /// Events that a search for events found.
    Matched,
    /// All rows of a search of which only the first are given.
    Total,
}

/// Counts rows, in a metric of the plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct CountRows {
    /// What they are counted as.
    pub count_as: CountAs,
}

impl Operator for CountRows {
    fn name(&self) -> &'static str {
        "count_rows"
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

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Counting { output, count_as: self.count_as, count: Count::new() }))
    }
}

struct Counting {
    output: SchemaRef,
    count_as: CountAs,
    count: Count,
}

impl Running for Counting {
    fn observe(&mut self, metrics: &ExecutionPlanMetricsSet) {
        let name = match self.count_as {
            CountAs::Matched => MATCHED,
            CountAs::Total => TOTAL,
        };
        self.count = observed::counter(metrics, name);
    }

    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.count.add(batch.num_rows());
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

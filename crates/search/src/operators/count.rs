//! Counts the rows of a stream and passes them on unchanged.

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

/// The count that rows are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountAs {
    /// Matched events: the events that a scan selected.
    Matched,
    /// All result rows of a search that returns only the first ones.
    Total,
    /// The rows of a `sort` that keeps only this many because the search sets no number. `at` is
    /// where the command stands in the search.
    Sorted {
        /// The number of rows that are kept.
        limit: u64,
        /// The start and the end of the command's name.
        at: (usize, usize),
    },
}

/// Counts rows in a metric of the plan.
#[derive(Debug, Serialize, Deserialize)]
pub struct CountRows {
    /// The count that the rows are added to.
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
        self.count = match self.count_as {
            CountAs::Matched => observed::counter(metrics, MATCHED),
            CountAs::Total => observed::counter(metrics, TOTAL),
            CountAs::Sorted { limit, at } => observed::sort_counter(metrics, limit, at),
        };
    }

    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.count.add(batch.num_rows());
        Ok(Some(batch.with_schema(self.output.clone())?))
    }
}

//! The first rows of a search that may have very many.
//!
//! Where the rows are in order because they were sorted, only the first need be: the others are counted
//! before they are sorted, and forgotten.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Extension, LogicalPlan, Sort};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Field;

use crate::error::from_engine;
use crate::operators::{ComputeNode, CountAs, CountRows, OperatorNode, observed};
use crate::rows::arrow::kind_of;

/// The first rows of a search, while it runs.
pub struct FirstRows {
    stream: SendableRecordBatchStream,
    room: usize,
    seen: u64,
    /// Counts all rows if they do not come this far.
    plan: Arc<dyn ExecutionPlan>,
}

impl fmt::Debug for FirstRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstRows").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl FirstRows {
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        room: usize,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Self {
        Self { stream, room, seen: 0, plan }
    }

    /// Returns the next of the first rows; none when the search is at its end.
    ///
    /// # Errors
    /// What the engine fails with.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Diagnostic> {
        while let Some(batch) = self.stream.next().await {
            let batch = batch.map_err(|error| from_engine(&error))?;
            self.seen += batch.num_rows() as u64;
            let rows = batch.num_rows().min(self.room);
            self.room -= rows;
            if rows > 0 {
                return Ok(Some(batch.slice(0, rows)));
            }
        }
        Ok(None)
    }

    /// Returns how many rows the search has, when it is at its end.
    #[must_use]
    pub fn count(&self) -> u64 {
        observed(&self.plan).total.unwrap_or(self.seen)
    }
}

/// Returns a plan for the first `rows` rows of `plan`, which counts all; the plan itself if they cannot
/// be counted before they are sorted.
pub(crate) fn limited(plan: &LogicalPlan, rows: usize) -> LogicalPlan {
    rewritten(plan, rows).unwrap_or_else(|| plan.clone())
}

fn rewritten(plan: &LogicalPlan, rows: usize) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            let keeps_rows = node.is::<ComputeNode>()
                || node.downcast_ref::<OperatorNode>()?.operator().keeps_rows();
            if !keeps_rows {
                return None;
            }
            let inputs = plan.inputs().into_iter().map(|input| rewritten(input, rows));
            plan.with_new_exprs(plan.expressions(), inputs.collect::<Option<_>>()?).ok()
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            let columns = sort.input.schema().fields().iter();
            let columns: Vec<Field> = columns
                .map(|column| Field::new(column.name(), kind_of(column.data_type())))
                .collect();
            let operator = Arc::new(CountRows { count_as: CountAs::Total });
            let node = OperatorNode::new(operator, (*sort.input).clone(), &columns);
            let input = Arc::new(LogicalPlan::Extension(Extension { node: Arc::new(node) }));
            Some(LogicalPlan::Sort(Sort { expr: sort.expr.clone(), input, fetch: Some(rows) }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;
    use crate::testing::{context, rows};

    /// Rows with times in no order.
    fn lines() -> String {
        let row =
            |n: u32| format!("{{\"_time\":{},\"a\":\"{}\",\"n\":\"{n}\"}}\n", n * 7 % 1000, n % 9);
        (0..1000).map(row).collect()
    }

    #[tokio::test]
    async fn they_are_the_first_of_all_and_all_are_counted() {
        for (search, is_counted_early) in [
            ("search a=*", true),
            ("search a=* | table n a", true),
            ("search a=* | eval b=n+1 | rename n as m", true),
            ("search a=* | where n>500 | fields n", false),
            ("search a=* | sort - n | streamstats count", false),
            ("search a=* | stats count by n", true),
            ("search a=* | stats count by a", true),
            ("search a=* | head 30 | table n", false),
            ("search a=none | table n", true),
        ] {
            let context = context(rows(&lines()), 64 << 20);
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let all = prepared.collect(&context).await.unwrap();
            let mut first = prepared.first(10, &context).await.unwrap();
            let mut found = Vec::new();
            while let Some(batch) = first.next().await.unwrap() {
                found.extend(crate::rows::batch_rows(&batch));
            }
            let total = observed(&first.plan).total;
            assert_eq!(total.is_some(), is_counted_early, "{search}");
            assert_eq!(first.count(), all.len() as u64, "{search}");
            assert_eq!(found, all.truncated(10).iter().collect::<Vec<_>>(), "{search}");
        }
    }
}

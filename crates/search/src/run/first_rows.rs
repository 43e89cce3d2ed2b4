//! The first rows of a search that may have very many rows.
//!
//! If a sort determines the order of the rows, only the first rows have to be kept. The rows are
//! counted before the sort, which can then discard all others.

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

/// The first rows of a running search.
pub struct FirstRows {
    stream: SendableRecordBatchStream,
    room: usize,
    seen: u64,
    /// The plan, which counts all rows itself if it discards some of them.
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

    /// Returns the next batch of the first rows, or `None` at the end of the search.
    ///
    /// # Errors
    /// Fails if the search fails.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Diagnostic> {
        while let Some(batch) = self.stream.next().await {
            let batch = batch.map_err(|error| from_engine(&error))?;
            self.seen += batch.num_rows() as u64;
            // After the first rows, the loop continues only to count the rest.
            let rows = batch.num_rows().min(self.room);
            self.room -= rows;
            if rows > 0 {
                return Ok(Some(batch.slice(0, rows)));
            }
        }
        Ok(None)
    }

    /// Returns the total number of rows; it is complete only at the end of the search.
    #[must_use]
    pub fn count(&self) -> u64 {
        observed(&self.plan).total.unwrap_or(self.seen)
    }
}

/// Returns a plan that returns the first `rows` rows of `plan` and counts all of its rows. If the
/// rows cannot be counted before a sort, returns the plan unchanged.
pub(crate) fn limited(plan: &LogicalPlan, rows: usize) -> LogicalPlan {
    rewritten(plan, rows).unwrap_or_else(|| plan.clone())
}

fn rewritten(plan: &LogicalPlan, rows: usize) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            // Above the sort, only nodes that return exactly their input rows are allowed.
            // Otherwise more than the first rows of the sort could be needed.
            let keeps_rows = node.is::<ComputeNode>()
                || node.downcast_ref::<OperatorNode>()?.operator().keeps_rows();
            if !keeps_rows {
                return None;
            }
            let inputs = plan.inputs().into_iter().map(|input| rewritten(input, rows));
            plan.with_new_exprs(plan.expressions(), inputs.collect::<Option<_>>()?).ok()
        }
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
            // Rows are counted below the sort, because with a `fetch` it returns only some rows.
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

    /// Returns rows with unordered times.
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

//! The number of rows in the batches that the engine's own nodes make.
//!
//! A merge of spilled files holds one or two batches of each file in memory, and the engine limits
//! its batches only by rows. Rows with thousands of columns are large, so nodes with such rows use
//! smaller batches. Nodes between two operators use the same number of rows, because an operator
//! makes batches of its own: what is above one that turns wide rows into narrow ones must not work on
//! batches of a few narrow rows, of which a merge has thousands.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;

use super::{BatchRows, Operator, OperatorExec};
use crate::rows::cut::rows_of;

/// The largest number of rows in batches, here and outside of an operator that lowers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    here: usize,
    outside: usize,
}

impl Limit {
    /// Returns the limit in a task.
    fn of(task: &TaskContext) -> Self {
        let config = task.session_config();
        let rows = config.batch_size();
        config.get_extension::<Self>().map_or(Self { here: rows, outside: rows }, |limit| *limit)
    }

    /// Returns the limit below an operator.
    fn below(self, rows: BatchRows) -> Self {
        match rows {
            BatchRows::AtMost(rows) if rows < self.here => Self { here: rows, ..self },
            BatchRows::Restored => Self { here: self.outside, outside: self.outside },
            BatchRows::AtMost(_) | BatchRows::Unchanged => self,
        }
    }
}

/// Returns the task in which a whole plan runs.
pub(crate) fn of_plan(task: TaskContext, plan: &Arc<dyn ExecutionPlan>) -> TaskContext {
    match config(&task, Limit::of(&task), plan) {
        Some(config) => task.with_session_config(config),
        None => task,
    }
}

/// Returns the task in which the input of an operator runs; `columns` are those of its output.
pub(super) fn below(
    task: &Arc<TaskContext>,
    operator: &dyn Operator,
    columns: usize,
    input: &Arc<dyn ExecutionPlan>,
) -> Arc<TaskContext> {
    let limit = Limit::of(task).below(wanted(operator, columns));
    let Some(config) = config(task, limit, input) else {
        return task.clone();
    };
    Arc::new(TaskContext::new(
        task.task_id(),
        task.session_id(),
        config,
        task.scalar_functions().clone(),
        task.higher_order_functions().clone(),
        task.aggregate_functions().clone(),
        task.window_functions().clone(),
        task.runtime_env(),
    ))
}

/// Returns the rows of the batches that an operator reads. One that makes wide rows of narrow ones
/// returns as many rows as it reads, so it must not read more of them than fit when they are wide.
fn wanted(operator: &dyn Operator, columns: usize) -> BatchRows {
    match operator.batches_below() {
        BatchRows::Unchanged if operator.keeps_rows() => BatchRows::AtMost(rows_of(columns)),
        rows => rows,
    }
}

/// Returns the configuration with which a plan runs under a limit, or `None` if it is that of the
/// task.
fn config(
    task: &TaskContext,
    limit: Limit,
    plan: &Arc<dyn ExecutionPlan>,
) -> Option<SessionConfig> {
    let now = task.session_config();
    let rows = limit.here.min(fitting(plan));
    let is_same = rows == now.batch_size() && limit == Limit::of(task);
    let config = || now.clone().with_batch_size(rows).with_extension(Arc::new(limit));
    (!is_same).then(config)
}

/// Returns the rows of a batch that fit for all nodes of a plan down to its operators.
fn fitting(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let rows = rows_of(plan.schema().fields().len());
    if plan.downcast_ref::<OperatorExec>().is_some() {
        return rows;
    }
    plan.children().into_iter().map(fitting).fold(rows, usize::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operators::{Pack, SerialNumbers};
    use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS, VIEW};

    #[test]
    fn limits_end_where_they_are_restored() {
        let all = Limit { here: 8192, outside: 8192 };
        let few = all.below(BatchRows::AtMost(10));
        assert_eq!(few, Limit { here: 10, outside: 8192 });
        assert_eq!(few.below(BatchRows::AtMost(20)), few);
        assert_eq!(few.below(BatchRows::Unchanged), few);
        assert_eq!(few.below(BatchRows::Restored), all);
        let fewer = few.below(BatchRows::AtMost(5));
        assert_eq!(fewer, Limit { here: 5, outside: 8192 });
        assert_eq!(fewer.below(BatchRows::Restored), all);
        assert_eq!(all.below(BatchRows::Restored), all);
    }

    #[test]
    fn rows_that_become_wide_are_read_in_small_batches() {
        let widening = SerialNumbers { column: "n".to_owned() };
        assert_eq!(wanted(&widening, 10), BatchRows::AtMost(BATCH_ROWS));
        assert_eq!(wanted(&widening, BATCH_BYTES / VIEW / 10), BatchRows::AtMost(10));
        assert_eq!(wanted(&widening, usize::MAX / VIEW), BatchRows::AtMost(1));
        let narrowing = Pack { keys: 1 };
        assert_eq!(wanted(&narrowing, BATCH_BYTES), BatchRows::Restored);
    }
}

//! Chooses the number of rows per batch for a plan.
//!
//! A merge of spilled files holds one or two batches of each file in memory, and the engine limits
//! its batches only by rows. Rows with thousands of columns are large, so plans with such rows use
//! smaller batches. An aggregation that keeps values lowers the number by itself
//! (`operators::Unpack`).

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use crate::pool::SearchMemory;
use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS, VIEW};
use crate::stats::udaf;

/// Returns the task context for a plan, with the plan's batch size.
///
/// Also reports to the session's memory pool which aggregate functions of the plan keep values, so
/// that the message of a refusal can name them.
pub(crate) fn task_context(session: &SessionContext, plan: &Arc<dyn ExecutionPlan>) -> TaskContext {
    let mut statistics = BTreeSet::new();
    let rows = rows(plan, &mut statistics);
    if let Some(memory) = session.runtime_env().memory_pool.downcast_ref::<SearchMemory>() {
        memory.name_statistics(statistics);
    }
    if rows == BATCH_ROWS {
        return TaskContext::from(session);
    }
    let mut state = session.state();
    *state.config_mut() = session.copied_config().with_batch_size(rows);
    TaskContext::from(&state)
}

/// Returns the rows per batch, and adds the aggregate functions that keep values to `statistics`.
fn rows(plan: &Arc<dyn ExecutionPlan>, statistics: &mut BTreeSet<&'static str>) -> usize {
    // A null takes the memory of a string view, too.
    let columns = plan.schema().fields().len().max(1);
    let mut rows = (BATCH_BYTES / (columns * VIEW)).clamp(1, BATCH_ROWS);
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let functions = aggregate.aggr_expr().iter();
        statistics.extend(functions.flat_map(|one| udaf::keeps_values(one.fun())));
    }
    for child in plan.children() {
        rows = rows.min(self::rows(child, statistics));
    }
    rows
}

//! How many rows the engine's batches have in a plan.
//!
//! What was spilled is merged from several files, of each a batch or two in memory, and the engine counts
//! its batches in rows. Rows with thousands of columns are large, so that a batch of a plan that has them
//! is of fewer. What keeps the values of groups sees to itself (`operators::Unpack`).

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use crate::pool::SearchMemory;
use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS, VIEW};
use crate::stats::udaf;

/// Returns what a plan runs in.
pub(crate) fn task_context(session: &SessionContext, plan: &Arc<dyn ExecutionPlan>) -> TaskContext {
    let mut statistics = BTreeSet::new();
    let rows = rows(plan, &mut statistics);
    if let Some(memory) = session.runtime_env().memory_pool.downcast_ref::<SearchMemory>() {
        memory.name_statistics(statistics);
    }
    if rows == BATCH_ROWS {
        return TaskContext::from(&session.state());
    }
    let mut state = session.state();
    *state.config_mut() = session.copied_config().with_batch_size(rows);
    TaskContext::from(&state)
}

/// Returns the rows of a batch; adds the names of functions that keep values.
fn rows(plan: &Arc<dyn ExecutionPlan>, statistics: &mut BTreeSet<&'static str>) -> usize {
    // A cell without a value takes a view, too.
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

//! The task context of a plan, with the size of its batches.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

use crate::operators::batch_rows;
use crate::pool::SearchMemory;
use crate::stats::udaf;

/// Returns the task context for a plan, with the size of the plan's batches. An aggregation that
/// keeps values lowers it by itself (`operators::Unpack`).
///
/// Also reports to the session's memory pool which aggregate functions of the plan keep values, so
/// that the message of a refusal can name them.
pub(crate) fn task_context(session: &SessionContext, plan: &Arc<dyn ExecutionPlan>) -> TaskContext {
    if let Some(memory) = session.runtime_env().memory_pool.downcast_ref::<SearchMemory>() {
        let mut statistics = BTreeSet::new();
        add_statistics(plan, &mut statistics);
        memory.name_statistics(statistics);
    }
    batch_rows::of_plan(TaskContext::from(session), plan)
}

/// Adds the aggregate functions of a plan that keep values.
fn add_statistics(plan: &Arc<dyn ExecutionPlan>, statistics: &mut BTreeSet<&'static str>) {
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let functions = aggregate.aggr_expr().iter();
        statistics.extend(functions.flat_map(|one| udaf::keeps_values(one.fun())));
    }
    plan.children().into_iter().for_each(|child| add_statistics(child, statistics));
}

//! Running plans, and noticing what happens.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use crate::context::{Observations, SearchContext, Surroundings};
use crate::operators::observed;
use crate::planning::batch_rows;

impl SearchContext {
    /// Returns the task that a plan of the search runs in.
    #[must_use]
    pub fn task(&self, plan: &Arc<dyn ExecutionPlan>) -> Arc<TaskContext> {
        let surroundings = Surroundings { lookups: self.lookups.clone(), geo: self.geo.clone() };
        surroundings.around(batch_rows::task_context(&self.session, plan))
    }
}

/// Returns the physical plan of a plan.
///
/// # Errors
/// Fails if there is none.
pub(crate) async fn physical(
    plan: &LogicalPlan,
    context: &SearchContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    context.session.state().create_physical_plan(plan).await
}

/// Runs a plan. What it noticed is among the observations of `context` once the stream is at its end or
/// is dropped.
///
/// # Errors
/// What the engine fails with.
pub(crate) fn stream(
    plan: Arc<dyn ExecutionPlan>,
    context: &SearchContext,
) -> Result<SendableRecordBatchStream> {
    let stream = execute_stream(plan.clone(), context.task(&plan))?;
    let schema = stream.schema();
    let watch = Watch { plan, observations: context.observations.clone() };
    let watched = futures::stream::unfold((stream, watch), async |(mut stream, watch)| {
        stream.next().await.map(|batch| (batch, (stream, watch)))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, watched)))
}

/// Notes what a plan noticed when it has run.
struct Watch {
    plan: Arc<dyn ExecutionPlan>,
    observations: Arc<Observations>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observations.add(observed(&self.plan));
    }
}

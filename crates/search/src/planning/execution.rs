//! Runs plans and collects the counts of their operators.

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
    /// Returns the task context in which a plan of the search runs.
    #[must_use]
    pub fn task(&self, plan: &Arc<dyn ExecutionPlan>) -> Arc<TaskContext> {
        let surroundings = Surroundings { lookups: self.lookups.clone(), geo: self.geo.clone() };
        surroundings.around(batch_rows::task_context(&self.session, plan))
    }
}

/// Returns the physical plan of a logical plan.
///
/// # Errors
/// Fails if DataFusion cannot create one.
pub(crate) async fn physical(
    plan: &LogicalPlan,
    context: &SearchContext,
) -> Result<Arc<dyn ExecutionPlan>> {
    context.session.state().create_physical_plan(plan).await
}

/// Runs a plan and returns the stream of its batches. The plan's counts are added to the
/// observations of `context` when the stream ends or is dropped.
///
/// # Errors
/// Returns the engine's error if the plan cannot be started.
pub(crate) fn stream(
    plan: Arc<dyn ExecutionPlan>,
    context: &SearchContext,
) -> Result<SendableRecordBatchStream> {
    let stream = execute_stream(plan.clone(), context.task(&plan))?;
    let schema = stream.schema();
    // The stream owns `watch`, so that it is dropped with the stream.
    let watch = Watch { plan, observations: context.observations.clone() };
    let watched = futures::stream::unfold((stream, watch), async |(mut stream, watch)| {
        stream.next().await.map(|batch| (batch, (stream, watch)))
    });
    // Work that does not wait learns from `cancel` that it is of no more use.
    let (cancel, mut watched) = (context.cancel.clone(), Box::pin(watched));
    let watched =
        futures::stream::poll_fn(move |task| cancel.during(|| watched.poll_next_unpin(task)));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, watched)))
}

/// Adds a plan's counts to the observations when it is dropped, even if the stream was not read to
/// its end.
struct Watch {
    plan: Arc<dyn ExecutionPlan>,
    observations: Arc<Observations>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.observations.add(observed(&self.plan));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::context::Cancel;
    use crate::run;
    use crate::testing::{context, rows};

    #[tokio::test]
    async fn work_that_does_not_wait_ends_when_it_is_canceled() {
        let events: String =
            (0..2000).map(|n| format!("{{\"n\":\"{n}\",\"m\":[\"{n}\",\"a\"]}}\n")).collect();
        for search in [
            "| transaction n",
            "| strcat n n joined",
            "| foreach mode=multivalue m [eval t=mvappend(t, <<ITEM>>)]",
        ] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = asked.clone();
            let cancel = Cancel::when(move || count.fetch_add(1, Ordering::Relaxed) >= 20);
            let context = SearchContext { cancel, ..context(rows(&events), 64 << 20) };
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let ended = prepared.collect(&context).await.map_err(|diagnostic| diagnostic.code);
            assert_eq!(ended.err(), Some(Code::CANCELED), "{search}");
            let asked = asked.load(Ordering::Relaxed);
            // What is left of a batch after the signal is asked for, and not computed.
            assert!((20..10_000).contains(&asked), "{search}: {asked}");
        }
    }
}

//! A search from text to rows.

mod check;
pub mod codec;
pub mod first_rows;
pub(crate) mod optimizer;
pub mod outline;

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use indexmap::IndexSet;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Field;
use spilltrail_spl::{Expansion, Pipeline};

use self::first_rows::FirstRows;
use self::optimizer::FilterAtOnce;
use crate::analysis::{Analysis, analyze, has_errors};
use crate::commands::{self, pipeline};
use crate::context::SearchContext;
use crate::error::from_engine;
use crate::operators::{ComputeNode, OperatorNode, OperatorPlanner, gather};
use crate::planning::execution;
use crate::planning::plan::{Needs, Plan};
use crate::pool::{ProcessMemory, SearchMemory};
use crate::rows::Rows;
use crate::rows::cut::BATCH_ROWS;

/// Files that are merged at a time; what was spilled to more is merged in several rounds. Each takes a few
/// batches of memory, without which the operator that merges may have too little for its own.
const FAN_IN: usize = 8;

/// Makes DataFusion's session of one search: `memory` bytes in all, spilling to the system's temporary
/// folder.
///
/// # Errors
/// Fails if the temporary folder cannot be used.
pub fn session(memory: usize) -> Result<SessionContext, DataFusionError> {
    session_of(ProcessMemory::new(memory).search(memory))
}

/// Returns the session of another search, which may hold what `memory` says. All else is shared.
#[must_use]
pub fn session_with(session: &SessionContext, memory: Arc<SearchMemory>) -> SessionContext {
    let limit = memory.limit();
    let runtime = RuntimeEnv { memory_pool: memory, ..(*session.runtime_env()).clone() };
    let mut config = session.copied_config();
    config = config.with_sort_spill_reservation_bytes(merge_memory(limit));
    let state = SessionStateBuilder::new_from_existing(session.state())
        .with_config(config)
        .with_runtime_env(Arc::new(runtime))
        .build();
    SessionContext::new_with_state(state)
}

/// Returns what a sort sets aside for merging what it spilled. The engine's own 10 MiB would not leave
/// anything of a small limit.
fn merge_memory(limit: usize) -> usize {
    (limit / 16).min(10 << 20)
}

/// Makes the session of one search.
///
/// # Errors
/// As [`session`].
pub fn session_of(memory: Arc<SearchMemory>) -> Result<SessionContext, DataFusionError> {
    // Rows are in order, and one partition keeps them so; reading is parallel inside the source.
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_sort_spill_reservation_bytes(merge_memory(memory.limit()))
        // Batches that are sorted as one come out as slices of it, each of which counts as all.
        .with_sort_in_place_threshold_bytes((memory.limit() / 256).min(1 << 20))
        .with_information_schema(false);
    // The rules stand in an order in which none waits for what a later one does.
    config.options_mut().optimizer.max_passes = 1;
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(memory)
        .with_disk_manager_builder(
            DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::OsTmpDirectory)
                .with_max_spill_merge_fan_in(FAN_IN),
        )
        .build_arc()?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rules(optimizer::rules())
        .with_physical_optimizer_rule(Arc::new(FilterAtOnce))
        .with_query_planner(Arc::new(OperatorQueryPlanner))
        .build();
    Ok(SessionContext::new_with_state(state))
}

#[derive(Debug)]
struct OperatorQueryPlanner;

#[async_trait::async_trait]
impl datafusion::execution::context::QueryPlanner for OperatorQueryPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn datafusion::catalog::Session,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(OperatorPlanner)])
            .create_physical_plan(plan, state)
            .await
    }
}

/// A search that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The text after macro expansion, and the way back.
    pub expansion: Expansion,
}

/// Analyzes and plans a search: [`plan`] for a text that nothing else has to be known of.
///
/// # Errors
/// As [`plan`].
pub async fn prepare(
    text: &str,
    until: Option<&str>,
    context: &SearchContext,
) -> Result<Prepared, Vec<Diagnostic>> {
    plan(&analyze(text, &context.macros), until, context).await
}

/// Plans a search. Subsearches run now. With `until`, the pipeline ends before the first use of that
/// command.
///
/// # Errors
/// All diagnostics, placed in the text as it was written.
pub async fn plan(
    analysis: &Analysis,
    until: Option<&str>,
    context: &SearchContext,
) -> Result<Prepared, Vec<Diagnostic>> {
    let expansion = analysis.expansion.clone();
    let relocate = |diagnostics: Vec<Diagnostic>| -> Vec<Diagnostic> {
        diagnostics.into_iter().map(|diagnostic| expansion.relocate(diagnostic)).collect()
    };
    let warnings = match analysis.check() {
        Ok(warnings) => warnings,
        Err(mut diagnostics) => {
            if analysis.is_balanced() {
                diagnostics.extend(relocate(check::check(analysis.pipeline(), context)));
            }
            return Err(diagnostics);
        }
    };
    warnings.iter().for_each(|warning| context.observations.message(warning.clone()));
    let mut parsed = analysis.pipeline().clone();
    if let Some(until) = until {
        truncate(&mut parsed, until).map_err(|diagnostic| vec![diagnostic])?;
    }
    let found = check::check(&parsed, context);
    if has_errors(&found) {
        return Err(relocate(found));
    }
    found.into_iter().for_each(|warning| context.observations.message(warning));
    let plan =
        pipeline::plan_pipeline(&parsed, context, Needs::everything()).await.map_err(relocate)?;
    Ok(Prepared { plan, expansion })
}

/// Ends a pipeline before the first use of the command `until`, which may go by an alias.
fn truncate(pipeline: &mut Pipeline, until: &str) -> Result<(), Diagnostic> {
    let until = until.to_ascii_lowercase();
    let listed = |name: &str| commands::command(name).map(|entry| entry.doc.name);
    let is_wanted = |name: &str| {
        name == until
            || (listed(name).is_some_and(|listed_name| Some(listed_name) == listed(&until)))
    };
    let names = || pipeline.commands.iter().map(|command| command.name.value.as_str());
    if let Some(end) = names().position(is_wanted) {
        pipeline.commands.truncate(end);
        return Ok(());
    }
    let known: IndexSet<&str> = names().collect();
    let known = known.into_iter().collect::<Vec<_>>().join("`, `");
    let message = format!("the search has no command `{until}` to stop at");
    Err(Diagnostic::error(Code::BAD_ARGUMENT, message).help(format!("its commands are `{known}`")))
}

/// Returns true if a plan gives nothing for tables without rows.
fn needs_rows(plan: &LogicalPlan) -> bool {
    let needs = match plan {
        LogicalPlan::TableScan(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::SubqueryAlias(_) => true,
        // Without groups there is a row for nothing, too.
        LogicalPlan::Aggregate(aggregate) => !aggregate.group_expr.is_empty(),
        LogicalPlan::Extension(extension) => {
            let node = extension.node.as_any();
            node.is::<ComputeNode>()
                || node
                    .downcast_ref::<OperatorNode>()
                    .is_some_and(|node| node.operator().needs_rows())
        }
        _ => false,
    };
    needs && plan.inputs().into_iter().all(needs_rows)
}

impl Prepared {
    /// Returns the columns of the result in order.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.plan.fields().map(|(name, kind)| Field::new(name, kind)).collect()
    }

    /// Returns true if the search gives no row, and does nothing else, when it finds no event: then
    /// it need not run.
    #[must_use]
    pub fn needs_events(&self) -> bool {
        needs_rows(self.plan.logical())
    }

    /// Runs the search; rows come as they are ready.
    ///
    /// # Errors
    /// Fails if no physical plan can be made.
    pub async fn stream(
        &self,
        context: &SearchContext,
    ) -> Result<SendableRecordBatchStream, Diagnostic> {
        let plan = self.physical(context).await?;
        execution::stream(plan, context).map_err(|error| from_engine(&error))
    }

    /// Returns the physical plan: data that can be sent elsewhere ([`codec`]).
    ///
    /// # Errors
    /// Fails if no physical plan can be made.
    pub async fn physical(
        &self,
        context: &SearchContext,
    ) -> Result<Arc<dyn ExecutionPlan>, Diagnostic> {
        let plan = execution::physical(self.plan.logical(), context).await;
        plan.map_err(|error| from_engine(&error))
    }

    /// Runs the search as far as its first rows are concerned, and counts them all.
    ///
    /// # Errors
    /// As [`Prepared::stream`].
    pub async fn first(
        &self,
        rows: usize,
        context: &SearchContext,
    ) -> Result<FirstRows, Diagnostic> {
        let failed = |error: DataFusionError| from_engine(&error);
        let plan = first_rows::limited(self.plan.logical(), rows);
        let plan = execution::physical(&plan, context).await.map_err(failed)?;
        let stream = execution::stream(plan.clone(), context).map_err(failed)?;
        Ok(FirstRows::new(stream, rows, plan))
    }

    /// Runs the search and keeps its first rows in memory; returns them, and how many there are in all.
    ///
    /// # Errors
    /// What the engine fails with.
    pub async fn first_rows(
        &self,
        rows: usize,
        context: &SearchContext,
    ) -> Result<(Rows, u64), Diagnostic> {
        let mut first = self.first(rows, context).await?;
        let mut batches = Vec::new();
        while let Some(batch) = first.next().await? {
            let batch = gather::compacted(&batch);
            batches.push(batch.map_err(|error| crate::error::from_engine(&error))?);
        }
        Ok((Rows::new(self.fields(), batches, self.plan.transformed), first.count()))
    }

    /// Runs the search and keeps its rows in memory.
    ///
    /// # Errors
    /// What the engine fails with.
    pub async fn collect(&self, context: &SearchContext) -> Result<Rows, Diagnostic> {
        let mut stream = self.stream(context).await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(|error| from_engine(&error))?);
        }
        Ok(Rows::new(self.fields(), batches, self.plan.transformed))
    }

    /// Returns a diagnostic moved to the text as it was written.
    #[must_use]
    pub fn relocate(&self, diagnostic: Diagnostic) -> Diagnostic {
        self.expansion.relocate(diagnostic)
    }
}

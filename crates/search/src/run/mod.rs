//! Runs a search, from its text to its rows.

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
use self::optimizer::{FilterAtOnce, SpillingSorts};
use crate::analysis::{Analysis, analyze, has_errors};
use crate::commands::{self, pipeline};
use crate::context::SearchContext;
use crate::error::from_engine;
use crate::operators::{ComputeNode, OperatorNode, OperatorPlanner, gather};
use crate::planning::plan::{Needs, Plan};
use crate::planning::{eval, eval_udf, execution};
use crate::pool::{ProcessMemory, SearchMemory};
use crate::rows::Rows;
use crate::rows::cut::BATCH_ROWS;

/// The number of spilled files that are merged at a time; more files are merged in several rounds.
/// Each file takes a few batches of memory; too many would leave the merging operator too little.
const FAN_IN: usize = 8;

/// Creates the DataFusion session of one search, which may hold `memory` bytes and spills to the
/// system's temporary folder.
///
/// # Errors
/// Fails if the temporary folder cannot be used.
pub fn session(memory: usize) -> Result<SessionContext, DataFusionError> {
    session_of(ProcessMemory::new(memory).search(memory))
}

/// Returns a session for another search with its own memory pool; it shares everything else with
/// `session`. Both should have the same limit, because the rule that decides which sorts spill is
/// among what they share.
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

/// Returns the bytes that a sort reserves for merging its spilled files. The engine's default of 10
/// MiB would take all of a small limit.
fn merge_memory(limit: usize) -> usize {
    (limit / 16).min(10 << 20)
}

/// Creates the session of one search with the given memory pool.
///
/// # Errors
/// As [`session`].
pub fn session_of(memory: Arc<SearchMemory>) -> Result<SessionContext, DataFusionError> {
    // One partition keeps the rows in order. Reading is parallel inside the event source.
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_sort_spill_reservation_bytes(merge_memory(memory.limit()))
        // Batches are sorted one by one and merged. Sorted together, they become several batches
        // that share their text buffers. The memory pool counts these buffers for each batch, so
        // rows that just fitted into memory would need several times as much after sorting.
        .with_sort_in_place_threshold_bytes(0)
        .with_information_schema(false);
    // One pass is enough, because no rule depends on the result of a later one.
    config.options_mut().optimizer.max_passes = 1;
    let sorts = SpillingSorts::new(memory.limit());
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
        .with_physical_optimizer_rule(Arc::new(sorts))
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

/// A planned search that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The text after macro expansion, and the mapping back to the original text.
    pub expansion: Expansion,
}

/// Analyzes and plans a search whose rows are [shown](Prepared::shown), for callers that do not need
/// its [`Analysis`]; otherwise use [`plan`].
///
/// # Errors
/// As [`plan`].
pub async fn prepare(
    text: &str,
    until: Option<&str>,
    context: &SearchContext,
) -> Result<Prepared, Vec<Diagnostic>> {
    plan(&analyze(text, &context.macros), until, context).await?.shown(context)
}

/// Plans a search, and runs its subsearches. If `until` is set, the pipeline ends before the first
/// use of that command.
///
/// Its rows have the values of the fields, also of those that `fieldformat` shows in another form.
///
/// # Errors
/// Returns all diagnostics that were found; their positions refer to the text as the user wrote it.
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
            // If the boundaries of commands are reliable, their arguments are checked, too.
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

/// Replaces the fields that have a format by what the output shows of them.
fn formatted(plan: Plan, context: &SearchContext) -> Result<Plan, Diagnostic> {
    let (plan, formats) = plan.without_formats();
    let mut columns = Vec::with_capacity(formats.len());
    for (name, format) in formats {
        // Without a field that the expression reads, the output shows the value itself.
        if eval::field_names(&format).iter().any(|read| plan.kind(read).is_none()) {
            continue;
        }
        let compiled = eval::expression(&format, &plan, context)?;
        let kind = compiled.storable()?;
        columns.push((name, eval_udf::into_expr(compiled), kind));
    }
    plan.with_columns(columns).map_err(|error| from_engine(&error))
}

/// Ends a pipeline before the first use of the command `until`; either may be written as an alias.
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

/// Returns true if a plan returns no rows when its tables have none.
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
        // Without BY fields, an aggregate returns one row even without input.
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
    /// Returns the search with the forms that `fieldformat` gives to fields in place of their
    /// values, for rows that people read.
    ///
    /// # Errors
    /// Returns what is wrong with a form.
    pub fn shown(mut self, context: &SearchContext) -> Result<Self, Vec<Diagnostic>> {
        let expansion = &self.expansion;
        self.plan = formatted(self.plan, context)
            .map_err(|diagnostic| vec![expansion.relocate(diagnostic)])?;
        Ok(self)
    }

    /// Returns the columns of the result, in order.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.plan.fields().map(|(name, kind)| Field::new(name, kind)).collect()
    }

    /// Returns true if the search has no rows and no other effects when no events match. Such a
    /// search need not run then.
    #[must_use]
    pub fn needs_events(&self) -> bool {
        needs_rows(self.plan.logical())
    }

    /// Runs the search, and returns a stream of its rows as they become available.
    ///
    /// # Errors
    /// Fails if the engine cannot create or start a physical plan.
    pub async fn stream(
        &self,
        context: &SearchContext,
    ) -> Result<SendableRecordBatchStream, Diagnostic> {
        let plan = self.physical(context).await?;
        execution::stream(plan, context).map_err(|error| from_engine(&error))
    }

    /// Returns the physical plan, which can be encoded and sent to another process; see [`codec`].
    ///
    /// # Errors
    /// Fails if the engine cannot create a physical plan.
    pub async fn physical(
        &self,
        context: &SearchContext,
    ) -> Result<Arc<dyn ExecutionPlan>, Diagnostic> {
        let plan = execution::physical(self.plan.logical(), context).await;
        plan.map_err(|error| from_engine(&error))
    }

    /// Runs the search, and returns a stream of its first `rows` rows that also counts all rows.
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

    /// Runs the search, and returns its first `rows` rows and the total number of rows.
    ///
    /// # Errors
    /// Fails if the search fails.
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

    /// Runs the search, and returns its rows in memory.
    ///
    /// # Errors
    /// Fails if the search fails.
    pub async fn collect(&self, context: &SearchContext) -> Result<Rows, Diagnostic> {
        let mut stream = self.stream(context).await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch.map_err(|error| from_engine(&error))?);
        }
        Ok(Rows::new(self.fields(), batches, self.plan.transformed))
    }

    /// Returns a diagnostic whose positions refer to the text as the user wrote it.
    #[must_use]
    pub fn relocate(&self, diagnostic: Diagnostic) -> Diagnostic {
        self.expansion.relocate(diagnostic)
    }
}

//! Planning of pipelines in three steps: parse all commands, collect their needs from the last to
//! the first, then plan them from the first to the last.

use std::borrow::Cow;

use datafusion::common::DataFusionError;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Demand, Predicate};
use spilltrail_spl::{Pipeline, SearchExpr};

use super::lacking::TableFields;
use super::named::adds;
use super::{Command, CommandKind, Entry, Stage, classes};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};
use crate::planning::scan::scan;

/// One command of a pipeline, with parsed arguments.
pub(crate) struct Step {
    pub(crate) entry: &'static Entry,
    pub(crate) command: Box<dyn Command>,
    /// The index of the command in the pipeline.
    pub(crate) index: usize,
    span: spilltrail_diagnostic::Span,
}

/// Plans a pipeline whose rows must have the fields and the order in `needs`.
///
/// # Errors
/// Returns all diagnostics of the pipeline's commands, or the one that stopped planning.
pub(crate) async fn plan_pipeline(
    pipeline: &Pipeline,
    context: &SearchContext,
    needs: Needs,
) -> Result<Plan, Vec<Diagnostic>> {
    let mut steps = read(pipeline)?;
    follow_source(&mut steps, context);
    classes::warn(&steps, context);
    let input = match steps.first() {
        Some(first) if first.entry.doc.kind != CommandKind::Generating && !is_search(first) => {
            pipeline_input(context)
                .await
                .map_err(|error| vec![crate::error::from_engine(&error)])?
        }
        _ => None,
    };
    plan_steps(&steps, pipeline, input, context, needs).await.map_err(|diagnostic| vec![diagnostic])
}

/// Plans a pipeline on top of the rows of an existing plan, for commands such as `appendpipe`.
///
/// # Errors
/// Returns the same diagnostics as [`plan_pipeline`].
pub(crate) async fn plan_on(
    input: Plan,
    pipeline: &Pipeline,
    context: &SearchContext,
    needs: Needs,
) -> Result<Plan, Vec<Diagnostic>> {
    let steps = read(pipeline)?;
    plan_steps(&steps, pipeline, Some(input), context, needs)
        .await
        .map_err(|diagnostic| vec![diagnostic])
}

/// Returns what a pipeline needs of the rows it is planned on.
///
/// # Errors
/// Returns all diagnostics of the pipeline's commands.
pub(crate) fn needs_of(pipeline: &Pipeline, after: Needs) -> Result<Needs, Vec<Diagnostic>> {
    let steps = read(pipeline)?;
    Ok(steps.iter().rev().fold(after, |needs, step| step.command.needs(needs)))
}

impl Lineage {
    /// Updates the lineage for all commands of a pipeline. Commands with errors are skipped.
    pub(crate) fn follow(&mut self, pipeline: &Pipeline) {
        let (steps, _) = read_all(pipeline);
        steps.iter().for_each(|step| step.command.trace(self));
    }

    /// Updates the lineage for the rows of a subsearch that are appended.
    pub(crate) fn append_rows_of(&mut self, subsearch: &Pipeline) {
        let mut added = Self::default();
        added.follow(subsearch);
        self.append(added);
    }
}

/// Lets the commands right after a leading search read parts of `_raw`, if the source has them.
fn follow_source(steps: &mut [Step], context: &SearchContext) {
    let Some((first, rest)) = steps.split_first_mut() else { return };
    if is_search(first) && context.events.gives_parts_of_raw() {
        // Stops after the first command whose output no longer comes straight from the source.
        let _ = rest.iter_mut().all(|step| step.command.follows_source());
    }
}

/// Returns what the events of pipelines meet: those of one of them. `None` if one of them reads no
/// events, or others than those that its first command asks for.
pub(crate) fn picks<'p, 'r>(
    pipelines: impl IntoIterator<Item = &'p Pipeline>,
) -> Option<Cow<'r, SearchExpr>> {
    let picked = pipelines.into_iter().map(|pipeline| {
        let first = pipeline.commands.first().filter(|_| !adds_events(pipeline))?;
        let command = super::command(&first.name.value)?.read(first).0?;
        command.picks().map(Cow::into_owned)
    });
    picked.collect::<Option<Vec<SearchExpr>>>().map(|all| Cow::Owned(SearchExpr::Or(all)))
}

/// Returns true if a command after the first one may add rows of other events than the first one reads.
pub(crate) fn adds_events(pipeline: &Pipeline) -> bool {
    pipeline.commands.iter().skip(1).any(|command| {
        let name = command.name.value.as_str();
        // The events behind the rows of a join are those of its left side. Behind other rows, a command
        // that makes its own rows appends them.
        let makes_rows =
            || super::command(name).is_some_and(|entry| entry.doc.kind == CommandKind::Generating);
        name != "join" && (adds(name) || makes_rows())
    })
}

/// Returns what the commands after a leading search need of the events.
///
/// # Errors
/// Returns all diagnostics of the pipeline's commands.
pub(crate) fn needs_of_events(
    pipeline: &Pipeline,
    context: &SearchContext,
    after: Needs,
) -> Result<Needs, Vec<Diagnostic>> {
    let mut steps = read(pipeline)?;
    follow_source(&mut steps, context);
    Ok(steps.iter().skip(1).rev().fold(after, |needs, step| step.command.needs(needs)))
}

/// Returns the field names that a search expression made from a pipeline's rows compares, or
/// `None` if they are not known before the pipeline runs.
pub(crate) fn compared_of(pipeline: &Pipeline) -> Option<Vec<String>> {
    let steps = read(pipeline).ok()?;
    let (last, before) = steps.split_last()?;
    let names = before.iter().fold(None, |names, step| step.command.output(names));
    last.command.compared(names)
}

/// Returns the field names that the rows of a pipeline can have, given those of its input rows; `None` if
/// they are not known before it runs.
pub(crate) fn output_of(pipeline: &Pipeline, before: Option<Vec<String>>) -> Option<Vec<String>> {
    let steps = read(pipeline).ok()?;
    steps.iter().fold(before, |names, step| step.command.output(names))
}

/// Returns the field names `before` with those of the rows of a pipeline inside a command, which gets rows
/// with the names `given`.
pub(crate) fn with_output_of(
    inside: &Pipeline,
    given: Option<Vec<String>>,
    before: Option<Vec<String>>,
) -> Option<Vec<String>> {
    let mut names = before?;
    for name in output_of(inside, given)? {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

fn is_search(step: &Step) -> bool {
    step.entry.doc.name == "search"
}

fn read(pipeline: &Pipeline) -> Result<Vec<Step>, Vec<Diagnostic>> {
    let (steps, diagnostics) = read_all(pipeline);
    if diagnostics.is_empty() { Ok(steps) } else { Err(diagnostics) }
}

/// Parses all commands; returns those without errors, and the diagnostics of the others.
pub(crate) fn read_all(pipeline: &Pipeline) -> (Vec<Step>, Vec<Diagnostic>) {
    let mut steps = Vec::new();
    let mut diagnostics = Vec::new();
    for (index, written) in pipeline.commands.iter().enumerate() {
        let Some(entry) = super::command(&written.name.value) else {
            diagnostics.push(super::unknown(&written.name.value, written.name.span));
            continue;
        };
        match entry.read(written) {
            (Some(command), _) => {
                steps.push(Step { entry, command, index, span: written.name.span });
            }
            (None, wrong) => diagnostics.extend(wrong),
        }
    }
    (steps, diagnostics)
}

async fn plan_steps(
    steps: &[Step],
    pipeline: &Pipeline,
    input: Option<Plan>,
    context: &SearchContext,
    needs: Needs,
) -> Result<Plan, Diagnostic> {
    // The needs of the rest of the pipeline after each command, collected from the last command.
    let mut after = vec![needs];
    for step in steps.iter().rev() {
        let needs = step.command.needs(after[after.len() - 1].clone());
        after.push(needs);
    }
    after.reverse();
    // `after[0]` has the needs of the first command, so the needs after it begin at index 1.
    let mut plan = input;
    let mut of_table: Option<TableFields> = None;
    for (step, after) in steps.iter().zip(&after[1..]) {
        let stage = Stage { context, after, span: step.span };
        let begins = plan.is_none();
        let planned = step.command.plan(plan, &stage).await?;
        of_table = match of_table {
            None if begins => TableFields::of(step, &planned),
            None => None,
            Some(fields) => fields.follow(step, pipeline, context),
        };
        plan = Some(planned.within_limits().map_err(|error| stage.refused(error))?);
    }
    plan.ok_or_else(|| {
        Diagnostic::error(Code::EMPTY_COMMAND, "the search is empty")
            .help("use `*` for every event")
    })
}

/// Returns the input of a pipeline that begins with a pipe and an ordinary command, or `None` if
/// the source provides no rows for it.
async fn pipeline_input(context: &SearchContext) -> Result<Option<Plan>, DataFusionError> {
    if !context.events.is_pipeline_input() {
        return Ok(None);
    }
    scan(context, Predicate::All, &Demand::all()).await.map(Some)
}

//! Searches after the first one that ask for event types and tags.

use spilltrail_knowledge::is_class;
use spilltrail_spl::{Pipeline, SearchExpr, parse_search};

use super::pipeline::Step;
use crate::context::SearchContext;
use crate::planning::classes::{compared_field, is_comparison};
use crate::planning::facts::Facts;
use crate::planning::predicate::conjuncts;

/// Warns of event types and tags that nothing defines in the searches that filter the events of a
/// pipeline, unless a command before may have made the fields.
pub(crate) fn warn(steps: &[Step], context: &SearchContext) {
    if context.events.indexed_fields().is_none() {
        return;
    }
    for step in after_events(steps) {
        let mut facts = Facts::default();
        step.command.facts(&mut facts);
        // What a command makes itself, as `eval tag=…` does, is not that of the events.
        let made = step.command.output(Some(Vec::new())).unwrap_or_default();
        let is_of_events = |comparison: &&SearchExpr| {
            compared_field(comparison).is_none_or(|field| !made.iter().any(|name| name == field))
        };
        for comparison in facts.classes.iter().filter(is_of_events) {
            let undefined = context.knowledge.undefined(comparison);
            undefined.into_iter().for_each(|warning| context.observations.message(warning));
        }
    }
}

/// Returns the comparisons with event types and tags that every row of a pipeline satisfies, in the
/// searches that filter its events, unless a command before may have made the fields.
pub(crate) fn required(pipeline: &Pipeline, steps: &[Step]) -> Vec<SearchExpr> {
    let mut found = Vec::new();
    for step in after_events(steps) {
        let Some(written) = pipeline.commands.get(step.index) else { break };
        if step.entry.doc.name != "search" {
            continue;
        }
        let Ok(expression) = parse_search(&written.arguments.value) else { continue };
        let parts = conjuncts(std::slice::from_ref(&expression)).into_iter();
        found.extend(parts.filter(|part| is_comparison(part)).cloned());
    }
    found
}

/// Returns the commands whose input rows have the event types and tags of the events that the first
/// command reads.
fn after_events(steps: &[Step]) -> &[Step] {
    let Some((first, rest)) = steps.split_first() else { return &[] };
    let reads_events = first.command.picks().is_some() && !may_make_classes(first);
    if first.index != 0 || !(reads_events || reads_model(first)) {
        return &[];
    }
    let last = rest.iter().position(may_make_classes);
    last.map_or(rest, |last| &rest[..=last])
}

/// Returns true if a command reads the events of a data model.
fn reads_model(step: &Step) -> bool {
    let mut facts = Facts::default();
    step.command.facts(&mut facts);
    // `from` stands for a pipeline of another command.
    let mut inside = facts.take_nested().into_iter();
    let names_model = |pipeline: &Pipeline| {
        pipeline.commands.first().is_some_and(|command| command.name.value == "datamodel")
    };
    !facts.data_models.is_empty() || inside.any(|nested| names_model(&nested.pipeline))
}

/// Returns true if a command may give its rows other values of the fields.
fn may_make_classes(step: &Step) -> bool {
    let kept = match step.entry.doc.name {
        "filldown" | "fillnull" | "rename" | "replace" => return true,
        // The last two add those that something defines.
        "table" | "tags" | "typer" => return false,
        _ => step.command.grouping().unwrap_or_default(),
    };
    let is_made = |name: &String| is_class(name) && !kept.contains(name);
    step.command.output(Some(Vec::new())).is_none_or(|made| made.iter().any(is_made))
}

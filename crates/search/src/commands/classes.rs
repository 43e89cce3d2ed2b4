//! Searches after the first one that ask for event types and tags.

use spilltrail_spl::{Pipeline, SearchExpr, parse_search};

use super::pipeline::Step;
use crate::context::SearchContext;
use crate::planning::classes::{FIELDS, is_comparison};
use crate::planning::facts::Facts;
use crate::planning::predicate::conjuncts;

/// Warns of event types and tags that nothing defines in the searches that filter the events of a
/// pipeline, unless a command before may have made the fields.
pub(crate) fn warn(steps: &[Step], context: &SearchContext) {
    if context.events.indexed_fields().is_none() {
        return;
    }
    for step in steps.iter().skip(1) {
        let mut facts = Facts::default();
        step.command.facts(&mut facts);
        for comparison in &facts.classes {
            let undefined = context.knowledge.undefined(comparison);
            undefined.into_iter().for_each(|warning| context.observations.message(warning));
        }
        if may_make_classes(step) {
            return;
        }
    }
}

/// Returns the comparisons with event types and tags that every row of a pipeline satisfies, in the
/// searches that filter its events, unless a command before may have made the fields.
pub(crate) fn required(pipeline: &Pipeline, steps: &[Step]) -> Vec<SearchExpr> {
    let mut found = Vec::new();
    for step in steps.iter().skip(1).take_while(|step| !may_make_classes(step)) {
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

/// Returns true if a command may give its rows other values of the fields.
fn may_make_classes(step: &Step) -> bool {
    let kept = match step.entry.doc.name {
        "rename" => return true,
        "table" => return false,
        _ => step.command.grouping().unwrap_or_default(),
    };
    let is_made = |name: &String| FIELDS.contains(&name.as_str()) && !kept.contains(name);
    step.command.output(Some(Vec::new())).is_none_or(|made| made.iter().any(is_made))
}

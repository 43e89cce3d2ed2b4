//! Subsearches that may return more rows than Splunk uses of them.

use spilltrail_diagnostic::{Code, Span};

use super::{Doubt, Weight};
use crate::{Arguments, Command, Pipeline, SearchExpr};

/// The rows of a subsearch in an expression that Splunk uses.
const IN_EXPRESSION: &str = "10,000";
/// The rows of a subsearch of `join`, `append`, `appendcols` and `set` that Splunk uses.
const AS_ROWS: &str = "50,000";

/// Commands that leave few rows of many.
const REDUCE: &[&str] = &[
    "chart",
    "dedup",
    "head",
    "mstats",
    "rare",
    "return",
    "stats",
    "tail",
    "timechart",
    "top",
    "tstats",
    "where",
    "addcoltotals",
    "sistats",
    "transaction",
];

/// Finds subsearches that return every event that they find.
pub(super) fn of_subsearches(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    for command in &pipeline.commands {
        for (inner, limit) in subsearches(command) {
            if let Some(span) = unbounded(&inner) {
                let message = format!(
                    "the subsearch returns every event that it finds, and only {limit} rows of a subsearch are used"
                );
                let doubt = Doubt::new(Weight::Advice, Code::NEAR_LIMIT, message, span);
                found.push(doubt.help("let it return each value once, with `stats` or `dedup`"));
            }
        }
    }
}

/// Returns the subsearches of a command, with the most rows that are used of them.
fn subsearches(command: &Command) -> Vec<(Pipeline, &'static str)> {
    match command.name.value.as_str() {
        "search" => {
            let Ok(expression) = Arguments::new(command).search() else { return Vec::new() };
            let mut inner = Vec::new();
            expression.walk(&mut |part| {
                if let SearchExpr::Subsearch { pipeline, .. } = part {
                    inner.push((pipeline.as_ref().clone(), IN_EXPRESSION));
                }
            });
            inner
        }
        "join" | "append" | "appendcols" => {
            let mut arguments = Arguments::new(command);
            loop {
                if let Some(inner) = arguments.subsearch() {
                    return inner.ok().into_iter().map(|inner| (inner, AS_ROWS)).collect();
                }
                let is_read = arguments.any_option().is_some()
                    || arguments.symbol(",").is_some()
                    || arguments.field().is_ok();
                if !is_read {
                    return Vec::new();
                }
            }
        }
        "set" => {
            let mut arguments = Arguments::new(command);
            arguments.word();
            let searches = std::iter::from_fn(|| arguments.subsearch());
            searches.map_while(Result::ok).map(|inner| (inner, AS_ROWS)).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the place of the leading search of a pipeline that returns all events which it finds.
fn unbounded(pipeline: &Pipeline) -> Option<Span> {
    let first = pipeline.commands.first().filter(|first| first.name.value == "search")?;
    let is_bounded = |command: &Command| REDUCE.contains(&command.name.value.as_str());
    let reads_events = !pipeline.leading_pipe || first.name.span.start < first.name.span.end;
    (reads_events && !pipeline.commands.iter().any(is_bounded)).then_some(first.arguments.span)
}

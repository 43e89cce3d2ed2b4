//! `eventcount`: counts the events of the logs.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, Pipeline, parse as parse_search};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{pipeline, subsearch};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "eventcount",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Count the events of the logs, all together or for each index.",
    syntax: "eventcount [index=<text>] … [summarize=<bool>] [list_vix=<bool>]",
    arguments: &[
        Argument::option("index", Takes::Text).doc(
            "The index whose events are counted; it may be written several times. Default: all.",
        ),
        Argument::option("summarize", Takes::Bool)
            .default("true")
            .doc("Whether there is one count of all events, or one for each index."),
        Argument::option("report_size", Takes::Bool)
            .default("false")
            .refused("the size of an index is not known")
            .doc("Whether to report the size of each index."),
        Argument::option("list_vix", Takes::Bool)
            .default("true")
            .no_effect("there are no virtual indexes")
            .doc("Whether to list virtual indexes."),
    ],
    examples: &[
        Example {
            title: "All events",
            events: "{\"_time\":1,\"n\":\"1\"}\n{\"_time\":2,\"n\":\"2\"}",
            search: "| eventcount",
            results: r#"{"count":2}"#,
        },
        Example {
            title: "For each index",
            events: "{\"_time\":1,\"index\":\"a\"}\n{\"_time\":2,\"index\":\"b\"}\n{\"_time\":3,\"index\":\"b\"}",
            search: "| eventcount summarize=false index=* | table index count",
            results: "{\"index\":\"a\",\"count\":1}\n{\"index\":\"b\",\"count\":2}",
        },
    ],
    differs: &[
        "The events are read and counted; those outside of the time range of the run are not.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// A command that stands for a search over the events.
#[derive(Debug)]
pub(super) struct OverEvents {
    pub(super) search: Pipeline,
    pub(super) outputs: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    // `index` may be written several times, and each counts.
    let mut indexes = Vec::new();
    let mut ahead = arguments.clone();
    while let Some((name, value)) = ahead.any_option() {
        if name.value.eq_ignore_ascii_case("index") {
            indexes.push(value.value);
        }
    }
    let mut once = arguments.clone();
    once.finish_with_options()?;
    let repeated = indexes.len().saturating_sub(1);
    let summarizes: bool = once.value("summarize");
    let mut skipped = 0;
    for diagnostic in once.into_reported() {
        // The warnings of an option that is written twice do not apply to `index`.
        if skipped < repeated && diagnostic.message == "`index` is written twice" {
            skipped += 1;
            continue;
        }
        arguments.report(diagnostic);
    }
    let by = if summarizes { "" } else { " by index" };
    let search = format!("search {} | stats count{by}", of_indexes(&indexes));
    let outputs = if summarizes { vec!["count"] } else { vec!["index", "count"] };
    Ok(over_events(&search, &outputs, arguments))
}

/// Returns the expression for the events of these indexes.
pub(super) fn of_indexes(indexes: &[String]) -> String {
    let compared =
        |index: &String| format!("index=\"{}\"", index.replace('\\', "\\\\").replace('"', "\\\""));
    match indexes {
        [] => "*".to_owned(),
        indexes => format!("({})", indexes.iter().map(compared).collect::<Vec<_>>().join(" OR ")),
    }
}

/// Returns the command that stands for a search, whose text is not the user's.
pub(super) fn over_events(
    text: &str,
    outputs: &[&str],
    arguments: &Arguments<'_>,
) -> Box<dyn Command> {
    let (mut search, problems) = parse_search(text);
    debug_assert!(problems.is_empty(), "{text}: {problems:?}");
    let span = arguments.span();
    search.span = span;
    for command in &mut search.commands {
        command.name.span = span;
        command.arguments.span = span;
    }
    let outputs = outputs.iter().map(|name| (*name).to_owned()).collect();
    Box::new(OverEvents { search, outputs })
}

#[async_trait]
impl Command for OverEvents {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.search], ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(self.outputs.clone())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        pipeline::plan_pipeline(&self.search, stage.context, stage.after.clone())
            .await
            .map_err(subsearch::first)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.follow(&self.search);
    }
}

//! `eventstats`: adds to each row the statistics of its group.

pub(super) mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexSet;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, StatsArguments};

use self::operator::EventStatistics;
use super::stats::sparklines;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::aggregate::{self, Grouping};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "eventstats",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Add to every row the statistics of all rows, or of its group.",
    syntax: "eventstats [allnum=<bool>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …]",
    arguments: &[
        Argument::option("allnum", Takes::Bool)
            .default("false")
            .doc("Whether a value that is not a number suppresses the statistic of its group."),
        Argument::positional("function", Takes::Statistics)
            .doc("The statistics, each with an optional name after `AS`."),
        Argument::keyword("BY", Takes::Fields).doc("The fields to group by."),
    ],
    examples: &[
        Example {
            title: "Each row with the average of all rows",
            events: r#"{"user":"ann","n":"2"}
{"user":"bob","n":"4"}"#,
            search: "| eventstats avg(n) as mean",
            results: r#"{"user":"ann","n":"2","mean":3}
{"user":"bob","n":"4","mean":3}"#,
        },
        Example {
            title: "Each row with the count of its group; a row without the field gets no count",
            events: r#"{"user":"ann","n":"2"}
{"n":"4"}
{"user":"ann"}"#,
            search: "| eventstats count by user",
            results: r#"{"user":"ann","n":"2","count":2}
{"n":"4"}
{"user":"ann","count":2}"#,
        },
    ],
    differs: &[
        "A row with a multivalue BY field counts in the group of each value, and gets the statistics of the group of its first value.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::EventStatistics>("event_statistics");

#[derive(Debug)]
struct EventStats {
    arguments: StatsArguments,
    grouping: Grouping,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let parsed = aggregate::arguments(arguments)?;
    arguments.finish()?;
    let grouping = Grouping { all_numbers: arguments.value("allnum") };
    Ok(Box::new(EventStats { arguments: parsed, grouping }))
}

#[async_trait]
impl Command for EventStats {
    fn parts(&self) -> Parts<'_> {
        Parts { operands: aggregate::expressions(&self.arguments.aggregates), ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        aggregate::needs_beside(after, &self.arguments)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(aggregate::output_names(&self.arguments.aggregates)?);
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let mut names: IndexSet<String> = input.names().into_iter().collect();
        let by = aggregate::names(&self.arguments.by);
        let aggregates = &self.arguments.aggregates;
        let preparation =
            sparklines::prepared(input, aggregates, &by, self.grouping, stage).await?;
        for aggregate in &preparation.aggregates {
            names.insert(aggregate.output.clone());
        }
        let names: Vec<String> = names.into_iter().collect();
        // A delimiter set for the old values of a field does not apply to the new results.
        let aggregates = preparation.aggregates;
        let plan = preparation.plan.forgetting(aggregates.iter().map(|made| made.output.as_str()));
        let operator = EventStatistics { aggregates: aggregates.clone(), by };
        let plan = aggregate::cut_lists(plan.operator(Arc::new(operator)), &aggregates, stage);
        plan.select(&names).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(aggregate::outputs(&self.arguments.aggregates));
    }
}

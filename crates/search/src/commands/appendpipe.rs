//! `appendpipe`: runs commands on the input rows, and adds the resulting rows after them.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, Pipeline};

use super::append::subsearch_and_options;
use super::pipeline;
use super::subsearch;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Append;
use crate::planning::facts::{Facts, Role};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "appendpipe",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Run commands on the results, and append their output to the results.",
    syntax: "appendpipe [run_in_preview=<bool>] [<commands>]",
    arguments: &[
        Argument::option("run_in_preview", Takes::Bool)
            .default("true")
            .no_effect("there are no previews of results")
            .doc("Whether the commands also run for previews."),
        Argument::positional("commands", Takes::Subsearch).doc("The commands to run."),
    ],
    examples: &[
        Example {
            title: "A row with the total",
            events: "{\"user\":\"ann\",\"n\":\"2\"}\n{\"user\":\"bob\",\"n\":\"3\"}",
            search: "| appendpipe [stats sum(n) as n | eval user=\"all\"] | table user n",
            results: "{\"user\":\"ann\",\"n\":\"2\"}\n{\"user\":\"bob\",\"n\":\"3\"}\n{\"user\":\"all\",\"n\":\"5\"}",
        },
        Example {
            title: "The largest value as a row below the table",
            events: "{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| appendpipe [| stats max(n) as n]",
            results: "{\"n\":\"2\"}\n{\"n\":\"3\"}\n{\"n\":\"3\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct AppendPipe {
    commands: Pipeline,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let commands = subsearch_and_options(arguments)?;
    Ok(Box::new(AppendPipe { commands }))
}

#[async_trait]
impl Command for AppendPipe {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.commands], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        // A faulty pipeline adds no needs here; planning it reports the error.
        let Ok(mut needs) = pipeline::needs_of(&self.commands, after.clone()) else { return after };
        needs.fields.extend(&after.fields);
        needs.order |= after.order;
        needs
    }

    fn facts(&self, facts: &mut Facts) {
        facts.nested(&self.commands, Role::Piped);
    }

    fn reads(&self) -> Vec<String> {
        // Its own commands read.
        Vec::new()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        pipeline::with_output_of(&self.commands, before.clone(), before)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        // Both the output and the commands use the rows. Running the input once and storing its
        // rows is cheaper than planning the input twice.
        let rows = subsearch::collect(input, stage.context, None).await.map_err(refused)?;
        let plan = rows.into_plan().map_err(refused)?;
        let needs = Needs { order: true, ..stage.after.clone() };
        let added = pipeline::plan_on(plan.clone(), &self.commands, stage.context, needs)
            .await
            .map_err(subsearch::first)?;
        let added = subsearch::collect(added, stage.context, None).await.map_err(refused)?;
        Append::on(plan, added).map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let mut added = lineage.clone();
        added.follow(&self.commands);
        lineage.append(added);
    }
}

//! `multisearch`: runs several searches for events, and returns the events of all.

use std::borrow::Cow;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields;
use spilltrail_spl::{Arguments, Pipeline, SearchExpr};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{pipeline, subsearch};
use crate::context::Purpose;
use crate::lineage::Lineage;
use crate::planning::order;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "multisearch",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Run several searches for events, and return the events of all, newest first.",
    syntax: "multisearch [<subsearch>] [<subsearch>] …",
    arguments: &[Argument::positional("subsearch", Takes::Subsearch).doc(
        "At least two searches. Each has only commands that work row by row, such as `eval`.",
    )],
    examples: &[
        Example {
            title: "Two searches, each with a field of its own",
            events: "{\"_time\":1,\"n\":\"1\"}\n{\"_time\":2,\"n\":\"2\"}\n{\"_time\":3,\"n\":\"3\"}",
            search: "| multisearch [search n=1 | eval kind=\"one\"] [search n=3 | eval kind=\"three\"] | table n kind",
            results: "{\"n\":\"3\",\"kind\":\"three\"}\n{\"n\":\"1\",\"kind\":\"one\"}",
        },
        Example {
            title: "An event that two searches find is there twice",
            events: r#"{"_time":1,"n":"1"}"#,
            search: "| multisearch [search n=1] [search n=*] | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct MultiSearch {
    searches: Vec<Pipeline>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut searches = Vec::new();
    while let Some(search) = arguments.subsearch() {
        searches.push(search?);
        arguments.symbol(",");
    }
    arguments.finish()?;
    if searches.len() < 2 {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected at least two searches")
            .at(arguments.span())
            .help("for example `multisearch [search a=1] [search b=2]`"));
    }
    for command in searches.iter().flat_map(|search: &Pipeline| &search.commands) {
        let Some(entry) = super::command(&command.name.value) else { continue };
        let is_streaming = entry.doc.kind == CommandKind::DistributableStreaming;
        if !is_streaming && entry.doc.name != "search" {
            let message =
                format!("`{}` cannot be in a search of `multisearch`", command.name.value);
            arguments.report(
                Diagnostic::error(Code::BAD_ARGUMENT, message)
                    .at(command.name.span)
                    .help("`append` and `union` take any search"),
            );
        }
    }
    Ok(Box::new(MultiSearch { searches }))
}

#[async_trait]
impl Command for MultiSearch {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: self.searches.iter().collect(), ..Parts::default() }
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        pipeline::picks(&self.searches)
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let refused = |error| stage.refused(error);
        let context = stage.context.nested(Purpose::Used);
        let needs = Needs { order: true, ..stage.after.clone() }.and([fields::TIME]);
        let mut all = Vec::new();
        for search in &self.searches {
            let plan = pipeline::plan_pipeline(search, &context, needs.clone())
                .await
                .map_err(subsearch::first)?;
            all.push(subsearch::collect(plan, &context, None).await.map_err(refused)?);
        }
        let rows = subsearch::together(all, stage.context).map_err(refused)?;
        let plan = rows.into_plan().map_err(refused)?;
        match plan.kind(fields::TIME) {
            Some(_) if stage.after.order => order::newest_first(plan).map_err(refused),
            _ => Ok(plan),
        }
    }

    fn trace(&self, lineage: &mut Lineage) {
        self.searches.iter().for_each(|search| lineage.append_rows_of(search));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn commands_that_do_not_work_row_by_row_are_refused() {
        let rows = "{\"_time\":1,\"a\":\"1\"}";
        for (command, is_taken) in [
            ("eval b=a", true),
            ("rename a as b", true),
            ("where a=1", true),
            ("fields a", true),
            ("head 1", false),
            ("dedup a", false),
            ("streamstats count", false),
            ("stats count by a", false),
            ("sort a", false),
        ] {
            let search =
                format!("| multisearch [search a=1 | {command}] [search a=2] | stats count");
            let found = table(&search, rows).await;
            let refused = Err(vec![Code::BAD_ARGUMENT]);
            let taken = Ok(vec!["count".to_owned(), "1".to_owned()]);
            assert_eq!(found, if is_taken { taken } else { refused }, "{search}");
        }
    }
}

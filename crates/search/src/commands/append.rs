//! `append`: adds the rows of a subsearch after the input rows.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{Arguments, Pipeline};

use super::subsearch::{self, MAX_APPENDED_ROWS};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Append;
use crate::planning::plan::{Needs, Plan};

/// The option that limits the number of rows of a subsearch.
pub(super) const MAXOUT: Argument = Argument::option("maxout", Takes::Count)
    .default("50000")
    .doc("How many rows the subsearch may give; 0 and more than the default are the default.");

/// The option that limits the run time of a subsearch in Splunk; it has no effect here.
pub(super) const MAXTIME: Argument = Argument::option("maxtime", Takes::Count)
    .default("60")
    .no_effect("a subsearch runs until it has its rows")
    .doc("How many seconds the subsearch may take.");

/// The option that limits the wait for a subsearch in Splunk; it has no effect here.
pub(super) const TIMEOUT: Argument = Argument::option("timeout", Takes::Count)
    .default("60")
    .no_effect("a subsearch runs until it has its rows")
    .doc("How many seconds to wait for the subsearch.");

/// The positional argument with the subsearch.
pub(super) const SUBSEARCH: Argument =
    Argument::positional("subsearch", Takes::Subsearch).doc("The search whose rows are added.");

static DOC: CommandDoc = CommandDoc {
    name: "append",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Append the rows of a subsearch to the results.",
    syntax: "append [maxout=<int>] [extendtimerange=<bool>] [maxtime=<int>] [timeout=<int>] [<subsearch>]",
    arguments: &[
        MAXOUT,
        Argument::option("extendtimerange", Takes::Bool)
            .default("false")
            .no_effect("the range of a search is that of the run")
            .doc("Whether the time range of the subsearch widens that of the search."),
        MAXTIME,
        TIMEOUT,
        SUBSEARCH,
    ],
    examples: &[
        Example {
            title: "A row of another search",
            events: r#"{"user":"ann"}"#,
            search: "| append [| makeresults | eval user=\"bob\" | table user]",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
        },
        Example {
            title: "Other fields become other columns",
            events: r#"{"user":"ann"}"#,
            search: "| append [| makeresults | eval host=\"a\" | table host] | table user host",
            results: "{\"user\":\"ann\"}\n{\"host\":\"a\"}",
        },
    ],
    differs: &["A subsearch has no time limit."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct AppendRows {
    limit: usize,
    subsearch: Pipeline,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let subsearch = subsearch_and_options(arguments)?;
    Ok(Box::new(AppendRows { limit: maxout(arguments), subsearch }))
}

/// Reads a subsearch, and options before and after it.
///
/// # Errors
/// Fails if the subsearch is missing or malformed, or if the command has other arguments.
pub(super) fn subsearch_and_options(arguments: &mut Arguments<'_>) -> Result<Pipeline, Diagnostic> {
    arguments.options();
    let subsearch = arguments.subsearch().transpose()?;
    arguments.finish_with_options()?;
    required(subsearch, arguments)
}

/// Returns the maximum number of rows of the subsearch.
pub(super) fn maxout(arguments: &Arguments<'_>) -> usize {
    match arguments.value("maxout") {
        0 => MAX_APPENDED_ROWS,
        limit => limit.min(MAX_APPENDED_ROWS),
    }
}

/// Returns the subsearch, or an error that asks for one.
pub(super) fn required(
    subsearch: Option<Pipeline>,
    arguments: &Arguments<'_>,
) -> Result<Pipeline, Diagnostic> {
    subsearch.ok_or_else(|| {
        Diagnostic::error(Code::MISSING_ARGUMENT, "expected a subsearch in square brackets")
            .at(arguments.span())
            .help("for example `[search eventName=GetObject | table user_arn]`")
    })
}

#[async_trait]
impl Command for AppendRows {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.subsearch], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        super::pipeline::with_output_of(&self.subsearch, None, before)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let needs = Needs { order: true, ..stage.after.clone() };
        let rows = subsearch::run(&self.subsearch, stage.context, self.limit, needs).await?;
        match input {
            Some(input) => Append::on(input, rows),
            None => rows.into_plan(),
        }
        .map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.append_rows_of(&self.subsearch);
    }
}

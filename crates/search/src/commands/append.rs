//! `append`: adds the rows of a subsearch after the rows that are there.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::{Arguments, Pipeline};

use super::subsearch::{self, MAX_APPENDED_ROWS};
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::operators::Append;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "append",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Adds the rows of a subsearch after the rows that are there.",
    syntax: "append [maxout=<int>] [extendtimerange=<bool>] [maxtime=<int>] [timeout=<int>] [<subsearch>]",
    arguments: &[
        ("maxout", "How many rows the subsearch may give. Default and most 50,000."),
        ("extendtimerange, maxtime, timeout", "Taken and without effect."),
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
    differs: &["There is no limit of time for the subsearch."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct AppendRows {
    limit: usize,
    subsearch: Pipeline,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut limit = MAX_APPENDED_ROWS;
    let mut subsearch = None;
    while !arguments.is_empty() {
        if let Some(pipeline) = arguments.subsearch() {
            subsearch = Some(pipeline?);
        } else if let Some(option) = arguments.any_option() {
            limit = subsearch_option("append", &option)?.unwrap_or(limit);
        } else {
            arguments.finish()?;
        }
    }
    let subsearch = required(subsearch, arguments)?;
    Ok(Box::new(AppendRows { limit, subsearch }))
}

/// Reads an option that `append`, `appendcols` and their like share; returns the limit of rows, if it
/// is that.
pub(super) fn subsearch_option(
    command: &str,
    (name, value): &(Spanned<String>, Spanned<String>),
) -> Result<Option<usize>, Diagnostic> {
    match name.value.to_ascii_lowercase().as_str() {
        "maxout" => {
            let limit = options::count(value)?;
            Ok(Some(if limit == 0 { MAX_APPENDED_ROWS } else { limit.min(MAX_APPENDED_ROWS) }))
        }
        "extendtimerange" | "extendtimewindow" => options::boolean(value).map(|_| None),
        "maxtime" | "timeout" => options::count(value).map(|_| None),
        _ => Err(options::unknown(command, name)),
    }
}

/// Returns the subsearch, which must be there.
pub(super) fn required(
    subsearch: Option<Pipeline>,
    arguments: &Arguments<'_>,
) -> Result<Pipeline, Diagnostic> {
    subsearch.ok_or_else(|| {
        Diagnostic::error(Code::SYNTAX, "expected a subsearch in square brackets")
            .at(arguments.span())
            .help("for example `append [search eventName=GetObject]`")
    })
}

#[async_trait]
impl Command for AppendRows {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let needs = Needs { order: true, ..stage.after.clone() };
        let rows = subsearch::run(&self.subsearch, stage.context, self.limit, needs).await?;
        match input {
            Some(input) => Append::on(input, &rows),
            None => rows.into_plan(),
        }
        .map_err(|error| stage.refused(error))
    }
}

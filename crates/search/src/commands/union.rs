//! `union`: returns the rows of several searches and lookups, one after another.

use std::borrow::Cow;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::{Arguments, Pipeline, SearchExpr};

use super::append::{MAXOUT, MAXTIME, TIMEOUT};
use super::subsearch::{self, MAX_APPENDED_ROWS};
use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, from, pipeline,
};
use crate::lineage::Lineage;
use crate::operators::Append;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "union",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Put the rows of searches and lookups one after another, after the results so far.",
    syntax: "union [maxout=<int>] [maxtime=<int>] [timeout=<int>] <dataset> … [<subsearch>] …",
    arguments: &[
        MAXOUT,
        MAXTIME,
        TIMEOUT,
        Argument::positional("dataset", Takes::Lookup).doc(
            "A lookup, written `lookup:name`, or a dataset of a data model, written `datamodel:Model.Dataset`.",
        ),
        Argument::positional("subsearch", Takes::Subsearch).doc("A search in square brackets."),
    ],
    examples: &[
        Example {
            title: "The results so far and two searches",
            events: r#"{"user":"ann"}"#,
            search: "| union [| makeresults | eval user=\"bob\" | table user] [| makeresults | eval user=\"eve\" | table user]",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n{\"user\":\"eve\"}",
        },
        Example {
            title: "The results so far, a dataset of a data model, and a saved search",
            events: r#"{"user":"ann","errorCode":"AccessDenied"}
{"user":"bob","tag":"web"}"#,
            search: "| union datamodel:Web.Web [| savedsearch \"Denied calls\"] | table user",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}\n{\"user\":\"bob\"}\n{\"user\":\"ann\"}",
        },
        Example {
            title: "A lookup without rows adds nothing",
            events: r#"{"user":"ann"}"#,
            search: "| union lookup:seen_users",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[
        "The rows of each search follow those of the one before; they are not sorted by time.",
        "A saved search is read with a subsearch, `[| savedsearch \"Name\"]`, and not as `savedsearch:Name`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Union {
    limit: usize,
    searches: Vec<Pipeline>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut searches = Vec::new();
    while arguments.more() {
        if arguments.symbol(",").is_some() {
            continue;
        }
        match arguments.subsearch() {
            Some(subsearch) => searches.push(subsearch?),
            None => {
                let name: Spanned<String> = arguments.field()?;
                let kind = name.value.split(':').next().unwrap_or_default();
                if kind.eq_ignore_ascii_case("savedsearch") {
                    let message = "`union` does not read saved searches by their name alone";
                    let help = "write `[| savedsearch \"Name\"]`";
                    return Err(Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
                        .at(name.span)
                        .help(help));
                }
                searches.push(from::dataset(&name)?);
            }
        }
    }
    if searches.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a search or a lookup")
            .at(arguments.span())
            .help("for example `union lookup:users [search eventName=GetObject]`"));
    }
    let limit = match arguments.value("maxout") {
        0 => MAX_APPENDED_ROWS,
        limit => limit.min(MAX_APPENDED_ROWS),
    };
    Ok(Box::new(Union { limit, searches }))
}

#[async_trait]
impl Command for Union {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: self.searches.iter().collect(), ..Parts::default() }
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        pipeline::picks(&self.searches)
    }

    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let searches = self.searches.iter();
        searches.fold(before, |names, search| super::pipeline::with_output_of(search, None, names))
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let mut all = Vec::new();
        for search in &self.searches {
            let needs = Needs { order: true, ..stage.after.clone() };
            all.push(subsearch::run(search, stage.context, self.limit, needs).await?);
        }
        let rows = subsearch::together(all, stage.context).map_err(refused)?;
        match input {
            Some(input) => Append::on(input, rows),
            None => rows.into_plan(),
        }
        .map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        self.searches.iter().for_each(|search| lineage.append_rows_of(search));
    }
}

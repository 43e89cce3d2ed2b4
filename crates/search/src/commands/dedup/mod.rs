//! `dedup`: removes rows that repeat values.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use self::operator::Dedup;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, sort};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::order::stable_sort;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "dedup",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Remove rows that repeat a combination of field values. The first row of each combination stays.",
    syntax: "dedup [<count>] <field> … [keepevents=<bool>] [keepempty=<bool>] [consecutive=<bool>] [sortby [+|-]<field> …]",
    arguments: &[
        Argument::positional("count", Takes::Count)
            .default("1")
            .doc("The number of rows to keep of each combination."),
        Argument::positional("field", Takes::Fields).doc("The fields to compare."),
        Argument::option("keepevents", Takes::Bool)
            .default("false")
            .doc("Whether to keep repeated rows and remove only these fields from them."),
        Argument::option("keepempty", Takes::Bool)
            .default("false")
            .doc("Whether to keep rows without one of the fields."),
        Argument::option("consecutive", Takes::Bool)
            .default("false")
            .doc("Whether to remove only rows that follow one another directly."),
        Argument::keyword("SORTBY", Takes::Fields)
            .doc("Sort the rows first, as `sort` does. This decides which rows stay."),
    ],
    examples: &[
        Example {
            title: "The first row of each user",
            events: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}
{"user":"ann","n":"3"}
{"n":"4"}"#,
            search: "| dedup user",
            results: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}"#,
        },
        Example {
            title: "The row with the greatest number, and rows without a user",
            events: r#"{"user":"ann","n":"1"}
{"n":"4"}
{"user":"ann","n":"3"}"#,
            search: "| dedup user keepempty=true sortby - n",
            results: r#"{"n":"4"}
{"user":"ann","n":"3"}"#,
        },
        Example {
            title: "Keep repeated rows, but without the field",
            events: r#"{"user":"ann","n":"1"}
{"user":"ann","n":"2"}"#,
            search: "| dedup user keepevents=true",
            results: r#"{"user":"ann","n":"1"}
{"n":"2"}"#,
        },
    ],
    differs: &[
        "With consecutive=true, rows without one of the fields do not interrupt a run of equal rows.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Dedup>("dedup");

#[derive(Debug)]
struct DedupCommand {
    dedup: Dedup,
    sort_by: Vec<sort::Key>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let keep = arguments.count();
    if let Some(keep) = &keep
        && keep.value == 0
    {
        let message = "expected a number greater than 0, found `0`";
        arguments.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(keep.span));
    }
    let (mut fields, mut sort_by) = (Vec::new(), Vec::new());
    while arguments.more() {
        if sort_by.is_empty() && arguments.keyword("sortby").is_some() {
            sort_by = sort::keys(arguments)?;
        } else {
            let named = arguments.fields_until(&["sortby"])?;
            fields.extend(named.into_iter().map(|field| field.value));
        }
    }
    if fields.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field")
            .at(arguments.span())
            .help("for example `dedup user`"));
    }
    let dedup = Dedup {
        fields,
        keep: keep.map_or(1, |keep| keep.value),
        is_consecutive: arguments.value("consecutive"),
        keep_events: arguments.value("keepevents"),
        keep_empty: arguments.value("keepempty"),
    };
    Ok(Box::new(DedupCommand { dedup, sort_by }))
}

#[async_trait]
impl Command for DedupCommand {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after }
            .and(&self.dedup.fields)
            .and(self.sort_by.iter().map(|key| key.field.as_str()))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        if !self.sort_by.is_empty() {
            let keys = sort::expressions(&self.sort_by, &plan, false);
            plan = stable_sort(plan, keys).map_err(|error| stage.refused(error))?;
        }
        let mut dedup = self.dedup.clone();
        dedup.fields = super::table::spread(&plan, &dedup.fields);
        Ok(plan.operator(Arc::new(dedup)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        let Dedup { fields, keep, is_consecutive, keep_events, .. } = &self.dedup;
        // Only then does each combination of values identify at most one row of the output.
        if *keep == 1 && !is_consecutive && !keep_events {
            lineage.keep_first_of(fields);
        }
    }
}

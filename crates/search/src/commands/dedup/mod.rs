//! `dedup`: removes rows that repeat values.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use self::operator::Dedup;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options, sort};
use crate::planning::order::stable_sort;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "dedup",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Removes rows that repeat a combination of field values; the first in order stays.",
    syntax: "dedup [<count>] <field> … [keepevents=<bool>] [keepempty=<bool>] [consecutive=<bool>] [sortby [+|-]<field> …]",
    arguments: &[
        ("count", "How many rows of a combination to keep. Default 1."),
        ("keepevents", "If true, repeated rows stay and lose the fields. Default false."),
        ("keepempty", "If true, rows without one of the fields stay. Default false."),
        ("consecutive", "If true, only rows right after each other count. Default false."),
        ("sortby", "Orders the rows first, as `sort` does, which decides what stays."),
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
            title: "Repeated rows stay and lose the field",
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

#[derive(Debug)]
struct DedupCommand {
    dedup: Dedup,
    sort_by: Vec<sort::Key>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut dedup = Dedup {
        fields: Vec::new(),
        keep: 1,
        is_consecutive: false,
        keep_events: false,
        keep_empty: false,
    };
    let mut sort_by = Vec::new();
    if let Some(number) = arguments.integer() {
        dedup.keep =
            usize::try_from(number.value).ok().filter(|count| *count > 0).ok_or_else(|| {
                Diagnostic::error(Code::BAD_ARGUMENT, "expected a number greater than 0")
                    .at(number.span)
            })?;
    }
    while !arguments.is_empty() {
        if let Some(value) = arguments.option("keepevents") {
            dedup.keep_events = options::boolean(&value)?;
        } else if let Some(value) = arguments.option("keepempty") {
            dedup.keep_empty = options::boolean(&value)?;
        } else if let Some(value) = arguments.option("consecutive") {
            dedup.is_consecutive = options::boolean(&value)?;
        } else if let Some(option) = arguments.any_option() {
            return Err(options::unknown("dedup", &option.0));
        } else if arguments.keyword("sortby").is_some() {
            sort_by = sort::keys(arguments)?;
        } else {
            let fields = arguments.fields_until(&["sortby"])?;
            dedup.fields.extend(fields.into_iter().map(|field| field.value));
        }
    }
    if dedup.fields.is_empty() {
        return Err(Diagnostic::error(Code::SYNTAX, "expected a field")
            .at(arguments.span())
            .help("for example `dedup user`"));
    }
    Ok(Box::new(DedupCommand { dedup, sort_by }))
}

#[async_trait]
impl Command for DedupCommand {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after }
            .and(&self.dedup.fields)
            .and(self.sort_by.iter().map(|key| key.field.as_str()))
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
}

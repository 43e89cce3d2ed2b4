//! `multikv`: makes a row of each line of a table in an event's text.

mod operator;
mod tables;

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexSet;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields;
use spilltrail_spl::Arguments;

use self::operator::SplitTables;
use self::tables::Rules;
use super::extraction::MAX_FIELDS;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::operators::{Codec, gather};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "multikv",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Make a row of each line of a table in the event's text, with a field for each column.",
    syntax: "multikv [copyattrs=<bool>] [forceheader=<int>] [multitable=<bool>] [noheader=<bool>] [rmorig=<bool>] [fields <field> …] [filter <text> …]",
    arguments: &[
        Argument::option("conf", Takes::Text)
            .refused("write the options here")
            .doc("The name of a configured table."),
        Argument::option("copyattrs", Takes::Bool)
            .default("true")
            .doc("Whether the new rows have the other fields of the event. They always have its time, host, source, sourcetype and index."),
        Argument::option("forceheader", Takes::Count)
            .doc("The line with the names of the columns, counted from 1."),
        Argument::option("multitable", Takes::Bool)
            .default("true")
            .doc("Whether an empty line ends a table, and the next line begins another."),
        Argument::option("noheader", Takes::Bool)
            .default("false")
            .doc("Whether there is no line with names: columns are named `Column_1` and so on."),
        Argument::option("rmorig", Takes::Bool)
            .default("true")
            .doc("Whether the event itself is left out."),
        Argument::keyword("FIELDS", Takes::Fields).doc("The columns to keep. Default: all."),
        Argument::keyword("FILTER", Takes::Text)
            .doc("Texts: a line must contain one of them to become a row."),
    ],
    examples: &[
        Example {
            title: "A table with a line of names",
            events: r#"{"_raw":"PID  USER  %CPU\n1    root  0.5\n27   ann   12.0"}"#,
            search: "| multikv | table PID USER _CPU",
            results: "{\"PID\":\"1\",\"USER\":\"root\",\"_CPU\":\"0.5\"}\n{\"PID\":\"27\",\"USER\":\"ann\",\"_CPU\":\"12.0\"}",
        },
        Example {
            title: "Some columns of some lines",
            events: r#"{"_raw":"name size\na 1\nb 2\nab 3","host":"x"}"#,
            search: "| multikv fields name filter b 3 | table host name size",
            results: "{\"host\":\"x\",\"name\":\"b\"}\n{\"host\":\"x\",\"name\":\"ab\"}",
        },
    ],
    differs: &[
        "Columns are separated by tabs or by two blanks and more, or by single blanks if the line of names has nothing else.",
        "Other characters of a name than letters, digits and `_` become `_`.",
        "An event without a table is kept.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<SplitTables>("multikv");

#[derive(Debug)]
struct MultiKv {
    rules: Rules,
    copies: bool,
    keeps_event: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let (mut columns, mut filters) = (Vec::new(), Vec::new());
    while arguments.more() {
        if arguments.keyword("fields").is_some() {
            let named = arguments.fields_until(&["filter"])?;
            columns.extend(named.into_iter().map(|field| field.value));
        } else if arguments.keyword("filter").is_some() {
            let named = arguments.fields_until(&["fields"])?;
            filters.extend(named.into_iter().map(|text| text.value));
        } else {
            arguments.finish()?;
        }
    }
    let header = arguments.given::<usize>("forceheader");
    if let Some(header) = header.as_ref().filter(|header| header.value == 0) {
        let message = "expected a line from 1 for `forceheader`, found `0`";
        arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(header.span));
    }
    let has_header = !arguments.value::<bool>("noheader");
    if !has_header {
        arguments.without_effect("forceheader", "there is no line with names");
    }
    let rules = Rules {
        header: header.map(|header| header.value),
        has_header,
        are_several: arguments.value("multitable"),
        columns,
        filters,
    };
    let (copies, keeps_event) = (arguments.value("copyattrs"), !arguments.value::<bool>("rmorig"));
    Ok(Box::new(MultiKv { rules, copies, keeps_event }))
}

impl MultiKv {
    /// Runs the plan so far and returns it with the names of the columns of all tables.
    async fn named(
        &self,
        plan: Plan,
        stage: &Stage<'_>,
    ) -> Result<(Plan, Vec<String>), Diagnostic> {
        let refused = |error| stage.refused(error);
        let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
        let mut names: IndexSet<String> = IndexSet::new();
        for batch in rows.batches().map_err(refused)? {
            let batch = batch.map_err(refused)?;
            let Some(texts) = gather::reader(&batch, fields::RAW).map_err(refused)? else {
                continue;
            };
            for row in 0..batch.num_rows() {
                let text = texts.value(row);
                for table in tables::tables(&text.to_text().unwrap_or_default(), &self.rules) {
                    names.extend(table.names);
                }
            }
            if names.len() > MAX_FIELDS {
                let message = format!("the tables have more than {MAX_FIELDS} different columns");
                return Err(Diagnostic::error(Code::TOO_LARGE, message)
                    .at(stage.span)
                    .help("name the columns that you need after `fields`"));
            }
        }
        let plan = rows.into_plan().map_err(refused)?;
        Ok((plan, names.into_iter().collect()))
    }
}

#[async_trait]
impl Command for MultiKv {
    fn needs(&self, after: Needs) -> Needs {
        after.and([fields::RAW])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let (plan, names) = if stage.after.fields.is_open() {
            self.named(input, stage).await?
        } else {
            (input, stage.after.fields.names.iter().cloned().collect())
        };
        // A column of a table must not replace the time or the text of the event.
        let is_free = |name: &String| name != fields::TIME && name != fields::RAW;
        let names = names.into_iter().filter(is_free).collect();
        let (rules, copies, keeps_event) = (self.rules.clone(), self.copies, self.keeps_event);
        let operator = SplitTables { rules, names, copies, keeps_event };
        Ok(plan.operator(Arc::new(operator)))
    }
}

//! `outlier`: removes rows with numbers far outside the quartiles, or truncates the numbers.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use self::operator::{OutlierAction, Outliers};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, table};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

/// `param`: how many interquartile ranges outside the quartiles an outlier lies.
pub(super) const PARAM: Argument = Argument::option("param", Takes::Number)
    .default("2.5")
    .doc("How many distances of the quartiles outside.");

/// `uselower`: whether numbers far below the first quartile are outliers too.
pub(super) const USELOWER: Argument = Argument::option("uselower", Takes::Bool)
    .default("false")
    .doc("Whether numbers far below the first quartile count too.");

/// `mark`: whether truncated numbers get the prefix `000`.
pub(super) const MARK: Argument = Argument::option("mark", Takes::Bool)
    .default("false")
    .doc("Whether truncated numbers begin with `000`.");

static DOC: CommandDoc = CommandDoc {
    name: "outlier",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Reduce numbers far above the third quartile to a limit, or remove their rows.",
    syntax: "outlier [type=iqr] [action=tf|rm] [param=<num>] [uselower=<bool>] [mark=<bool>] [<field> …]",
    arguments: &[
        Argument::option("type", Takes::OneOf(&["iqr"])).default("iqr").doc("The method."),
        Argument::option("action", Takes::OneOf(&["tf", "transform", "rm", "remove"]))
            .default("tf")
            .doc("`tf` or `transform` truncates, `rm` or `remove` removes the row."),
        PARAM,
        USELOWER,
        MARK,
        Argument::positional("field", Takes::Fields)
            .doc("The fields to test. Default: all fields whose names do not begin with `_`."),
    ],
    examples: &[
        Example {
            title: "Reduce to the limit",
            events: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"90"}"#,
            search: "| outlier n",
            results: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"9"}"#,
        },
        Example {
            title: "Remove the rows",
            events: r#"{"n":"1"}
{"n":"2"}
{"n":"3"}
{"n":"4"}
{"n":"90"}"#,
            search: "| outlier action=remove n | stats count",
            results: r#"{"count":4}"#,
        },
    ],
    differs: &["Values that are not numbers, and multivalue fields, do not change."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<operator::Outliers>();

/// A parsed `outlier`; `anomalydetection method=iqr` is planned as the same command.
#[derive(Debug)]
pub(super) struct Outlier {
    fields: Vec<String>,
    factor: f64,
    use_lower: bool,
    is_marked: bool,
    is_removing: bool,
}

impl Outlier {
    /// Returns the command for these fields; `action` is the value of the option with that name.
    pub(super) fn new(fields: Vec<String>, action: &str, arguments: &mut Arguments<'_>) -> Self {
        let is_removing = matches!(action, "rm" | "remove");
        if is_removing {
            arguments.without_effect("mark", "the rows are removed");
        }
        Self {
            fields,
            factor: arguments.value("param"),
            use_lower: arguments.value("uselower"),
            is_marked: arguments.value("mark"),
            is_removing,
        }
    }
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    let action: &str = arguments.value("action");
    Ok(Box::new(Outlier::new(fields, action, arguments)))
}

#[async_trait]
impl Command for Outlier {
    fn needs(&self, after: Needs) -> Needs {
        // Without a list, an outlier in any field can remove its row, so all fields are needed.
        if self.fields.is_empty() { after.and(["*"]) } else { after.and(&self.fields) }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let columns = if self.fields.is_empty() {
            input.covered("*")
        } else {
            let mut columns = table::spread(&input, &self.fields);
            columns.retain(|name| input.kind(name).is_some());
            columns
        };
        Ok(input.operator(Arc::new(Outliers {
            columns,
            factor: self.factor,
            use_lower: self.use_lower,
            action: if self.is_removing {
                OutlierAction::Remove
            } else {
                OutlierAction::Truncate { is_marked: self.is_marked }
            },
        })))
    }

    fn trace(&self, lineage: &mut Lineage) {
        // Truncated values depend on all rows. Without a list, the truncated fields are not known
        // before the search runs, so none are marked.
        if !self.is_removing {
            lineage.measure(self.fields.iter().cloned());
        }
    }
}

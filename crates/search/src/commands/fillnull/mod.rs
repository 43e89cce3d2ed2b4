//! `fillnull`: replaces absent field values with a fixed value.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{Expr, when};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Kind, fields};
use spilltrail_spl::Arguments;

use self::operator::Fill;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, table};
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::convert::{text, to_kind};

static DOC: CommandDoc = CommandDoc {
    name: "fillnull",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Fill in a value where a field is missing.",
    syntax: "fillnull [value=<text>] [<field> …]",
    arguments: &[
        Argument::option("value", Takes::Text).default("0").doc("The value."),
        Argument::positional("field", Takes::Fields).doc(
            "The fields to fill; they are created if they do not exist. Default: every field that any row has.",
        ),
    ],
    examples: &[
        Example {
            title: "Every field that any row has",
            events: r#"{"user":"ann","code":"denied"}
{"user":"bob"}"#,
            search: "| fillnull value=none",
            results: r#"{"user":"ann","code":"denied"}
{"user":"bob","code":"none"}"#,
        },
        Example {
            title: "Two fields that no row has",
            events: r#"{"user":"ann"}"#,
            search: "| fillnull code size",
            results: r#"{"user":"ann","code":"0","size":"0"}"#,
        },
    ],
    differs: &[
        "Without a list of fields, fields whose name begins with `_` are not filled.",
        "The list of fields accepts wildcards.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::Fill>("fill");

#[derive(Debug)]
struct FillNull {
    value: String,
    fields: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    Ok(Box::new(FillNull { value: arguments.value("value"), fields }))
}

#[async_trait]
impl Command for FillNull {
    fn needs(&self, after: Needs) -> Needs {
        after.and(&self.fields)
    }

    fn listed(&self) -> Vec<&str> {
        self.fields.iter().map(String::as_str).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.fields.iter().filter(|field| !field.contains('*')).cloned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        // Without a list, only the rows show which columns have a value, so an operator reads them.
        if self.fields.is_empty() {
            return Ok(input.operator(Arc::new(Fill { value: self.value.clone() })));
        }
        let names = table::spread(&input, &self.fields);
        in_columns(input, &names, &self.value).map_err(|error| stage.refused(error))
    }
}

/// Replaces the nulls of fields that rows are grouped by, except for `_time`, if there is a value for
/// them.
///
/// # Errors
/// Fails if DataFusion refuses the plan.
pub(super) fn in_groups(plan: Plan, by: &[String], value: Option<&str>) -> EngineResult<Plan> {
    let Some(value) = value else { return Ok(plan) };
    let names: Vec<String> = by.iter().filter(|name| *name != fields::TIME).cloned().collect();
    in_columns(plan, &names, value)
}

/// Replaces the nulls of fields by a value; creates fields that do not exist.
fn in_columns(plan: Plan, names: &[String], value: &str) -> EngineResult<Plan> {
    let columns = names.iter().map(|name| {
        let (expr, kind) = filled(&plan, name, value)?;
        Ok((name.clone(), expr, kind))
    });
    let columns = columns.collect::<EngineResult<Vec<_>>>()?;
    plan.with_columns(columns)
}

/// Returns an expression and kind for the column `name` with nulls replaced by `value`.
///
/// # Errors
/// Fails if DataFusion refuses the expression.
pub(super) fn filled(plan: &Plan, name: &str, value: &str) -> EngineResult<(Expr, Kind)> {
    let Some(own) = plan.kind(name) else { return Ok((text(value), Kind::Text)) };
    let kind = Fill::kind(value, own);
    let present = to_kind(column(name), own, kind);
    let absent = to_kind(text(value), Kind::Text, kind);
    let expr = when(column(name).is_null(), absent).otherwise(present)?;
    Ok((expr, kind))
}

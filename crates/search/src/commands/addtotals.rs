//! `addtotals` and the shared part of `addcoltotals`: sums of fields, for each row and as a last
//! row.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::table::spread;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive, Operator, RowFunction, Running, gather};
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::convert::to_kind;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "addtotals",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add the sum of fields to each row, or a row with the sum of each field.",
    syntax: "addtotals [row=<bool>] [col=<bool>] [labelfield=<field>] [label=<text>] [fieldname=<field>] [<field> …]",
    arguments: &[
        Argument::option("row", Takes::Bool)
            .default("true")
            .doc("Whether to add the sum of each row."),
        Argument::option("col", Takes::Bool)
            .default("false")
            .doc("Whether to add a row with the sum of each field."),
        LABELFIELD,
        LABEL,
        Argument::option("fieldname", Takes::Field)
            .default("Total")
            .doc("The field that gets the sum of a row."),
        FIELDS,
    ],
    examples: &[
        Example {
            title: "The sum of each row; texts do not count",
            events: r#"{"user":"ann","get":"1","put":"2"}
{"user":"bob","put":"5"}"#,
            search: "| addtotals",
            results: r#"{"user":"ann","get":"1","put":"2","Total":3}
{"user":"bob","put":"5","Total":5}"#,
        },
        Example {
            title: "Some fields, and a row with the sums",
            events: r#"{"user":"ann","score_a":"1","score_b":"2"}
{"user":"bob","score_a":"4"}"#,
            search: "| addtotals col=t labelfield=user label=all fieldname=Score, score_*",
            results: r#"{"user":"ann","score_a":"1","score_b":"2","Score":3}
{"user":"bob","score_a":"4","Score":4}
{"user":"all","score_a":"5","score_b":"2","Score":7}"#,
        },
    ],
    differs: &[
        "Without a list, fields whose name begins with `_` are not summed.",
        "A row without any number has the sum 0. Multivalues are not numbers.",
    ],
};

pub(super) const LABELFIELD: Argument = Argument::option("labelfield", Takes::Field)
    .doc("The field of the row with the sums that gets the label.");
pub(super) const LABEL: Argument = Argument::option("label", Takes::Text)
    .default("Total")
    .doc("The label of the row with the sums.");
pub(super) const FIELDS: Argument = Argument::positional("field", Takes::Fields)
    .doc("The fields to sum; wildcards are allowed. Default: all fields with numbers.");

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] =
    [Codec::derive::<RowSum>("sum_of_row"), Codec::operator::<ColumnSums>("column_sums")];

/// The sums to add.
#[derive(Debug)]
pub(super) struct Totals {
    /// The field with the sum of a row.
    pub(super) row: Option<String>,
    /// Whether a row with the sum of each field is added.
    pub(super) has_columns: bool,
    /// The field with the label, and the label.
    pub(super) label: Option<(String, String)>,
    /// The fields to sum, or none for all.
    pub(super) fields: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let fields = fields(arguments)?;
    let has_columns: bool = arguments.value("col");
    let has_rows: bool = arguments.value("row");
    if !has_columns {
        arguments.without_effect("labelfield", "without `col=t` there is no row with sums");
    }
    if !has_rows {
        arguments.without_effect("fieldname", "`row=f` leaves the field out");
    }
    let label = if has_columns { label(arguments) } else { None };
    if !has_columns {
        arguments.without_effect("label", "without `col=t` there is no row with sums");
    }
    let row = has_rows.then(|| arguments.value("fieldname"));
    Ok(Box::new(Totals { row, has_columns, label, fields }))
}

/// Takes a list of fields with options before, between and after them.
pub(super) fn fields(arguments: &mut Arguments<'_>) -> Result<Vec<String>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    arguments.finish()?;
    Ok(fields)
}

/// Returns the field that gets the label, and the label.
pub(super) fn label(arguments: &mut Arguments<'_>) -> Option<(String, String)> {
    let field = arguments.given::<String>("labelfield");
    if field.is_none() {
        arguments.without_effect("label", "`labelfield` says which field gets it");
    }
    field.map(|field| (field.value, arguments.value("label")))
}

impl Totals {
    /// Returns the columns to sum.
    fn summed(&self, plan: &Plan) -> Vec<String> {
        if self.fields.is_empty() {
            let is_own = |name: &String| Some(name) == self.row.as_ref();
            let names = plan.names().into_iter();
            return names.filter(|name| !name.starts_with('_') && !is_own(name)).collect();
        }
        let mut names = spread(plan, &self.fields);
        names.retain(|name| plan.kind(name).is_some());
        names
    }
}

#[async_trait]
impl Command for Totals {
    fn needs(&self, after: Needs) -> Needs {
        let needs = match &self.row {
            Some(row) => after.without([row]),
            None => after,
        };
        if self.fields.is_empty() { needs.and(["*"]) } else { needs.and(&self.fields) }
    }

    fn listed(&self) -> Vec<&str> {
        self.fields.iter().map(String::as_str).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(self.row.clone());
        names.extend(self.label.as_ref().filter(|_| self.has_columns).map(|label| label.0.clone()));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        let mut summed = self.summed(&plan);
        if let Some(row) = &self.row {
            // The sum replaces earlier values of its field, so that the column has numbers only. A
            // field that is summed itself keeps them until then.
            if let Some(kind) = plan.kind(row)
                && kind != Kind::Number
                && !summed.contains(row)
            {
                let number = to_kind(column(row), kind, Kind::Number);
                let columns = vec![(row.clone(), number, Kind::Number)];
                plan = plan.with_columns(columns).map_err(|error| stage.refused(error))?;
            }
            let output = Field::new(row, Kind::Number);
            plan = Derive::on(plan, summed.clone(), [output], Arc::new(RowSum));
            if !summed.contains(row) {
                summed.push(row.clone());
            }
        }
        if self.has_columns {
            let transformed = plan.transformed;
            let sums = ColumnSums { columns: summed, label: self.label.clone() };
            plan = plan.forgetting(self.label.iter().map(|label| label.0.as_str()));
            plan = plan.operator(Arc::new(sums));
            plan.transformed = transformed;
        }
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        if let Some(row) = &self.row {
            if self.fields.is_empty() || self.fields.iter().any(|field| field.contains('*')) {
                lineage.measure([row.clone()]);
            } else {
                lineage.assign(row, &self.fields);
            }
        }
        if self.has_columns {
            let mut added = lineage.clone();
            added.group([], ["*".to_owned()]);
            lineage.append(added);
        }
    }
}

/// Returns the sum of the numbers of a row.
#[derive(Debug, Serialize, Deserialize)]
struct RowSum;

impl RowFunction for RowSum {
    fn name(&self) -> &'static str {
        "sum_of_row"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        if let [output] = outputs {
            *output = Value::Number(inputs.iter().filter_map(Value::as_number).sum());
        }
    }
}

/// Passes rows on, and adds a row with the sum of each column.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ColumnSums {
    columns: Vec<String>,
    label: Option<(String, String)>,
}

impl Operator for ColumnSums {
    fn name(&self) -> &'static str {
        "column_sums"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let label = self.label.iter().map(|(name, _)| {
            let kind = input.iter().find(|field| field.name == *name).map(|field| field.kind);
            Field::new(name, kind.map_or(Kind::Text, |kind| kind.or(Kind::Text)))
        });
        gather::fields_with(input, &label.collect::<Vec<_>>())
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let indices = gather::indices(&input);
        let place = |name: &String| indices.get(name.as_str()).copied();
        let sums = self.columns.iter().filter_map(place).map(|index| (index, None)).collect();
        let label =
            self.label.as_ref().map(|(name, text)| (place(name), name.clone(), text.clone()));
        Ok(Box::new(Summing { output, sums, label, is_done: false }))
    }
}

struct Summing {
    output: SchemaRef,
    /// The sum of each column by its index; `None` if it has had no number.
    sums: Vec<(usize, Option<f64>)>,
    /// The index of the column of the label in the input, its name, and the label.
    label: Option<(Option<usize>, String, String)>,
    is_done: bool,
}

impl Running for Summing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        for (index, sum) in &mut self.sums {
            let reader = ColumnReader::new(batch.column(*index))?;
            for number in (0..batch.num_rows()).filter_map(|row| reader.value(row).as_number()) {
                *sum = Some(sum.unwrap_or(0.0) + number);
            }
        }
        let Some((index, name, _)) = &self.label else {
            return gather::batch_with(&batch, &self.output, &[]).map(Some);
        };
        // The column of the label has texts now.
        let reader = index.map(|index| ColumnReader::new(batch.column(index))).transpose()?;
        let kind = self.output.field_with_name(name).map(|field| kind_of(field.data_type()));
        let mut column = ColumnBuilder::new(kind.unwrap_or(Kind::Text));
        for row in 0..batch.num_rows() {
            column.push(reader.as_ref().map_or(Value::Null, |reader| reader.value(row)));
        }
        let set = [(name.clone(), column.finish())];
        gather::batch_with(&batch, &self.output, &set).map(Some)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        if std::mem::replace(&mut self.is_done, true) {
            return Ok(None);
        }
        let sums: std::collections::HashMap<usize, f64> =
            self.sums.iter().filter_map(|(index, sum)| Some((*index, (*sum)?))).collect();
        let mut columns = Vec::with_capacity(self.output.fields().len());
        for (index, field) in self.output.fields().iter().enumerate() {
            let label = self.label.as_ref().filter(|(_, name, _)| name == field.name());
            let mut column = ColumnBuilder::new(kind_of(field.data_type()));
            column.push(match (label, sums.get(&index)) {
                (Some((_, _, label)), _) => Value::text(label.as_str()),
                (None, Some(sum)) => Value::Number(*sum),
                (None, None) => Value::Null,
            });
            columns.push(column.finish());
        }
        gather::of_columns(&self.output, columns, 1).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn sums_are_added() {
        let rows = r#"{"u":"x","a":"1","b":"2.5"}
{"u":"y","a":"none","b":["1","2"],"_time":3}
{"u":"7","Total":"old"}"#;
        for (search, expected) in [
            (
                "| table u a b Total | addtotals",
                vec!["u | a | b | Total", "x 1 2.5 3.5", "y none 1 2 0", "7 - - 7"],
            ),
            ("| table u a b | addtotals a, b | table Total", vec!["Total", "3.5", "0", "0"]),
            (
                "| table a nosuch | addtotals fieldname=s nosuch",
                vec!["a | nosuch | s", "1 - 0", "none - 0", "- - 0"],
            ),
            // A field that is its own sum is summed first.
            (
                "| table u a | where u=\"x\" | addtotals fieldname=a a u | addtotals fieldname=a a",
                vec!["u | a", "x 1"],
            ),
            (
                "| table u a b | addtotals row=f col=t",
                vec!["u | a | b", "x 1 2.5", "y none 1 2", "7 - -", "7 1 2.5"],
            ),
            (
                "| table u a | addcoltotals labelfield=u a",
                vec!["u | a", "x 1", "y none", "7 -", "Total 1"],
            ),
            (
                "| table a b | addcoltotals labelfield=l label=sum",
                vec!["a | b | l", "1 2.5 -", "none 1 2 -", "- - -", "1 2.5 sum"],
            ),
            (
                "| stats count by u | addtotals col=t fieldname=n count",
                vec!["u | count | n", "7 1 1", "x 1 1", "y 1 1", "- 3 3"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        let found = table("| addtotals labls=x a", rows).await;
        assert_eq!(found, Err(vec![Code::BAD_OPTION]));
    }
}

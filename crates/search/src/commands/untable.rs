//! `untable`: turns a table into rows with one value each.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Operator, Running, gather};
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "untable",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Turn a table into rows: one for each value, with the name of its column.",
    syntax: "untable <x field> <y name field> <y data field>",
    arguments: &[
        Argument::positional("x field", Takes::Field)
            .doc("The field that all rows made from one row keep."),
        Argument::positional("y name field", Takes::Field)
            .doc("The new field with the names of the other fields."),
        Argument::positional("y data field", Takes::Field)
            .doc("The new field with the values of the other fields."),
    ],
    examples: &[
        Example {
            title: "One row for each metric",
            events: r#"{"host":"a","cpu":"1","mem":"2"}
{"host":"b","cpu":"3"}"#,
            search: "| untable host metric value",
            results: r#"{"host":"a","metric":"cpu","value":"1"}
{"host":"a","metric":"mem","value":"2"}
{"host":"b","metric":"cpu","value":"3"}"#,
        },
        Example {
            title: "The table of a chart as rows",
            events: r#"{"user":"ann","action":"get"}
{"user":"bob","action":"put"}"#,
            search: "| chart count by user action | untable user action n | where n > 0",
            results: r#"{"user":"ann","action":"get","n":1}
{"user":"bob","action":"put","n":1}"#,
        },
    ],
    differs: &["Fields whose name begins with `_` are left out, unless one is the x field."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Untable>("untable");

/// Makes a row of each value of the other columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Untable {
    row: String,
    name: String,
    value: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let fields = arguments.fields()?;
    arguments.finish()?;
    arguments.each_is_one_field(&fields);
    let [row, name, value] = fields.as_slice() else {
        let message = format!("expected three fields, found {}", fields.len());
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
            .at(arguments.span())
            .help("for example `untable host metric value`"));
    };
    if row.value == name.value || row.value == value.value || name.value == value.value {
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, "the three fields have different names")
            .at(arguments.span()));
    }
    let text = |field: &spilltrail_diagnostic::Spanned<String>| field.value.clone();
    Ok(Box::new(Untable { row: text(row), name: text(name), value: text(value) }))
}

#[async_trait]
impl Command for Untable {
    fn needs(&self, after: Needs) -> Needs {
        // Every field becomes a row.
        Needs { order: after.order, ..Needs::everything() }
    }

    fn reads(&self) -> Vec<String> {
        vec![self.row.clone()]
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(vec![self.row.clone(), self.name.clone(), self.value.clone()])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?.operator(Arc::new(self.clone()));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        // The name of a column tells the rows made from one row apart.
        lineage.measure([self.value.clone()]);
        lineage.expand(&self.name);
    }
}

impl Untable {
    fn takes(&self, name: &str) -> bool {
        name != self.row && !name.starts_with('_')
    }
}

impl Operator for Untable {
    fn name(&self) -> &'static str {
        "untable"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let row = input.iter().find(|field| field.name == self.row);
        let row = row.map_or(Kind::Text, |row| row.kind);
        let kinds = input.iter().filter(|field| self.takes(&field.name)).map(|field| field.kind);
        let value = kinds.reduce(Kind::or).unwrap_or(Kind::Text);
        vec![
            Field::new(&self.row, row),
            Field::new(&self.name, Kind::Text),
            Field::new(&self.value, value),
        ]
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        Ok(Box::new(Untabling { untable: self.clone(), output, rest: None }))
    }
}

struct Untabling {
    untable: Untable,
    output: SchemaRef,
    /// The newest batch and the place of the next value: its row and its column.
    rest: Option<(RecordBatch, usize, usize)>,
}

impl Running for Untabling {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        self.rest = Some((batch, 0, 0));
        self.more()
    }

    fn more(&mut self) -> EngineResult<Option<RecordBatch>> {
        let Some((batch, mut row, mut at)) = self.rest.take() else { return Ok(None) };
        let schema = batch.schema();
        let keys = gather::reader(&batch, &self.untable.row)?;
        let mut columns: Vec<(&str, ColumnReader)> = Vec::new();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if self.untable.takes(field.name()) {
                columns.push((field.name(), ColumnReader::new(column)?));
            }
        }
        let kinds = self.output.fields().iter().map(|field| kind_of(field.data_type()));
        let mut made: Vec<ColumnBuilder> = kinds.map(ColumnBuilder::new).collect();
        let mut rows = 0;
        while row < batch.num_rows() && rows < BATCH_ROWS {
            let key = keys.as_ref().map_or(Value::Null, |keys| keys.value(row));
            if let (Some((name, column)), false) = (columns.get(at), key.is_null()) {
                let value = column.value(row);
                at += 1;
                if !value.is_null() {
                    let values = [key, Value::text(*name), value];
                    made.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
                    rows += 1;
                }
            } else {
                (row, at) = (row + 1, 0);
            }
        }
        let made = made.into_iter().map(ColumnBuilder::finish).collect();
        let made = gather::of_columns(&self.output, made, rows)?;
        drop(columns);
        if row < batch.num_rows() {
            self.rest = Some((batch, row, at));
        }
        Ok((rows > 0).then_some(made))
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn columns_become_rows() {
        let rows = r#"{"_time":5,"x":"1","a":["p","q"]}
{"b":"3"}
{"x":"2","b":"4","a":"r"}"#;
        for (search, expected) in [
            // A row without the first field has no name, and internal fields are left out.
            ("| untable x k v", vec!["x | k | v", "1 a p q", "2 a r", "2 b 4"]),
            ("| untable _time k v", vec!["_time | k | v", "5 x 1", "5 a p q"]),
            ("| untable nosuch k v", vec!["nosuch | k | v"]),
            ("| stats count | untable x k v", vec!["x | k | v"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for search in ["| untable x k", "| untable x k v w", "| untable x k k"] {
            assert_eq!(table(search, rows).await, Err(vec![Code::BAD_ARGUMENT]), "{search}");
        }
    }
}

//! `correlate`: shows how often fields occur in the same events.

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
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// The column with the field that a row is about.
const ROW: &str = "RowField";

/// The most fields that are compared (limits.conf, `[correlate] maxfields`).
const MOST_FIELDS: usize = 1000;

static DOC: CommandDoc = CommandDoc {
    name: "correlate",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Show for each pair of fields how often both occur in the same event.",
    syntax: "correlate [type=cocur]",
    arguments: &[Argument::option("type", Takes::OneOf(&["cocur"]))
        .default("cocur")
        .doc("What is computed; there is only one type.")],
    examples: &[
        Example {
            title: "Fields that occur together",
            events: r#"{"user":"ann","ip":"192.0.2.1"}
{"user":"bob"}"#,
            search: "| correlate",
            results: r#"{"RowField":"ip","ip":1,"user":0.5}
{"RowField":"user","ip":0.5,"user":1}"#,
        },
        Example {
            title: "What occurs with errors",
            events: r#"{"error":"denied","user":"ann"}
{"error":"denied"}
{"role":"admin"}"#,
            search: "| correlate type=cocur | where RowField=\"error\"",
            results: r#"{"RowField":"error","error":1,"role":0,"user":0.5}"#,
        },
    ],
    differs: &[
        "The number is the part of the events with one of the two fields that have both.",
        "Fields whose names begin with `_` are left out.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Together>("correlate");

#[derive(Debug)]
struct Correlate;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    Ok(Box::new(Correlate))
}

#[async_trait]
impl Command for Correlate {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only(["*"])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let mut fields = input.covered("*");
        if fields.len() > MOST_FIELDS {
            let message = format!("`correlate` compares {MOST_FIELDS} of {} fields", fields.len());
            stage.context.observations.message(
                Diagnostic::warning(Code::LIMIT, message)
                    .at(stage.span)
                    .help("keep the fields that matter with `fields` before it"),
            );
            fields.truncate(MOST_FIELDS);
        }
        fields.sort_unstable();
        let mut plan = input.operator(Arc::new(Together { fields }));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([ROW.to_owned()], ["*".to_owned()]);
    }
}

/// Counts the rows that have two fields, for each pair of the fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Together {
    fields: Vec<String>,
}

impl Operator for Together {
    fn name(&self) -> &'static str {
        "correlate"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        // A field with the name of the first column gives way to it.
        let numbers = self.fields.iter().filter(|name| *name != ROW);
        let numbers = numbers.map(|name| Field::new(name, Kind::Number));
        [Field::new(ROW, Kind::Text)].into_iter().chain(numbers).collect()
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
        let count = self.fields.len();
        Ok(Box::new(Counting {
            fields: self.fields.clone(),
            output,
            both: Some(vec![0; count * count]),
        }))
    }
}

struct Counting {
    fields: Vec<String>,
    output: SchemaRef,
    /// The number of rows that have both fields of each pair; `None` once it has been returned.
    both: Option<Vec<u64>>,
}

impl Running for Counting {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let Some(both) = &mut self.both else { return Ok(None) };
        let count = self.fields.len();
        let mut readers: Vec<(usize, ColumnReader)> = Vec::new();
        for (place, name) in self.fields.iter().enumerate() {
            readers.extend(gather::reader(&batch, name)?.map(|reader| (place, reader)));
        }
        for row in 0..batch.num_rows() {
            let present: Vec<usize> = readers
                .iter()
                .filter(|(_, reader)| !reader.value(row).is_null())
                .map(|(place, _)| *place)
                .collect();
            for one in &present {
                for other in &present {
                    both[one * count + other] += 1;
                }
            }
        }
        Ok(None)
    }

    #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        let Some(both) = self.both.take() else { return Ok(None) };
        let count = self.fields.len();
        let of = |one: usize, other: usize| both[one * count + other];
        let rows: Vec<usize> = (0..count).filter(|place| of(*place, *place) > 0).collect();
        let mut names = ColumnBuilder::new(Kind::Text);
        rows.iter().for_each(|place| names.push(Value::text(self.fields[*place].as_str())));
        let mut columns = vec![names.finish()];
        for (other, _) in self.fields.iter().enumerate().filter(|(_, name)| *name != ROW) {
            let mut numbers = ColumnBuilder::new(Kind::Number);
            for one in &rows {
                let together = of(*one, other);
                let either = of(*one, *one) + of(other, other) - together;
                numbers.push(Value::Number(together as f64 / either as f64));
            }
            columns.push(numbers.finish());
        }
        gather::of_columns(&self.output, columns, rows.len()).map(Some)
    }

    fn held(&self) -> usize {
        self.both.as_ref().map_or(0, |both| both.len() * size_of::<u64>())
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn pairs_of_fields_are_counted() {
        let rows = r#"{"_time":1,"a":"x","b":["1","2"]}
{"a":"x","c":""}
{"b":"1"}"#;
        let expected = [
            "RowField | a | b | c",
            "a 1 0.3333333333333333 0.5",
            "b 0.3333333333333333 1 0",
            "c 0.5 0 1",
        ];
        assert_eq!(table("| correlate", rows).await, Ok(expected.map(str::to_owned).to_vec()));
        assert_eq!(
            table("| where a=\"x\" | fields b c | correlate", rows).await,
            Ok(vec!["RowField | b | c".to_owned(), "b 1 0".to_owned(), "c 0 1".to_owned()])
        );
        assert_eq!(table("| correlate type=all", rows).await, Err(vec![Code::BAD_OPTION]));
    }
}

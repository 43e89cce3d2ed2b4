//! `mvcombine`: merges rows that differ in one field only and keeps its values as a multivalue.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result as EngineResult, internal_datafusion_err};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::by_key::{self, ByKey, KeyedRow, KeyedWork};
use crate::operators::gather::{Given, Room};
use crate::operators::{Codec, Operator, Running};
use crate::planning::plan::{Needs, Plan, kind_of};
use crate::rows;
use crate::rows::arrow::ColumnBuilder;
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "mvcombine",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Merge rows that differ only in one field into one row. The field gets all of their values.",
    syntax: "mvcombine [delim=<text>] <field>",
    arguments: &[
        Argument::option("delim", Takes::Text)
            .doc("The delimiter with which a later `nomv` joins the values."),
        Argument::positional("field", Takes::Field).doc("The field whose values are merged."),
    ],
    examples: &[
        Example {
            title: "The addresses of each user",
            events: r#"{"user":"ann","ip":"192.0.2.1"}
{"user":"bob","ip":"192.0.2.2"}
{"user":"ann","ip":"192.0.2.3"}"#,
            search: "| mvcombine ip",
            results: r#"{"user":"ann","ip":["192.0.2.1","192.0.2.3"]}
{"user":"bob","ip":"192.0.2.2"}"#,
        },
        Example {
            title: "As one text",
            events: r#"{"ip":"192.0.2.1"}
{"ip":"192.0.2.3"}"#,
            search: "| mvcombine delim=\";\" ip | nomv ip",
            results: r#"{"ip":"192.0.2.1;192.0.2.3"}"#,
        },
    ],
    differs: &["The merged row takes the position of the first of its rows."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<CombineRows>("mvcombine");

#[derive(Debug)]
struct Combine {
    field: String,
    delimiter: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.one_field()?;
    arguments.finish_with_options()?;
    let delimiter = arguments.given::<String>("delim");
    Ok(Box::new(Combine { field: field.value, delimiter: delimiter.map(|text| text.value) }))
}

#[async_trait]
impl Command for Combine {
    fn needs(&self, after: Needs) -> Needs {
        // All other fields are compared to decide which rows are merged.
        Needs { order: true, ..after.and_all() }
    }

    fn reads(&self) -> Vec<String> {
        vec![self.field.clone()]
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if input.kind(&self.field).is_none() {
            return Ok(input);
        }
        let rows = Arc::new(CombineRows { column: self.field.clone() });
        let mut plan = input.forgetting([self.field.as_str()]).operator(rows);
        if let Some(delimiter) = &self.delimiter {
            plan.set_delimiter(&self.field, delimiter);
        }
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([self.field.clone()]);
    }
}

/// Merges rows that are equal in every column but `column`.
#[derive(Debug, Serialize, Deserialize)]
struct CombineRows {
    column: String,
}

impl Operator for CombineRows {
    fn name(&self) -> &'static str {
        "mvcombine"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let widen = |field: &Field| {
            let kind = if field.name == self.column { Kind::Multi } else { field.kind };
            Field::new(&field.name, kind)
        };
        input.iter().map(widen).collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let index = input.index_of(&self.column)?;
        let work =
            Combining { output: by_key::numbered(&output), index, groups: Combinations::default() };
        let room = Room::of(context);
        Ok(Box::new(ByKey::start("mvcombine", &input, output, room, work)))
    }
}

/// Merged rows: one row of the result.
#[derive(Debug)]
struct Combined {
    /// The row number of the first merged row.
    serial: u64,
    /// The values that all of the rows share, in column order.
    others: Vec<Value<'static>>,
    /// The values of the combined field, in row order.
    values: Vec<String>,
}

#[derive(Debug, Default)]
struct Combinations {
    indices: HashMap<Vec<u8>, usize>,
    rows: Vec<Combined>,
    held: usize,
}

impl Combinations {
    /// Merges a row into the rows with the same key, or starts a new group with it.
    fn add(&mut self, key: &[u8], row: Combined) {
        self.held += row.values.iter().map(|value| value.len() + 40).sum::<usize>();
        if let Some(index) = self.indices.get(key) {
            self.rows[*index].values.extend(row.values);
            return;
        }
        let others = row.others.len() * size_of::<Value<'_>>();
        self.held += 2 * key.len() + others + 160;
        self.indices.insert(key.to_vec(), self.rows.len());
        self.rows.push(row);
    }
}

struct Combining {
    output: SchemaRef,
    index: usize,
    groups: Combinations,
}

/// Splits a numbered batch into its columns and the row numbers, which are its last column.
fn columns(batch: &RecordBatch) -> EngineResult<(&[ArrayRef], &UInt64Array)> {
    let (serials, columns) = batch
        .columns()
        .split_last()
        .ok_or_else(|| internal_datafusion_err!("rows that are combined must be numbered"))?;
    Ok((columns, serials.as_primitive()))
}

impl KeyedWork for Combining {
    fn fresh(&self) -> Self {
        Self { output: self.output.clone(), index: self.index, groups: Combinations::default() }
    }

    fn entries(&mut self, batch: &RecordBatch) -> EngineResult<Vec<KeyedRow>> {
        let readers = rows::readers(columns(batch)?.0)?;
        let entry = |row: usize| {
            let others = readers.iter().enumerate().filter(|(index, _)| *index != self.index);
            let others: Vec<Value<'_>> = others.map(|(_, reader)| reader.value(row)).collect();
            KeyedRow {
                row: u32::try_from(row).unwrap_or(u32::MAX),
                // The `Debug` text distinguishes all values, even an absent one from an empty text.
                key: Some(format!("{others:?}").into_bytes()),
                times: 1,
                is_own: true,
            }
        };
        Ok((0..batch.num_rows()).map(entry).collect())
    }

    fn knows(&self, key: &[u8]) -> bool {
        self.groups.indices.contains_key(key)
    }

    fn held(&self) -> usize {
        self.groups.held
    }

    fn take(
        &mut self,
        batch: &RecordBatch,
        entries: &[KeyedRow],
    ) -> EngineResult<Option<RecordBatch>> {
        let (columns, serials) = columns(batch)?;
        let readers = rows::readers(columns)?;
        for entry in entries {
            let row = entry.row as usize;
            let mut others: Vec<Value<'static>> = Vec::with_capacity(readers.len());
            let mut values = Vec::new();
            for (index, reader) in readers.iter().enumerate() {
                let value = reader.value(row);
                if index == self.index {
                    values = value.into_members().into_iter().map(|v| v.into_owned()).collect();
                } else {
                    others.push(value.into_owned());
                }
            }
            let combined = Combined { serial: serials.value(row), others, values };
            self.groups.add(entry.key.as_deref().unwrap_or_default(), combined);
        }
        Ok(None)
    }

    fn finish(&mut self) -> EngineResult<Given> {
        let mut groups = std::mem::take(&mut self.groups).rows.into_iter();
        let (output, index) = (self.output.clone(), self.index);
        Ok(Box::new(std::iter::from_fn(move || {
            let rows: Vec<Combined> = groups.by_ref().take(BATCH_ROWS).collect();
            (!rows.is_empty()).then(|| batch_of(rows, &output, index))
        })))
    }
}

/// Returns a batch of merged rows with their numbers; `index` is the column of the combined field.
fn batch_of(rows: Vec<Combined>, output: &SchemaRef, index: usize) -> EngineResult<RecordBatch> {
    let own = output.fields().iter().take(output.fields().len() - 1);
    let mut builders: Vec<ColumnBuilder> =
        own.map(|field| ColumnBuilder::new(kind_of(field.data_type()))).collect();
    let serials = UInt64Array::from_iter_values(rows.iter().map(|row| row.serial));
    for Combined { others, values, .. } in rows {
        let mut others = others.into_iter();
        for (place, builder) in builders.iter_mut().enumerate() {
            if place == index {
                let members = values.iter().map(|value| value.as_str().into()).collect();
                builder.push(Value::multi(members));
            } else {
                builder.push(others.next().unwrap_or(Value::Null));
            }
        }
    }
    let columns = builders.into_iter().map(ColumnBuilder::finish);
    let columns = columns.chain([Arc::new(serials) as ArrayRef]).collect();
    Ok(RecordBatch::try_new(output.clone(), columns)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planning::plan::schema_of;
    use crate::rows::arrow::{from_array, to_array};

    #[test]
    fn absent_and_empty_are_not_the_same() {
        let fields = [Field::new("a", Kind::Text), Field::new("b", Kind::Text)];
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let operator = CombineRows { column: "b".to_owned() };
        let output = operator.output(&fields);
        let output = schema_of(output.iter().map(|field| (field.name.as_str(), field.kind)));
        let mut running = operator.start(schema.clone(), output, &TaskContext::default()).unwrap();
        let others = to_array(Kind::Text, [Value::Null, Value::text(""), Value::Null]);
        let values = to_array(Kind::Text, ["a", "b", "c"].map(Value::text));
        running.push(RecordBatch::try_new(schema, vec![others, values]).unwrap()).unwrap();
        let combined = running.finish().unwrap().unwrap();
        let values = from_array(combined.column(1)).unwrap();
        assert_eq!(
            values.iter().map(Value::members).collect::<Vec<_>>(),
            [vec!["a", "c"], vec!["b"]]
        );
    }
}

//! `mvcombine`: makes one row of those that differ in one field only.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Operator, Running};
use crate::planning::plan::{Needs, Plan, kind_of};
use crate::rows;
use crate::rows::arrow::ColumnBuilder;

static DOC: CommandDoc = CommandDoc {
    name: "mvcombine",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Makes one row of those that differ in one field only; that field gets all their values.",
    syntax: "mvcombine [delim=<text>] <field>",
    arguments: &[
        Argument::option("delim", Takes::Text).doc("What a later `nomv` joins the values by."),
        Argument::positional("field", Takes::Field).doc("The field that may differ."),
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
    differs: &["The combined row stands where the first of its rows stood."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Combine {
    field: String,
    delimiter: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.field()?;
    arguments.finish_with_options()?;
    let delimiter = arguments.given::<String>("delim");
    if field.value.contains('*') {
        let message = "`mvcombine` takes one field, without wildcards";
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span));
    }
    Ok(Box::new(Combine { field: field.value, delimiter: delimiter.map(|text| text.value) }))
}

#[async_trait]
impl Command for Combine {
    fn needs(&self, _: Needs) -> Needs {
        // Every field decides whether two rows are the same.
        Needs::everything()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if input.kind(&self.field).is_none() {
            return Ok(input);
        }
        let mut plan = input.operator(Arc::new(CombineRows { column: self.field.clone() }));
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

/// Makes one row of those that are the same apart from `column`.
#[derive(Debug)]
struct CombineRows {
    column: String,
}

impl Operator for CombineRows {
    fn name(&self) -> &'static str {
        "mvcombine"
    }

    fn state(&self) -> String {
        self.column.clone()
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
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let index = input.index_of(&self.column)?;
        Ok(Box::new(Combining { output, index, groups: Combinations::default(), is_given: false }))
    }
}

/// Rows that are the same apart from one field.
#[derive(Debug, Default)]
struct Combinations {
    places: HashMap<String, usize>,
    rows: Vec<(Vec<Value<'static>>, Vec<String>)>,
    held: usize,
}

impl Combinations {
    /// Adds a row: its other values, and the values that are combined.
    fn add(&mut self, others: Vec<Value<'static>>, values: Vec<String>) {
        // The debug form tells all values apart, also absent ones from empty texts.
        let key = format!("{others:?}");
        self.held += values.iter().map(|value| value.len() + 24).sum::<usize>();
        if let Some(place) = self.places.get(&key) {
            self.rows[*place].1.extend(values);
            return;
        }
        self.held += 2 * key.len() + 64;
        self.places.insert(key, self.rows.len());
        self.rows.push((others, values));
    }
}

struct Combining {
    output: SchemaRef,
    index: usize,
    groups: Combinations,
    is_given: bool,
}

impl Running for Combining {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        let readers = rows::readers(batch.columns())?;
        for row in 0..batch.num_rows() {
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
            self.groups.add(others, values);
        }
        Ok(None)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        if std::mem::replace(&mut self.is_given, true) {
            return Ok(None);
        }
        let mut builders: Vec<ColumnBuilder> = self
            .output
            .fields()
            .iter()
            .map(|field| ColumnBuilder::new(kind_of(field.data_type())))
            .collect();
        for (others, values) in std::mem::take(&mut self.groups).rows {
            let mut others = others.into_iter();
            for (index, builder) in builders.iter_mut().enumerate() {
                if index == self.index {
                    let members = values.iter().map(|value| value.as_str().into()).collect();
                    builder.push(Value::multi(members));
                } else {
                    builder.push(others.next().unwrap_or(Value::Null));
                }
            }
        }
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        Ok(Some(RecordBatch::try_new(self.output.clone(), columns)?))
    }

    fn held(&self) -> usize {
        self.groups.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_empty_are_not_the_same() {
        let mut groups = Combinations::default();
        for (other, value) in [(Value::Null, "a"), (Value::text(""), "b"), (Value::Null, "c")] {
            groups.add(vec![other], vec![value.to_owned()]);
        }
        let values: Vec<&[String]> = groups.rows.iter().map(|row| row.1.as_slice()).collect();
        assert_eq!(values, [["a", "c"].map(String::from).as_slice(), &["b".to_owned()]]);
    }
}

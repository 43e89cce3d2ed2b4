//! The operators of `fieldsummary`: one lists the values of all fields, the other summarizes counted
//! values.

use std::borrow::Cow;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value, parse_number};

use crate::error::to_engine;
use crate::operators::{Operator, Running, gather};
use crate::rows;
use crate::rows::arrow::{ColumnBuilder, schema_of};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

/// The columns of the listed values: the place of the field among the columns, its name, and a value.
pub(super) const NUMBER: &str = "_number";
pub(super) const FIELD: &str = "_field";
pub(super) const VALUE: &str = "_value";

/// The columns of the result.
pub(super) const OUTPUTS: [(&str, Kind); 10] = [
    ("field", Kind::Text),
    ("count", Kind::Number),
    ("distinct_count", Kind::Number),
    ("is_exact", Kind::Number),
    ("max", Kind::Number),
    ("mean", Kind::Number),
    ("min", Kind::Number),
    ("numeric_count", Kind::Number),
    ("stdev", Kind::Number),
    ("values", Kind::Text),
];

/// Returns a row for each value of each column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Unpivot {
    /// The columns, in their order.
    pub(super) names: Vec<String>,
}

impl Operator for Unpivot {
    fn name(&self) -> &'static str {
        "fieldsummary_values"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        vec![
            Field::new(NUMBER, Kind::Number),
            Field::new(FIELD, Kind::Text),
            Field::new(VALUE, Kind::Text),
        ]
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Unpivoting {
            names: self.names.clone(),
            output,
            batch: None,
            column: 0,
            row: 0,
        }))
    }
}

/// Lists the values of a batch, column by column.
struct Unpivoting {
    names: Vec<String>,
    output: SchemaRef,
    batch: Option<RecordBatch>,
    /// The place of the next value.
    column: usize,
    row: usize,
}

impl Running for Unpivoting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.batch = Some(batch);
        (self.column, self.row) = (0, 0);
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = &self.batch else { return Ok(None) };
        let mut numbers = ColumnBuilder::new(Kind::Number);
        let mut fields = ColumnBuilder::new(Kind::Text);
        let mut values = ColumnBuilder::new(Kind::Text);
        let mut made = 0;
        while self.column < self.names.len().min(batch.num_columns()) && made < BATCH_ROWS {
            let name = &self.names[self.column];
            let readers = rows::readers(&batch.columns()[self.column..=self.column])?;
            while self.row < batch.num_rows() && made < BATCH_ROWS {
                for member in readers[0].value(self.row).members() {
                    #[expect(clippy::cast_precision_loss, reason = "columns are few")]
                    numbers.push(Value::Number(self.column as f64));
                    fields.push(Value::text(name.as_str()));
                    values.push(Value::Text(member));
                    made += 1;
                }
                self.row += 1;
            }
            if self.row == batch.num_rows() {
                (self.column, self.row) = (self.column + 1, 0);
            }
        }
        if made == 0 {
            self.batch = None;
            return Ok(None);
        }
        let columns = vec![numbers.finish(), fields.finish(), values.finish()];
        gather::of_columns(&self.output, columns, made).map(Some)
    }
}

/// Turns counted values, sorted by field and falling count, into a row for each field.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SummarizeFields {
    /// The largest number of values to list.
    pub(super) most: usize,
}

impl Operator for SummarizeFields {
    fn name(&self) -> &'static str {
        "fieldsummary"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        OUTPUTS.map(|(name, kind)| Field::new(name, kind)).to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, _: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Summarizing { most: self.most, summary: None }))
    }
}

struct Summarizing {
    most: usize,
    summary: Option<Summary>,
}

/// What is known of the values of a field so far.
#[derive(Debug, Default)]
struct Summary {
    field: String,
    count: f64,
    distinct: f64,
    numeric: f64,
    mean: f64,
    /// The sum of the squared differences from the mean.
    squares: f64,
    min: Option<f64>,
    max: Option<f64>,
    /// The listed values, as the elements of a JSON array.
    values: String,
}

impl Summary {
    fn add(&mut self, value: &str, count: f64, most: usize) {
        if self.distinct < most as f64 {
            if !self.values.is_empty() {
                self.values.push(',');
            }
            let json = serde_json::Value::from(value);
            self.values.push_str(&format!("{{\"value\":{json},\"count\":{count}}}"));
        }
        self.count += count;
        self.distinct += 1.0;
        let Some(number) = parse_number(value).filter(|number| number.is_finite()) else { return };
        self.numeric += count;
        let difference = number - self.mean;
        self.mean += difference * count / self.numeric;
        self.squares += difference * (number - self.mean) * count;
        self.min = Some(self.min.map_or(number, |min| min.min(number)));
        self.max = Some(self.max.map_or(number, |max| max.max(number)));
    }

    /// Returns the values of a row, in the order of [`OUTPUTS`].
    fn row(self) -> [Value<'static>; 10] {
        let optional = |number: Option<f64>| number.map_or(Value::Null, Value::Number);
        let is_numeric = self.numeric > 0.0;
        let deviation =
            if self.numeric > 1.0 { (self.squares / (self.numeric - 1.0)).sqrt() } else { 0.0 };
        [
            Value::Text(Cow::Owned(self.field)),
            Value::Number(self.count),
            Value::Number(self.distinct),
            Value::Number(1.0),
            optional(self.max),
            optional(is_numeric.then_some(self.mean)),
            optional(self.min),
            Value::Number(self.numeric),
            optional(is_numeric.then_some(deviation)),
            Value::Text(Cow::Owned(format!("[{}]", self.values))),
        ]
    }
}

/// Returns a batch of summaries.
fn batch(summaries: Vec<Summary>) -> Result<Option<RecordBatch>> {
    if summaries.is_empty() {
        return Ok(None);
    }
    let count = summaries.len();
    let mut builders = OUTPUTS.map(|(_, kind)| ColumnBuilder::new(kind));
    for summary in summaries {
        builders.iter_mut().zip(summary.row()).for_each(|(builder, value)| builder.push(value));
    }
    let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
    gather::of_columns(&schema_of(OUTPUTS), columns, count).map(Some)
}

impl Running for Summarizing {
    fn push(&mut self, counted: RecordBatch) -> Result<Option<RecordBatch>> {
        let reader = |name| gather::reader(&counted, name);
        let (fields, values, counts) = (reader(FIELD)?, reader(VALUE)?, reader("count")?);
        let (Some(fields), Some(values), Some(counts)) = (fields, values, counts) else {
            return Ok(None);
        };
        let mut done = Vec::new();
        for row in 0..counted.num_rows() {
            let (field, value) = (fields.value(row), values.value(row));
            let (Some(field), Some(value)) = (field.to_text(), value.to_text()) else { continue };
            if self.summary.as_ref().is_none_or(|summary| summary.field != field) {
                done.extend(self.summary.take());
                self.summary = Some(Summary { field: field.into_owned(), ..Summary::default() });
            }
            if let Some(summary) = &mut self.summary {
                summary.add(&value, counts.value(row).as_number().unwrap_or_default(), self.most);
                let bytes = summary.values.len();
                limits::watch(|| limits::allows("fieldsummary", bytes)).map_err(to_engine)?;
            }
        }
        batch(done)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        batch(self.summary.take().into_iter().collect())
    }

    fn held(&self) -> usize {
        self.summary.as_ref().map_or(0, |summary| summary.values.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_counted_values() {
        let mut summary = Summary { field: "n".to_owned(), ..Summary::default() };
        // The numbers 2, 2, 2, 4, 10 have the mean 4 and the squared differences 48.
        for (value, count) in [("2", 3.0), ("10", 1.0), ("4", 1.0), ("x", 2.0)] {
            summary.add(value, count, 2);
        }
        let row = summary.row();
        let numbers: Vec<Option<f64>> = row.iter().map(Value::as_number).collect();
        let some = |numbers: &[f64]| numbers.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(numbers[1..9], some(&[7.0, 4.0, 1.0, 10.0, 4.0, 2.0, 5.0, 12_f64.sqrt()]));
        let values = r#"[{"value":"2","count":3},{"value":"10","count":1}]"#;
        assert_eq!(row[9], Value::text(values));
    }
}

//! Rows of the stream joined with rows held in memory.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use spilltrail_event::{Field, Value};

use crate::expression::arrow::{ColumnBuilder, ColumnReader};
use crate::operators::{Operator, Running};
use crate::plan::kind_of;
use crate::rows::{self, Rows};

/// How rows are matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matching {
    /// Whether rows without a partner are kept.
    pub(super) keeps_all: bool,
    /// Partners of a row at most; 0 is all.
    pub(super) max: usize,
    /// Whether a partner's value replaces one that is there.
    pub(super) overwrites: bool,
    /// Whether a partner's time counts.
    pub(super) time: Option<Time>,
}

/// Which partners count by their time; those of the same time always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Earlier,
    Later,
}

/// Joins the stream with held rows.
#[derive(Debug)]
pub(super) struct Join {
    held: Arc<Held>,
    keys: Vec<String>,
    matching: Matching,
    time: String,
}

/// The held rows by their keys.
#[derive(Debug)]
struct Held {
    fields: Vec<Field>,
    /// The values of each row, in the order of `fields`.
    rows: Vec<Vec<Value<'static>>>,
    by_key: HashMap<Vec<String>, Vec<usize>>,
    times: Vec<Option<f64>>,
}

impl Join {
    /// Returns the operator. `keys` and `times` are names on the left and on the right; a key on the
    /// right that has another name than on the left is a field of the result too.
    ///
    /// # Errors
    /// Fails at a column that SPL has no values of.
    pub(super) fn new(
        rows: &Rows,
        keys: (Vec<String>, Vec<String>),
        matching: Matching,
        times: (String, String),
    ) -> Result<Self> {
        let place = |name: &String| rows.fields.iter().position(|field| field.name == *name);
        let key_places: Vec<Option<usize>> = keys.1.iter().map(place).collect();
        let time_place = place(&times.1);
        let mut held = Held {
            fields: rows.fields.clone(),
            rows: Vec::with_capacity(rows.len()),
            by_key: HashMap::new(),
            times: Vec::new(),
        };
        for batch in &rows.batches {
            let readers = rows::readers(batch.columns())?;
            for row in 0..batch.num_rows() {
                let values: Vec<Value<'static>> =
                    readers.iter().map(|reader| reader.value(row).into_owned()).collect();
                let own = |place: &Option<usize>| place.and_then(|at| values.get(at));
                let key: Option<Vec<String>> =
                    key_places.iter().map(|place| own(place).and_then(key_text)).collect();
                if let Some(key) = key {
                    held.by_key.entry(key).or_default().push(held.rows.len());
                }
                held.times.push(own(&time_place).and_then(Value::as_number));
                held.rows.push(values);
            }
        }
        Ok(Self { held: Arc::new(held), keys: keys.0, matching, time: times.0 })
    }
}

/// Returns the text by which a key is compared; none if it is absent.
fn key_text(value: &Value<'_>) -> Option<String> {
    let members = value.members();
    (!members.is_empty()).then(|| members.join("\n"))
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn state(&self) -> String {
        // The same memory is the same rows.
        format!("{:?} {:?} {:p}", self.keys, self.matching, Arc::as_ptr(&self.held))
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let held = &self.held.fields;
        let mut output: Vec<Field> = input
            .iter()
            .map(|field| {
                let other = held.iter().find(|other| other.name == field.name);
                let kind = other.map_or(field.kind, |other| field.kind.or(other.kind));
                Field::new(&field.name, kind)
            })
            .collect();
        let is_new = |field: &&Field| input.iter().all(|known| known.name != field.name);
        output.extend(held.iter().filter(is_new).cloned());
        output
    }

    fn start(&self, input: SchemaRef, output: SchemaRef) -> Result<Box<dyn Running>> {
        let keys = self.keys.iter().map(|key| input.index_of(key).ok()).collect();
        let time = input.index_of(&self.time).ok();
        let held = self.held.clone();
        let places = output
            .fields()
            .iter()
            .map(|field| held.fields.iter().position(|other| other.name == *field.name()))
            .collect();
        let matching = self.matching.clone();
        Ok(Box::new(Joining { output, held, keys, places, time, matching }))
    }
}

struct Joining {
    output: SchemaRef,
    held: Arc<Held>,
    keys: Vec<Option<usize>>,
    /// For each column of the output its place in the held rows.
    places: Vec<Option<usize>>,
    time: Option<usize>,
    matching: Matching,
}

impl Running for Joining {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let pairs = self.pairs(&batch)?;
        self.joined(&batch, &pairs).map(Some)
    }
}

impl Joining {
    /// Returns the rows of the result: row of the batch, and held row if it has a partner.
    fn pairs(&self, batch: &RecordBatch) -> Result<Vec<(u32, Option<usize>)>> {
        let reader = |index: &Option<usize>| {
            index.map(|index| ColumnReader::new(batch.column(index))).transpose()
        };
        let keys = self.keys.iter().map(reader).collect::<Result<Vec<_>>>()?;
        let time = reader(&self.time)?;
        let mut pairs = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let number = u32::try_from(row).unwrap_or(u32::MAX);
            let own = |reader: &Option<ColumnReader>| {
                reader.as_ref().and_then(|reader| key_text(&reader.value(row)))
            };
            let key: Option<Vec<String>> = keys.iter().map(own).collect();
            let time = time.as_ref().and_then(|reader| reader.value(row).as_number());
            let before = pairs.len();
            let max = if self.matching.max == 0 { usize::MAX } else { self.matching.max };
            let partners = key.and_then(|key| self.held.by_key.get(&key));
            pairs.extend(
                partners
                    .into_iter()
                    .flatten()
                    .filter(|partner| self.fits_time(time, self.held.times[**partner]))
                    .take(max)
                    .map(|partner| (number, Some(*partner))),
            );
            if pairs.len() == before && self.matching.keeps_all {
                pairs.push((number, None));
            }
        }
        Ok(pairs)
    }

    fn fits_time(&self, own: Option<f64>, other: Option<f64>) -> bool {
        match (self.matching.time, own, other) {
            (Some(Time::Earlier), Some(own), Some(other)) => other <= own,
            (Some(Time::Later), Some(own), Some(other)) => other >= own,
            _ => true,
        }
    }

    fn joined(&self, batch: &RecordBatch, pairs: &[(u32, Option<usize>)]) -> Result<RecordBatch> {
        let rows = UInt32Array::from_iter_values(pairs.iter().map(|(row, _)| *row));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for (field, place) in self.output.fields().iter().zip(&self.places) {
            let own = batch.column_by_name(field.name());
            let Some(place) = place else {
                // Every column of the output is of the batch or of the held rows.
                if let Some(own) = own {
                    columns.push(take(own, &rows, None)?);
                }
                continue;
            };
            let reader = own.map(ColumnReader::new).transpose()?;
            let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
            for (row, partner) in pairs {
                let own = reader.as_ref().map_or(Value::Null, |own| own.value(*row as usize));
                let other = partner.map_or(&Value::Null, |partner| &self.held.rows[partner][*place]);
                let takes_other = !other.is_null() && (self.matching.overwrites || own.is_null());
                builder.push(if takes_other { other.clone() } else { own });
            }
            columns.push(builder.finish());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.len()));
        Ok(RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?)
    }
}

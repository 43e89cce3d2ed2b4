//! The operator of `join`: joins streamed rows with the rows of the subsearch, which it holds.

use std::collections::HashMap;

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Value};

use super::indexed::IndexedRows;
use crate::operators::gather::{self, Room};
use crate::operators::{CarriedRows, KeptRows, Operator, Running};
use crate::planning::plan::{kind_of, schema_of};
use crate::rows;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

/// Options that decide which rows are joined and which values are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Matching {
    /// Whether rows of the stream without a partner are kept.
    pub(super) keeps_all: bool,
    /// The maximum number of partners of a row; 0 means all.
    pub(super) max: usize,
    /// Whether a partner's value replaces the row's own value of the same field.
    pub(super) overwrites: bool,
    /// Which partners are accepted by time; `None` accepts all.
    pub(super) time: Option<Time>,
}

/// The side of a row's time on which its partners must lie. Equal times are always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Time {
    Earlier,
    Later,
}

/// Joins streamed rows (left) with the rows of the subsearch (right).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Join {
    rows: CarriedRows,
    /// The names of the key fields on the left and on the right, in the same order.
    keys: (Vec<String>, Vec<String>),
    matching: Matching,
    /// The names of the time field on the left and on the right.
    times: (String, String),
}

/// The rows of the subsearch, indexed by key.
#[derive(Debug)]
struct Held {
    fields: Vec<Field>,
    rows: IndexedRows,
    by_key: HashMap<Vec<String>, Vec<usize>>,
    times: Vec<Option<f64>>,
}

impl Join {
    /// Returns the operator. `keys` and `times` name fields on the left and on the right. A right
    /// key whose name differs from its left key's is a field of the result too.
    ///
    /// # Errors
    /// Fails if a column has a type without an SPL equivalent, or if rows on disk cannot be read.
    pub(super) fn new(
        rows: KeptRows,
        keys: (Vec<String>, Vec<String>),
        matching: Matching,
        times: (String, String),
    ) -> Result<Self> {
        Ok(Self { rows: CarriedRows::new(rows)?, keys, matching, times })
    }
}

impl Held {
    /// Reads the rows and indexes them by these key fields; `time` names their time field.
    ///
    /// # Errors
    /// Fails if the rows fit neither in memory nor on disk.
    fn new(rows: &KeptRows, keys: &[String], time: &String, room: &Room) -> Result<Self> {
        let place = |name: &String| rows.fields.iter().position(|field| field.name == *name);
        let key_places: Vec<Option<usize>> = keys.iter().map(place).collect();
        let time_place = place(time);
        let schema = schema_of(rows.fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let mut indexed = IndexedRows::new(schema.clone(), room);
        let mut by_key: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        let mut times = Vec::with_capacity(rows.len());
        for batch in rows.batches()? {
            let batch = batch?;
            // `rows.fields` may carry an alias that the columns of the batch do not have, so the
            // columns get the names of `schema`.
            let (columns, count) = (batch.columns().to_vec(), batch.num_rows());
            let batch = gather::of_columns(&schema, columns, count)?;
            let readers = rows::readers(batch.columns())?;
            for row in 0..batch.num_rows() {
                let own = |place: &Option<usize>| place.map(|at| readers[at].value(row));
                let key: Option<Vec<String>> =
                    key_places.iter().map(|place| own(place).as_ref().and_then(key_text)).collect();
                if let Some(key) = key {
                    by_key.entry(key).or_default().push(times.len());
                }
                times.push(own(&time_place).and_then(|time| time.as_number()));
            }
            indexed.push(&batch)?;
        }
        indexed.finish()?;
        Ok(Self { fields: rows.fields.clone(), rows: indexed, by_key, times })
    }
}

/// Returns the text that a key is compared by, or `None` if the key has no value.
fn key_text(value: &Value<'_>) -> Option<String> {
    let members = value.members();
    (!members.is_empty()).then(|| members.join("\n"))
}

impl Operator for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn identity(&self) -> String {
        let Self { rows, keys, matching, times } = self;
        format!("{keys:?} {matching:?} {times:?} {}", rows.identity())
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let held = &self.rows.fields;
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

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let keys = self.keys.0.iter().map(|key| input.index_of(key).ok()).collect();
        let time = input.index_of(&self.times.0).ok();
        let held = Held::new(&self.rows, &self.keys.1, &self.times.1, &Room::of(context))?;
        let places = output
            .fields()
            .iter()
            .map(|field| held.fields.iter().position(|other| other.name == *field.name()))
            .collect();
        let matching = self.matching.clone();
        Ok(Box::new(Joining { output, held, keys, places, time, matching, pending: None }))
    }
}

/// A row of the batch, and the index of its partner among the held rows.
type Pair = (u32, Option<usize>);

struct Joining {
    output: SchemaRef,
    held: Held,
    keys: Vec<Option<usize>>,
    /// For each column of the output, the index of the held field with its name.
    places: Vec<Option<usize>>,
    time: Option<usize>,
    matching: Matching,
    /// The latest batch and the index of its first row that is not joined yet.
    pending: Option<(RecordBatch, usize)>,
}

impl Running for Joining {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.pending = Some((batch, 0));
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        let Some((batch, from)) = self.pending.take() else { return Ok(None) };
        let (pairs, next) = self.pairs(&batch, from)?;
        let joined = self.joined(&batch, &pairs)?;
        if next < batch.num_rows() {
            self.pending = Some((batch, next));
        }
        Ok(Some(joined))
    }
}

impl Joining {
    /// Returns the next pairs of the result, and the index of the batch's row to continue with.
    ///
    /// A pair without a held row is a row that has no partner and is kept.
    fn pairs(&self, batch: &RecordBatch, from: usize) -> Result<(Vec<Pair>, usize)> {
        let reader = |index: &Option<usize>| {
            index.map(|index| ColumnReader::new(batch.column(index))).transpose()
        };
        let keys = self.keys.iter().map(reader).collect::<Result<Vec<_>>>()?;
        let time = reader(&self.time)?;
        let mut pairs: Vec<Pair> = Vec::new();
        for row in from..batch.num_rows() {
            // One row can have many partners, so a batch may give several batches of output.
            if pairs.len() >= BATCH_ROWS {
                return Ok((pairs, row));
            }
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
        Ok((pairs, batch.num_rows()))
    }

    fn fits_time(&self, own: Option<f64>, other: Option<f64>) -> bool {
        match (self.matching.time, own, other) {
            (Some(Time::Earlier), Some(own), Some(other)) => other <= own,
            (Some(Time::Later), Some(own), Some(other)) => other >= own,
            _ => true,
        }
    }

    fn joined(&self, batch: &RecordBatch, pairs: &[Pair]) -> Result<RecordBatch> {
        let rows = UInt32Array::from_iter_values(pairs.iter().map(|(row, _)| *row));
        let partners: Vec<usize> = pairs.iter().filter_map(|(_, partner)| *partner).collect();
        let partners = self.held.rows.get(&partners)?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.places.len());
        for (field, place) in self.output.fields().iter().zip(&self.places) {
            let own = batch.column_by_name(field.name());
            let Some(place) = place else {
                // Every output column that the held rows lack is a column of the batch.
                if let Some(own) = own {
                    columns.push(take(own, &rows, None)?);
                }
                continue;
            };
            let reader = own.map(ColumnReader::new).transpose()?;
            let other_reader = ColumnReader::new(partners.column(*place))?;
            let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
            // `partners` has no rows for pairs without a partner, so it is counted separately.
            let mut next_partner = 0;
            for (row, partner) in pairs {
                let own = reader.as_ref().map_or(Value::Null, |own| own.value(*row as usize));
                let mut other = Value::Null;
                if partner.is_some() {
                    other = other_reader.value(next_partner);
                    next_partner += 1;
                }
                let takes_other = !other.is_null() && (self.matching.overwrites || own.is_null());
                builder.push(if takes_other { other } else { own });
            }
            columns.push(builder.finish());
        }
        gather::of_columns(&self.output, columns, pairs.len())
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use spilltrail_event::Kind;

    use super::*;
    use crate::rows::Rows;
    use crate::testing::context;

    fn held(rows: &[(&'static str, f64)]) -> Rows {
        let records: Vec<IndexMap<String, Value<'static>>> = rows
            .iter()
            .map(|(key, time)| {
                let fields = [("k", Value::text(*key)), ("_time", Value::Number(*time))];
                fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
            })
            .collect();
        Rows::from_records(&records)
    }

    /// Joins rows that have these keys and the time 5; returns the key and the partner's time of
    /// each row of the result.
    fn join(keys: &[&'static str], matching: Matching) -> Vec<(String, Option<f64>)> {
        let rows = held(&[("a", 9.0), ("b", 1.0), ("a", 2.0), ("a", 5.0)]);
        let names = || vec!["k".to_owned()];
        let times = ("t".to_owned(), "_time".to_owned());
        let context = context(Vec::new(), 1 << 20);
        let rows = KeptRows::of(rows, &context.session.runtime_env()).unwrap();
        let join = Join::new(rows, (names(), names()), matching, times).unwrap();
        let input = [Field::new("k", Kind::Text), Field::new("t", Kind::Number)];
        let schema = |fields: &[Field]| schema_of(fields.iter().map(|f| (f.name.as_str(), f.kind)));
        let mut columns: Vec<ColumnBuilder> =
            input.iter().map(|field| ColumnBuilder::new(field.kind)).collect();
        for key in keys {
            columns[0].push(Value::text(*key));
            columns[1].push(Value::Number(5.0));
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(schema(&input), columns).unwrap();
        let mut running = join
            .start(schema(&input), schema(&join.output(&input)), &TaskContext::default())
            .unwrap();
        let mut joined = Vec::new();
        let mut given = running.push(batch).unwrap();
        while let Some(batch) = given {
            assert!(batch.num_rows() < BATCH_ROWS + 4);
            let readers = rows::readers(batch.columns()).unwrap();
            joined.extend((0..batch.num_rows()).map(|row| {
                let key = readers[0].value(row).to_text().unwrap_or_default().into_owned();
                (key, readers[2].value(row).as_number())
            }));
            given = running.more().unwrap();
        }
        joined
    }

    #[test]
    fn partners() {
        let matching = Matching { keeps_all: false, max: 1, overwrites: true, time: None };
        let row = |key: &str, time: Option<f64>| (key.to_owned(), time);
        assert_eq!(join(&["a", "z"], matching.clone()), [row("a", Some(9.0))]);
        let left = Matching { keeps_all: true, ..matching.clone() };
        assert_eq!(join(&["z", "b"], left), [row("z", None), row("b", Some(1.0))]);
        let earlier = Matching { max: 0, time: Some(Time::Earlier), ..matching.clone() };
        assert_eq!(join(&["a"], earlier), [row("a", Some(2.0)), row("a", Some(5.0))]);
        let later = Matching { max: 0, time: Some(Time::Later), ..matching };
        assert_eq!(join(&["a"], later), [row("a", Some(9.0)), row("a", Some(5.0))]);
    }

    #[test]
    fn many_partners_come_in_parts() {
        let all = Matching { keeps_all: false, max: 0, overwrites: true, time: None };
        assert_eq!(join(&["a"; 10_000], all).len(), 30_000);
    }
}

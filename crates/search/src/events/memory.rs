//! An event source of rows in memory, for trying out searches and for tests.

use std::borrow::Borrow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use indexmap::{IndexMap, IndexSet};
use spilltrail_event::{Demand, Field, Kind, Predicate, Record, ScanRequest, Value, fields};

use crate::events::EventSource;
use crate::rows::arrow::{schema_of, to_array};
use crate::rows::cut::{BATCH_ROWS, rows_of};
use crate::rows::{Row, Rows};

/// Rows used as the events of a single index, `main`.
///
/// No fields are added to a row. Every field of a row counts as an indexed field.
#[derive(Debug)]
pub struct MemoryEvents {
    rows: Arc<Vec<Row>>,
    kinds: IndexMap<String, Kind>,
    /// The most rows of a batch.
    batch_rows: usize,
}

impl MemoryEvents {
    /// Creates an event source of these rows.
    ///
    /// Only `_time` is a number column. All other columns are text or multivalue, so that text
    /// among numbers stays text.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let mut kinds = IndexMap::new();
        rows.iter().for_each(|row| kinds_with(&mut kinds, row));
        Self { rows: Arc::new(rows), kinds, batch_rows: BATCH_ROWS }
    }

    /// Makes the rows come in batches of at most this number.
    #[cfg(test)]
    pub(crate) fn in_batches_of(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }
}

#[async_trait]
impl EventSource for MemoryEvents {
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError> {
        let matching = self.rows.iter().filter(|row| predicate.matches(&RowRecord(row)));
        fields_of(matching.map(Ok), &self.kinds, demand)
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let matches = |at: &usize| request.predicate.matches(&RowRecord(&self.rows[*at]));
        let schema = schema_of(request.fields.iter().map(|f| (f.name.as_str(), f.kind)));
        let partition = Arc::new(MatchingRows {
            rows: self.rows.clone(),
            matching: (0..self.rows.len()).filter(matches).collect::<Vec<_>>().into(),
            fields: request.fields.clone(),
            schema: schema.clone(),
            batch_rows: self.batch_rows,
        });
        Ok(Arc::new(StreamingTable::try_new(schema, vec![partition])?))
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        None
    }

    fn is_pipeline_input(&self) -> bool {
        true
    }
}

/// The matching rows, converted to columns one batch at a time.
#[derive(Debug)]
struct MatchingRows {
    rows: Arc<Vec<Row>>,
    /// The indices of the matching rows.
    matching: Arc<[usize]>,
    fields: Vec<Field>,
    schema: SchemaRef,
    batch_rows: usize,
}

impl PartitionStream for MatchingRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (rows, matching) = (self.rows.clone(), self.matching.clone());
        let (fields, schema) = (self.fields.clone(), self.schema.clone());
        let size = rows_of(fields.len()).min(self.batch_rows);
        let batches = (0..matching.len()).step_by(size).map(move |start| {
            let places = &matching[start..matching.len().min(start + size)];
            batch_of(&schema, &fields, places.iter().map(|place| &rows[*place]))
        });
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}

impl From<Rows> for MemoryEvents {
    fn from(rows: Rows) -> Self {
        Self::new(rows.iter().collect())
    }
}

/// Adds the kinds of a row's fields to those that are known.
pub(super) fn kinds_with(kinds: &mut IndexMap<String, Kind>, row: &Row) {
    for (name, value) in row {
        let kind = match value {
            Value::Null => continue,
            Value::Multi(_) => Kind::Multi,
            _ if name == fields::TIME => Kind::Number,
            _ => Kind::Text,
        };
        match kinds.get_mut(name) {
            Some(known) => *known = known.or(kind),
            None => {
                kinds.insert(name.clone(), kind);
            }
        }
    }
}

/// Returns the demanded fields of these rows, in the order of their first occurrence, as
/// [`EventSource::fields`] does.
pub(super) fn fields_of<R: Borrow<Row>, E>(
    rows: impl Iterator<Item = Result<R, E>>,
    kinds: &IndexMap<String, Kind>,
    demand: &Demand,
) -> Result<Vec<Field>, E> {
    let mut names: IndexSet<String> = IndexSet::new();
    for row in rows {
        for (name, value) in row?.borrow() {
            if !value.is_null() && demand.wants(name) && !names.contains(name) {
                names.insert(name.clone());
            }
        }
    }
    names.extend(demand.names.iter().filter(|name| !demand.is_matched(name)).cloned());
    let kind = |name: &str| {
        let unknown = if name == fields::TIME { Kind::Number } else { Kind::Text };
        kinds.get(name).copied().unwrap_or(unknown)
    };
    Ok(names.iter().map(|name| Field::new(name, kind(name))).collect())
}

/// Returns the given fields of rows as a batch.
pub(super) fn batch_of<'r>(
    schema: &SchemaRef,
    fields: &[Field],
    rows: impl IntoIterator<Item = &'r Row, IntoIter: Clone + ExactSizeIterator>,
) -> Result<RecordBatch, DataFusionError> {
    let rows = rows.into_iter();
    let column = |field: &Field| {
        let value = |row: &Row| row.get(&field.name).cloned().unwrap_or(Value::Null);
        to_array(field.kind, rows.clone().map(value))
    };
    let columns = fields.iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// A row as the record that a predicate reads.
pub(super) struct RowRecord<'a>(pub(super) &'a Row);

impl Record for RowRecord<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        match self.0.get(field) {
            // Rows without an `index` field belong to `main`.
            None if field == fields::INDEX => visit("main"),
            None => false,
            Some(value) => value.members().iter().any(|member| visit(member)),
        }
    }
}

//! Rows in memory: results of searches and subsearches, and rows given to try out a search.

pub mod arrow;
pub mod bins;
pub mod convert;
pub(crate) mod cut;
pub(crate) mod instant;
pub mod ipc;
pub mod json;
pub mod mapped;
pub mod observed;
pub mod row_memo;
pub(crate) mod sort_key;
pub(crate) mod state;
pub(crate) mod styles;
pub(crate) mod zone;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use indexmap::IndexMap;
use spilltrail_event::{Field, Kind, Value};

use self::arrow::{ColumnBuilder, ColumnReader, schema_of};
use self::cut::BATCH_ROWS;
use self::row_memo::RowMemo;

/// One row: its fields by name, in order.
pub type Row = IndexMap<String, Value<'static>>;

/// Rows as record batches, with the SPL kinds of their columns.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The columns in order.
    pub fields: Vec<Field>,
    /// The rows in order; every batch has exactly these columns.
    pub batches: Vec<RecordBatch>,
    /// Whether a transforming command produced the rows.
    pub transformed: bool,
}

impl Rows {
    /// Creates rows from their columns and batches.
    #[must_use]
    pub fn new(fields: Vec<Field>, batches: Vec<RecordBatch>, transformed: bool) -> Self {
        Self { fields, batches, transformed }
    }

    /// Creates rows from records.
    ///
    /// The columns are in the order in which the records first name them. The kind of each column
    /// can represent all of its values.
    #[must_use]
    pub fn from_records(records: &[IndexMap<String, Value<'_>>]) -> Self {
        let mut kinds: IndexMap<&str, Kind> = IndexMap::new();
        for record in records {
            for (name, value) in record {
                let kind = match value {
                    Value::Multi(_) => Kind::Multi,
                    Value::Number(_) => Kind::Number,
                    Value::Null => continue,
                    _ => Kind::Text,
                };
                kinds.entry(name).and_modify(|known| *known = known.or(kind)).or_insert(kind);
            }
        }
        let fields = kinds.iter().map(|(name, kind)| Field::new(*name, *kind)).collect();
        Self::with_fields(fields, records)
    }

    /// Creates rows from records, with exactly the given columns.
    #[must_use]
    pub fn with_fields(fields: Vec<Field>, records: &[IndexMap<String, Value<'_>>]) -> Self {
        let mut builders: Vec<ColumnBuilder> =
            fields.iter().map(|field| ColumnBuilder::new(field.kind)).collect();
        for record in records {
            for (field, builder) in fields.iter().zip(&mut builders) {
                builder.push(record.get(&field.name).cloned().unwrap_or(Value::Null));
            }
        }
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        Self::of_columns(fields, columns, records.len())
    }

    /// Creates rows from their columns, which have the kinds of the fields.
    #[must_use]
    pub(crate) fn of_columns(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Self {
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let options =
            datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options).expect(
            "the columns have the kinds of the fields, and as many values as there are rows",
        );
        Self::new(fields, vec![batch], false)
    }

    /// Returns `count` copies of one record, in batches that share their memory.
    #[must_use]
    pub(crate) fn repeated(record: IndexMap<String, Value<'_>>, count: usize) -> Self {
        let one = vec![record; count.min(BATCH_ROWS)];
        let mut rows = Self::from_records(&one);
        if let [batch] = rows.batches.as_slice()
            && batch.num_rows() > 0
        {
            let (whole, rest) = (count / batch.num_rows(), count % batch.num_rows());
            let last = (rest > 0).then(|| batch.slice(0, rest));
            rows.batches = std::iter::repeat_n(batch.clone(), whole).chain(last).collect();
        }
        rows
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns true if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the first `count` rows.
    #[must_use]
    pub fn truncated(mut self, count: usize) -> Self {
        let mut left = count;
        for batch in &mut self.batches {
            let take = left.min(batch.num_rows());
            *batch = batch.slice(0, take);
            left -= take;
        }
        self
    }

    /// Returns the rows after the first `count`.
    #[must_use]
    pub fn without_first(mut self, count: usize) -> Self {
        let mut left = count;
        for batch in &mut self.batches {
            let skip = left.min(batch.num_rows());
            *batch = batch.slice(skip, batch.num_rows() - skip);
            left -= skip;
        }
        self
    }

    /// Returns a table provider of these rows, in order.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the table.
    pub fn into_table(self) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let schema = schema_of(self.fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let table = MemTable::try_new(schema, vec![self.batches])?;
        Ok(Arc::new(table))
    }

    /// Iterates over the rows, each with its non-null fields in column order.
    pub fn iter(&self) -> impl Iterator<Item = IndexMap<String, Value<'static>>> {
        self.batches.iter().flat_map(batch_rows)
    }
}

/// Returns one reader per column.
///
/// # Errors
/// Fails if SPL cannot represent the type of a column.
pub fn readers(columns: &[ArrayRef]) -> Result<Vec<ColumnReader>, DataFusionError> {
    columns.iter().map(ColumnReader::new).collect()
}

/// Reads a batch's columns by name without copying them.
#[derive(Debug)]
pub struct Columns {
    batch: RecordBatch,
    readers: Vec<ColumnReader>,
}

impl Columns {
    /// Returns the columns of a batch.
    ///
    /// # Panics
    /// Never for batches of a search: the planner makes columns of SPL's kinds only.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Self {
        let readers =
            readers(batch.columns()).expect("the planner makes columns of SPL's kinds only");
        Self { batch: batch.clone(), readers }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Creates a memo of results that depend only on the named columns.
    pub fn memo<T: Clone>(&self, names: &[impl AsRef<str>]) -> RowMemo<'_, T> {
        let columns = names.iter().filter_map(|name| self.batch.column_by_name(name.as_ref()));
        RowMemo::new(columns)
    }

    /// Returns the reader of a field's column, or `None` if the batch lacks it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ColumnReader> {
        self.batch.schema_ref().index_of(name).ok().map(|index| &self.readers[index])
    }
}

/// Iterates over the rows of a batch, each with its non-null fields in column order.
pub fn batch_rows(batch: &RecordBatch) -> impl Iterator<Item = IndexMap<String, Value<'static>>> {
    let readers = readers(batch.columns()).expect("the planner makes columns of SPL's kinds only");
    let schema = batch.schema();
    // Of thousands of columns, most may have no value in a batch.
    let nulls: Vec<bool> =
        batch.columns().iter().map(|column| column.null_count() == column.len()).collect();
    let present: Vec<usize> = (0..nulls.len()).filter(|place| !nulls[*place]).collect();
    (0..batch.num_rows()).map(move |row| {
        let mut record = IndexMap::new();
        for place in &present {
            let (field, reader) = (schema.field(*place), &readers[*place]);
            let value = reader.value(row);
            if !value.is_null() {
                record.insert(field.name().clone(), value.into_owned());
            }
        }
        record
    })
}

//! Packs any number of columns of an aggregation into two: the key and the values.
//!
//! DataFusion looks up each aggregate's columns by name and plans each aggregate separately; with
//! thousands of aggregates, planning takes minutes. Therefore a single aggregate reads all values
//! as one struct and returns all results as one struct. The values of several BY fields are encoded
//! as one key ([`group_key`]).

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, BooleanArray, RecordBatch, StructArray,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind};

use super::{BatchRows, Operator, Running, gather};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, data_type, schema_of};
use crate::rows::state::state_of;
use crate::stats::group_key;

/// The name of the key column.
pub(crate) const KEY: &str = "\u{3}";
/// The name of the values column, and of the results column.
pub(crate) const VALUES: &str = "\u{4}";

/// Packs the first columns into the key and the other columns into the values.
///
/// Rows without a value in one of the key columns are dropped.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pack {
    /// The number of key columns.
    pub keys: usize,
}

impl Pack {
    /// Returns the output schema for the given input columns.
    pub(crate) fn schema(&self, input: &[Field]) -> Schema {
        let (keys, values) = input.split_at(self.keys);
        let mut columns = Vec::new();
        match keys {
            [] => {}
            [key] => columns.push(ArrowField::new(KEY, data_type(key.kind), true)),
            _ => columns.push(ArrowField::new(KEY, DataType::BinaryView, true)),
        }
        if !values.is_empty() {
            columns.push(ArrowField::new(VALUES, struct_of(values), true));
        }
        Schema::new(columns)
    }
}

/// Returns the Arrow struct type with one member for each field.
pub(crate) fn struct_of(fields: &[Field]) -> DataType {
    let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
    DataType::Struct(schema.fields().clone())
}

impl Operator for Pack {
    fn name(&self) -> &'static str {
        "pack"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    /// Returns the input columns, because the packed columns have no SPL type; see `Pack::schema`.
    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn batches_below(&self) -> BatchRows {
        BatchRows::Restored
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Packing { keys: self.keys, output }))
    }
}

struct Packing {
    keys: usize,
    output: SchemaRef,
}

impl Running for Packing {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let batch = with_all(batch, self.keys)?;
        let rows = batch.num_rows();
        let (keys, values) = batch.columns().split_at(self.keys);
        let mut columns: Vec<ArrayRef> = Vec::new();
        match keys {
            [] => {}
            [key] => columns.push(key.clone()),
            _ => columns.push(joint(keys, rows)?),
        }
        if let Some(field) = self.output.fields().get(columns.len()) {
            let DataType::Struct(fields) = field.data_type() else {
                return Err(internal_datafusion_err!("values are packed into a struct"));
            };
            columns.push(Arc::new(StructArray::try_new(fields.clone(), values.to_vec(), None)?));
        }
        gather::of_columns(&self.output, columns, rows).map(Some)
    }
}

/// Returns the rows that have a value in each of the first `columns` columns.
fn with_all(batch: RecordBatch, columns: usize) -> Result<RecordBatch> {
    let keys = &batch.columns()[..columns];
    let has_nulls = |column: &ArrayRef| column.logical_null_count() > 0;
    if !keys.iter().any(has_nulls) {
        return Ok(batch);
    }
    let nulls: Vec<_> = keys.iter().filter_map(|column| column.logical_nulls()).collect();
    let has_all = |row: usize| nulls.iter().all(|nulls| nulls.is_valid(row));
    let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(has_all(row))).collect();
    Ok(filter_record_batch(&batch, &kept)?)
}

fn joint(keys: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let readers = keys.iter().map(ColumnReader::new).collect::<Result<Vec<_>>>()?;
    let mut joint = BinaryViewBuilder::with_capacity(rows);
    let mut key = Vec::new();
    for row in 0..rows {
        key.clear();
        readers.iter().try_for_each(|reader| group_key::append(&mut key, &reader.value(row)))?;
        joint.append_value(&key);
    }
    Ok(Arc::new(joint.finish()))
}

/// Unpacks the key and the results of an aggregation into separate columns.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unpack {
    /// The key columns.
    pub keys: Vec<Field>,
    /// The result columns.
    pub results: Vec<Field>,
    /// Whether a group's statistics can be as large as the group has values.
    pub keeps_values: bool,
}

/// Rows of a batch of an aggregation that keeps values. What it spilled is merged from several files, with
/// a batch or two of each in memory, and the engine counts a batch in rows; a group of `list` has up to
/// 100 values.
const ROWS_OF_VALUES: usize = 128;

impl Operator for Unpack {
    fn name(&self) -> &'static str {
        "unpack"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.keys.iter().chain(&self.results).cloned().collect()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn batches_below(&self) -> BatchRows {
        // Without BY there is one group, and nothing to merge.
        if self.keeps_values && !self.keys.is_empty() {
            BatchRows::AtMost(ROWS_OF_VALUES)
        } else {
            BatchRows::Unchanged
        }
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let kinds = self.keys.iter().map(|key| key.kind).collect();
        Ok(Box::new(Unpacking { kinds, output }))
    }
}

struct Unpacking {
    kinds: Vec<Kind>,
    output: SchemaRef,
}

impl Running for Unpacking {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.output.fields().len());
        let mut packed = batch.columns().iter();
        match (self.kinds.as_slice(), packed.len()) {
            ([], _) => {}
            ([_], _) => columns.extend(packed.next().cloned()),
            (kinds, _) => {
                let key = packed.next();
                let key = key.ok_or_else(|| internal_datafusion_err!("the key is missing"))?;
                columns.extend(parts(key, kinds)?);
            }
        }
        if let Some(results) = packed.next() {
            columns.extend(results.as_struct().columns().iter().cloned());
        }
        gather::of_columns(&self.output, columns, batch.num_rows()).map(Some)
    }
}

/// Returns the columns whose values were encoded as keys.
fn parts(keys: &ArrayRef, kinds: &[Kind]) -> Result<Vec<ArrayRef>> {
    let damaged = || internal_datafusion_err!("a key of groups is damaged");
    let keys = keys.as_binary_view_opt().ok_or_else(damaged)?;
    let mut columns: Vec<ColumnBuilder> =
        kinds.iter().map(|kind| ColumnBuilder::new(*kind)).collect();
    for key in keys {
        let mut rest = key.ok_or_else(damaged)?;
        for column in &mut columns {
            let (value, after) = group_key::split(rest).ok_or_else(damaged)?;
            column.push(value);
            rest = after;
        }
    }
    Ok(columns.into_iter().map(ColumnBuilder::finish).collect())
}

//! Builds Arrow columns row by row.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder, UInt32Builder};
use arrow_array::{ArrayRef, UInt32Array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use spilltrail_event::{Field, Kind};

/// Returns the Arrow type of a kind of field.
#[must_use]
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::Float64,
        Kind::Text => DataType::Utf8View,
        Kind::Multi => DataType::List(Arc::new(ArrowField::new("item", DataType::Utf8View, true))),
    }
}

/// Returns the schema of these fields, with every column nullable.
#[must_use]
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let columns =
        fields.iter().map(|field| ArrowField::new(&field.name, data_type(field.kind), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// A column under construction; texts are stored as numbers.
#[derive(Debug)]
pub(crate) enum Column {
    Number(Float64Builder),
    /// Text numbers; [`NO_TEXT`] in rows without a value. Rows after the last value are left out.
    Text(Vec<u32>),
    Multi(ListBuilder<UInt32Builder>),
}

/// Marks a row without a value in a column of text numbers.
pub(crate) const NO_TEXT: u32 = u32::MAX;

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Multi => Self::Multi(ListBuilder::new(UInt32Builder::new())),
        }
    }

    /// Returns the finished column of this many rows and starts a new one. `absent` is the column of
    /// texts without any value, which is made once.
    ///
    /// Events with keys of their own, such as ids, make thousands of columns that are mostly empty.
    pub(crate) fn finish(&mut self, rows: usize, absent: &mut Option<ArrayRef>) -> ArrayRef {
        match self {
            Self::Number(column) => Arc::new(column.finish()),
            Self::Text(column) if column.is_empty() => {
                let make = || Arc::new(UInt32Array::new_null(rows)) as ArrayRef;
                absent.get_or_insert_with(make).clone()
            }
            Self::Text(column) => {
                let next = Vec::with_capacity(column.len());
                let mut numbers = std::mem::replace(column, next);
                numbers.resize(rows, NO_TEXT);
                let is_there =
                    BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row] != NO_TEXT);
                let nulls = Some(NullBuffer::new(is_there)).filter(|nulls| nulls.null_count() > 0);
                Arc::new(UInt32Array::new(numbers.into(), nulls))
            }
            Self::Multi(column) => Arc::new(column.finish()),
        }
    }
}

//! Arrow columns under construction.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, ListBuilder, StringViewBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field as ArrowField, Schema, SchemaRef};
use spilltrail_event::{Field, Kind, parse_number};

use crate::cloudtrail::Values;

/// Returns the Arrow type of a kind of field.
#[must_use]
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::Float64,
        Kind::Text => DataType::Utf8View,
        Kind::Multi => DataType::List(Arc::new(ArrowField::new("item", DataType::Utf8View, true))),
    }
}

/// Returns the schema of these fields; every column may be null.
#[must_use]
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let columns =
        fields.iter().map(|field| ArrowField::new(&field.name, data_type(field.kind), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// One column that grows.
#[derive(Debug)]
pub(crate) enum Column {
    Number(Float64Builder),
    Text(StringViewBuilder),
    Multi(ListBuilder<StringViewBuilder>),
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Text => Self::Text(StringViewBuilder::new()),
            Kind::Multi => Self::Multi(ListBuilder::new(StringViewBuilder::new())),
        }
    }

    /// Appends one event's values and returns how much text that was. Where there is room for one
    /// value only, the last one stays.
    pub(crate) fn append(&mut self, values: &Values<'_>) -> usize {
        let list: &[_] = match values {
            Values::None => &[],
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        };
        match self {
            Self::Number(column) => {
                column.append_option(list.last().and_then(|value| parse_number(value)));
                8
            }
            Self::Text(column) => {
                column.append_option(list.last());
                list.last().map_or(0, |value| value.len())
            }
            Self::Multi(column) => {
                list.iter().for_each(|value| column.values().append_value(value));
                column.append(!list.is_empty());
                list.iter().map(|value| value.len()).sum()
            }
        }
    }

    /// Appends one event's number to a column of numbers.
    pub(crate) fn append_number(&mut self, number: Option<f64>) {
        if let Self::Number(column) = self {
            column.append_option(number);
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Number(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Multi(column) => Arc::new(column.finish()),
        }
    }
}

/// Returns the rows so far as a batch, and begins anew. Without columns it is only a number of rows.
pub(crate) fn finish_columns(
    schema: &SchemaRef,
    columns: &mut [Column],
    rows: usize,
) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.iter_mut().map(Column::finish).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
}

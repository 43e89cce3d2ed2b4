//! Arrow columns under construction.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, ListBuilder, UInt32Builder};
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

/// Returns the schema of these fields; every column may be null.
#[must_use]
pub fn schema_of(fields: &[Field]) -> SchemaRef {
    let columns =
        fields.iter().map(|field| ArrowField::new(&field.name, data_type(field.kind), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// One column that grows; texts are numbers.
#[derive(Debug)]
pub(crate) enum Column {
    Number(Float64Builder),
    Text(UInt32Builder),
    Multi(ListBuilder<UInt32Builder>),
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Text => Self::Text(UInt32Builder::new()),
            Kind::Multi => Self::Multi(ListBuilder::new(UInt32Builder::new())),
        }
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Number(column) => Arc::new(column.finish()),
            Self::Text(column) => Arc::new(column.finish()),
            Self::Multi(column) => Arc::new(column.finish()),
        }
    }
}

//! Appends kept rows to the rows of a stream.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Value};

use super::gather::{self, Given};
use super::{CarriedRows, Operator, Running};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::state::state_of;

/// Returns the rows of the stream, then `rows`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Append {
    pub(crate) rows: CarriedRows,
    /// The output columns: those of the stream and those of `rows`.
    pub(crate) fields: Vec<Field>,
}

/// Returns the batch with exactly the columns and column types of `schema`.
///
/// A column that the batch does not have is absent in every row.
pub(crate) fn widened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    let own_schema = batch.schema();
    let indices = gather::indices(&own_schema);
    for field in schema.fields() {
        let own = indices.get(field.name().as_str()).map(|index| batch.column(*index));
        if let Some(own) = own.filter(|own| own.data_type() == field.data_type()) {
            columns.push(own.clone());
            continue;
        }
        let reader = own.map(ColumnReader::new).transpose()?;
        let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
        for row in 0..batch.num_rows() {
            builder.push(reader.as_ref().map_or(Value::Null, |reader| reader.value(row)));
        }
        columns.push(builder.finish());
    }
    gather::of_columns(schema, columns, batch.num_rows())
}

impl Operator for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn identity(&self) -> String {
        format!("{:?} {}", self.fields, self.rows.identity())
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.fields.clone()
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let rows = self.rows.clone();
        Ok(Box::new(Appending { output, rows: Some(rows), left: Box::new(std::iter::empty()) }))
    }
}

struct Appending {
    output: SchemaRef,
    /// The rows to append; `None` once `left` reads them.
    rows: Option<CarriedRows>,
    left: Given,
}

impl Running for Appending {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        Ok(Some(batch.with_schema(self.output.clone())?))
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rows) = self.rows.take() {
            self.left = Box::new(rows.batches()?);
        }
        let next = self.left.next().transpose()?;
        next.map(|batch| widened(&batch, &self.output)).transpose()
    }
}

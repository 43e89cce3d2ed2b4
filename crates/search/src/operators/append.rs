//! Rows held in memory after the rows of the stream.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::lit;
use indexmap::IndexMap;
use spilltrail_event::{Field, Kind, Value};

use super::{Operator, Running, gather};
use crate::convert;
use crate::expression::arrow::{ColumnBuilder, ColumnReader};
use crate::plan::{Plan, column, data_type, schema_of};
use crate::rows::Rows;

/// Gives the rows of the stream, then `rows`, which have the same columns.
#[derive(Debug)]
pub struct Append {
    rows: Arc<Rows>,
}

impl Append {
    /// Returns the plan that gives the rows of `plan`, then `rows`; the columns are those of both,
    /// each as wide as both need.
    ///
    /// # Errors
    /// Fails if DataFusion refuses the plan.
    pub fn on(plan: Plan, rows: &Rows) -> Result<Plan> {
        let mut kinds: IndexMap<String, Kind> =
            plan.fields().map(|(name, kind)| (name.to_owned(), kind)).collect();
        for field in &rows.fields {
            kinds
                .entry(field.name.clone())
                .and_modify(|kind| *kind = kind.or(field.kind))
                .or_insert(field.kind);
        }
        let columns = kinds
            .iter()
            .map(|(name, kind)| {
                let expr = match plan.kind(name) {
                    Some(known) => convert::to_kind(column(name), known, *kind),
                    None => lit(datafusion::common::ScalarValue::try_from(&data_type(*kind))?),
                };
                Ok((name.clone(), expr, *kind))
            })
            .collect::<Result<Vec<_>>>()?;
        let fields: Vec<Field> =
            kinds.into_iter().map(|(name, kind)| Field::new(name, kind)).collect();
        let transformed = plan.transformed || rows.transformed;
        let rows = Arc::new(widened(rows, fields)?);
        let mut plan = plan.project(columns)?.operator(Arc::new(Self { rows }));
        plan.transformed = transformed;
        Ok(plan)
    }
}

/// Returns the rows with exactly these columns.
fn widened(rows: &Rows, fields: Vec<Field>) -> Result<Rows> {
    let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
    let mut batches = Vec::with_capacity(rows.batches.len());
    for batch in &rows.batches {
        let mut columns = Vec::with_capacity(fields.len());
        for field in &fields {
            let reader = match batch.column_by_name(&field.name) {
                Some(column) => Some(ColumnReader::new(column)?),
                None => None,
            };
            let mut builder = ColumnBuilder::new(field.kind);
            for row in 0..batch.num_rows() {
                builder.push(reader.as_ref().map_or(Value::Null, |reader| reader.value(row)));
            }
            columns.push(builder.finish());
        }
        batches.push(gather::of_columns(&schema, columns, batch.num_rows())?);
    }
    Ok(Rows { fields, batches, ..rows.clone() })
}

impl Operator for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn state(&self) -> String {
        // The rows themselves would be too long a text; the same memory is the same rows.
        format!("{} rows at {:p}", self.rows.len(), Arc::as_ptr(&self.rows))
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.rows.fields.clone()
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let left = self.rows.batches.iter().cloned().collect();
        Ok(Box::new(Appending { output, left }))
    }
}

struct Appending {
    output: SchemaRef,
    left: VecDeque<RecordBatch>,
}

impl Running for Appending {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        Ok(Some(batch.with_schema(self.output.clone())?))
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        Ok(self.left.pop_front())
    }
}

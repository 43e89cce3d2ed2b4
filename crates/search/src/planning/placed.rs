//! Operators that several commands put on top of a plan, and rows as a plan.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, lit};
use indexmap::IndexMap;
use spilltrail_event::{Field, Kind, Value};

use crate::operators::{Append, Derive, RowFunction, Summarize, Summary, gather};
use crate::planning::plan::{Plan, column};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, data_type, schema_of};
use crate::rows::{Rows, convert};

impl Rows {
    /// Returns the plan that gives these rows in order.
    ///
    /// # Errors
    /// Fails if DataFusion refuses the table.
    pub fn into_plan(self) -> Result<Plan, DataFusionError> {
        let (fields, transformed) = (self.fields.clone(), self.transformed);
        let source = provider_as_source(self.into_table()?);
        let logical = LogicalPlanBuilder::scan("rows", source, None)?.build()?;
        let mut plan = Plan::new(logical, fields)?;
        plan.transformed = transformed;
        Ok(plan)
    }
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
        let own = batch.schema();
        let own = gather::indices(&own);
        for field in &fields {
            let index = own.get(field.name.as_str());
            let reader = index.map(|index| ColumnReader::new(batch.column(*index))).transpose()?;
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

impl Derive {
    /// Puts the function on top of `plan`. An output that is a column already keeps its place and
    /// becomes as wide as both need.
    #[must_use]
    pub fn on(
        plan: Plan,
        inputs: Vec<String>,
        outputs: impl IntoIterator<Item = Field>,
        function: Arc<dyn RowFunction>,
    ) -> Plan {
        let outputs = outputs
            .into_iter()
            .map(|field| {
                let kind = plan.kind(&field.name).map_or(field.kind, |kind| kind.or(field.kind));
                Field::new(field.name, kind)
            })
            .collect();
        plan.operator(Arc::new(Self { inputs, outputs, function }))
    }
}

impl Summarize {
    /// Puts the summary on top of `plan`.
    #[must_use]
    pub fn on(plan: Plan, summary: Arc<dyn Summary>) -> Plan {
        let mut plan = plan.operator(Arc::new(Self { summary }));
        plan.transformed = true;
        plan
    }
}

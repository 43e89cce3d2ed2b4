//! Adds operators that several commands share to a plan, and turns rows into plans.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, lit};
use indexmap::IndexMap;
use spilltrail_event::{Field, Kind};

use crate::operators::{Append, CarriedRows, Derive, KeptRows, RowFunction, Summarize, Summary};
use crate::planning::plan::{Plan, column};
use crate::rows::arrow::data_type;
use crate::rows::{Rows, convert};

impl Rows {
    /// Returns a plan of these rows, in order.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the table.
    pub fn into_plan(self) -> Result<Plan, DataFusionError> {
        let (fields, transformed) = (self.fields.clone(), self.transformed);
        scan(self.into_table()?, fields, transformed)
    }
}

impl KeptRows {
    /// Returns a plan of these rows, in order and with their styles.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the table.
    pub(crate) fn into_plan(mut self) -> Result<Plan, DataFusionError> {
        let styles = std::mem::take(&mut self.styles);
        let (fields, transformed) = (self.fields.clone(), self.transformed);
        Ok(scan(self.into_table()?, fields, transformed)?.with_styles(styles))
    }
}

fn scan(table: Arc<dyn TableProvider>, fields: Vec<Field>, transformed: bool) -> Result<Plan> {
    let logical = LogicalPlanBuilder::scan("rows", provider_as_source(table), None)?.build()?;
    let mut plan = Plan::new(logical, fields)?;
    plan.transformed = transformed;
    Ok(plan)
}

impl Append {
    /// Returns a plan of the rows of `plan`, followed by `rows`.
    ///
    /// It has the columns of both inputs. The kind of each column can represent the values of both.
    /// The columns of `plan` keep their styles; the rows do not bring theirs along.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub(crate) fn on(plan: Plan, rows: KeptRows) -> Result<Plan> {
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
        let append = Self { rows: CarriedRows::new(rows)?, fields };
        let styles = plan.styles();
        // A column that is widened would lose its style.
        let plan = plan.project(columns)?.with_styles(styles);
        let mut plan = plan.operator(Arc::new(append));
        plan.transformed = transformed;
        Ok(plan)
    }
}

impl Derive {
    /// Adds an operator to `plan` that computes `outputs` with `function`.
    ///
    /// An output that is already a column keeps its index, and its kind can represent the old and
    /// the new values.
    #[must_use]
    pub fn on(
        plan: Plan,
        inputs: Vec<String>,
        outputs: impl IntoIterator<Item = Field>,
        function: Arc<dyn RowFunction>,
    ) -> Plan {
        let outputs: Vec<Field> = outputs
            .into_iter()
            .map(|field| {
                let kind = plan.kind(&field.name).map_or(field.kind, |kind| kind.or(field.kind));
                Field::new(field.name, kind)
            })
            .collect();
        let plan = plan.forgetting(outputs.iter().map(|field| field.name.as_str()));
        plan.operator(Arc::new(Self { inputs, outputs, function }))
    }
}

impl Summarize {
    /// Adds an operator to `plan` that summarizes its rows.
    #[must_use]
    pub fn on(plan: Plan, summary: Arc<dyn Summary>) -> Plan {
        let mut plan = plan.operator(Arc::new(Self { summary }));
        plan.transformed = true;
        plan
    }
}

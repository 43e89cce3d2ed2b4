//! Columns computed by expressions, next to input columns that are passed through by index.
//!
//! Only the expressions refer to columns by name. [`Select`](super::Select) explains why the other
//! columns do not.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, new_null_array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{DFSchemaRef, Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::physical_planner::PhysicalPlanner;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::node::schema_of_fields;
use super::parts::InParts;
use super::{Codec, Operator, OperatorExec, Running, gather};
use crate::rows::cut;
use crate::rows::state::{of_state, state_of};

/// The source of an output column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Source {
    /// The input column with this index.
    Input(usize),
    /// The result of the expression with this index.
    Computed(usize),
    /// No value in any row.
    Absent,
}

/// The logical node; it has one output column for each source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ComputeNode {
    sources: Vec<Source>,
    expressions: Vec<Expr>,
    input: Arc<LogicalPlan>,
    fields: Vec<Field>,
    schema: DFSchemaRef,
}

impl ComputeNode {
    /// Returns the node over `input` with the output columns `fields`, each read from the source at
    /// its index in `sources`.
    #[must_use]
    pub fn new(
        input: LogicalPlan,
        sources: Vec<Source>,
        expressions: Vec<Expr>,
        fields: Vec<Field>,
    ) -> Self {
        let schema = schema_of_fields(&fields);
        Self { sources, expressions, input: Arc::new(input), fields, schema }
    }

    /// Returns the physical plan over `input`.
    ///
    /// # Errors
    /// Fails if DataFusion rejects an expression.
    pub(super) fn plan(
        &self,
        planner: &dyn PhysicalPlanner,
        input: Arc<dyn ExecutionPlan>,
        session: &dyn Session,
        planning: &PhysicalPlanningContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let names = self.input.schema();
        let expressions = self
            .expressions
            .iter()
            .map(|expr| planner.create_physical_expr(expr, names, session, planning))
            .collect::<Result<_>>()?;
        let (sources, fields) = (self.sources.clone(), self.fields.clone());
        let operator = Compute { sources, expressions, fields };
        let schema = Arc::new(self.schema.as_arrow().clone());
        Ok(Arc::new(OperatorExec::new(Arc::new(operator), input, schema)))
    }
}

impl PartialOrd for ComputeNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let key = |node: &Self| (node.sources.clone(), node.expressions.clone());
        match key(self).partial_cmp(&key(other)) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            order => order,
        }
        // The names and kinds of the output columns are not compared above. Nodes that differ only
        // in them are not equal, so they have no order.
        .filter(|order| *order != Ordering::Equal || self == other)
    }
}

impl UserDefinedLogicalNodeCore for ComputeNode {
    fn name(&self) -> &'static str {
        "compute"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn expressions(&self) -> Vec<Expr> {
        self.expressions.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expressions: Vec<String> = self.expressions.iter().map(ToString::to_string).collect();
        write!(f, "compute: {}", expressions.join(", "))
    }

    fn with_exprs_and_inputs(
        &self,
        expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let input = inputs.pop().ok_or_else(|| internal_datafusion_err!("one input expected"))?;
        Ok(Self { expressions, input: Arc::new(input), ..self.clone() })
    }
}

/// The operator that runs a [`ComputeNode`].
#[derive(Debug, Serialize, Deserialize)]
struct Compute {
    sources: Vec<Source>,
    #[serde(skip)]
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<Field>,
}

/// Reads the operator from its state and from the expressions, which are not part of the state.
pub(super) const CODEC: Codec = Codec {
    name: "compute",
    read: |state, expressions| {
        let compute: Compute = of_state(state)?;
        Ok(Arc::new(Compute { expressions, ..compute }))
    },
};

impl Operator for Compute {
    fn name(&self) -> &'static str {
        "compute"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn expressions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.expressions
    }

    fn identity(&self) -> String {
        let expressions: Vec<String> = self.expressions.iter().map(ToString::to_string).collect();
        format!("{:?} {}", self.sources, expressions.join(", "))
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.fields.clone()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let (sources, expressions) = (self.sources.clone(), self.expressions.clone());
        let computing = Computing { output, sources, expressions };
        Ok(InParts::start(move |batch| computing.computed(batch)))
    }
}

struct Computing {
    output: SchemaRef,
    sources: Vec<Source>,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
}

impl Computing {
    fn computed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let computed = self
            .expressions
            .iter()
            .map(|expr| cut::array_of(&expr.evaluate(batch)?, rows))
            .collect::<Result<Vec<_>>>()?;
        let fields = self.output.fields().iter();
        let columns = self.sources.iter().zip(fields).map(|(source, field)| match *source {
            Source::Input(index) => batch.column(index).clone(),
            Source::Computed(index) => computed[index].clone(),
            Source::Absent => new_null_array(field.data_type(), rows),
        });
        let columns = columns.collect();
        gather::of_columns(&self.output, columns, rows)
    }
}

//! The logical node of an operator, and the planner that turns it into a physical plan.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_datafusion_err};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use spilltrail_event::Field;

use super::{ComputeNode, Operator, OperatorExec};
use crate::rows::arrow::schema_of;

/// An [`Operator`] over an input plan.
#[derive(Debug, Clone)]
pub struct OperatorNode {
    operator: Arc<dyn Operator>,
    input: LogicalPlan,
    schema: DFSchemaRef,
}

impl OperatorNode {
    /// Returns the node that applies `operator` to `input` and has the columns `output`.
    #[must_use]
    pub fn new(operator: Arc<dyn Operator>, input: LogicalPlan, output: &[Field]) -> Self {
        Self { operator, input, schema: schema_of_fields(output) }
    }

    /// Returns the node that applies `operator` to `input` and has the columns of `schema`.
    ///
    /// Use it for columns whose types are not those of SPL fields, such as structs.
    ///
    /// # Errors
    /// Fails if two columns have the same name.
    pub fn with_schema(
        operator: Arc<dyn Operator>,
        input: LogicalPlan,
        schema: &Schema,
    ) -> Result<Self> {
        let schema =
            DFSchema::from_unqualified_fields(schema.fields().clone(), HashMap::default())?;
        Ok(Self { operator, input, schema: Arc::new(schema) })
    }

    /// Returns the operator.
    #[must_use]
    pub fn operator(&self) -> &Arc<dyn Operator> {
        &self.operator
    }

    fn key(&self) -> (&'static str, String) {
        (self.operator.name(), self.operator.identity())
    }
}

/// Returns the DataFusion schema of SPL fields.
pub(super) fn schema_of_fields(fields: &[Field]) -> DFSchemaRef {
    let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
    let schema = DFSchema::from_unqualified_fields(schema.fields().clone(), HashMap::default());
    Arc::new(schema.expect("column names are unique: they come from a map"))
}

impl PartialEq for OperatorNode {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.input == other.input
    }
}

impl Eq for OperatorNode {}

impl PartialOrd for OperatorNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.key().cmp(&other.key()) {
            Ordering::Equal => self.input.partial_cmp(&other.input),
            order => Some(order),
        }
    }
}

impl Hash for OperatorNode {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.key().hash(hasher);
        self.input.hash(hasher);
    }
}

impl UserDefinedLogicalNodeCore for OperatorNode {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn supports_limit_pushdown(&self) -> bool {
        self.operator.keeps_rows()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operator.name(), self.operator.identity())
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.pop().ok_or_else(|| internal_datafusion_err!("one input expected"))?;
        Ok(Self { operator: self.operator.clone(), input, schema: self.schema.clone() })
    }
}

/// Turns [`OperatorNode`] and [`ComputeNode`] into [`OperatorExec`].
#[derive(Debug)]
pub struct OperatorPlanner;

#[async_trait]
impl ExtensionPlanner for OperatorPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        planning: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let input = physical_inputs[0].clone();
        if let Some(node) = node.as_any().downcast_ref::<ComputeNode>() {
            return node.plan(planner, input, session, planning).map(Some);
        }
        let Some(node) = node.as_any().downcast_ref::<OperatorNode>() else { return Ok(None) };
        let schema = Arc::new(node.schema.as_arrow().clone());
        Ok(Some(Arc::new(OperatorExec::new(node.operator.clone(), input, schema))))
    }
}

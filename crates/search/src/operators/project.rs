//! Expressions over the rows of a batch, or of as many of them as fit into one batch when they are done.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};
use futures::StreamExt;

use super::gather;
use crate::rows::cut::{self, Cutter};

/// Does what the engine's projection does, but cuts a batch whose results would be too large.
#[derive(Debug)]
pub(crate) struct ProjectInParts {
    projection: Arc<ProjectionExec>,
}

impl ProjectInParts {
    /// Returns the plan; `None` if the projection computes nothing.
    pub(crate) fn of(projection: &ProjectionExec) -> Option<Self> {
        let is_computed = |projected: &ProjectionExpr| !projected.expr.is::<Column>();
        let computes = projection.expr().iter().any(is_computed);
        computes.then(|| Self { projection: Arc::new(projection.clone()) })
    }

    /// Returns the plan of expressions by their names over an input.
    ///
    /// # Errors
    /// Fails if the input has not the columns of the expressions.
    pub(crate) fn new(
        expressions: impl IntoIterator<Item = (String, Arc<dyn PhysicalExpr>)>,
        input: Arc<dyn ExecutionPlan>,
    ) -> Result<Self> {
        let named = |(alias, expr)| ProjectionExpr { expr, alias };
        let projection = ProjectionExec::try_new(expressions.into_iter().map(named), input)?;
        Ok(Self { projection: Arc::new(projection) })
    }

    /// Returns the expressions and their names.
    pub(crate) fn expressions(&self) -> &[ProjectionExpr] {
        self.projection.expr()
    }
}

impl DisplayAs for ProjectInParts {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.projection.fmt_as(format, f)
    }
}

#[allow(deprecated)] // DataFusion 55 asks for `with_new_children`.
impl ExecutionPlan for ProjectInParts {
    fn name(&self) -> &'static str {
        "ProjectInParts"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.projection.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.projection.children()
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.projection.apply_expressions(visit)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("one child expected"))?;
        let projection = ProjectionExec::try_new(self.projection.expr().to_vec(), input)?;
        Ok(Arc::new(Self { projection: Arc::new(projection) }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let state = Projecting {
            input: self.projection.input().execute(partition, context)?,
            expressions: self.projection.expr().to_vec(),
            schema: self.schema(),
            cutter: Cutter::default(),
        };
        let stream = futures::stream::try_unfold(state, async |mut state: Projecting| {
            Ok(state.next().await?.map(|batch| (batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }
}

struct Projecting {
    input: SendableRecordBatchStream,
    expressions: Vec<ProjectionExpr>,
    schema: SchemaRef,
    cutter: Cutter,
}

impl Projecting {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let (expressions, schema) = (&self.expressions, &self.schema);
            let done = self.cutter.next(|part| project(&part, expressions, schema))?;
            if done.is_some() {
                return Ok(done);
            }
            let Some(batch) = self.input.next().await else { return Ok(None) };
            self.cutter.put(batch?);
        }
    }
}

fn project(
    batch: &RecordBatch,
    expressions: &[ProjectionExpr],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let column = |projected: &ProjectionExpr| cut::array_of(&projected.expr.evaluate(batch)?, rows);
    let columns = expressions.iter().map(column).collect::<Result<Vec<_>>>()?;
    gather::of_columns(schema, columns, rows)
}

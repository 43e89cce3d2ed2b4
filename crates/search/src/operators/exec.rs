//! The physical plan of an operator: one ordered stream in, one ordered stream out.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, Distribution, ExecutionPlan, ExecutionPlanProperties,
    PhysicalExpr, PlanProperties,
};
use futures::StreamExt;
use spilltrail_eval::cancel::is_canceled;
use spilltrail_eval::limits;

use super::{Operator, batch_rows};
use crate::error::to_engine;

/// Runs an [`Operator`].
#[derive(Debug)]
pub struct OperatorExec {
    operator: Arc<dyn Operator>,
    input: Arc<dyn ExecutionPlan>,
    /// The row order that the input was planned with. DataFusion may replace the input, but the
    /// replacement must have this order, too.
    ordering: Option<LexOrdering>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OperatorExec {
    /// Returns the plan that runs `operator` over `input` and returns batches of `schema`.
    #[must_use]
    pub fn new(
        operator: Arc<dyn Operator>,
        input: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
    ) -> Self {
        let ordering = input.output_ordering().cloned();
        Self::over(operator, input, ordering, schema)
    }

    fn over(
        operator: Arc<dyn Operator>,
        input: Arc<dyn ExecutionPlan>,
        ordering: Option<LexOrdering>,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { operator, input, ordering, properties: Arc::new(properties), metrics }
    }

    /// Returns the operator.
    #[must_use]
    pub fn operator(&self) -> &Arc<dyn Operator> {
        &self.operator
    }
}

impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorExec: {} {}", self.operator.name(), self.operator.identity())
    }
}

#[allow(deprecated)] // DataFusion 55 requires `with_new_children` and the old distribution method.
impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &'static str {
        "OperatorExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.ordering.clone().map(OrderingRequirements::from)]
    }

    /// Returns false although operators keep the order: otherwise DataFusion would move a later
    /// sort below the operator, which would then read its rows in the wrong order.
    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| internal_datafusion_err!("one child expected"))?;
        let (operator, ordering) = (self.operator.clone(), self.ordering.clone());
        Ok(Arc::new(Self::over(operator, input, ordering, self.schema())))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let mut operator = self.operator.start(self.input.schema(), self.schema(), &context)?;
        operator.observe(&self.metrics);
        let columns = self.schema().fields().len();
        let below = batch_rows::below(&context, self.operator.as_ref(), columns, &self.input);
        let state = Running {
            input: self.input.execute(partition, below)?,
            operator,
            reservation: MemoryConsumer::new(self.operator.name()).register(context.memory_pool()),
            is_reading: true,
        };
        let stream = futures::stream::try_unfold(state, async |mut state: Running| {
            Ok(state.next().await?.map(|batch| (batch, state)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// A running operator with its input stream and its memory reservation.
struct Running {
    input: SendableRecordBatchStream,
    operator: Box<dyn super::Running>,
    reservation: MemoryReservation,
    is_reading: bool,
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.operator.more()? {
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        while self.is_reading {
            let batch = if self.operator.is_done() { None } else { self.input.next().await };
            let Some(batch) = batch else {
                self.is_reading = false;
                break;
            };
            if is_canceled() {
                return Err(to_engine(limits::canceled()));
            }
            let given = self.operator.push(batch?)?;
            self.reservation.try_resize(self.operator.held())?;
            if let Some(batch) = given.filter(|batch| batch.num_rows() > 0) {
                return Ok(Some(batch));
            }
        }
        while let Some(batch) = self.operator.finish()? {
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

//! Logs as a DataFusion table, and the plan node that reads them.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use spilltrail_decode::schema_of;
use spilltrail_event::ScanRequest;

use crate::description::ScanDescription;
use crate::logs::Logs;
use crate::stream::{ReadCounts, stream};

/// The events of one leading search over a set of logs.
#[derive(Debug)]
pub struct LogTable {
    logs: Arc<Logs>,
    request: ScanRequest,
    schema: SchemaRef,
}

impl LogTable {
    pub(crate) fn new(logs: Arc<Logs>, request: ScanRequest) -> Self {
        let schema = schema_of(&request.fields);
        Self { logs, request, schema }
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut request = self.request.clone();
        if let Some(projection) = projection {
            request.fields =
                projection.iter().map(|index| self.request.fields[*index].clone()).collect();
        }
        Ok(Arc::new(LogScan::new(self.logs.clone(), request)))
    }
}

/// Reads the events of one leading search, in the order of the files.
///
/// The scan has a single partition with all of its files, and reads them in parallel internally. A
/// planner that spreads files over several machines creates one scan per machine, with a part of
/// the files that [`LogScan::describe`] returns. With several partitions in one scan, each machine
/// would read all files.
#[derive(Debug)]
pub struct LogScan {
    logs: Arc<Logs>,
    request: ScanRequest,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LogScan {
    fn new(logs: Arc<Logs>, request: ScanRequest) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema_of(&request.fields)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        // The stream waits on a tokio channel, which already yields to other tasks.
        .with_scheduling_type(SchedulingType::Cooperative);
        let metrics = ExecutionPlanMetricsSet::new();
        Self { logs, request, properties: Arc::new(properties), metrics }
    }

    /// Returns a description from which another process can create the same scan.
    ///
    /// # Errors
    /// Fails if another process cannot read a file, such as standard input.
    pub fn describe(&self) -> Result<ScanDescription> {
        ScanDescription::of(&self.logs, &self.request)
    }

    /// Creates a scan from its description. Requests to S3 run on the runtime of the caller.
    ///
    /// # Errors
    /// Fails if a bucket cannot be reached with the options of the description.
    pub fn of_description(description: ScanDescription) -> Result<Self> {
        let request = description.request.clone();
        Ok(Self::new(Arc::new(description.into_logs()?), request))
    }

    /// Returns the logs, whose report lists the files that could not be read.
    #[must_use]
    pub fn logs(&self) -> &Arc<Logs> {
        &self.logs
    }
}

impl DisplayAs for LogScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogScan: predicate={:?}", self.request.predicate)
    }
}

impl ExecutionPlan for LogScan {
    fn name(&self) -> &'static str {
        "LogScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan of logs has no inputs") }
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!(
                "a scan of logs has one partition, and {partition} was asked for"
            );
        }
        let counts = ReadCounts::new(&self.metrics);
        let batches = stream(self.logs.clone(), self.request.clone(), counts);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), Box::pin(batches))))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

#[cfg(test)]
mod tests;

//! Log files as a `FileSource`.
//!
//! A file is decoded on a blocking thread, which waits while its batches are not taken; DataFusion
//! opens the next file while one is read, so that two are decoded at a time.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::{DisplayFormatType, PhysicalExpr};
use futures::StreamExt;
use object_store::ObjectStore;
use spilltrail_decode::SeenEvents;
use spilltrail_event::ScanRequest;

use crate::logs::Logs;
use crate::table::FileIndex;

/// Batches that a file may be ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Reads the events of one leading search.
#[derive(Debug, Clone)]
pub(crate) struct LogSource {
    logs: Arc<Logs>,
    request: Arc<ScanRequest>,
    seen: Option<Arc<Mutex<SeenEvents>>>,
    table_schema: TableSchema,
    metrics: ExecutionPlanMetricsSet,
}

impl LogSource {
    pub(crate) fn new(logs: Arc<Logs>, request: ScanRequest, schema: SchemaRef) -> Self {
        Self {
            seen: logs.seen_events(),
            logs,
            request: Arc::new(request),
            table_schema: TableSchema::from_file_schema(schema),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

impl FileSource for LogSource {
    fn create_file_opener(
        &self,
        _: Arc<dyn ObjectStore>,
        _: &FileScanConfig,
        _: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        Ok(Arc::new(LogOpener {
            logs: self.logs.clone(),
            request: self.request.clone(),
            seen: self.seen.clone(),
        }))
    }

    fn table_schema(&self) -> &TableSchema {
        &self.table_schema
    }

    fn with_batch_size(&self, _: usize) -> Arc<dyn FileSource> {
        Arc::new(self.clone())
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &'static str {
        "cloudtrail"
    }

    /// A compressed file cannot be cut, and splitting it anyway would read it twice.
    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn fmt_extra(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ", predicate={:?}", self.request.predicate)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
}

struct LogOpener {
    logs: Arc<Logs>,
    request: Arc<ScanRequest>,
    seen: Option<Arc<Mutex<SeenEvents>>>,
}

impl FileOpener for LogOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let Some(FileIndex(index)) = file.extension::<FileIndex>().copied() else {
            return Err(internal_datafusion_err!("a log file without its index"));
        };
        let (logs, request) = (self.logs.clone(), self.request.clone());
        let seen = self.seen.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel::<RecordBatch>(BATCHES_AHEAD);
        Ok(Box::pin(async move {
            let work =
                tokio::task::spawn_blocking(move || {
                    logs.decode(index, &request, seen, &mut |batch| match sender
                        .blocking_send(batch)
                    {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(_) => ControlFlow::Break(()),
                    });
                });
            let batches = futures::stream::unfold(receiver, async |mut receiver| {
                receiver.recv().await.map(|batch| (Ok(batch), receiver))
            });
            // A decoder that dies must not look like the end of the file.
            let end = futures::stream::once(work).filter_map(async |end| {
                end.err().map(|error| Err(internal_datafusion_err!("decoding failed: {error}")))
            });
            Ok(batches.chain(end).boxed())
        }))
    }
}

//! Log files as a `FileSource`.
//!
//! A file is decoded on a blocking thread, which waits while its batches are not taken; DataFusion
//! opens the next file while one is read, so that two are decoded at a time.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

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
use spilltrail_decode::{Decoder, Rows, SeenEvents};
use spilltrail_event::ScanRequest;
use tokio::sync::mpsc::Sender;

use crate::logs::Logs;
use crate::table::FileIndex;

/// Batches that a file may be ahead of its reader.
const BATCHES_AHEAD: usize = 2;

/// Reads the events of one leading search.
#[derive(Debug, Clone)]
pub(crate) struct LogSource {
    logs: Arc<Logs>,
    requests: Arc<[ScanRequest]>,
    seen: Option<Arc<Mutex<SeenEvents>>>,
    table_schema: TableSchema,
    metrics: ExecutionPlanMetricsSet,
}

impl LogSource {
    pub(crate) fn new(logs: Arc<Logs>, request: ScanRequest, schema: SchemaRef) -> Self {
        Self {
            seen: logs.seen_events(),
            logs,
            requests: [request].into(),
            table_schema: TableSchema::from(schema),
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
            requests: self.requests.clone(),
            seen: self.seen.clone(),
            idle: Arc::default(),
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
        write!(f, ", predicate={:?}", self.requests[0].predicate)
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
    requests: Arc<[ScanRequest]>,
    seen: Option<Arc<Mutex<SeenEvents>>>,
    /// Decoders that are done with a file, for the next one.
    idle: Arc<Mutex<Vec<Worker>>>,
}

/// A decoder and its memory for a file.
struct Worker {
    decoder: Decoder,
    spare: Vec<u8>,
}

impl Worker {
    fn new(
        logs: &Logs,
        requests: Arc<[ScanRequest]>,
        seen: Option<Arc<Mutex<SeenEvents>>>,
    ) -> Self {
        Self { decoder: logs.decoder(requests, seen), spare: Vec::new() }
    }

    /// Decodes a file to its last row; returns false if the reader wants no more.
    fn decode(&mut self, logs: &Logs, index: usize, sender: &Sender<Rows>) -> bool {
        let mut sink = |_, rows: Rows| match sender.blocking_send(rows) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let content = logs.content(index, std::mem::take(&mut self.spare));
        self.spare = logs.decode(index, content, &mut self.decoder, &mut sink);
        self.decoder.finish(&mut sink).is_continue()
    }
}

impl FileOpener for LogOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let Some(FileIndex(index)) = file.extension::<FileIndex>().copied() else {
            return Err(internal_datafusion_err!("a log file without its index"));
        };
        let (logs, requests) = (self.logs.clone(), self.requests.clone());
        let (seen, idle) = (self.seen.clone(), self.idle.clone());
        let (sender, receiver) = tokio::sync::mpsc::channel::<Rows>(BATCHES_AHEAD);
        Ok(Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || {
                let waiting = || idle.lock().unwrap_or_else(PoisonError::into_inner);
                let worker = waiting().pop();
                let mut worker = worker.unwrap_or_else(|| Worker::new(&logs, requests, seen));
                if worker.decode(&logs, index, &sender) {
                    waiting().push(worker);
                }
            });
            let batches = futures::stream::unfold(receiver, async |mut receiver| {
                let rows: Rows = receiver.recv().await?;
                Some((rows.into_batch().map_err(Into::into), receiver))
            });
            // A decoder that dies must not look like the end of the file.
            let end = futures::stream::once(work).filter_map(async |end| {
                end.err().map(|error| Err(internal_datafusion_err!("decoding failed: {error}")))
            });
            Ok(batches.chain(end).boxed())
        }))
    }
}

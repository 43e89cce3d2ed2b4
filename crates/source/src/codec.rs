//! Where rows come from, as bytes and back: for plans that travel.
//!
//! Logs are described by what is read of which files; where the plan runs, they are opened again. Rows
//! that a pass has kept are in the bytes themselves, because no other process has them.

use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{FutureExt, StreamExt};

use crate::table::LogScan;

/// The first byte of logs that are read where the plan runs.
const LOGS: u8 = 1;
/// The first byte of rows.
const ROWS: u8 = 2;

/// Returns a source of rows; `None` for a node that is not ours.
///
/// # Errors
/// Fails if a file cannot be read by another process, or kept rows cannot be read back.
pub fn encode(plan: &dyn ExecutionPlan) -> Result<Option<Vec<u8>>> {
    if let Some(scan) = plan.downcast_ref::<LogScan>() {
        let mut bytes = vec![LOGS];
        serde_json::to_writer(&mut bytes, &scan.describe()?).map_err(external)?;
        return Ok(Some(bytes));
    }
    plan.downcast_ref::<StreamingTableExec>().map(rows).transpose()
}

/// Returns the source of rows.
///
/// # Errors
/// Fails if the bytes are not of one, or if a bucket that they name cannot be reached.
pub fn decode(bytes: &[u8]) -> Result<Arc<dyn ExecutionPlan>> {
    match bytes.split_first() {
        Some((&LOGS, description)) => {
            let description = serde_json::from_slice(description).map_err(external)?;
            Ok(Arc::new(LogScan::of_description(description)?))
        }
        Some((&ROWS, rows)) => {
            let reader = StreamReader::try_new(Cursor::new(rows), None)?;
            let schema = reader.schema();
            let batches = reader.collect::<Result<_, _>>()?;
            let rows = Arc::new(SentRows { schema: schema.clone(), batches });
            Ok(Arc::new(StreamingTableExec::try_new(schema, vec![rows], None, [], false, None)?))
        }
        _ => internal_err!("bytes that are no source of rows"),
    }
}

/// Rows that came with a plan.
#[derive(Debug)]
struct SentRows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl PartitionStream for SentRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.batches.clone().into_iter().map(Ok);
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}

/// Returns the rows of a pass: those that are left of its projection and limit.
fn rows(table: &StreamingTableExec) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(vec![ROWS], &table.schema())?;
    let mut stream = table.execute(0, Arc::default())?;
    // Kept rows are there, so that the stream never waits.
    while let Some(batch) = stream.next().now_or_never() {
        match batch {
            Some(batch) => writer.write(&batch?)?,
            None => {
                writer.finish()?;
                return Ok(writer.into_inner()?);
            }
        }
    }
    internal_err!("rows that are not kept cannot be sent")
}

fn external(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

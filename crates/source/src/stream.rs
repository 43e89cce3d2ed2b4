//! The events of one search as a stream.
//!
//! The pass runs on its own threads, not on those of the runtime: reading a pipe may block forever,
//! and must not hold up other work or the end of the program. The threads block while batches are
//! not consumed, and end when the stream is dropped.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::Stream;
use spilltrail_event::{ScanRequest, StopToken};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::logs::Logs;
use crate::pass::Taker;
use crate::scan::{FoundRows, ScanError};

/// Number of batches that are ready before they are consumed.
const BATCHES_AHEAD: usize = 2;

/// A message of the reading thread: a batch, or the final result.
enum Message {
    Batch(RecordBatch),
    End(Result<()>),
}

/// Returns the events that match a request, in the order of the files. Reading starts on the first
/// poll.
pub(crate) fn stream(
    logs: Arc<Logs>,
    request: ScanRequest,
    counts: ReadCounts,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    let unread = Reading::NotBegun { logs, request, counts };
    futures::stream::unfold(unread, async |reading| {
        let mut reader = match reading {
            Reading::NotBegun { logs, request, counts } => {
                match Reader::begin(logs, request, counts) {
                    Ok(reader) => reader,
                    Err(error) => return Some((Err(error), Reading::Ended)),
                }
            }
            Reading::Begun(reader) => reader,
            Reading::Ended => return None,
        };
        match reader.batches.recv().await {
            Some(Message::Batch(batch)) => Some((Ok(batch), Reading::Begun(reader))),
            Some(Message::End(Ok(()))) => None,
            Some(Message::End(Err(error))) => Some((Err(error), Reading::Ended)),
            // The channel closed without a final result, so a thread panicked. This must be an
            // error, not the normal end of the stream.
            None => Some((Err(ScanError::Bug.into_engine()), Reading::Ended)),
        }
    })
}

enum Reading {
    NotBegun { logs: Arc<Logs>, request: ScanRequest, counts: ReadCounts },
    Begun(Reader),
    Ended,
}

/// The receiving side of the stream. Dropping it ends the threads.
struct Reader {
    batches: Receiver<Message>,
    stop: StopToken,
}

impl Reader {
    fn begin(logs: Arc<Logs>, request: ScanRequest, counts: ReadCounts) -> Result<Self> {
        let (sender, batches) = mpsc::channel(BATCHES_AHEAD);
        // A child token: dropping this stream stops only its own threads.
        let stop = logs.stop().child();
        let of_thread = stop.clone();
        std::thread::Builder::new()
            .name("read".to_owned())
            .spawn(move || read(&logs, request, sender, &of_thread, &counts))?;
        Ok(Self { batches, stop })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// Reads the events that match the request and sends them.
fn read(
    logs: &Logs,
    request: ScanRequest,
    sender: Sender<Message>,
    stop: &StopToken,
    counts: &ReadCounts,
) {
    let requests = [request].into();
    let taker = BatchSender { sender: sender.clone(), failure: None };
    let threads = logs.threads_of(logs.threads());
    let end = match logs.read_rows(&requests, threads, taker, stop) {
        Ok((taker, costs)) => {
            counts.add(&costs.extraction);
            taker.failure.map_or(Ok(()), Err)
        }
        Err(error) => Err(error.into_engine()),
    };
    // Sending fails only if the stream was dropped, and then the result is not needed.
    let _ = sender.blocking_send(Message::End(end));
}

/// Sends batches, and blocks while the channel is full.
struct BatchSender {
    sender: Sender<Message>,
    failure: Option<DataFusionError>,
}

impl Taker<FoundRows> for BatchSender {
    fn take(&mut self, (_, rows): FoundRows) -> ControlFlow<()> {
        let sent = match rows.into_batch() {
            Ok(batch) => self.sender.blocking_send(Message::Batch(batch)).is_ok(),
            Err(error) => {
                self.failure = Some(error.into());
                false
            }
        };
        if sent { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// Counts of a scan, as DataFusion metrics.
#[derive(Debug, Clone)]
pub(crate) struct ReadCounts {
    ruled_out_by_name: Count,
    ruled_out_by_needle: Count,
    read: Count,
    matched: Count,
}

impl ReadCounts {
    pub(crate) fn new(metrics: &ExecutionPlanMetricsSet) -> Self {
        let counter = |name: &'static str| MetricBuilder::new(metrics).counter(name, 0);
        Self {
            ruled_out_by_name: counter("events_ruled_out_by_name"),
            ruled_out_by_needle: counter("events_ruled_out_by_needle"),
            read: counter("events_read"),
            matched: counter("events_matched"),
        }
    }

    fn add(&self, extraction: &spilltrail_decode::Extraction) {
        self.ruled_out_by_name.add(extraction.by_name as usize);
        self.ruled_out_by_needle.add(extraction.by_needle as usize);
        self.read.add(extraction.read as usize);
        self.matched.add(extraction.rows as usize);
    }
}

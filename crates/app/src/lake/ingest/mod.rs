//! Brings log files into a lake: each event of each file once, however often it is tried.
//!
//! What is known of a file is stored with its events, all of them or none. An ingestion that was ended
//! goes on where it was, also within a file.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spilltrail_event::{Field, Kind, StopToken, fields};
use spilltrail_lake::{
    Appended, Batch, BatchBuilder, Commit, Event, EventTable, LakeError, LakeFolder, Mark, Origin,
    Wal, WalError, WalOptions, WalReader, move_batches,
};
use spilltrail_source::{LogFile, Logs, Piece, Progress, Wanted};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::arrived::rows_of;
use crate::cancel::{StopWhenDropped, until_cancelled};
use crate::error::AppError;
use crate::listing;
use crate::options::ReadOptions;
use crate::unread::{Times, Unread};

/// The bytes of events that are stored together.
const BYTES_TOGETHER: usize = 8 << 20;
/// The bytes of events that wait in the log before they are moved to the table: its files are large then.
const BYTES_IN_LOG: u64 = 256 << 20;
/// The most commits that are on their way to the disk.
const COMMITS_AHEAD: usize = 2;
/// The bytes of events that are moved together.
const BYTES_OF_MOVE: u64 = 128 << 20;

/// Selects the logs to ingest, and the lake.
#[derive(Debug, Clone, Default)]
pub struct IngestOptions {
    /// Logs, named as for a hunt.
    pub logs: Vec<String>,
    /// The folder of the lake. It is created if it is not there.
    pub lake: PathBuf,
    /// The index of the events.
    pub index: String,
    /// How logs are read.
    pub read: ReadOptions,
    /// Token that stops the run when the caller cancels it.
    pub cancel: CancellationToken,
}

/// What an ingestion did.
#[derive(Debug, Clone, Default)]
pub struct Ingested {
    /// Number of events that were stored.
    pub events: u64,
    /// Number of files that were read.
    pub files: u64,
    /// Number of files that were in the lake already, and have not changed.
    pub known: u64,
    /// Number of batches in the log of the lake that cannot be read. They are set aside there.
    pub damaged: u64,
    /// Input that was not read, or only read in part.
    pub unread: Vec<Unread>,
}

/// What is known of a file of which events are in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Known {
    /// The number of its events that are in the lake, from its beginning.
    events: u64,
    /// A hash of the first of them.
    first: u64,
    /// Its size in bytes once all of its events were; `None` if the ingestion was ended before.
    size: Option<u64>,
}

/// Brings logs into a lake. `listed` is called with the size of all files that are to be read, and
/// `progress` with that of each after it was.
///
/// # Errors
/// Fails if nothing can be read, if the lake cannot be written, or if the run is canceled. What was stored
/// by then stays stored.
pub async fn ingest(
    options: &IngestOptions,
    progress: Option<Progress>,
    listed: &(dyn Fn(u64) + Sync),
) -> Result<Ingested, AppError> {
    let stop = StopWhenDropped::default();
    let mut done = Ingested::default();
    let work = run(options, progress, listed, stop.token(), &mut done);
    Box::pin(until_cancelled(&options.cancel, work)).await?;
    Ok(done)
}

async fn run(
    options: &IngestOptions,
    progress: Option<Progress>,
    listed: &(dyn Fn(u64) + Sync),
    stop: StopToken,
    done: &mut Ingested,
) -> Result<(), AppError> {
    let logs =
        listing::list(&options.logs, &options.read, Wanted::default(), progress, stop).await?;
    let mut store = Store::open(&options.lake).await?;
    let mut files = Vec::new();
    for (index, file) in logs.files().iter().enumerate() {
        let known = store.known(&file.name)?;
        if known.size == Some(file.size) {
            done.known += 1;
            continue;
        }
        files.push((index, known));
    }
    listed(files.iter().map(|(index, _)| logs.files()[*index].size).sum());
    // A full channel makes the readers wait for the disk.
    let (sender, mut receiver) = mpsc::channel::<Load>(1);
    let reader = {
        let (logs, index) = (logs.clone(), options.index.clone());
        move || read(&logs, files, &index, &sender)
    };
    let reading = tokio::task::spawn_blocking(reader);
    let mut stored = Ok(());
    while let Some(load) = receiver.recv().await
        && stored.is_ok()
    {
        stored = store.add(load, done).await;
    }
    drop(receiver);
    let read = reading.await.map_err(|error| AppError::Engine(error.to_string()))?;
    stored?;
    read?;
    store.finish(done).await?;
    done.unread = Unread::of(&logs, Times::Unused);
    Ok(())
}

/// The lake, while events come in.
struct Store {
    folder: PathBuf,
    wal: Wal,
    table: EventTable,
    marks: WalReader,
    /// Commits that are not on the disk yet.
    waiting: VecDeque<(Appended, u64, u64)>,
    /// The bytes in the log.
    in_log: u64,
}

impl Store {
    async fn open(folder: &Path) -> Result<Self, AppError> {
        let failed = |error: LakeError| failed(folder, &error);
        let lake = LakeFolder::new(folder);
        std::fs::create_dir_all(folder).map_err(|error| AppError::Lake {
            path: folder.to_owned(),
            reason: error.to_string(),
        })?;
        let wal = Wal::open(&lake.log(), WalOptions::default()).map_err(LakeError::from);
        let wal = wal.map_err(failed)?;
        let marks = WalReader::open(&lake.log()).map_err(LakeError::from).map_err(failed)?;
        let table = EventTable::open(&lake.table()).await.map_err(LakeError::from);
        let table = table.map_err(failed)?;
        let waiting = VecDeque::new();
        Ok(Self { folder: folder.to_owned(), wal, table, marks, waiting, in_log: 0 })
    }

    fn failed(&self, error: impl Into<LakeError>) -> AppError {
        failed(&self.folder, &error.into())
    }

    /// Returns what the lake has of a file.
    fn known(&self, name: &str) -> Result<Known, AppError> {
        let mark = self.marks.mark(&key(name)).map_err(|error| self.failed(error))?;
        // A mark that another version wrote in another way says nothing.
        Ok(mark.and_then(|mark| serde_json::from_str(&mark).ok()).unwrap_or_default())
    }

    async fn add(&mut self, load: Load, done: &mut Ingested) -> Result<(), AppError> {
        let Load { commit, events, ends } = load;
        self.in_log += commit.batches.iter().map(|batch| batch.bytes).sum::<u64>();
        while self.waiting.len() >= COMMITS_AHEAD {
            self.answer(done).await?;
        }
        let answer = self.wal.append(commit).map_err(|error| self.failed(error))?;
        self.waiting.push_back((answer, events, ends));
        if self.in_log >= BYTES_IN_LOG {
            self.finish(done).await?;
        }
        Ok(())
    }

    /// Waits until the oldest commit is on the disk.
    async fn answer(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        let Some((answer, events, ends)) = self.waiting.pop_front() else { return Ok(()) };
        answer.await.unwrap_or(Err(WalError::Closed)).map_err(|error| self.failed(error))?;
        done.events += events;
        done.files += ends;
        Ok(())
    }

    /// Waits until all commits are on the disk, and moves their events to the table.
    async fn finish(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        while !self.waiting.is_empty() {
            self.answer(done).await?;
        }
        let moved = move_batches(&self.wal, &mut self.table, BYTES_OF_MOVE, rows_of).await;
        let moved = moved.map_err(|error| self.failed(error))?;
        done.damaged += moved.damaged.len() as u64;
        self.in_log = 0;
        Ok(())
    }
}

fn failed(folder: &Path, error: &LakeError) -> AppError {
    AppError::Lake { path: folder.to_owned(), reason: error.to_string() }
}

/// The key of the mark of a file.
fn key(name: &str) -> String {
    format!("file {name}")
}

/// Events that are stored together, with what is known of their files then.
struct Load {
    commit: Commit,
    events: u64,
    /// The number of files that end with these events.
    ends: u64,
}

/// Returns the fields that are read of each event.
fn wanted() -> Vec<Field> {
    let texts = [fields::EVENT_TEXT, fields::EVENT_FORMAT, fields::EVENT_SOURCE];
    texts.map(|name| Field::new(name, Kind::Text)).to_vec()
}

/// Reads files, and sends their events, apart from those that are known.
fn read(
    logs: &Logs,
    files: Vec<(usize, Known)>,
    index: &str,
    sender: &mpsc::Sender<Load>,
) -> Result<(), AppError> {
    let places = files.iter().map(|(index, _)| *index).collect();
    let mut collector = Collector::new(logs, index, sender, files);
    let read = logs.read_all(places, &wanted(), |piece| collector.take(&piece));
    read.map_err(|error| AppError::Reading(error.diagnostic()))?;
    // Whoever does not receive any more says why itself.
    let _ = collector.send();
    Ok(())
}

/// Collects the events of files until there are enough to store.
struct Collector<'a> {
    logs: &'a Logs,
    index: &'a str,
    sourcetype: Option<&'a str>,
    sender: &'a mpsc::Sender<Load>,
    /// The files that are to come, the last one first, with what is known of them.
    coming: Vec<(usize, Known)>,
    builder: Option<BatchBuilder>,
    origin: Origin,
    batches: Vec<Batch>,
    bytes: usize,
    marks: Vec<Mark>,
    /// The number of events of the current file so far, those that were skipped included.
    of_file: u64,
    /// A hash of its first event.
    first: u64,
    events: u64,
    ends: u64,
}

impl<'a> Collector<'a> {
    fn new(
        logs: &'a Logs,
        index: &'a str,
        sender: &'a mpsc::Sender<Load>,
        mut files: Vec<(usize, Known)>,
    ) -> Self {
        files.reverse();
        Self {
            logs,
            index,
            sourcetype: logs.sourcetype(),
            sender,
            coming: files,
            builder: None,
            origin: Origin::default(),
            batches: Vec::new(),
            bytes: 0,
            marks: Vec::new(),
            of_file: 0,
            first: 0,
            events: 0,
            ends: 0,
        }
    }

    fn take(&mut self, piece: &Piece) -> ControlFlow<()> {
        match piece {
            Piece::Events(batch) => self.add(batch),
            Piece::End(index) => {
                let file = &self.logs.files()[*index];
                self.mark(file, Some(file.size));
                self.coming.pop();
                self.of_file = 0;
                self.ends += 1;
                if self.bytes >= BYTES_TOGETHER { self.send() } else { ControlFlow::Continue(()) }
            }
        }
    }

    fn mark(&mut self, file: &LogFile, size: Option<u64>) {
        // What comes out of a pipe cannot be told from what came before.
        if file.is_stream() {
            return;
        }
        let known = Known { events: self.of_file, first: self.first, size };
        let value = serde_json::to_string(&known).expect("numbers can be written");
        self.marks.push(Mark { key: key(&file.name), value });
    }

    fn add(&mut self, found: &RecordBatch) -> ControlFlow<()> {
        let columns: Vec<Option<&StringViewArray>> =
            found.columns().iter().map(|column| column.as_string_view_opt()).collect();
        let cell = |column: usize, row: usize| {
            let texts = columns[column].filter(|texts| texts.is_valid(row));
            texts.map_or("", |texts| texts.value(row))
        };
        for row in 0..found.num_rows() {
            let (text, format, source) = (cell(0, row), cell(1, row), cell(2, row));
            if self.of_file == 0 {
                self.first = hash(text);
            }
            // A file that begins with another event than before is another file.
            let known = self.coming.last().map(|(_, known)| *known).unwrap_or_default();
            if self.of_file < known.events && known.first == self.first {
                self.of_file += 1;
                continue;
            }
            self.push(text, format, source);
            self.events += 1;
            self.of_file += 1;
            if self.bytes >= BYTES_TOGETHER {
                if let Some((index, _)) = self.coming.last() {
                    let file = &self.logs.files()[*index];
                    self.mark(file, None);
                }
                self.send()?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Adds an event to the batch of its origin.
    fn push(&mut self, text: &str, format: &str, source: &str) {
        let of_batch = self.origin.source.as_deref();
        if self.builder.is_none() || of_batch != Some(source) || self.origin.format != format {
            self.end_batch();
            self.origin = Origin {
                index: self.index.to_owned(),
                sourcetype: self.sourcetype.map(str::to_owned),
                source: Some(source.to_owned()),
                host: None,
                format: format.to_owned(),
            };
        }
        let event = Event { raw: text.as_bytes(), time: None, fields: None };
        self.bytes += text.len();
        let builder = self.builder.get_or_insert_with(|| BatchBuilder::new(self.origin.clone()));
        if builder.push(event).is_err() {
            self.end_batch();
            let builder = self.builder.insert(BatchBuilder::new(self.origin.clone()));
            builder.push(event).expect("the longest event has less than a batch can have");
        }
    }

    fn end_batch(&mut self) {
        if let Some(builder) = self.builder.take() {
            self.batches.push(builder.finish().expect("there is memory for the compressor"));
        }
    }

    /// Sends what is collected.
    fn send(&mut self) -> ControlFlow<()> {
        self.end_batch();
        self.bytes = 0;
        let commit = Commit {
            batches: std::mem::take(&mut self.batches),
            marks: std::mem::take(&mut self.marks),
            received: now(),
        };
        let load = Load {
            commit,
            events: std::mem::take(&mut self.events),
            ends: std::mem::take(&mut self.ends),
        };
        match self.sender.blocking_send(load) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Returns a hash that is the same on all machines and with all versions.
fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// Returns the present, in microseconds since the epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

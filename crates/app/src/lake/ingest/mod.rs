//! Brings log files into a lake: each event of each file once, however often it is tried.
//!
//! What is known of a file is stored with its events, all of them or none. An ingestion that was ended
//! goes on where it was, also within a file.

mod collector;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spilltrail_event::{Field, Kind, StopToken, fields};
use spilltrail_lake::{
    Appended, Commit, EventTable, LakeError, LakeFolder, Wal, WalError, WalOptions, WalReader,
    move_batches,
};
use spilltrail_source::{Duplicates, Logs, Progress, Wanted};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use self::collector::Stamp;

use self::collector::{Collector, Coming, Counts, Known, Load, key};
use super::arrived::MovedRows;
use crate::cancel::{Done, StopWhenDropped, until_cancelled};
use crate::error::{AppError, blocking};
use crate::listing;
use crate::options::ReadOptions;
use crate::unread::{Times, Unread};

/// The bytes of events that wait in the log before they are moved to the table: its files are large then.
const BYTES_IN_LOG: u64 = 256 << 20;
/// How long is waited until the log is looked at again that somebody else empties.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
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
    /// Which files can matter, going by their paths.
    pub wanted: Wanted,
    /// Token that stops the run when the caller cancels it.
    pub cancel: CancellationToken,
}

/// What an ingestion did.
#[derive(Debug, Clone, Default)]
pub struct Ingested {
    /// Number of files that were named.
    pub listed: u64,
    /// Number of events that were stored.
    pub events: u64,
    /// Number of files that gave any of them.
    pub files: u64,
    /// Number of events that were in the lake already, in files that were read again.
    pub before: u64,
    /// Number of events that are longer than any that can be stored.
    pub too_long: u64,
    /// Number of files that were in the lake already, and have not changed.
    pub known: u64,
    /// Number of batches in the log of the lake that cannot be read. They are set aside there.
    pub damaged: u64,
    /// Input that was not read, or only read in part.
    pub unread: Vec<Unread>,
    /// The files that were read in part, with what they were then.
    pub(crate) partly: Vec<(String, Stamp)>,
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
    bring_in(options, None, &BTreeMap::new(), progress, listed).await
}

/// Does what [`ingest`] does, into a lake that this process writes to and somebody moves the events of.
/// Files that are still what they are in `left` are left out.
///
/// # Errors
/// Fails as [`ingest`] does.
pub(crate) async fn ingest_into(
    options: &IngestOptions,
    wal: Arc<Wal>,
    left: &BTreeMap<String, Stamp>,
) -> Result<Ingested, AppError> {
    bring_in(options, Some(wal), left, None, &|_| ()).await
}

async fn bring_in(
    options: &IngestOptions,
    wal: Option<Arc<Wal>>,
    left: &BTreeMap<String, Stamp>,
    progress: Option<Progress>,
    listed: &(dyn Fn(u64) + Sync),
) -> Result<Ingested, AppError> {
    let stop = StopWhenDropped::default();
    let mut done = Ingested::default();
    let work = run(options, (wal, left), progress, listed, stop.token(), &mut done);
    let outcome = Box::pin(until_cancelled(&options.cancel, work)).await;
    match outcome {
        Ok(()) => Ok(done),
        Err(AppError::Cancelled(_)) => Err(AppError::Cancelled(Box::new(Done {
            files: done.listed,
            files_read: done.known + done.files,
            events: done.events,
            ..Done::default()
        }))),
        Err(error) => Err(error),
    }
}

async fn run(
    options: &IngestOptions,
    (wal, left): (Option<Arc<Wal>>, &BTreeMap<String, Stamp>),
    progress: Option<Progress>,
    listed: &(dyn Fn(u64) + Sync),
    stop: StopToken,
    done: &mut Ingested,
) -> Result<(), AppError> {
    // Copies are left out here, where it is known what the lake has of each file.
    let keep = ReadOptions { duplicates: Duplicates::Keep, ..options.read.clone() };
    let wanted = options.wanted.clone();
    let logs = listing::list(&options.logs, &keep, wanted, progress, stop).await?;
    done.listed = logs.files().len() as u64;
    let mut store = Store::open(&options.lake, wal).await?;
    let (files, known) = {
        let (logs, left) = (logs.clone(), left.clone());
        let (folder, log) = (options.lake.clone(), store.wal.path().to_owned());
        let compare = move || compare(&logs, &log, &left);
        let compared = blocking(compare).await?;
        compared.map_err(|error| failed(&folder, &error.into()))?
    };
    done.known = known;
    listed(files.iter().map(|file| file.stamp.size).sum());
    // A full channel makes the readers wait for the disk.
    let (sender, mut receiver) = mpsc::channel::<Load>(1);
    let reader = {
        let (logs, index) = (logs.clone(), options.index.clone());
        let drops_copies = options.read.duplicates == Duplicates::Drop;
        move || read(&logs, files, &index, &sender, drops_copies)
    };
    let reading = tokio::task::spawn_blocking(reader);
    let mut stored = Ok(());
    while let Some(load) = receiver.recv().await {
        stored = store.add(load, done).await;
        if stored.is_err() {
            break;
        }
    }
    drop(receiver);
    let read = reading.await.map_err(|error| AppError::Engine(error.to_string()))?;
    stored?;
    let partly = read?.into_iter();
    let name = |file: &Coming| logs.files()[file.index].name.to_string();
    done.partly = partly.map(|file| (name(&file), file.stamp)).collect();
    store.finish(done).await?;
    done.unread = Unread::of(&logs, Times::Unused);
    Ok(())
}

/// Returns the files that are to be read, and how many others are in the lake already.
fn compare(
    logs: &Logs,
    log: &Path,
    left: &BTreeMap<String, Stamp>,
) -> Result<(Vec<Coming>, u64), WalError> {
    let marks = WalReader::open(log)?;
    let (mut files, mut count) = (Vec::new(), 0);
    for (index, file) in logs.files().iter().enumerate() {
        let stamp = Stamp::of(file);
        if left.get(&*file.name) == Some(&stamp) {
            continue;
        }
        // A mark that another version wrote in another way says nothing.
        let mark = marks.mark(&key(file))?;
        let known: Known =
            mark.and_then(|mark| serde_json::from_str(&mark).ok()).unwrap_or_default();
        if known.is_whole(stamp) {
            count += 1;
        } else {
            files.push(Coming { index, known, stamp });
        }
    }
    Ok((files, count))
}

/// Reads files, and sends their events, apart from those that are known. Returns the files that were read
/// in part.
fn read(
    logs: &Logs,
    mut files: Vec<Coming>,
    index: &str,
    sender: &mpsc::Sender<Load>,
    drops_copies: bool,
) -> Result<Vec<Coming>, AppError> {
    let wanted = [fields::EVENT_TEXT, fields::EVENT_FORMAT, fields::EVENT_SOURCE];
    let wanted = wanted.map(|name| Field::new(name, Kind::Text));
    // Files that turn out to be others than before are read once more, from their beginning.
    let mut partly = Vec::new();
    while !files.is_empty() {
        let places = files.iter().map(|file| file.index).collect();
        let mut collector = Collector::new(logs, index, sender, drops_copies);
        collector.expect(files);
        let read = logs.read_all(places, &wanted, |piece| collector.take(&piece));
        read.map_err(|error| AppError::Reading(error.diagnostic()))?;
        // Whoever does not receive any more says why itself.
        if collector.send().is_break() {
            break;
        }
        files = std::mem::take(&mut collector.changed);
        partly.append(&mut collector.partly);
    }
    Ok(partly)
}

/// The lake, while events come in.
struct Store {
    folder: PathBuf,
    wal: Arc<Wal>,
    /// The table, unless somebody else moves events there.
    table: Option<EventTable>,
    marks: WalReader,
    rows: MovedRows,
    /// Commits that are not on the disk yet.
    waiting: VecDeque<(Appended, Counts)>,
    /// The bytes in the log.
    in_log: u64,
}

impl Store {
    async fn open(folder: &Path, shared: Option<Arc<Wal>>) -> Result<Self, AppError> {
        let failed = |error: LakeError| failed(folder, &error);
        let lake = LakeFolder::new(folder);
        std::fs::create_dir_all(folder).map_err(|error| AppError::Lake {
            path: folder.to_owned(),
            reason: error.to_string(),
        })?;
        let is_shared = shared.is_some();
        let wal = match shared {
            Some(wal) => wal,
            None => {
                let wal = Wal::open(&lake.log(), WalOptions::default()).map_err(LakeError::from);
                Arc::new(wal.map_err(failed)?)
            }
        };
        let marks = WalReader::open(&lake.log()).map_err(LakeError::from).map_err(failed)?;
        let table = if is_shared {
            None
        } else {
            let table = EventTable::open(&lake.table()).await.map_err(LakeError::from);
            Some(table.map_err(failed)?)
        };
        let waiting = VecDeque::new();
        Ok(Self {
            folder: folder.to_owned(),
            wal,
            table,
            marks,
            rows: MovedRows::default(),
            waiting,
            in_log: 0,
        })
    }

    fn failed(&self, error: impl Into<LakeError>) -> AppError {
        failed(&self.folder, &error.into())
    }

    async fn add(&mut self, load: Load, done: &mut Ingested) -> Result<(), AppError> {
        let Load { commit, counts } = load;
        self.in_log += commit.batches.iter().map(|batch| batch.bytes).sum::<u64>();
        while self.waiting.len() >= COMMITS_AHEAD {
            self.answer(done).await?;
        }
        let answer = self.append(commit).await?;
        self.waiting.push_back((answer, counts));
        if self.in_log >= BYTES_IN_LOG {
            self.finish(done).await?;
        }
        Ok(())
    }

    /// Hands a commit to the log, as soon as what others have sent leaves room.
    async fn append(&mut self, commit: Commit) -> Result<Appended, AppError> {
        // Nobody else sends anything to a log that is ours alone.
        if self.table.is_some() {
            return self.wal.append(commit).map_err(|error| self.failed(error));
        }
        loop {
            match self.wal.append(commit.clone()) {
                Err(WalError::Busy) => tokio::time::sleep(LOOK_AGAIN).await,
                outcome => return outcome.map_err(|error| self.failed(error)),
            }
        }
    }

    /// Waits until the oldest commit is on the disk.
    async fn answer(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        let Some((answer, counts)) = self.waiting.pop_front() else { return Ok(()) };
        answer.await.unwrap_or(Err(WalError::Closed)).map_err(|error| self.failed(error))?;
        done.events += counts.events;
        done.files += counts.files;
        done.before += counts.before;
        done.too_long += counts.too_long;
        Ok(())
    }

    /// Waits until all commits are on the disk, and moves their events to the table.
    async fn finish(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        while !self.waiting.is_empty() {
            self.answer(done).await?;
        }
        self.in_log = 0;
        let Some(table) = &mut self.table else {
            return self.until_moved().await;
        };
        let moved = move_batches(&self.wal, table, BYTES_OF_MOVE, &mut self.rows).await;
        let moved = moved.map_err(|error| self.failed(error))?;
        done.damaged += moved.damaged.len() as u64;
        Ok(())
    }

    /// Waits until the log has room, if somebody else moves its events.
    async fn until_moved(&mut self) -> Result<(), AppError> {
        loop {
            let size = self.marks.size().map_err(|error| self.failed(error))?;
            if size.bytes < BYTES_IN_LOG {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn failed(folder: &Path, error: &LakeError) -> AppError {
    AppError::Lake { path: folder.to_owned(), reason: error.to_string() }
}

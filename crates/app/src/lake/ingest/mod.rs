//! Brings log files into a lake: each event of each file once, however often it is tried.
//!
//! What is known of a file is stored with its events, all of them or none. An ingestion that was ended
//! goes on where it was, also within a file.
//!
//! Events of files go straight into the table. In a server, they go through the log of arriving events,
//! because its batches and those of senders have one order.

mod collector;
mod files;
mod stores;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use spilltrail_decode::SeenEvents;
use spilltrail_event::{StopToken, TimeBounds};
use spilltrail_lake::{LakeFolder, Wal, WalError, WalReader};
use spilltrail_source::{Duplicates, LogFile, Logs, Progress, Wanted};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use self::files::Stamp;

use self::collector::{Collected, Collector, Reading, Shelf};
use self::files::{Coming, Known, key};
use self::stores::{Load, LogStore, Store, TableStore, failed};
use super::damages::Damages;
use crate::cancel::{Done, StopWhenDropped, until_cancelled};
use crate::error::{AppError, blocking};
use crate::listing;
use crate::options::ReadOptions;
use crate::unread::{Times, Unread};

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
    match wal {
        Some(wal) => {
            let store = LogStore::open(&options.lake, wal)?;
            store_all(options, &logs, left, listed, store, done).await?;
        }
        None => {
            check_folder(&options.lake)?;
            let store = TableStore::open(&options.lake, &options.index, done).await?;
            store_all(options, &logs, left, listed, store, done).await?;
        }
    }
    done.unread = Unread::of(&logs, Times::Unused);
    if done.known == 0 && logs.report().total.events == 0 {
        let has_range = options.wanted.time != TimeBounds::default();
        done.unread.extend(Unread::out_of_range(&logs, has_range, &TimeZone::UTC));
    }
    let (lake, unread) = (options.lake.clone(), done.unread.clone());
    // What was left out because it has not changed is as damaged as it was.
    let is_left = |file: &&LogFile| left.get(&*file.name) == Some(&Stamp::of(file));
    let looked_at: Vec<(String, String)> = logs
        .files()
        .iter()
        .filter(|file| !is_left(file))
        .map(|file| (file.name.to_string(), key_of_damage(file)))
        .collect();
    let noted = blocking(move || Damages::note(&lake, &looked_at, &unread));
    noted.await?.map_err(|error| not_noted(&options.lake, &error))
}

/// Returns the key of a file by which its damages are known. What comes out of a pipe never comes again.
fn key_of_damage(file: &LogFile) -> String {
    match file.path().and_then(|path| std::path::absolute(path).ok()) {
        _ if file.is_stream() => format!("{} at {:.6}", file.name, jiff::Timestamp::now()),
        Some(path) => path.display().to_string(),
        None => file.name.to_string(),
    }
}

/// Returns an error if a lake is to be made in a folder that has something else in it: logs, for example, of
/// which it would become a part.
pub(crate) fn check_folder(lake: &Path) -> Result<(), AppError> {
    /// What may be there before a lake is: what mounts a disk and what commands of a server make.
    const HARMLESS: [&str; 5] = ["lost+found", "lookups", "tls", "hec-tokens.json", "api-token"];
    let folder = LakeFolder::new(lake);
    // Its log may have been deleted: what waited in it is gone, and the table goes on.
    if folder.is_there() || folder.table().join("_delta_log").is_dir() {
        return Ok(());
    }
    let failed = |reason: String| AppError::Lake { path: lake.to_owned(), reason };
    let entries = match std::fs::read_dir(lake) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error.to_string())),
    };
    for entry in entries {
        let name = entry.map_err(|error| failed(error.to_string()))?.file_name();
        let name = name.to_string_lossy();
        let is_toml = Path::new(&*name).extension().is_some_and(|kind| kind == "toml");
        if !(name.starts_with('.') || is_toml || HARMLESS.contains(&&*name)) {
            let reason = format!(
                "there is `{name}`, and no lake; name a folder that is empty, or not there yet"
            );
            return Err(failed(reason));
        }
    }
    Ok(())
}

fn not_noted(lake: &Path, error: &io::Error) -> AppError {
    let reason = format!("what could not be read cannot be noted: {error}");
    AppError::Lake { path: lake.to_owned(), reason }
}

/// Stores the events of all logs that are not in the lake yet.
async fn store_all<S: Store>(
    options: &IngestOptions,
    logs: &Arc<Logs>,
    left: &BTreeMap<String, Stamp>,
    listed: &(dyn Fn(u64) + Sync),
    mut store: S,
    done: &mut Ingested,
) -> Result<(), AppError> {
    let (files, known) = {
        let (logs, left, log) = (logs.clone(), left.clone(), store.log().to_owned());
        let compared = blocking(move || compare(&logs, &log, &left)).await?;
        compared.map_err(|error| failed(&options.lake, &error.into()))?
    };
    done.known = known;
    listed(files.iter().map(|file| file.stamp.size).sum());
    // A full channel makes the readers wait for the disk.
    let (sender, mut receiver) = mpsc::channel(1);
    let reader = {
        let (logs, index) = (logs.clone(), options.index.clone());
        let drops_copies = options.read.duplicates == Duplicates::Drop;
        move || read::<S>(&logs, files, &index, &sender, drops_copies)
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
    let name = |file: &Coming| logs.files()[file.index].name.to_string();
    done.partly = read?.iter().map(|file| (name(file), file.stamp)).collect();
    store.finish(done).await
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
fn read<S: Store>(
    logs: &Logs,
    mut files: Vec<Coming>,
    index: &str,
    sender: &mpsc::Sender<Load<S>>,
    drops_copies: bool,
) -> Result<Vec<Coming>, AppError> {
    // Which of two copies comes first depends on their order.
    let threads = drops_copies.then_some(1);
    // Files that turn out to be others than before are read once more, from their beginning.
    let mut partly = Vec::new();
    while !files.is_empty() {
        let places = files.iter().map(|file| file.index).collect();
        let reading = Reading {
            logs,
            index,
            coming: files.iter().map(|file| (file.index, *file)).collect(),
            seen: drops_copies.then(|| Mutex::new(SeenEvents::default())),
        };
        let mut load = Load::default();
        let mut changed = Vec::new();
        let take = |mut piece: Collected<<S::Shelf as Shelf>::Events>| {
            changed.append(&mut piece.changed);
            partly.append(&mut piece.partly);
            load.add(piece);
            if load.bytes >= S::ENOUGH { load.send(sender) } else { ControlFlow::Continue(()) }
        };
        let collector = || Collector::new(&reading, S::Shelf::default());
        let read = logs.read_events(places, threads, collector, take);
        read.map_err(|error| AppError::Reading(error.diagnostic()))?;
        // Whoever does not receive any more says why itself.
        if load.send(sender).is_break() {
            break;
        }
        files = changed;
    }
    Ok(partly)
}

//! Hands out files in order to several threads.
//!
//! Each thread opens the files on disk that it receives. Objects on S3 are fetched ahead, so that
//! threads rarely wait for the network; the bytes and the number of objects fetched ahead are
//! bounded.

use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use spilltrail_decode::{Damage, DamageKind, FileReport, Input};
use spilltrail_event::StopToken;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

use crate::inputs::{LogFile, Place};
use crate::logs::Logs;
use crate::pipe::Pipe;
use crate::s3::{Bucket, MAX_HELD, ObjectReader, Part};

/// Largest file on disk that is read into memory, in bytes. A larger one is read while it is
/// decoded, at the same cost.
const MAX_OF_DISK: u64 = 2 * 1024 * 1024;

/// Most bytes of objects that are being fetched or were fetched but not handed out.
const BYTES_AHEAD: usize = 16 * 1024 * 1024;

/// Most objects fetched ahead. Small objects cost more than their bytes, so their number counts.
const OBJECTS_AHEAD: usize = 64;

/// The content of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// All bytes of the file, at most [`MAX_HELD`].
    Held(Vec<u8>),
    /// A reader of the bytes.
    Stream(Input),
}

impl Content {
    /// Converts the content into the decoder's input.
    pub(crate) fn into_input(self) -> Input {
        match self {
            Self::Held(bytes) => Input::Seekable(Box::new(Cursor::new(bytes))),
            Self::Stream(input) => input,
        }
    }

    /// Returns content that ends with an error after `bytes`, or only the error if `bytes` is
    /// empty.
    fn broken(bytes: Vec<u8>, error: io::Error) -> Result<Self, FileReport> {
        if bytes.is_empty() {
            return Err(unreadable(error.to_string()));
        }
        let broken = Cursor::new(bytes).chain(Broken(error.to_string()));
        Ok(Self::Stream(Input::Stream(Box::new(broken))))
    }

    /// Opens a file; if its bytes are held in memory, they reuse the allocation of `spare`.
    pub(crate) fn open(file: &LogFile, spare: Vec<u8>) -> Result<Self, FileReport> {
        match &file.place {
            Place::Named => Self::of_disk(Path::new(&*file.name), spare),
            Place::Disk(path) => Self::of_disk(path, spare),
            Place::Pipe(pipe) => Ok(Self::of_pipe(pipe)),
            Place::Memory(bytes) => {
                let mut held = spare;
                held.clear();
                held.extend_from_slice(bytes);
                Ok(Self::Held(held))
            }
            Place::Kept(kept) => match kept.bytes() {
                Ok(bytes) => Ok(Self::Stream(Input::Seekable(Box::new(Cursor::new(bytes))))),
                Err(error) => Err(unreadable(error.to_string())),
            },
            Place::Object(bucket) => {
                let key = bucket.key_of(&file.name);
                if file.size > MAX_HELD {
                    return Ok(Self::of_large_object(bucket, key, file.size));
                }
                Self::of_part(bucket.read_blocking(key, file.size))
            }
        }
    }

    /// Opens a file of which only the first bytes will be read.
    pub(crate) fn peek(file: &LogFile) -> Result<Input, FileReport> {
        match file.path() {
            Some(path) => match std::fs::File::open(path) {
                Ok(file) => Ok(Input::Seekable(Box::new(file))),
                Err(error) => Err(unreadable(error.to_string())),
            },
            None => Self::open(file, Vec::new()).map(Self::into_input),
        }
    }

    fn of_pipe(pipe: &Arc<Pipe>) -> Self {
        Self::Stream(Input::Seekable(Box::new(pipe.reader())))
    }

    fn of_disk(path: &Path, mut bytes: Vec<u8>) -> Result<Self, FileReport> {
        bytes.clear();
        let opened = std::fs::File::open(path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        let (mut file, size) = opened.map_err(|error| unreadable(error.to_string()))?;
        if size > MAX_OF_DISK {
            return Ok(Self::Stream(Input::Seekable(Box::new(file))));
        }
        // With one spare byte, the read that finds the end of the file does not grow the buffer.
        bytes.reserve(size as usize + 1);
        // The file may have grown since its size was read, so the limit is checked again.
        match file.by_ref().take(MAX_OF_DISK + 1).read_to_end(&mut bytes) {
            Ok(_) if bytes.len() as u64 > MAX_OF_DISK => {
                Ok(Self::Stream(Input::Stream(Box::new(Cursor::new(bytes).chain(file)))))
            }
            Ok(_) => Ok(Self::Held(bytes)),
            Err(error) => Self::broken(bytes, error),
        }
    }

    fn of_large_object(bucket: &Arc<Bucket>, key: &str, size: u64) -> Self {
        let reader = ObjectReader::new(bucket.clone(), key.to_owned(), size);
        Self::Stream(Input::Stream(Box::new(reader)))
    }

    fn of_part(part: Part) -> Result<Self, FileReport> {
        match part.failure {
            None => Ok(Self::Held(part.bytes)),
            Some(failure) => Self::broken(part.bytes, io::Error::other(failure)),
        }
    }
}

/// A reader whose every read fails with this message.
struct Broken(String);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(self.0.clone()))
    }
}

/// Returns the report on a file that could not be read at all.
fn unreadable(message: String) -> FileReport {
    let damage = Damage { offset: 0, kind: DamageKind::Io, message };
    FileReport { damages: vec![damage], damage_count: 1, ..FileReport::default() }
}

/// Hands out files in order. Dropping it cancels pending requests.
#[derive(Debug)]
pub(crate) struct Feed {
    files: Arc<[LogFile]>,
    order: Vec<usize>,
    position: Mutex<Position>,
    fetching: Option<AbortHandle>,
    stop: StopToken,
}

#[derive(Debug)]
struct Position {
    next: usize,
    /// One message for each object among the files, in order.
    objects: mpsc::Receiver<Ahead>,
}

/// The channel on which a fetched object arrives, or `None` if the object is too large to fetch
/// ahead.
type Ahead = Option<oneshot::Receiver<(Part, OwnedSemaphorePermit)>>;

impl Feed {
    /// Starts fetching; `order` has the indexes of the files in `logs`.
    pub(crate) fn new(logs: &Logs, order: Vec<usize>) -> Self {
        let files = logs.shared_files();
        let (sender, objects) = mpsc::channel(OBJECTS_AHEAD);
        let bucket = order.iter().find_map(|index| match &files.get(*index)?.place {
            Place::Object(bucket) => Some(bucket.clone()),
            Place::Named | Place::Disk(_) | Place::Pipe(_) | Place::Memory(_) | Place::Kept(_) => {
                None
            }
        });
        let fetching =
            bucket.map(|bucket| bucket.io().spawn(fetch(files.clone(), order.clone(), sender)));
        let position = Mutex::new(Position { next: 0, objects });
        Self { files, order, position, fetching, stop: logs.stop().clone() }
    }

    /// Returns the next file, or `None` after the last one or when the run is canceled. It blocks
    /// on the network, so it must not be called from an async task.
    pub(crate) fn next(&self) -> Option<(usize, Result<Content, FileReport>)> {
        self.next_into(Vec::new())
    }

    /// Returns the next file like [`Feed::next`]; its bytes reuse the allocation of `spare` if
    /// possible.
    pub(crate) fn next_into(&self, spare: Vec<u8>) -> Option<(usize, Result<Content, FileReport>)> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        let index = *self.order.get(position.next)?;
        position.next += 1;
        let file = self.files.get(index)?;
        let Place::Object(_) = &file.place else {
            drop(position);
            return Some((index, Content::open(file, spare)));
        };
        let ahead = position.objects.blocking_recv();
        drop(position);
        let content = match ahead {
            Some(Some(coming)) => match coming.blocking_recv() {
                // Dropping the permit frees its bytes in the budget: they belong to the caller now.
                Ok((part, _room)) => Content::of_part(part),
                Err(_) => Err(unreadable("a bug ended the request".to_owned())),
            },
            // The object is too large to fetch ahead, or the fetching task ended; in both cases it
            // is opened here, and a failure shows as it is read.
            Some(None) | None => Content::open(file, spare),
        };
        // The stop canceled the request, so its failure says nothing about the file.
        if self.stop.is_set() {
            return None;
        }
        Some((index, content))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Some(fetching) = &self.fetching {
            fetching.abort();
        }
    }
}

/// Fetches the objects among the files in order. Requests it spawned are canceled when it is
/// dropped.
async fn fetch(files: Arc<[LogFile]>, order: Vec<usize>, sender: mpsc::Sender<Ahead>) {
    let room = Arc::new(Semaphore::new(BYTES_AHEAD));
    let mut requests = JoinSet::new();
    for index in order {
        let Some(file) = files.get(index) else { continue };
        let Place::Object(bucket) = &file.place else { continue };
        if file.size > MAX_HELD {
            if sender.send(None).await.is_err() {
                return;
            }
            continue;
        }
        while requests.try_join_next().is_some() {}
        // Permits are acquired in order, so an object never waits for bytes held by a later object.
        let Ok(held) = room.clone().acquire_many_owned(file.size as u32).await else { return };
        let (done, coming) = oneshot::channel();
        if sender.send(Some(coming)).await.is_err() {
            return;
        }
        let (bucket, name, size) = (bucket.clone(), file.name.clone(), file.size);
        requests.spawn(async move {
            let part = bucket.read(bucket.key_of(&name), size).await;
            // The receiver may be gone if the search ended early.
            let _ = done.send((part, held));
        });
    }
    while requests.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;

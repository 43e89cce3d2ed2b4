//! Files in order, for several threads that take them.
//!
//! Files on disk are opened by the thread that takes them. Objects of S3 are fetched ahead, so that
//! nobody waits for the network as long as it is fast enough, with a bound on what is held.

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

/// The largest file of a disk that is held in memory, in bytes. A larger one is read as it is decoded, which
/// costs the same.
const MAX_OF_DISK: u64 = 2 * 1024 * 1024;

/// Bytes of objects that are being fetched, or were and nobody took them yet.
const BYTES_AHEAD: usize = 16 * 1024 * 1024;

/// Objects fetched ahead, at most: small ones cost more than their bytes.
const OBJECTS_AHEAD: usize = 64;

/// The bytes of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of them; at most [`MAX_HELD`].
    Held(Vec<u8>),
    /// One after the other.
    Stream(Input),
}

impl Content {
    /// Returns the bytes as the decoder takes them.
    pub(crate) fn into_input(self) -> Input {
        match self {
            Self::Held(bytes) => Input::Seekable(Box::new(Cursor::new(bytes))),
            Self::Stream(input) => input,
        }
    }

    /// Returns bytes that an error ends; nothing but the error if there are none.
    fn broken(bytes: Vec<u8>, error: io::Error) -> Result<Self, FileReport> {
        if bytes.is_empty() {
            return Err(unreadable(error.to_string()));
        }
        let broken = Cursor::new(bytes).chain(Broken(error.to_string()));
        Ok(Self::Stream(Input::Stream(Box::new(broken))))
    }

    /// Returns the content of a file; bytes go into `spare` if they are held.
    pub(crate) fn open(file: &LogFile, spare: Vec<u8>) -> Result<Self, FileReport> {
        match &file.place {
            Place::Named => Self::of_disk(Path::new(&*file.name), spare),
            Place::Disk(path) => Self::of_disk(path, spare),
            Place::Pipe(pipe) => Ok(Self::of_pipe(pipe)),
            Place::Object(bucket) => {
                let key = bucket.key_of(&file.name);
                if file.size > MAX_HELD {
                    return Ok(Self::of_large_object(bucket, key, file.size));
                }
                Self::of_part(bucket.read_blocking(key, file.size))
            }
        }
    }

    /// Returns the bytes of a file of which no more than the beginning is wanted.
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
        bytes.reserve(size as usize + 1);
        // A file may grow while it is read.
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

/// A reader that fails, each time.
struct Broken(String);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(self.0.clone()))
    }
}

/// Returns the report on a file of which nothing could be read.
fn unreadable(message: String) -> FileReport {
    let damage = Damage { offset: 0, kind: DamageKind::Io, message };
    FileReport { damages: vec![damage], damage_count: 1, ..FileReport::default() }
}

/// Gives out files in order. Dropping it ends what is still being fetched.
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
    /// The objects among the files, in order.
    objects: mpsc::Receiver<Ahead>,
}

/// An object that comes, or that its reader will fetch.
type Ahead = Option<oneshot::Receiver<(Part, OwnedSemaphorePermit)>>;

impl Feed {
    /// Begins to fetch; `order` has the places of the files in `logs`.
    pub(crate) fn new(logs: &Logs, order: Vec<usize>) -> Self {
        let files = logs.shared_files();
        let (sender, objects) = mpsc::channel(OBJECTS_AHEAD);
        let bucket = order.iter().find_map(|index| match &files.get(*index)?.place {
            Place::Object(bucket) => Some(bucket.clone()),
            Place::Named | Place::Disk(_) | Place::Pipe(_) => None,
        });
        let fetching =
            bucket.map(|bucket| bucket.io().spawn(fetch(files.clone(), order.clone(), sender)));
        let position = Mutex::new(Position { next: 0, objects });
        Self { files, order, position, fetching, stop: logs.stop().clone() }
    }

    /// Returns the next file, or `None` after the last, or when it was told to stop. Waits for the network,
    /// so that it must not be called from a task.
    pub(crate) fn next(&self) -> Option<(usize, Result<Content, FileReport>)> {
        self.next_into(Vec::new())
    }

    /// Returns the next file like [`Feed::next`]; `spare` is used again if it can be.
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
                // With the permit goes the room: the bytes are the caller's now.
                Ok((part, _room)) => Content::of_part(part),
                Err(_) => Err(unreadable("a bug ended the request".to_owned())),
            },
            // A large one; or whoever fetches is gone, which its reader will find out.
            Some(None) | None => Content::open(file, spare),
        };
        // What was being fetched did not come, which says nothing about the file.
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

/// Fetches the objects among the files. What it spawns ends with it.
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
        // In order: what is taken next has its room before what is taken later, and cannot wait for it.
        let Ok(held) = room.clone().acquire_many_owned(file.size as u32).await else { return };
        let (done, coming) = oneshot::channel();
        if sender.send(Some(coming)).await.is_err() {
            return;
        }
        let (bucket, name, size) = (bucket.clone(), file.name.clone(), file.size);
        requests.spawn(async move {
            let part = bucket.read(bucket.key_of(&name), size).await;
            // Nobody waits any more when a search has its rows.
            let _ = done.send((part, held));
        });
    }
    while requests.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;

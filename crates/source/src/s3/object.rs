//! Reads objects: small ones whole, large ones in parts; a broken read resumes where it broke off.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use futures::StreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use tokio::task::AbortHandle;

use super::bucket::{Attempts, Bucket, Setback};
use super::failure::Failure;

/// Objects up to this size are read with one request and held in memory; larger ones are streamed.
pub(crate) const MAX_HELD: u64 = 4 * 1024 * 1024;

/// Size of the parts in which larger objects are read; up to two parts are in memory.
pub(crate) const PART: u64 = 4 * 1024 * 1024;

/// The bytes of a part of an object that have arrived.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) bytes: Vec<u8>,
    /// Why bytes are missing; `None` if the part is complete.
    pub(crate) failure: Option<Failure>,
    /// The version of the object. Later requests require it, so that versions are never mixed.
    etag: Option<String>,
}

impl Bucket {
    /// Reads a whole object.
    pub(crate) async fn read(&self, key: &str, size: u64) -> Part {
        let mut part = Part::default();
        self.read_range(key, 0..size, size, &mut part).await;
        part
    }

    /// Reads a whole object and blocks the calling thread.
    pub(crate) fn read_blocking(self: &Arc<Self>, key: &str, size: u64) -> Part {
        let (bucket, key) = (self.clone(), key.to_owned());
        let part = self.io.wait(async move { Ok(bucket.read(&key, size).await) });
        part.unwrap_or_else(|failure| Part { failure: Some(failure), ..Part::default() })
    }

    async fn read_range(&self, key: &str, range: Range<u64>, size: u64, part: &mut Part) {
        let path = match Path::parse(key) {
            Ok(path) => path,
            Err(error) => {
                part.failure = Some(Failure::Unusable(error.to_string()));
                return;
            }
        };
        let mut attempts = Attempts::new(self);
        part.bytes.reserve_exact((range.end - range.start) as usize);
        part.failure = loop {
            match self.attempt(&path, &range, size, part, &mut attempts).await {
                Ok(true) => break None,
                Ok(false) => {}
                Err(failure) => break Some(failure),
            }
        };
    }

    /// Requests the missing bytes of `range`; returns true if none are missing.
    async fn attempt(
        &self,
        path: &Path,
        range: &Range<u64>,
        size: u64,
        part: &mut Part,
        attempts: &mut Attempts<'_>,
    ) -> Result<bool, Failure> {
        let missing = range.start + part.bytes.len() as u64..range.end;
        if missing.is_empty() {
            return Ok(true);
        }
        let slot = attempts.begin().await;
        let is_all = missing == (0..size);
        let options = GetOptions {
            range: (!is_all).then(|| GetRange::Bounded(missing.clone())),
            if_match: part.etag.clone(),
            ..GetOptions::default()
        };
        let store = self.store();
        let result = match attempts.wait(store.get_opts(path, options)).await? {
            Ok(result) => result,
            Err(error) => {
                attempts.failed(slot, Setback::Error(error)).await?;
                return Ok(false);
            }
        };
        // A different size means that the object was replaced after it was listed.
        if result.meta.size != size {
            return Err(Failure::Replaced);
        }
        if part.etag.is_none() {
            part.etag.clone_from(&result.meta.e_tag);
        }
        let mut stream = result.into_stream();
        let whole = (range.end - range.start) as usize;
        attempts.heard();
        while let Some(next) = attempts.wait(stream.next()).await? {
            match next {
                Ok(bytes) => {
                    // The server sent more bytes than requested.
                    if part.bytes.len() + bytes.len() > whole {
                        return Err(Failure::Replaced);
                    }
                    part.bytes.extend_from_slice(&bytes);
                    attempts.progressed();
                }
                Err(error) => {
                    attempts.failed(slot, Setback::Error(error)).await?;
                    return Ok(false);
                }
            }
        }
        if part.bytes.len() == whole {
            slot.succeeded();
            return Ok(true);
        }
        let got = range.start + part.bytes.len() as u64;
        attempts.failed(slot, Setback::Cut { got, size }).await?;
        Ok(false)
    }
}

/// A reader of a large object that requests one part ahead.
#[derive(Debug)]
pub(crate) struct ObjectReader {
    bucket: Arc<Bucket>,
    key: String,
    size: u64,
    /// The offset of the first byte that was not requested yet.
    unasked: u64,
    current: Part,
    /// Number of bytes of the current part that were read.
    given: usize,
    coming: Option<Coming>,
}

/// A requested part.
#[derive(Debug)]
struct Coming {
    receiver: Receiver<Part>,
    request: AbortHandle,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.request.abort();
    }
}

impl ObjectReader {
    pub(crate) fn new(bucket: Arc<Bucket>, key: String, size: u64) -> Self {
        let current = Part::default();
        let mut reader = Self { bucket, key, size, unasked: 0, current, given: 0, coming: None };
        reader.ask();
        reader
    }

    fn ask(&mut self) {
        let range = self.unasked..self.size.min(self.unasked + PART);
        if range.is_empty() || self.current.failure.is_some() {
            return;
        }
        self.unasked = range.end;
        let (bucket, key, size) = (self.bucket.clone(), self.key.clone(), self.size);
        let mut part = Part { etag: self.current.etag.clone(), ..Part::default() };
        let (sender, receiver) = sync_channel(1);
        let request = self.bucket.io.spawn(async move {
            bucket.read_range(&key, range, size, &mut part).await;
            // The receiver is gone if the reader was dropped.
            let _ = sender.send(part);
        });
        self.coming = Some(Coming { receiver, request });
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = (&self.current.bytes[self.given..]).read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.given += count;
                return Ok(count);
            }
            if let Some(failure) = &self.current.failure {
                return Err(io::Error::other(failure.clone()));
            }
            let Some(coming) = self.coming.take() else { return Ok(0) };
            let ended = || Part { failure: Some(self.bucket.io.ended()), ..Part::default() };
            self.current = coming.receiver.recv().unwrap_or_else(|_| ended());
            self.given = 0;
            self.ask();
        }
    }
}

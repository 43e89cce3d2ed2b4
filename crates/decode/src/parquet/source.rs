//! Gives the reader of Parquet the bytes of a file, with limits.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::inflate::ReadSeek;

/// The maximum number of bytes read at once: a page, or a footer.
pub(super) const MAX_READ: usize = 128 * 1024 * 1024;
/// The size of reads of the headers of pages.
const HEADER: usize = 4 * 1024;

/// A file that several columns are read from in turn.
#[derive(Clone)]
pub(super) struct Source {
    shared: Arc<Shared>,
    /// The bytes of a column that is read whole, and their position.
    held: Option<(u64, bytes::Bytes)>,
}

struct Shared {
    file: Mutex<Box<dyn ReadSeek + Send>>,
    length: u64,
    read: AtomicU64,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("length", &self.shared.length).finish_non_exhaustive()
    }
}

impl Source {
    pub(super) fn new(mut file: Box<dyn ReadSeek + Send>) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        let shared = Shared { file: Mutex::new(file), length, read: AtomicU64::new(0) };
        Ok(Self { shared: Arc::new(shared), held: None })
    }

    /// Returns a source that has these bytes in memory, and gives no others.
    pub(super) fn holding(&self, start: u64, length: usize) -> io::Result<Self> {
        let bytes = bytes::Bytes::from(self.read(start, length)?);
        Ok(Self { shared: self.shared.clone(), held: Some((start, bytes)) })
    }

    /// Returns what is in memory from a position on; `None` if nothing is in memory at all.
    fn held(&self, start: u64) -> Option<bytes::Bytes> {
        let (from, bytes) = self.held.as_ref()?;
        let at = start.checked_sub(*from).and_then(|at| usize::try_from(at).ok());
        Some(
            at.filter(|at| *at <= bytes.len())
                .map_or_else(bytes::Bytes::new, |at| bytes.slice(at..)),
        )
    }

    /// Returns the number of bytes that were read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.shared.read.load(Ordering::Relaxed)
    }

    fn file(&self) -> MutexGuard<'_, Box<dyn ReadSeek + Send>> {
        self.shared.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads up to `length` bytes; fewer only at the end of the file.
    pub(super) fn read(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        if let Some(held) = self.held(start) {
            return Ok(held[..length.min(held.len())].to_vec());
        }
        let left = usize::try_from(self.shared.length.saturating_sub(start)).unwrap_or(0);
        let length = length.min(left);
        if length > MAX_READ {
            return Err(io::Error::other("a part of the file is too large"));
        }
        let mut bytes = Vec::with_capacity(length);
        let mut file = self.file();
        file.seek(SeekFrom::Start(start))?;
        Read::take(&mut **file, length as u64).read_to_end(&mut bytes)?;
        self.shared.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.shared.length
    }
}

impl ChunkReader for Source {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let cursor = Cursor { source: self.clone(), at: start };
        Ok(BufReader::with_capacity(HEADER, cursor))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        let bytes = match self.held(start) {
            Some(held) => held.slice(..length.min(held.len())),
            None => self.read(start, length)?.into(),
        };
        if bytes.len() < length {
            return Err(ParquetError::EOF("the file ends early".to_owned()));
        }
        Ok(bytes)
    }
}

/// Reads on from a position.
pub(super) struct Cursor {
    source: Source,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(held) = self.source.held(self.at) {
            let count = held.len().min(buffer.len());
            buffer[..count].copy_from_slice(&held[..count]);
            self.at += count as u64;
            return Ok(count);
        }
        let mut file = self.source.file();
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(buffer)?;
        self.at += count as u64;
        self.source.shared.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

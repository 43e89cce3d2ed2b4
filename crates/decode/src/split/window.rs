//! Holds the part of the input that is in memory.

use std::io::{ErrorKind, Read};

use crate::inflate::ReadFailure;
use crate::report::{Damage, DamageKind};

/// The size of the first read, which is small because many files are.
const FIRST_CHUNK: usize = 64 * 1024;
/// The largest size of a read.
const CHUNK: usize = 256 * 1024;

/// The bytes of a stream from some offset on.
///
/// A refill drops the bytes before the position that the caller keeps.
pub(crate) struct Window<R> {
    reader: R,
    data: Vec<u8>,
    filled: usize,
    /// Offset in the stream of the first byte of `data`.
    base: u64,
    ended: bool,
    failure: Option<Damage>,
    chunk: usize,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            data: Vec::new(),
            filled: 0,
            base: 0,
            ended: false,
            failure: None,
            chunk: FIRST_CHUNK,
        }
    }

    /// Sets the size of reads, for tests.
    #[cfg(test)]
    pub(crate) fn with_chunk(mut self, chunk: usize) -> Self {
        self.chunk = chunk.max(1);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.data[..self.filled]
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Returns the offset in the stream of a position in the window.
    pub(crate) fn offset(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    /// Returns the failure that ended the stream early, if any; later calls return `None`.
    pub(crate) fn take_failure(&mut self) -> Option<Damage> {
        self.failure.take()
    }

    /// Drops the bytes before `keep` and reads more; returns how far the remaining bytes moved.
    ///
    /// Each refill reads at least as many bytes as it keeps. The cost of reading a record is thus
    /// proportional to its length, however few bytes the reader returns at a time.
    pub(crate) fn refill(&mut self, keep: usize) -> usize {
        self.data.copy_within(keep..self.filled, 0);
        self.filled -= keep;
        self.base += keep as u64;
        let is_test_size = self.chunk < FIRST_CHUNK;
        let goal = self.filled + self.chunk.max(if is_test_size { 0 } else { self.filled });
        if !is_test_size {
            self.chunk = CHUNK.min(self.chunk * 2);
        }
        if self.data.len() < goal {
            self.data.resize(goal, 0);
        }
        while self.filled < goal && !self.ended {
            match self.reader.read(&mut self.data[self.filled..goal]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    let kind = error
                        .get_ref()
                        .and_then(|inner| inner.downcast_ref::<ReadFailure>())
                        .map_or(DamageKind::Io, |failure| failure.kind);
                    let offset = self.offset(self.filled);
                    self.failure = Some(Damage { offset, kind, message: error.to_string() });
                }
            }
        }
        keep
    }
}

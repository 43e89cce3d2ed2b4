//! Limits what may come out of compressed data, for each layer and for a whole file.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use super::ReadFailure;
use crate::report::DamageKind;

/// Output of one layer below this is never a decompression bomb.
pub(crate) const LAYER_FLOOR: u64 = 64 * 1024 * 1024;
/// Output of all layers of a file below this is never a decompression bomb.
const TOTAL_FLOOR: u64 = 512 * 1024 * 1024;
/// Output bytes per input byte above which deflated data is a decompression bomb; logs never reach
/// it.
pub(crate) const DEFLATE_RATIO: u64 = 250;
/// The same for formats that also find what is repeated far apart, and for all layers together: logs
/// made for a test reach hundreds.
const RATIO: u64 = 1000;

/// The number of bytes read from a source so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Rc<Cell<u64>>);

impl Counter {
    /// Returns a counter that stands at `count` and does not move.
    pub(super) fn fixed(count: u64) -> Self {
        Self(Rc::new(Cell::new(count)))
    }

    pub(super) fn add(&self, count: u64) {
        self.0.set(self.0.get() + count);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.get()
    }
}

/// Counts what is read from a source.
#[derive(Debug)]
pub(super) struct Counted<R> {
    pub(super) inner: R,
    pub(super) counter: Counter,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.counter.0.set(self.counter.0.get() + count as u64);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// What has come out of all layers of a file, compared with the size of the file read so far.
///
/// Without it, each layer and each entry could multiply the output up to its own limit.
#[derive(Debug)]
pub(super) struct Total {
    pub(super) read: Counter,
    out: Cell<u64>,
}

impl Total {
    pub(super) fn new(read: Counter) -> Self {
        Self { read, out: Cell::new(0) }
    }

    /// Returns true if so much has come out that nothing more of the file is read.
    pub(super) fn is_spent(&self) -> bool {
        let out = self.out.get();
        out > TOTAL_FLOOR && out / RATIO > self.read.count()
    }
}

/// Reads the output of a layer up to its limits.
pub(super) struct Guarded<'a, R> {
    inner: R,
    ratio: u64,
    /// What the layer reads from.
    source: Counter,
    start: u64,
    out: u64,
    total: &'a Total,
}

impl<'a, R> Guarded<'a, R> {
    /// Compares the output of `inner` with what is read from `source` from now on.
    pub(super) fn new(inner: R, source: Counter, total: &'a Total) -> Self {
        let start = source.count();
        Self { inner, ratio: RATIO, source, start, out: 0, total }
    }

    /// Does what [`Guarded::new`] does for deflated data.
    pub(super) fn deflated(inner: R, source: Counter, total: &'a Total) -> Self {
        Self { ratio: DEFLATE_RATIO, ..Self::new(inner, source, total) }
    }

    /// Compares the output of `inner`, deflated data, with the size of its input.
    pub(super) fn with_size(inner: R, size: u64, total: &'a Total) -> Self {
        let (source, ratio) = (Counter::fixed(size), DEFLATE_RATIO);
        Self { inner, ratio, source, start: 0, out: 0, total }
    }
}

impl<R: Read> Read for Guarded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let went_in = self.source.count().saturating_sub(self.start).max(1);
        let is_bomb = self.out > LAYER_FLOOR && self.out / self.ratio > went_in;
        if is_bomb || self.total.is_spent() {
            let (ratio, whole) =
                if is_bomb { (self.ratio, "") } else { (RATIO, " of the whole file") };
            let message = format!(
                "more than {ratio} bytes came out of each compressed byte{whole}; the rest is not \
                 read"
            );
            return Err(ReadFailure::error(DamageKind::DecompressionBomb, message));
        }
        let count = self.inner.read(buffer)?;
        self.out += count as u64;
        self.total.out.set(self.total.out.get() + count as u64);
        Ok(count)
    }
}

//! Reads the entries of tar archives: the oldest form, ustar, GNU's and pax.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;

use tar::{EntryType, Header, PaxExtensions};

use super::format::has_checksum;
use super::{Layer, Parts, damage, damage_of, names, undo};
use crate::report::DamageKind;

const BLOCK: usize = 512;
/// The largest name or list of attributes that precedes an entry and is kept; what exceeds it is
/// skipped. Attributes of macOS may be of this size.
const MAX_EXTENSION: u64 = 1024 * 1024;

/// Reads the entries one after another.
///
/// A damaged header costs the entries up to the next sound one. Only files are read: folders and
/// devices have no text, and what a link leads to is never opened.
pub(super) fn untar(layer: Layer<'_>, reader: impl Read, parts: &mut dyn Parts) -> ControlFlow<()> {
    let mut archive = Archive { reader, is_reported: false };
    let mut extensions = Extensions::default();
    let mut state = State::AtStart;
    while !layer.total.is_spent() {
        let block = match archive.block() {
            Ok(Some(block)) => block,
            Ok(None) if state == State::AtEnd => break,
            Ok(None) => {
                archive.report(&End::Early, layer.name, parts);
                break;
            }
            Err(end) => {
                archive.report(&end, layer.name, parts);
                break;
            }
        };
        if block.iter().all(|byte| *byte == 0) {
            // Archives that were put one after another have such blocks between them.
            state = State::AtEnd;
            continue;
        }
        let header = Header::from_byte_slice(&block);
        let Some(size) = header.entry_size().ok().filter(|_| has_checksum(&block)) else {
            if state != State::Lost {
                let message = "the header of an entry of the tar archive is damaged; reading \
                               continues at the next sound one";
                parts.damage(layer.name, damage(DamageKind::CorruptCompression, message));
            }
            state = State::Lost;
            extensions = Extensions::default();
            continue;
        };
        state = State::Inside;
        match archive.entry(layer, header, size, &mut extensions, parts) {
            Ok(flow) => flow?,
            Err(end) => {
                archive.report(&end, layer.name, parts);
                break;
            }
        }
    }
    ControlFlow::Continue(())
}

/// Why an archive is not read further.
enum End {
    Early,
    /// What the archive is read from failed.
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    AtStart,
    /// After an entry.
    Inside,
    /// After a damaged header.
    Lost,
    /// After the empty blocks that end an archive.
    AtEnd,
}

/// What precedes an entry and says more of it than fits into its header.
#[derive(Debug, Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Extensions {
    fn read_pax(&mut self, records: &[u8]) {
        for record in PaxExtensions::new(records).flatten() {
            let value = record.value_bytes();
            match record.key_bytes() {
                // The name of a sparse file, whose `path` is one made up.
                b"GNU.sparse.name" => self.path = Some(value.to_vec()),
                b"path" if !self.is_sparse => self.path = Some(value.to_vec()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok()),
                key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
        }
    }
}

struct Archive<R> {
    reader: R,
    /// True if the entry that was read last has reported why the archive ends.
    is_reported: bool,
}

impl<R: Read> Archive<R> {
    /// Reads a block; `None` at the end of the archive.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, End> {
        let mut block = [0; BLOCK];
        let mut length = 0;
        while length < BLOCK {
            match self.reader.read(&mut block[length..]) {
                Ok(0) if length == 0 => return Ok(None),
                Ok(0) => return Err(End::Early),
                Ok(count) => length += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    /// Reports why the archive is not read further, unless an entry has done so.
    fn report(&self, end: &End, name: &str, parts: &mut dyn Parts) {
        if self.is_reported {
            return;
        }
        parts.damage(
            name,
            match end {
                End::Early => {
                    damage(DamageKind::TruncatedCompression, "the tar archive ends early")
                }
                End::Failed(error) => damage_of(error),
            },
        );
    }

    /// Reads one entry, or what precedes one.
    fn entry(
        &mut self,
        layer: Layer<'_>,
        header: &Header,
        stored: u64,
        extensions: &mut Extensions,
        parts: &mut dyn Parts,
    ) -> Result<ControlFlow<()>, End> {
        let kind = header.entry_type();
        match kind {
            EntryType::GNULongName => {
                let mut name = self.extension(stored)?;
                name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
                extensions.path = Some(name);
                return Ok(ControlFlow::Continue(()));
            }
            EntryType::XHeader => {
                extensions.read_pax(&self.extension(stored)?);
                return Ok(ControlFlow::Continue(()));
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => {
                self.skip(padded(stored))?;
                return Ok(ControlFlow::Continue(()));
            }
            _ => {}
        }
        let Extensions { path, size, is_sparse } = std::mem::take(extensions);
        let size = size.unwrap_or(stored);
        let path = path.map_or_else(|| header.path_bytes(), Cow::Owned);
        let name = names::join(layer.name, &String::from_utf8_lossy(&path));
        if kind == EntryType::GNUSparse {
            self.skip_sparse_map(header)?;
        }
        if is_sparse || kind == EntryType::GNUSparse {
            let message = "a sparse file in a tar archive is not read; unpack it first";
            parts.damage(&name, damage(DamageKind::UnreadableEntry, message));
            self.skip(padded(size))?;
            return Ok(ControlFlow::Continue(()));
        }
        match kind.as_byte() {
            // Links, devices, folders and pipes have no data, whatever their headers say.
            b'1'..=b'6' => Ok(ControlFlow::Continue(())),
            // A file, also if its kind is not known: the standard says so. The archive's label and the
            // listings of incremental backups are usually texts without JSON, but can be anything.
            _ => self.file(Layer { name: &name, ..layer.inside() }, size, parts),
        }
    }

    fn file(
        &mut self,
        layer: Layer<'_>,
        size: u64,
        parts: &mut dyn Parts,
    ) -> Result<ControlFlow<()>, End> {
        let mut data = Data { archive: self, left: size };
        let flow = undo(layer, &mut data, parts);
        let left = data.left;
        if flow.is_break() || layer.total.is_spent() {
            return Ok(flow);
        }
        let padding = padded(size) - size;
        match self.skip(left) {
            Err(End::Early) => {
                let message = "the tar archive ends early, in the middle of this entry";
                parts.damage(layer.name, damage(DamageKind::TruncatedCompression, message));
                self.is_reported = true;
                return Err(End::Early);
            }
            other => other?,
        }
        self.skip(padding)?;
        Ok(flow)
    }

    /// Reads the data of an entry that describes the next one.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, End> {
        let mut kept = Vec::new();
        let most = size.min(MAX_EXTENSION);
        self.reader.by_ref().take(most).read_to_end(&mut kept)?;
        if (kept.len() as u64) < most {
            return Err(End::Early);
        }
        self.skip(padded(size) - most)?;
        Ok(kept)
    }

    /// Skips the further blocks of the map of a sparse file.
    fn skip_sparse_map(&mut self, header: &Header) -> Result<(), End> {
        let mut goes_on = header.as_bytes()[482] != 0;
        while goes_on {
            let block = self.block()?.ok_or(End::Early)?;
            goes_on = block[504] != 0;
        }
        Ok(())
    }

    fn skip(&mut self, count: u64) -> Result<(), End> {
        let skipped = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink())?;
        if skipped < count { Err(End::Early) } else { Ok(()) }
    }
}

/// The data of an entry.
struct Data<'a, R> {
    archive: &'a mut Archive<R>,
    left: u64,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.archive.reader.read(&mut buffer[..most]);
        match &read {
            Ok(count) => self.left -= *count as u64,
            Err(error) => self.archive.is_reported |= error.kind() != ErrorKind::Interrupted,
        }
        read
    }
}

/// Returns the size of data with what fills its last block.
fn padded(size: u64) -> u64 {
    size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX)
}

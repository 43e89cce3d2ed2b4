//! Reads the entries of zip archives.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::rc::Rc;

use flate2::bufread::DeflateDecoder;
use zip::ZipReadOptions;
use zip::read::{Config, ZipFileEntry};
// The stable reader holds all entries in memory, and of those with the same name only the last one.
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;

use super::held::copy;
use super::layers::Named;
use super::limits::{Counted, Counter, Guarded};
use super::uncovered::{self, Covered};
use super::unread::{OFFICE, OFFICE_ENTRY, OPEN_DOCUMENT, OPEN_DOCUMENT_ENTRY};
use super::{Layer, MAX_HELD_ZIP, Parts, damage, damage_of, names, shown, undo, unread_format};
use crate::report::{Damage, DamageKind};

/// The size of reads of the directory, which alternate with reads of entries.
const DIRECTORY_BUFFER: usize = 4 * 1024;
/// Begins the header of an entry.
const ENTRY: [u8; 4] = *b"PK\x03\x04";

/// Stores an archive that comes from a stream, because it is read from its end.
pub(super) fn unzip_held(
    layer: Layer<'_>,
    reader: impl Read,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let mut held = parts.scratch();
    let copied = copy(&mut reader.take(MAX_HELD_ZIP + 1), &mut held);
    if let Some(error) = copied.failure {
        parts.damage(layer.name, damage_of(&error));
    }
    if copied.length > MAX_HELD_ZIP {
        let most = MAX_HELD_ZIP / 1024 / 1024;
        let message = format!("a zip archive of more than {most} MiB cannot be read from a stream");
        parts.damage(layer.name, damage(DamageKind::UnreadableEntry, message));
        return ControlFlow::Continue(());
    }
    let source = Counter::default();
    let counted = Counted { inner: held, counter: source.clone() };
    unzip(Layer { source: &source, ..layer }, counted, parts)
}

/// Returns true for the first bytes of a program or script, which may unpack an archive behind it.
pub(super) fn is_program(head: &[u8]) -> bool {
    [&b"MZ"[..], b"\x7fELF", b"#!"].iter().any(|magic| head.starts_with(magic))
}

/// Returns true if a file ends with the end of an archive, and moves to its beginning.
pub(super) fn ends_archive(reader: &mut (impl Read + Seek)) -> bool {
    let is_archive = uncovered::ends_archive(reader).unwrap_or_default();
    reader.seek(SeekFrom::Start(0)).is_ok() && is_archive
}

/// Stores a program that comes from a stream, and reads the archive behind it if there is one.
pub(super) fn unzip_program(
    layer: Layer<'_>,
    mut reader: impl Read,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let mut held = parts.scratch();
    let copied = copy(&mut reader.by_ref().take(MAX_HELD_ZIP), &mut held);
    if let Some(error) = copied.failure {
        parts.damage(layer.name, damage_of(&error));
    }
    if ends_archive(&mut held) {
        let source = Counter::default();
        let counted = Counted { inner: held, counter: source.clone() };
        return unzip(Layer { source: &source, ..layer }, counted, parts);
    }
    parts.part(layer.name, &mut held.chain(reader))
}

/// Reads the entries in the order of the archive's directory, one after another, so that memory does
/// not grow with their number.
pub(super) fn unzip(
    layer: Layer<'_>,
    reader: impl Read + Seek,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let (name, mut encrypted) = (layer.name, Encrypted::default());
    let flow = entries(layer, reader, &mut encrypted, parts);
    if let Some(message) = encrypted.message() {
        parts.damage(name, unreadable(message));
    }
    flow
}

/// The entries of an archive that are encrypted. Usually all are, so that they are counted.
#[derive(Debug, Default)]
struct Encrypted {
    count: u64,
    first: Option<String>,
}

impl Encrypted {
    fn add(&mut self, name: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| shown(name));
    }

    fn message(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        let what = match self.count {
            1 => format!("an entry is encrypted (`{first}`)"),
            count => format!("{count} entries are encrypted (the first is `{first}`)"),
        };
        Some(format!("{what}; unpack the archive with its password first"))
    }
}

fn entries(
    layer: Layer<'_>,
    mut reader: impl Read + Seek,
    encrypted: &mut Encrypted,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    // Entries that share bytes let an archive of megabytes expand to terabytes.
    let mut room = reader.seek(SeekFrom::End(0)).unwrap_or_default();
    let mut head = [0; 4];
    let begins = reader.seek(SeekFrom::Start(0)).and_then(|_| reader.read_exact(&mut head));
    let has_program = begins.is_ok() && is_program(&head);
    let gate = Rc::new(Cell::new(true));
    let gated = Gated { inner: reader, is_open: Rc::clone(&gate) };
    let mut reader = BufReader::with_capacity(DIRECTORY_BUFFER, gated);
    let mut archive = match ZipIterable::try_new(&mut reader, Config::default()) {
        Ok(archive) => archive,
        Err(error) => {
            let message = format!(
                "the directory of the zip archive cannot be read: {error}; its entries are read as \
                 far as they can be found"
            );
            parts.damage(layer.name, unreadable(message));
            return salvage(layer, reader, 0, encrypted, parts);
        }
    };
    let entries = match archive.files() {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("the directory of the zip archive cannot be read: {error}");
            parts.damage(layer.name, unreadable(message));
            return ControlFlow::Continue(());
        }
    };
    let (mut last, mut is_damaged) = (None, false);
    let (mut covered, mut directory) = (Covered::default(), None);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let message = format!(
                    "the directory of the zip archive is damaged: {error}; the entries after that \
                     are read as far as they can be found"
                );
                parts.damage(layer.name, unreadable(message));
                is_damaged = true;
                break;
            }
        };
        let document = match entry.name_raw() {
            name if name == OFFICE_ENTRY.as_bytes() => Some(OFFICE),
            name if last.is_none() && name == OPEN_DOCUMENT_ENTRY.as_bytes() => Some(OPEN_DOCUMENT),
            _ => None,
        };
        if let Some(format) = document {
            parts.damage(layer.name, unread_format(format));
            return ControlFlow::Continue(());
        }
        let before = entry.header_start().saturating_add(30 + entry.name_raw().len() as u64);
        let end = before.saturating_add(entry.compressed_size());
        last = Some((entry.central_header_start(), end));
        directory.get_or_insert(entry.central_header_start());
        covered.add(entries.reader_mut(), entry.header_start(), entry.compressed_size());
        // The data of a link is the path to which it leads: a text without JSON, and counted so.
        if entry.is_dir() && entry.size() == 0 {
            continue;
        }
        let name = names::join(layer.name, &entry_name(&entry));
        let size = entry.compressed_size();
        let Some(rest) = room.checked_sub(size) else {
            parts.damage(&name, unreadable("the entries of the zip archive overlap".to_owned()));
            directory = None;
            break;
        };
        room = rest;
        match entry.with_reader(entries.reader_mut(), ZipReadOptions::default()) {
            Ok(file) => {
                let mut guarded = Guarded::with_size(Named::new("zip", file), size, layer.total);
                let flow = undo(Layer { name: &name, ..layer.inside() }, &mut guarded, parts);
                gate.set(false);
                drop(guarded);
                gate.set(true);
                flow?;
            }
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => encrypted.add(&name),
            Err(error) => {
                let message = format!("the entry cannot be read: {error}");
                parts.damage(&name, unreadable(message));
            }
        }
        if layer.total.is_spent() {
            return ControlFlow::Continue(());
        }
    }
    let is_last = entries.is_empty();
    match last {
        _ if is_damaged => salvage(layer, reader, last.map_or(0, |(_, end)| end), encrypted, parts),
        Some((header, end)) if is_last && has_next(header, &mut reader) => {
            let message = "the zip archive has more entries than its directory counts; those beyond \
                           are read as far as they can be found";
            parts.damage(layer.name, unreadable(message.to_owned()));
            salvage(layer, reader, end, encrypted, parts)
        }
        _ => {
            if let Some(message) =
                directory.and_then(|start| covered.message(&mut reader, start, has_program))
            {
                parts.damage(layer.name, unreadable(message));
            }
            ControlFlow::Continue(())
        }
    }
}

/// Returns true if another header follows that of an entry in the directory. Its count of entries
/// has sixteen bits, and some programs write only these.
fn has_next(header: u64, reader: &mut (impl Read + Seek)) -> bool {
    let mut fixed = [0; 46];
    let mut magic = [0; 4];
    let mut read = || {
        reader.seek(SeekFrom::Start(header))?;
        reader.read_exact(&mut fixed)?;
        let length = |at: usize| i64::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
        reader.seek(SeekFrom::Current(length(28) + length(30) + length(32)))?;
        reader.read_exact(&mut magic)
    };
    read().is_ok() && magic == *b"PK\x01\x02"
}

/// A reader that can be made to look as if it had ended: an entry that is dropped reads the rest of
/// its data, which may be gigabytes that nobody wants.
struct Gated<R> {
    inner: R,
    is_open: Rc<Cell<bool>>,
}

impl<R: Read> Read for Gated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_open.get() { self.inner.read(buffer) } else { Ok(0) }
    }
}

impl<R: Seek> Seek for Gated<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

fn entry_name(entry: &ZipFileEntry<'_>) -> String {
    match entry.name() {
        Ok(name) => name.into_owned(),
        Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
    }
}

/// Reads entries from an offset on by their own headers: those that no directory lists, as in an
/// archive that ends early.
fn salvage(
    layer: Layer<'_>,
    mut reader: impl BufRead + Seek,
    from: u64,
    encrypted: &mut Encrypted,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    if let Err(error) = reader.seek(SeekFrom::Start(from)) {
        parts.damage(layer.name, damage_of(&error));
        return ControlFlow::Continue(());
    }
    while let Some(entry) = LocalEntry::find(&mut reader) {
        let name = names::join(layer.name, &entry.name);
        let inside = Layer { name: &name, ..layer.inside() };
        let flow = match (entry.method, entry.size) {
            _ if entry.is_encrypted => {
                encrypted.add(&name);
                ControlFlow::Continue(())
            }
            (0, Some(size)) => {
                let mut data = reader.by_ref().take(size);
                let flow = undo(inside, &mut data, parts);
                let _ = io::copy(&mut data, &mut io::sink());
                if data.limit() > 0 {
                    let message = "the entry ends early";
                    parts.damage(&name, damage(DamageKind::TruncatedCompression, message));
                }
                flow
            }
            (8, _) => {
                // The data ends by itself, so that its size need not be known.
                let mut data = DeflateDecoder::new(&mut reader);
                let named = Named::new("zip", &mut data);
                let mut guarded = Guarded::deflated(named, layer.source.clone(), layer.total);
                let flow = undo(inside, &mut guarded, parts);
                let _ = io::copy(&mut guarded, &mut io::sink());
                flow
            }
            _ => {
                let message = "the entry cannot be read without the archive's directory";
                parts.damage(&name, unreadable(message.to_owned()));
                ControlFlow::Continue(())
            }
        };
        flow?;
        if layer.total.is_spent() {
            break;
        }
    }
    ControlFlow::Continue(())
}

/// The header that precedes the data of an entry.
struct LocalEntry {
    name: String,
    method: u16,
    /// The size of the data; `None` if it is only known after the data.
    size: Option<u64>,
    is_encrypted: bool,
}

impl LocalEntry {
    /// Returns the next entry that is not a folder, and moves to its data.
    fn find(reader: &mut impl BufRead) -> Option<Self> {
        loop {
            skip_to_entry(reader)?;
            let mut header = [0; 26];
            reader.read_exact(&mut header).ok()?;
            let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
            let (flags, method) = (number(2), number(4));
            let size = u32::from_le_bytes([header[14], header[15], header[16], header[17]]);
            let mut name = vec![0; usize::from(number(22))];
            reader.read_exact(&mut name).ok()?;
            let mut extra = vec![0; usize::from(number(24))];
            reader.read_exact(&mut extra).ok()?;
            let name = String::from_utf8_lossy(&name).into_owned();
            if name.ends_with('/') && size == 0 {
                continue;
            }
            let is_known = flags & 8 == 0 && size != u32::MAX;
            return Some(Self {
                name,
                method,
                size: is_known.then_some(u64::from(size)),
                is_encrypted: flags & 1 != 0,
            });
        }
    }
}

/// Moves behind the first bytes of the next entry; returns `None` if there is no further one.
fn skip_to_entry(reader: &mut impl BufRead) -> Option<()> {
    let mut matched = 0;
    loop {
        let buffered = reader.fill_buf().ok()?;
        if buffered.is_empty() {
            return None;
        }
        let mut used = 0;
        for byte in buffered {
            used += 1;
            matched = match matched {
                n if *byte == ENTRY[n] => n + 1,
                _ => usize::from(*byte == ENTRY[0]),
            };
            if matched == ENTRY.len() {
                break;
            }
        }
        reader.consume(used);
        if matched == ENTRY.len() {
            return Some(());
        }
    }
}

fn unreadable(message: String) -> Damage {
    damage(DamageKind::UnreadableEntry, message)
}

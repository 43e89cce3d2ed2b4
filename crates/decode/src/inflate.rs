//! Detects compression from the content and decompresses it, with bounded memory.
//!
//! Supports gzip (including consecutive members), zstd, zip, and plain text. A compressed file
//! inside a zip or another compressed file is decompressed one level further. Text decompressed
//! before damage is always delivered.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zip::ZipArchive;

use crate::gzip::GzipReader;
use crate::report::{Damage, DamageKind};
use crate::utf16::Utf16Reader;

/// A reader that can seek.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Storage for the bytes of a nested archive; it must be seekable.
pub trait Scratch: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Scratch for T {}

/// Returns storage for an archive; callers that do IO provide storage outside memory.
pub type MakeScratch = fn() -> Box<dyn Scratch>;

/// Returns storage in memory.
pub(crate) fn in_memory() -> Box<dyn Scratch> {
    Box::new(Cursor::new(Vec::new()))
}

/// The bytes of one file or stream.
pub enum Input {
    /// Bytes that can be read only once; a zip among them is stored, up to [`MAX_HELD_ZIP`].
    Stream(Box<dyn Read + Send>),
    /// Bytes of a file.
    Seekable(Box<dyn ReadSeek + Send>),
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream(_) => "Stream",
            Self::Seekable(_) => "Seekable",
        })
    }
}

/// The largest zip that is stored when it comes from a stream or another archive; see
/// [`MakeScratch`].
pub const MAX_HELD_ZIP: u64 = 256 * 1024 * 1024;

/// Output below this is never a decompression bomb.
const BOMB_FLOOR: u64 = 64 * 1024 * 1024;
/// Output bytes per input byte above which the input is a decompression bomb; logs never reach it.
const BOMB_RATIO: u64 = 250;
/// The number of layers of compression that are undone.
const MAX_LAYERS: usize = 2;
const BUFFER: usize = 64 * 1024;

/// The reason why a compressed stream could not be read further, carried inside an [`io::Error`].
#[derive(Debug)]
pub(crate) struct ReadFailure {
    pub(crate) kind: DamageKind,
    message: String,
}

impl ReadFailure {
    pub(crate) fn error(kind: DamageKind, message: impl Into<String>) -> io::Error {
        io::Error::other(Self { kind, message: message.into() })
    }
}

impl fmt::Display for ReadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadFailure {}

/// Receives the parts of an input.
pub(crate) trait Parts {
    /// Handles one uncompressed text; `name` is its name in an archive, or empty outside one.
    fn part(&mut self, name: &str, text: &mut dyn Read) -> ControlFlow<()>;
    /// Records a part that cannot be read.
    fn damage(&mut self, name: &str, damage: Damage);

    /// Returns storage for a nested archive.
    fn scratch(&self) -> Box<dyn Scratch> {
        in_memory()
    }
}

/// Decompresses `input` and passes each text in it to `parts`; returns the number of bytes read.
pub(crate) fn for_each_part(input: Input, parts: &mut dyn Parts) -> u64 {
    let count = Arc::new(AtomicU64::new(0));
    let counter = || Arc::clone(&count);
    match input {
        Input::Stream(reader) => {
            let counted = Counted { inner: reader, count: counter() };
            let _ = undo(Layer { name: "", depth: 0 }, counted, &count, parts);
        }
        Input::Seekable(mut reader) => {
            let mut head = [0; 4];
            let length = read_up_to(&mut reader, &mut head);
            let rewound = reader.seek(SeekFrom::Start(0));
            match (length, rewound) {
                (Ok(length), Ok(_)) => {
                    let counted = Counted { inner: reader, count: counter() };
                    let layer = Layer { name: "", depth: 0 };
                    let _ = if is_zip(&head[..length]) {
                        unzip(layer, BufReader::with_capacity(BUFFER, counted), &count, parts)
                    } else {
                        undo(layer, counted, &count, parts)
                    };
                }
                (Err(error), _) | (_, Err(error)) => parts.damage("", damage_of(&error)),
            }
        }
    }
    count.load(Ordering::Relaxed)
}

#[derive(Clone, Copy)]
struct Layer<'a> {
    name: &'a str,
    depth: usize,
}

/// Detects the format of `reader` from its first bytes and decompresses it accordingly.
fn undo(
    layer: Layer<'_>,
    reader: impl Read + Send,
    read: &Arc<AtomicU64>,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut head = [0; 4];
    let length = match read_up_to(&mut reader, &mut head) {
        Ok(length) => length,
        Err(error) => {
            parts.damage(layer.name, damage_of(&error));
            return ControlFlow::Continue(());
        }
    };
    let head = &head[..length];
    let whole = Cursor::new(head.to_vec()).chain(reader);
    let inner = Layer { name: layer.name, depth: layer.depth + 1 };
    let start = read.load(Ordering::Relaxed);
    let guard = || Guard { read: Arc::clone(read), start, out: 0 };
    if layer.depth < MAX_LAYERS {
        if head.starts_with(&[0x1f, 0x8b]) {
            let guarded = Guarded { inner: GzipReader::new(whole), guard: guard() };
            return next_layer(inner, guarded, read, parts);
        }
        if head == [0x28, 0xb5, 0x2f, 0xfd] {
            return match zstd::stream::read::Decoder::with_buffer(whole) {
                Ok(decoder) => {
                    let zstd = ZstdReader(decoder);
                    next_layer(inner, Guarded { inner: zstd, guard: guard() }, read, parts)
                }
                Err(error) => {
                    parts.damage(layer.name, damage_of(&error));
                    ControlFlow::Continue(())
                }
            };
        }
        if is_zip(head) {
            return unzip_held(layer, whole, read, parts);
        }
    }
    deliver(layer, whole, head, parts)
}

/// Continues with the output of a layer, as a trait object because the layers' types would
/// otherwise nest without end.
fn next_layer(
    layer: Layer<'_>,
    reader: impl Read + Send,
    read: &Arc<AtomicU64>,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let boxed: Box<dyn Read + Send + '_> = Box::new(reader);
    undo(layer, boxed, read, parts)
}

fn deliver(
    layer: Layer<'_>,
    mut text: impl Read,
    head: &[u8],
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    match head {
        [0xff, 0xfe, ..] => parts.part(layer.name, &mut Utf16Reader::little_endian(text)),
        [0xfe, 0xff, ..] => parts.part(layer.name, &mut Utf16Reader::big_endian(text)),
        _ => parts.part(layer.name, &mut text),
    }
}

fn unzip_held(
    layer: Layer<'_>,
    reader: impl Read,
    read: &Arc<AtomicU64>,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    let mut held = parts.scratch();
    let copied = io::copy(&mut reader.take(MAX_HELD_ZIP + 1), &mut held);
    match copied.and_then(|length| held.rewind().map(|()| length)) {
        Ok(length) if length > MAX_HELD_ZIP => {
            let message = format!(
                "a zip archive of more than {} MiB cannot be read from a stream",
                MAX_HELD_ZIP / 1024 / 1024
            );
            let kind = DamageKind::UnreadableEntry;
            parts.damage(layer.name, Damage { offset: 0, kind, message });
            ControlFlow::Continue(())
        }
        // A zip's directory is at its end, but entries before the damage may still be readable.
        Ok(_) => unzip(layer, BufReader::with_capacity(BUFFER, held), read, parts),
        Err(error) => {
            parts.damage(layer.name, damage_of(&error));
            ControlFlow::Continue(())
        }
    }
}

fn unzip(
    layer: Layer<'_>,
    mut reader: impl Read + Seek + Send,
    read: &Arc<AtomicU64>,
    parts: &mut dyn Parts,
) -> ControlFlow<()> {
    // Entries that share bytes let an archive of megabytes expand to terabytes.
    let mut room = reader.seek(SeekFrom::End(0)).unwrap_or_default();
    let mut archive = match ZipArchive::new(reader) {
        Ok(archive) => archive,
        Err(error) => {
            parts
                .damage(layer.name, unreadable(format!("the zip archive cannot be read: {error}")));
            return ControlFlow::Continue(());
        }
    };
    for index in 0..archive.len() {
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                let message = format!("entry {index} of the zip archive cannot be read: {error}");
                parts.damage(layer.name, unreadable(message));
                continue;
            }
        };
        if entry.is_dir() {
            continue;
        }
        let name = match entry.name() {
            Ok(name) if layer.name.is_empty() => name.into_owned(),
            Ok(name) => format!("{}:{name}", layer.name),
            Err(_) => format!("{}entry {index}", layer.name),
        };
        let Some(rest) = room.checked_sub(entry.compressed_size()) else {
            parts.damage(&name, unreadable("the entries of the zip archive overlap".to_owned()));
            break;
        };
        room = rest;
        let packed = Arc::new(AtomicU64::new(entry.compressed_size()));
        let guard = Guard { read: packed, start: 0, out: 0 };
        let guarded = Guarded { inner: ZipEntry(entry), guard };
        next_layer(Layer { name: &name, depth: layer.depth + 1 }, guarded, read, parts)?;
    }
    ControlFlow::Continue(())
}

fn is_zip(head: &[u8]) -> bool {
    head == b"PK\x03\x04" || head == b"PK\x05\x06"
}

fn unreadable(message: String) -> Damage {
    Damage { offset: 0, kind: DamageKind::UnreadableEntry, message }
}

fn damage_of(error: &io::Error) -> Damage {
    let kind = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ReadFailure>())
        .map_or(DamageKind::Io, |failure| failure.kind);
    Damage { offset: 0, kind, message: error.to_string() }
}

fn read_up_to(reader: &mut impl Read, head: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < head.len() {
        match reader.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The bytes read so far are delivered first; the next read returns the error again.
            Err(_) if length > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// Compares the output size of a layer with the input size of the outermost layer.
struct Guard {
    read: Arc<AtomicU64>,
    start: u64,
    out: u64,
}

struct Guarded<R> {
    inner: R,
    guard: Guard,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let guard = &mut self.guard;
        let went_in = guard.read.load(Ordering::Relaxed).saturating_sub(guard.start).max(1);
        if guard.out > BOMB_FLOOR && guard.out / BOMB_RATIO > went_in {
            let message = format!(
                "more than {BOMB_RATIO} bytes came out of each compressed byte; the rest is not read"
            );
            return Err(ReadFailure::error(DamageKind::DecompressionBomb, message));
        }
        let count = self.inner.read(buffer)?;
        guard.out += count as u64;
        Ok(count)
    }
}

struct ZstdReader<R: BufRead>(zstd::stream::read::Decoder<'static, R>);

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| in_layer("zstd", error))
    }
}

struct ZipEntry<R>(R);

impl<R: Read> Read for ZipEntry<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| in_layer("zip", error))
    }
}

/// Adds the format to a decompression error; an error of the underlying reader stays unchanged.
fn in_layer(format: &str, error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<ReadFailure>()) {
        return error;
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        let message = format!("the {format} data ends early");
        return ReadFailure::error(DamageKind::TruncatedCompression, message);
    }
    let message = format!("the {format} data is damaged: {error}");
    ReadFailure::error(DamageKind::CorruptCompression, message)
}

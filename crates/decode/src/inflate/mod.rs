//! Recognizes compressions and archives by their content and undoes them, with bounded memory.
//!
//! Supports gzip, zlib, zstd, bzip2 and xz, zip and tar, base64, plain text, UTF-16 and UTF-32, nested up to
//! [`MAX_LAYERS`], with Parquet files inside. Text that comes before damage is always delivered, and a damaged entry of an
//! archive costs only itself.

mod base64;
pub(crate) mod escaped;
mod format;
mod held;
mod layers;
mod limits;
pub(crate) mod names;
mod tar;
mod uncovered;
mod unread;
mod zip;

use std::fmt;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use crate::gzip::GzipReader;
use crate::report::{Damage, DamageKind};
use crate::utf16::Utf16Reader;
use crate::utf32::Utf32Reader;
use escaped::Unescaped;
use format::{FileFormat, HEAD, recognize};
use limits::{Counted, Counter, Guarded, Total};
pub(crate) use limits::{DEFLATE_RATIO, LAYER_FLOOR};
pub(crate) use names::shown;
use unread::{Remedy, UnreadFormat};

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

/// The largest Parquet file that is stored when it comes from a stream or an archive.
pub(crate) const MAX_HELD_TABLE: u64 = 1024 * 1024 * 1024;

/// The number of layers of compressions and archives that are undone; a `.tar.gz` has two.
const MAX_LAYERS: usize = 6;
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
    /// Handles a Parquet file; returns the number of bytes that were read of it, too.
    fn table(&mut self, name: &str, file: Box<dyn ReadSeek + Send>) -> (ControlFlow<()>, u64);
    /// Records a part that cannot be read.
    fn damage(&mut self, name: &str, damage: Damage);

    /// Returns storage for a nested archive.
    fn scratch(&self) -> Box<dyn Scratch> {
        in_memory()
    }

    /// Returns the size up to which a Parquet file is stored that comes from a stream or archive.
    fn max_table(&self) -> u64 {
        MAX_HELD_TABLE
    }
}

/// Decompresses `input` and passes each text in it to `parts`; returns the number of bytes read.
pub(crate) fn for_each_part(input: Input, parts: &mut dyn Parts) -> u64 {
    let read = Counter::default();
    let total = Total::new(read.clone());
    let layer = Layer { name: "", depth: 0, source: &read, total: &total };
    // A consumer that wants no more ends all layers; there is nothing left to do here.
    let _ = match input {
        Input::Stream(reader) => {
            undo(layer, Counted { inner: reader, counter: read.clone() }, parts)
        }
        Input::Seekable(mut reader) => {
            let mut head = [0; 4];
            let length = read_head(&mut reader, &mut head);
            let rewound = reader.seek(SeekFrom::Start(0));
            match (length, rewound) {
                (Ok(length), Ok(_)) if recognize(&head[..length]) == FileFormat::Parquet => {
                    let (flow, count) = parts.table("", reader);
                    read.add(count);
                    flow
                }
                (Ok(length), Ok(_)) => {
                    let head = &head[..length];
                    let is_zip = recognize(head) == FileFormat::Zip
                        || (zip::is_program(head) && zip::ends_archive(&mut reader));
                    let counted = Counted { inner: reader, counter: read.clone() };
                    // A zip is read from its end; stored in a file, it need not be copied.
                    if is_zip {
                        zip::unzip(layer, counted, parts)
                    } else {
                        undo(layer, counted, parts)
                    }
                }
                (Err(error), _) | (_, Err(error)) => {
                    parts.damage("", damage_of(&error));
                    ControlFlow::Continue(())
                }
            }
        }
    };
    read.count()
}

/// The data that is looked at: a file, the output of a compression, or an entry of an archive.
#[derive(Clone, Copy)]
struct Layer<'a> {
    /// The names of the entries around it, joined by colons; empty for the file itself.
    name: &'a str,
    /// The number of layers around it.
    depth: usize,
    /// Counts what is read from the file, or from the stored archive, in which it lies.
    source: &'a Counter,
    total: &'a Total,
}

impl Layer<'_> {
    fn inside(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

/// Undoes the outermost layer of `reader`, and those in it.
///
/// The reader is a trait object because the types of the layers would otherwise nest without end.
fn undo(layer: Layer<'_>, mut reader: impl Read, parts: &mut dyn Parts) -> ControlFlow<()> {
    undo_dyn(layer, &mut reader, parts)
}

fn undo_dyn(layer: Layer<'_>, reader: &mut dyn Read, parts: &mut dyn Parts) -> ControlFlow<()> {
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let mut head = [0; HEAD];
    let length = match read_head(&mut reader, &mut head) {
        Ok(length) => length,
        Err(error) => {
            parts.damage(layer.name, damage_of(&error));
            return ControlFlow::Continue(());
        }
    };
    let head = &head[..length];
    let format = recognize(head);
    let escapes = match format {
        FileFormat::Unread(_) | FileFormat::Other => {
            escaped::recognize(&[head, reader.buffer()].concat())
        }
        _ => None,
    };
    let mut whole = Cursor::new(head).chain(reader);
    if let Some(unread) = unread(format, layer.depth) {
        parts.damage(layer.name, unread);
        return ControlFlow::Continue(());
    }
    let (source, inside) = (layer.source.clone(), layer.inside());
    match format {
        FileFormat::Gzip => {
            undo(inside, Guarded::deflated(GzipReader::new(whole), source, layer.total), parts)
        }
        FileFormat::Zlib => {
            undo(inside, Guarded::deflated(GzipReader::zlib(whole), source, layer.total), parts)
        }
        FileFormat::Base64 => undo(inside, base64::Base64Reader::new(whole), parts),
        FileFormat::Zstd => match layers::zstd(whole, layer.depth) {
            Ok(zstd) => undo(inside, Guarded::new(zstd, source, layer.total), parts),
            Err(error) => {
                parts.damage(layer.name, damage_of(&error));
                ControlFlow::Continue(())
            }
        },
        FileFormat::Bzip2 => {
            undo(inside, Guarded::new(layers::bzip2(whole), source, layer.total), parts)
        }
        FileFormat::Xz => {
            undo(inside, Guarded::new(layers::xz(whole, layer.depth), source, layer.total), parts)
        }
        FileFormat::Zip => zip::unzip_held(layer, whole, parts),
        FileFormat::Parquet => held::table(layer, whole, parts),
        FileFormat::Tar => tar::untar(layer, whole, parts),
        FileFormat::Utf16Le => parts.part(layer.name, &mut Utf16Reader::little_endian(whole)),
        FileFormat::Utf16Be => parts.part(layer.name, &mut Utf16Reader::big_endian(whole)),
        FileFormat::Utf32Le => parts.part(layer.name, &mut Utf32Reader::little_endian(whole)),
        FileFormat::Utf32Be => parts.part(layer.name, &mut Utf32Reader::big_endian(whole)),
        FileFormat::Other if zip::is_program(head) => zip::unzip_program(layer, whole, parts),
        FileFormat::Unread(_) | FileFormat::Other => match escapes {
            Some(escapes) => parts.part(layer.name, &mut Unescaped::new(whole, escapes)),
            None => parts.part(layer.name, &mut whole),
        },
    }
}

/// Returns the damage of a file that is not undone: one in a format that is not read, or one inside
/// too many layers.
fn unread(format: FileFormat, depth: usize) -> Option<Damage> {
    match format {
        FileFormat::Unread(format) => Some(unread_format(format)),
        _ if depth >= MAX_LAYERS => {
            let name = format.name()?;
            let advice = Remedy::Unpack.advice();
            Some(not_read(
                &format!("{name} inside {MAX_LAYERS} other layers, which is the limit"),
                advice,
            ))
        }
        _ => None,
    }
}

fn unread_format(format: UnreadFormat) -> Damage {
    not_read(format.name, format.remedy.advice())
}

fn not_read(name: &str, advice: &str) -> Damage {
    let message = format!("nothing was read: this is {name}; {advice}");
    damage(DamageKind::UnknownArchive, message)
}

fn damage(kind: DamageKind, message: impl Into<String>) -> Damage {
    Damage { offset: 0, kind, message: message.into() }
}

fn damage_of(error: &io::Error) -> Damage {
    let kind = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ReadFailure>())
        .map_or(DamageKind::Io, |failure| failure.kind);
    damage(kind, error.to_string())
}

/// Reads the first bytes of a file, or what there is of them.
///
/// Of a text, the bytes of one read are enough: a pipe may not have more for a while.
fn read_head(reader: &mut impl Read, head: &mut [u8]) -> io::Result<usize> {
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
        if matches!(head[..length], [b'{' | b'[', second, ..] if second != 0) {
            break;
        }
    }
    Ok(length)
}

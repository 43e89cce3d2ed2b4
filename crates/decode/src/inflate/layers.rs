//! Decompresses zstd, bzip2, xz and entries of zip archives, with errors that name the format.

use std::io::{self, BufRead, ErrorKind, Read};

use bzip2::bufread::MultiBzDecoder;
use lzma_rust2::XzStream;
use lzma_rust2::{Action, Status};

use super::ReadFailure;
use crate::report::DamageKind;

/// The most memory that the history of the outermost layer may take, as a power of two: what zstd
/// allows by default, and twice what xz needs at its highest level.
const OUTER_HISTORY: u32 = 27;
/// The same for the layers inside, since all of them are in memory at a time; it is enough for all
/// levels of xz, and for those of zstd below 22.
const INNER_HISTORY: u32 = 26;

/// A reader that names its format in errors, and repeats an error when it is read again.
///
/// Decoders may do anything if they are read after an error.
pub(super) struct Named<R> {
    inner: R,
    format: &'static str,
    failure: Option<(DamageKind, String)>,
}

impl<R: Read> Named<R> {
    pub(super) fn new(format: &'static str, inner: R) -> Self {
        Self { inner, format, failure: None }
    }
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, message)) = &self.failure {
            return Err(ReadFailure::error(*kind, message.clone()));
        }
        let error = match self.inner.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let (kind, message) = self.failure.insert(in_layer(self.format, &error));
        Err(ReadFailure::error(*kind, message.clone()))
    }
}

/// Adds the format to a decompression error; an error of the layer below stays as it is.
fn in_layer(format: &str, error: &io::Error) -> (DamageKind, String) {
    let below = error.get_ref().and_then(|inner| inner.downcast_ref::<ReadFailure>());
    if let Some(failure) = below {
        return (failure.kind, failure.to_string());
    }
    let text = error.to_string();
    if error.kind() == ErrorKind::OutOfMemory || text.contains("too much memory") {
        let message = format!(
            "the {format} data needs more memory to decompress than is allowed; unpack it first"
        );
        return (DamageKind::UnreadableEntry, message);
    }
    if error.kind() == ErrorKind::Unsupported || text.contains("not supported") {
        return (DamageKind::UnreadableEntry, format!("the {format} data cannot be read: {text}"));
    }
    if error.kind() == ErrorKind::UnexpectedEof {
        return (DamageKind::TruncatedCompression, format!("the {format} data ends early"));
    }
    (DamageKind::CorruptCompression, format!("the {format} data is damaged: {text}"))
}

/// Returns the power of two that limits the history of a layer.
fn history(depth: usize) -> u32 {
    if depth == 0 { OUTER_HISTORY } else { INNER_HISTORY }
}

/// Decompresses zstd frames; `depth` is the number of layers around them.
pub(super) fn zstd(source: impl BufRead, depth: usize) -> io::Result<impl Read> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(history(depth))?;
    Ok(Named::new("zstd", decoder))
}

/// Decompresses consecutive bzip2 streams.
pub(super) fn bzip2(source: impl BufRead) -> impl Read {
    Named::new("bzip2", MultiBzDecoder::new(source))
}

/// Decompresses consecutive xz streams; `depth` is the number of layers around them.
pub(super) fn xz(source: impl BufRead, depth: usize) -> impl Read {
    // Beyond its history, the decoder needs less than a mebibyte.
    let limit_kib = (1 << (history(depth) - 10)) + 1024;
    let stream = XzStream::new_mem_limit(true, limit_kib);
    Named::new("xz", XzReader { source, stream, ended: false })
}

/// Drives the decoder as far as the bytes that are there reach, so that a file that ends early gives
/// all that comes before.
struct XzReader<R> {
    source: R,
    stream: XzStream,
    ended: bool,
}

impl<R: BufRead> Read for XzReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buffer.is_empty() {
            let input = self.source.fill_buf()?;
            let action = if input.is_empty() { Action::Finish } else { Action::Run };
            let done = self.stream.process(input, buffer, action)?;
            self.source.consume(done.bytes_consumed);
            self.ended = done.status == Status::StreamEnd;
            if done.bytes_produced > 0 {
                return Ok(done.bytes_produced);
            }
            if action == Action::Finish && !self.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

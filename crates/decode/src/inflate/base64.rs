//! Reads a file that is base64 as a whole: JSON, or compressed data.

use std::io::{self, BufRead, Read};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::ReadFailure;
use super::format::{FileFormat, recognize};
use crate::report::DamageKind;

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// The number of characters that are decoded to recognize a file.
const LOOKED_AT: usize = 48;
/// The shortest text in base64 that is recognized, in characters.
const SHORTEST: usize = 16;

/// Returns true if a file that begins with `head` is base64 of JSON, of another text, or of compressed
/// data.
pub(super) fn begins(head: &[u8]) -> bool {
    let mut characters = Vec::with_capacity(LOOKED_AT);
    for byte in head {
        match character(*byte) {
            Some(byte) => characters.push(byte),
            None if is_ignored(*byte) => {}
            None if *byte == b'=' => break,
            None => return false,
        }
        if characters.len() == LOOKED_AT {
            break;
        }
    }
    let whole = characters.len() / 4 * 4;
    let Ok(decoded) = ENGINE.decode(&characters[..whole]) else { return false };
    // Words that happen to be in the alphabet do not decode to text.
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let is_packed = || {
        matches!(
            recognize(&decoded),
            FileFormat::Gzip
                | FileFormat::Zlib
                | FileFormat::Zstd
                | FileFormat::Bzip2
                | FileFormat::Xz
                | FileFormat::Zip
                | FileFormat::Utf16Le
                | FileFormat::Utf16Be
        )
    };
    (whole == LOOKED_AT && decoded.iter().all(is_text))
        || (whole >= SHORTEST && (begins_json(&decoded) || is_packed()))
}

/// Returns true for the start of an object or an array that is not empty.
fn begins_json(text: &[u8]) -> bool {
    let mut marks = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (marks.next(), marks.next()) {
        (Some(b'{'), second) => matches!(second, Some(b'"') | None),
        (Some(b'['), second) => matches!(second, Some(b'{' | b'[' | b'"') | None),
        _ => false,
    }
}

/// Returns the character of the standard alphabet for a byte of either alphabet.
fn character(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(byte),
        _ => byte.is_ascii_alphanumeric().then_some(byte),
    }
}

fn is_ignored(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

/// Decodes base64 of either alphabet, with line ends anywhere. After padding, another text may
/// follow.
pub(super) struct Base64Reader<R> {
    source: R,
    /// The characters of a group whose others have not been read yet.
    pending: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    failure: Option<(DamageKind, String)>,
    ended: bool,
}

impl<R: BufRead> Base64Reader<R> {
    pub(super) fn new(source: R) -> Self {
        let (pending, ready) = (Vec::new(), Vec::new());
        Self { source, pending, ready, taken: 0, failure: None, ended: false }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.taken = 0;
        let bytes = self.source.fill_buf()?;
        self.ended = bytes.is_empty();
        let mut used = 0;
        let mut ends_group = self.ended;
        for byte in bytes {
            used += 1;
            match character(*byte) {
                Some(byte) => self.pending.push(byte),
                None if *byte == b'=' => {
                    ends_group = true;
                    break;
                }
                None if is_ignored(*byte) => {}
                None => {
                    let message = "the base64 is damaged: there is a character that it cannot have";
                    self.failure = Some((DamageKind::CorruptCompression, message.to_owned()));
                    ends_group = true;
                    break;
                }
            }
        }
        self.source.consume(used);
        let length = if ends_group { self.pending.len() } else { self.pending.len() / 4 * 4 };
        // One character is less than a byte.
        let whole = if length % 4 == 1 { length - 1 } else { length };
        if whole < length && self.failure.is_none() {
            let message = "the base64 ends early".to_owned();
            self.failure = Some((DamageKind::TruncatedCompression, message));
        }
        if ENGINE.decode_vec(&self.pending[..whole], &mut self.ready).is_err() {
            let message = "the base64 is damaged".to_owned();
            self.failure = Some((DamageKind::CorruptCompression, message));
        }
        self.pending.drain(..length);
        Ok(())
    }
}

impl<R: BufRead> Read for Base64Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !buffer.is_empty() {
            if let Some((kind, message)) = &self.failure {
                return Err(ReadFailure::error(*kind, message.clone()));
            }
            if self.ended {
                return Ok(0);
            }
            self.decode_more()?;
        }
        let count = buffer.len().min(self.ready.len() - self.taken);
        buffer[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_recognized() {
        for (text, is_base64) in [
            (&br#"{"eventName":"A"}"#[..], true),
            (b"[\n  {\"eventName\":\"A\"}]", true),
            (b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0", true),
            (b"{\0\"\0e\0v\0e\0n\0t\0", true),
            (b"no JSON at all", false),
            (b"2026-03-17T10:00:00Z app: {\"eventName\":1}", true),
            (b"{}", false),
            (b"{no JSON at all}", false),
        ] {
            assert_eq!(begins(ENGINE.encode(text).as_bytes()), is_base64, "{text:?}");
        }
        for text in ["", "eyJ!", "eyJhbGciOiJub25lIn0.eyJhbGciOiJub25lIn0", "just two words"] {
            assert!(!begins(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn lines_padding_and_damage() {
        let read = |text: &str| {
            let mut got = Vec::new();
            let failure = Base64Reader::new(text.as_bytes()).read_to_end(&mut got).err();
            let failure = failure.map(|error| error.to_string()).unwrap_or_default();
            format!("{}{failure}", String::from_utf8_lossy(&got))
        };
        for (text, result) in [
            ("eyJh\nIjo\r\nxfQ==\n", "{\"a\":1}"),
            ("eyJhIjoxfQ", "{\"a\":1}"),
            ("eyJhIjoxfQ==\neyJhIjoyfQ==", "{\"a\":1}{\"a\":2}"),
            ("e30_fn4-", "{}?~~>"),
            (
                "eyJhIjox!fQ",
                "{\"a\":1the base64 is damaged: there is a character that it cannot have",
            ),
            ("eyJhIjoxf", "{\"a\":1the base64 ends early"),
        ] {
            assert_eq!(read(text), result, "{text}");
        }
    }
}

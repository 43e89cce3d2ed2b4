//! Reads JSON that is encoded in base64, plain or compressed, as records of Kinesis hold it.

use std::io::Read;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::gzip::GzipReader;

/// The first characters of an object that begins with a key, and of gzip.
const PLAIN: &str = "eyJ";
const GZIP: &str = "H4sI";

static QUOTED_PLAIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"eyJ"));
static QUOTED_GZIP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"H4sI"));

/// Returns true if a string in the text may be JSON in base64.
pub(super) fn may_be_in(text: &[u8]) -> bool {
    QUOTED_PLAIN.find(text).is_some() || QUOTED_GZIP.find(text).is_some()
}

/// The outcome of decoding a string.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Text(Vec<u8>),
    /// The text is longer than the room for it.
    TooLarge,
}

/// Returns the text that a string holds in base64, or `None` if it holds none; `room` is the longest
/// text that is returned.
pub(super) fn decode(string: &str, room: usize) -> Option<Decoded> {
    if string.starts_with(PLAIN) {
        let text = bytes(string)?;
        return Some(if text.len() > room { Decoded::TooLarge } else { Decoded::Text(text) });
    }
    if !string.starts_with(GZIP) {
        return None;
    }
    let packed = bytes(string)?;
    let mut text = Vec::new();
    let reader = GzipReader::new(&packed[..]);
    reader.take(room as u64 + 1).read_to_end(&mut text).ok()?;
    Some(if text.len() > room { Decoded::TooLarge } else { Decoded::Text(text) })
}

/// Returns the bytes that a text in base64 stands for.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for character in group {
            bits = bits << 6 | u32::from(sextet(*character)?);
        }
        // The last group may be shorter; its missing characters stand for zeros.
        bits <<= 6 * (4 - group.len());
        let length = group.len() * 6 / 8;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=length]);
    }
    Some(bytes)
}

fn sextet(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn encode(bytes: &[u8]) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let mut padded = [0; 4];
            padded[1..=group.len()].copy_from_slice(group);
            let bits = u32::from_be_bytes(padded);
            for index in 0..4u32 {
                let is_there = index as usize <= group.len();
                let sextet = (bits >> (18 - 6 * index) & 63) as usize;
                text.push(if is_there { char::from(ALPHABET[sextet]) } else { '=' });
            }
        }
        text
    }

    #[test]
    fn plain_and_compressed_text() {
        for text in [r#"{"a":1}"#, r#"{"a":12}"#, r#"{"a":123}"#, "{\"a\":\"\u{ffff}~?>é\"}"] {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            let packed = encoder.finish().unwrap();
            for bytes in [text.as_bytes(), &packed] {
                let encoded = encode(bytes);
                assert!(may_be_in(format!("\"{encoded}\"").as_bytes()), "{encoded}");
                let found = decode(&encoded, 100);
                assert_eq!(found, Some(Decoded::Text(text.into())), "{encoded}");
                assert_eq!(decode(&encoded, 5), Some(Decoded::TooLarge));
            }
        }
    }

    #[test]
    fn anything_else_is_no_base64() {
        for text in ["", "eyJ ", "eyJhbGci.eyJ", "H4sI", "H4sIAAAA", "x"] {
            assert_eq!(decode(text, 100), None, "{text}");
        }
    }
}

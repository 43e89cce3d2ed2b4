//! Reads JSON that is encoded in base64, plain or compressed, as records of Kinesis hold it.

use std::io::Read;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
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
    /// What came out of compressed data before it is damaged or ends.
    Damaged(Vec<u8>),
    /// The text is longer than the room for it.
    TooLarge,
}

/// Either alphabet, with or without padding: each program writes its own.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const ENGINES: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, CONFIG), GeneralPurpose::new(&URL_SAFE, CONFIG)];

/// Returns the text that a string holds in base64, or `None` if it holds none; `room` is the longest
/// text that is returned. Line ends within the string do not count.
pub(super) fn decode(string: &str, room: usize) -> Option<Decoded> {
    if ![PLAIN, GZIP].iter().any(|start| string.starts_with(start)) {
        return None;
    }
    let characters: Vec<u8> = string.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = ENGINES.iter().find_map(|engine| engine.decode(&characters).ok())?;
    if string.starts_with(PLAIN) {
        return Some(if bytes.len() > room { Decoded::TooLarge } else { Decoded::Text(bytes) });
    }
    let mut text = Vec::new();
    let read = GzipReader::new(&bytes[..]).take(room as u64 + 1).read_to_end(&mut text);
    Some(match read {
        _ if text.len() > room => Decoded::TooLarge,
        Ok(_) => Decoded::Text(text),
        Err(_) if text.is_empty() => return None,
        Err(_) => Decoded::Damaged(text),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn plain_and_compressed_text() {
        for text in [r#"{"a":1}"#, r#"{"a":12}"#, r#"{"a":123}"#, "{\"a\":\"\u{ffff}~?>é\"}"] {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            let packed = encoder.finish().unwrap();
            for bytes in [text.as_bytes(), &packed] {
                for engine in &ENGINES {
                    let mut encoded = engine.encode(bytes);
                    assert!(may_be_in(format!("\"{encoded}\"").as_bytes()), "{encoded}");
                    encoded.insert(6, '\n');
                    let found = decode(&encoded, 100);
                    assert_eq!(found, Some(Decoded::Text(text.into())), "{encoded}");
                    assert_eq!(decode(&encoded, 5), Some(Decoded::TooLarge));
                }
            }
            let cut = ENGINES[0].encode(&packed[..packed.len() - 4]);
            assert_eq!(decode(&cut, 100), Some(Decoded::Damaged(text.into())), "{cut}");
        }
    }

    #[test]
    fn anything_else_is_no_base64() {
        for text in ["", "eyJ!", "eyJhbGci.eyJ", "H4sI", "H4sIAAAA", "x"] {
            assert_eq!(decode(text, 100), None, "{text}");
        }
    }
}

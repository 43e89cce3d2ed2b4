//! Reads JSON that is encoded in base64, plain or compressed, as records of Kinesis hold it.

use std::io::Read;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem::Finder;

use crate::gzip::GzipReader;
use crate::inflate::{DEFLATE_RATIO, LAYER_FLOOR};

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
    /// More comes out of compressed data than ever does of logs.
    Bomb,
}

/// What has been decompressed of all strings of a text.
///
/// Without it, each string could expand to the limit of a record.
#[derive(Debug, Default)]
pub(super) struct Budget {
    went_in: u64,
    came_out: u64,
}

impl Budget {
    /// Returns how much may come out of so many further bytes.
    fn room(&mut self, bytes: usize) -> usize {
        self.went_in += bytes as u64;
        let most = LAYER_FLOOR.max(self.went_in.saturating_mul(DEFLATE_RATIO));
        usize::try_from(most.saturating_sub(self.came_out)).unwrap_or(usize::MAX)
    }
}

/// Either alphabet, with or without padding: each program writes its own.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const ENGINES: [GeneralPurpose; 2] =
    [GeneralPurpose::new(&STANDARD, CONFIG), GeneralPurpose::new(&URL_SAFE, CONFIG)];

/// Returns the text that a string holds in base64, or `None` if it holds none; `room` is the longest
/// text that is returned. Line ends within the string do not count.
pub(super) fn decode(string: &str, room: usize, budget: &mut Budget) -> Option<Decoded> {
    if ![PLAIN, GZIP].iter().any(|start| string.starts_with(start)) {
        return None;
    }
    let characters: Vec<u8> = string.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    // A text that is cut off may end with a character that is less than a byte.
    let is_cut = characters.len() % 4 == 1;
    let whole = &characters[..characters.len() - usize::from(is_cut)];
    let bytes = ENGINES.iter().find_map(|engine| engine.decode(whole).ok())?;
    if string.starts_with(PLAIN) {
        return Some(match bytes {
            bytes if bytes.len() > room => Decoded::TooLarge,
            bytes if is_cut => Decoded::Damaged(bytes),
            bytes => Decoded::Text(bytes),
        });
    }
    let most = budget.room(bytes.len());
    let mut text = Vec::new();
    let limit = room.min(most);
    let mut reader = GzipReader::new(&bytes[..]).take((limit as u64).saturating_add(1));
    let read = reader.read_to_end(&mut text);
    budget.came_out += text.len() as u64;
    Some(match read {
        _ if text.len() > most => Decoded::Bomb,
        _ if text.len() > room => Decoded::TooLarge,
        Ok(_) if is_cut => Decoded::Damaged(text),
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
                    let found = decode(&encoded, 100, &mut Budget::default());
                    assert_eq!(found, Some(Decoded::Text(text.into())), "{encoded}");
                    assert_eq!(
                        decode(&encoded, 5, &mut Budget::default()),
                        Some(Decoded::TooLarge)
                    );
                }
            }
            let cut = ENGINES[0].encode(&packed[..packed.len() - 4]);
            assert_eq!(
                decode(&cut, 100, &mut Budget::default()),
                Some(Decoded::Damaged(text.into())),
                "{cut}"
            );
        }
    }

    #[test]
    fn bombs_are_limited_for_all_strings_together() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 30 << 20]).unwrap();
        let bomb = ENGINES[0].encode(encoder.finish().unwrap());
        let mut budget = Budget::default();
        let mut outcomes = (0..4).map(|_| decode(&bomb, 64 << 20, &mut budget));
        assert!(matches!(outcomes.next(), Some(Some(Decoded::Text(_)))));
        assert!(matches!(outcomes.next(), Some(Some(Decoded::Text(_)))));
        assert_eq!(outcomes.next(), Some(Some(Decoded::Bomb)));
        assert_eq!(outcomes.next(), Some(Some(Decoded::Bomb)));
        assert!(budget.came_out < 66 << 20, "{}", budget.came_out);
    }

    #[test]
    fn what_is_cut_off_is_damaged() {
        let whole = ENGINES[0].encode(r#"{"eventName":"A"}"#);
        let found = decode(&whole[..17], 100, &mut Budget::default());
        assert_eq!(found, Some(Decoded::Damaged(r#"{"eventName""#.into())));
    }

    #[test]
    fn anything_else_is_no_base64() {
        for text in ["", "eyJ!", "eyJhbGci.eyJ", "H4sI", "H4sIAAAA", "x"] {
            assert_eq!(decode(text, 100, &mut Budget::default()), None, "{text}");
        }
    }
}

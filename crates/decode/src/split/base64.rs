//! Reads JSON that is encoded in base64 or hexadecimal, plain or compressed, as records of Kinesis and
//! columns of databases hold it.

use std::io::Read;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::gzip::GzipReader;
use crate::inflate::{DEFLATE_RATIO, LAYER_FLOOR};

/// The first characters in base64 of JSON, of gzip, and of zlib at each of its levels.
const STARTS: [&[u8]; 10] =
    [b"eyJ", b"eyA", b"ewo", b"ew0", b"W3s", b"H4s", b"eJ", b"eN", b"eA", b"eF"];
/// The first digits in hexadecimal of the same.
const DIGITS: [&[u8]; 9] =
    [b"7b22", b"7b20", b"7b0a", b"5b7b", b"1f8b08", b"7801", b"785e", b"789c", b"78da"];
/// The first characters in base64 of what is not read: zstd, bzip2, xz, zip, UTF-16, and JSON or gzip
/// in base64 once more.
const UNREAD: [&[u8]; 11] = [
    b"KLUv", b"QlpoO", b"/Td6WFo", b"UEsDB", b"ewAiA", b"WwB7A", b"//57A", b"/v8Ae", b"ZXlK",
    b"VzNz", b"SDRz",
];
/// Begins a URL that holds the data itself.
const DATA_URL: &[u8] = b"data:";
/// The least length of a string that is looked at, in characters.
const SHORTEST: usize = 16;
/// The same for what has no mark at its beginning: deflated data, and formats that are not read.
const SHORTEST_UNMARKED: usize = 128;

/// Returns true if a string in the text may be JSON in base64 or hexadecimal.
pub(super) fn may_be_in(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text).any(|quote| may_begin(&text[quote + 1..]))
}

/// Returns true if a string in JSON may be encoded, as far as its first characters tell.
fn may_begin(string: &[u8]) -> bool {
    let digits = without_prefix(string);
    // Line ends and slashes may be escaped.
    let is_part = |byte: &u8| is_character(*byte) || *byte == b'\\';
    let run = |least: usize| string.len() >= least && string[..least].iter().all(is_part);
    begins_with(&STARTS, string)
        || string.starts_with(DATA_URL)
        || DIGITS.iter().any(|start| {
            digits.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
        })
        || run(SHORTEST_UNMARKED)
}

fn begins_with(starts: &[&[u8]], text: &[u8]) -> bool {
    starts.iter().any(|start| text.starts_with(start))
}

/// Returns digits without what databases put before them; in JSON, the backslash is doubled.
fn without_prefix(text: &[u8]) -> &[u8] {
    let prefixes = [&b"0x"[..], b"0X", b"\\\\x", b"\\x"];
    prefixes.iter().find_map(|prefix| text.strip_prefix(*prefix)).unwrap_or(text)
}

fn is_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
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
    /// The text is compressed in a format that is not read in a string.
    Unread,
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

/// Returns the text that a string holds in base64 or hexadecimal, or `None` if it holds none; `room`
/// is the longest text that is returned. Line ends within the string do not count.
pub(super) fn decode(string: &str, room: usize, budget: &mut Budget) -> Option<Decoded> {
    let data = if string.as_bytes().starts_with(DATA_URL) {
        string.split_once(";base64,").map(|(_, data)| data)
    } else {
        None
    };
    let string = data.unwrap_or(string);
    // Most strings are texts, which this tells without a copy.
    let is_part = |byte: u8| is_character(byte) || matches!(byte, b'\\' | b'=' | b'\n' | b'\r');
    if !string.bytes().take(SHORTEST).all(is_part) {
        return None;
    }
    let characters: Vec<u8> = string.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let (bytes, is_cut) = from_digits(&characters).or_else(|| from_base64(&characters))?;
    if matches!(*bytes, [b'{' | b'[', ..]) {
        return Some(match bytes {
            bytes if bytes.len() > room => Decoded::TooLarge,
            bytes if is_cut => Decoded::Damaged(bytes),
            bytes => Decoded::Text(bytes),
        });
    }
    if begins_with(&UNREAD, &characters) && characters.len() >= SHORTEST_UNMARKED {
        return Some(Decoded::Unread);
    }
    let mut reader = reader_of(&bytes)?;
    // What is no log is given up before it costs anything.
    let mut text = Vec::new();
    let began = reader.by_ref().take(LOOKED_AT).read_to_end(&mut text);
    if !matches!(text.trim_ascii_start(), [b'{' | b'[' | b'"', ..]) {
        return None;
    }
    let most = budget.room(bytes.len());
    let limit = (room.min(most) as u64).saturating_add(1);
    let rest = limit.saturating_sub(text.len() as u64);
    let read = began.and_then(|_| reader.take(rest).read_to_end(&mut text));
    budget.came_out += text.len() as u64;
    Some(match read {
        _ if text.len() > most => Decoded::Bomb,
        _ if text.len() > room => Decoded::TooLarge,
        Ok(_) if is_cut => Decoded::Damaged(text),
        Ok(_) => Decoded::Text(text),
        Err(_) => Decoded::Damaged(text),
    })
}

/// The number of decompressed bytes that are looked at first.
const LOOKED_AT: u64 = 64;

/// Returns the reader of compressed bytes. Deflated data has no mark, and is tried.
fn reader_of(bytes: &[u8]) -> Option<Box<dyn Read + '_>> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(Box::new(GzipReader::new(bytes))),
        [method, flags, ..]
            if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31) =>
        {
            Some(Box::new(GzipReader::zlib(bytes)))
        }
        _ if bytes.len() >= SHORTEST_UNMARKED / 4 * 3 => {
            Some(Box::new(flate2::bufread::DeflateDecoder::new(bytes)))
        }
        _ => None,
    }
}

/// Returns the bytes of a string in base64, and true if its last character is less than a byte.
fn from_base64(characters: &[u8]) -> Option<(Vec<u8>, bool)> {
    let is_marked = begins_with(&STARTS, characters) && characters.len() >= 4;
    if !is_marked && characters.len() < SHORTEST_UNMARKED {
        return None;
    }
    // A text that is cut off may end with a character that is less than a byte.
    let is_cut = characters.len() % 4 == 1;
    let whole = &characters[..characters.len() - usize::from(is_cut)];
    let bytes = ENGINES.iter().find_map(|engine| engine.decode(whole).ok())?;
    Some((bytes, is_cut))
}

/// Returns the bytes of a string of hexadecimal digits, and true if the last one is half a byte.
fn from_digits(characters: &[u8]) -> Option<(Vec<u8>, bool)> {
    let digits = without_prefix(characters);
    let begins = |start: &[u8]| {
        digits.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    if digits.len() < SHORTEST || !DIGITS.iter().any(|start| begins(start)) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some((value(*high)? << 4 | value(*low)?) as u8);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    Some((bytes?, !rest.is_empty()))
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
            for bytes in [text.as_bytes(), &packed] {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                for prefix in ["", "0x", "\\x"] {
                    let string = format!("{prefix}{digits}");
                    let quoted = serde_json::Value::from(&*string).to_string();
                    assert!(may_be_in(quoted.as_bytes()) || digits.len() < SHORTEST, "{string}");
                    let found = decode(&string, 100, &mut Budget::default());
                    let expected = (digits.len() >= SHORTEST).then(|| Decoded::Text(text.into()));
                    assert_eq!(found, expected, "{string}");
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
    fn other_compressions() {
        let values: Vec<String> = (0..60).map(|n: u32| (n * n * 7919).to_string()).collect();
        let text = format!(r#"{{"eventName":"A","values":{values:?}}}"#);
        let best = flate2::Compression::best();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), best);
        zlib.write_all(text.as_bytes()).unwrap();
        let mut fast = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        fast.write_all(text.as_bytes()).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), best);
        raw.write_all(text.as_bytes()).unwrap();
        for bytes in [zlib.finish().unwrap(), fast.finish().unwrap(), raw.finish().unwrap()] {
            let encoded = ENGINES[0].encode(&bytes);
            assert!(may_be_in(format!("\"{encoded}\"").as_bytes()), "{encoded}");
            let found = decode(&encoded, 10_000, &mut Budget::default());
            assert_eq!(found, Some(Decoded::Text(text.clone().into())));
            let cut = decode(&encoded[..200], 10_000, &mut Budget::default());
            assert!(matches!(cut, Some(Decoded::Damaged(_))), "{cut:?}");
        }
        let zstd = ENGINES[0].encode(zstd::encode_all(text.as_bytes(), 1).unwrap());
        assert!(may_be_in(format!("\"{zstd}\"").as_bytes()));
        assert_eq!(decode(&zstd, 10_000, &mut Budget::default()), Some(Decoded::Unread));
        let base64 = ENGINES[0].encode(&text);
        let twice = ENGINES[0].encode(&base64);
        assert!(may_be_in(format!("\"{twice}\"").as_bytes()));
        assert_eq!(decode(&twice, 10_000, &mut Budget::default()), Some(Decoded::Unread));
        let url = format!("data:application/json;base64,{base64}");
        assert!(may_be_in(format!("\"{url}\"").as_bytes()));
        let found = decode(&url, 10_000, &mut Budget::default());
        assert_eq!(found, Some(Decoded::Text(text.clone().into())));
        // Keys, signatures and hashes.
        let noise: Vec<u8> = (0..300_u32).map(|n| (n * n * 31 % 251) as u8).collect();
        for string in
            [ENGINES[0].encode(&noise), "a1".repeat(64), "7b22".repeat(3), "x".repeat(200)]
        {
            assert_eq!(decode(&string, 10_000, &mut Budget::default()), None, "{string}");
        }
    }

    #[test]
    fn bombs_are_limited_for_all_strings_together() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(b"{").unwrap();
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

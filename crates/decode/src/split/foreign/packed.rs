//! Finds bytes that are written as text in another text, as mails and dumps have them, and undoes the
//! beginning of them.

use std::io::Read;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::gzip::GzipReader;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// The shortest run of characters, or numbers, that is taken for bytes.
const SHORTEST: usize = 64;
/// The most bytes that are undone of a run: enough for an event.
const MOST: usize = 16 * 1024;
/// The number of runs that are undone of a piece of text.
const RUNS: usize = 16;

/// Passes the beginning of each run of bytes in `text` to `check`, until it returns true.
pub(super) fn any_in(text: &[u8], mut check: impl FnMut(&[u8]) -> bool) -> bool {
    let mut check = |bytes: Vec<u8>| check(&unpacked(bytes));
    runs(text, is_character).filter_map(from_characters).take(RUNS).any(&mut check)
        || runs(text, is_of_numbers).filter_map(from_numbers).take(RUNS).any(&mut check)
}

/// Returns the runs of bytes for which `is_part` holds that are long enough. Line ends and spaces are
/// part of a run.
fn runs(text: &[u8], is_part: fn(u8) -> bool) -> impl Iterator<Item = &[u8]> {
    let is_end = move |byte: &u8| !is_part(*byte) && !matches!(byte, b'\n' | b'\r');
    text.split(is_end).filter(|run| run.len() >= SHORTEST)
}

fn is_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn is_of_numbers(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b',' | b' ')
}

/// Returns the bytes of a run of base64, base32 or hexadecimal digits.
fn from_characters(run: &[u8]) -> Option<Vec<u8>> {
    // All lines of a run are equally long, but for the last one; shorter ones before it are words.
    let lines = || run.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let longest = lines().map(<[u8]>::len).max()?;
    let mut characters: Vec<u8> = Vec::new();
    for line in lines().skip_while(|line| line.len() < longest) {
        characters.extend_from_slice(line);
        if line.len() < longest || characters.len() > MOST {
            break;
        }
    }
    characters.truncate(MOST);
    if characters.len() < SHORTEST {
        return None;
    }
    let head = &characters[..SHORTEST];
    if head.iter().all(u8::is_ascii_hexdigit) {
        return Some(bytes_of(&characters, 4, |byte| char::from(byte).to_digit(16)));
    }
    let of_base32 = |byte: u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'2'..=b'7' => Some(u32::from(byte - b'2') + 26),
        _ => None,
    };
    if head.iter().all(|byte| of_base32(*byte).is_some()) {
        return Some(bytes_of(&characters, 5, of_base32));
    }
    for byte in &mut characters {
        *byte = match *byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        };
    }
    characters.truncate(characters.len() / 4 * 4);
    BASE64.decode(&characters).ok()
}

/// Returns the bytes that digits of so many bits make.
fn bytes_of(digits: &[u8], bits: u32, value: impl Fn(u8) -> Option<u32>) -> Vec<u8> {
    let (mut held, mut count) = (0_u32, 0);
    let mut bytes = Vec::with_capacity(digits.len());
    for digit in digits.iter().filter_map(|digit| value(*digit)) {
        held = (held << bits | digit) & 0xffff;
        count += bits;
        if count >= 8 {
            count -= 8;
            bytes.extend(u8::try_from(held >> count & 0xff));
        }
    }
    bytes
}

/// Returns the bytes of a list of numbers, or `None` if one is no byte.
fn from_numbers(run: &[u8]) -> Option<Vec<u8>> {
    let is_end = |byte: &u8| matches!(byte, b',' | b' ' | b'\n' | b'\r');
    let numbers = run.split(is_end).filter(|number| !number.is_empty()).take(MOST);
    let byte = |number: &[u8]| std::str::from_utf8(number).ok()?.parse().ok();
    let bytes: Option<Vec<u8>> = numbers.map(byte).collect();
    bytes.filter(|bytes| bytes.len() >= SHORTEST)
}

/// Returns the beginning of what compressed bytes hold, or the bytes.
fn unpacked(bytes: Vec<u8>) -> Vec<u8> {
    let mut text = Vec::new();
    let most = MOST as u64;
    // The bytes end early, since only their beginning is here.
    let _ = match bytes.get(..2) {
        Some([0x1f, 0x8b]) => GzipReader::new(&*bytes).take(most).read_to_end(&mut text),
        Some([0x78, _]) => GzipReader::zlib(&*bytes).take(most).read_to_end(&mut text),
        _ => return bytes,
    };
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_are_found_in_any_form() {
        let text: String =
            (0..40).map(|n| format!("{{\"member{n}\":\"value {}\"}}", n * n)).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let wrapped = |text: &str, width: usize| {
            let lines = text.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line));
            lines.collect::<Vec<_>>().join("\r\n")
        };
        let base64 = BASE64.encode(&text);
        let numbers: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
        for form in [
            base64.clone(),
            wrapped(&base64, 76),
            wrapped(&base64, 60),
            wrapped(&BASE64.encode(&packed), 76),
            base64.replace('+', "-").replace('/', "_"),
            text.bytes().map(|byte| format!("{byte:02X}")).collect(),
            data_in_base32(text.as_bytes()),
            numbers.join(", "),
            numbers.join(","),
        ] {
            let text = format!("Subject: logs\nEncoding: any\n\n{form}\n--end\n");
            let mut starts = Vec::new();
            let found = any_in(text.as_bytes(), |bytes| {
                starts.push(String::from_utf8_lossy(bytes).into_owned());
                bytes.starts_with(b"{\"member0\":\"value 0\"}{\"member1\"")
            });
            assert!(found, "{form}: {starts:?}");
        }
    }

    fn data_in_base32(bytes: &[u8]) -> String {
        let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
        let digit = |bits: &[u8]| {
            let bits = format!("{:0<5}", String::from_utf8_lossy(bits));
            let value = u8::from_str_radix(&bits, 2).unwrap();
            char::from(if value < 26 { b'A' + value } else { b'2' + value - 26 })
        };
        bits.as_bytes().chunks(5).map(digit).collect()
    }

    #[test]
    fn other_texts_have_no_bytes() {
        for text in ["", "a short text", "1, 2, 3, 4000", "a.b.c"] {
            assert!(!any_in(text.as_bytes(), |_| true), "{text}");
        }
    }
}

//! Converts UTF-32 text to UTF-8.

use std::io::{self, ErrorKind, Read};

/// Converts UTF-32 to UTF-8 while reading; a mark at the start becomes U+FEFF, and what is no
/// character U+FFFD.
pub(crate) struct Utf32Reader<R> {
    source: R,
    unit: fn([u8; 4]) -> u32,
    /// The bytes of a character whose others have not been read yet.
    pending: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Utf32Reader<R> {
    pub(crate) fn little_endian(source: R) -> Self {
        Self::new(source, u32::from_le_bytes)
    }

    pub(crate) fn big_endian(source: R) -> Self {
        Self::new(source, u32::from_be_bytes)
    }

    fn new(source: R, unit: fn([u8; 4]) -> u32) -> Self {
        Self { source, unit, pending: Vec::new(), ready: Vec::new(), taken: 0, ended: false }
    }

    fn convert_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 * 1024];
        let count = match self.source.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        self.ended = count == 0;
        self.pending.extend_from_slice(&chunk[..count]);
        self.ready.clear();
        self.taken = 0;
        let (units, rest) = self.pending.as_chunks::<4>();
        let mut encoded = [0; 4];
        for unit in units {
            let character = char::from_u32((self.unit)(*unit));
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.ready.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
        }
        if self.ended && !rest.is_empty() {
            self.ready.extend_from_slice("\u{fffd}".as_bytes());
        }
        let used = if self.ended { self.pending.len() } else { self.pending.len() - rest.len() };
        self.pending.drain(..used);
        Ok(())
    }
}

impl<R: Read> Read for Utf32Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.ended {
            self.convert_more()?;
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
    fn both_byte_orders() {
        let text = "\u{feff}{\"a\":\"é😀\"}";
        let bytes = |order: fn(u32) -> [u8; 4]| -> Vec<u8> {
            text.chars().flat_map(|c| order(u32::from(c))).collect()
        };
        let (little, big) = (bytes(u32::to_le_bytes), bytes(u32::to_be_bytes));
        for cut in [0, 1, 3] {
            let end = if cut > 0 { "\u{fffd}" } else { "" };
            let little = [&little[..], &big[..cut]].concat();
            let big = [&big[..], &big[..cut]].concat();
            let mut got = String::new();
            Utf32Reader::little_endian(&little[..]).read_to_string(&mut got).unwrap();
            assert_eq!(got, format!("{text}{end}"));
            got.clear();
            Utf32Reader::big_endian(&big[..]).read_to_string(&mut got).unwrap();
            assert_eq!(got, format!("{text}{end}"));
        }
        let mut got = String::new();
        Utf32Reader::little_endian(&[0, 0, 0, 0x80][..]).read_to_string(&mut got).unwrap();
        assert_eq!(got, "\u{fffd}");
    }
}

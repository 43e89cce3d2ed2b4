//! Converts UTF-16 text with a byte order mark to UTF-8.

use std::io::{self, ErrorKind, Read};

/// Converts UTF-16 to UTF-8 while reading; the mark becomes U+FEFF, a lone surrogate U+FFFD.
pub(crate) struct Utf16Reader<R> {
    source: R,
    unit: fn([u8; 2]) -> u16,
    /// A byte or a surrogate whose other half has not been read yet.
    pending: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
}

impl<R: Read> Utf16Reader<R> {
    pub(crate) fn little_endian(source: R) -> Self {
        Self::new(source, u16::from_le_bytes)
    }

    pub(crate) fn big_endian(source: R) -> Self {
        Self::new(source, u16::from_be_bytes)
    }

    fn new(source: R, unit: fn([u8; 2]) -> u16) -> Self {
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
        let mut usable = self.pending.len() & !1;
        if !self.ended && usable >= 2 {
            let last = (self.unit)([self.pending[usable - 2], self.pending[usable - 1]]);
            if (0xd800..0xdc00).contains(&last) {
                usable -= 2;
            }
        }
        let units = self.pending[..usable].chunks_exact(2).map(|b| (self.unit)([b[0], b[1]]));
        self.ready.clear();
        self.taken = 0;
        for decoded in char::decode_utf16(units) {
            let character = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut encoded = [0; 4];
            self.ready.extend_from_slice(character.encode_utf8(&mut encoded).as_bytes());
        }
        if self.ended && usable < self.pending.len() {
            self.ready.extend_from_slice("\u{fffd}".as_bytes());
        }
        self.pending.drain(..usable);
        if self.ended {
            self.pending.clear();
        }
        Ok(())
    }
}

impl<R: Read> Read for Utf16Reader<R> {
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
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut got = String::new();
        Utf16Reader::little_endian(&little[..]).read_to_string(&mut got).unwrap();
        assert_eq!(got, text);
        got.clear();
        Utf16Reader::big_endian(&big[..]).read_to_string(&mut got).unwrap();
        assert_eq!(got, text);
    }
}

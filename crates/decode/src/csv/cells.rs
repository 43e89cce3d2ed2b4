//! Cuts a row into cells.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The maximum number of cells in a row.
pub(crate) const MAX_CELLS: usize = 16 * 1024;

/// The result of reading a part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The row ends at this offset in the bytes of this call.
    Row(usize),
    /// All bytes are used, and the row continues.
    More,
    /// The row has more than [`MAX_CELLS`] cells; the bytes before this offset are used.
    TooMany(usize),
    /// The text ends before another row.
    End,
}

/// The cells of one row.
pub(crate) struct Cells {
    reader: Reader,
    text: Vec<u8>,
    length: usize,
    ends: Vec<usize>,
    count: usize,
}

impl std::fmt::Debug for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cells").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Cells {
    pub(crate) fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, text: vec![0; 4096], length: 0, ends: vec![0; 64], count: 0 }
    }

    /// Prepares for the next row.
    pub(crate) fn begin(&mut self) {
        self.reader.reset();
        self.forget();
    }

    /// Drops what was read of the row, but not where in it the reader is.
    pub(crate) fn forget(&mut self) {
        (self.length, self.count) = (0, 0);
    }

    /// Reads on; `is_last` means that nothing follows `bytes`.
    pub(crate) fn run(&mut self, bytes: &[u8], is_last: bool) -> Step {
        let mut at = 0;
        loop {
            let (result, read, written, ended) = self.reader.read_record(
                &bytes[at..],
                &mut self.text[self.length..],
                &mut self.ends[self.count..],
            );
            at += read;
            self.length += written;
            self.count += ended;
            match result {
                ReadRecordResult::Record => return Step::Row(at),
                ReadRecordResult::End => return Step::End,
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull if self.count >= MAX_CELLS => {
                    return Step::TooMany(at);
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                // At the end of the text, one more call with no bytes completes the row.
                ReadRecordResult::InputEmpty if is_last => {}
                ReadRecordResult::InputEmpty => return Step::More,
            }
        }
    }

    /// Returns the number of cells without empty ones beyond `width`.
    pub(crate) fn count(&self, width: usize) -> usize {
        let is_extra =
            |index: &usize| *index >= width && self.bytes(*index).trim_ascii().is_empty();
        let extra = (0..self.count).rev().take_while(is_extra).count();
        self.count - extra
    }

    /// Returns true if no cell holds anything.
    pub(crate) fn are_blank(&self) -> bool {
        self.text[..self.length].trim_ascii().is_empty()
    }

    /// Returns true if the text of all cells is UTF-8.
    pub(crate) fn are_utf8(&self) -> bool {
        std::str::from_utf8(&self.text[..self.length]).is_ok()
    }

    /// Returns the text of a cell, with U+FFFD instead of invalid bytes; empty if there is none.
    pub(crate) fn get(&self, index: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(index))
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let ends = &self.ends[..self.count];
        let Some(end) = ends.get(index) else { return &[] };
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        &self.text[start..*end]
    }
}

/// How the quotes of a row are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Quotes surround whole cells.
    Good,
    /// A quote is inside a cell without quotes, or something follows a closing quote.
    Odd,
    /// The last cell begins with a quote and does not end with one.
    Open,
}

/// Checks the quotes of one row, which the reader of cells does not.
pub(crate) fn quoting(row: &[u8], delimiter: u8) -> Quoting {
    let row = row.trim_ascii_end();
    let ends_cell = |byte: &u8| *byte == delimiter;
    let mut at = 0;
    while at < row.len() {
        if row[at] != b'"' {
            let length = row[at..].iter().position(ends_cell).unwrap_or(row.len() - at);
            if row[at..at + length].contains(&b'"') {
                return Quoting::Odd;
            }
            at += length + 1;
            continue;
        }
        at += 1;
        loop {
            let Some(quote) = memchr::memchr(b'"', &row[at..]) else { return Quoting::Open };
            at += quote + 1;
            if row.get(at) != Some(&b'"') {
                break;
            }
            at += 1;
        }
        if row.get(at).is_some_and(|byte| !ends_cell(byte)) {
            return Quoting::Odd;
        }
        at += 1;
    }
    Quoting::Good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        for (row, expected) in [
            ("a,b", Quoting::Good),
            ("\"a,\nb\",\"c\"\"d\",\n", Quoting::Good),
            ("", Quoting::Good),
            ("a\"b,c", Quoting::Odd),
            ("\"a\"b,c", Quoting::Odd),
            ("a,\"b\nc,d", Quoting::Open),
            ("a,\"b\"\"", Quoting::Open),
        ] {
            assert_eq!(quoting(row.as_bytes(), b','), expected, "{row}");
        }
    }
}

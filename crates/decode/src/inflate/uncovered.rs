//! Finds the bytes of a zip archive that belong to no entry of its directory.
//!
//! Programs that unpack such an archive skip these bytes: another archive before it, entries that the
//! directory leaves out, or lines that were appended to it. Whoever wrote them there may have logs in
//! them.

use std::io::{self, Read, Seek, SeekFrom};

/// Begins the record at the end of an archive.
const END: [u8; 4] = *b"PK\x05\x06";
/// The length of this record without its comment.
const END_LENGTH: usize = 22;
/// The most bytes that may follow the data of an entry: its size and checksum.
const DESCRIPTOR: u64 = 24;

/// The bytes of an archive that its entries cover.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Where the first entry begins and the last one ends, in the order of their places.
    range: Option<(u64, u64)>,
    /// The bytes between entries.
    between: u64,
    /// The bytes of all entries, and their number.
    within: u64,
    count: u64,
    /// True if the directory lists entries in another order than that of their places; then only the
    /// sum of what is between them is known.
    is_unordered: bool,
}

impl Covered {
    /// Adds an entry, given the offset of its header and the size of its data.
    pub(super) fn add(&mut self, reader: &mut (impl Read + Seek), header: u64, size: u64) {
        let Ok(length) = header_length(reader, header) else { return };
        let end = header.saturating_add(length).saturating_add(size);
        self.see(header, end);
    }

    fn see(&mut self, start: u64, end: u64) {
        self.within = self.within.saturating_add(end - start);
        self.count += 1;
        let Some((first, last)) = self.range else {
            self.range = Some((start, end));
            return;
        };
        if start < last {
            self.is_unordered = true;
        } else if start - last > DESCRIPTOR {
            self.between += start - last;
        }
        self.range = Some((first.min(start), last.max(end)));
    }

    /// Describes the bytes that belong to no entry, given the offset of the directory; `None` if there
    /// are none. A program before the entries unpacks them.
    pub(super) fn message(
        &self,
        reader: &mut (impl Read + Seek),
        directory: u64,
        has_program: bool,
    ) -> Option<String> {
        let (first, last) = self.range?;
        let before = if has_program { 0 } else { first };
        let between = if self.is_unordered {
            let rest = directory.saturating_sub(first).saturating_sub(self.within);
            if rest > DESCRIPTOR * self.count { rest } else { 0 }
        } else {
            let rest = directory.saturating_sub(last);
            self.between + if rest > DESCRIPTOR { rest } else { 0 }
        };
        let after = bytes_after_end(reader).unwrap_or_default();
        let places = [(before, "before"), (between, "between"), (after, "after")];
        let places: Vec<String> = places
            .iter()
            .filter(|(bytes, _)| *bytes > 0)
            .map(|(bytes, place)| format!("{bytes} bytes {place} its entries"))
            .collect();
        (!places.is_empty())
            .then(|| format!("the zip archive has {}, which are not read", places.join(" and ")))
    }
}

/// Returns the length of the header of an entry, which its directory does not know.
fn header_length(reader: &mut (impl Read + Seek), header: u64) -> io::Result<u64> {
    let mut fixed = [0; 30];
    reader.seek(SeekFrom::Start(header))?;
    reader.read_exact(&mut fixed)?;
    let length = |at: usize| u64::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
    Ok(30 + length(26) + length(28))
}

/// Returns true if a file ends with the record at the end of an archive that has entries.
pub(super) fn ends_archive(reader: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = reader.seek(SeekFrom::End(0))?;
    let most = (END_LENGTH + usize::from(u16::MAX)) as u64;
    reader.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut tail = Vec::new();
    reader.take(most).read_to_end(&mut tail)?;
    let Some(end) = memchr::memmem::rfind(&tail, &END).map(|at| &tail[at..]) else {
        return Ok(false);
    };
    let number =
        |at: usize| Some(usize::from(u16::from_le_bytes([*end.get(at)?, *end.get(at + 1)?])));
    let comment = number(20).unwrap_or(usize::MAX);
    Ok(end.len() >= END_LENGTH.saturating_add(comment) && number(10) != Some(0))
}

/// Returns the number of bytes after an archive's end, unless all of them are zero.
fn bytes_after_end(reader: &mut (impl Read + Seek)) -> io::Result<u64> {
    let length = reader.seek(SeekFrom::End(0))?;
    let most = (END_LENGTH + 2 * usize::from(u16::MAX)) as u64;
    reader.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut tail = Vec::new();
    reader.take(most).read_to_end(&mut tail)?;
    let Some(end) = memchr::memmem::rfind(&tail, &END) else { return Ok(0) };
    let comment = tail.get(end + 20..end + END_LENGTH).unwrap_or(&[0, 0]);
    let comment = usize::from(u16::from_le_bytes([comment[0], comment[1]]));
    let rest = tail.get(end + END_LENGTH + comment..).unwrap_or_default();
    let is_filler = rest.iter().all(|byte| *byte == 0);
    Ok(if is_filler { 0 } else { rest.len() as u64 })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn bytes_without_an_entry() {
        let end = [&END[..], &[0; 16], &[2, 0], b"hi"].concat();
        for (entries, tail, message) in [
            (&[(0, 100), (100, 200), (216, 300)][..], "", None),
            (&[(116, 300), (0, 100)], "\0\0", None),
            (&[(216, 300), (0, 100)], "", Some("116 bytes between its entries")),
            (&[(40, 300)], "", Some("40 bytes before its entries")),
            (&[(0, 100), (130, 300)], "", Some("30 bytes between its entries")),
            (&[(0, 270)], "", Some("30 bytes between its entries")),
            (&[(7, 300)], "{}\n", Some("7 bytes before its entries and 3 bytes after its entries")),
        ] {
            let mut covered = Covered::default();
            entries.iter().for_each(|(start, end)| covered.see(*start, *end));
            let archive = [&vec![0; 300][..], &end, tail.as_bytes()].concat();
            let found = covered.message(&mut Cursor::new(archive), 300, false);
            let message =
                message.map(|what| format!("the zip archive has {what}, which are not read"));
            assert_eq!(found, message, "{entries:?} {tail:?}");
        }
    }
}

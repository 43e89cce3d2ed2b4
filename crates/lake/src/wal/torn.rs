//! Whether SQLite's own log, the file that ends in `-wal`, was damaged after it had been written.
//!
//! SQLite reads this log up to the first frame whose checksum is wrong, because a crash ends it like that, and
//! takes all that is behind for nothing. So one bit that flips on the disk loses each transaction after it,
//! and nobody hears of it. A crash leaves at most one transaction unfinished, since each is on the disk
//! before the next one begins: two that end behind a wrong frame are damage.
//!
//! The format is described in "WAL-mode File Format" (<https://www.sqlite.org/walformat.html>): a header of
//! 32 bytes, and frames with a header of 24 bytes and a page. A checksum goes on from frame to frame.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The page size of the log of arriving events, for a header that does not say it.
const PAGE: usize = super::form::PAGE_SIZE as usize;

/// A part of the log that is wrong, with transactions behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    /// SQLite's own log.
    pub(super) path: PathBuf,
    /// Where the wrong part begins, in bytes.
    pub(super) offset: u64,
    /// How many transactions end behind it.
    pub(super) transactions: u64,
}

/// Looks for damage in SQLite's own log of a database; `None` if there is none or no log.
///
/// # Errors
/// Fails if the log cannot be read.
pub(super) fn damage(database: &Path) -> io::Result<Option<Damage>> {
    let mut path = OsString::from(database);
    path.push("-wal");
    let path = PathBuf::from(path);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = walk(BufReader::with_capacity(1 << 20, file))?;
    Ok(found.map(|(offset, transactions)| Damage { path, offset, transactions }))
}

/// Returns where the first wrong part begins, and how many transactions end behind it, if that is damage.
fn walk(mut log: impl Read) -> io::Result<Option<(u64, u64)>> {
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    // The last bit of the magic number says in which order the checksums take the bytes of words.
    let is_big_endian = word(&header, 0) == 0x377f_0683;
    let mut sum = Checksum { is_big_endian, words: (0, 0) };
    sum.add(&header[..24]);
    let is_known = is_big_endian || word(&header, 0) == 0x377f_0682;
    let is_whole = is_known && sum.words == (word(&header, 24), word(&header, 28));
    let page = if is_whole { word(&header, 8) as usize } else { PAGE };
    let mut salts = is_whole.then(|| salts(&header, 16));
    let mut damaged_at = (!is_whole).then_some(0);
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut offset = HEADER as u64;
    let mut transactions = 0;
    while fill(&mut log, &mut frame)? {
        let (head, content) = frame.split_at(FRAME_HEADER);
        // Frames with other salts are older than the header, and were to be written over.
        let is_of_log = *salts.get_or_insert_with(|| self::salts(head, 8)) == self::salts(head, 8);
        if damaged_at.is_none() {
            sum.add(&head[..8]);
            sum.add(content);
            if !is_of_log || sum.words != (word(head, 16), word(head, 20)) {
                damaged_at = Some(offset);
            }
        }
        // The last frame of a transaction says how many pages the database has.
        transactions += u64::from(damaged_at.is_some() && is_of_log && word(head, 4) != 0);
        offset += frame.len() as u64;
    }
    Ok(damaged_at
        .map(|offset| (offset, transactions))
        .filter(|(_, transactions)| *transactions > 1))
}

/// Reads as many bytes as there is room for. Returns false if there are not so many.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn salts(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}

struct Checksum {
    is_big_endian: bool,
    words: (u32, u32),
}

impl Checksum {
    /// Adds bytes, of which there are a multiple of eight.
    fn add(&mut self, bytes: &[u8]) {
        let (mut first, mut second) = self.words;
        for pair in bytes.chunks_exact(8) {
            let (mut left, mut right) = (word(pair, 0), word(pair, 4));
            if !self.is_big_endian {
                (left, right) = (left.swap_bytes(), right.swap_bytes());
            }
            first = first.wrapping_add(left).wrapping_add(second);
            second = second.wrapping_add(right).wrapping_add(first);
        }
        self.words = (first, second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::WalOptions;
    use crate::wal::form;

    /// Returns SQLite's own log of three transactions, with as many pages as each of them has.
    fn three() -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        let connection = form::open_to_write(&path, WalOptions::default()).unwrap();
        let flush = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(flush, [], |_| Ok(())).unwrap();
        for value in ["a", "b", "c"] {
            let sql = "INSERT INTO marks (key, value) VALUES (?1, ?1)";
            connection.execute(sql, [value.repeat(20_000)]).unwrap();
        }
        let log = std::fs::read(folder.path().join("wal.sqlite-wal")).unwrap();
        // Its connection is not closed, because that would remove the log.
        std::mem::forget(connection);
        (folder, log)
    }

    #[test]
    fn one_bit_anywhere_is_damage_unless_a_crash_can_do_it() {
        let (_folder, log) = three();
        let frame = FRAME_HEADER + PAGE;
        let frames = (log.len() - HEADER) / frame;
        assert_eq!(walk(&*log).unwrap(), None);
        let ends: Vec<usize> =
            (0..frames).filter(|number| word(&log, HEADER + number * frame + 4) != 0).collect();
        assert_eq!(ends.len(), 3);
        for offset in (0..24).chain((HEADER..log.len()).step_by(997)).chain([log.len() - 1]) {
            let mut flipped = log.clone();
            flipped[offset] ^= 4;
            let number = offset.checked_sub(HEADER).map(|offset| offset / frame);
            let behind =
                ends.iter().filter(|end| number.is_none_or(|number| **end >= number)).count();
            let found = walk(&*flipped).unwrap();
            let begins = number.map_or(0, |number| HEADER + number * frame) as u64;
            match found {
                // The salts or the end of the frame itself may be what is wrong.
                Some((at, transactions)) => {
                    assert_eq!(at, begins, "{offset}");
                    assert!((2..=3).contains(&transactions), "{offset}");
                }
                None => assert!(behind <= 2, "{offset}"),
            }
            assert!(found.is_some() || behind < 3, "{offset}");
        }
    }

    #[test]
    fn what_a_crash_leaves_is_no_damage() {
        let (_folder, log) = three();
        for length in (0..log.len()).step_by(4093) {
            assert_eq!(walk(&log[..length]).unwrap(), None, "{length}");
            // The disk had room for the rest, and it was not written.
            let mut zeros = log[..length].to_vec();
            zeros.resize(log.len(), 0);
            assert_eq!(walk(&*zeros).unwrap(), None, "{length}");
        }
        // The last transaction has come to the disk only in part.
        let frame = FRAME_HEADER + PAGE;
        let mut torn = log.clone();
        let last = log.len() - 2 * frame;
        torn[last..last + 100].fill(0);
        assert_eq!(walk(&*torn).unwrap(), None);
    }
}

//! Compares what the footer of a Parquet file describes with the bytes that the file has.
//!
//! A footer tells where each column is, counted from the beginning of the file. Where files were put
//! one after another, that of the last one describes bytes of the first, and if both are alike, they
//! even make sense. So the rows of all others would be missing without a sign.

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::Length;

use super::source::Source;
use super::{MAGIC, damage};
use crate::report::{Damage, DamageKind};

/// The size of the reads in which the end of another file is looked for.
const PIECE: usize = 256 * 1024;
/// The last bytes of one file and the first of the next.
const BETWEEN: &[u8; 8] = b"PAR1PAR1";

/// Returns what is to be said of bytes that belong to no row group; `None` if there are none, or as
/// few as writers leave.
pub(super) fn what_is_left_out(
    source: &Source,
    metadata: &ParquetMetaData,
    footer: u64,
) -> Option<Damage> {
    let first_byte = MAGIC.len() as u64;
    let end = source.len().checked_sub(footer + 8)?;
    let columns = || metadata.row_groups().iter().flat_map(|group| group.columns());
    let first = columns().filter_map(start_of).min();
    let last = columns().filter_map(end_of).max().unwrap_or(first_byte);
    if let Some(first) = first.filter(|first| *first > first_byte) {
        let message = format!(
            "the footer of the Parquet file has no row group for its first {first} bytes; what is in \
             them is not read"
        );
        return Some(damage(first_byte, DamageKind::CorruptCompression, message));
    }
    // Filters of old writers, whose length is not known, are between the last column and the footer.
    let at = if last < end { place_between(source, end)? } else { return None };
    let message = format!(
        "this is one Parquet file after another, the last of which begins at byte {at}, and not all \
         of their rows are read; split them into files of their own"
    );
    Some(damage(at, DamageKind::CorruptCompression, message))
}

fn number(offset: i64) -> Option<u64> {
    u64::try_from(offset).ok()
}

/// Returns where the pages of a column begin.
fn start_of(column: &ColumnChunkMetaData) -> Option<u64> {
    let data = number(column.data_page_offset())?;
    // Some writers give 0 for a dictionary that is not there.
    let dictionary = column.dictionary_page_offset().and_then(number).filter(|at| *at > 0);
    Some(dictionary.map_or(data, |at| at.min(data)))
}

/// Returns where the pages of a column end, and what describes them.
fn end_of(column: &ColumnChunkMetaData) -> Option<u64> {
    let part = |start: Option<i64>, length: Option<i32>| {
        number(start?)?.checked_add(u64::try_from(length?).ok()?)
    };
    let pages = start_of(column)?.checked_add(number(column.compressed_size())?);
    let others = [
        part(column.column_index_offset(), column.column_index_length()),
        part(column.offset_index_offset(), column.offset_index_length()),
        part(column.bloom_filter_offset(), column.bloom_filter_length()),
    ];
    others.into_iter().chain([pages]).flatten().max()
}

/// Returns where the last file begins that follows another one before `end`.
fn place_between(source: &Source, end: u64) -> Option<u64> {
    let overlap = BETWEEN.len() as u64 - 1;
    let mut to = end;
    loop {
        let from = to.saturating_sub(PIECE as u64);
        let piece = source.read(from, usize::try_from(to - from).ok()?).ok()?;
        if let Some(at) = memchr::memmem::rfind(&piece, BETWEEN) {
            return Some(from + at as u64 + MAGIC.len() as u64);
        }
        if from == 0 {
            return None;
        }
        to = from + overlap;
    }
}

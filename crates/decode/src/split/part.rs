//! Cuts many records at a time out of a file of any size, by their brackets alone.
//!
//! Wherever a record may begin, all records that are completely in memory are cut in one pass. At
//! any other text the pass stops, and the splitter continues from there.

use std::io::Read;

use super::{Phase, Splitter};
use crate::delivered::Records;
use crate::json::{skip_space, string_end};

/// A record that is still unfinished after this many bytes is left to the splitter.
const PATIENCE: usize = 1024 * 1024;

/// A part of a text that contains only records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) text: &'a str,
    /// The part's offset in the uncompressed stream.
    pub(crate) offset: u64,
}

impl<R: Read> Splitter<R> {
    /// Cuts the next records into `records` if they and the previous one are CloudTrail records.
    ///
    /// Offsets count from the start of the part. The records are those that [`Splitter::next_item`]
    /// would have returned, except that their nested values are not validated.
    pub(crate) fn next_part(&mut self, records: &mut Records) -> Option<Part<'_>> {
        let is_between = matches!(self.phase, Phase::Between) && self.waiting.is_empty();
        if !self.is_usual || !is_between || self.is_loose {
            return None;
        }
        let (mut length, is_stuck) = loop {
            let bytes = &self.window.bytes()[self.at..];
            let (length, is_stuck) = records.read_part(bytes);
            if length > 0 || is_stuck || bytes.len() > PATIENCE || !self.refill() {
                break (length, is_stuck);
            }
        };
        let start = self.at;
        let text = match std::str::from_utf8(&self.window.bytes()[start..start + length]) {
            Ok(text) => text,
            Err(error) => {
                length = records.keep_before(error.valid_up_to());
                std::str::from_utf8(&self.window.bytes()[start..start + length]).unwrap_or_default()
            }
        };
        for record in records.iter(text) {
            self.first_keys.remember(first_key(record.text));
        }
        // If no record was cut or something else follows, the splitter reads on and reports it.
        self.is_usual = length > 0 && !is_stuck;
        self.is_after_event |= length > 0 && self.frames.is_empty();
        self.at += length;
        (length > 0).then(|| Part { text, offset: self.window.offset(start) })
    }
}

fn first_key(record: &str) -> &[u8] {
    let bytes = record.as_bytes();
    let start = skip_space(bytes, 1) + 1;
    bytes.get(start..string_end(bytes, start).0).unwrap_or_default()
}

//! The short way through the records of a file of any size: many at a time, cut by their brackets alone.
//!
//! Wherever a record may begin, those that the memory at hand has are cut at once. Anything that is not
//! as it is expected is left where it is, and the splitter goes on from there.

use std::io::Read;

use super::{Phase, Splitter};
use crate::delivered::Records;
use crate::json::{skip_space, string_end};

/// A record that is not at its end after so many bytes goes the long way.
const PATIENCE: usize = 1024 * 1024;

/// A part of a text that is nothing but records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) text: &'a str,
    /// Where it begins in the uncompressed stream.
    pub(crate) offset: u64,
}

impl<R: Read> Splitter<R> {
    /// Cuts the records that come next, if the last one was CloudTrail's and these are, too; `records`
    /// has them then, with their places in the part. They are what [`Splitter::next_item`] would have
    /// returned, but that what is nested in them is not looked at.
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
        // Where nothing was cut, or something else follows, the splitter says what it is.
        self.is_usual = length > 0 && !is_stuck;
        self.at += length;
        (length > 0).then(|| Part { text, offset: self.window.offset(start) })
    }
}

fn first_key(record: &str) -> &[u8] {
    let bytes = record.as_bytes();
    let start = skip_space(bytes, 1) + 1;
    bytes.get(start..string_end(bytes, start).0).unwrap_or_default()
}

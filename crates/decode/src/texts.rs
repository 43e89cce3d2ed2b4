//! Stores the texts of events once each.
//!
//! Logs are repetitive: the same users, addresses and actions recur in the rows of many searches.
//! While events are read, each value is stored once and rows hold its number.

use std::hash::BuildHasher;

use arrow_array::LargeStringArray;
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Assigns a number to every text.
#[derive(Debug)]
pub(crate) struct Texts {
    numbers: HashTable<u32>,
    hasher: RandomState,
    bytes: Vec<u8>,
    /// The start of each text in `bytes`, followed by the end of the last one.
    offsets: Vec<i64>,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            numbers: HashTable::new(),
            hasher: RandomState::default(),
            bytes: Vec::new(),
            offsets: vec![0],
        }
    }
}

impl Texts {
    /// Returns the number of a text, assigning a new one if the text is new.
    pub(crate) fn number(&mut self, text: &str) -> u32 {
        let Self { numbers, hasher, bytes, offsets } = self;
        let at = |number: u32| {
            let number = number as usize;
            &bytes[offsets[number] as usize..offsets[number + 1] as usize]
        };
        let hash = hasher.hash_one(text.as_bytes());
        if let Some(number) = numbers.find(hash, |number| at(*number) == text.as_bytes()) {
            return *number;
        }
        let number = (offsets.len() - 1) as u32;
        numbers.insert_unique(hash, number, |number| hasher.hash_one(at(*number)));
        self.add(text)
    }

    /// Returns a new number for a text without looking for an earlier copy.
    pub(crate) fn add(&mut self, text: &str) -> u32 {
        let number = self.count();
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(self.bytes.len() as i64);
        number
    }

    /// Returns how many numbers have been assigned.
    pub(crate) fn count(&self) -> u32 {
        (self.offsets.len() - 1) as u32
    }

    /// Returns the total size of all texts in bytes.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the texts in the order of their numbers and starts over.
    ///
    /// # Errors
    /// Does not fail; the error is Arrow's.
    pub(crate) fn finish(&mut self) -> Result<LargeStringArray, ArrowError> {
        self.numbers.clear();
        let room = (self.bytes.len(), self.offsets.len());
        let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(room.0));
        let offsets = std::mem::replace(&mut self.offsets, Vec::with_capacity(room.1));
        self.offsets.push(0);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        LargeStringArray::try_new(offsets, Buffer::from_vec(bytes), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_until_the_end() {
        let mut texts = Texts::default();
        let mut numbered =
            |given: &[&str]| -> Vec<u32> { given.iter().map(|text| texts.number(text)).collect() };
        assert_eq!(numbered(&["a", "", "é", "a", ""]), [0, 1, 2, 0, 1]);
        let many: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
        for text in &many {
            texts.number(text);
        }
        assert_eq!(texts.number("4999"), texts.number("0") + 4999);
        let count = texts.count();
        assert_eq!([texts.add("0"), texts.add("0")], [count, count + 1]);
        let finished = texts.finish().unwrap();
        let finished: Vec<&str> = finished.iter().flatten().collect();
        assert_eq!(finished[..3], ["a", "", "é"]);
        assert_eq!(finished[3..5003], many);
        assert_eq!(finished[5003..], ["0", "0"]);
        assert_eq!((texts.size(), texts.number("b")), (0, 0));
    }
}

//! Stores the positions of the strings and brackets of a text, as one bit for each byte.

use super::blocks::{BLOCK, Bits};

/// The marks of a text, block by block.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<Block>);

/// The part of a block's [`Bits`] that is stored.
#[derive(Debug)]
struct Block {
    quotes: u64,
    backslashes: u64,
    brackets: u64,
}

impl Marks {
    /// Discards the marks of the previous text and reserves memory for a text of this many bytes.
    pub(super) fn clear(&mut self, bytes: usize) {
        self.0.clear();
        self.0.reserve(bytes / BLOCK + 1);
    }

    /// Adds the next block.
    #[inline]
    pub(super) fn push(&mut self, bits: Bits) {
        let Bits { quotes, backslashes, brackets, .. } = bits;
        self.0.push(Block { quotes, backslashes, brackets });
    }

    /// Returns the unescaped quotes from an offset on.
    #[inline]
    pub(crate) fn quotes(&self, at: usize) -> Quotes<'_> {
        let mut quotes = Quotes { blocks: &self.0, block: 0, bits: 0 };
        quotes.seek(at);
        quotes
    }

    /// Returns the offset of the quote that ends the string whose contents begin at `at`, and
    /// whether the string has escapes.
    #[inline]
    pub(crate) fn string_end(&self, at: usize) -> Option<(usize, bool)> {
        let mut block = at / BLOCK;
        let mut from = u64::MAX << (at % BLOCK);
        let mut has_escapes = false;
        loop {
            let bits = self.0.get(block)?;
            let (quotes, escapes) = (bits.quotes & from, bits.backslashes & from);
            if quotes != 0 {
                let before = (quotes & quotes.wrapping_neg()) - 1;
                has_escapes |= escapes & before != 0;
                return Some((block * BLOCK + quotes.trailing_zeros() as usize, has_escapes));
            }
            has_escapes |= escapes != 0;
            block += 1;
            from = u64::MAX;
        }
    }

    /// Returns the end of the object or array whose contents begin at `at`; `text` is the whole
    /// text.
    #[inline]
    pub(crate) fn nested_end(&self, text: &[u8], at: usize) -> Option<usize> {
        let mut block = at / BLOCK;
        let mut from = u64::MAX << (at % BLOCK);
        let mut depth = 1usize;
        loop {
            let mut brackets = self.0.get(block)?.brackets & from;
            while brackets != 0 {
                let at = block * BLOCK + brackets.trailing_zeros() as usize;
                brackets &= brackets - 1;
                if matches!(text.get(at)?, b'{' | b'[') {
                    depth += 1;
                } else {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
            }
            block += 1;
            from = u64::MAX;
        }
    }
}

/// Iterates over the offsets of quotes.
#[derive(Debug)]
pub(crate) struct Quotes<'a> {
    blocks: &'a [Block],
    block: usize,
    /// The quotes of the current block that have not been returned yet.
    bits: u64,
}

impl Quotes<'_> {
    /// Continues at an offset, which must not lie before the last returned quote.
    #[inline]
    pub(crate) fn seek(&mut self, at: usize) {
        self.block = at / BLOCK;
        self.bits = self.blocks.get(self.block).map_or(0, |block| block.quotes);
        self.bits &= u64::MAX << (at % BLOCK);
    }
}

impl Iterator for Quotes<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            self.block += 1;
            self.bits = self.blocks.get(self.block)?.quotes;
        }
        let at = self.block * BLOCK + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::blocks::Carry;
    use super::*;
    use crate::json;

    fn marks(text: &[u8]) -> Marks {
        let (mut marks, mut carry) = (Marks::default(), Carry::default());
        marks.clear(text.len());
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        blocks.iter().chain([&last]).for_each(|block| marks.push(carry.read(block)));
        marks
    }

    /// Returns a JSON value with strings of all kinds.
    fn value() -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof!["[a-z\\\\\"{}\\[\\]\u{e9}]{0,90}", "[a-z]{60,70}"];
        let leaf = prop_oneof![text.prop_map(Into::into), any::<i32>().prop_map(Into::into)];
        leaf.prop_recursive(4, 30, 5, |inner| {
            let key = "[a-z\"\\\\]{0,9}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::vec((key, inner), 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// The marks give the same ends as a check of every byte.
        #[test]
        fn ends(value in value()) {
            let text = format!("{{\"a\":{value}}}");
            let bytes = text.as_bytes();
            let marks = marks(bytes);
            prop_assert_eq!(marks.string_end(2), Some(json::string_end(bytes, 2)));
            let end = json::value_end(bytes, 5);
            match bytes[5] {
                b'"' => {
                    prop_assert_eq!(marks.string_end(6), Some(json::string_end(bytes, 6)));
                }
                b'{' | b'[' => prop_assert_eq!(marks.nested_end(bytes, 6), Some(end)),
                _ => {}
            }
            prop_assert_eq!(marks.nested_end(bytes, 1), Some(bytes.len()));
            prop_assert_eq!(marks.string_end(bytes.len()), None);
            // The quotes alternate: every second one ends a string.
            let mut at = 1;
            let mut quotes = marks.quotes(at);
            while let Some(open) = memchr::memchr(b'"', &bytes[at..]) {
                let (end, _) = json::string_end(bytes, at + open + 1);
                prop_assert_eq!((quotes.next(), quotes.next()), (Some(at + open), Some(end)));
                at = end + 1;
                if at % 3 == 0 {
                    quotes.seek(at);
                }
            }
            prop_assert_eq!(quotes.next(), None);
        }
    }
}

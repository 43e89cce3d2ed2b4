//! Where the strings and brackets of a text are, a bit for each byte.

use super::blocks::{BLOCK, Bits};

/// The marks of a text.
#[derive(Debug, Default)]
pub(crate) struct Marks(Vec<Block>);

/// What is kept of the [`Bits`] of a block.
#[derive(Debug)]
struct Block {
    quotes: u64,
    backslashes: u64,
    brackets: u64,
}

impl Marks {
    /// Forgets the last text, and makes room for one of this many bytes.
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

    /// Returns the position of the quote that ends the string whose contents begin at `at`, and whether
    /// there are escapes in it.
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

    /// Returns the end of the object or array whose contents begin at `at`; `text` is the whole text.
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

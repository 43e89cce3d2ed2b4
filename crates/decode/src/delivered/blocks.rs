//! Finds the strings and brackets in 64 bytes of JSON, as one bit for each byte.
//!
//! The method is that of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019): find
//! the quotes that no backslash escapes; every byte between a pair of them belongs to a string.

use wide::i8x16;

/// The number of bytes in a block.
pub(super) const BLOCK: usize = 64;

/// The state that the blocks so far pass to the next one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carry {
    /// All ones if the last block ended inside a string.
    in_text: u64,
    /// One if the first byte of the next block is escaped.
    escaped: u64,
}

/// The bits of one block; the lowest bit belongs to its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bits {
    /// Quotes that begin or end a string.
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// Brackets and braces outside strings.
    pub(super) brackets: u64,
    /// Control characters in strings, which JSON forbids.
    pub(super) control: u64,
    /// Bytes that are not ASCII.
    pub(super) high: u64,
}

impl Carry {
    /// Returns true if the text so far ends inside a string.
    pub(super) fn is_in_text(self) -> bool {
        self.in_text != 0
    }

    /// Returns the bits of the next block.
    #[inline]
    pub(super) fn read(&mut self, block: &[u8; BLOCK]) -> Bits {
        let (mut quotes, mut brackets, mut rare) = (0u64, 0u64, 0u64);
        for (part, bytes) in block.as_chunks::<16>().0.iter().enumerate() {
            let bytes = i8x16::new(bytes.map(|byte| byte as i8));
            // `[` and `{`, and likewise `]` and `}`, differ only in this bit.
            let lowered = bytes | i8x16::splat(0x20);
            let opens = lowered.simd_eq(i8x16::splat(0x7b));
            let closes = lowered.simd_eq(i8x16::splat(0x7d));
            // In a signed comparison, bytes above 0x7f are negative and thus also below 0x20.
            let odd = bytes.simd_lt(i8x16::splat(0x20)) | bytes.simd_eq(i8x16::splat(0x5c));
            let shift = part * 16;
            quotes |= u64::from(bytes.simd_eq(i8x16::splat(0x22)).to_bitmask()) << shift;
            brackets |= u64::from((opens | closes).to_bitmask()) << shift;
            rare |= u64::from(odd.to_bitmask()) << shift;
        }
        if rare | self.escaped != 0 {
            return self.read_rare(block, quotes, brackets);
        }
        let in_text = prefix_xor(quotes) ^ self.in_text;
        self.in_text = ((in_text as i64) >> 63) as u64;
        Bits { quotes, brackets: brackets & !in_text, ..Bits::default() }
    }

    /// Completes [`Carry::read`] for a block with backslashes, control characters or non-ASCII
    /// bytes.
    fn read_rare(&mut self, block: &[u8; BLOCK], quotes: u64, brackets: u64) -> Bits {
        let (mut backslashes, mut control, mut high) = (0u64, 0u64, 0u64);
        for (at, byte) in block.iter().enumerate() {
            backslashes |= u64::from(*byte == b'\\') << at;
            control |= u64::from(*byte < 0x20) << at;
            high |= u64::from(*byte >= 0x80) << at;
        }
        let quotes = quotes & !self.escaped(backslashes);
        let in_text = prefix_xor(quotes) ^ self.in_text;
        self.in_text = ((in_text as i64) >> 63) as u64;
        let (brackets, control) = (brackets & !in_text, control & in_text);
        Bits { quotes, backslashes, brackets, control, high }
    }

    /// Returns the bytes that a preceding backslash escapes.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = self.escaped;
        let mut rest = backslashes & !escaped;
        self.escaped = 0;
        while rest != 0 {
            let at = rest.trailing_zeros();
            if at == 63 {
                self.escaped = 1;
                break;
            }
            escaped |= 1 << (at + 1);
            // An escaped backslash does not escape the byte after it.
            rest &= !(0b11 << at);
        }
        escaped
    }
}

/// Returns, for each bit, the parity of all bits up to and including it.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Computes the same bits one byte at a time.
    fn slowly(text: &[u8]) -> (Vec<usize>, Vec<usize>, bool) {
        let (mut brackets, mut control) = (Vec::new(), Vec::new());
        let (mut in_text, mut escaped) = (false, false);
        for (at, byte) in text.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'"' if !was_escaped => in_text = !in_text,
                b'\\' if !was_escaped => escaped = true,
                _ => {}
            }
            // The opening quote belongs to the string and the closing one does not; no bracket is a
            // quote.
            match byte {
                b'[' | b'{' | b']' | b'}' if !in_text => brackets.push(at),
                0..0x20 if in_text => control.push(at),
                _ => {}
            }
        }
        (brackets, control, in_text)
    }

    fn quickly(text: &[u8]) -> (Vec<usize>, Vec<usize>, bool) {
        let (mut brackets, mut control) = (Vec::new(), Vec::new());
        let mut carry = Carry::default();
        for (number, chunk) in text.chunks(BLOCK).enumerate() {
            let mut block = [b' '; BLOCK];
            block[..chunk.len()].copy_from_slice(chunk);
            let bits = carry.read(&block);
            for at in 0..chunk.len() {
                if bits.brackets >> at & 1 == 1 {
                    brackets.push(number * BLOCK + at);
                }
                if bits.control >> at & 1 == 1 {
                    control.push(number * BLOCK + at);
                }
            }
        }
        (brackets, control, carry.is_in_text())
    }

    proptest! {
        #[test]
        fn as_byte_by_byte(text in proptest::collection::vec(
            proptest::sample::select(&b"\"\"\\\\[]{},:a \n\t\x00\x7f\xc3\xa9"[..]), 0..400,
        )) {
            prop_assert_eq!(quickly(&text), slowly(&text));
        }
    }

    #[test]
    fn bytes_that_are_not_ascii_are_told() {
        let mut block = [b'a'; BLOCK];
        block[63] = 0xc3;
        assert_eq!(Carry::default().read(&block).high, 1 << 63);
        assert_eq!(Carry::default().read(&[0x7f; BLOCK]), Bits::default());
    }
}

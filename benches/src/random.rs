//! Random numbers that are the same on every machine, for ever, and cheap: millions of records are
//! written with them.
//!
//! The generator is SplitMix64. Each use has one of its own, seeded by names, so that a change in one
//! place does not move everything after it.

/// A generator; equal seeds and names give equal sequences.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Returns the generator of one use of a seed.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, number: u64) -> Self {
        // FNV-1a over the purpose, then one step of the generator for each number.
        let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut random = Self(name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        random.0 = random.number().wrapping_add(number);
        random.0 = random.number();
        random
    }

    /// Returns the next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, which is at least one.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound.max(1)
    }

    /// Returns an index into something with that many entries.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// Returns true that often in ten thousand.
    pub fn chance(&mut self, of_ten_thousand: u64) -> bool {
        self.below(10_000) < of_ten_thousand
    }

    /// Returns one of the items.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Appends characters of an alphabet of sixteen or thirty-two.
    fn push(&mut self, text: &mut String, alphabet: &[u8], bits: u32, length: usize) {
        let per_number = (64 / bits) as usize;
        let mut left = length;
        while left > 0 {
            let mut number = self.number();
            for _ in 0..left.min(per_number) {
                text.push(char::from(alphabet[number as usize & (alphabet.len() - 1)]));
                number >>= bits;
            }
            left = left.saturating_sub(per_number);
        }
    }

    /// Appends hexadecimal digits.
    pub fn push_hex(&mut self, text: &mut String, length: usize) {
        self.push(text, b"0123456789abcdef", 4, length);
    }

    /// Appends characters as in AWS's identifiers.
    pub fn push_upper(&mut self, text: &mut String, length: usize) {
        self.push(text, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 5, length);
    }

    /// Returns hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        self.push_hex(&mut text, length);
        text
    }

    /// Returns characters as in AWS's identifiers.
    pub fn upper(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        self.push_upper(&mut text, length);
        text
    }

    /// Appends a version 4 UUID.
    pub fn push_uuid(&mut self, text: &mut String) {
        self.push_hex(text, 8);
        text.push('-');
        self.push_hex(text, 4);
        text.push_str("-4");
        self.push_hex(text, 3);
        text.push_str("-a");
        self.push_hex(text, 3);
        text.push('-');
        self.push_hex(text, 12);
    }
}

/// Draws indices in proportion to weights.
#[derive(Debug, Clone)]
pub struct Weights(Vec<u64>);

impl Weights {
    /// Takes the weights in order; one that is zero is never drawn.
    pub fn new(weights: impl IntoIterator<Item = u64>) -> Self {
        let mut total = 0;
        Self(
            weights
                .into_iter()
                .map(|weight| {
                    total += weight;
                    total
                })
                .collect(),
        )
    }

    /// Returns an index.
    pub fn draw(&self, random: &mut Random) -> usize {
        let at = random.below(self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|&end| end <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_fixed_and_apart() {
        let first = |seed, purpose, number| Random::new(seed, purpose, number).number();
        assert_eq!(first(7, "hour", 1), first(7, "hour", 1));
        let different =
            [first(7, "hour", 1), first(8, "hour", 1), first(7, "file", 1), first(7, "hour", 2)];
        for (index, one) in different.iter().enumerate() {
            assert!(!different[..index].contains(one));
        }
        let mut uuid = String::new();
        Random::new(1, "uuid", 0).push_uuid(&mut uuid);
        assert_eq!(uuid.len(), 36);
    }

    #[test]
    fn weights_are_kept() {
        let weights = Weights::new([1, 0, 3]);
        let mut random = Random::new(1, "weights", 0);
        let mut drawn = [0; 3];
        for _ in 0..4000 {
            drawn[weights.draw(&mut random)] += 1;
        }
        assert_eq!(drawn[1], 0);
        assert!((900..1100).contains(&drawn[0]), "{drawn:?}");
    }
}

//! A set of indexes at the cost of one bit each.

/// A set of small numbers, such as the indexes of files.
#[derive(Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn has(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    pub(crate) fn add(&mut self, index: usize) {
        let words = self.0.len().max(index / 64 + 1);
        self.0.resize(words, 0);
        self.0[index / 64] |= 1 << (index % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_in_any_order() {
        let mut bits = Bits::default();
        for index in [64, 0, 700, 63] {
            bits.add(index);
        }
        let there: Vec<usize> = (0..1000).filter(|index| bits.has(*index)).collect();
        assert_eq!(there, [0, 63, 64, 700]);
    }
}

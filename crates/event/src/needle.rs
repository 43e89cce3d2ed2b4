//! Finds a text in others by its rarest byte.

use memchr::memchr2_iter;

use crate::pattern::CaseRule;

/// The bytes that log texts have most, most frequent first. It is better to look for others.
const FREQUENT: &[u8] = b"e\"asrtnoic:,1d0m2-l3u4p5g.6789/bhAfvySwIECkRUTPDNMx";

/// A text that is looked for in others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Needle {
    bytes: Vec<u8>,
    /// The place of the byte that texts have least often.
    rare: usize,
}

impl Needle {
    /// Returns the needle for a text. To be found in any case, it must be in lower case.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        let bytes = text.into();
        // What is not among them is the rarest.
        let rank = |byte: u8| FREQUENT.iter().position(|one| *one == byte);
        let rarity = |place: &usize| rank(bytes[*place]).unwrap_or(FREQUENT.len());
        let rare = (0..bytes.len()).max_by_key(rarity).unwrap_or_default();
        Self { bytes, rare }
    }

    /// Returns the bytes of the text.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the offsets at which it stands in a text. If case is ignored, it is so only for ASCII letters.
    /// An empty needle is nowhere.
    pub fn places<'t>(
        &'t self,
        text: &'t [u8],
        case: CaseRule,
    ) -> impl Iterator<Item = usize> + 't {
        let (bytes, rare) = (self.bytes.as_slice(), self.rare);
        let (byte, text) = bytes.get(rare).map_or((0, &[][..]), |byte| (*byte, text));
        let other = match case {
            CaseRule::Ignore => byte.to_ascii_uppercase(),
            CaseRule::Exact => byte,
        };
        memchr2_iter(byte, other, text).filter_map(move |at| {
            let start = at.checked_sub(rare)?;
            let found = text.get(start..start + bytes.len())?;
            let is_same = match case {
                CaseRule::Ignore => found.eq_ignore_ascii_case(bytes),
                CaseRule::Exact => found == bytes,
            };
            is_same.then_some(start)
        })
    }

    /// Returns true if it stands anywhere in a text.
    #[must_use]
    pub fn is_in(&self, text: &[u8], case: CaseRule) -> bool {
        self.places(text, case).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_stands() {
        for (needle, text, case, expected) in [
            ("task", "A Task, a TASK and tasks", CaseRule::Ignore, &[2, 10, 19][..]),
            ("task", "A Task, a TASK and tasks", CaseRule::Exact, &[19]),
            ("aa", "aaaa", CaseRule::Exact, &[0, 1, 2]),
            ("é1", "É1 é1", CaseRule::Ignore, &[4]),
            ("k", "\u{212A}", CaseRule::Ignore, &[]),
            ("task", "tas", CaseRule::Ignore, &[]),
            ("", "\0a", CaseRule::Ignore, &[]),
        ] {
            let needle = Needle::new(needle);
            let found: Vec<usize> = needle.places(text.as_bytes(), case).collect();
            assert_eq!(found, expected, "{needle:?} {text}");
            assert_eq!(needle.is_in(text.as_bytes(), case), !expected.is_empty());
        }
    }
}

//! Distinct values of many groups, for `dc`, `estdc` and `values` in an aggregation.
//!
//! Different groups often have the same values, such as the names of API calls. Therefore each text
//! is stored once for all groups, and a group stores the numbers of its texts.

use std::collections::HashSet;

use datafusion::arrow::array::BinaryBuilder;
use foldhash::fast::RandomState;
use indexmap::IndexSet;
use spilltrail_event::Value;

use super::distinct::Give;
use super::lists::members;
use crate::rows::arrow::ColumnBuilder;
use crate::stats::groups::{GroupStatistics, append, each_member};
use crate::stats::{load, save};

/// The distinct values of groups.
pub(super) struct DistinctGroups {
    gives_values: bool,
    texts: Texts,
    groups: Vec<Numbers>,
    /// The bytes that the groups hold on the heap.
    held: usize,
    /// The bytes of the results, in which each text is repeated for each of its groups.
    given: usize,
    /// Unused texts are searched for once the texts are larger than this, in bytes.
    tidied: usize,
}

/// Bytes per text in a column, besides the text itself: its view, and a share of the column's spare
/// capacity.
const VIEW: usize = 24;

/// Unused texts are kept while all texts together are not larger than this, in bytes.
const TIDY: usize = 64 * 1024;

impl DistinctGroups {
    /// Returns statistics without groups; `give` selects the result.
    pub(super) fn new(give: &Give) -> Self {
        let gives_values = matches!(give, Give::Values);
        let texts = Texts::default();
        Self { gives_values, texts, groups: Vec::new(), held: 0, given: 0, tidied: TIDY }
    }

    fn add(&mut self, group: usize, text: &str) {
        let number = self.texts.number(text);
        if let Some(held) = self.groups[group].insert(number) {
            self.held += held;
            self.given += self.size_given(text);
        }
    }

    /// Returns the size of a value in the results, in bytes.
    fn size_given(&self, text: &str) -> usize {
        if self.gives_values { VIEW + text.len() } else { 0 }
    }

    fn sorted(&self, group: &Numbers) -> Vec<&str> {
        let mut texts: Vec<&str> = group.iter().map(|number| self.texts.get(number)).collect();
        texts.sort_unstable();
        texts
    }

    /// Drops the texts that no group has, if all texts together are large.
    fn tidy(&mut self) {
        if self.groups.is_empty() {
            (self.texts, self.groups) = (Texts::default(), Vec::new());
            self.tidied = TIDY;
        } else if self.texts.size() > self.tidied {
            // Only texts that a group has are copied into the new table, under new numbers.
            let old = std::mem::take(&mut self.texts);
            self.held = 0;
            for group in &mut self.groups {
                let known = std::mem::take(group);
                for number in known.iter() {
                    let held = group.insert(self.texts.number(old.get(number)));
                    self.held += held.unwrap_or_default();
                }
            }
            self.tidied = TIDY.max(2 * self.texts.size());
        }
    }
}

impl GroupStatistics for DistinctGroups {
    fn count(&self) -> usize {
        self.groups.len()
    }

    fn grow(&mut self, count: usize) {
        if self.groups.len() < count {
            self.groups.resize_with(count, Numbers::default);
        }
    }

    fn feed(&mut self, group: usize, value: &Value<'_>, _: Option<f64>) {
        each_member(value, |member| {
            if let Some(text) = member.to_text() {
                self.add(group, &text);
            }
        });
    }

    fn merge(&mut self, group: usize, saved: &[u8]) {
        for text in load::<Vec<String>>(saved).unwrap_or_default() {
            self.add(group, &text);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    fn values(&self, count: usize, column: &mut ColumnBuilder) {
        for group in &self.groups[..count] {
            column.push(if self.gives_values {
                members(self.sorted(group).into_iter())
            } else {
                Value::Number(group.len() as f64)
            });
        }
    }

    fn states(&self, count: usize, prefix: &[u8], column: &mut BinaryBuilder) {
        for group in &self.groups[..count] {
            append(column, prefix, &save(&self.sorted(group)));
        }
    }

    fn remove_first(&mut self, count: usize) {
        for group in &self.groups[..count] {
            self.held -= group.held();
            let given = group.iter().map(|number| self.size_given(self.texts.get(number)));
            self.given -= given.sum::<usize>();
        }
        self.groups.drain(..count);
        self.tidy();
    }

    fn size(&self) -> usize {
        let groups = self.groups.capacity() * size_of::<Numbers>() + self.held;
        // The groups are removed once their results are returned, so the larger of both counts.
        // DataFusion has a margin for the moment in which both exist.
        (groups + self.texts.size()).max(self.given)
    }
}

/// Distinct texts, numbered from 0.
#[derive(Default)]
struct Texts {
    texts: IndexSet<Box<str>, RandomState>,
    /// The total length of the texts in bytes.
    bytes: usize,
}

impl Texts {
    fn get(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    fn number(&mut self, text: &str) -> u32 {
        let number = self.texts.get_index_of(text).unwrap_or_else(|| {
            self.bytes += text.len();
            self.texts.insert_full(text.into()).0
        });
        // Memory cannot hold 2^32 texts.
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn size(&self) -> usize {
        // Per entry: pointer, length, hash and index, and the rounding of the text's allocation.
        self.bytes + self.texts.capacity() * 6 * size_of::<usize>()
    }
}

/// A set of numbers.
///
/// Most groups have few numbers, for which a hash table would take too much memory.
enum Numbers {
    Few { count: u8, numbers: [u32; Self::FEW] },
    Many(HashSet<u32, RandomState>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Few { count: 0, numbers: [0; Self::FEW] }
    }
}

impl Numbers {
    const FEW: usize = 8;

    /// Adds a number and returns the increase in held bytes, or `None` if the number was already
    /// included.
    fn insert(&mut self, number: u32) -> Option<usize> {
        match self {
            Self::Few { count, numbers } => {
                let known = &numbers[..usize::from(*count)];
                if known.contains(&number) {
                    return None;
                }
                if let Some(place) = numbers.get_mut(usize::from(*count)) {
                    *place = number;
                    *count += 1;
                    return Some(0);
                }
                *self = Self::Many(numbers.iter().copied().chain([number]).collect());
                Some(self.held())
            }
            Self::Many(many) => {
                // `insert` may grow a full table even if the number is already included.
                if many.contains(&number) {
                    return None;
                }
                let before = many.capacity();
                many.insert(number);
                Some((many.capacity() - before) * SLOT)
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few { count, .. } => usize::from(*count),
            Self::Many(many) => many.len(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u32> {
        let (few, many) = match self {
            Self::Few { count, numbers } => (&numbers[..usize::from(*count)], None),
            Self::Many(many) => (&[][..], Some(many.iter())),
        };
        few.iter().chain(many.into_iter().flatten()).copied()
    }

    fn held(&self) -> usize {
        match self {
            Self::Few { .. } => 0,
            Self::Many(many) => many.capacity() * SLOT,
        }
    }
}

/// Bytes per number in a hash table, with a share of the table's empty slots.
const SLOT: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_there_once() {
        let mut numbers = Numbers::default();
        let mut held = 0;
        for number in (0..100).chain(0..100).map(|number| number % 37) {
            held += numbers.insert(number).unwrap_or_default();
            assert_eq!(held, numbers.held());
        }
        let mut found: Vec<u32> = numbers.iter().collect();
        found.sort_unstable();
        assert_eq!((numbers.len(), found), (37, (0..37).collect()));
    }

    #[test]
    fn a_number_that_is_there_changes_nothing() {
        let (mut numbers, mut held) = (Numbers::default(), 0);
        // At some of these sizes the table is full.
        for number in 0..1000 {
            held += numbers.insert(number).unwrap_or_default();
            assert_eq!((numbers.insert(number), numbers.held()), (None, held), "{number}");
        }
    }

    #[test]
    fn texts_that_no_group_has_are_forgotten() {
        let mut groups = DistinctGroups::new(&Give::Values);
        // A sliding window of ten groups; each has one text of its own and one that all share.
        for turn in 0..20_000 {
            groups.grow(10);
            groups.add(9, &format!("of turn {turn}"));
            groups.add(9, "common");
            groups.remove_first(1);
            let texts = groups.groups.iter().map(|group| groups.sorted(group).concat().len());
            let values: usize = groups.groups.iter().map(Numbers::len).sum();
            assert_eq!(groups.given, texts.sum::<usize>() + values * VIEW);
            assert!(groups.size() < 8 * TIDY, "{turn}");
        }
        assert_eq!(groups.sorted(&groups.groups[8]), ["common", "of turn 19999"]);
        groups.remove_first(9);
        assert_eq!(groups.size(), 0);
    }
}

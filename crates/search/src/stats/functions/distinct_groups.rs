//! Distinct values of many groups: `dc` and `values` of an aggregation.
//!
//! Groups have much the same values, such as the names of calls. Each text is there once for all of them,
//! and a group has numbers.

use std::hash::BuildHasher;

use datafusion::arrow::array::BinaryBuilder;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use spilltrail_event::Value;

use super::distinct::Give;
use super::lists::members;
use crate::expression::arrow::ColumnBuilder;
use crate::stats::groups::{GroupOf, GroupStatistics, Taken, append};
use crate::stats::{load, save};

/// The distinct values of groups.
pub(super) struct DistinctGroups {
    gives_values: bool,
    texts: Texts,
    groups: Vec<Numbers>,
    /// What the groups hold besides themselves.
    held: usize,
    /// What their values will take when they are given, each text with its group again.
    given: usize,
    /// The size of the texts from which on it is looked whether they are still in use.
    tidied: usize,
}

/// What a text takes in a column besides itself, with some room for the column to grow.
const VIEW: usize = 24;

/// Up to this size texts that are not in use may stay.
const TIDY: usize = 64 * 1024;

impl DistinctGroups {
    /// Returns no groups; `give` is what is told of the values.
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

    /// Returns what a value takes when it is given.
    fn size_given(&self, text: &str) -> usize {
        if self.gives_values { VIEW + text.len() } else { 0 }
    }

    fn add_value(&mut self, group: usize, value: &Value<'_>) {
        match value {
            Value::Null => {}
            Value::Multi(members) => members.iter().for_each(|member| self.add(group, member)),
            single => {
                if let Some(text) = single.to_text() {
                    self.add(group, &text);
                }
            }
        }
    }

    fn sorted(&self, group: &Numbers) -> Vec<&str> {
        let mut texts: Vec<&str> = group.iter().map(|number| self.texts.get(number)).collect();
        texts.sort_unstable();
        texts
    }

    /// Forgets the texts that no group has, if they may be many.
    fn tidy(&mut self) {
        if self.groups.is_empty() {
            (self.texts, self.groups) = (Texts::default(), Vec::new());
            self.tidied = TIDY;
        } else if self.texts.size() > self.tidied {
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

    fn update(&mut self, taken: &Taken<'_>, group_of: GroupOf<'_>) {
        for row in taken.counting() {
            self.add_value(group_of.row(row), &taken.values.value(row));
        }
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
        // The groups go when their values are given. That both are there for a moment is what the engine
        // has a margin for.
        (groups + self.texts.size()).max(self.given)
    }
}

/// Texts, each of which has a number.
#[derive(Default)]
struct Texts {
    numbers: HashTable<u32>,
    hasher: RandomState,
    bytes: String,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl Texts {
    fn get(&self, number: u32) -> &str {
        text(&self.bytes, &self.ends, number)
    }

    fn number(&mut self, wanted: &str) -> u32 {
        let Self { numbers, hasher, bytes, ends } = self;
        let hash = |text: &str| hasher.hash_one(text);
        let is_it = |number: &u32| text(bytes, ends, *number) == wanted;
        if let Some(number) = numbers.find(hash(wanted), is_it) {
            return *number;
        }
        let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        let rehash = |number: &u32| hash(text(bytes, ends, *number));
        numbers.insert_unique(hash(wanted), number, rehash);
        bytes.push_str(wanted);
        ends.push(bytes.len());
        number
    }

    fn size(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.numbers.allocation_size()
    }
}

fn text<'a>(bytes: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[number]]
}

/// Different numbers. Most groups have few, for which a table is too large.
enum Numbers {
    Few { count: u8, numbers: [u32; Self::FEW] },
    Many(Box<HashTable<u32>>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Few { count: 0, numbers: [0; Self::FEW] }
    }
}

impl Numbers {
    const FEW: usize = 5;

    /// Adds a number; returns how many more bytes are held, or none if it was there.
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
                let mut many = Box::new(HashTable::with_capacity(2 * Self::FEW));
                for number in numbers.iter().copied().chain([number]) {
                    many.insert_unique(spread(number), number, |number| spread(*number));
                }
                *self = Self::Many(many);
                Some(self.held())
            }
            Self::Many(many) => {
                let before = many.allocation_size();
                let hash = spread(number);
                if many.find(hash, |known| *known == number).is_some() {
                    return None;
                }
                many.insert_unique(hash, number, |number| spread(*number));
                Some(many.allocation_size() - before)
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
            Self::Many(many) => size_of::<HashTable<u32>>() + many.allocation_size(),
        }
    }
}

/// Numbers are dense; a table looks at the upper bits and at the lower ones.
fn spread(number: u32) -> u64 {
    u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32)
}

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
    fn texts_that_no_group_has_are_forgotten() {
        let mut groups = DistinctGroups::new(&Give::Values);
        // A window of ten groups that moves on, each with texts of its own and one that all have.
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

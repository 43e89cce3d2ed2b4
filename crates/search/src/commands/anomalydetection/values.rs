//! The values of a field in all rows; equal values are stored once.

use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};
use spilltrail_event::Value;

/// The value of a field in each row.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// The index in `distinct` of the value of each row.
    rows: Vec<u32>,
    /// Each distinct value with the number of rows that have it.
    distinct: IndexMap<Kept, usize, RandomState>,
    bytes: usize,
}

/// A stored value, as a map key. Numbers are equal if their bits are, so that `NaN` equals itself.
#[derive(Debug)]
struct Kept(Value<'static>);

/// Looks up a [`Kept`] value without making an owned copy.
struct Probe<'a>(&'a Value<'a>);

impl Values {
    /// Adds the value of the next row.
    pub(super) fn push(&mut self, value: &Value<'_>) {
        let place = match self.distinct.get_full_mut(&Probe(value)) {
            Some((place, _, count)) => {
                *count += 1;
                place
            }
            None => {
                let owned = value.clone().into_owned();
                let texts: usize = owned.members().iter().map(|member| member.len() + 24).sum();
                self.bytes += texts + 2 * size_of::<(Kept, usize)>();
                self.distinct.insert_full(Kept(owned), 1).0
            }
        };
        // Fewer than 2^32 rows fit into memory, so the conversion does not fail.
        self.rows.push(u32::try_from(place).unwrap_or(u32::MAX));
    }

    /// Returns the number of rows.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// Returns the index of a row's value among the distinct values.
    pub(super) fn place(&self, row: usize) -> usize {
        self.rows[row] as usize
    }

    /// Returns the distinct values in index order, with the number of rows that have each.
    pub(super) fn distinct(&self) -> impl Iterator<Item = (&Value<'static>, usize)> {
        self.distinct.iter().map(|(value, count)| (&value.0, *count))
    }

    /// Returns true if no row has the field.
    pub(super) fn are_absent(&self) -> bool {
        self.distinct().all(|(value, _)| value.is_null())
    }

    /// Returns the numbers of the rows that have the field, in row order. Returns `None` if no row
    /// has the field, or if a value is not a finite number.
    pub(super) fn numbers(&self) -> Option<impl Iterator<Item = f64> + Clone> {
        let mut by_place = Vec::with_capacity(self.distinct.len());
        for (value, _) in self.distinct() {
            let number = value.as_number().filter(|number| number.is_finite());
            if number.is_none() && !value.is_null() {
                return None;
            }
            by_place.push(number);
        }
        if self.are_absent() {
            return None;
        }
        // Shared, so that the returned iterator is cheap to clone.
        let by_place = std::rc::Rc::new(by_place);
        Some(self.rows.iter().filter_map(move |place| by_place[*place as usize]))
    }

    /// Returns the approximate memory use of the values in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.rows.capacity() * size_of::<u32>()
    }
}

fn hash<H: Hasher>(value: &Value<'_>, state: &mut H) {
    match value {
        Value::Null => 0.hash(state),
        Value::Bool(value) => value.hash(state),
        Value::Number(number) => number.to_bits().hash(state),
        Value::Text(text) => text.hash(state),
        Value::Multi(members) => members.hash(state),
    }
}

fn are_equal(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        are_equal(&self.0, &other.0)
    }
}

impl Eq for Kept {}

impl Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.0, state);
    }
}

impl Equivalent<Kept> for Probe<'_> {
    fn equivalent(&self, key: &Kept) -> bool {
        are_equal(self.0, &key.0)
    }
}

#[cfg(test)]
impl<'v> FromIterator<Value<'v>> for Values {
    fn from_iter<I: IntoIterator<Item = Value<'v>>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.push(&value));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once() {
        let multi = || Value::multi(vec!["a".into(), "b".into()]);
        let values: Values = [
            Value::text("a"),
            Value::Null,
            Value::Number(1.0),
            Value::text("1"),
            multi(),
            Value::text("a"),
            Value::Number(1.0),
            multi(),
            Value::Null,
            Value::Number(f64::NAN),
            Value::Number(f64::NAN),
        ]
        .into_iter()
        .collect();
        let places: Vec<_> = (0..values.count()).map(|row| values.place(row)).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 0, 2, 4, 1, 5, 5]);
        let counts: Vec<_> = values.distinct().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 2, 2, 1, 2, 2]);
        assert!(values.numbers().is_none());
        let numbers: Values =
            [Value::text("2"), Value::Null, Value::Number(-1.0)].into_iter().collect();
        assert_eq!(numbers.numbers().map(Iterator::collect), Some(vec![2.0, -1.0]));
        let none: Values = [Value::Null].into_iter().collect();
        assert!(none.are_absent() && none.numbers().is_none());
    }
}

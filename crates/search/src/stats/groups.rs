//! The statistics of many groups, stored contiguously in memory.
//!
//! An aggregation has one statistic per group and may have hundreds of thousands of groups. The
//! statistics of one function are stored in one vector of their concrete type. The total size of
//! their heap memory is updated with each change, because DataFusion asks for it after each batch.

use datafusion::arrow::array::{Array, BinaryBuilder, BooleanArray};
use spilltrail_event::Value;

use super::Statistic;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};

/// The constructors of one function's statistics; the `start!` macro writes them.
///
/// The argument of each is the number in the function's name.
#[derive(Debug, Clone, Copy)]
pub struct Start {
    /// Creates one statistic.
    pub one: fn(f64) -> Box<dyn Statistic>,
    /// Creates the statistics of groups.
    pub groups: fn(f64) -> Box<dyn GroupStatistics>,
    /// Creates the statistics of groups with `allnum=true`.
    pub all_numbers: fn(f64) -> Box<dyn GroupStatistics>,
}

/// Returns the `Start` of a function, given the expression that creates one statistic from the
/// number in the function's name: `start!(percent => …)`.
macro_rules! start {
    ($parameter:pat => $statistic:expr) => {
        $crate::stats::Start {
            one: |$parameter| Box::new($statistic),
            groups: |parameter| {
                Box::new($crate::stats::groups::Groups::new(parameter, |$parameter| $statistic))
            },
            all_numbers: |parameter| {
                Box::new($crate::stats::groups::Groups::new(parameter, |$parameter| {
                    $crate::stats::AllNumbers::new(Box::new($statistic))
                }))
            },
        }
    };
}
pub(crate) use start;

/// The group that each row of a batch belongs to.
#[derive(Debug, Clone, Copy)]
pub enum GroupOf<'a> {
    /// The group at the row's index in this list.
    Listed(&'a [usize]),
    /// Group 0 for all rows.
    Only,
    /// A separate group for each row.
    Own,
}

impl GroupOf<'_> {
    /// Returns the index of the row's group.
    #[must_use]
    pub fn row(self, row: usize) -> usize {
        match self {
            Self::Listed(groups) => groups[row],
            Self::Only => 0,
            Self::Own => row,
        }
    }
}

/// The values of a batch that are added to statistics.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The values.
    pub values: &'a ColumnReader,
    /// The rows' times, for functions that need them.
    pub times: Option<&'a ColumnReader>,
    /// True for the rows that count; `None` if all rows do.
    pub filter: Option<&'a BooleanArray>,
    /// The number of rows.
    pub rows: usize,
}

impl Taken<'_> {
    /// Returns the indices of the rows that count.
    pub fn counting(&self) -> impl Iterator<Item = usize> {
        let counts = |row: &usize| {
            self.filter.is_none_or(|filter| filter.is_valid(*row) && filter.value(*row))
        };
        (0..self.rows).filter(counts)
    }
}

/// The statistics of one function for groups that are numbered from 0.
pub trait GroupStatistics: Send + Sync {
    /// Returns the number of groups.
    fn count(&self) -> usize;

    /// Adds empty groups until there are at least `count`.
    fn grow(&mut self, count: usize);

    /// Adds a value to a group, member by member; `time` is the row's `_time` if the function needs
    /// it.
    fn feed(&mut self, group: usize, value: &Value<'_>, time: Option<f64>);

    /// Adds the values of a batch.
    fn update(&mut self, taken: &Taken<'_>, group_of: GroupOf<'_>) {
        for row in taken.counting() {
            let time = taken.times.and_then(|times| times.value(row).as_number());
            self.feed(group_of.row(row), &taken.values.value(row), time);
        }
    }

    /// Adds a saved state to a group, as [`Statistic::merge`] does.
    fn merge(&mut self, group: usize, saved: &[u8]);

    /// Appends the results of the first `count` groups to `column`.
    fn values(&self, count: usize, column: &mut ColumnBuilder);

    /// Appends the states of the first `count` groups, as [`Statistic::save`] returns them, each
    /// after `prefix`.
    ///
    /// Called when the groups fill the memory, so the states must be written to `column` directly
    /// and not be collected first.
    fn states(&self, count: usize, prefix: &[u8], column: &mut BinaryBuilder);

    /// Removes the first `count` groups; the numbers of the other groups decrease by `count`.
    fn remove_first(&mut self, count: usize);

    /// Returns the approximate size of all statistics, in bytes.
    fn size(&self) -> usize;
}

/// The statistics of groups as values of the type `S`.
pub(crate) struct Groups<S> {
    parameter: f64,
    make: Box<dyn Fn(f64) -> S + Send + Sync>,
    statistics: Vec<S>,
    /// The sum of [`Statistic::held`] over all statistics.
    held: usize,
}

impl<S: Statistic> Groups<S> {
    pub(crate) fn new(parameter: f64, make: impl Fn(f64) -> S + Send + Sync + 'static) -> Self {
        Self { parameter, make: Box::new(make), statistics: Vec::new(), held: 0 }
    }

    fn change(&mut self, group: usize, change: impl FnOnce(&mut S)) {
        let statistic = &mut self.statistics[group];
        let before = statistic.held();
        change(statistic);
        self.held = self.held + statistic.held() - before;
    }
}

impl<S: Statistic> GroupStatistics for Groups<S> {
    fn count(&self) -> usize {
        self.statistics.len()
    }

    fn grow(&mut self, count: usize) {
        while self.statistics.len() < count {
            let statistic = (self.make)(self.parameter);
            self.held += statistic.held();
            self.statistics.push(statistic);
        }
    }

    fn feed(&mut self, group: usize, value: &Value<'_>, time: Option<f64>) {
        self.change(group, |statistic| feed(statistic, value, time));
    }

    fn merge(&mut self, group: usize, saved: &[u8]) {
        self.change(group, |statistic| statistic.merge(saved));
    }

    fn values(&self, count: usize, column: &mut ColumnBuilder) {
        self.statistics[..count].iter().for_each(|statistic| column.push(statistic.value()));
    }

    fn states(&self, count: usize, prefix: &[u8], column: &mut BinaryBuilder) {
        for statistic in &self.statistics[..count] {
            append(column, prefix, &statistic.save());
        }
    }

    fn remove_first(&mut self, count: usize) {
        for statistic in self.statistics.drain(..count) {
            self.held -= statistic.held();
        }
        if self.statistics.is_empty() {
            self.statistics = Vec::new();
        }
    }

    fn size(&self) -> usize {
        self.held + self.statistics.capacity() * size_of::<S>()
    }
}

/// Appends a prefix and a state as one value.
pub(crate) fn append(column: &mut BinaryBuilder, prefix: &[u8], state: &[u8]) {
    column.append_value([prefix, state].concat());
}

/// Calls `take` with each member of a value; a single value is its own only member, and null has no
/// members.
pub(crate) fn each_member(value: &Value<'_>, mut take: impl FnMut(&Value<'_>)) {
    match value {
        Value::Null => {}
        Value::Multi(members) => {
            members.iter().for_each(|member| take(&Value::text(member.as_ref())));
        }
        single => take(single),
    }
}

/// Adds a value to a statistic, member by member.
pub(crate) fn feed<S: Statistic + ?Sized>(statistic: &mut S, value: &Value<'_>, time: Option<f64>) {
    each_member(value, |member| statistic.update(member, time));
}

/// Removes a value from a statistic, member by member.
///
/// Returns false if the statistic must be recomputed from the remaining values.
pub(crate) fn forget(statistic: &mut dyn Statistic, value: &Value<'_>, time: Option<f64>) -> bool {
    match value {
        Value::Null => true,
        Value::Multi(members) => {
            members.iter().all(|member| statistic.forget(&Value::text(member.as_ref()), time))
        }
        single => statistic.forget(single, time),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, StringViewArray};
    use spilltrail_event::Kind;

    use super::*;
    use crate::rows::arrow::from_array;
    use crate::stats::functions::FUNCTIONS;

    #[test]
    fn what_is_held_is_that_of_all_statistics() {
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(
            (0..200).map(|number| ((number * 7) % 31).to_string()),
        ));
        let listed: Vec<usize> = (0..200).map(|row| row % 3).collect();
        let values = ColumnReader::new(&texts).unwrap();
        for function in FUNCTIONS {
            let mut groups = (function.start.groups)(50.0);
            let taken = Taken { values: &values, times: Some(&values), filter: None, rows: 200 };
            groups.grow(3);
            let empty = groups.size();
            groups.update(&taken, GroupOf::Listed(&listed));
            let mut states = BinaryBuilder::new();
            groups.states(3, b"", &mut states);
            let states = states.finish();
            groups.merge(2, states.value(2));
            let name = function.name;
            let mut alone = [(); 3].map(|()| (function.start.one)(50.0));
            for (row, group) in listed.iter().enumerate() {
                let time = values.value(row).as_number();
                alone[*group].update(&values.value(row), time);
            }
            alone[2].merge(states.value(2));
            let held: usize = alone.iter().map(|statistic| statistic.held()).sum();
            let shares_texts = ["dc", "estdc", "values"].contains(&name);
            assert!(shares_texts || groups.size() == empty + held, "{name}");
            let mut column = ColumnBuilder::new((function.kind)(Kind::Text));
            groups.values(3, &mut column);
            let want: Vec<_> = alone.iter().map(|statistic| statistic.value()).collect();
            let got = from_array(&column.finish()).unwrap();
            assert_eq!(format!("{got:?}"), format!("{want:?}"), "{name}");
            groups.remove_first(2);
            groups.remove_first(1);
            assert_eq!((groups.count(), groups.size()), (0, 0), "{name}");
        }
    }
}

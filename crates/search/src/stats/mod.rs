//! The statistics functions of the `stats` family, and the planning of aggregates.
//!
//! A [`Statistic`] reads values and returns one; the same implementation is used by hash
//! aggregations, `eventstats` and `streamstats`.

pub mod aggregate;
pub mod functions;
pub(crate) mod group_key;
pub mod groups;
#[cfg(test)]
mod spilling;
pub(crate) mod udaf;

use std::fmt::Debug;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spilltrail_event::{Kind, Value};

pub use aggregate::PlannedAggregate;
pub(crate) use functions::lists::LIST_LIMIT;
pub use functions::sparkline::MARK as SPARKLINE_MARK;
pub use functions::{FUNCTIONS, find, named};
pub(crate) use groups::start;
pub use groups::{GroupStatistics, Start};

/// A running statistic over the values of one group.
pub trait Statistic: Debug + Send + Sync {
    /// Adds one value.
    ///
    /// The value is never null, and never a multivalue unless the function reads whole values.
    /// `time` is the row's `_time` if the function needs it.
    fn update(&mut self, value: &Value<'_>, time: Option<f64>);

    /// Returns the statistic of the values added so far.
    fn value(&self) -> Value<'static>;

    /// Returns the current state in the form that [`Statistic::merge`] reads.
    fn save(&self) -> Vec<u8>;

    /// Adds the values of another statistic of the same function, given its saved state.
    ///
    /// Its values count as added after those of this statistic.
    fn merge(&mut self, saved: &[u8]);

    /// Removes the oldest value still included and returns true, or returns false and changes
    /// nothing if the statistic of the other values cannot be computed exactly.
    ///
    /// The arguments are those that the value was added with.
    fn forget(&mut self, _: &Value<'_>, _: Option<f64>) -> bool {
        false
    }

    /// Returns the approximate number of bytes held on the heap.
    fn held(&self) -> usize {
        0
    }
}

/// The input of a statistics function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Each member of the value separately.
    Members,
    /// Each member, with the row's `_time`.
    MembersWithTime,
    /// The value as a whole; only its presence matters.
    Rows,
}

/// A statistics function.
#[derive(Debug)]
pub struct StatsFunction {
    /// The name in lower case, without a number: `perc` for `perc95`.
    pub name: &'static str,
    /// Alternative names.
    pub aliases: &'static [&'static str],
    /// What it does, in the imperative, ending with a period.
    pub summary: &'static str,
    /// Examples: rows as JSON lines, a call, and its result over these rows as JSON.
    pub examples: &'static [(&'static str, &'static str, &'static str)],
    /// True if a number is part of the name, as in `p95`.
    pub has_parameter: bool,
    /// True if the result depends on the order of the rows.
    pub sees_order: bool,
    /// The input.
    pub feed: Feed,
    /// Returns the kind of the result for the kind of the input.
    pub kind: fn(Kind) -> Kind,
    /// Creates the function's statistics.
    pub start: Start,
    /// Every known difference from Splunk.
    pub differs: &'static [&'static str],
}

impl StatsFunction {
    /// Returns the name as documentation shows it, with a placeholder for the number:
    /// `perc<number>`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}{}", self.name, if self.has_parameter { "<number>" } else { "" })
    }
}

/// A number in a saved state, written as its bits.
///
/// States are JSON, which cannot represent infinities and NaN as numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Exact(pub(crate) f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.to_bits())
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(|bits| Self(f64::from_bits(bits)))
    }
}

/// Returns a statistic's state as JSON.
///
/// All states are plain data, and their floating-point numbers are [`Exact`].
pub(crate) fn save<T: Serialize>(state: &T) -> Vec<u8> {
    serde_json::to_vec(state).unwrap_or_default()
}

/// Returns the state that [`save`] wrote, or `None` if it cannot be read.
pub(crate) fn load<T: serde::de::DeserializeOwned>(saved: &[u8]) -> Option<T> {
    serde_json::from_slice(saved).ok()
}

/// A statistic that is null if any value is not a number, for `allnum=true`.
#[derive(Debug)]
pub(crate) struct AllNumbers {
    inner: Box<dyn Statistic>,
    /// The number of values that are not numbers.
    others: u64,
}

impl AllNumbers {
    pub(crate) fn new(inner: Box<dyn Statistic>) -> Self {
        Self { inner, others: 0 }
    }
}

impl Statistic for AllNumbers {
    fn update(&mut self, value: &Value<'_>, time: Option<f64>) {
        self.others += u64::from(value.as_number().is_none());
        self.inner.update(value, time);
    }

    fn value(&self) -> Value<'static> {
        if self.others > 0 { Value::Null } else { self.inner.value() }
    }

    fn save(&self) -> Vec<u8> {
        [self.others.to_le_bytes().as_slice(), &self.inner.save()].concat()
    }

    fn merge(&mut self, saved: &[u8]) {
        if let Some((others, inner)) = saved.split_first_chunk() {
            self.others += u64::from_le_bytes(*others);
            self.inner.merge(inner);
        }
    }

    fn forget(&mut self, value: &Value<'_>, time: Option<f64>) -> bool {
        let is_forgotten = self.inner.forget(value, time);
        if is_forgotten {
            self.others -= u64::from(value.as_number().is_none());
        }
        is_forgotten
    }

    fn held(&self) -> usize {
        size_of_val(&*self.inner) + self.inner.held()
    }
}

//! The statistics of the `stats` family: functions, and how an aggregate is planned.
//!
//! A [`Statistic`] takes values and gives one; it is the same whether a hash aggregation, `eventstats`
//! or `streamstats` feeds it.

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
pub use functions::{FUNCTIONS, find, named};
pub(crate) use groups::start;
pub use groups::{GroupStatistics, Start};

/// A running statistic over the values of one group.
pub trait Statistic: Debug + Send + Sync {
    /// Takes one value. It is never null, and never a multivalue unless the function takes whole
    /// values; `time` is the row's `_time`, where the function asks for it.
    fn update(&mut self, value: &Value<'_>, time: Option<f64>);

    /// Returns the statistic of what was taken so far.
    fn value(&self) -> Value<'static>;

    /// Returns what was taken so far, in a form that [`Statistic::merge`] reads.
    fn save(&self) -> Vec<u8>;

    /// Takes what another statistic of the same kind saved; what it took comes after what this one
    /// took.
    fn merge(&mut self, saved: &[u8]);

    /// Takes back a value that was taken, the oldest of those still there, and returns true; or
    /// returns false, and is as it was, if what is left cannot be told exactly.
    fn forget(&mut self, _: &Value<'_>, _: Option<f64>) -> bool {
        false
    }

    /// Returns the bytes held on the heap, about.
    fn held(&self) -> usize {
        0
    }
}

/// What a function is fed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Each member of the value by itself.
    Members,
    /// Each member, with the row's `_time`.
    MembersWithTime,
    /// The value as a whole; only whether it is there counts.
    Rows,
}

/// A statistics function.
#[derive(Debug)]
pub struct StatsFunction {
    /// Name in lower case; those with a number (`perc95`) are listed without it.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What it gives, one line with a full stop.
    pub summary: &'static str,
    /// True if a number is part of the name, as in `p95`.
    pub has_parameter: bool,
    /// True if the order of the rows matters.
    pub sees_order: bool,
    /// What it is fed with.
    pub feed: Feed,
    /// The kind of what it gives, for the kind of what it takes.
    pub kind: fn(Kind) -> Kind,
    /// Makes them.
    pub start: Start,
    /// Every known difference from Splunk.
    pub differs: &'static [&'static str],
}

impl StatsFunction {
    /// Returns the name as it is written, with a placeholder for the number: `perc<number>`.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}{}", self.name, if self.has_parameter { "<number>" } else { "" })
    }
}

/// A number in a saved state. States are JSON, which has no infinities and no NaN, so that its bits
/// are written.
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

/// Saves a statistic's state; all states are plain data, their numbers [`Exact`].
pub(crate) fn save<T: Serialize>(state: &T) -> Vec<u8> {
    serde_json::to_vec(state).unwrap_or_default()
}

/// Reads a state that [`save`] wrote.
pub(crate) fn load<T: serde::de::DeserializeOwned>(saved: &[u8]) -> Option<T> {
    serde_json::from_slice(saved).ok()
}

/// Suppresses the statistic once a value was no number: `allnum=true`.
#[derive(Debug)]
pub(crate) struct AllNumbers {
    inner: Box<dyn Statistic>,
    /// How many values were no numbers.
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

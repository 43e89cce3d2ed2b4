//! `dc`, `estdc`, `estdc_error` and `mode`: statistics of distinct values.
//!
//! Values are compared as text: `1` and `1.0` are two values.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use spilltrail_event::{Kind, Value};

use super::distinct_groups::DistinctGroups;
use super::lists::members;

use super::BYTES;
use crate::stats::{Feed, Start, Statistic, StatsFunction, load, save, start};

pub(super) static DC: StatsFunction = StatsFunction {
    name: "dc",
    aliases: &["distinct_count"],
    summary: "Count the distinct values, compared as text.",
    examples: &[(BYTES, "dc(bytes)", "3")],
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: Start {
        groups: |_| Box::new(DistinctGroups::new(&Give::Count)),
        ..start!(_ => Distinct::new(Give::Count))
    },
    differs: &[],
};

pub(super) static ESTDC: StatsFunction = StatsFunction {
    name: "estdc",
    aliases: &[],
    summary: "Count the distinct values. The result is exact.",
    examples: &[(BYTES, "estdc(bytes)", "3")],
    start: Start {
        groups: |_| Box::new(DistinctGroups::new(&Give::Count)),
        ..start!(_ => Distinct::new(Give::Count))
    },
    differs: &["The result is always exact; Splunk estimates it from 1,000 distinct values on."],
    ..DC
};

pub(super) static ESTDC_ERROR: StatsFunction = StatsFunction {
    name: "estdc_error",
    aliases: &[],
    summary: "Return the relative error of `estdc`: always 0, because `estdc` is exact.",
    examples: &[(BYTES, "estdc_error(bytes)", "0")],
    start: start!(_ => Distinct::new(Give::Error)),
    differs: &["Always 0, because `estdc` is exact."],
    ..DC
};

pub(super) static MODE: StatsFunction = StatsFunction {
    name: "mode",
    aliases: &[],
    summary: "Return the most frequent value. If several are equally frequent, return the last in byte order.",
    examples: &[(BYTES, "mode(bytes)", "\"4\"")],
    kind: |_| Kind::Text,
    start: start!(_ => Distinct::new(Give::Mode)),
    differs: &["Splunk does not document which of several equally frequent values it returns."],
    ..DC
};

/// The result that is computed from the distinct values.
#[derive(Debug)]
pub(super) enum Give {
    Count,
    Error,
    Mode,
    Values,
}

/// The distinct values and how often each occurred.
#[derive(Debug)]
pub(super) struct Distinct {
    give: Give,
    counts: Counts,
    held: usize,
}

/// Values with their counts.
///
/// Most groups have few values, for which a hash table would take too much memory.
#[derive(Debug)]
enum Counts {
    Few(Vec<(Box<str>, u64)>),
    Many(HashMap<Box<str>, u64, RandomState>),
}

impl Counts {
    const FEW: usize = 8;

    /// Returns a value's count.
    fn get_mut(&mut self, text: &str) -> Option<&mut u64> {
        match self {
            Self::Few(few) => few.iter_mut().find(|(known, _)| **known == *text).map(|(_, n)| n),
            Self::Many(many) => many.get_mut(text),
        }
    }

    /// Adds a value that is not included yet.
    fn insert(&mut self, text: &str, count: u64) {
        match self {
            Self::Few(few) if few.len() < Self::FEW => {
                if few.is_empty() {
                    few.reserve_exact(1);
                }
                few.push((text.into(), count));
            }
            Self::Few(few) => {
                let mut many: HashMap<_, _, _> = few.drain(..).collect();
                many.insert(text.into(), count);
                *self = Self::Many(many);
            }
            Self::Many(many) => {
                many.insert(text.into(), count);
            }
        }
    }

    fn remove(&mut self, text: &str) {
        match self {
            Self::Few(few) => few.retain(|(known, _)| **known != *text),
            Self::Many(many) => {
                many.remove(text);
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    /// Returns the values and their counts in byte order of the values.
    fn sorted(&self) -> Vec<(&str, u64)> {
        let mut sorted: Vec<(&str, u64)> = match self {
            Self::Few(few) => few.iter().map(|(text, count)| (&**text, *count)).collect(),
            Self::Many(many) => many.iter().map(|(text, count)| (&**text, *count)).collect(),
        };
        sorted.sort_unstable_by_key(|(text, _)| *text);
        sorted
    }
}

impl Distinct {
    pub(super) fn new(give: Give) -> Self {
        Self { give, counts: Counts::Few(Vec::new()), held: 0 }
    }

    fn add(&mut self, text: &str, count: u64) {
        if let Some(known) = self.counts.get_mut(text) {
            *known += count;
        } else {
            self.held += text.len() + 48;
            self.counts.insert(text, count);
        }
    }
}

impl Statistic for Distinct {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        if let Some(text) = value.to_text() {
            self.add(&text, 1);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
    fn value(&self) -> Value<'static> {
        match self.give {
            Give::Count => Value::Number(self.counts.len() as f64),
            Give::Error => Value::Number(0.0),
            Give::Values => members(self.counts.sorted().iter().map(|(text, _)| text)),
            Give::Mode => {
                let mode = self.counts.sorted().into_iter().max_by_key(|(_, count)| *count);
                mode.map_or(Value::Null, |(text, _)| Value::text(text.to_owned()))
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        save(&self.counts.sorted())
    }

    fn merge(&mut self, saved: &[u8]) {
        for (text, count) in load::<Vec<(String, u64)>>(saved).unwrap_or_default() {
            self.add(&text, count);
        }
    }

    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(text) = value.to_text() else { return true };
        let Some(count) = self.counts.get_mut(&text) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&text);
            self.held -= text.len() + 48;
        }
        true
    }

    fn held(&self) -> usize {
        self.held
    }
}

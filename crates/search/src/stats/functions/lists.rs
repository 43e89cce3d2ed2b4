//! `values` and `list`: return the values themselves.

use std::borrow::Cow;

use spilltrail_event::{Kind, Value};

use super::distinct::{Distinct, Give};
use super::distinct_groups::DistinctGroups;

use super::BYTES;
use crate::stats::{Feed, Start, Statistic, StatsFunction, load, save, start};

/// The maximum number of values that `list` returns (limits.conf `[stats] list_maxsize`).
pub(crate) const LIST_LIMIT: usize = 100;

/// The number of values that a list holds: one more than it returns, so that a cut list is known.
const HELD: usize = LIST_LIMIT + 1;

pub(super) static VALUES: StatsFunction = StatsFunction {
    name: "values",
    aliases: &[],
    summary: "Return the distinct values as a multivalue, in byte order.",
    examples: &[(BYTES, "values(bytes)", "[\"10\",\"2\",\"4\"]")],
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Multi,
    start: Start {
        groups: |_| Box::new(DistinctGroups::new(&Give::Values)),
        ..start!(_ => Distinct::new(Give::Values))
    },
    differs: &[],
};

pub(super) static LIST: StatsFunction = StatsFunction {
    name: "list",
    summary: "Return the first 100 values as a multivalue, in the order of the rows, with duplicates.",
    examples: &[(BYTES, "list(bytes)", "[\"2\",\"4\",\"4\",\"10\"]")],
    sees_order: true,
    start: start!(_ => List::default()),
    ..VALUES
};

pub(super) fn members(texts: impl Iterator<Item = impl AsRef<str>>) -> Value<'static> {
    Value::multi(texts.map(|text| Cow::Owned(text.as_ref().to_owned())).collect())
}

#[derive(Debug, Default)]
struct List {
    texts: Vec<String>,
    /// The approximate size of `texts` in bytes.
    held: usize,
}

impl List {
    fn add(&mut self, text: String) {
        if self.texts.len() < HELD {
            self.held += size_of::<String>() + text.len();
            self.texts.push(text);
        }
    }
}

impl Statistic for List {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        if self.texts.len() < HELD
            && let Some(text) = value.to_text()
        {
            self.add(text.into_owned());
        }
    }

    fn value(&self) -> Value<'static> {
        members(self.texts.iter())
    }

    fn save(&self) -> Vec<u8> {
        save(&self.texts)
    }

    fn merge(&mut self, saved: &[u8]) {
        let more = load::<Vec<String>>(saved).unwrap_or_default();
        more.into_iter().for_each(|text| self.add(text));
    }

    /// Returns false if the list is full: it may have ignored a later value, which would now have
    /// room.
    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        if value.is_null() {
            return true;
        }
        let can_forget = !self.texts.is_empty() && self.texts.len() < HELD;
        if can_forget {
            let text = self.texts.remove(0);
            self.held -= size_of::<String>() + text.len();
        }
        can_forget
    }

    fn held(&self) -> usize {
        self.held
    }
}

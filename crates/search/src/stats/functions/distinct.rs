//! Distinct values: how many, estimated, and the most frequent. Values are text: `1` and `1.0` are
//! two.

use std::collections::BTreeMap;

use spilltrail_event::{Kind, Value};

use super::lists::members;
use crate::stats::{Feed, Statistic, StatsFunction, load, save};

pub(super) static DC: StatsFunction = StatsFunction {
    name: "dc",
    aliases: &["distinct_count"],
    summary: "Counts distinct values, compared as text.",
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: |_| Box::new(Distinct::new(Give::Count)),
    differs: &[],
};

pub(super) static ESTDC: StatsFunction = StatsFunction {
    name: "estdc",
    aliases: &[],
    summary: "Counts distinct values; exact at any number of them.",
    start: |_| Box::new(Distinct::new(Give::Count)),
    differs: &["It never estimates: Splunk does from 1,000 distinct values on."],
    ..DC
};

pub(super) static ESTDC_ERROR: StatsFunction = StatsFunction {
    name: "estdc_error",
    aliases: &[],
    summary: "Gives the error of `estdc` as a ratio: always 0, because it is exact.",
    start: |_| Box::new(Distinct::new(Give::Error)),
    differs: &["Always 0, because `estdc` is exact."],
    ..DC
};

pub(super) static MODE: StatsFunction = StatsFunction {
    name: "mode",
    aliases: &[],
    summary: "Gives the most frequent value; of equally frequent ones the last in byte order.",
    kind: |_| Kind::Text,
    start: |_| Box::new(Distinct::new(Give::Mode)),
    differs: &["Splunk does not say which of equally frequent values it gives."],
    ..DC
};

/// What is told of the values.
#[derive(Debug)]
pub(super) enum Give {
    Count,
    Error,
    Mode,
    Values,
}

/// The distinct values, and how often each came.
#[derive(Debug)]
pub(super) struct Distinct {
    give: Give,
    counts: BTreeMap<String, u64>,
    held: usize,
}

impl Distinct {
    pub(super) fn new(give: Give) -> Self {
        Self { give, counts: BTreeMap::new(), held: 0 }
    }

    fn add(&mut self, text: &str, count: u64) {
        if let Some(known) = self.counts.get_mut(text) {
            *known += count;
        } else {
            self.held += text.len() + 48;
            self.counts.insert(text.to_owned(), count);
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
            Give::Values => members(self.counts.keys()),
            Give::Mode => {
                let mode = self.counts.iter().max_by_key(|(_, count)| **count);
                mode.map_or(Value::Null, |(text, _)| Value::text(text.clone()))
            }
        }
    }

    fn save(&self) -> Vec<u8> {
        save(&self.counts)
    }

    fn merge(&mut self, saved: &[u8]) {
        for (text, count) in load::<BTreeMap<String, u64>>(saved).unwrap_or_default() {
            self.add(&text, count);
        }
    }

    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(text) = value.to_text() else { return true };
        let Some(count) = self.counts.get_mut(text.as_ref()) else { return false };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(text.as_ref());
            self.held -= text.len() + 48;
        }
        true
    }

    fn held(&self) -> usize {
        self.held
    }
}

//! `min`, `max` and `range`.
//!
//! Numbers are compared by value and sort before text. Among numbers and texts, the smallest value
//! is therefore a number and the greatest a text.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value};

use super::BYTES;
use crate::rows::sort_key::AutoKey;
use crate::stats::{Exact, Feed, Statistic, StatsFunction, load, save, start};

pub(super) static MIN: StatsFunction = StatsFunction {
    name: "min",
    aliases: &[],
    summary: "Return the smallest value. Numbers compare by value and come before text.",
    examples: &[(BYTES, "min(bytes)", "\"2\"")],
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |kind| if kind == Kind::Number { Kind::Number } else { Kind::Text },
    start: start!(_ => Extreme { is_max: false, best: None }),
    differs: &[],
};

pub(super) static MAX: StatsFunction = StatsFunction {
    name: "max",
    summary: "Return the largest value. Numbers compare by value and come before text.",
    examples: &[(BYTES, "max(bytes)", "\"10\"")],
    start: start!(_ => Extreme { is_max: true, best: None }),
    ..MIN
};

pub(super) static RANGE: StatsFunction = StatsFunction {
    name: "range",
    summary: "Return the difference between the largest and the smallest number.",
    examples: &[(BYTES, "range(bytes)", "8")],
    kind: |_| Kind::Number,
    start: start!(_ => Range { bounds: None }),
    ..MIN
};

#[derive(Debug)]
struct Best {
    key: AutoKey<'static>,
    value: Value<'static>,
}

impl Best {
    fn held(&self) -> usize {
        let text = |value: &Value<'_>| if let Value::Text(text) = value { text.len() } else { 0 };
        text(&self.value) + if let AutoKey::Text(text) = &self.key { text.len() } else { 0 }
    }
}

/// A value in a saved state.
#[derive(Debug, Serialize, Deserialize)]
enum Saved {
    Number(Exact),
    Text(String),
}

#[derive(Debug)]
struct Extreme {
    is_max: bool,
    best: Option<Best>,
}

impl Statistic for Extreme {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        let Some(key) = AutoKey::of(value) else { return };
        let better = if self.is_max { Ordering::Greater } else { Ordering::Less };
        if self.best.as_ref().is_none_or(|best| key.cmp(&best.key) == better) {
            let value = match value {
                // Adding 0.0 turns -0.0 into 0.0. Infinities and NaN are returned as text.
                Value::Number(number) if number.is_finite() => Value::Number(number + 0.0),
                other => Value::text(other.to_text().unwrap_or_default().into_owned()),
            };
            self.best = Some(Best { key: key.into_owned(), value });
        }
    }

    fn value(&self) -> Value<'static> {
        self.best.as_ref().map_or(Value::Null, |best| best.value.clone())
    }

    fn save(&self) -> Vec<u8> {
        save(&self.best.as_ref().map(|best| match &best.value {
            Value::Number(number) => Saved::Number(Exact(*number)),
            other => Saved::Text(other.to_text().unwrap_or_default().into_owned()),
        }))
    }

    fn merge(&mut self, saved: &[u8]) {
        match load::<Option<Saved>>(saved).flatten() {
            Some(Saved::Number(number)) => self.update(&Value::Number(number.0), None),
            Some(Saved::Text(text)) => self.update(&Value::text(text), None),
            None => {}
        }
    }

    /// Returns true if the removed value is not the extreme, which then stays the same.
    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(key) = AutoKey::of(value) else { return true };
        self.best.as_ref().is_some_and(|best| key != best.key)
    }

    fn held(&self) -> usize {
        self.best.as_ref().map_or(0, Best::held)
    }
}

#[derive(Debug)]
struct Range {
    bounds: Option<(f64, f64)>,
}

impl Range {
    fn widen(&mut self, low: f64, high: f64) {
        self.bounds = Some(match self.bounds {
            Some((min, max)) => (min.min(low), max.max(high)),
            None => (low, high),
        });
    }
}

impl Statistic for Range {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        if let Some(number) = value.as_number() {
            self.widen(number, number);
        }
    }

    fn value(&self) -> Value<'static> {
        self.bounds.map_or(Value::Null, |(min, max)| Value::Number(max - min))
    }

    fn save(&self) -> Vec<u8> {
        save(&self.bounds.map(|(low, high)| (Exact(low), Exact(high))))
    }

    fn merge(&mut self, saved: &[u8]) {
        if let Some(Some((low, high))) = load::<Option<(Exact, Exact)>>(saved) {
            self.widen(low.0, high.0);
        }
    }

    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(number) = value.as_number() else { return true };
        self.bounds.is_some_and(|(low, high)| low < number && number < high)
    }
}

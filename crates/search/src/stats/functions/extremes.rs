//! `min`, `max`, `range`. Numbers compare by value and come before text, so that the smallest of a
//! mixture is a number and the greatest a text.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value};

use crate::sort_key::AutoKey;
use crate::stats::{Exact, Feed, Statistic, StatsFunction, load, save};

pub(super) static MIN: StatsFunction = StatsFunction {
    name: "min",
    aliases: &[],
    summary: "Gives the smallest value: numbers by value and before text.",
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |kind| if kind == Kind::Number { Kind::Number } else { Kind::Text },
    start: |_| Box::new(Extreme { is_max: false, best: None }),
    differs: &[],
};

pub(super) static MAX: StatsFunction = StatsFunction {
    name: "max",
    summary: "Gives the greatest value: numbers by value and before text.",
    start: |_| Box::new(Extreme { is_max: true, best: None }),
    ..MIN
};

pub(super) static RANGE: StatsFunction = StatsFunction {
    name: "range",
    summary: "Gives the difference of the greatest and the smallest number.",
    kind: |_| Kind::Number,
    start: |_| Box::new(Range { bounds: None }),
    ..MIN
};

#[derive(Debug, Serialize, Deserialize)]
struct Best {
    key: Vec<u8>,
    text: String,
}

#[derive(Debug)]
struct Extreme {
    is_max: bool,
    best: Option<Best>,
}

impl Extreme {
    /// Returns true if something that compares so with the best is better.
    fn is_better(&self, with_best: Ordering) -> bool {
        with_best == if self.is_max { Ordering::Greater } else { Ordering::Less }
    }
}

impl Statistic for Extreme {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        let Some(key) = AutoKey::of(value) else { return };
        let best = self.best.as_ref();
        if best.is_none_or(|best| self.is_better(key.compare(&best.key))) {
            let text = value.to_text().unwrap_or_default().into_owned();
            self.best = Some(Best { key: key.to_vec(), text });
        }
    }

    fn value(&self) -> Value<'static> {
        self.best.as_ref().map_or(Value::Null, |best| Value::text(best.text.clone()))
    }

    fn save(&self) -> Vec<u8> {
        save(&self.best)
    }

    fn merge(&mut self, saved: &[u8]) {
        let Some(Some(other)) = load::<Option<Best>>(saved) else { return };
        let best = self.best.as_ref();
        if best.is_none_or(|best| self.is_better(other.key.cmp(&best.key))) {
            self.best = Some(other);
        }
    }

    /// What is not the best is not missed.
    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(key) = AutoKey::of(value) else { return true };
        self.best.as_ref().is_some_and(|best| key.compare(&best.key).is_ne())
    }

    fn held(&self) -> usize {
        self.best.as_ref().map_or(0, |best| best.key.len() + best.text.len())
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

//! `first`, `last`, `earliest`, `latest`, `earliest_time`, `latest_time` and `rate`: statistics
//! that depend on the order of the rows or on their times.

use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value, parse_number};

use super::{CALLS, COUNTER};
use crate::stats::{Exact, Feed, Statistic, StatsFunction, load, save, start};

pub(super) static FIRST: StatsFunction = StatsFunction {
    name: "first",
    aliases: &[],
    summary: "Return the first value in the order of the rows. Events come newest first, so this is the newest value.",
    examples: &[(CALLS, "first(ip)", "\"192.0.2.9\"")],
    has_parameter: false,
    sees_order: true,
    feed: Feed::Members,
    kind: |kind| if kind == Kind::Number { Kind::Number } else { Kind::Text },
    start: start!(_ => Arrival { keeps_first: true, text: None, count: 0 }),
    differs: &[],
};

pub(super) static LAST: StatsFunction = StatsFunction {
    name: "last",
    summary: "Return the last value in the order of the rows. Events come newest first, so this is the oldest value.",
    examples: &[(CALLS, "last(ip)", "\"192.0.2.1\"")],
    start: start!(_ => Arrival { keeps_first: false, text: None, count: 0 }),
    ..FIRST
};

pub(super) static EARLIEST: StatsFunction = StatsFunction {
    name: "earliest",
    summary: "Return the value with the smallest `_time`.",
    examples: &[(CALLS, "earliest(ip)", "\"192.0.2.1\"")],
    sees_order: false,
    feed: Feed::MembersWithTime,
    start: start!(_ => Chronology::start(|c| c.earliest.as_ref().map(|m| Value::text(m.text.clone())))),
    ..FIRST
};

pub(super) static LATEST: StatsFunction = StatsFunction {
    name: "latest",
    summary: "Return the value with the largest `_time`.",
    examples: &[(CALLS, "latest(ip)", "\"192.0.2.9\"")],
    start: start!(_ => Chronology::start(|c| c.latest.as_ref().map(|m| Value::text(m.text.clone())))),
    ..EARLIEST
};

pub(super) static EARLIEST_TIME: StatsFunction = StatsFunction {
    name: "earliest_time",
    summary: "Return the smallest `_time` of the rows that have the field.",
    examples: &[(CALLS, "earliest_time(ip)", "20")],
    kind: |_| Kind::Number,
    start: start!(_ => Chronology::start(|c| c.earliest.as_ref().map(|m| Value::Number(m.time.0)))),
    ..EARLIEST
};

pub(super) static LATEST_TIME: StatsFunction = StatsFunction {
    name: "latest_time",
    summary: "Return the largest `_time` of the rows that have the field.",
    examples: &[(CALLS, "latest_time(ip)", "30")],
    start: start!(_ => Chronology::start(|c| c.latest.as_ref().map(|m| Value::Number(m.time.0)))),
    ..EARLIEST_TIME
};

pub(super) static RATE: StatsFunction = StatsFunction {
    name: "rate",
    summary: "Return the change of a counter per second, between its earliest and its latest value.",
    examples: &[(COUNTER, "rate(bytes)", "3")],
    start: start!(_ => Rate::default()),
    differs: &["A counter that falls is treated as restarted from 0."],
    ..EARLIEST_TIME
};

#[derive(Debug)]
struct Arrival {
    keeps_first: bool,
    text: Option<String>,
    /// The number of values included.
    count: u64,
}

impl Statistic for Arrival {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        self.count += 1;
        if self.text.is_none() || !self.keeps_first {
            self.text = value.to_text().map(std::borrow::Cow::into_owned);
        }
    }

    fn value(&self) -> Value<'static> {
        self.text.clone().map_or(Value::Null, Value::text)
    }

    fn save(&self) -> Vec<u8> {
        save(&self.text)
    }

    fn merge(&mut self, saved: &[u8]) {
        let other: Option<String> = load(saved).flatten();
        if other.is_some() && (self.text.is_none() || !self.keeps_first) {
            self.text = other;
        }
    }

    /// Removes the oldest value, which is the first one.
    ///
    /// Returns false for `first` if other values remain, because the next value is not known.
    fn forget(&mut self, _: &Value<'_>, _: Option<f64>) -> bool {
        if self.count > 1 && self.keeps_first {
            return false;
        }
        self.count -= 1;
        if self.count == 0 {
            self.text = None;
        }
        true
    }

    fn held(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Moment {
    time: Exact,
    text: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Span {
    earliest: Option<Moment>,
    latest: Option<Moment>,
}

impl Span {
    /// Adds a value; among values with equal times, the first one added is kept.
    ///
    /// `text` is called only if the value is kept, because few values are.
    fn add(&mut self, time: f64, text: impl Fn() -> String) {
        let moment = || Some(Moment { time: Exact(time), text: text() });
        if self.earliest.as_ref().is_none_or(|known| time < known.time.0) {
            self.earliest = moment();
        }
        if self.latest.as_ref().is_none_or(|known| time > known.time.0) {
            self.latest = moment();
        }
    }
}

#[derive(Debug)]
struct Chronology {
    span: Span,
    give: fn(&Span) -> Option<Value<'static>>,
}

impl Chronology {
    fn start(give: fn(&Span) -> Option<Value<'static>>) -> Self {
        Self { span: Span::default(), give }
    }
}

impl Statistic for Chronology {
    fn update(&mut self, value: &Value<'_>, time: Option<f64>) {
        if let Some(time) = time.filter(|_| !value.is_null()) {
            self.span.add(time, || value.to_text().unwrap_or_default().into_owned());
        }
    }

    fn value(&self) -> Value<'static> {
        (self.give)(&self.span).unwrap_or(Value::Null)
    }

    fn save(&self) -> Vec<u8> {
        save(&self.span)
    }

    fn merge(&mut self, saved: &[u8]) {
        let other: Span = load(saved).unwrap_or_default();
        for moment in [other.earliest, other.latest].into_iter().flatten() {
            self.span.add(moment.time.0, || moment.text.clone());
        }
    }

    fn forget(&mut self, value: &Value<'_>, time: Option<f64>) -> bool {
        let (Some(time), Some(text)) = (time, value.to_text()) else { return true };
        let is_it = |kept: &Option<Moment>| {
            kept.as_ref().is_none_or(|moment| moment.time == Exact(time) && moment.text == text)
        };
        !is_it(&self.span.earliest) && !is_it(&self.span.latest)
    }

    fn held(&self) -> usize {
        [&self.span.earliest, &self.span.latest]
            .into_iter()
            .flatten()
            .map(|moment| moment.text.len())
            .sum()
    }
}

/// Keeps all points, because restarts of the counter can be recognized only in time order.
#[derive(Debug, Default)]
struct Rate {
    points: Vec<(Exact, Exact)>,
}

impl Statistic for Rate {
    fn update(&mut self, value: &Value<'_>, time: Option<f64>) {
        let number = value.to_text().and_then(|text| parse_number(&text));
        if let (Some(time), Some(number)) = (time, number) {
            self.points.push((Exact(time), Exact(number)));
        }
    }

    fn value(&self) -> Value<'static> {
        let mut points: Vec<(f64, f64)> =
            self.points.iter().map(|(time, number)| (time.0, number.0)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Value::Null };
        if last.0 <= first.0 {
            return Value::Null;
        }
        let grown: f64 = points
            .windows(2)
            .map(|pair| if pair[1].1 >= pair[0].1 { pair[1].1 - pair[0].1 } else { pair[1].1 })
            .sum();
        Value::Number(grown / (last.0 - first.0))
    }

    fn save(&self) -> Vec<u8> {
        save(&self.points)
    }

    fn merge(&mut self, saved: &[u8]) {
        self.points.extend(load::<Vec<(Exact, Exact)>>(saved).unwrap_or_default());
    }

    fn forget(&mut self, value: &Value<'_>, time: Option<f64>) -> bool {
        let number = value.to_text().and_then(|text| parse_number(&text));
        let (Some(time), Some(number)) = (time, number) else { return true };
        let point = (Exact(time), Exact(number));
        let place = self.points.iter().position(|known| *known == point);
        place.map(|place| self.points.remove(place)).is_some()
    }

    fn held(&self) -> usize {
        self.points.len() * 16
    }
}

//! Which times the events of a batch have.
//!
//! The first and the last time alone would not do: a batch that mixes events of now with one of last
//! week would ask every run in between to run again. Counts per minute would be exact, and large. So a
//! batch has the stretches of minutes in which it has events: one or two for most batches, and never
//! more than [`MOST_SPANS`]. Beyond that, the stretches that are closest together become one: a run may
//! then run again for nothing, but none is forgotten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::moment::{Interval, Moment};

/// The most stretches of minutes of a batch.
pub const MOST_SPANS: usize = 32;

/// The seconds of a minute.
const MINUTE: i64 = 60;

/// A batch of events that arrived together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// Its number, in the order of arrival.
    pub batch: u64,
    /// The index of its events.
    pub index: String,
    /// When its events happened: whole minutes, in order, with time between them.
    pub spans: Vec<Interval>,
}

/// Collects the minutes in which a batch has events.
#[derive(Debug, Clone, Default)]
pub struct Minutes {
    minutes: BTreeSet<i64>,
    spans: Vec<Interval>,
    /// The minute that was added last: that of most events that follow.
    last: Option<i64>,
}

/// The most minutes that are collected before they become stretches.
const MOST_MINUTES: usize = 4096;

impl Minutes {
    /// Adds the time of an event.
    pub fn add(&mut self, time: Moment) {
        let minute = time.0.div_euclid(MINUTE);
        if self.last.replace(minute) == Some(minute) {
            return;
        }
        self.minutes.insert(minute);
        if self.minutes.len() > MOST_MINUTES {
            self.settle();
        }
    }

    /// Adds the minutes of other events.
    pub fn append(&mut self, other: Self) {
        self.spans.extend(other.spans);
        self.minutes.extend(other.minutes);
        if self.minutes.len() > MOST_MINUTES || self.spans.len() > MOST_SPANS {
            self.settle();
        }
    }

    /// Returns the stretches of minutes with events, in order.
    #[must_use]
    pub fn into_spans(mut self) -> Vec<Interval> {
        self.settle();
        self.spans
    }

    /// Turns the collected minutes into stretches.
    fn settle(&mut self) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.extend(std::mem::take(&mut self.minutes).into_iter().map(|minute| {
            let from = Moment(minute.saturating_mul(MINUTE));
            Interval { from, to: from.plus(MINUTE) }
        }));
        spans.sort_unstable();
        self.spans = widened(joined(spans));
    }
}

/// Joins stretches without time between them.
fn joined(sorted: Vec<Interval>) -> Vec<Interval> {
    let mut spans: Vec<Interval> = Vec::new();
    for span in sorted {
        match spans.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => spans.push(span),
        }
    }
    spans
}

/// Closes the shortest gaps until there are few enough stretches.
fn widened(spans: Vec<Interval>) -> Vec<Interval> {
    if spans.len() <= MOST_SPANS {
        return spans;
    }
    let mut gaps: Vec<(i64, usize)> = spans
        .windows(2)
        .enumerate()
        .map(|(index, pair)| (pair[1].from.since(pair[0].to), index + 1))
        .collect();
    // The longest gaps stay; of equal ones the later, because old events rarely come alone.
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    let kept: BTreeSet<usize> = gaps.iter().take(MOST_SPANS - 1).map(|(_, index)| *index).collect();
    let mut wide: Vec<Interval> = Vec::with_capacity(MOST_SPANS);
    for (index, span) in spans.into_iter().enumerate() {
        match wide.last_mut() {
            Some(last) if !kept.contains(&index) => last.to = span.to,
            _ => wide.push(span),
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(times: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
        let mut minutes = Minutes::default();
        times.into_iter().for_each(|time| minutes.add(Moment(time)));
        minutes.into_spans().iter().map(|span| (span.from.0, span.to.0)).collect()
    }

    #[test]
    fn minutes_of_two_batches_are_together() {
        let minutes = |times: std::ops::Range<i64>| {
            let mut minutes = Minutes::default();
            times.for_each(|minute| minutes.add(Moment(minute * MINUTE)));
            minutes
        };
        let most = MOST_MINUTES as i64;
        let mut all = Minutes::default();
        for times in [0..5, most..3 * most, 3..7, 2 * most..3 * most + 2] {
            all.append(minutes(times));
        }
        let spans = all.into_spans().into_iter().map(|span| (span.from.0, span.to.0));
        let end = (3 * most + 2) * MINUTE;
        assert_eq!(spans.collect::<Vec<_>>(), [(0, 7 * MINUTE), (most * MINUTE, end)]);
    }

    #[test]
    fn minutes_become_stretches() {
        assert_eq!(spans([]), []);
        assert_eq!(spans([0, 59]), [(0, 60)]);
        assert_eq!(spans([119, 0, 60]), [(0, 120)]);
        assert_eq!(spans([-1, 600]), [(-60, 0), (600, 660)]);
        assert_eq!(spans(0..1_000_000), [(0, 1_000_020)]);
    }

    #[test]
    fn their_number_is_bounded_and_none_is_forgotten() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [10, 40, 20_000] {
            let times: Vec<i64> = (0..count).map(|_| random.i64(0..100_000_000)).collect();
            let found = spans(times.iter().copied());
            assert!(found.len() <= MOST_SPANS, "{}", found.len());
            assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].0));
            for time in times {
                assert!(found.iter().any(|(from, to)| (*from..*to).contains(&time)), "{time}");
            }
        }
        // The long gap between today and last week stays.
        let today = (0..100).map(|number| 700_000 + number * 120);
        assert_eq!(spans(today.chain([0]))[0], (0, 60));
    }
}

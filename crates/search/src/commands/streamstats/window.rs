//! The rows of a window that moves with the stream, and the statistics of its groups.
//!
//! When a row leaves the window, it is subtracted from the statistics that can forget it exactly.
//! A statistic that cannot is discarded, and computed again from the rows of the window when its
//! value is needed. A result therefore depends only on the rows of the window, never on earlier
//! ones.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use spilltrail_event::Value;

use super::operator::Window;
use crate::stats::groups::{feed, forget};
use crate::stats::{PlannedAggregate, Statistic};

/// The maximum number of rows in a window (limits.conf, `[stats] max_stream_window`).
pub(crate) const MAX_WINDOW: usize = 10_000;

/// The parts of a row that statistics need.
#[derive(Debug)]
pub(super) struct Counted {
    /// The keys of the groups that the row belongs to: several if a BY field is a multivalue.
    pub(super) groups: Vec<Vec<u8>>,
    /// The value that each aggregate reads.
    pub(super) values: Vec<Value<'static>>,
    /// The `_time` of the row.
    pub(super) time: Option<f64>,
}

impl Counted {
    fn held(&self) -> usize {
        let text = |value: &Value<'_>| match value {
            Value::Text(text) => text.len(),
            Value::Multi(members) => members.iter().map(|member| member.len() + 24).sum(),
            _ => 0,
        };
        let keys: usize = self.groups.iter().map(|key| key.len() + 24).sum();
        keys + self.values.iter().map(|value| text(value) + 32).sum::<usize>() + 64
    }
}

/// The rows of a window, with the statistics of their groups.
#[derive(Debug)]
pub(super) struct WindowOfRows {
    /// The group whose rows the window holds; `None` if it holds the rows of all groups.
    group: Option<Vec<u8>>,
    rows: VecDeque<Arc<Counted>>,
    groups: HashMap<Vec<u8>, GroupInWindow>,
    held: usize,
}

/// The statistics of one group over its rows in the window.
#[derive(Debug)]
struct GroupInWindow {
    rows: usize,
    /// One for each aggregate; `None` if it could not forget a row and is not computed again yet.
    statistics: Vec<Option<Box<dyn Statistic>>>,
}

impl WindowOfRows {
    pub(super) fn new(group: Option<Vec<u8>>) -> Self {
        Self { group, rows: VecDeque::new(), groups: HashMap::new(), held: 0 }
    }

    /// Adds a row to the window and to the statistics of its groups.
    pub(super) fn push(&mut self, row: &Arc<Counted>, aggregates: &[PlannedAggregate]) {
        for group in groups_of(self.group.as_ref(), row) {
            let known = self.groups.entry(group.clone()).or_insert_with(|| GroupInWindow {
                rows: 0,
                statistics: aggregates.iter().map(|aggregate| Some(aggregate.start())).collect(),
            });
            known.rows += 1;
            for (statistic, value) in known.statistics.iter_mut().zip(&row.values) {
                if let Some(statistic) = statistic {
                    feed(statistic.as_mut(), value, row.time);
                }
            }
        }
        self.held += row.held();
        self.rows.push_back(row.clone());
    }

    /// Drops the oldest rows while there are too many, or while they are too far from `now`.
    pub(super) fn shrink(&mut self, window: Window, now: Option<f64>) {
        let limit = match window {
            Window::Rows { count, .. } => count,
            Window::Seconds { most, .. } => most,
            Window::All => MAX_WINDOW,
        };
        let is_out = |row: &Counted| match (window, row.time, now) {
            (Window::Seconds { length, .. }, Some(then), Some(now)) => (now - then).abs() >= length,
            _ => false,
        };
        while self.rows.len() > limit || self.rows.front().is_some_and(|row| is_out(row)) {
            let Some(row) = self.rows.pop_front() else { break };
            self.held -= row.held();
            self.forget(&row);
        }
    }

    fn forget(&mut self, row: &Counted) {
        for group in groups_of(self.group.as_ref(), row) {
            let Some(known) = self.groups.get_mut(group) else { continue };
            known.rows -= 1;
            if known.rows == 0 {
                self.groups.remove(group);
                continue;
            }
            for (statistic, value) in known.statistics.iter_mut().zip(&row.values) {
                *statistic = statistic
                    .take()
                    .and_then(|mut left| forget(left.as_mut(), value, row.time).then_some(left));
            }
        }
    }

    /// Returns the results of a group; discarded statistics are computed again.
    pub(super) fn results(
        &mut self,
        aggregates: &[PlannedAggregate],
        own: &[u8],
    ) -> Vec<Value<'static>> {
        let Some(known) = self.groups.get_mut(own) else {
            return aggregates.iter().map(|aggregate| aggregate.start().value()).collect();
        };
        let rows = &self.rows;
        let statistics = known.statistics.iter_mut().zip(aggregates).enumerate();
        statistics
            .map(|(index, (statistic, aggregate))| {
                let anew = || {
                    let mut statistic = aggregate.start();
                    for row in rows.iter().filter(|row| row.groups.iter().any(|key| key == own)) {
                        feed(statistic.as_mut(), &row.values[index], row.time);
                    }
                    statistic
                };
                statistic.get_or_insert_with(anew).value()
            })
            .collect()
    }

    /// Returns the estimated size in bytes.
    pub(super) fn held(&self) -> usize {
        let statistics = self.groups.iter().map(|(key, group)| {
            let held = group.statistics.iter().flatten().map(|statistic| statistic.held() + 64);
            key.len() + held.sum::<usize>()
        });
        self.held + statistics.sum::<usize>()
    }
}

/// Returns the groups of a row that a window counts, without duplicates: only the group `only`, or
/// all groups of the row if that is `None`.
fn groups_of<'a>(only: Option<&'a Vec<u8>>, row: &'a Counted) -> impl Iterator<Item = &'a Vec<u8>> {
    let all =
        row.groups.iter().enumerate().filter(|(at, group)| !row.groups[..*at].contains(group));
    let all = all.map(|(_, group)| group).filter(move |_| only.is_none());
    only.into_iter().chain(all)
}

#[cfg(test)]
mod tests {
    use spilltrail_event::Kind;

    use super::*;
    use crate::stats::FUNCTIONS;

    /// Values that enter and leave the window: integers, fractions, texts, equal values, an
    /// infinity and an absent value.
    const VALUES: &[Option<&str>] = &[
        Some("5"),
        Some("3"),
        Some("3"),
        None,
        Some("0.1"),
        Some("x"),
        Some("5"),
        Some("1e999"),
        Some("9"),
        Some("0.2"),
        Some("a"),
        Some("a"),
        Some("-4"),
        Some("7"),
        Some("1e17"),
        Some("1"),
        Some("2"),
        Some("2"),
        Some("8"),
        Some("6"),
    ];

    fn aggregate(function: &str, all_numbers: bool) -> PlannedAggregate {
        PlannedAggregate {
            function: function.to_owned(),
            parameter: 40.0,
            all_numbers,
            input: Some("v".to_owned()),
            kind: Kind::Text,
            ..PlannedAggregate::count("x")
        }
    }

    #[test]
    fn a_window_is_what_its_rows_are() {
        for function in FUNCTIONS {
            for all_numbers in [false, true] {
                let aggregates = [aggregate(function.name, all_numbers)];
                let mut window = WindowOfRows::new(None);
                let mut rows: Vec<Arc<Counted>> = Vec::new();
                for round in 0..100 {
                    let value = VALUES[round % VALUES.len()];
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    let time = (round / 2) as f64;
                    let row = Arc::new(Counted {
                        groups: vec![vec![u8::from(round % 3 == 0)]],
                        values: vec![value.map_or(Value::Null, Value::text)],
                        time: Some(time),
                    });
                    window.push(&row, &aggregates);
                    window.shrink(Window::Rows { count: 7, is_global: true }, row.time);
                    rows.push(row.clone());
                    let mut fresh = aggregates[0].start();
                    for other in rows.iter().rev().take(7).rev() {
                        if other.groups == row.groups {
                            feed(fresh.as_mut(), &other.values[0], other.time);
                        }
                    }
                    let got = window.results(&aggregates, &row.groups[0]);
                    let (want, got) = (fresh.value(), &got[0]);
                    let is_same = match (&want, got) {
                        (Value::Number(a), Value::Number(b)) => a.to_bits() == b.to_bits(),
                        _ => want == *got,
                    };
                    assert!(is_same, "{} in row {round}: {want:?}, {got:?}", function.name);
                }
            }
        }
    }

    #[test]
    fn what_left_is_not_held() {
        let aggregates = [aggregate("values", false)];
        let mut window = WindowOfRows::new(None);
        for round in 0..1000 {
            let row = Arc::new(Counted {
                groups: vec![vec![0]],
                values: vec![Value::text(format!("value {round}"))],
                time: None,
            });
            window.push(&row, &aggregates);
            window.shrink(Window::Rows { count: 3, is_global: true }, None);
        }
        assert!(window.held() < 2000, "{}", window.held());
    }
}

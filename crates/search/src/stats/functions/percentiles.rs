//! Percentiles: linear interpolation over the sorted numbers at the index `p / 100 * (n - 1)`,
//! which reproduces every example in Splunk's documentation.

use spilltrail_event::{Kind, Value};

use super::BYTES;
use crate::stats::{Exact, Feed, Statistic, StatsFunction, load, save, start};

pub(super) static PERC: StatsFunction = StatsFunction {
    name: "perc",
    aliases: &["p"],
    summary: "Return the number below which the given percentage of the numbers lies.",
    examples: &[(BYTES, "perc75(bytes)", "5.5")],
    has_parameter: true,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: start!(percent => Percentile::start(percent)),
    differs: &["The result is exact; Splunk approximates it above 1,000 values."],
};

pub(super) static EXACTPERC: StatsFunction = StatsFunction {
    name: "exactperc",
    aliases: &[],
    summary: "Return the number at the given percentage of the sorted numbers, without interpolation.",
    examples: &[(BYTES, "exactperc25(bytes)", "4")],
    start: start!(percent => Percentile { rank: Rank::Nearest, ..Percentile::start(percent) }),
    differs: &[],
    ..PERC
};

pub(super) static UPPERPERC: StatsFunction = StatsFunction {
    name: "upperperc",
    aliases: &[],
    examples: &[(BYTES, "upperperc75(bytes)", "5.5")],
    ..PERC
};

pub(super) static MEDIAN: StatsFunction = StatsFunction {
    name: "median",
    aliases: &[],
    summary: "Return the number in the middle of the sorted numbers, or the higher of two in the middle.",
    examples: &[(BYTES, "median(bytes)", "4")],
    has_parameter: false,
    start: start!(_ => Percentile { rank: Rank::Nearest, ..Percentile::start(50.0) }),
    ..PERC
};

#[derive(Debug)]
struct Percentile {
    percent: f64,
    rank: Rank,
    numbers: Vec<f64>,
}

/// Which number a percentile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    /// Interpolated between two numbers.
    Between,
    /// One of the numbers: that at the index `p / 100 * n`, rounded down. Splunk's `limits.conf`
    /// calls this `nearest-rank`.
    Nearest,
}

impl Percentile {
    fn start(percent: f64) -> Self {
        Self { percent, rank: Rank::Between, numbers: Vec::new() }
    }
}

/// Returns the interpolated number at the fraction `at` of the sorted numbers, or `None` if there
/// are no numbers.
#[must_use]
pub fn interpolated(sorted: &[f64], at: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "lengths stay below 2^53")]
    let position = at.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 <= position <= last"
    )]
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let (low, high) = (sorted[below], sorted[above]);
    let way = position - position.floor();
    // At the index of a number, or between equal numbers, nothing is interpolated: an infinite
    // distance times 0 is NaN.
    Some(if way == 0.0 || low.total_cmp(&high).is_eq() { low } else { low + (high - low) * way })
}

/// Returns the number at the fraction `percent / 100` of the sorted numbers, counted from the first, or
/// `None` if there are no numbers.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths stay below 2^53, and percentages are from 0 to 100"
)]
fn nearest(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    // Multiplied first: 29 percent of 100 numbers is exactly 29, which 0.29 * 100 is not.
    let index = (percent * sorted.len() as f64 / 100.0).floor() as usize;
    Some(sorted[index.min(last)])
}

impl Statistic for Percentile {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        self.numbers.extend(value.as_number());
    }

    fn value(&self) -> Value<'static> {
        let mut sorted = self.numbers.clone();
        sorted.sort_by(f64::total_cmp);
        let number = match self.rank {
            Rank::Between => interpolated(&sorted, self.percent / 100.0),
            Rank::Nearest => nearest(&sorted, self.percent),
        };
        number.map_or(Value::Null, Value::Number)
    }

    fn save(&self) -> Vec<u8> {
        save(&self.numbers.iter().map(|number| Exact(*number)).collect::<Vec<_>>())
    }

    fn merge(&mut self, saved: &[u8]) {
        let numbers = load::<Vec<Exact>>(saved).unwrap_or_default();
        self.numbers.extend(numbers.into_iter().map(|number| number.0));
    }

    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(number) = value.as_number() else { return true };
        let place = self.numbers.iter().position(|known| known.total_cmp(&number).is_eq());
        place.map(|place| self.numbers.swap_remove(place)).is_some()
    }

    fn held(&self) -> usize {
        self.numbers.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two are public results of a Splunk.
    #[test]
    fn nearest_ranks() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        let hundred: Vec<f64> = (0..100).map(f64::from).collect();
        for (numbers, percent, want) in [
            (&ten[..], 95.0, Some(10.0)),
            (&ten, 10.0, Some(2.0)),
            (&ten, 0.0, Some(1.0)),
            (&ten, 100.0, Some(10.0)),
            (&hundred, 29.0, Some(29.0)),
            (&[], 50.0, None),
        ] {
            assert_eq!(nearest(numbers, percent), want, "{percent}");
        }
    }

    #[test]
    fn interpolation() {
        for (numbers, at, want) in [
            (&[1.0, 2.0][..], 0.5, Some(1.5)),
            (&[1.0, 2.0, 3.0, 4.0], 0.25, Some(1.75)),
            (&[7.0], 0.99, Some(7.0)),
            (&[1.0, f64::INFINITY], 0.0, Some(1.0)),
            (&[1.0, f64::INFINITY, f64::INFINITY], 0.75, Some(f64::INFINITY)),
            (&[], 0.5, None),
        ] {
            assert_eq!(interpolated(numbers, at), want);
        }
    }
}

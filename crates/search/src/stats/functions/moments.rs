//! `sum`, `avg`, `sumsq`, variances and standard deviations: statistics computed from sums.
//!
//! Doubles are summed sequentially, and the variance is `(sumsq - mean * sum) / (n - 1)`: only this
//! reproduces the last digits of the published examples.

use spilltrail_event::{Kind, Value};

use super::BYTES;
use crate::stats::{Exact, Feed, Statistic, StatsFunction, load, save, start};

pub(super) static AVG: StatsFunction = StatsFunction {
    name: "avg",
    aliases: &["mean"],
    summary: "Return the mean of the numbers.",
    examples: &[(BYTES, "avg(bytes)", "5")],
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: start!(_ => Moments::start(|m| m.sum / m.count)),
    differs: &[],
};

pub(super) static SUM: StatsFunction = StatsFunction {
    name: "sum",
    aliases: &[],
    summary: "Return the sum of the numbers.",
    examples: &[(BYTES, "sum(bytes)", "20")],
    start: start!(_ => Moments::start(|m| m.sum)),
    ..AVG
};

pub(super) static SUMSQ: StatsFunction = StatsFunction {
    name: "sumsq",
    aliases: &[],
    summary: "Return the sum of the squares of the numbers.",
    examples: &[(BYTES, "sumsq(bytes)", "136")],
    start: start!(_ => Moments::start(|m| m.squares)),
    ..AVG
};

pub(super) static VAR: StatsFunction = StatsFunction {
    name: "var",
    aliases: &[],
    summary: "Return the sample variance; 0 for a single number.",
    examples: &[(BYTES, "var(bytes)", "12")],
    start: start!(_ => Moments::start(|m| m.variance(1.0))),
    ..AVG
};

pub(super) static VARP: StatsFunction = StatsFunction {
    name: "varp",
    aliases: &[],
    summary: "Return the population variance.",
    examples: &[(BYTES, "varp(bytes)", "9")],
    start: start!(_ => Moments::start(|m| m.variance(0.0))),
    ..AVG
};

pub(super) static STDEV: StatsFunction = StatsFunction {
    name: "stdev",
    aliases: &[],
    summary: "Return the sample standard deviation; 0 for a single number.",
    examples: &[(BYTES, "stdev(bytes)", "3.4641016151377544")],
    start: start!(_ => Moments::start(|m| m.variance(1.0).sqrt())),
    ..AVG
};

pub(super) static STDEVP: StatsFunction = StatsFunction {
    name: "stdevp",
    aliases: &[],
    summary: "Return the population standard deviation.",
    examples: &[(BYTES, "stdevp(bytes)", "3")],
    start: start!(_ => Moments::start(|m| m.variance(0.0).sqrt())),
    ..AVG
};

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn variance(&self, lost: f64) -> f64 {
        if self.count <= 1.0 {
            return 0.0;
        }
        let mean = self.sum / self.count;
        let variance = (self.squares - mean * self.sum) / (self.count - lost);
        // Rounding may give a tiny negative variance if all numbers are equal. `max(0.0)` is not
        // used, because it would turn the NaN that an infinity causes into 0.
        if variance < 0.0 { 0.0 } else { variance }
    }
}

#[derive(Debug)]
struct Moments {
    sums: Sums,
    /// True if the sums are exact, so that a number can be removed.
    is_exact: bool,
    give: fn(&Sums) -> f64,
}

/// 2^53: doubles represent all integers up to this value exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Moments {
    fn start(give: fn(&Sums) -> f64) -> Self {
        Self { sums: Sums::default(), is_exact: true, give }
    }
}

impl Statistic for Moments {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        if let Some(number) = value.as_number() {
            self.sums.count += 1.0;
            self.sums.sum += number;
            self.sums.squares += number * number;
            // The sum of integers is at most as large as the sum of their squares, so checking the
            // squares is enough.
            self.is_exact &= number.fract() == 0.0 && self.sums.squares < EXACT;
        }
    }

    fn value(&self) -> Value<'static> {
        if self.sums.count == 0.0 { Value::Null } else { Value::Number((self.give)(&self.sums)) }
    }

    fn save(&self) -> Vec<u8> {
        let Sums { count, sum, squares } = self.sums;
        save(&[count, sum, squares].map(Exact))
    }

    fn merge(&mut self, saved: &[u8]) {
        let [count, sum, squares] = load::<[Exact; 3]>(saved).unwrap_or_default();
        self.sums.count += count.0;
        self.sums.sum += sum.0;
        self.sums.squares += squares.0;
        // A saved state does not say whether its sums are exact.
        self.is_exact = false;
    }

    fn forget(&mut self, value: &Value<'_>, _: Option<f64>) -> bool {
        let Some(number) = value.as_number() else { return true };
        if self.is_exact {
            self.sums.count -= 1.0;
            self.sums.sum -= number;
            self.sums.squares -= number * number;
        }
        self.is_exact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_of_few_numbers() {
        for (numbers, stdev, varp) in
            [(&[5.0][..], 0.0, 0.0), (&[2.0, 4.0], 2f64.sqrt(), 1.0), (&[1.0, 1.0, 1.0], 0.0, 0.0)]
        {
            for (function, want) in [(&STDEV, stdev), (&VARP, varp)] {
                let mut statistic = (function.start.one)(0.0);
                numbers.iter().for_each(|n| statistic.update(&Value::Number(*n), None));
                assert_eq!(statistic.value(), Value::Number(want), "{}", function.name);
            }
        }
        assert_eq!((AVG.start.one)(0.0).value(), Value::Null);
    }
}

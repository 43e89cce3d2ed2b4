//! Sums and what follows from them: `sum`, `avg`, `sumsq`, variances and deviations.
//!
//! Plain sequential sums of doubles, and `(sumsq - mean * sum) / (n - 1)`: the last digits of the
//! published examples come out only this way.

use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value};

use crate::stats::{Feed, Statistic, StatsFunction, load, save};

pub(super) static AVG: StatsFunction = StatsFunction {
    name: "avg",
    aliases: &["mean"],
    summary: "Gives the mean of the numbers.",
    has_parameter: false,
    sees_order: false,
    feed: Feed::Members,
    kind: |_| Kind::Number,
    start: |_| Moments::start(|m| m.sum / m.count),
    differs: &[],
};

pub(super) static SUM: StatsFunction = StatsFunction {
    name: "sum",
    aliases: &[],
    summary: "Adds the numbers.",
    start: |_| Moments::start(|m| m.sum),
    ..AVG
};

pub(super) static SUMSQ: StatsFunction = StatsFunction {
    name: "sumsq",
    aliases: &[],
    summary: "Adds the squares of the numbers.",
    start: |_| Moments::start(|m| m.squares),
    ..AVG
};

pub(super) static VAR: StatsFunction = StatsFunction {
    name: "var",
    aliases: &[],
    summary: "Gives the sample variance; of one number 0.",
    start: |_| Moments::start(|m| m.variance(1.0)),
    ..AVG
};

pub(super) static VARP: StatsFunction = StatsFunction {
    name: "varp",
    aliases: &[],
    summary: "Gives the population variance.",
    start: |_| Moments::start(|m| m.variance(0.0)),
    ..AVG
};

pub(super) static STDEV: StatsFunction = StatsFunction {
    name: "stdev",
    aliases: &[],
    summary: "Gives the sample standard deviation; of one number 0.",
    start: |_| Moments::start(|m| m.variance(1.0).sqrt()),
    ..AVG
};

pub(super) static STDEVP: StatsFunction = StatsFunction {
    name: "stdevp",
    aliases: &[],
    summary: "Gives the population standard deviation.",
    start: |_| Moments::start(|m| m.variance(0.0).sqrt()),
    ..AVG
};

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
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
        // Rounding may leave a tiny negative rest where all numbers are equal.
        ((self.squares - mean * self.sum) / (self.count - lost)).max(0.0)
    }
}

#[derive(Debug)]
struct Moments {
    sums: Sums,
    give: fn(&Sums) -> f64,
}

impl Moments {
    fn start(give: fn(&Sums) -> f64) -> Box<dyn Statistic> {
        Box::new(Self { sums: Sums::default(), give })
    }
}

impl Statistic for Moments {
    fn update(&mut self, value: &Value<'_>, _: Option<f64>) {
        if let Some(number) = value.as_number() {
            self.sums.count += 1.0;
            self.sums.sum += number;
            self.sums.squares += number * number;
        }
    }

    fn value(&self) -> Value<'static> {
        if self.sums.count == 0.0 { Value::Null } else { Value::Number((self.give)(&self.sums)) }
    }

    fn save(&self) -> Vec<u8> {
        save(&self.sums)
    }

    fn merge(&mut self, saved: &[u8]) {
        let other: Sums = load(saved).unwrap_or_default();
        self.sums.count += other.count;
        self.sums.sum += other.sum;
        self.sums.squares += other.squares;
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
                let mut statistic = (function.start)(0.0);
                numbers.iter().for_each(|n| statistic.update(&Value::Number(*n), None));
                assert_eq!(statistic.value(), Value::Number(want), "{}", function.name);
            }
        }
        assert_eq!((AVG.start)(0.0).value(), Value::Null);
    }
}

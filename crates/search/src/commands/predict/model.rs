//! Models of series of numbers, and their predictions by a Kalman filter.
//!
//! A series is the sum of a level that moves randomly, of a trend if the model has one, of a pattern
//! that repeats itself every period if it has one, and of noise. How much level, trend and pattern
//! move, compared with the noise, is chosen so that the series is most likely.

use spilltrail_eval::cancel::is_canceled;

/// The ratios of variances that are tried, compared with that of the noise.
const RATIOS: [f64; 8] = [0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0];

/// How often all ratios are tried.
const ROUNDS: usize = 2;

/// The variance of what is not known before the first number.
const DIFFUSE: f64 = 1e7;

/// The longest period: the filter's cost grows with the square of it.
pub(super) const LONGEST_PERIOD: usize = 1000;

/// The parts of a model besides level and noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) has_trend: bool,
    /// The number of points after which the pattern repeats itself.
    pub(super) period: Option<usize>,
}

impl Model {
    /// The number of values in the state.
    fn size(self) -> usize {
        1 + usize::from(self.has_trend) + self.period.map_or(0, |period| period - 1)
    }

    /// Returns the work of [`predict`] for a series: how many cells of the covariance it computes.
    pub(super) fn work(self, points: usize) -> usize {
        let parts = 1 + usize::from(self.has_trend) + usize::from(self.period.is_some());
        let passes = 2 + ROUNDS * parts * RATIOS.len();
        points.saturating_mul(self.size() * self.size()).saturating_mul(passes)
    }
}

/// The prediction of a point and its standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Predicted {
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

/// How much the parts of a model move, compared with the noise.
#[derive(Debug, Clone, Copy)]
struct Ratios {
    level: f64,
    trend: f64,
    pattern: f64,
}

/// A filter over a series: the state and its covariance, as rows.
struct Filter {
    model: Model,
    ratios: Ratios,
    state: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl Filter {
    fn new(model: Model, ratios: Ratios, first: f64) -> Self {
        let size = model.size();
        let mut covariance = vec![vec![0.0; size]; size];
        (0..size).for_each(|index| covariance[index][index] = DIFFUSE);
        let mut state = vec![0.0; size];
        state[0] = first;
        Self { model, ratios, state, covariance }
    }

    /// The index of the current part of the pattern, if there is one.
    fn pattern(&self) -> Option<usize> {
        self.model.period.map(|_| 1 + usize::from(self.model.has_trend))
    }

    /// Returns the predicted value and its variance, both before the noise is scaled.
    fn predict(&self) -> (f64, f64) {
        match self.pattern() {
            None => (self.state[0], self.covariance[0][0] + 1.0),
            Some(at) => (
                self.state[0] + self.state[at],
                self.covariance[0][0]
                    + self.covariance[at][at]
                    + 2.0 * self.covariance[0][at]
                    + 1.0,
            ),
        }
    }

    /// Learns a value.
    fn update(&mut self, value: f64) {
        let (mean, variance) = self.predict();
        let at = self.pattern();
        let size = self.state.len();
        let gain: Vec<f64> = (0..size)
            .map(|row| {
                let seen = self.covariance[row][0] + at.map_or(0.0, |at| self.covariance[row][at]);
                seen / variance
            })
            .collect();
        let seen: Vec<f64> = (0..size)
            .map(|column| {
                self.covariance[0][column] + at.map_or(0.0, |at| self.covariance[at][column])
            })
            .collect();
        let rows = self.state.iter_mut().zip(&mut self.covariance).zip(&gain);
        for ((state, row), gain) in rows {
            *state += gain * (value - mean);
            row.iter_mut().zip(&seen).for_each(|(cell, seen)| *cell -= gain * seen);
        }
    }

    /// Moves on to the next point.
    fn step(&mut self) {
        if self.model.has_trend {
            self.state[0] += self.state[1];
            self.combine(0, &[(0, 1.0), (1, 1.0)]);
            self.covariance[1][1] += self.ratios.trend;
        }
        if let (Some(at), Some(period)) = (self.pattern(), self.model.period) {
            // The parts of a pattern sum up to nothing, but for what it moves.
            let sum: f64 = self.state[at..].iter().sum();
            self.state[at..].rotate_right(1);
            self.state[at] = -sum;
            // The row of the new part is minus the sum of the old ones, the others move on by one.
            let parts = at..at + period - 1;
            let new: Vec<f64> = (0..self.covariance.len())
                .map(|column| parts.clone().map(|part| -self.covariance[part][column]).sum())
                .collect();
            self.covariance[parts.clone()].rotate_right(1);
            self.covariance[at] = new;
            for row in &mut self.covariance {
                let new: f64 = row[parts.clone()].iter().map(|value| -value).sum();
                row[parts.clone()].rotate_right(1);
                row[at] = new;
            }
            self.covariance[at][at] += self.ratios.pattern;
        }
        self.covariance[0][0] += self.ratios.level;
    }

    /// Replaces a part of the state by a combination of parts in the covariance.
    fn combine(&mut self, target: usize, parts: &[(usize, f64)]) {
        let size = self.state.len();
        let row: Vec<f64> = (0..size)
            .map(|column| {
                parts.iter().map(|(part, sign)| sign * self.covariance[*part][column]).sum()
            })
            .collect();
        self.covariance[target] = row;
        let column: Vec<f64> = (0..size)
            .map(|row| parts.iter().map(|(part, sign)| sign * self.covariance[row][*part]).sum())
            .collect();
        for (row, value) in column.into_iter().enumerate() {
            self.covariance[row][target] = value;
        }
    }
}

/// What a pass over the series finds: the predictions, the variance of the noise, and how likely the
/// series is.
struct Pass {
    predicted: Vec<(f64, f64)>,
    noise: f64,
    likelihood: f64,
}

/// Returns `None` if the search is canceled.
fn pass(series: &[Option<f64>], ahead: usize, model: Model, ratios: Ratios) -> Option<Pass> {
    let first = series.iter().flatten().next().copied().unwrap_or(0.0);
    let mut filter = Filter::new(model, ratios, first);
    let mut left_out = filter.state.len();
    let mut predicted = Vec::with_capacity(series.len() + ahead);
    let (mut squares, mut logarithms, mut count) = (0.0, 0.0, 0);
    for value in series.iter().copied().chain(std::iter::repeat_n(None, ahead)) {
        if is_canceled() {
            return None;
        }
        let (mean, variance) = filter.predict();
        predicted.push((mean, variance));
        if let Some(value) = value {
            // The first points only tell where the series begins.
            if left_out > 0 {
                left_out -= 1;
            } else {
                squares += (value - mean).powi(2) / variance;
                logarithms += variance.ln();
                count += 1;
            }
            filter.update(value);
        }
        filter.step();
    }
    let count = f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
    let noise = squares / count;
    let likelihood = -0.5 * (count * noise.max(f64::MIN_POSITIVE).ln() + logarithms);
    Some(Pass { predicted, noise, likelihood })
}

/// Returns the prediction of each point from the points before it, and of `ahead` points after the
/// last; `None` if the search is canceled. The first points, from which nothing is known, have a wide
/// range.
pub(super) fn predict(
    series: &[Option<f64>],
    ahead: usize,
    model: Model,
) -> Option<Vec<Predicted>> {
    let zero = Ratios { level: 0.0, trend: 0.0, pattern: 0.0 };
    let mut best = (zero, pass(series, 0, model, zero)?.likelihood);
    // One ratio after the other, twice, instead of all combinations.
    for _ in 0..ROUNDS {
        for part in 0..3 {
            if (part == 1 && !model.has_trend) || (part == 2 && model.period.is_none()) {
                continue;
            }
            for ratio in RATIOS {
                let mut ratios = best.0;
                match part {
                    0 => ratios.level = ratio,
                    1 => ratios.trend = ratio,
                    _ => ratios.pattern = ratio,
                }
                let likelihood = pass(series, 0, model, ratios)?.likelihood;
                if likelihood > best.1 {
                    best = (ratios, likelihood);
                }
            }
        }
    }
    let found = pass(series, ahead, model, best.0)?;
    let deviation = |variance: f64| (found.noise * variance.max(0.0)).sqrt();
    let predicted = found.predicted.into_iter();
    Some(
        predicted
            .map(|(mean, variance)| Predicted { mean, deviation: deviation(variance) })
            .collect(),
    )
}

/// Returns two predictions as one, in which the surer one weighs more.
pub(super) fn combined(one: Predicted, other: Predicted) -> Predicted {
    let weights = (other.deviation.powi(2), one.deviation.powi(2));
    let all = weights.0 + weights.1;
    if all == 0.0 || !all.is_finite() {
        return Predicted { mean: f64::midpoint(one.mean, other.mean), deviation: one.deviation };
    }
    Predicted {
        mean: (one.mean * weights.0 + other.mean * weights.1) / all,
        deviation: one.deviation * other.deviation / all.sqrt(),
    }
}

/// Returns the work of [`period_of`] for a series, in the measure of [`Model::work`].
pub(super) fn period_work(points: usize) -> usize {
    points.saturating_mul(longest_period(points))
}

/// Returns the longest period that a series can have: it shows twice.
fn longest_period(points: usize) -> usize {
    (points / 2).min(LONGEST_PERIOD)
}

/// Returns the period of a series: the distance at which it is most like itself, or `None` if it does
/// not repeat itself, or if the search is canceled.
#[expect(clippy::cast_precision_loss, reason = "points are fewer than 2^53")]
pub(super) fn period_of(series: &[Option<f64>]) -> Option<usize> {
    let known: Vec<f64> = series.iter().flatten().copied().collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let differences: Vec<f64> =
        series.iter().map(|value| value.map_or(0.0, |value| value - mean)).collect();
    let all: f64 = differences.iter().map(|difference| difference * difference).sum();
    if all == 0.0 {
        return None;
    }
    let likeness = |lag: usize| -> f64 {
        if is_canceled() {
            return 0.0;
        }
        let pairs = differences.iter().zip(&differences[lag..]);
        let sum: f64 = pairs.map(|(one, other)| one * other).sum();
        sum / all * series.len() as f64 / (series.len() - lag) as f64
    };
    let longest = longest_period(series.len());
    let all: Vec<f64> = (1..=longest + 1).filter(|lag| *lag < series.len()).map(likeness).collect();
    let peaks = (2..=longest).filter(|lag| {
        let at = |lag: usize| all.get(lag - 1).copied().unwrap_or(f64::NEG_INFINITY);
        at(*lag) > 0.3 && at(*lag) > at(lag - 1) && at(*lag) >= at(lag + 1)
    });
    // Of equally good periods, the shortest: the others are its multiples.
    peaks.fold(None, |best: Option<usize>, lag| match best {
        Some(best) if all[lag - 1] <= all[best - 1] + 0.05 => Some(best),
        _ => Some(lag),
    })
}

/// Returns how many standard deviations around the mean hold this part of a normal distribution.
pub(super) fn width(part: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if 1.0 - crate::commands::anomalydetection::zscore::tails(middle) < part {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
        values.into_iter().map(Some).collect()
    }

    #[test]
    fn a_constant_stays_and_a_trend_goes_on() {
        let level = Model { has_trend: false, period: None };
        let found = predict(&numbers([5.0; 20]), 3, level).unwrap();
        assert_eq!(found.len(), 23);
        assert!(found.iter().all(|point| (point.mean - 5.0).abs() < 1e-6));
        let trend = Model { has_trend: true, period: None };
        let found = predict(&numbers((0..30).map(f64::from)), 2, trend).unwrap();
        assert!((found[31].mean - 31.0).abs() < 0.01, "{:?}", found[31]);
    }

    #[test]
    fn a_pattern_repeats_itself() {
        let values = (0..40).map(|n| [1.0, 5.0, 9.0, 2.0][n % 4] + 10.0);
        let series = numbers(values);
        assert_eq!(period_of(&series), Some(4));
        let model = Model { has_trend: false, period: period_of(&series) };
        let found = predict(&series, 4, model).unwrap();
        for (point, expected) in found[40..].iter().zip([11.0, 15.0, 19.0, 12.0]) {
            assert!((point.mean - expected).abs() < 0.01, "{point:?} {expected}");
        }
        assert_eq!(period_of(&numbers([1.0; 20])), None);
        assert_eq!(period_of(&[]), None);
        assert_eq!(period_of(&numbers((0..30).map(f64::from))), None);
    }

    #[test]
    fn gaps_widen_the_range() {
        let mut series = numbers((0..30).map(|n| f64::from(n % 3)));
        series[20] = None;
        let model = Model { has_trend: false, period: None };
        let found = predict(&series, 2, model).unwrap();
        assert!(found[31].deviation >= found[30].deviation && found[30].deviation > 0.0);
    }

    #[test]
    fn widths_of_the_normal_distribution() {
        assert!((width(0.95) - 1.959_964).abs() < 1e-5);
        assert!((width(0.5) - 0.674_49).abs() < 1e-5);
        let (one, other) =
            (Predicted { mean: 1.0, deviation: 1.0 }, Predicted { mean: 3.0, deviation: 1.0 });
        let both = combined(one, other);
        assert!((both.mean - 2.0).abs() < 1e-12 && (both.deviation - 0.5_f64.sqrt()).abs() < 1e-12);
    }
}

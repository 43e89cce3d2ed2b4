//! `method=zscore`: finds single improbable values, as Splunk's `anomalousvalue` does.
//!
//! As a category, a value is improbable if its frequency is below the threshold. As a number, it is
//! improbable if a normal distribution with the field's mean and standard deviation yields a number
//! at least as far from the mean with a probability below the threshold. A field is ignored if its
//! values are too often anomalous, too seldom normal, or present in too few rows (Splunk's Search
//! Reference, `anomalousvalue`).

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::values::Values;

/// What decides which values are improbable, and which fields are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct ZScore {
    /// Values with a lower probability are anomalous.
    #[serde(with = "spilltrail_event::exact")]
    pub(crate) threshold: f64,
    /// The maximum fraction of the rows with a field that may be anomalous.
    #[serde(with = "spilltrail_event::exact")]
    pub(crate) most_anomalous: f64,
    /// The minimum fraction of the rows with a field that must be normal.
    #[serde(with = "spilltrail_event::exact")]
    pub(crate) least_normal: f64,
    /// More rows than this must have the field.
    pub(crate) support: usize,
    /// The minimum fraction of all rows that must have the field.
    #[serde(with = "spilltrail_event::exact")]
    pub(crate) support_part: f64,
}

impl ZScore {
    /// Returns Splunk's defaults with another threshold.
    pub(super) fn below(threshold: f64) -> Self {
        Self {
            threshold,
            most_anomalous: 0.05,
            least_normal: 0.01,
            support: 100,
            support_part: 0.05,
        }
    }
}

/// The scores of a field's values, and statistics of the field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldScores {
    /// The number of rows that have the field.
    pub(super) count: usize,
    /// The number of distinct values.
    pub(super) distinct: usize,
    /// The mean and standard deviation; `None` unless all values are finite numbers.
    pub(super) moments: Option<(f64, f64)>,
    /// The fraction of the rows with the field whose value is improbable as a category, and as a
    /// number.
    pub(super) anomalous: (f64, f64),
    /// The fraction of all rows that have the field.
    pub(super) support: f64,
    /// Whether the scores as a category are used, and those as a number.
    pub(super) uses: (bool, bool),
    /// The probability of each distinct value as a category, and as a number, in index order. It is
    /// `None` where it is not below the threshold or the score is not used.
    pub(super) scores: Vec<(Option<f64>, Option<f64>)>,
}

/// Returns the scores of the values of a field.
#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
pub(super) fn score(values: &Values, rules: ZScore) -> FieldScores {
    // Values with the same text are one category, such as the number 1 and the text `1`.
    let mut counts: HashMap<Vec<Cow<'_, str>>, usize> = HashMap::new();
    let mut count = 0;
    for (value, rows) in values.distinct().filter(|(value, _)| !value.is_null()) {
        *counts.entry(value.members()).or_default() += rows;
        count += rows;
    }
    let moments = moments(values);
    let part = |count: usize, of: usize| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let found: Vec<(Option<f64>, Option<f64>)> = values
        .distinct()
        .map(|(value, _)| {
            let rare = counts.get(&value.members()).map(|own| part(*own, values.count()));
            let far = moments.zip(value.as_number()).and_then(|((mean, deviation), number)| {
                (deviation > 0.0).then(|| tails((number - mean) / deviation))
            });
            let is_low = |score: &f64| *score < rules.threshold;
            (rare.filter(is_low), far.filter(is_low))
        })
        .collect();
    let rows_with = |is: fn(&(Option<f64>, Option<f64>)) -> bool| -> usize {
        let rows = values.distinct().zip(&found).filter(|(_, score)| is(score));
        rows.map(|((_, rows), _)| rows).sum()
    };
    let anomalous = (
        part(rows_with(|score| score.0.is_some()), count),
        part(rows_with(|score| score.1.is_some()), count),
    );
    let support = part(count, values.count());
    let is_supported = count > rules.support && support >= rules.support_part;
    let is_used = |part: f64| {
        is_supported && part <= rules.most_anomalous && 1.0 - part >= rules.least_normal
    };
    let uses = (is_used(anomalous.0), moments.is_some() && is_used(anomalous.1));
    let scores = found
        .into_iter()
        .map(|(rare, far)| (rare.filter(|_| uses.0), far.filter(|_| uses.1)))
        .collect();
    FieldScores { count, distinct: counts.len(), moments, anomalous, support, uses, scores }
}

/// Returns the mean and sample standard deviation, or `None` if the field has no value or one that
/// is not a finite number.
#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
fn moments(values: &Values) -> Option<(f64, f64)> {
    let numbers = values.numbers()?;
    let rows = numbers.clone().count();
    let count = rows as f64;
    let mean = numbers.clone().sum::<f64>() / count;
    let squares: f64 = numbers.map(|number| (number - mean).powi(2)).sum();
    let deviation = if rows > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
    Some((mean, deviation))
}

/// Returns the probability that a standard normal variable is at least as far from 0 as `distance`:
/// erfc(|distance| / √2).
pub(crate) fn tails(distance: f64) -> f64 {
    let x = distance.abs() / std::f64::consts::SQRT_2;
    if x < 2.5 {
        // The Maclaurin series of erf converges fast for small `x` and loses few digits.
        let mut term = x;
        let mut sum = x;
        for n in 1..80 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    // Evaluate the continued fraction of erfc from its innermost term outward.
    let mut fraction = x;
    for n in (1..60).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    (-x * x).exp() / fraction * std::f64::consts::FRAC_2_SQRT_PI / 2.0
}

#[cfg(test)]
mod tests {
    use spilltrail_event::Value;

    use super::*;

    fn score(values: &[Value<'static>], threshold: f64) -> FieldScores {
        super::score(&values.iter().cloned().collect(), ZScore::below(threshold))
    }

    #[test]
    fn tails_of_the_normal_distribution() {
        for (distance, want) in [
            (0.0, 1.0),
            (1.0, 0.317_310_507_862_914),
            (-1.959_963_984_540_054, 0.05),
            (3.0, 0.002_699_796_063_260_19),
            (5.0, 5.733_031_437_583_88e-7),
        ] {
            let found = tails(distance);
            assert!((found - want).abs() < 1e-12, "{distance}: {found}");
        }
        assert!(tails(50.0) >= 0.0);
    }

    #[test]
    fn improbable_values_are_found() {
        let mut values: Vec<Value<'static>> =
            (0..200).map(|n| Value::Number(f64::from(n % 10))).collect();
        values.push(Value::Number(500.0));
        let found = score(&values, 0.01);
        assert_eq!((found.count, found.distinct, found.uses), (201, 11, (true, true)));
        let (rare, far) = found.scores[10];
        assert!(rare.is_some_and(|rare| (rare - 1.0 / 201.0).abs() < 1e-15));
        assert!(far.is_some_and(|far| far < 1e-9));
        assert_eq!(found.scores[0], (None, None));
        let few = score(&values[101..], 0.01);
        assert_eq!((few.count, few.uses), (100, (false, false)));
        let texts: Vec<_> = (0..200).map(|n| Value::text(n.to_string() + "x")).collect();
        assert_eq!(score(&texts, 0.01).uses, (false, false), "all are rare");
    }
}

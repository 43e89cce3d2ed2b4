//! `method=zscore`: values that are improbable by themselves, as Splunk's `anomalousvalue` finds them.
//!
//! A number is improbable if a normal distribution with the field's mean and deviation has it, or one
//! farther off, with a probability below the threshold; any other value if it is rarer than that.
//! Fields whose values are too often anomalous, too seldom normal, or too seldom there, do not count
//! (Search Reference, `anomalousvalue`).

use std::borrow::Cow;
use std::collections::HashMap;

use super::values::Values;

/// The part of a field's rows that may be anomalous (`maxanofreq`).
const MAX_ANOMALOUS: f64 = 0.05;
/// The part of a field's rows that must be normal (`minnormfreq`).
const MIN_NORMAL: f64 = 0.01;
/// Rows with the field that there must be more than (`minsupcount`).
const MIN_SUPPORT: usize = 100;
/// The part of all rows that must have the field (`minsupfreq`).
const MIN_SUPPORT_PART: f64 = 0.05;

/// What is known of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldScores {
    /// Rows that have the field.
    pub(super) count: usize,
    /// Distinct values.
    pub(super) distinct: usize,
    /// Mean and standard deviation, if all values are numbers.
    pub(super) moments: Option<(f64, f64)>,
    /// Of the rows with the field, the part that is improbable as a category, and as a number.
    pub(super) anomalous: (f64, f64),
    /// Of all rows, the part that has the field.
    pub(super) support: f64,
    /// Whether scores as a category and as a number count.
    pub(super) uses: (bool, bool),
    /// The probability of each distinct value, by its place, as a category and as a number, where it is
    /// below the threshold and counts.
    pub(super) scores: Vec<(Option<f64>, Option<f64>)>,
}

/// Scores the values of a field.
#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
pub(super) fn score(values: &Values, threshold: f64) -> FieldScores {
    // What is written alike is the same category.
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
            let is_low = |score: &f64| *score < threshold;
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
    let is_supported = count > MIN_SUPPORT && support >= MIN_SUPPORT_PART;
    let is_used = |part: f64| is_supported && part <= MAX_ANOMALOUS && 1.0 - part >= MIN_NORMAL;
    let uses = (is_used(anomalous.0), moments.is_some() && is_used(anomalous.1));
    let scores = found
        .into_iter()
        .map(|(rare, far)| (rare.filter(|_| uses.0), far.filter(|_| uses.1)))
        .collect();
    FieldScores { count, distinct: counts.len(), moments, anomalous, support, uses, scores }
}

/// Returns mean and sample standard deviation; none if there is a value that is no finite number.
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
fn tails(distance: f64) -> f64 {
    let x = distance.abs() / std::f64::consts::SQRT_2;
    if x < 2.5 {
        // Maclaurin series of erf; it converges fast here and loses few digits.
        let mut term = x;
        let mut sum = x;
        for n in 1..80 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        return 1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    // Continued fraction of erfc, from the far end.
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
        super::score(&values.iter().cloned().collect(), threshold)
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

//! `method=histogram`: how probable a row is, from how frequent its values are.
//!
//! Documented (Search Reference, `anomalydetection`): a row's probability is the product over its
//! fields of the frequency of the field's value; of a number, of the bin of a histogram; the
//! threshold is the first quartile of the logarithms minus 1.5 times the distance of the quartiles;
//! `cutoff=true` lowers it to get fewer anomalies. The command's own description in Splunk adds that
//! an absent value counts as a value of its own, and that bins are as wide as Scott's rule says.
//! Everything else is our choice and listed in the command's documentation.

use std::collections::HashMap;

use spilltrail_event::Value;

use crate::stats::functions::percentiles::interpolated;

/// Bins of one histogram at most, whatever Scott's rule says.
const MAX_BINS: f64 = 100_000.0;

/// The part of all rows that `cutoff=true` lets be anomalies.
const CUTOFF: f64 = 0.05;

/// How the threshold is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Threshold {
    /// From the quartiles, as they are.
    Quartiles,
    /// From the quartiles, lowered so that few rows are below: `cutoff=true`.
    Cutoff,
    /// Given as a probability: `pthresh`.
    Probability(f64),
}

/// What is known of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// Natural logarithm of the row's probability.
    pub(super) log_probability: f64,
    /// The field with the rarest value, by its place in the list of fields.
    pub(super) cause: usize,
    /// The frequency of that value.
    pub(super) cause_frequency: f64,
    /// The frequency of the row's most frequent value.
    pub(super) max_frequency: f64,
}

/// What is known of all rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scores {
    pub(super) rows: Vec<Score>,
    /// Rows with a logarithm below this are anomalies.
    pub(super) threshold: f64,
    pub(super) first_quartile: f64,
    pub(super) third_quartile: f64,
}

impl Scores {
    pub(super) fn is_anomaly(&self, row: &Score) -> bool {
        is_below(row.log_probability, self.threshold)
    }

    pub(super) fn anomalies(&self) -> usize {
        self.rows.iter().filter(|row| self.is_anomaly(row)).count()
    }
}

/// A value as a histogram counts it.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Cell<'a> {
    Missing,
    Bin(u64),
    Text(Vec<std::borrow::Cow<'a, str>>),
}

/// Returns the frequency of each value of a field among all values.
#[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
pub(super) fn frequencies(values: &[Value<'_>]) -> Vec<f64> {
    let bins = Bins::of(values);
    let mut counts: HashMap<Cell<'_>, u64> = HashMap::new();
    let cell = |value: &Value<'_>| match (&bins, value.as_number()) {
        (Some(bins), Some(number)) => Some(Cell::Bin(bins.index(number))),
        _ => None,
    };
    let cells = || values.iter().map(|value| cell(value).unwrap_or_else(|| category(value)));
    for cell in cells() {
        *counts.entry(cell).or_default() += 1;
    }
    cells().map(|cell| counts[&cell] as f64 / values.len() as f64).collect()
}

fn category<'a>(value: &'a Value<'_>) -> Cell<'a> {
    if value.is_null() { Cell::Missing } else { Cell::Text(value.members()) }
}

/// Equal bins from the smallest to the greatest number; the last one includes its end.
struct Bins {
    low: f64,
    width: f64,
    last: u64,
}

impl Bins {
    /// Returns the bins of a field; none if it has a value that is no finite number.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "row numbers stay below 2^53, and the number of bins is from 1 to 100,000"
    )]
    fn of(values: &[Value<'_>]) -> Option<Self> {
        let present = values.iter().filter(|value| !value.is_null());
        let numbers = present
            .map(|value| value.as_number().filter(|number| number.is_finite()))
            .collect::<Option<Vec<f64>>>()
            .filter(|numbers| !numbers.is_empty())?;
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        let deviation = if numbers.len() > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Scott 1979: 3.49 standard deviations by the cube root of the number of values.
        let width = 3.49 * deviation * count.powf(-1.0 / 3.0);
        let range = high - low;
        let is_one = !(width > 0.0 && range > 0.0 && (width + range).is_finite());
        let bins = if is_one { 1.0 } else { (range / width).ceil().clamp(1.0, MAX_BINS) };
        let width = if bins > 1.0 { range / bins } else { 0.0 };
        Some(Self { low, width, last: bins as u64 - 1 })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers are not below `low`, and the result is capped"
    )]
    fn index(&self, number: f64) -> u64 {
        if self.width == 0.0 {
            0
        } else {
            (((number - self.low) / self.width) as u64).min(self.last)
        }
    }
}

/// Scores rows; `frequencies` has a list for each field, and there is at least one field. None if there
/// are no rows.
pub(super) fn score(frequencies: &[Vec<f64>], threshold: Threshold) -> Option<Scores> {
    let count = frequencies.first()?.len();
    let rows: Vec<Score> = (0..count).map(|row| of_row(frequencies, row)).collect();
    let mut sorted: Vec<f64> = rows.iter().map(|row| row.log_probability).collect();
    sorted.sort_by(f64::total_cmp);
    let first_quartile = interpolated(&sorted, 0.25)?;
    let third_quartile = interpolated(&sorted, 0.75)?;
    let fence = first_quartile - 1.5 * (third_quartile - first_quartile);
    let threshold = match threshold {
        Threshold::Probability(probability) => probability.ln(),
        Threshold::Quartiles => fence,
        Threshold::Cutoff => lowered(fence, &sorted),
    };
    Some(Scores { rows, threshold, first_quartile, third_quartile })
}

fn of_row(frequencies: &[Vec<f64>], row: usize) -> Score {
    let mut score = Score {
        log_probability: 0.0,
        cause: 0,
        cause_frequency: f64::INFINITY,
        max_frequency: 0.0,
    };
    for (field, frequencies) in frequencies.iter().enumerate() {
        let frequency = frequencies[row];
        score.log_probability += frequency.ln();
        score.max_frequency = score.max_frequency.max(frequency);
        if frequency < score.cause_frequency {
            (score.cause, score.cause_frequency) = (field, frequency);
        }
    }
    score
}

/// Lowers a threshold until no more than [`CUTOFF`] of the rows are below it. Rows of the same
/// probability stay together, and the rarest ones stay in any case.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "row numbers stay below 2^53"
)]
fn lowered(fence: f64, sorted: &[f64]) -> f64 {
    let allowed = ((CUTOFF * sorted.len() as f64).ceil() as usize).max(1);
    let below = sorted.iter().take_while(|value| is_below(**value, fence)).count();
    let candidates = &sorted[..below];
    if below <= allowed {
        return fence;
    }
    let mut kept = 0;
    while kept < allowed && kept < below {
        let group = candidates[kept];
        let size = candidates[kept..].iter().take_while(|value| !is_below(group, **value)).count();
        if kept > 0 && kept + size > allowed {
            break;
        }
        kept += size;
    }
    candidates.get(kept).copied().unwrap_or(fence)
}

/// Returns true if `value` is below `limit` by more than rounding errors.
fn is_below(value: f64, limit: f64) -> bool {
    value < limit - 1e-12 * limit.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&'static str]) -> Vec<Value<'static>> {
        texts.iter().map(|text| Value::text(*text)).collect()
    }

    #[test]
    fn values_have_frequencies() {
        assert_eq!(frequencies(&texts(&["x", "y", "x", "x"])), [0.75, 0.25, 0.75, 0.75]);
        let mut with_absent = texts(&["x", "x"]);
        with_absent.extend([Value::Null, Value::multi(vec!["x".into(), "y".into()])]);
        assert_eq!(frequencies(&with_absent), [0.5, 0.5, 0.25, 0.25]);
        // A number as text is a number; one value that is none makes categories of all.
        assert_eq!(frequencies(&texts(&["1", "1.0", "1"])), [1.0, 1.0, 1.0]);
        let category = frequencies(&texts(&["1", "1.0", "x"]));
        assert!(category.iter().all(|frequency| (frequency - 1.0 / 3.0).abs() < 1e-15));
    }

    #[test]
    fn numbers_are_binned_by_scotts_rule() {
        // Mean 2.75, standard deviation 3.5, width 3.49 * 3.5 / cbrt(4) = 7.69: ceil(7 / 7.69) is one
        // bin; with more values the same two clumps separate.
        let few = [1.0, 1.0, 1.0, 8.0].map(Value::Number);
        assert_eq!(frequencies(&few), [1.0; 4]);
        let mut many = vec![Value::Number(1.0); 30];
        many.extend([Value::Number(8.0), Value::Number(8.0)]);
        let found = frequencies(&many);
        assert_eq!((found[0], found[31]), (30.0 / 32.0, 2.0 / 32.0));
    }

    #[test]
    fn rows_are_scored() {
        let mut frequencies = vec![vec![0.9; 10], vec![0.8; 10]];
        frequencies[0][3] = 0.1;
        frequencies[1][3] = 0.2;
        let scores = score(&frequencies, Threshold::Quartiles).unwrap();
        let found = scores.rows[3];
        assert_eq!((found.cause, found.cause_frequency, found.max_frequency), (0, 0.1, 0.2));
        assert_eq!(found.log_probability, 0.1f64.ln() + 0.2f64.ln());
        assert_eq!(scores.anomalies(), 1);
        let none = score(&frequencies, Threshold::Probability(0.02)).unwrap();
        assert_eq!(none.anomalies(), 0, "0.1 * 0.2 is not below 0.02");
        assert_eq!(score(&[vec![]], Threshold::Cutoff), None);
    }

    #[test]
    fn cutoff_keeps_the_rarest_rows() {
        let rows = |rare: &[f64]| {
            let mut row = vec![-1.0; 40 - rare.len()];
            row.extend(rare);
            row.sort_by(f64::total_cmp);
            row
        };
        let below = |rare: &[f64]| {
            let sorted = rows(rare);
            let limit = lowered(-1.0, &sorted);
            sorted.iter().filter(|value| is_below(**value, limit)).count()
        };
        // Two of forty rows are allowed.
        assert_eq!(below(&[-3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -3.0]), 1, "rows of the same probability stay together");
        assert_eq!(below(&[-3.0, -3.0, -3.0]), 3, "the rarest rows stay");
        assert_eq!(below(&[]), 0);
    }
}

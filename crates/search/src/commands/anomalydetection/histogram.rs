//! `method=histogram`: computes the probability of a row from the frequencies of its values.
//!
//! Splunk's Search Reference (`anomalydetection`) documents these rules:
//!
//! - The probability of a row is the product of the frequencies of its field values. For a number,
//!   the frequency of its histogram bin counts.
//! - The threshold is the first quartile of the log probabilities minus 1.5 times the interquartile
//!   range.
//! - `cutoff=true` lowers the threshold to find fewer anomalies.
//!
//! The description of the command inside Splunk adds that an absent value counts as a separate
//! value, and that Scott's rule sets the width of the bins. Every other detail is our choice and is
//! listed in the command's documentation.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use spilltrail_event::Value;

use super::values::Values;
use crate::stats::functions::percentiles::interpolated;

/// The maximum number of bins in a histogram; caps the result of Scott's rule.
const MAX_BINS: f64 = 100_000.0;

/// The fraction of all rows that may be anomalies with `cutoff=true`.
const CUTOFF: f64 = 0.05;

/// Selects how the threshold is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Threshold {
    /// Computed from the quartiles: `cutoff=false`.
    Quartiles,
    /// Computed from the quartiles, then lowered so that few rows are below it: `cutoff=true`.
    Cutoff,
    /// Set by the user as a probability: `pthresh`.
    Probability(#[serde(with = "spilltrail_event::exact")] f64),
}

/// The score of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    /// The natural logarithm of the row's probability.
    pub(super) log_probability: f64,
    /// The index of the field with the rarest value in the list of fields.
    pub(super) cause: usize,
    /// The frequency of the rarest value.
    pub(super) cause_frequency: f64,
    /// The frequency of the row's most frequent value.
    pub(super) max_frequency: f64,
}

/// The threshold, and statistics of the log probabilities of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    /// A row is an anomaly if its log probability is below this value.
    pub(super) threshold: f64,
    pub(super) anomalies: usize,
    pub(super) first_quartile: f64,
    pub(super) third_quartile: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Scores {
    pub(super) fn is_anomaly(&self, row: &Score) -> bool {
        is_below(row.log_probability, self.threshold)
    }
}

/// The values of a field and their frequencies.
#[derive(Debug)]
pub(super) struct Frequencies {
    values: Values,
    /// The frequency of each distinct value, indexed as in `values`.
    by_place: Vec<f64>,
}

/// The unit that a histogram counts: all values in one cell have the same frequency.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Cell {
    Missing,
    Bin(u64),
    Text(Vec<String>),
}

impl Frequencies {
    /// Computes the frequencies of the values of a field.
    #[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
    pub(super) fn of(values: Values) -> Self {
        let bins = Bins::of(&values);
        let cell = |value: &Value<'static>| match (&bins, value.as_number()) {
            (Some(bins), Some(number)) => Cell::Bin(bins.index(number)),
            _ => category(value),
        };
        // Each cell maps to its index and the number of rows in it. Different values can share a
        // cell, such as two numbers in the same bin.
        let mut cells: HashMap<Cell, (usize, usize)> = HashMap::new();
        let mut cell_of = Vec::new();
        for (value, count) in values.distinct() {
            let number = cells.len();
            let (number, counted) = cells.entry(cell(value)).or_insert((number, 0));
            *counted += count;
            cell_of.push(*number);
        }
        let mut counts = vec![0; cells.len()];
        cells.into_values().for_each(|(number, counted)| counts[number] = counted);
        let rows = values.count() as f64;
        let by_place = cell_of.into_iter().map(|cell| counts[cell] as f64 / rows).collect();
        Self { values, by_place }
    }

    /// Returns the frequency of a row's value among all rows.
    fn of_row(&self, row: usize) -> f64 {
        self.by_place[self.values.place(row)]
    }
}

fn category(value: &Value<'_>) -> Cell {
    if value.is_null() {
        return Cell::Missing;
    }
    Cell::Text(value.members().into_iter().map(Cow::into_owned).collect())
}

/// Bins of equal width from the smallest to the largest number; the last bin includes its end.
struct Bins {
    low: f64,
    width: f64,
    last: u64,
}

impl Bins {
    /// Returns the bins of a field, or `None` if the field has no value or one that is not a finite
    /// number.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "row numbers stay below 2^53, and the number of bins is from 1 to 100,000"
    )]
    fn of(values: &Values) -> Option<Self> {
        let numbers = values.numbers()?;
        let rows = numbers.clone().count();
        let count = rows as f64;
        let mean = numbers.clone().sum::<f64>() / count;
        let squares: f64 = numbers.clone().map(|number| (number - mean).powi(2)).sum();
        let deviation = if rows > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let low = numbers.clone().fold(f64::INFINITY, f64::min);
        let high = numbers.fold(f64::NEG_INFINITY, f64::max);
        // Scott 1979: 3.49 times the standard deviation, divided by the cube root of the number of
        // values.
        let width = 3.49 * deviation * count.powf(-1.0 / 3.0);
        let range = high - low;
        // One bin holds everything if all numbers are equal or the arithmetic overflows.
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

/// Returns the threshold and the statistics of all rows, or `None` without fields or rows.
pub(super) fn score(fields: &[Frequencies], threshold: Threshold) -> Option<Scores> {
    let count = fields.first()?.values.count();
    let logarithms = (0..count).map(|row| of_row(fields, row).log_probability);
    let mut sorted: Vec<f64> = logarithms.collect();
    sorted.sort_by(f64::total_cmp);
    let first_quartile = interpolated(&sorted, 0.25)?;
    let third_quartile = interpolated(&sorted, 0.75)?;
    let fence = first_quartile - 1.5 * (third_quartile - first_quartile);
    let threshold = match threshold {
        Threshold::Probability(probability) => probability.ln(),
        Threshold::Quartiles => fence,
        Threshold::Cutoff => lowered(fence, &sorted),
    };
    let anomalies = sorted.iter().take_while(|value| is_below(**value, threshold)).count();
    let (least, greatest) = (*sorted.first()?, *sorted.last()?);
    Some(Scores { threshold, anomalies, first_quartile, third_quartile, least, greatest })
}

/// Returns the score of one row.
pub(super) fn of_row(fields: &[Frequencies], row: usize) -> Score {
    let mut score = Score {
        log_probability: 0.0,
        cause: 0,
        cause_frequency: f64::INFINITY,
        max_frequency: 0.0,
    };
    for (field, frequencies) in fields.iter().enumerate() {
        let frequency = frequencies.of_row(row);
        score.log_probability += frequency.ln();
        score.max_frequency = score.max_frequency.max(frequency);
        if frequency < score.cause_frequency {
            (score.cause, score.cause_frequency) = (field, frequency);
        }
    }
    score
}

/// Returns a threshold lowered until no more than [`CUTOFF`] of the rows are below it.
///
/// Rows with the same probability end up on the same side of the threshold. The rows with the
/// lowest probability stay below it even if they are more than [`CUTOFF`] allows.
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
    // Keep whole groups of equal probability, rarest first, while they fit.
    let mut kept = 0;
    while kept < allowed && kept < below {
        let group = candidates[kept];
        let size = candidates[kept..].iter().take_while(|value| !is_below(group, **value)).count();
        if kept > 0 && kept + size > allowed {
            break;
        }
        kept += size;
    }
    // The first row that does not fit becomes the threshold: only the kept rows are below it.
    candidates.get(kept).copied().unwrap_or(fence)
}

/// Returns true if `value` is below `limit` by more than a rounding error.
fn is_below(value: f64, limit: f64) -> bool {
    value < limit - 1e-12 * limit.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&'static str]) -> Vec<Value<'static>> {
        texts.iter().map(|text| Value::text(*text)).collect()
    }

    fn frequencies(values: &[Value<'static>]) -> Vec<f64> {
        let frequencies = Frequencies::of(values.iter().cloned().collect());
        (0..values.len()).map(|row| frequencies.of_row(row)).collect()
    }

    /// Returns a field with a different value in each row and the given frequencies.
    fn given(by_place: Vec<f64>) -> Frequencies {
        let values = (0..by_place.len()).map(|row| Value::text(row.to_string())).collect();
        Frequencies { values, by_place }
    }

    #[test]
    fn values_have_frequencies() {
        assert_eq!(frequencies(&texts(&["x", "y", "x", "x"])), [0.75, 0.25, 0.75, 0.75]);
        let mut with_absent = texts(&["x", "x"]);
        with_absent.extend([Value::Null, Value::multi(vec!["x".into(), "y".into()])]);
        assert_eq!(frequencies(&with_absent), [0.5, 0.5, 0.25, 0.25]);
        // Numbers may be written as text. One value that is not a number makes all values
        // categories.
        assert_eq!(frequencies(&texts(&["1", "1.0", "1"])), [1.0, 1.0, 1.0]);
        let category = frequencies(&texts(&["1", "1.0", "x"]));
        assert!(category.iter().all(|frequency| (frequency - 1.0 / 3.0).abs() < 1e-15));
    }

    #[test]
    fn numbers_are_binned_by_scotts_rule() {
        // Mean 2.75, standard deviation 3.5, width 3.49 * 3.5 / cbrt(4) = 7.69: ceil(7 / 7.69) is
        // one bin. With more values the bins are narrower and separate the two numbers.
        let few = [1.0, 1.0, 1.0, 8.0].map(Value::Number);
        assert_eq!(frequencies(&few), [1.0; 4]);
        let mut many = vec![Value::Number(1.0); 30];
        many.extend([Value::Number(8.0), Value::Number(8.0)]);
        let found = frequencies(&many);
        assert_eq!((found[0], found[31]), (30.0 / 32.0, 2.0 / 32.0));
    }

    #[test]
    fn rows_are_scored() {
        let mut frequencies = [vec![0.9; 10], vec![0.8; 10]];
        frequencies[0][3] = 0.1;
        frequencies[1][3] = 0.2;
        let frequencies = frequencies.map(given);
        let scores = score(&frequencies, Threshold::Quartiles).unwrap();
        let found = of_row(&frequencies, 3);
        assert_eq!((found.cause, found.cause_frequency, found.max_frequency), (0, 0.1, 0.2));
        assert_eq!(found.log_probability, 0.1f64.ln() + 0.2f64.ln());
        assert_eq!((scores.anomalies, scores.least), (1, found.log_probability));
        let none = score(&frequencies, Threshold::Probability(0.02)).unwrap();
        assert_eq!(none.anomalies, 0, "0.1 * 0.2 is not below 0.02");
        assert_eq!(score(&[given(vec![])], Threshold::Cutoff), None);
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
        // Two of the forty rows may be anomalies.
        assert_eq!(below(&[-3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -3.0]), 1, "rows of the same probability stay together");
        assert_eq!(below(&[-3.0, -3.0, -3.0]), 3, "the rarest rows stay");
        assert_eq!(below(&[]), 0);
    }
}

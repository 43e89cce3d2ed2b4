//! `method=histogram`: how probable a row is, from how frequent its values are.
//!
//! Documented (Search Reference, `anomalydetection`): a row's probability is the product over its
//! fields of the frequency of the field's value; of a number, of the bin of a histogram; the
//! threshold is the first quartile of the logarithms minus 1.5 times the distance of the quartiles;
//! `cutoff=true` lowers it to get fewer anomalies. The command's own description in Splunk adds that
//! an absent value counts as a value of its own, and that bins are as wide as Scott's rule says.
//! Everything else is our choice and listed in the command's documentation.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use spilltrail_event::Value;

use super::values::Values;
use crate::stats::functions::percentiles::interpolated;

/// Bins of one histogram at most, whatever Scott's rule says.
const MAX_BINS: f64 = 100_000.0;

/// The part of all rows that `cutoff=true` lets be anomalies.
const CUTOFF: f64 = 0.05;

/// How the threshold is found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Threshold {
    /// From the quartiles, as they are.
    Quartiles,
    /// From the quartiles, lowered so that few rows are below: `cutoff=true`.
    Cutoff,
    /// Given as a probability: `pthresh`.
    Probability(#[serde(with = "spilltrail_event::exact")] f64),
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    /// Rows with a logarithm below this are anomalies.
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

/// A field's values, and how frequent they are.
#[derive(Debug)]
pub(super) struct Frequencies {
    values: Values,
    /// Of each distinct value, by its place.
    by_place: Vec<f64>,
}

/// A value as a histogram counts it.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Cell {
    Missing,
    Bin(u64),
    Text(Vec<String>),
}

impl Frequencies {
    /// Counts the values of a field.
    #[expect(clippy::cast_precision_loss, reason = "row numbers stay below 2^53")]
    pub(super) fn of(values: Values) -> Self {
        let bins = Bins::of(&values);
        let cell = |value: &Value<'static>| match (&bins, value.as_number()) {
            (Some(bins), Some(number)) => Cell::Bin(bins.index(number)),
            _ => category(value),
        };
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
    fn of(values: &Values) -> Option<Self> {
        let numbers = values.numbers()?;
        let rows = numbers.clone().count();
        let count = rows as f64;
        let mean = numbers.clone().sum::<f64>() / count;
        let squares: f64 = numbers.clone().map(|number| (number - mean).powi(2)).sum();
        let deviation = if rows > 1 { (squares / (count - 1.0)).sqrt() } else { 0.0 };
        let low = numbers.clone().fold(f64::INFINITY, f64::min);
        let high = numbers.fold(f64::NEG_INFINITY, f64::max);
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

/// Scores all rows; there is at least one field. None if there are no rows.
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

/// Scores one row.
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

    fn frequencies(values: &[Value<'static>]) -> Vec<f64> {
        let frequencies = Frequencies::of(values.iter().cloned().collect());
        (0..values.len()).map(|row| frequencies.of_row(row)).collect()
    }

    /// A field of which each row has a value of its own, of the frequency given.
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
        // Two of forty rows are allowed.
        assert_eq!(below(&[-3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -2.0]), 2);
        assert_eq!(below(&[-4.0, -3.0, -3.0]), 1, "rows of the same probability stay together");
        assert_eq!(below(&[-3.0, -3.0, -3.0]), 3, "the rarest rows stay");
        assert_eq!(below(&[]), 0);
    }
}

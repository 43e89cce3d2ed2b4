//! Bins of times and numbers: the ranges into which commands such as `bin` group values.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value, format_number};
use spilltrail_spl::time::{self, Span, Unit};

use crate::rows::mapped::ValueFunction;
use crate::rows::zone;

/// Time bins; each value is replaced by the start of its bin, in epoch seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TimeBins {
    /// The length of a bin.
    pub span: Span,
    /// An instant, in epoch seconds, at which a bin begins. Bins of days or longer ignore it.
    #[serde(with = "spilltrail_event::exact::option")]
    pub align: Option<f64>,
    /// The weekday (0 is Sunday) on which bins of one week begin. If it is `None`, weeks are
    /// counted from 1970-01-01.
    pub weekday: Option<u8>,
    /// The time zone at whose midnight bins of days or longer begin.
    #[serde(with = "zone")]
    pub zone: TimeZone,
}

impl TimeBins {
    /// Returns bins of length `span`, without an alignment or a first weekday.
    #[must_use]
    pub fn new(span: Span, zone: TimeZone) -> Self {
        Self { span, align: None, weekday: None, zone }
    }

    /// Returns the start of the bin that contains `time`.
    #[must_use]
    pub fn floor(&self, time: f64) -> f64 {
        if let Some(weekday) = self.weekday {
            let snapped = time::relative_time(time, &format!("@w{weekday}"), &self.zone);
            return snapped.unwrap_or(f64::NAN);
        }
        match self.align {
            Some(align) if self.span.unit.seconds().is_some() => {
                // The shift moves `align` to the start of an unaligned bin, so that after shifting
                // back, an aligned bin begins at `align`.
                let shift = time::floor(align, self.span, &self.zone) - align;
                time::floor(time + shift, self.span, &self.zone) - shift
            }
            _ => time::floor(time, self.span, &self.zone),
        }
    }
}

impl TimeBins {
    /// Returns the start of the bin after the one that starts at `start`.
    #[must_use]
    pub fn next(&self, start: f64) -> f64 {
        match self.span.unit.seconds() {
            Some(unit) => start + unit * f64::from(self.span.count),
            // Days and more differ in length. One and a half of them later is in the next bin.
            None => self.floor(start + 1.5 * seconds(self.span)),
        }
    }
}

impl ValueFunction for TimeBins {
    fn name(&self) -> &'static str {
        "spl_bin_time"
    }

    fn kind(&self, input: Kind) -> Kind {
        input
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        match value.as_number().map(|time| self.floor(time)) {
            Some(start) if start.is_finite() => Value::Number(start),
            _ => value.clone().into_owned(),
        }
    }
}

/// Number bins; each number is replaced by the text `low-high`, where `low` is inclusive. Values
/// that are not numbers stay unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum NumberBins {
    /// Bins of equal width.
    Linear {
        /// The width of each bin.
        #[serde(with = "spilltrail_event::exact")]
        width: f64,
    },
    /// Bins between consecutive values of `coefficient * base^n`; numbers up to 0 stay unchanged.
    Logarithmic {
        /// At least 1 and less than the base.
        #[serde(with = "spilltrail_event::exact")]
        coefficient: f64,
        /// Greater than 1.
        #[serde(with = "spilltrail_event::exact")]
        base: f64,
    },
}

impl NumberBins {
    /// Parses a logarithmic span, `[<coefficient>]log[<base>]`; returns `None` if it is not valid.
    #[must_use]
    pub fn logarithmic(text: &str) -> Option<Self> {
        let (coefficient, base) = text.trim().split_once("log")?;
        let number = |text: &str, default: f64| match text {
            "" => Some(default),
            text => spilltrail_event::parse_number(text),
        };
        let (coefficient, base) = (number(coefficient, 1.0)?, number(base, 10.0)?);
        let is_valid = base > 1.0 && base.is_finite() && (1.0..base).contains(&coefficient);
        is_valid.then_some(Self::Logarithmic { coefficient, base })
    }

    /// Returns the bounds of the bin that contains `number`, or `None` if no bin contains it.
    #[must_use]
    pub fn bounds(&self, number: f64) -> Option<(f64, f64)> {
        let (low, high) = match *self {
            Self::Linear { width } => {
                let index = index(number, width);
                (index * width, (index + 1.0) * width)
            }
            Self::Logarithmic { coefficient, base } => {
                if number <= 0.0 {
                    return None;
                }
                let power = (number / coefficient).log(base);
                let power = whole(power, ROUNDING * (power.abs() + base.ln().recip()));
                (coefficient * base.powf(power), coefficient * base.powf(power + 1.0))
            }
        };
        (low.is_finite() && high.is_finite()).then(|| (tidy(low), tidy(high)))
    }
}

impl ValueFunction for NumberBins {
    fn name(&self) -> &'static str {
        "spl_bin_number"
    }

    fn kind(&self, input: Kind) -> Kind {
        input.or(Kind::Text)
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        match value.as_number().and_then(|number| self.bounds(number)) {
            Some((low, high)) => {
                Value::text(format!("{}-{}", format_number(low), format_number(high)))
            }
            None => value.clone().into_owned(),
        }
    }
}

/// Number bins as [`NumberBins`], but each number is replaced by the lower bound of its bin, which
/// sorts by value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LowerBounds(pub NumberBins);

impl LowerBounds {
    /// Returns the label of the bin with this lower bound, such as `10-20`, or the text itself if
    /// it is not a number in a bin.
    #[must_use]
    pub fn label(&self, low: &Value<'_>) -> Value<'static> {
        self.0.apply(low)
    }
}

impl ValueFunction for LowerBounds {
    fn name(&self) -> &'static str {
        "spl_bin_low"
    }

    fn kind(&self, input: Kind) -> Kind {
        input
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        match value.as_number().and_then(|number| self.0.bounds(number)) {
            Some((low, _)) => Value::Number(low),
            None => value.clone().into_owned(),
        }
    }
}

/// Drops the values that are not numbers from `start` to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Within {
    /// The least number that is kept.
    #[serde(with = "spilltrail_event::exact::option")]
    pub start: Option<f64>,
    /// The greatest number that is kept.
    #[serde(with = "spilltrail_event::exact::option")]
    pub end: Option<f64>,
}

impl Within {
    /// Returns true if the number is kept.
    #[must_use]
    pub fn has(self, number: f64) -> bool {
        self.start.is_none_or(|start| number >= start) && self.end.is_none_or(|end| number <= end)
    }
}

impl ValueFunction for Within {
    fn name(&self) -> &'static str {
        "spl_within"
    }

    fn kind(&self, input: Kind) -> Kind {
        input
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        match value.as_number() {
            Some(number) if self.has(number) => value.clone().into_owned(),
            _ => Value::Null,
        }
    }
}

/// The relative error that rounding can have made in a number.
const ROUNDING: f64 = 1e-13;

/// Returns the index of the bin of this width that contains a number.
fn index(number: f64, width: f64) -> f64 {
    let quotient = number / width;
    whole(quotient, ROUNDING * quotient.abs())
}

/// Rounds down, except that a number within `error` of an integer becomes that integer.
fn whole(number: f64, error: f64) -> f64 {
    let nearest = number.round();
    if (number - nearest).abs() < error { nearest } else { number.floor() }
}

/// Rounds to 14 significant digits, so that three times 0.1 prints as 0.3.
fn tidy(number: f64) -> f64 {
    format!("{number:.13e}").parse().unwrap_or(number)
}

/// The bin lengths to choose from when a search gives no span, each with its approximate length in
/// seconds (Splunk's Search Reference, `timechart`).
const TIME_STEPS: [(Span, f64); 12] = [
    step(1, Unit::Second, 1.0),
    step(5, Unit::Second, 5.0),
    step(10, Unit::Second, 10.0),
    step(30, Unit::Second, 30.0),
    step(1, Unit::Minute, 60.0),
    step(5, Unit::Minute, 300.0),
    step(10, Unit::Minute, 600.0),
    step(30, Unit::Minute, 1800.0),
    step(1, Unit::Hour, 3600.0),
    step(1, Unit::Day, 86_400.0),
    step(1, Unit::Month, 2_629_800.0),
    step(1, Unit::Year, 31_557_600.0),
];

const fn step(count: u32, unit: Unit, seconds: f64) -> (Span, f64) {
    (Span { count, unit }, seconds)
}

/// Returns the approximate length of a span in seconds.
#[must_use]
pub fn seconds(span: Span) -> f64 {
    let unit = match span.unit {
        Unit::Day => 86_400.0,
        Unit::Week => 604_800.0,
        Unit::Month => 2_629_800.0,
        Unit::Quarter => 7_889_400.0,
        Unit::Year => 31_557_600.0,
        other => other.seconds().unwrap_or(1.0),
    };
    f64::from(span.count) * unit
}

/// Returns the shortest standard span of at least `minimum` seconds that divides the range into at
/// most `bins` bins, or a year if no span does.
#[must_use]
pub fn time_step(earliest: f64, latest: f64, bins: usize, minimum: f64) -> Span {
    let fits = |length: f64| bin_count(earliest, latest, length) <= limit(bins);
    let steps = TIME_STEPS.iter().filter(|(_, length)| *length >= minimum);
    steps
        .clone()
        .find(|(_, length)| fits(*length))
        .map_or(TIME_STEPS[TIME_STEPS.len() - 1].0, |(span, _)| *span)
}

/// Returns the shortest standard span that is longer than `span`.
#[must_use]
pub fn longer_step(span: Span) -> Option<Span> {
    let length = seconds(span);
    TIME_STEPS.iter().find(|(_, step)| *step > length).map(|(span, _)| *span)
}

/// Returns the smallest width that divides the range into at most `bins` bins, is at least
/// `minimum`, and is 1, 2 or 5 times a power of ten.
#[must_use]
pub fn number_step(low: f64, high: f64, bins: usize, minimum: f64) -> f64 {
    let range = high - low;
    if !(range > 0.0 && range.is_finite()) {
        return if minimum > 0.0 { minimum } else { 1.0 };
    }
    // Starts at or just below the ideal width, and tries wider steps until the range fits.
    let mut power = (range / limit(bins)).max(minimum).log10().floor();
    loop {
        for factor in [1.0, 2.0, 5.0] {
            let width = tidy(factor * 10f64.powf(power));
            if width >= minimum && bin_count(low, high, width) <= limit(bins) {
                return width;
            }
        }
        power += 1.0;
    }
}

fn limit(bins: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of bins stay below 2^53")]
    let limit = bins.max(2) as f64;
    limit
}

fn bin_count(low: f64, high: f64, width: f64) -> f64 {
    index(high, width) - index(low, width) + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(span: &str) -> TimeBins {
        TimeBins::new(time::parse_span(span).unwrap(), TimeZone::UTC)
    }

    #[test]
    fn times_become_the_start_of_their_bin() {
        assert_eq!(bins("5m").floor(1_700_000_123.5), 1_700_000_100.0);
        let shifted = TimeBins { align: Some(100.0), ..bins("5m") };
        assert_eq!(shifted.floor(399.0), 100.0);
        assert_eq!(shifted.floor(400.0), 400.0);
        assert_eq!(shifted.floor(99.0), -200.0);
        let days = TimeBins { align: Some(100.0), ..bins("1d") };
        assert_eq!(days.floor(90_000.0), 86_400.0);
        // 1970-01-05 was a Monday.
        let weeks = TimeBins { weekday: Some(1), ..bins("1w") };
        assert_eq!(weeks.floor(6.0 * 86_400.0), 4.0 * 86_400.0);
    }

    #[test]
    fn bins_follow_each_other() {
        for (span, start, next) in [
            ("5m", 300.0, 600.0),
            ("1d", 0.0, 86_400.0),
            // 1970-03-01 and 1970-04-01
            ("1mon", 5_097_600.0, 7_776_000.0),
            ("3mon", 0.0, 7_776_000.0),
            ("1y", 0.0, 31_536_000.0),
        ] {
            assert_eq!(bins(span).next(start), next, "{span}");
        }
        let weeks = TimeBins { weekday: Some(1), ..bins("1w") };
        assert_eq!(weeks.next(4.0 * 86_400.0), 11.0 * 86_400.0);
    }

    #[test]
    fn lower_bounds_keep_their_bin() {
        for (span, number, low, label) in [
            ("log2", "5", 4.0, "4-8"),
            ("2log5", "1.9", 0.4, "0.4-2"),
            ("log", "0.25", 0.1, "0.1-1"),
        ] {
            let bins = LowerBounds(NumberBins::logarithmic(span).unwrap());
            let found = bins.apply(&Value::text(number));
            assert_eq!(found, Value::Number(low), "{number}");
            assert_eq!(bins.label(&found), Value::text(label), "{number}");
        }
    }

    #[test]
    fn numbers_become_ranges() {
        for (width, number, label) in [
            (5.0, "7", "5-10"),
            (5.0, "5", "5-10"),
            (5.0, "-1", "-5-0"),
            (0.1, "0.3", "0.3-0.4"),
            (2.5, "7.4", "5-7.5"),
            // Only rounding errors are rounded.
            (0.1, "0.7", "0.7-0.8"),
            (5e11, "-3", "-500000000000-0"),
            (5e11, "999999999999", "500000000000-1000000000000"),
            (5e11, "1000000000000", "1000000000000-1500000000000"),
            (5.0, "none", "none"),
        ] {
            let value = NumberBins::Linear { width }.apply(&Value::text(number));
            assert_eq!(value, Value::text(label), "{number}");
        }
        for (span, number, label) in [
            ("log", "5", "1-10"),
            ("log2", "8", "8-16"),
            ("2log5", "1.9", "0.4-2"),
            ("log", "1000", "1000-10000"),
            ("log", "0", "0"),
        ] {
            let value = NumberBins::logarithmic(span).unwrap().apply(&Value::text(number));
            assert_eq!(value, Value::text(label), "{span} {number}");
        }
        for wrong in ["log1", "0.5log", "3log2", "log0", "xlog", "10"] {
            assert_eq!(NumberBins::logarithmic(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn steps_are_nice() {
        let span = |seconds, bins| {
            let span = time_step(0.0, seconds, bins, 0.0);
            (span.count, span.unit)
        };
        assert_eq!(span(50.0, 100), (1, Unit::Second));
        assert_eq!(span(900.0, 100), (10, Unit::Second));
        assert_eq!(span(86_400.0, 100), (30, Unit::Minute));
        assert_eq!(span(30.0 * 86_400.0, 100), (1, Unit::Day));
        assert_eq!(span(1e12, 3), (1, Unit::Year));
        assert_eq!(time_step(0.0, 10.0, 100, 60.0).unit, Unit::Minute);
        for (low, high, bins, width) in [
            (0.0, 99.0, 100, 1.0),
            (0.0, 100.0, 100, 2.0),
            (0.0, 1.0, 10, 0.2),
            (3.0, 3.0, 100, 1.0),
            (-500.0, 500.0, 5, 500.0),
        ] {
            assert_eq!(number_step(low, high, bins, 0.0), width, "{low} {high} {bins}");
        }
        assert_eq!(number_step(0.0, 10.0, 100, 3.0), 5.0);
    }
}

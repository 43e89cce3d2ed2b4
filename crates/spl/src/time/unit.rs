//! Defines units of time and lengths of time such as `10m`.

use serde::{Deserialize, Serialize};

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unit {
    /// `us`
    Microsecond,
    /// `ms`; `cs` and `ds` are ten and a hundred milliseconds.
    Millisecond,
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`: a calendar day, which has 23 or 25 hours when clocks change.
    Day,
    /// `w`: seven calendar days.
    Week,
    /// `mon`
    Month,
    /// `q`: three months.
    Quarter,
    /// `y`: twelve months.
    Year,
}

impl Unit {
    /// Returns the length in seconds, or `None` for a unit whose length depends on the calendar.
    #[must_use]
    pub fn seconds(self) -> Option<f64> {
        match self {
            Self::Microsecond => Some(1e-6),
            Self::Millisecond => Some(1e-3),
            Self::Second => Some(1.0),
            Self::Minute => Some(60.0),
            Self::Hour => Some(3600.0),
            Self::Day | Self::Week | Self::Month | Self::Quarter | Self::Year => None,
        }
    }

    /// Returns the unit with this name in a time modifier, which allows seconds and longer units.
    pub(super) fn of_modifier(name: &str) -> Option<Self> {
        Some(match name {
            "s" | "sec" | "secs" | "second" | "seconds" => Self::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Self::Minute,
            "h" | "hr" | "hrs" | "hour" | "hours" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            "w" | "week" | "weeks" => Self::Week,
            "mon" | "month" | "months" => Self::Month,
            "q" | "qtr" | "qtrs" | "quarter" | "quarters" => Self::Quarter,
            "y" | "yr" | "yrs" | "year" | "years" => Self::Year,
            _ => return None,
        })
    }
}

/// A length of time such as `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The number of units, at least one.
    pub count: u32,
    /// The unit.
    pub unit: Unit,
}

/// Parses the value of a `span` option, such as `10m`, `1d`, `mon` or `250ms`.
///
/// A number without a unit is in seconds. Returns `None` for any other text and for a count of
/// zero.
#[must_use]
pub fn parse_span(text: &str) -> Option<Span> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let count: u32 = if digits == 0 { 1 } else { text[..digits].parse().ok()? };
    let name = text[digits..].to_ascii_lowercase();
    let (scale, unit) = match name.as_str() {
        "" if digits > 0 => (1, Unit::Second),
        "us" => (1, Unit::Microsecond),
        "ms" => (1, Unit::Millisecond),
        "cs" => (10, Unit::Millisecond),
        "ds" => (100, Unit::Millisecond),
        name => (1, Unit::of_modifier(name)?),
    };
    let count = count.checked_mul(scale)?;
    (count > 0).then_some(Span { count, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let cases = [
            ("10m", Some((10, Unit::Minute))),
            ("1mon", Some((1, Unit::Month))),
            ("600", Some((600, Unit::Second))),
            (" 2 ", Some((2, Unit::Second))),
            ("d", Some((1, Unit::Day))),
            ("3QTR", Some((3, Unit::Quarter))),
            ("25cs", Some((250, Unit::Millisecond))),
            ("", None),
            ("0d", None),
            ("-5m", None),
            ("5x", None),
            ("1w@w1", None),
            ("99999999999d", None),
        ];
        for (text, expected) in cases {
            let span = parse_span(text).map(|span| (span.count, span.unit));
            assert_eq!(span, expected, "{text}");
        }
    }
}

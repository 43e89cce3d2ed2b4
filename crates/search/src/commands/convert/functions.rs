//! The conversions of `convert` that work on one value at a time.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value, parse_number};
use spilltrail_spl::time;

use crate::rows::mapped::ValueFunction;
use crate::rows::zone;

/// A conversion of one value. All conversions but [`Conversion::Num`] keep a value that they cannot
/// convert.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Conversion {
    /// Converts epoch seconds to text.
    Ctime(TimeFormat),
    /// Converts text to epoch seconds.
    Mktime(TimeFormat),
    /// Converts `[D+]HH:MM:SS` to seconds.
    Dur2sec,
    /// Converts `[MM:]SS.SSS` to seconds.
    Mstime,
    /// Converts a number with `k`, `m` or `g` to kilobytes.
    Memk,
    /// Removes commas.
    Rmcomma,
    /// Keeps only the number at the beginning of the text.
    Rmunit,
    /// Applies the first of [`AUTOMATIC`] that fits; removes a value that none of them fits.
    Num,
}

/// The text format and time zone of times.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TimeFormat {
    pub(super) format: String,
    #[serde(with = "zone")]
    pub(super) zone: TimeZone,
}

/// The conversions that `auto` and `num` try, in order.
pub(super) const AUTOMATIC: [fn(&str) -> Option<f64>; 5] =
    [parse_number, duration, minutes, kilobytes, without_commas];

/// Returns the result of the first automatic conversion that fits.
fn automatic(text: &str) -> Option<f64> {
    AUTOMATIC.iter().find_map(|convert| convert(text))
}

impl ValueFunction for Conversion {
    fn name(&self) -> &'static str {
        match self {
            Self::Ctime(_) => "spl_ctime",
            Self::Mktime(_) => "spl_mktime",
            Self::Dur2sec => "spl_dur2sec",
            Self::Mstime => "spl_mstime",
            Self::Memk => "spl_memk",
            Self::Rmcomma => "spl_rmcomma",
            Self::Rmunit => "spl_rmunit",
            Self::Num => "spl_num",
        }
    }

    fn kind(&self, input: Kind) -> Kind {
        input.or(Kind::Text)
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        let text = value.to_text().unwrap_or_default();
        let text = text.trim();
        let number = match self {
            Self::Ctime(written) => {
                let printed = value
                    .as_number()
                    .map(|time| time::strftime(time, &written.format, &written.zone))
                    .filter(|printed| !printed.is_empty());
                return printed.map_or_else(|| value.clone().into_owned(), Value::text);
            }
            Self::Rmcomma => return Value::text(text.replace(',', "")),
            Self::Rmunit => return Value::text(leading_number(text).unwrap_or(text).to_owned()),
            Self::Num => {
                return automatic(text).map_or(Value::Null, Value::Number);
            }
            Self::Mktime(written) => time::strptime(text, &written.format, &written.zone),
            Self::Dur2sec => duration(text),
            Self::Mstime => minutes(text),
            Self::Memk => kilobytes(text),
        };
        number.map_or_else(|| value.clone().into_owned(), Value::Number)
    }
}

/// Converts `[D+]HH:MM:SS` to seconds.
fn duration(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once('+') {
        Some((days, clock)) => (whole(days)?, clock),
        None => (0.0, text),
    };
    let mut parts = clock.split(':');
    let (hours, minutes) = (whole(parts.next()?)?, whole(parts.next()?)?);
    let seconds = unsigned(parts.next()?)?;
    let is_all = parts.next().is_none();
    is_all.then_some(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds)
}

/// Converts `[MM:]SS.SSS` to seconds.
fn minutes(text: &str) -> Option<f64> {
    match text.split_once(':') {
        Some((minutes, seconds)) => Some(whole(minutes)? * 60.0 + unsigned(seconds)?),
        None => unsigned(text),
    }
}

/// Converts a number with `k`, `m` or `g` to kilobytes. A number without a unit means kilobytes.
fn kilobytes(text: &str) -> Option<f64> {
    let (number, factor) = match text.char_indices().next_back()? {
        (end, 'k' | 'K') => (&text[..end], 1.0),
        (end, 'm' | 'M') => (&text[..end], 1024.0),
        (end, 'g' | 'G') => (&text[..end], 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    Some(parse_number(number.trim_end())? * factor)
}

fn without_commas(text: &str) -> Option<f64> {
    parse_number(&text.replace(',', ""))
}

/// Parses digits only; rejects signs, fractions and exponents, which [`parse_number`] accepts.
fn whole(text: &str) -> Option<f64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { parse_number(text) } else { None }
}

/// Parses a number that begins with a digit; rejects signs.
fn unsigned(text: &str) -> Option<f64> {
    if text.starts_with(|c: char| c.is_ascii_digit()) { parse_number(text) } else { None }
}

/// Returns the longest prefix that is a decimal number, or `None` if the text begins with none.
fn leading_number(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count() + from;
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut end = digits(sign);
    // A point belongs to the number only if a digit follows.
    if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    (end > sign).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(format: &str) -> TimeFormat {
        TimeFormat { format: format.to_owned(), zone: TimeZone::UTC }
    }

    #[test]
    fn values_are_converted() {
        for (conversion, from, to) in [
            (Conversion::Dur2sec, "1+02:03:04", "93784"),
            (Conversion::Dur2sec, "00:01:30", "90"),
            (Conversion::Dur2sec, "90 s", "90 s"),
            (Conversion::Mstime, "02:00.250", "120.25"),
            (Conversion::Mstime, "7.5", "7.5"),
            (Conversion::Memk, "3m", "3072"),
            (Conversion::Memk, "2", "2"),
            (Conversion::Memk, "1G", "1048576"),
            (Conversion::Memk, "many", "many"),
            (Conversion::Rmcomma, "12,345.50", "12345.50"),
            (Conversion::Rmunit, "-4.25ms", "-4.25"),
            (Conversion::Rmunit, "8.x", "8"),
            (Conversion::Rmunit, "none", "none"),
            (Conversion::Num, "1,5", "15"),
            (Conversion::Ctime(time("%H:%M")), "90", "00:01"),
            (Conversion::Ctime(time("%H:%M")), "soon", "soon"),
            (Conversion::Mktime(time("%Y-%m-%d")), "1971-01-03", "31708800"),
            (Conversion::Mktime(time("%Y-%m-%d")), "soon", "soon"),
        ] {
            let found = conversion.apply(&Value::text(from));
            assert_eq!(found.to_text().as_deref(), Some(to), "{conversion:?} {from}");
        }
        assert_eq!(Conversion::Num.apply(&Value::text("x")), Value::Null);
    }
}

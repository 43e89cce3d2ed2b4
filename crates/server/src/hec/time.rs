//! Times of events: seconds since the epoch in decimal, to microseconds.

/// The end of the year 9999, in microseconds since the epoch.
const LAST: i128 = 253_402_300_800_000_000;

/// The number of digits of a second that are kept.
const KEPT: i64 = 6;

/// Reads seconds since the epoch as microseconds.
///
/// The digits are read as they are, not as a floating point number, so that no digit changes. Digits
/// after the sixth round half up. A time before 1970 or after the year 9999 is `None`; so are
/// milliseconds since the epoch, because events must not end up where no search looks for them.
pub(crate) fn microseconds(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let (digits, exponent) = match text.find(['e', 'E']) {
        Some(at) => {
            let (digits, exponent) = text.split_at_checked(at)?;
            (digits, exponent.get(1..)?.parse::<i64>().ok().filter(|n| n.abs() < 100)?)
        }
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let has_dot = digits.len() > whole.len();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !is_digits(whole)
        || !is_digits(fraction)
        || has_dot && fraction.is_empty()
    {
        return None;
    }
    // The number of digits that count microseconds or more.
    let counted = whole.len() as i64 + exponent + KEPT;
    let mut all = whole.bytes().chain(fraction.bytes()).map(|digit| digit - b'0');
    let mut value: i128 = 0;
    for _ in 0..counted {
        // Digits that the text does not have are zeros.
        value = value * 10 + i128::from(all.next().unwrap_or(0));
        if value >= LAST {
            return None;
        }
    }
    // With an exponent below that, even the first digit counts for less than a half.
    if counted >= 0 {
        value += i128::from(all.next().unwrap_or(0) >= 5);
    }
    i64::try_from(value).ok().filter(|_| value < LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_seconds() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(1_000_000)),
            ("1680000000", Some(1_680_000_000_000_000)),
            (" 1680000000 ", Some(1_680_000_000_000_000)),
            ("1680000000.5", Some(1_680_000_000_500_000)),
            ("1680000000.123456", Some(1_680_000_000_123_456)),
            // Half up after six digits.
            ("1680000000.1234564", Some(1_680_000_000_123_456)),
            ("1680000000.1234565", Some(1_680_000_000_123_457)),
            ("1680000000.9999995", Some(1_680_000_001_000_000)),
            ("0.0000004999", Some(0)),
            // A floating point number would make 1.4999 of this.
            ("1426279439.000001", Some(1_426_279_439_000_001)),
            ("1.68e9", Some(1_680_000_000_000_000)),
            ("1680000000123E-3", Some(1_680_000_000_123_000)),
            ("16.8e+8", Some(1_680_000_000_000_000)),
            ("5e-7", Some(1)),
            ("5e-8", Some(0)),
            ("253402300799.999999", Some(253_402_300_799_999_999)),
            ("000001", Some(1_000_000)),
            // Absurd.
            ("253402300800", None),
            ("253402300799.9999996", None),
            ("1680000000000", None),
            ("1e99", None),
            ("1e100", None),
            ("1e-100", None),
            ("-1", None),
            ("-0.5", None),
            ("", None),
            (" ", None),
            (".", None),
            (".5", None),
            ("5.", None),
            ("1,5", None),
            ("1.2.3", None),
            ("0x10", None),
            ("1e", None),
            ("NaN", None),
            ("inf", None),
            ("2023-04-10T00:00:00Z", None),
            ("99999999999999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(microseconds(text), expected, "{text:?}");
        }
    }

    /// A long text costs no more than its length.
    #[test]
    fn a_long_text_ends() {
        let zeros = "0".repeat(100_000);
        assert_eq!(microseconds(&format!("1.{zeros}")), Some(1_000_000));
        assert_eq!(microseconds(&zeros), Some(0));
    }
}

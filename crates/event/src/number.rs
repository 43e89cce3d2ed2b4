//! Parses, prints and compares SPL's numbers, which are doubles.

use std::cmp::Ordering;

/// Parses `text` as a number: a sign, digits, one decimal point and an exponent, with nothing
/// around it.
///
/// `nan`, `inf` and hexadecimal forms are text in SPL.
#[must_use]
pub fn parse_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digits = match bytes.first()? {
        b'+' | b'-' => &bytes[1..],
        _ => bytes,
    };
    if !matches!(digits.first()?, b'0'..=b'9' | b'.') {
        return None;
    }
    if !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    text.parse().ok()
}

/// Compares two texts as numbers; returns `None` if one of them is not a number.
///
/// Texts with more digits than a double holds are compared digit by digit, so that two account or
/// transaction numbers that differ in their last digit are not equal.
#[must_use]
pub fn compare_numbers(left: &str, right: &str) -> Option<Ordering> {
    let order = parse_number(left)?.partial_cmp(&parse_number(right)?)?;
    let is_exact = left.len().max(right.len()) <= f64::DIGITS as usize;
    if order.is_ne() || is_exact {
        // Rounding to a double never reverses an order.
        return Some(order);
    }
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => Some(left.compare(&right)),
        _ => Some(order),
    }
}

/// Returns how many digits of a number as written count: those of its mantissa from the first that
/// is not zero.
#[must_use]
pub fn significant_digits(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count()
}

/// A number without an exponent, as its digits.
struct Decimal<'t> {
    is_negative: bool,
    /// The digits before the point, without leading zeros.
    whole: &'t str,
    /// The digits after the point, without trailing zeros.
    fraction: &'t str,
}

impl<'t> Decimal<'t> {
    /// Reads the text of a number; returns `None` if it has an exponent.
    fn parse(text: &'t str) -> Option<Self> {
        if text.contains(['e', 'E']) {
            return None;
        }
        let digits = text.trim_start_matches(['+', '-']);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        // Zero has no sign, so that `-0` equals `0`.
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: text.starts_with('-') && !is_zero, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let order = |left: &Self, right: &Self| {
            let whole = (left.whole.len(), left.whole).cmp(&(right.whole.len(), right.whole));
            whole.then_with(|| left.fraction.cmp(right.fraction))
        };
        match (self.is_negative, other.is_negative) {
            (false, false) => order(self, other),
            (true, true) => order(other, self),
            (is_negative, _) => {
                if is_negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

/// Returns the text that SPL prints for a number.
///
/// It has the fewest digits that parse to the same number, and integers have no decimal point; the
/// special values are `nan`, `inf` and `-inf`.
#[must_use]
pub fn format_number(number: f64) -> String {
    if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "inf".to_owned() } else { "-inf".to_owned() }
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number() {
        for (text, number) in [("1", 1.0), ("-3.50", -3.5), (".5", 0.5), ("+2e3", 2000.0)] {
            assert_eq!(parse_number(text), Some(number), "{text}");
        }
        for text in ["", "-", ".", "nan", "inf", "0x10", " 1", "1 ", "1e", "1.2.3", "10.0.0.1"] {
            assert_eq!(parse_number(text), None, "{text}");
        }
    }

    #[test]
    fn order_of_numbers() {
        for (left, right, order) in [
            ("10", "9", Some(Ordering::Greater)),
            ("1.0", "1", Some(Ordering::Equal)),
            ("1", "x", None),
            ("12345678901234567890", "12345678901234567891", Some(Ordering::Less)),
            ("-12345678901234567890", "-12345678901234567891", Some(Ordering::Greater)),
            ("012345678901234567890", "+12345678901234567890.0", Some(Ordering::Equal)),
            ("0.12345678901234567891", "0.1234567890123456789", Some(Ordering::Greater)),
            ("-0.00000000000000000", "0", Some(Ordering::Equal)),
            ("1e20", "100000000000000000000", Some(Ordering::Equal)),
        ] {
            assert_eq!(compare_numbers(left, right), order, "{left} {right}");
        }
    }

    #[test]
    fn significant_digits_of_the_mantissa() {
        for (text, digits) in [("0", 0), ("0010", 2), ("-0.050", 2), ("1.20e-17", 3), (".5E9", 1)] {
            assert_eq!(significant_digits(text), digits, "{text}");
        }
    }

    #[test]
    fn printed_form() {
        for (number, text) in [(3.0, "3"), (-0.0, "0"), (0.1 + 0.2, "0.30000000000000004")] {
            assert_eq!(format_number(number), text);
        }
        assert_eq!(format_number(f64::NAN), "nan");
        assert_eq!(format_number(1e16), "10000000000000000");
    }
}

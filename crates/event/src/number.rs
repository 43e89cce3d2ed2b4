//! Parses and prints SPL's numbers, which are doubles.

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
    fn printed_form() {
        for (number, text) in [(3.0, "3"), (-0.0, "0"), (0.1 + 0.2, "0.30000000000000004")] {
            assert_eq!(format_number(number), text);
        }
        assert_eq!(format_number(f64::NAN), "nan");
        assert_eq!(format_number(1e16), "10000000000000000");
    }
}

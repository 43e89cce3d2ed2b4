//! Encodes the values of all BY fields as one key of bytes.
//!
//! DataFusion stores each key column separately, in blocks of two megabytes, and splits and
//! combines the columns wherever groups are merged; ten BY fields would need more memory than a
//! search may use. An encoded key takes little more than the bytes of its values.

use datafusion::common::Result;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Value;

use crate::error::to_engine;

/// The tag before a number in a key. The tag before a text is its length.
const NUMBER: u32 = u32::MAX;
/// The tag of an absent value, which nothing follows.
const ABSENT: u32 = u32::MAX - 1;

/// Appends a value to a key.
///
/// # Errors
/// Fails if the value is a text of about four gigabytes or more.
pub(crate) fn append(key: &mut Vec<u8>, value: &Value<'_>) -> Result<()> {
    match value {
        Value::Null => key.extend_from_slice(&ABSENT.to_le_bytes()),
        Value::Number(number) => {
            // Numbers that are printed the same have the same key: both zeros, and all NaNs.
            let number = if number.is_nan() { f64::NAN } else { number + 0.0 };
            key.extend_from_slice(&NUMBER.to_le_bytes());
            key.extend_from_slice(&number.to_le_bytes());
        }
        other => {
            let text = other.to_text().unwrap_or_default();
            let length = u32::try_from(text.len()).ok().filter(|length| *length < ABSENT);
            let length = length.ok_or_else(|| {
                to_engine(Diagnostic::error(
                    Code::TOO_LARGE,
                    "a value to group by is longer than four gigabytes",
                ))
            })?;
            key.extend_from_slice(&length.to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
    }
    Ok(())
}

/// Returns the value at the start of a key and the rest of the key; `None` if the key is damaged.
pub(crate) fn split(key: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (tag, rest) = key.split_first_chunk()?;
    Some(match u32::from_le_bytes(*tag) {
        ABSENT => (Value::Null, rest),
        NUMBER => {
            let (number, rest) = rest.split_first_chunk()?;
            (Value::Number(f64::from_le_bytes(*number)), rest)
        }
        length => {
            let (text, rest) = rest.split_at_checked(length as usize)?;
            (Value::text(std::str::from_utf8(text).ok()?), rest)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_a_key_comes_out() {
        let values = [
            Value::text(""),
            Value::Number(-1.5),
            Value::Null,
            Value::text("1.5"),
            Value::text("\u{ff}\0é"),
            Value::Number(f64::INFINITY),
        ];
        let mut key = Vec::new();
        values.iter().for_each(|value| append(&mut key, value).unwrap());
        let mut rest = key.as_slice();
        for want in &values {
            let (value, after) = split(rest).unwrap();
            assert_eq!(value, *want);
            rest = after;
        }
        assert!(split(rest).is_none() && split(&key[4..9]).is_none());
    }

    #[test]
    fn what_is_printed_the_same_has_one_key() {
        let key = |value: Value<'_>| {
            let mut key = Vec::new();
            append(&mut key, &value).unwrap();
            key
        };
        assert_eq!(key(Value::Number(0.0)), key(Value::Number(-0.0)));
        assert_eq!(key(Value::Number(f64::NAN)), key(Value::Number(-f64::NAN)));
        assert_ne!(key(Value::text("a")), key(Value::text("a ")));
    }
}

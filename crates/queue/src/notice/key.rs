//! Names of buckets and keys of objects, as senders write them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The most bytes of a key, which is the limit of S3.
pub(crate) const MOST_KEY: usize = 1024;

/// The most bytes of the name of a bucket, which old buckets of the first region have.
const MOST_BUCKET: usize = 255;

/// What is wrong with a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Damage {
    pub(super) reason: &'static str,
    /// What is to be shown; `None` for the whole record.
    pub(super) text: Option<String>,
}

impl Damage {
    pub(super) fn of_record(reason: &'static str) -> Self {
        Self { reason, text: None }
    }

    fn of(text: &str, reason: &'static str) -> Self {
        Self { reason, text: Some(text.to_owned()) }
    }
}

/// Decodes a key as the notifications of S3 encode it: `+` is a space, and `%2B` a plus sign.
pub(super) fn decoded(text: &str) -> Result<String, Damage> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut is_digit = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        if byte == b'%' && !(is_digit() && is_digit()) {
            return Err(Damage::of(
                text,
                "expected two hexadecimal digits after each % of the key",
            ));
        }
    }
    let spaced: Cow<'_, str> =
        if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    let key = percent_decode_str(&spaced).decode_utf8();
    plain(&key.map_err(|_| Damage::of(text, "expected a key that is UTF-8 when decoded"))?)
}

/// Checks a key that is written as it is.
pub(super) fn plain(key: &str) -> Result<String, Damage> {
    match key.len() {
        0 => Err(Damage::of_record("expected a key that is not empty")),
        1..=MOST_KEY => Ok(key.to_owned()),
        _ => Err(Damage::of(key, "expected a key of at most 1024 bytes")),
    }
}

/// Checks the name of a bucket.
pub(super) fn bucket(name: &str) -> Result<String, Damage> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if (1..=MOST_BUCKET).contains(&name.len()) && name.bytes().all(is_plain) {
        Ok(name.to_owned())
    } else {
        Err(Damage::of(name, "expected the name of a bucket"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_s3_encodes_them() {
        let long = "a".repeat(MOST_KEY);
        for (text, expected) in [
            ("AWSLogs/1/a.json.gz", Ok("AWSLogs/1/a.json.gz")),
            ("my+logs/a%2Bb%20c", Ok("my logs/a+b c")),
            ("%C3%A4%e2%82%ac", Ok("ä€")),
            ("100%25", Ok("100%")),
            ("a%2Fb%00c", Ok("a/b\0c")),
            (&long, Ok(long.as_str())),
            ("a%", Err("expected two")),
            ("a%2", Err("expected two")),
            ("a%2g", Err("expected two")),
            ("a%+1", Err("expected two")),
            ("a%ä", Err("expected two")),
            ("%C3", Err("expected a key that is UTF-8")),
            ("%ff", Err("expected a key that is UTF-8")),
            ("", Err("expected a key that is not empty")),
            (&format!("{long}a"), Err("expected a key of at most")),
        ] {
            match (decoded(text), expected) {
                (Ok(key), Ok(expected)) => assert_eq!(key, expected, "{text}"),
                (Err(damage), Err(part)) => assert!(damage.reason.contains(part), "{text}"),
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn names_of_buckets() {
        for (name, is_valid) in [
            ("trail-logs.example", true),
            ("Old_Bucket", true),
            ("", false),
            ("a/b", false),
            ("a b", false),
            (&"a".repeat(256), false),
        ] {
            assert_eq!(bucket(name).is_ok(), is_valid, "{name}");
        }
    }
}

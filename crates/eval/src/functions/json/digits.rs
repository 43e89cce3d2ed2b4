//! Reads JSON without a change to its numbers.
//!
//! `serde_json` reads numbers as doubles, so that `123456789012345678901` and `1.10` would be written
//! differently again, and a document with `1e400` could not be read at all. Its feature for numbers
//! of any length changes how every crate of the program reads numbers. Here, numbers that would
//! change are read as marked texts instead.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value as Json;

/// The first character of a text that stands for a number. Another text that begins with it begins
/// with two of them in its place.
const MARK: char = '\u{1}';
/// [`MARK`] in a JSON document, where no other way to write it is valid.
const WRITTEN_MARK: &str = "\\u0001";

/// The most digits of whole numbers that `serde_json` is sure not to change.
const FEW_DIGITS: usize = 18;

/// Returns the value of a JSON document, with marks. Its texts are read with [`unmarked`], and it is
/// written with [`written`].
#[must_use]
pub fn parsed(document: &str) -> Option<Json> {
    serde_json::from_str(&marked(document)).ok()
}

/// Returns a text of a marked document as it is.
#[must_use]
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Returns a text as a part of a marked document.
#[must_use]
pub fn text(text: &str) -> Json {
    if text.starts_with(MARK) { Json::from(format!("{MARK}{text}")) } else { Json::from(text) }
}

/// Returns the compact JSON of a marked value.
#[must_use]
pub fn written(value: &Json) -> String {
    let json = value.to_string();
    if json.contains(WRITTEN_MARK) { restored(&json) } else { json }
}

/// Returns a marked value as text: a text without its quotes, anything else as compact JSON, and
/// `null` as `None`.
#[must_use]
pub fn native(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(unmarked(text).to_owned()),
        other => Some(written(other)),
    }
}

/// Returns the end of the text whose opening quote is at `start`, behind its closing quote.
fn after_text(document: &str, start: usize) -> usize {
    let bytes = document.as_bytes();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns true if the text that ends at `end` is a key.
fn is_key(document: &str, end: usize) -> bool {
    document.get(end..).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Returns the document with marks.
#[must_use]
pub fn marked(document: &str) -> Cow<'_, str> {
    let bytes = document.as_bytes();
    let mut result = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = after_text(document, at);
                if document[at + 1..end].starts_with(WRITTEN_MARK) && !is_key(document, end) {
                    result.extend([&document[copied..=at], WRITTEN_MARK]);
                    copied = at + 1;
                }
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |b: &u8| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                let length = bytes[at..].iter().take_while(|b| is_part(b)).count();
                let number = &document[at..at + length];
                // As a text, a number before a colon would be a key, and the document valid.
                if changes(number) && !is_key(document, at + length) {
                    result.extend([&document[copied..at], "\"", WRITTEN_MARK, number, "\""]);
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(document);
    }
    result.push_str(&document[copied..]);
    Cow::Owned(result)
}

/// Returns true for a JSON number that `serde_json` could write in another way.
fn changes(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_plain = digits.len() <= FEW_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    (!is_plain || number == "-0") && serde_json::from_str::<IgnoredAny>(number).is_ok()
}

/// Returns compact JSON without its marks.
fn restored(json: &str) -> String {
    let mut result = String::with_capacity(json.len());
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.as_bytes().get(at) {
        if *byte != b'"' {
            at += 1;
            continue;
        }
        let end = after_text(json, at);
        let inside = json.get(at + 1..end - 1).unwrap_or_default();
        if let Some(rest) = inside.strip_prefix(WRITTEN_MARK).filter(|_| !is_key(json, end)) {
            result.push_str(&json[copied..at]);
            // After two marks, a text; after one, a number.
            let quote = if rest.starts_with(WRITTEN_MARK) { "\"" } else { "" };
            result.extend([quote, rest, quote]);
            copied = end;
        }
        at = end;
    }
    result.push_str(&json[copied..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_as_they_are_written() {
        for (document, expected) in [
            ("123456789012345678901", Some("123456789012345678901")),
            ("1.10", Some("1.10")),
            ("1e400", Some("1e400")),
            ("-0", Some("-0")),
            ("-5", Some("-5")),
            (
                "[1.10, {\"a\": -1E5, \"1.10\": \"1.10\"}]",
                Some("[1.10,{\"a\":-1E5,\"1.10\":\"1.10\"}]"),
            ),
            ("\"\\\"1.10\"", Some("\"1.10")),
            ("true", Some("true")),
            ("null", None),
            // What is no JSON stays none.
            ("01.5", None),
            ("[1.]", None),
            ("[1.5", None),
            ("\"1.5", None),
            ("{\"a\\", None),
            ("1.5 2.5", None),
            ("{1.5:2}", None),
            ("{\"a\":1.10,1e400 : 2}", None),
            ("[1.5:2]", None),
            // The mark in a text is no mark.
            (
                "{\"\\u00015\" : [\"\\u00015\", 1.10, \"\\u0001\\u0001\"]}",
                Some("{\"\\u00015\":[\"\\u00015\",1.10,\"\\u0001\\u0001\"]}"),
            ),
            ("\"\\u00015\"", Some("\u{1}5")),
        ] {
            let found = parsed(document).and_then(|json| native(&json));
            assert_eq!(found.as_deref(), expected, "{document}");
        }
    }

    #[test]
    fn values_are_written_as_their_texts_are() {
        for (texts, expected) in [
            (vec!["1.10", "x"], "[1.10,\"x\"]"),
            (vec!["123456789012345678901", "[1.50]"], "[123456789012345678901,[1.50]]"),
            (vec!["1.10", "\u{1}5", "\u{1}\u{1}"], "[1.10,\"\\u00015\",\"\\u0001\\u0001\"]"),
            (vec!["[\"\\u00015\"]"], "[[\"\\u00015\"]]"),
        ] {
            let values = texts.iter().map(|one| parsed(one).unwrap_or_else(|| text(one)));
            assert_eq!(written(&values.collect()), expected);
        }
    }
}

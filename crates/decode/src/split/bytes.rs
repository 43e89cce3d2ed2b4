//! Recognizes texts that are written byte by byte: lists of numbers, and strings with percent signs.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use crate::json::{for_each_element, skip_space, word_end};

/// The first bytes of JSON and of gzip as numbers; Java's are signed.
const STARTS: [[&[u8]; 2]; 7] = [
    [b"123", b"34"],
    [b"123", b"32"],
    [b"123", b"10"],
    [b"123", b"13"],
    [b"91", b"123"],
    [b"31", b"139"],
    [b"31", b"-117"],
];

/// Returns true if a list in the text may be the bytes of JSON.
pub(super) fn may_be_in(text: &[u8]) -> bool {
    memchr::memchr_iter(b'[', text).any(|bracket| begins_bytes(&text[bracket..]))
}

fn begins_bytes(list: &[u8]) -> bool {
    let first = skip_space(list, 1);
    // Nearly all lists end here.
    if !matches!(list.get(first), Some(b'1' | b'9' | b'3')) {
        return false;
    }
    let end = word_end(list, first);
    let comma = skip_space(list, end);
    let second = skip_space(list, comma + 1);
    // The list may be cut off.
    let number = |range: std::ops::Range<usize>| list.get(range).unwrap_or_default();
    let numbers = [number(first..end), number(second..word_end(list, second))];
    list.get(comma) == Some(&b',') && STARTS.contains(&numbers)
}

/// Returns the bytes that a valid JSON list holds, in base64; `None` for any other list.
pub(super) fn in_list(list: &[u8]) -> Option<String> {
    if !begins_bytes(list) {
        return None;
    }
    let mut bytes = Vec::with_capacity(list.len() / 4);
    let mut is_all = true;
    for_each_element(list, |at| {
        let end = word_end(list, at);
        let number = std::str::from_utf8(&list[at..end]).ok().and_then(|text| text.parse().ok());
        let byte = number.filter(|number: &i16| (-128..256).contains(number));
        is_all = byte.is_some();
        // A negative number is the same byte in two's complement.
        bytes.extend(byte.map(|byte| byte as u8));
        if is_all { end } else { list.len() }
    });
    is_all.then(|| STANDARD.encode(bytes))
}

/// Returns a text without the percent signs with which URLs and forms write JSON.
pub(super) fn without_percents(text: &str) -> Cow<'_, [u8]> {
    let start = text.as_bytes().get(..3).unwrap_or_default();
    if start.eq_ignore_ascii_case(b"%7b") || start.eq_ignore_ascii_case(b"%5b") {
        // Forms write a blank as a plus sign, and the sign itself with percent.
        return percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>().into();
    }
    text.as_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_bytes() {
        let text = r#"{"eventName":"Ä"}"#;
        let list = |text: &str| format!("{:?}", text.as_bytes());
        let signed: Vec<i8> = text.bytes().map(|byte| byte as i8).collect();
        for (list, expected) in [
            (list(text), Some(text)),
            (format!("{:#?}", text.as_bytes()), Some(text)),
            (format!("{signed:?}"), Some(text)),
            (list("[{}]"), Some("[{}]")),
            (list("text"), None),
            ("[123]".to_owned(), None),
            ("[123,34,256]".to_owned(), None),
            ("[123,34,\"x\"]".to_owned(), None),
            ("[123,34.5]".to_owned(), None),
            ("[]".to_owned(), None),
        ] {
            let found = in_list(list.as_bytes());
            assert_eq!(found, expected.map(|text| STANDARD.encode(text)), "{list}");
            assert!(found.is_none() || may_be_in(list.as_bytes()), "{list}");
        }
    }

    #[test]
    fn percents() {
        for (text, plain) in [
            ("%7B%22a%22%3A+1%7d", "{\"a\": 1}"),
            ("%5b1%5D", "[1]"),
            ("100%7B", "100%7B"),
            ("a+b", "a+b"),
            ("", ""),
        ] {
            assert_eq!(*without_percents(text), *plain.as_bytes(), "{text}");
        }
    }
}

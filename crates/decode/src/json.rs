//! Reads members of JSON text that the splitter has already validated.
//!
//! These functions assume valid JSON, so that nothing is checked twice. For other text their
//! results are wrong, but they neither panic nor loop forever.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

/// Returns the offset of the first byte after white space.
pub(crate) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Returns the offset of the first quote, backslash or control character, checking eight bytes at a
/// time.
pub(crate) fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..at + 8).and_then(|b| <[u8; 8]>::try_from(b).ok()) {
        let word = u64::from_le_bytes(chunk);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        // The lowest flagged byte is exact; higher flags may be false, so only the lowest one is
        // used.
        let special = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGH;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

/// Returns true if the text is a number in JSON's grammar.
pub(crate) fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', tail @ ..] => tail,
            tail => tail,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Returns the offset of the quote that ends the string whose contents begin at `at`, and whether
/// the string has escapes.
pub(crate) fn string_end(bytes: &[u8], mut at: usize) -> (usize, bool) {
    let mut has_escapes = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'\\') => {
                has_escapes = true;
                at += 2;
            }
            Some(b'"') => return (at, has_escapes),
            Some(_) => at += 1,
            None => return (bytes.len(), has_escapes),
        }
    }
}

/// Returns the end of the number or word that begins at `at`.
pub(crate) fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at)
        && !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
    {
        at += 1;
    }
    at
}

/// Returns the end of the value that begins at `at`, checking only brackets and quotes.
pub(crate) fn value_end(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => (string_end(bytes, at + 1).0 + 1).min(bytes.len()),
        Some(b'{') => nested_end(bytes, at + 1, b'{', b'}'),
        Some(b'[') => nested_end(bytes, at + 1, b'[', b']'),
        Some(_) => word_end(bytes, at),
        None => bytes.len(),
    }
}

/// Returns the end of the object or array whose contents begin at `at`, counting only brackets of
/// its own kind outside strings.
fn nested_end(bytes: &[u8], mut at: usize, open: u8, close: u8) -> usize {
    let mut depth = 1;
    while let Some(step) = bytes.get(at..).and_then(|rest| memchr::memchr3(b'"', open, close, rest))
    {
        at += step + 1;
        match bytes[at - 1] {
            b'"' => at = string_end(bytes, at).0 + 1,
            byte if byte == open => depth += 1,
            _ => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
        }
    }
    bytes.len()
}

/// Calls `visit` with each outermost member of an object: its key as written and the offset of its
/// value.
///
/// `visit` returns the end of the value, or `None` to stop.
pub(crate) fn for_each_member(
    bytes: &[u8],
    mut visit: impl FnMut(Range<usize>, usize) -> Option<usize>,
) {
    let mut at = skip_space(bytes, 0) + 1;
    loop {
        at = skip_space(bytes, at);
        if bytes.get(at) == Some(&b',') {
            at = skip_space(bytes, at + 1);
        }
        if bytes.get(at) != Some(&b'"') {
            return;
        }
        let end = string_end(bytes, at + 1).0;
        let colon = skip_space(bytes, end + 1);
        let value = skip_space(bytes, colon + 1);
        match visit(at + 1..end, value) {
            Some(end) => at = end,
            None => return,
        }
    }
}

/// Calls `visit` with the offset of each element of an array; `visit` returns the end of the element.
pub(crate) fn for_each_element(bytes: &[u8], mut visit: impl FnMut(usize) -> usize) {
    let mut at = skip_space(bytes, 0) + 1;
    loop {
        at = skip_space(bytes, at);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b']') | None => return,
            Some(_) => at = visit(at).max(at + 1),
        }
    }
}

/// Returns the range of the value of an outermost member; of repeated keys, the first one counts.
pub(crate) fn member(bytes: &[u8], key: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    for_each_member(bytes, |name, value| {
        let end = value_end(bytes, value);
        if bytes[name] == *key {
            found = Some(value..end);
            return None;
        }
        Some(end)
    });
    found
}

/// Returns the value of an outermost member as text, without quotes and escapes; of repeated keys,
/// the first one counts.
pub(crate) fn text_member<'a>(record: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let value = record.get(member(record.as_bytes(), key.as_bytes())?)?;
    Some(unescape(value.trim_matches('"')))
}

/// Returns the text that precedes a value in a document that holds only this value at these keys.
pub(crate) fn part_head(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{{{}:", serde_json::Value::from(key.as_str()))).collect()
}

/// Returns the document that consists of a head, a value and one closing brace for each key.
pub(crate) fn part_of(head: &str, value: &str, keys: usize) -> String {
    let mut part = String::with_capacity(head.len() + value.len() + keys);
    part.push_str(head);
    part.push_str(value);
    part.extend(std::iter::repeat_n('}', keys));
    part
}

/// Returns a document that holds only the value of an object at these keys.
///
/// If a key is repeated, its last value counts.
pub(crate) fn part(text: &str, keys: &[String]) -> Option<String> {
    let mut place = 0..text.len();
    for key in keys {
        let object = text.get(place.clone())?;
        if !object.trim_start().starts_with('{') {
            return None;
        }
        let mut found = None;
        for_each_member(object.as_bytes(), |name, value| {
            let end = value_end(object.as_bytes(), value);
            if object.get(name).is_some_and(|name| unescape(name) == *key) {
                found = Some(place.start + value..place.start + end);
            }
            Some(end)
        });
        place = found?;
    }
    Some(part_of(&part_head(keys), text.get(place)?, keys.len()))
}

/// Returns true for a record of an S3 event notification, which resembles a CloudTrail record.
pub(crate) fn is_s3_notification(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\"aws:s3\"").is_some()
        && member(bytes, b"eventSource").is_some_and(|value| bytes[value] == *b"\"aws:s3\"")
}

/// Returns true for a record of Bedrock's model invocation log.
pub(crate) fn is_model_invocation(bytes: &[u8]) -> bool {
    member(bytes, b"schemaType").is_some_and(|value| bytes[value] == *b"\"ModelInvocationLog\"")
}

/// Returns true for the message that S3 sends to test the target of notifications.
pub(crate) fn is_s3_test(bytes: &[u8]) -> bool {
    member(bytes, b"Event").is_some_and(|value| bytes[value] == *b"\"s3:TestEvent\"")
}

/// Returns the unescaped contents of a string; an unpaired surrogate becomes U+FFFD.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', text.as_bytes()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1);
        let mut used = 2;
        match escape {
            Some(b'n') => out.push('\n'),
            Some(b't') => out.push('\t'),
            Some(b'r') => out.push('\r'),
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'u') => {
                let (character, length) = code_point(&rest.as_bytes()[at..]);
                out.push(character);
                used = length;
            }
            Some(byte) if byte.is_ascii() => out.push(char::from(*byte)),
            _ => used = 1,
        }
        rest = rest.get(at + used..).unwrap_or_default();
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns the character of a `\u` escape or of a surrogate pair of two escapes, and its length.
fn code_point(escape: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at + 2..at + 6).filter(|_| escape[at..].starts_with(b"\\u"))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let Some(first) = unit(0) else { return (char::REPLACEMENT_CHARACTER, 2) };
    if (0xd800..0xdc00).contains(&first)
        && let Some(second @ 0xdc00..0xe000) = unit(6)
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, plain) in [
            ("plain", "plain"),
            (r#"a\"b\\c\/d"#, "a\"b\\c/d"),
            (r"\n\t\r\b\f", "\n\t\r\u{8}\u{c}"),
            (r"\u00e9\ud83d\ude00!", "é😀!"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00\u0041", "\u{fffd}A"),
        ] {
            assert_eq!(unescape(text), plain, "{text}");
        }
    }

    #[test]
    fn parts() {
        let text = r#" {"a":{"b" : {"c":1},"d":"x}"},"e":[1],"a":{"\u0062":"y","d":null}} "#;
        let part = |keys: &str| part(text, &keys.split('.').map(str::to_owned).collect::<Vec<_>>());
        for (keys, found) in [
            ("a.b", Some(r#"{"a":{"b":"y"}}"#)),
            ("a.d", Some(r#"{"a":{"d":null}}"#)),
            ("e", Some(r#"{"e":[1]}"#)),
            ("e.a", None),
            ("a.d.x", None),
            ("z", None),
        ] {
            assert_eq!(part(keys).as_deref(), found, "{keys}");
        }
    }

    #[test]
    fn members() {
        let text = br#" { "a" : "x\"}" , "b":[1,{"c":"]"}],"d":{"a":{}} , "e":-1 } "#;
        let value = |key: &[u8]| member(text, key).map(|range| &text[range]);
        assert_eq!(value(b"a"), Some(&br#""x\"}""#[..]));
        assert_eq!(value(b"b"), Some(&br#"[1,{"c":"]"}]"#[..]));
        assert_eq!(value(b"d"), Some(&br#"{"a":{}}"#[..]));
        assert_eq!(value(b"e"), Some(&b"-1"[..]));
        assert_eq!(value(b"c"), None);
    }
}

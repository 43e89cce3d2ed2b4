//! Undoes the escapes in which programs write texts into other texts.

use crate::inflate::escaped;

/// The number of escapes of escapes that are undone.
const ROUNDS: usize = 3;

/// Returns a text without the escapes of JSON and other languages, HTML and XML, addresses of the
/// web and mails, and without the colors of terminals; `None` if there are none.
///
/// Nothing is kept of it, so that a `%41` that means itself does no harm.
pub(super) fn without(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = once(text)?;
    for _ in 1..ROUNDS {
        match once(&plain) {
            Some(next) => plain = next,
            None => break,
        }
    }
    Some(plain)
}

fn once(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut from = 0;
    // In a mail, an equals sign begins an escape; anywhere else it does not.
    let is_mail = memchr::memmem::find(text, b"=\n").is_some()
        || memchr::memmem::find(text, b"=\r\n").is_some()
        || memchr::memmem::find(text, b"=22").is_some();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let found = match rest[0] {
            b'\\' => backslash(rest),
            b'%' => hexadecimal(rest, 1),
            b'&' => entity(rest),
            b'=' if is_mail => soft_end(rest, 1).or_else(|| hexadecimal(rest, 1)),
            0x1b => color(rest),
            0 => Some((None, 1)),
            _ => None,
        };
        let Some((byte, length)) = found else {
            at += 1;
            continue;
        };
        plain.extend_from_slice(&text[from..at]);
        plain.extend(byte);
        at += length;
        from = at;
    }
    (from > 0).then(|| {
        plain.extend_from_slice(&text[from..]);
        plain
    })
}

/// A byte for an escape, if it stands for any, and the length of the escape.
type Undone = Option<(Option<u8>, usize)>;

fn backslash(text: &[u8]) -> Undone {
    match text.get(1)? {
        b'u' => {
            let digits = std::str::from_utf8(text.get(2..6)?).ok()?;
            let code = u16::from_str_radix(digits, 16).ok()?;
            Some((Some(u8::try_from(code).unwrap_or(b'?')), 6))
        }
        b'x' => hexadecimal(text, 2),
        b'n' | b'r' | b't' => Some((Some(b' '), 2)),
        b'\n' | b'\r' => soft_end(text, 1),
        byte if byte.is_ascii_punctuation() || *byte == b' ' => Some((Some(*byte), 2)),
        _ => None,
    }
}

/// The end of a line that stands for nothing, and the indentation of the next.
fn soft_end(text: &[u8], from: usize) -> Undone {
    let rest = text.get(from..)?;
    let end = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let indent = rest[end..].iter().take_while(|byte| **byte == b' ').count();
    (end > 0).then_some((None, from + end + indent))
}

fn hexadecimal(text: &[u8], from: usize) -> Undone {
    Some((Some(escaped::hexadecimal(text, from)?), from + 2))
}

/// An entity of HTML and XML.
fn entity(text: &[u8]) -> Undone {
    let (character, length) = escaped::entity(text)?;
    Some((Some(u8::try_from(character).unwrap_or(b'?')), length))
}

/// A sequence that sets a color: `ESC [ 1 ; 34 m`.
fn color(text: &[u8]) -> Undone {
    if text.get(1) != Some(&b'[') {
        return None;
    }
    let rest = &text[2..];
    let length = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
    rest.get(length).is_some_and(u8::is_ascii_alphabetic).then_some((None, length + 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        for (text, plain) in [
            (r#"{\"a\": \"b\"}"#, r#"{"a": "b"}"#),
            (r#"{\\\"a\\\": 1}"#, r#"{"a": 1}"#),
            (r"{\u0022a\x22:1}", r#"{"a":1}"#),
            ("\\\"a\\\":\\\n  \\ 1", "\"a\": 1"),
            ("{&quot;a&quot;:&#34;b&#x22;}", r#"{"a":"b"}"#),
            ("{&amp;quot;a&amp;quot;:1}", r#"{"a":1}"#),
            ("%7B%22a%22%3A1%7D", r#"{"a":1}"#),
            ("%257B%2522a%2522%253A1%257D", r#"{"a":1}"#),
            ("=7B=22a=22:1=\r\n}", r#"{"a":1}"#),
            ("{\u{1b}[34;1m\"a\"\u{1b}[0m:1}", r#"{"a":1}"#),
            ("{\0\"\0a\0\"\0", "{\"a\""),
            ("&", ""),
            ("a=b & 100% of \\d, x=41", ""),
            ("", ""),
        ] {
            let found = without(text.as_bytes());
            let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(found.as_deref(), (!plain.is_empty()).then_some(plain), "{text}");
        }
    }
}

//! Reads lines that have a text before their JSON: a time, a name of a host, a header of syslog.

use memchr::memchr2;

use super::inside::may_hold_events;
use super::is_call;
use super::scan::{Scanner, Step};
use crate::time::WrittenTime;

/// The maximum length of a text before JSON.
pub(super) const MAX_PREFIX: usize = 1024;
/// The number of lines that are looked at to recognize a file.
const LINES: usize = 20;

/// Returns where the object on a line begins, if the text before it is no JSON.
///
/// The end of a damaged object is no such text, because its event is lost. A line that begins with a
/// time may have its object on the next line, as `aws logs tail --format json` prints it.
pub(super) fn end(line: &[u8]) -> Option<usize> {
    let head = &line[..line.len().min(MAX_PREFIX)];
    let end = match memchr2(b'{', b'\n', head).filter(|at| *at > 0)? {
        at if head[at] == b'{' => at,
        at if head.get(at + 1) == Some(&b'{') && begins_with_time(head) => at + 1,
        _ => return None,
    };
    let text = &head[..end];
    let is_json = text.contains(&b'}') || memchr::memmem::find(text, b"\":").is_some();
    (!is_json).then_some(end)
}

/// Returns the length of a text after an event on its line, up to the line's end; `None` if there is
/// none, or it may be part of JSON.
///
/// `line` is what follows the event, and is whole or longer than [`MAX_PREFIX`].
pub(super) fn rest_of_line(line: &[u8]) -> Option<usize> {
    let head = &line[..line.len().min(MAX_PREFIX)];
    let end = match memchr::memchr(b'\n', head) {
        Some(end) => end,
        None if head.len() < MAX_PREFIX => head.len(),
        None => return None,
    };
    let text = head[..end].trim_ascii();
    let is_mark = |byte: &u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b'"' | b',' | b':');
    let is_text = text.first().is_some_and(|byte| !is_mark(byte) && *byte != 0x1e)
        && !text.iter().any(|byte| matches!(byte, b'{' | b'}' | b'"'))
        && !may_hold_events(text);
    is_text.then_some(end)
}

/// Returns true if more input is needed to find the end of a prefix.
pub(super) fn needs_more(line: &[u8]) -> bool {
    let end = memchr2(b'{', b'\n', line);
    line.len() < MAX_PREFIX && end.is_none_or(|at| line[at] == b'\n' && at + 1 == line.len())
}

fn begins_with_time(line: &[u8]) -> bool {
    let word = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let time = std::str::from_utf8(word).ok().and_then(WrittenTime::parse);
    time.is_some()
}

/// Returns true if a text that begins with a bracket, such as `[INFO] {…}`, is a prefix instead of an array.
pub(super) fn begins_in_brackets(line: &[u8]) -> bool {
    let Some(end) = end(line) else { return false };
    let closing = memchr::memrchr(b']', &line[..end]);
    closing.is_some_and(|at| matches!(scan_of(&line[..=at]), Step::Invalid { .. }))
}

/// Returns true if a text that begins with a bracket is no array: the head of a section (`[core]`), a
/// link, a time before a message. A line of it may still have an object behind such a text.
pub(super) fn is_text_in_brackets(text: &[u8]) -> bool {
    let mut inside = text;
    while let Some(rest) = inside.strip_prefix(b"[") {
        inside = rest.trim_ascii_start();
    }
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._:/".contains(byte);
    let length = inside.iter().take_while(|byte| word(byte)).count();
    let (first, rest) = inside.split_at(length);
    let is_value = match first {
        // An element that is no word, or the end of the text.
        [] => inside.first().is_none_or(|byte| b"{\"],".contains(byte)),
        _ if rest.is_empty() => true,
        b"true" | b"false" | b"null" => true,
        number => serde_json::from_slice::<serde_json::Number>(number).is_ok(),
    };
    if !is_value {
        return true;
    }
    // `[1] a reference`: a list of one number, and then a text.
    let after = rest.trim_ascii_start().strip_prefix(b"]").unwrap_or_default();
    let line = after.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii();
    !first.is_empty() && line.first().is_some_and(u8::is_ascii_alphabetic)
}

/// Returns true if a text that does not begin with a bracket holds events: on lines after another
/// text, or as strings of JSON.
pub(super) fn shows_events(text: &[u8]) -> bool {
    // CSV begins with a quote, too, but doubles the quotes inside of it.
    let begins_string = |line: &[u8]| {
        let quote = line.iter().skip(1).position(|byte| *byte == b'"');
        let is_escaped = quote.is_some_and(|at| line[at] == b'\\');
        line.first() == Some(&b'"') && is_escaped && !matches!(scan_of(line), Step::Invalid { .. })
    };
    let is_event = |line: &[u8]| {
        let is_json = |at: usize| !matches!(scan_of(&line[at..]), Step::Invalid { .. });
        may_hold_events(line) && (begins_string(line) || end(line).is_some_and(is_json))
    };
    let mut lines = text.split(|byte| *byte == b'\n').take(LINES).map(<[u8]>::trim_ascii);
    lines.any(is_event) || (begins_with_time(text) && is_event(text))
}

/// Returns where the document begins that a command printed on many lines after other lines, such as
/// the command itself.
pub(super) fn document_after_lines(text: &[u8]) -> Option<usize> {
    let begins = |mark: &[u8]| memchr::memmem::find(text, mark).map(|at| at + 1);
    let marks: [&[u8]; 4] = [b"\n{\n", b"\n[\n", b"\n{\r\n", b"\n[\r\n"];
    let start = marks.iter().filter_map(|mark| begins(mark)).min()?;
    let is_json = !matches!(scan_of(&text[start..]), Step::Invalid { .. });
    (is_json && may_hold_events(&text[start..]) && !may_hold_records(&text[..start]))
        .then_some(start)
}

/// Returns true if an object begins in a text that may be an event.
fn may_hold_records(text: &[u8]) -> bool {
    text.contains(&b'{') && may_hold_events(text)
}

/// Returns true if a whole line before an event, which is not a part of it, names an API call.
pub(super) fn names_call(prefix: &[u8]) -> bool {
    let text = String::from_utf8_lossy(prefix);
    prefix.contains(&b'\n') && text.split_whitespace().any(|word| is_call(word.as_bytes()))
}

fn scan_of(text: &[u8]) -> Step {
    Scanner::new(false).run(text, 0, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_lines() {
        for (line, found) in [
            ("2026-03-17T10:00:00.123Z {\"a\":1}", Some(25)),
            ("<13>Mar 17 10:00:00 host app[12]: {}", Some(34)),
            ("[INFO] {}", Some(7)),
            ("{}", None),
            ("no object\n{}", None),
            ("2026-03-17T10:00:00.123000+00:00 stream\n{}", Some(40)),
            ("2026-03-17T10:00:00Z stream\n[{}]", None),
            ("ntName\":\"x\",\"a\":{}", None),
            ("\"x\"},{}", None),
        ] {
            assert_eq!(end(line.as_bytes()), found, "{line}");
        }
        assert_eq!(end(format!("{}{{", "x".repeat(MAX_PREFIX)).as_bytes()), None);
    }

    #[test]
    fn texts_that_begin_with_a_bracket() {
        for (text, is_text) in [
            ("[[ticket 42]] notes\n", true),
            ("[core]\n\tbare = false\n", true),
            ("[tool.ruff]\nline-length = 99\n", true),
            ("[a](b) and more", true),
            ("[2026-03-17 14:00] INFO started\n", true),
            ("[1] a reference\n", true),
            ("[ ]", false),
            ("[1, 2]", false),
            ("[1]\n[2]\n", false),
            ("[-1.5e3]", false),
            ("[null, {}]", false),
            ("[\n  {\"a\": 1}]", false),
            ("[[1], [2]]", false),
            ("[\"a\"]", false),
            ("[", false),
            ("[12", false),
        ] {
            assert_eq!(is_text_in_brackets(text.as_bytes()), is_text, "{text}");
        }
    }

    #[test]
    fn texts_after_an_event() {
        for (line, length) in [
            (" trailing words\n{}", Some(15)),
            (" (3 ms) [INFO]", Some(14)),
            ("\n{}", None),
            (" \r\n", None),
            ("", None),
            (",{}", None),
            ("}\n", None),
            ("{}", None),
            (" x {}\n", None),
            (" \"a\":1}\n", None),
            (" eventName\n", None),
        ] {
            assert_eq!(rest_of_line(line.as_bytes()), length, "{line:?}");
        }
    }

    #[test]
    fn brackets_may_begin_a_prefix() {
        for (line, is_prefix) in [
            ("[INFO] {}", true),
            ("[2026-03-17 10:00:00] {}", true),
            ("[{}]", false),
            ("[[],{}]", false),
            ("[1] {}", false),
            ("[1,{}]", false),
        ] {
            assert_eq!(begins_in_brackets(line.as_bytes()), is_prefix, "{line}");
        }
    }

    #[test]
    fn files_that_hold_events() {
        for (text, holds) in [
            ("2026 {\"awsRegion\":\"r\",\"eventName\":\"A\"", true),
            ("first line\n<1> {\"eventName\":\"A\"}\n", true),
            ("\"{\\\"eventName\\\":1}\"\n", true),
            ("\"{\"\"eventName\"\":1}\",x\n", false),
            ("x,\"{\"\"eventName\"\":1}\"\n", false),
            ("\"eventName\",\"eventSource\"\n", false),
            ("2026 {\"a\":1}\n", false),
            ("eventName {x}\n", false),
        ] {
            assert_eq!(shows_events(text.as_bytes()), holds, "{text}");
        }
    }
}

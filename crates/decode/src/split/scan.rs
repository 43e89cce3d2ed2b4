//! Scans JSON strictly; it can stop at any byte and continue when more input arrives.
//!
//! The scanner finds the end of one value and checks its grammar, so that later steps can trust
//! their input. It keeps a stack of bits but none of the text: its memory is constant, and it reads
//! no byte twice, however the input is divided.

use crate::json::{is_number, plain_end};
use crate::record::MAX_DEPTH;

/// The maximum length of a number, whose text must be contiguous to be checked.
pub(crate) const MAX_NUMBER: usize = 1024;

/// The result of a run of the scanner; offsets refer to the bytes given to that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value ends before this offset.
    Done(usize),
    /// All bytes are used; the next run must begin with the byte at this offset.
    More(usize),
    /// A key of the outermost object, between these offsets, without its quotes.
    Key { start: usize, end: usize },
    /// A byte that the grammar does not allow at `at`.
    Invalid { at: usize, expected: &'static str },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Value,
    FirstItem,
    FirstKey,
    Key,
    KeyText,
    Colon,
    Text,
    After,
}

/// The scanner's state between two runs.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    state: State,
    depth: usize,
    /// One bit for each level: set for an array.
    arrays: [u64; MAX_DEPTH / 64],
    /// True if keys of the outermost object are reported.
    pub(crate) reports_keys: bool,
    key_start: usize,
}

impl Scanner {
    /// Returns a scanner at the beginning of a value.
    pub(crate) fn new(reports_keys: bool) -> Self {
        Self {
            state: State::Value,
            depth: 0,
            arrays: [0; MAX_DEPTH / 64],
            reports_keys,
            key_start: 0,
        }
    }

    /// Continues at `at`; `is_last` means that no input follows `bytes`.
    pub(crate) fn run(&mut self, bytes: &[u8], mut at: usize, is_last: bool) -> Step {
        loop {
            if matches!(self.state, State::Text | State::KeyText) {
                match string_end(bytes, at) {
                    Text::Closed(end) => at = end,
                    Text::Open(resume) => return Step::More(resume),
                    Text::Invalid(at, expected) => return Step::Invalid { at, expected },
                }
                if self.state == State::Text {
                    if self.depth == 0 {
                        return Step::Done(at);
                    }
                    self.state = State::After;
                } else {
                    self.state = State::Colon;
                    if self.reports_keys && self.depth == 1 {
                        return Step::Key { start: self.key_start, end: at - 1 };
                    }
                }
            }
            while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
                at += 1;
            }
            let Some(&byte) = bytes.get(at) else { return Step::More(at) };
            match self.state {
                State::Colon => {
                    if byte != b':' {
                        return Step::Invalid { at, expected: "`:`" };
                    }
                    self.state = State::Value;
                    at += 1;
                }
                State::Key | State::FirstKey => match byte {
                    b'"' => {
                        at += 1;
                        self.key_start = at;
                        self.state = State::KeyText;
                    }
                    b'}' if self.state == State::FirstKey => {
                        at += 1;
                        if self.close() {
                            return Step::Done(at);
                        }
                    }
                    _ => return Step::Invalid { at, expected: "a key" },
                },
                State::After => match byte {
                    b',' => {
                        at += 1;
                        self.state = if self.in_array() { State::Value } else { State::Key };
                    }
                    b'}' | b']' if (byte == b']') == self.in_array() => {
                        at += 1;
                        if self.close() {
                            return Step::Done(at);
                        }
                    }
                    _ => return Step::Invalid { at, expected: "a comma or the end of the value" },
                },
                State::Value | State::FirstItem => match byte {
                    b'"' => {
                        at += 1;
                        self.state = State::Text;
                    }
                    b'{' | b'[' => {
                        if self.depth == MAX_DEPTH {
                            return Step::Invalid { at, expected: "at most 256 levels" };
                        }
                        at += 1;
                        self.open(byte == b'[');
                    }
                    b']' if self.state == State::FirstItem => {
                        at += 1;
                        if self.close() {
                            return Step::Done(at);
                        }
                    }
                    _ => match scalar_end(bytes, at, is_last) {
                        Scalar::End(end) => {
                            at = end;
                            if self.depth == 0 {
                                return Step::Done(at);
                            }
                            self.state = State::After;
                        }
                        Scalar::More => return Step::More(at),
                        Scalar::Invalid => return Step::Invalid { at, expected: "a value" },
                    },
                },
                State::Text | State::KeyText => {}
            }
        }
    }

    fn open(&mut self, is_array: bool) {
        let (word, bit) = (self.depth / 64, 1u64 << (self.depth % 64));
        if is_array {
            self.arrays[word] |= bit;
        } else {
            self.arrays[word] &= !bit;
        }
        self.depth += 1;
        self.state = if is_array { State::FirstItem } else { State::FirstKey };
    }

    /// Closes a level; returns true if it was the outermost one.
    fn close(&mut self) -> bool {
        self.depth -= 1;
        self.state = State::After;
        self.depth == 0
    }

    fn in_array(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        self.arrays[level / 64] & (1 << (level % 64)) != 0
    }
}

/// Returns true if `bytes` is exactly one JSON value, optionally surrounded by white space.
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    match Scanner::new(false).run(bytes, 0, true) {
        Step::Done(end) => bytes[end..].iter().all(u8::is_ascii_whitespace),
        _ => false,
    }
}

/// Returns the end of the JSON value at the start of `bytes`, or `None` if it is not valid.
pub(crate) fn end_of(bytes: &[u8]) -> Option<usize> {
    match Scanner::new(false).run(bytes, 0, true) {
        Step::Done(end) => Some(end),
        _ => None,
    }
}

enum Text {
    Closed(usize),
    Open(usize),
    Invalid(usize, &'static str),
}

/// Finds the end of a string whose contents continue at `at`.
///
/// Never stops inside an escape, so that the next run can begin where this one stopped.
fn string_end(bytes: &[u8], mut at: usize) -> Text {
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            None => return Text::Open(at),
            Some(b'"') => return Text::Closed(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                None => return Text::Open(at),
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => {
                    let digits = &bytes[at + 2..bytes.len().min(at + 6)];
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return Text::Invalid(at, "an escape");
                    }
                    if digits.len() < 4 {
                        return Text::Open(at);
                    }
                    at += 6;
                }
                Some(_) => return Text::Invalid(at, "an escape"),
            },
            Some(_) => return Text::Invalid(at, "the end of the text before a control character"),
        }
    }
}

enum Scalar {
    End(usize),
    More,
    Invalid,
}

fn scalar_end(bytes: &[u8], at: usize, is_last: bool) -> Scalar {
    let rest = &bytes[at..];
    for word in [&b"true"[..], b"false", b"null"] {
        if rest.starts_with(word) {
            return Scalar::End(at + word.len());
        }
        if word.starts_with(rest) && !is_last {
            return Scalar::More;
        }
    }
    let length =
        rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
    match length {
        Some(length) if length <= MAX_NUMBER && is_number(&rest[..length]) => {
            Scalar::End(at + length)
        }
        None if rest.len() > MAX_NUMBER => Scalar::Invalid,
        None if !is_last => Scalar::More,
        None if is_number(rest) => Scalar::End(bytes.len()),
        _ => Scalar::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar() {
        for (text, valid) in [
            (r#"{"a":[1,-2.5e+3,true,null,"x\u00e9\n"],"b":{}}"#, true),
            ("[]", true),
            (" 0 ", true),
            (r#"{"a":1,}"#, false),
            (r#"{"a" 1}"#, false),
            ("[1 2]", false),
            ("[01]", false),
            ("[1.]", false),
            ("[+1]", false),
            ("[tru]", false),
            (r#"["\x"]"#, false),
            (r#"["\u12g4"]"#, false),
            ("[\"a\nb\"]", false),
            ("[1}", false),
            ("[1", false),
            (r#"{"a":1}{"#, false),
        ] {
            assert_eq!(is_valid(text.as_bytes()), valid, "{text}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_valid(nested(MAX_DEPTH).as_bytes()));
        assert!(!is_valid(nested(MAX_DEPTH + 1).as_bytes()));
    }

    #[test]
    fn every_cut_gives_the_same_end() {
        let text = r#"{"key\u0041":["v\\\"",{"n":-1.5e3}],"t":true,"é":"ü"} tail"#.as_bytes();
        for cut in 0..text.len() {
            let mut scanner = Scanner::new(false);
            let step = match scanner.run(&text[..cut], 0, false) {
                Step::More(at) => scanner.run(text, at, true),
                step => step,
            };
            assert_eq!(step, Step::Done(text.len() - 5), "{cut}");
        }
    }

    #[test]
    fn keys_of_the_outermost_object_are_reported() {
        let text = br#"{"a":{"b":1},"c":2}"#;
        let mut scanner = Scanner::new(true);
        let mut keys = Vec::new();
        let mut at = 0;
        while let Step::Key { start, end } = scanner.run(text, at, true) {
            keys.push(&text[start..end]);
            at = end + 1;
        }
        assert_eq!(keys, [b"a", b"c"]);
    }
}

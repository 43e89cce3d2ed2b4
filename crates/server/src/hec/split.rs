//! Cuts a body into events, chunk by chunk: stacked JSON objects, or lines and objects over several of them.
//!
//! What is cut does not depend on how the body came in chunks. Only an event that is not complete yet is
//! kept.

use memchr::{memchr, memchr2};

use super::reply::Code;

/// An event that took more than this gives its memory back.
const KEPT_CAPACITY: usize = 1 << 20;

/// Cuts one body.
#[derive(Debug)]
pub(crate) struct Splitter {
    form: Form,
    /// An event that came in several chunks.
    held: Vec<u8>,
    /// True if the caller has the event in `held`, which the next call removes.
    is_given: bool,
    /// The most bytes of an event, as it is in the body.
    most: usize,
}

#[derive(Debug)]
enum Form {
    Json(Json),
    Lines(Lines),
}

/// Where in lines.
#[derive(Debug, Clone, Copy, Default)]
struct Lines {
    /// The open brackets of an object over several lines.
    depth: usize,
    /// How many of the bytes that are held are lines of it.
    taken: usize,
}

/// What comes next in stacked JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Json {
    /// An object, an array or the end.
    Top,
    /// The first object of an array, or its end.
    First,
    /// The next object of an array.
    Next,
    /// A comma, or the end of an array.
    After,
    /// The rest of an object with this many open brackets.
    Object { depth: usize, text: Text, in_array: bool },
}

/// Where in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

impl Splitter {
    /// Cuts JSON objects that follow each other, with or without blanks between them, and arrays of
    /// objects.
    ///
    /// Objects are cut at their brackets. Whether they are JSON is for a parser to judge.
    pub(crate) const fn json(most: usize) -> Self {
        Self { form: Form::Json(Json::Top), held: Vec::new(), is_given: false, most }
    }

    /// Cuts lines at LF and CRLF. Lines with nothing but blanks are left out. JSON that is written over
    /// several lines, as people read it, is one event.
    pub(crate) const fn lines(most: usize) -> Self {
        let form = Form::Lines(Lines { depth: 0, taken: 0 });
        Self { form, held: Vec::new(), is_given: false, most }
    }

    /// Returns the number of bytes of memory that are kept.
    pub(crate) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Takes the next complete event from the front of `chunk`; returns `None` if there is none, with
    /// all of `chunk` taken.
    ///
    /// # Errors
    /// Fails if the body is not of the form, or if the event has too many bytes.
    pub(crate) fn next<'a, 'c: 'a>(
        &'a mut self,
        chunk: &mut &'c [u8],
    ) -> Result<Option<&'a [u8]>, Code> {
        self.forget_given();
        let is_lines = matches!(self.form, Form::Lines(_));
        loop {
            let (start, end) = match &mut self.form {
                Form::Json(state) => state.cut(chunk)?,
                Form::Lines(lines) => {
                    if lines.ends_before(&self.held, chunk) {
                        *lines = Lines::default();
                        self.is_given = true;
                        return Ok(Some(line(&self.held)));
                    }
                    (0, memchr(b'\n', chunk).map(|at| at + 1))
                }
            };
            let (taken, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
            *chunk = rest;
            let taken = taken.get(start..).unwrap_or_default();
            let is_held = !self.held.is_empty();
            if is_held || end.is_none() {
                self.hold(taken)?;
            }
            if end.is_none() {
                return Ok(None);
            }
            let whole = if is_held { &self.held } else { taken };
            let length = if is_lines { line(whole).len() } else { whole.len() };
            if length > self.most {
                return Err(Code::InvalidDataFormat);
            }
            if let Form::Lines(lines) = &mut self.form
                && lines.goes_on(whole)
            {
                if !is_held {
                    self.hold(taken)?;
                }
                continue;
            }
            if is_lines && is_blank(whole) {
                self.held.clear();
                continue;
            }
            self.is_given = is_held;
            let whole = if is_held { &self.held } else { taken };
            return Ok(whole.get(..length));
        }
    }

    /// Keeps bytes of an event that is not complete.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), Code> {
        // A line has up to two bytes more, which are its end.
        if self.held.len() + bytes.len() > self.most.saturating_add(2) {
            return Err(Code::InvalidDataFormat);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the body, and returns the last event if its end did not need to be marked.
    ///
    /// # Errors
    /// Fails if the body ends within an event or an array.
    pub(crate) fn end(&mut self) -> Result<Option<&[u8]>, Code> {
        self.forget_given();
        match self.form {
            Form::Json(Json::Top) => Ok(None),
            Form::Json(_) => Err(Code::InvalidDataFormat),
            Form::Lines(_) if is_blank(&self.held) => Ok(None),
            Form::Lines(lines) => {
                // What ends in the middle of an object ends with the line before.
                let last = if lines.depth > 0 { line(&self.held) } else { &self.held };
                if last.len() > self.most {
                    return Err(Code::InvalidDataFormat);
                }
                Ok(Some(last))
            }
        }
    }

    fn forget_given(&mut self) {
        if std::mem::take(&mut self.is_given) {
            self.held.clear();
            self.held.shrink_to(KEPT_CAPACITY);
        }
    }
}

impl Lines {
    /// Returns true if the lines that are held are an event, because what comes next is not indented: it is
    /// none of their object's.
    fn ends_before(&self, held: &[u8], next: &[u8]) -> bool {
        let is_inside = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'}' | b']');
        let is_at_line = self.depth > 0 && self.taken == held.len();
        is_at_line && next.first().is_some_and(|byte| !is_inside(byte))
    }

    /// Takes note of a line that has ended, which is the last of `lines`. Returns true if the event goes on
    /// in the next line.
    ///
    /// Whoever writes JSON over several lines breaks them behind an open bracket or a comma. A line that only
    /// begins like JSON is a line.
    fn goes_on(&mut self, lines: &[u8]) -> bool {
        let last = lines.get(self.taken..).unwrap_or_default().trim_ascii();
        let begins = self.depth > 0
            || (matches!(last.first(), Some(b'{' | b'['))
                && matches!(last.last(), Some(b'{' | b'[' | b',')));
        self.depth = if begins { depth(self.depth, last) } else { 0 };
        self.taken = if self.depth > 0 { lines.len() } else { 0 };
        self.depth > 0
    }
}

/// Returns how many brackets are open behind a line, of which `depth` were open before it. Texts of JSON end in
/// their line.
fn depth(mut depth: usize, line: &[u8]) -> usize {
    let mut text = Text::Outside;
    for byte in line {
        text = match (text, byte) {
            (Text::Outside, b'"') => Text::Inside,
            (Text::Outside, b'{' | b'[') => {
                depth += 1;
                Text::Outside
            }
            (Text::Outside, b'}' | b']') => {
                depth = depth.saturating_sub(1);
                Text::Outside
            }
            (Text::Inside, b'"') => Text::Outside,
            (Text::Inside, b'\\') => Text::Escaped,
            (Text::Escaped, _) => Text::Inside,
            (text, _) => text,
        };
    }
    depth
}

/// Returns a line without its end.
fn line(bytes: &[u8]) -> &[u8] {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

impl Json {
    /// Returns where an object, or its rest, begins in `chunk`, and where it ends if it does.
    fn cut(&mut self, chunk: &[u8]) -> Result<(usize, Option<usize>), Code> {
        let mut at = 0;
        let mut start = 0;
        while let Some(&byte) = chunk.get(at) {
            let Self::Object { depth, text, in_array } = *self else {
                *self = self.between(byte)?;
                start = if matches!(self, Self::Object { .. }) { at } else { at + 1 };
                at += 1;
                continue;
            };
            let rest = chunk.get(at..).unwrap_or_default();
            let (depth, text) = match text {
                Text::Outside => match byte {
                    b'"' => (depth, Text::Inside),
                    b'{' | b'[' => (depth + 1, Text::Outside),
                    b'}' | b']' if depth == 1 => {
                        *self = if in_array { Self::After } else { Self::Top };
                        return Ok((start, Some(at + 1)));
                    }
                    b'}' | b']' => (depth - 1, Text::Outside),
                    _ => (depth, Text::Outside),
                },
                Text::Inside => match memchr2(b'"', b'\\', rest) {
                    Some(found) => {
                        at += found;
                        let is_end = chunk.get(at) == Some(&b'"');
                        (depth, if is_end { Text::Outside } else { Text::Escaped })
                    }
                    None => {
                        at = chunk.len();
                        (depth, Text::Inside)
                    }
                },
                Text::Escaped => (depth, Text::Inside),
            };
            *self = Self::Object { depth, text, in_array };
            at += 1;
        }
        Ok((start, None))
    }

    /// Returns what comes after a byte between objects.
    fn between(self, byte: u8) -> Result<Self, Code> {
        let object = |in_array| Self::Object { depth: 1, text: Text::Outside, in_array };
        match (self, byte) {
            (state, b' ' | b'\t' | b'\n' | b'\r') => Ok(state),
            (Self::Top, b'{') => Ok(object(false)),
            (Self::Top, b'[') => Ok(Self::First),
            (Self::First | Self::Next, b'{') => Ok(object(true)),
            (Self::First | Self::After, b']') => Ok(Self::Top),
            (Self::After, b',') => Ok(Self::Next),
            _ => Err(Code::InvalidDataFormat),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes of a body that comes in chunks which end at `cuts`.
    fn cut(mut splitter: Splitter, body: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, Option<Code>) {
        let mut found = Vec::new();
        let mut ends: Vec<usize> = cuts.iter().map(|at| at % (body.len() + 1)).collect();
        ends.push(body.len());
        ends.sort_unstable();
        let mut from = 0;
        for to in ends {
            let mut chunk = &body[from..to];
            from = to;
            loop {
                match splitter.next(&mut chunk) {
                    Ok(Some(event)) => found.push(event.to_vec()),
                    Ok(None) => break,
                    Err(code) => return (found, Some(code)),
                }
            }
        }
        match splitter.end() {
            Ok(last) => found.extend(last.map(<[u8]>::to_vec)),
            Err(code) => return (found, Some(code)),
        }
        (found, None)
    }

    fn texts(found: &[Vec<u8>]) -> Vec<&str> {
        found.iter().map(|event| std::str::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn stacked_json() {
        let bad = Some(Code::InvalidDataFormat);
        for (body, expected, error) in [
            ("", vec![], None),
            (" \r\n\t", vec![], None),
            ("{}", vec!["{}"], None),
            ("{}{}", vec!["{}", "{}"], None),
            ("\n{} \n{}\n", vec!["{}", "{}"], None),
            ("[]", vec![], None),
            ("[{}]", vec!["{}"], None),
            ("[ {} , {} ] {}[{}]", vec!["{}", "{}", "{}", "{}"], None),
            (r#"{"a":{"b":[1,{}]}}{"c":2}"#, vec![r#"{"a":{"b":[1,{}]}}"#, r#"{"c":2}"#], None),
            // Brackets and quotes in strings.
            (r#"{"a":"}{"}{"b":"\"}"}"#, vec![r#"{"a":"}{"}"#, r#"{"b":"\"}"}"#], None),
            (r#"{"a":"\\"}{}"#, vec![r#"{"a":"\\"}"#, "{}"], None),
            // A parser refuses it.
            ("{]{}", vec!["{]", "{}"], None),
            ("{}x", vec!["{}"], bad),
            ("{},{}", vec!["{}"], bad),
            ("x", vec![], bad),
            ("1", vec![], bad),
            ("[1]", vec![], bad),
            ("[{},]", vec!["{}"], bad),
            ("[,{}]", vec![], bad),
            ("[{} {}]", vec!["{}"], bad),
            ("[[{}]]", vec![], bad),
            ("{}]", vec!["{}"], bad),
            ("{}{", vec!["{}"], bad),
            ("[{}", vec!["{}"], bad),
            ("[", vec![], bad),
            (r#"{"a":"}"#, vec![], bad),
            // Twelve bytes are too many.
            (r#"{"abc":1234}"#, vec![r#"{"abc":1234}"#], None),
            (r#"{}{"abc":12345}"#, vec!["{}"], bad),
        ] {
            let most = if body.contains("abc") { 12 } else { 100 };
            let (found, code) = cut(Splitter::json(most), body.as_bytes(), &[]);
            assert_eq!((texts(&found), code), (expected, error), "{body:?}");
        }
    }

    #[test]
    fn lines() {
        let bad = Some(Code::InvalidDataFormat);
        for (body, expected, error) in [
            ("", vec![], None),
            ("a", vec!["a"], None),
            ("a\nb", vec!["a", "b"], None),
            ("a\r\nb\r\n", vec!["a", "b"], None),
            ("\n\r\n \t\n\na\n\n", vec!["a"], None),
            (" a \n", vec![" a "], None),
            ("a\rb\r\r\n", vec!["a\rb\r"], None),
            ("a\r", vec!["a\r"], None),
            ("  ", vec![], None),
            ("12345678\r\n12345678", vec!["12345678", "12345678"], None),
            ("a\n123456789", vec!["a"], bad),
            ("a\n123456789\n", vec!["a"], bad),
            ("a\n123456789\r\nb", vec!["a"], bad),
            ("a\n1234567890123456789", vec!["a"], bad),
            // JSON over several lines.
            ("{\n 1\n}\na", vec!["{\n 1\n}", "a"], None),
            ("{\r\n}\r\na\n", vec!["{\r\n}", "a"], None),
            ("[{\n},\n{}]", vec!["[{\n},", "{}]"], None),
            ("[{\n},{\n}]", vec![], bad),
            ("[1,\n2]\n", vec!["[1,", "2]"], None),
            ("[1,\n 2]\n", vec!["[1,\n 2]"], None),
            ("{\n \"}\"}\n", vec!["{\n \"}\"}"], None),
            ("{\nab\n}\n", vec!["{", "ab", "}"], None),
            ("{\n", vec!["{"], None),
            ("{\n\n \n}", vec!["{\n\n \n}"], None),
            ("{a\n b\n}", vec!["{a", " b", "}"], None),
            ("{\n 12345\n}", vec![], bad),
        ] {
            let (found, code) = cut(Splitter::lines(8), body.as_bytes(), &[]);
            assert_eq!((texts(&found), code), (expected, error), "{body:?}");
        }
    }

    #[test]
    fn long_events_give_their_memory_back() {
        let body = format!("{{\"a\":\"{}\"}}", "x".repeat(3 * KEPT_CAPACITY));
        let mut splitter = Splitter::json(4 * KEPT_CAPACITY);
        let (mut first, mut second) = body.as_bytes().split_at(100);
        assert_eq!(splitter.next(&mut first), Ok(None));
        assert_eq!(splitter.next(&mut second), Ok(Some(body.as_bytes())));
        assert!(splitter.held() > KEPT_CAPACITY);
        assert_eq!(splitter.next(&mut second), Ok(None));
        assert!(splitter.held() <= KEPT_CAPACITY);
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            "\"",
            "\\",
            "\\\"",
            " ",
            "\n",
            "\r\n",
            "\r",
            "a",
            "1234",
            "{}",
            "{\"event\":\"x\"}",
            "{\"event\":{\"a\":[1,2]}}",
            "{\"event\":\"\\\\\"}",
            "é",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(body in pieces(), cuts in prop::collection::vec(0usize..200, 0..12)) {
            for most in [7, 1000] {
                for new in [Splitter::json, Splitter::lines] {
                    let at_once = cut(new(most), body.as_bytes(), &[]);
                    let in_chunks = cut(new(most), body.as_bytes(), &cuts);
                    prop_assert_eq!(at_once, in_chunks);
                }
            }
        }

        /// Objects that a serializer writes come back as they are.
        #[test]
        fn objects_come_back(
            texts in prop::collection::vec(".*", 0..8),
            blanks in prop::collection::vec("[ \t\r\n]{0,3}", 8),
            cuts in prop::collection::vec(0usize..500, 0..12),
        ) {
            let objects: Vec<String> =
                texts.iter().map(|text| serde_json::json!({"event": text, "n": [{}]}).to_string()).collect();
            let stacked: String =
                objects.iter().zip(&blanks).flat_map(|(object, blank)| [object.as_str(), blank]).collect();
            let array = format!("[{}]", objects.join(","));
            for body in [stacked, array] {
                let (found, code) = cut(Splitter::json(10_000), body.as_bytes(), &cuts);
                prop_assert_eq!(code, None);
                let found: Vec<String> =
                    found.into_iter().map(|event| String::from_utf8(event).unwrap()).collect();
                prop_assert_eq!(&found, &objects);
            }
        }
    }
}

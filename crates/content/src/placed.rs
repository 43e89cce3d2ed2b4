//! Finds the place of a search's text in the file of its detection.

use std::sync::Arc;

use spilltrail_diagnostic::{Code, Diagnostic, Few, Span, by_name};

use crate::detection::Detection;
use crate::files::read_bounded;
use crate::yaml::{MAX_YAML_BYTES, key_span};

/// Diagnostics about a search, with spans in the text of its file.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The text of the file.
    pub text: String,
    /// The diagnostics.
    pub diagnostics: Vec<Diagnostic>,
}

impl Detection {
    /// Returns the text of the detection's file. Returns `None` for a detection of the built-in pack,
    /// and if the file is gone.
    #[must_use]
    pub fn source_text(&self) -> Option<Arc<str>> {
        self.root.as_ref()?;
        let text = String::from_utf8(read_bounded(&self.path, MAX_YAML_BYTES).ok()?).ok()?;
        Some(text.strip_prefix('\u{feff}').unwrap_or(&text).into())
    }

    /// Returns the place of the logs of a test in the text of the detection's file. `None` if it writes
    /// them in another way.
    #[must_use]
    pub fn test_data_span(&self, text: &str, data: &str) -> Option<Span> {
        let from = text.find("attack_data")?;
        let start = from + text.get(from..)?.find(data)?;
        Some(Span::new(start, start + data.len()))
    }

    /// Returns diagnostics about the search with spans in the detection's file. Returns `None` for a
    /// detection of the built-in pack, and if the file is gone or writes the search in another way.
    #[must_use]
    pub fn placed(&self, diagnostics: &[Diagnostic]) -> Option<Placed> {
        let text = self.source_text()?;
        let offsets = offsets(&text, &self.search)?;
        let place = |span: Span| {
            let of = |offset: usize| offsets.get(offset).copied().unwrap_or(text.len());
            Span::new(of(span.start), of(span.end).max(of(span.start)))
        };
        let mut diagnostics = diagnostics.to_vec();
        let labels = diagnostics.iter_mut().flat_map(|diagnostic| &mut diagnostic.labels);
        labels.for_each(|label| label.span = place(label.span));
        Some(Placed { text: text.to_string(), diagnostics })
    }
}

/// Finds the lines and columns of offsets in a text.
///
/// It goes on from the last one, so that a text with many diagnostics in their order is read once.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Places<'a> {
    /// Begins at the start of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, offset: 0, line: 1, column: 1 }
    }

    /// Returns the line and the column of an offset, counted from one; columns are characters. Returns
    /// `None` if the text has no such offset.
    pub fn of(&mut self, offset: usize) -> Option<(usize, usize)> {
        if offset < self.offset {
            *self = Self::new(self.text);
        }
        let passed = self.text.get(self.offset..offset)?;
        let (lines, last) = match passed.rsplit_once('\n') {
            Some((before, last)) => (before.matches('\n').count() + 1, last),
            None => (0, passed),
        };
        self.column = last.chars().count() + if lines > 0 { 1 } else { self.column };
        self.line += lines;
        self.offset = offset;
        Some((self.line, self.column))
    }
}

/// What a comment to this program begins with.
const ADDRESS: &str = "spilltrail:";

/// The word of a comment that allows what is doubtful in its file.
const ALLOW: &str = "allow";

/// A place at which a text names this program, as a comment to it does.
struct Addressed<'t> {
    /// The place of the name.
    span: Span,
    /// What is before it in its line.
    before: &'t str,
    /// What follows in its line, or in its comment.
    after: &'t str,
}

impl<'t> Addressed<'t> {
    /// Returns the words that follow, without blanks and commas.
    fn words(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        let words = self.after.split(|c: char| c.is_whitespace() || c == ',');
        words.filter(|word| !word.is_empty())
    }
}

/// Returns the places at which a text names this program.
fn addressed(text: &str) -> impl Iterator<Item = Addressed<'_>> {
    let mut end = 0;
    let lines = text.split('\n').map(move |line| {
        let start = end;
        end += line.len() + 1;
        (start, line)
    });
    lines.flat_map(|(start, line)| {
        line.match_indices(ADDRESS).map(move |(at, _)| {
            let (before, rest) = line.split_at(at);
            let rest = &rest[ADDRESS.len()..];
            Addressed {
                span: Span::new(start + at, start + at + ADDRESS.len()),
                before,
                after: rest.split('`').next().unwrap_or_default(),
            }
        })
    })
}

/// Returns the words that comments of a file allow: `# spilltrail: allow SPL2022, SPL2023 REASON`, or
/// the same in a comment of its search. A word that is no code ends them.
#[must_use]
pub fn allowed_in(text: &str) -> Vec<&str> {
    let mut allowed = Vec::new();
    for found in addressed(text) {
        let mut words = found.words();
        if words.next() == Some(ALLOW)
            && (found.before.contains('#') || found.before.contains("```"))
        {
            allowed.extend(words.take_while(is_code));
        }
    }
    allowed
}

/// Returns a warning for each comment to this program that says nothing: a misspelled word, or a code
/// that does not exist.
#[must_use]
pub fn unread_comments(text: &str) -> Vec<Diagnostic> {
    const HELP: &str = "write `spilltrail: allow SPL2022`, with the code that is meant";
    let mut few = Few::new("words in comments that mean nothing here");
    let mut tell = |span: Span, message: &dyn Fn() -> String, help: &str| {
        few.add(|| Diagnostic::warning(Code::CONFIGURATION, message()).at(span).help(help));
    };
    let place = |word: &str| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        Span::new(start, start + word.len())
    };
    // Only a comment that is addressed to this program begins with its name.
    for found in addressed(text).filter(|found| found.before.trim_end().ends_with(['#', '`'])) {
        let mut words = found.words();
        match words.next() {
            Some(ALLOW) => {}
            Some(word) => {
                let message = || format!("a comment says `{word}`, which means nothing here");
                tell(place(word), &message, HELP);
                continue;
            }
            None => {
                tell(found.span, &|| "a comment says nothing".to_owned(), HELP);
                continue;
            }
        }
        let mut codes = words.take_while(is_code).peekable();
        if codes.peek().is_none() {
            let message = || "a comment allows nothing: no code follows".to_owned();
            tell(found.span, &message, HELP);
        }
        for code in codes.filter(|code| by_name(code).is_none()) {
            let message = || format!("a comment allows `{code}`, and there is no such code");
            tell(place(code), &message, "`spilltrail help` lists the codes");
        }
    }
    few.into_vec()
}

/// Returns true for a word in the form of a code.
fn is_code(word: &&str) -> bool {
    word.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("SPL"))
        && word.len() > 3
        && word.bytes().skip(3).all(|byte| byte.is_ascii_digit())
}

/// Returns the offset in a YAML text of each byte of `search`, and of its end.
///
/// Line breaks and indentation may differ, and a quote may be written twice or behind a backslash.
pub(crate) fn offsets(text: &str, search: &str) -> Option<Vec<usize>> {
    let key = key_span(text, "search")?;
    let mut at = key.start + text.get(key.start..)?.find(':')? + 1;
    let after = text.get(at..)?.trim_start_matches([' ', '\t']);
    at = text.len() - after.len();
    if after.starts_with(['|', '>']) {
        at += after.find('\n')?;
    }
    let style = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
    at += style.map_or(0, char::len_utf8);
    let mut offsets = Vec::with_capacity(search.len() + 1);
    for c in search.chars() {
        if c.is_whitespace() {
            offsets.extend(std::iter::repeat_n(at, c.len_utf8()));
            let rest = text.get(at..)?;
            // One blank may stand for a line break and the indentation after it.
            let is_next = rest.starts_with(char::is_whitespace);
            at += if is_next { rest.len() - rest.trim_start().len() } else { 0 };
            continue;
        }
        let rest = text.get(at..)?;
        at += rest.len() - rest.trim_start().len();
        let mut rest = text.get(at..)?;
        offsets.extend((0..c.len_utf8()).map(|byte| at + byte));
        let is_escaped = match style {
            Some('\'') => c == '\'' && rest.starts_with("''"),
            Some(_) => rest.starts_with('\\'),
            None => false,
        };
        if is_escaped {
            at += 1;
            rest = text.get(at..)?;
        }
        if !rest.starts_with(c) {
            return None;
        }
        at += c.len_utf8();
    }
    offsets.push(at);
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use super::{Few, Places, allowed_in, offsets, unread_comments};

    #[test]
    fn comments_that_say_nothing() {
        for (text, expected) in [
            ("# spilltrail: allow SPL2022, SPL2023 because of x\n", ""),
            ("search: a ```spilltrail: allow SPL2022```\n", ""),
            ("# see spilltrail: it runs this\nurl: spilltrail:x\n", ""),
            ("#spilltrail:allow\tSPL2022\r\n", ""),
            ("# spilltrail: alow SPL2022\r\n", "alow"),
            ("# spilltrail: allow SPL9999, spl2022 x\n", "SPL9999"),
            ("a: b # spilltrail: allow everything\n", "spilltrail:"),
            ("# spilltrail:\n", "spilltrail:"),
        ] {
            let told = unread_comments(text).into_iter();
            let told = told.filter_map(|told| told.span());
            let shown: Vec<&str> = told.map(|span| &text[span.start..span.end]).collect();
            assert_eq!(shown.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn many_comments_that_say_nothing_are_counted() {
        let told = unread_comments(&"# spilltrail: x\n".repeat(8000));
        assert_eq!(told.len(), Few::MOST + 1);
        assert_eq!(told[Few::MOST].message, "7980 more words in comments that mean nothing here");
    }

    #[test]
    fn places_are_found_in_any_order() {
        let text = "a\u{e9}b\n\ncd";
        let mut places = Places::new(text);
        for (offset, expected) in [
            (0, Some((1, 1))),
            (3, Some((1, 3))),
            (4, Some((1, 4))),
            (5, Some((2, 1))),
            (7, Some((3, 2))),
            (1, Some((1, 2))),
            // Not between characters, and behind the end.
            (2, None),
            (8, Some((3, 3))),
            (9, None),
            (6, Some((3, 1))),
        ] {
            assert_eq!(places.of(offset), expected, "{offset}");
            assert_eq!(Places::new(text).of(offset), expected, "{offset}");
        }
    }

    #[test]
    fn a_search_is_found_in_its_file() {
        for (text, search, at) in [
            ("name: n\nsearch: a=1 | where b\n", "a=1 | where b", "where"),
            ("search: 'a=''1'' | where b'\n", "a='1' | where b", "where"),
            ("search: \"a=\\\"1\\\" | where b\"\n", "a=\"1\" | where b", "where"),
            ("search: |\n  a=1\n  | where b\n", "a=1\n| where b\n", "where"),
            ("search: >-\n  a=1\n  | where b\n", "a=1 | where b", "where"),
            (
                "id: x\nsearch: a=\u{201c}1\u{201d}\n  | where b\n",
                "a=\u{201c}1\u{201d} | where b",
                "where",
            ),
        ] {
            let offsets = offsets(text, search).unwrap();
            assert_eq!(offsets.len(), search.len() + 1, "{text}");
            let start = offsets[search.find(at).unwrap()];
            assert_eq!(text.get(start..start + at.len()), Some(at), "{text}");
        }
    }

    #[test]
    fn comments_allow_codes() {
        for (text, expected) in [
            ("# spilltrail: allow SPL2022\nname: n", &["SPL2022"][..]),
            (
                "name: n # spilltrail: allow SPL2022, spl2023 the trail has one service",
                &["SPL2022", "spl2023"],
            ),
            ("search: a=1 ```spilltrail: allow SPL2023``` | b", &["SPL2023"]),
            ("a: b\r\n# spilltrail: allow SPL2022\r\nc: d", &["SPL2022"]),
            ("# spilltrail:allow SPL2022", &["SPL2022"]),
            ("# spilltrail:  allow\tSPL2022,SPL2023\r", &["SPL2022", "SPL2023"]),
            ("# spilltrail: allowed SPL2022", &[]),
            ("description: spilltrail: allow SPL2022", &[]),
            ("# spilltrail: allow everything", &[]),
            ("# spilltrail: allow SPL SPL1x", &[]),
        ] {
            assert_eq!(allowed_in(text), expected, "{text}");
        }
    }

    #[test]
    fn a_search_that_is_written_otherwise_is_not_found() {
        for text in ["name: n\n", "search: *alias\n", "search: a=2 | where b\n", "search: |", ""] {
            assert_eq!(offsets(text, "a=1 | where b"), None, "{text}");
        }
    }
}

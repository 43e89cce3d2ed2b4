//! Recognizes answers of programs that say of themselves that they are incomplete: a token for a next
//! page, a query that still runs, fewer results than matches.
//!
//! Such a statement is a member of the first or last object of a text, outside its list of events. So
//! only the first and last bytes of a text are kept, whatever its size. Pages in one file follow each
//! other, and only the last object can have a token that nobody used.

use std::io::{self, Read};
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::json::{for_each_member, value_end};

/// The number of bytes that are kept of each end of a text.
const KEPT: usize = 16 * 1024;

/// What a value says if the answer is incomplete.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// A text that is not empty.
    Text,
    /// One of these texts, in any case.
    OneOf(&'static [&'static str]),
    /// `true`
    True,
    /// A number above zero.
    Positive,
    /// A number above that of the events in the text.
    MoreThanFound,
}

/// Which end of a text has the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The last object, whose beginning may be too far away to be seen.
    Last,
    /// The first object, or the last one.
    Any,
}

/// A statement that an answer is incomplete.
#[derive(Debug)]
struct Rule {
    /// The keys that lead to the member.
    path: &'static [&'static str],
    /// Outermost keys of which such an answer has one.
    beside: &'static [&'static str],
    end: End,
    says: Says,
    /// True if the answer is still incomplete without an event in it.
    is_alone: bool,
    message: &'static str,
}

const PAGES: &[&str] = &["Events", "events", "QueryResultRows", "Records", "logEvents"];
const PAGE: &str =
    "the last page has a token for a next one, which is not in this file; get all pages";
const RUNNING: &[&str] =
    &["queued", "scheduled", "running", "failed", "cancelled", "timed_out", "timeout", "unknown"];
const QUERY: &str = "the query had not ended when its results were saved; get them again";
const PARTIAL: &str = "the search failed or ran out of time on a part of the data; run it again";
const LIMITED: &str = "the query matched more events than are in this file; raise its limit";

/// All statements that are known.
const RULES: &[Rule] = &[
    rule(&["NextToken"], PAGES, End::Any, Says::Text, false, PAGE),
    rule(&["nextToken"], PAGES, End::Any, Says::Text, false, PAGE),
    rule(&["QueryStatus"], &["QueryResultRows"], End::Last, Says::OneOf(RUNNING), true, QUERY),
    rule(&["status"], &["results"], End::Last, Says::OneOf(RUNNING), false, QUERY),
    rule(
        &["statistics", "recordsMatched"],
        &["results"],
        End::Any,
        Says::MoreThanFound,
        false,
        LIMITED,
    ),
    rule(&["timed_out"], &["hits"], End::Any, Says::True, false, PARTIAL),
    rule(&["_shards", "failed"], &["hits"], End::Any, Says::Positive, false, PARTIAL),
    rule(&["hits", "total", "value"], &["hits"], End::Any, Says::MoreThanFound, false, LIMITED),
    rule(&["hits", "total"], &["hits"], End::Any, Says::MoreThanFound, false, LIMITED),
    rule(
        &["preview"],
        &["result", "results"],
        End::Last,
        Says::True,
        false,
        "the results are a preview, and no final ones follow; export the search when it is done",
    ),
];

const fn rule(
    path: &'static [&'static str],
    beside: &'static [&'static str],
    end: End,
    says: Says,
    is_alone: bool,
    message: &'static str,
) -> Rule {
    Rule { path, beside, end, says, is_alone, message }
}

/// A key beside which answers say something.
struct Beside {
    key: &'static str,
    /// Searches for the key in quotes.
    finder: Finder<'static>,
    /// True if an answer with it may be incomplete without an event in it.
    is_alone: bool,
}

/// The keys of all rules, each once.
static BESIDE: LazyLock<Vec<Beside>> = LazyLock::new(|| {
    let mut all: Vec<Beside> = Vec::new();
    for rule in RULES {
        for key in rule.beside {
            match all.iter_mut().find(|one| one.key == *key) {
                Some(one) => one.is_alone |= rule.is_alone,
                None => {
                    let finder = Finder::new(&format!("\"{key}\"")).into_owned();
                    all.push(Beside { key, finder, is_alone: rule.is_alone });
                }
            }
        }
    }
    all
});

impl Says {
    fn is_said_by(self, value: &[u8], found: u64) -> bool {
        let text = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        let number = || std::str::from_utf8(value).ok()?.parse::<f64>().ok();
        match self {
            Self::Text => text.is_some_and(|text| !text.is_empty()),
            Self::OneOf(words) => text.is_some_and(|text| {
                words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
            }),
            Self::True => value == b"true",
            Self::Positive => number().is_some_and(|number| number > 0.0),
            Self::MoreThanFound => number().is_some_and(|number| number > found as f64),
        }
    }
}

/// Passes on a text, and keeps both of its ends.
pub(crate) struct Ends<'a> {
    inner: &'a mut dyn Read,
    head: Vec<u8>,
    /// The last bytes; longer than [`KEPT`] between two cuts.
    tail: Vec<u8>,
    length: u64,
}

impl<'a> Ends<'a> {
    pub(crate) fn new(inner: &'a mut dyn Read) -> Self {
        Self { inner, head: Vec::new(), tail: Vec::new(), length: 0 }
    }

    /// Returns the number of bytes passed on.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Returns the end of the first object, if it is not too far away to be seen.
    fn first_end(&self, first: &[u8]) -> Option<usize> {
        let end = value_end(first, 0);
        (end < first.len() || self.head.len() < KEPT).then_some(end)
    }

    /// Returns why the text is incomplete, if it says so; `found` is the number of its items that are
    /// events, and `trail` that of CloudTrail events among them.
    pub(crate) fn incomplete(&self, found: u64, trail: u64) -> Option<&'static str> {
        // Most texts are no answers, which shows without a look at their members.
        let is_all = self.length == self.head.len() as u64;
        let is_there = |one: &&Beside| {
            let is_in = |end: &[u8]| one.finder.find(end).is_some();
            (trail > 0 || one.is_alone) && (is_in(&self.head) || (!is_all && is_in(&self.tail)))
        };
        let keys: Vec<&str> = BESIDE.iter().filter(is_there).map(|one| one.key).collect();
        if keys.is_empty() { None } else { self.said(found, trail, &keys) }
    }

    /// Works like [`Ends::incomplete`], given the keys that may be beside a statement.
    fn said(&self, found: u64, trail: u64, keys: &[&str]) -> Option<&'static str> {
        let tail = &self.tail[self.tail.len().saturating_sub(KEPT)..];
        let (first, tail) = without_list(&self.head, tail);
        if !first.starts_with(b"{") {
            return None;
        }
        let last = last_object(tail);
        let is_single = match self.first_end(first) {
            Some(end) => first[end..].trim_ascii().is_empty(),
            None => last.as_ref().is_none_or(|last| !last.is_whole),
        };
        let last = last.map(|last| last.text).unwrap_or_default();
        let is_in = |text, key: &&str| member(text, key).is_some();
        let has = |key: &&str| keys.contains(key) && (is_in(first, key) || is_in(&last, key));
        RULES.iter().find_map(|rule| {
            if (trail == 0 && !rule.is_alone) || !rule.beside.iter().any(has) {
                return None;
            }
            // Of several objects, the last one alone says what follows; the numbers of the first one
            // are compared with all events.
            let is_said = |text| rule.is_said_by(text, found);
            let counts = matches!(rule.says, Says::MoreThanFound | Says::Positive | Says::True);
            let in_first = (is_single || (rule.end == End::Any && counts)) && is_said(first);
            (in_first || is_said(&last)).then_some(rule.message)
        })
    }
}

/// Returns the two ends of a text without a byte order mark, and without the brackets of a list of
/// pages.
fn without_list<'a>(head: &'a [u8], tail: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match (head.strip_prefix(b"["), tail.trim_ascii_end().strip_suffix(b"]")) {
        (Some(head), Some(tail)) => (head.trim_ascii_start(), tail),
        _ => (head, tail),
    }
}

impl Rule {
    fn is_said_by(&self, object: &[u8], found: u64) -> bool {
        let mut value = object;
        for key in self.path {
            let Some(inner) = member(value, key) else { return false };
            value = inner;
        }
        self.says.is_said_by(value, found)
    }
}

impl Read for Ends<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let bytes = &buffer[..count];
        self.length += count as u64;
        let room = KEPT - self.head.len();
        self.head.extend_from_slice(&bytes[..count.min(room)]);
        self.tail.extend_from_slice(&bytes[count.saturating_sub(KEPT)..]);
        if self.tail.len() > 4 * KEPT {
            self.tail.drain(..self.tail.len() - KEPT);
        }
        Ok(count)
    }
}

/// Returns the value of a member of an object, which may be cut off.
fn member<'a>(object: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut found = None;
    if object.first() == Some(&b'{') {
        for_each_member(object, |name, value| {
            let end = value_end(object, value);
            if object.get(name) == Some(key.as_bytes()) {
                found = object.get(value..end);
                return None;
            }
            Some(end)
        });
    }
    found
}

/// The end of a text from the first member of its last object that is whole.
struct Last {
    text: Vec<u8>,
    /// True if it is the whole object.
    is_whole: bool,
}

/// Returns the last object of a text whose beginning is cut off.
///
/// The text is read backwards: at its end, no string and no bracket is open.
fn last_object(text: &[u8]) -> Option<Last> {
    let text = text.trim_ascii_end();
    if text.last() != Some(&b'}') {
        return None;
    }
    let (mut depth, mut is_in_string, mut comma) = (0_u32, false, None);
    let mut at = text.len();
    while at > 0 {
        at -= 1;
        match text[at] {
            b'"' => {
                let slashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                is_in_string ^= slashes % 2 == 0;
            }
            _ if is_in_string => {}
            b'}' | b']' => depth += 1,
            b'{' | b'[' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(Last { text: text[at..].to_vec(), is_whole: true });
                }
            }
            b',' if depth == 1 => comma = Some(at),
            _ => {}
        }
    }
    let rest = &text[comma? + 1..];
    Some(Last { text: [b"{", rest].concat(), is_whole: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incomplete(text: &str, found: u64, trail: u64) -> Option<&'static str> {
        let mut bytes = text.as_bytes();
        let mut ends = Ends::new(&mut bytes);
        io::copy(&mut ends, &mut io::sink()).unwrap();
        ends.incomplete(found, trail)
    }

    #[test]
    fn what_answers_say_of_themselves() {
        let event = r#"{"eventName":"A","requestParameters":{"nextToken":"x","a":"\"}]"}}"#;
        let many = vec![event; 2000].join(",");
        for events in [event, many.as_str()] {
            for (text, message) in [
                (r#"{"Events":[@],"NextToken":"t"}"#, Some(PAGE)),
                (r#"{"NextToken":"t","Events":[@]}"#, Some(PAGE)),
                (r#"{"events":[@],"searchedLogStreams":[],"nextToken":"t"}"#, Some(PAGE)),
                (r#"{"NextToken":"t","QueryResultRows":[[{"a":"b"}],@]}"#, Some(PAGE)),
                (r#"{"Events":[@],"NextToken":"t"} {"Events":[@]}"#, None),
                (r#"{"Events":[@]} {"Events":[@],"NextToken":"t"}"#, Some(PAGE)),
                ("\u{feff}{\"Events\":[@],\"NextToken\":\"t\"}", Some(PAGE)),
                (r#"[{"Events":[@],"NextToken":"t"}]"#, Some(PAGE)),
                (r#"[{"Events":[@],"NextToken":"t"}, {"Events":[@]}]"#, None),
                (r#"{"Events":[@],"NextToken":""}"#, None),
                (r#"{"Events":[@],"NextToken":null}"#, None),
                (r#"{"Events":[@]}"#, None),
                (r#"{"events":[@],"nextForwardToken":"t"}"#, None),
                (r#"{"Contents":[@],"NextToken":"t"}"#, None),
                (r#"{"QueryStatus":"RUNNING","QueryResultRows":[@]}"#, Some(QUERY)),
                (r#"{"QueryStatus":"FINISHED","QueryResultRows":[@]}"#, None),
                (r#"{"results":[@],"status":"Running"}"#, Some(QUERY)),
                (r#"{"results":[@],"status":"Complete"}"#, None),
                (
                    r#"{"results":[@],"status":"Complete","statistics":{"recordsMatched":9e9}}"#,
                    Some(LIMITED),
                ),
                (r#"{"results":[@],"statistics":{"recordsMatched":1.0}}"#, None),
                (r#"{"timed_out":true,"hits":{"hits":[@]}}"#, Some(PARTIAL)),
                (
                    r#"{"timed_out":false,"_shards":{"failed":2},"hits":{"hits":[@]}}"#,
                    Some(PARTIAL),
                ),
                (
                    r#"{"_shards":{"failed":0},"hits":{"total":{"value":99999},"hits":[@]}}"#,
                    Some(LIMITED),
                ),
                (r#"{"hits":{"total":{"value":1},"hits":[@]}}"#, None),
                (r#"{"hits":{"total":99999,"hits":[@]}}"#, Some(LIMITED)),
            ] {
                let text = text.replace('@', events);
                assert_eq!(incomplete(&text, 2000, 1), message, "{}", &text[..200.min(text.len())]);
            }
        }
        for (text, is_reported) in [
            ("{\"preview\":true,\"result\":{}}\n{\"preview\":true,\"result\":{}}\n", true),
            ("{\"preview\":true,\"result\":{}}\n{\"preview\":false,\"result\":{}}\n", false),
            (r#"{"eventName":"A","status":"Running","NextToken":"t"}"#, false),
            ("", false),
            ("{", false),
            ("}", false),
            ("{\"a\":\"", false),
        ] {
            assert_eq!(incomplete(text, 2, 2).is_some(), is_reported, "{text}");
        }
    }

    /// Whatever an answer says is found, although only the keys of rules that stand in it are looked at.
    #[test]
    fn what_is_not_looked_at_says_nothing() {
        let paths = RULES.iter().flat_map(|rule| rule.path.iter().chain(rule.beside));
        let members: Vec<String> = paths.map(|key| format!("\"{key}\"")).collect();
        let all: Vec<&str> = BESIDE.iter().map(|one| one.key).collect();
        let mut random = fastrand::Rng::with_seed(7);
        let mut said = 0;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..random.usize(1..5) {
                text += random.choice(["{", "[{", "", "{\"a\":\"}\","]).unwrap_or_default();
                for _ in 0..random.usize(0..5) {
                    text += random.choice(&members).map_or("", String::as_str);
                    text += random.choice([":", " : ", ""]).unwrap_or_default();
                    text += random
                        .choice([
                            "true",
                            "\"t\"",
                            "\"RUNNING\"",
                            "[{}]",
                            "{\"failed\":1,\"total\":9}",
                            "\"a",
                        ])
                        .unwrap_or_default();
                    text += random.choice([",", ",", "},{", "", "\\"]).unwrap_or_default();
                }
                if random.u8(..) < 20 {
                    text += &" ".repeat(KEPT);
                }
                text += random.choice(["}", "}]", "", "\"a\":1}"]).unwrap_or_default();
            }
            let mut bytes = text.as_bytes();
            let mut ends = Ends::new(&mut bytes);
            io::copy(&mut ends, &mut io::sink()).unwrap();
            for trail in [0, 1] {
                let expected = ends.said(2, trail, &all);
                assert_eq!(ends.incomplete(2, trail), expected, "{text}");
                said += usize::from(expected.is_some());
            }
        }
        assert!(said > 300, "{said}");
    }

    #[test]
    fn only_answers_with_events_of_cloudtrail_count_unless_they_are_told_by_their_names() {
        assert_eq!(incomplete(r#"{"Events":[{}],"NextToken":"t"}"#, 1, 0), None);
        let running = r#"{"QueryStatus":"RUNNING","QueryResultRows":[]}"#;
        assert_eq!(incomplete(running, 1, 0), Some(QUERY));
    }
}

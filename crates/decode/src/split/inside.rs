//! Finds the events inside a value that is not an event itself: the exports and envelopes of other
//! tools.
//!
//! There is one rule instead of a list of tools: an object that is an event by its keys is taken,
//! wherever it is, as an object or written as text, at most [`MAX_LEVELS`] levels deep.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::about::{is_about_events, is_pattern};
use super::base64::{self, Budget, Decoded};
use super::dress::{FoundEvent, event_of};
use super::grid::Grid;
use super::look::{count_members, may_hold_event};
use super::shape::{Keys, Shape, outer_keys};
use super::{bytes, cells, prefix, scan};
use crate::json::{self, for_each_element, for_each_member, value_end};
use crate::lost::is_empty_event;
use crate::record::{Format, MAX_RECORD};

/// The maximum number of members and texts around an event: five members and one text for the line
/// that Filebeat keeps in `hits.hits[]._source.event.original`.
pub(super) const MAX_LEVELS: usize = 6;
/// The maximum length of the texts in base64 of one value.
const MAX_DECODED: usize = 8 * MAX_RECORD;
/// The maximum length of a key in a path, in characters.
const MAX_KEY: usize = 64;

/// An event inside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InnerEvent {
    pub(super) place: InnerPlace,
    pub(super) format: Format,
    /// The keys around the event, such as `Events[].CloudTrailEvent`.
    pub(super) path: String,
    /// A member that is text and cannot be read as the object that it stands for.
    pub(super) unread: Option<&'static str>,
    /// False for a CloudTrail event that does not say which call it is about.
    is_named: bool,
}

/// Where the text of an inner event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InnerPlace {
    /// This range of the value.
    Range(Range<usize>),
    /// A text of its own; `holder` is the offset in the value of the object that holds it.
    Text { holder: usize, text: String },
}

/// What a value holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) events: Vec<InnerEvent>,
    /// The number of elements without an event in an array whose other elements have some.
    pub(super) others: u64,
    /// The number of these elements that stand in the place of an event and have nothing of it.
    pub(super) lost: u64,
    /// True if texts in base64 were left out because they are too large.
    pub(super) is_cut: bool,
    /// True if compressed texts in base64 were left out because they expand far more than logs do.
    pub(super) is_bomb: bool,
    /// True if there may be events at more than [`MAX_LEVELS`] levels.
    pub(super) is_too_deep: bool,
    /// Where a text begins an event and ends before it does.
    pub(super) unfinished: Option<String>,
    /// True if compressed texts in base64 end early or are damaged.
    pub(super) is_damaged: bool,
    /// True if texts in base64 are compressed in a format that is not read there.
    pub(super) is_unread: bool,
}

/// The texts of which an event has at least one: a part of most of CloudTrail's keys, a key of OCSF, and
/// the value that marks a model invocation.
static EVENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("vent"));
static CAPITALS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("EVENT"));
static CLASS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("class_uid"));
/// The start of an escape that may be a letter.
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u00"));
static INVOCATION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("ModelInvocationLog"));

/// Returns true if a text may hold an event: it contains a key that only events have.
///
/// Most rows do not, and are not looked at any further.
pub(super) fn may_hold_events(text: &[u8]) -> bool {
    // Other programs write the keys in other cases, with a mark between the words, and escape any
    // letter.
    let follows = |end: usize| {
        let rest = &text[end..];
        let rest = rest.strip_prefix(b"_").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
        let begins =
            |end: &&[u8]| rest.get(..end.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(end));
        [&b"Name"[..], b"Source", b"Version"].iter().any(begins)
    };
    let is_event = |at: usize| {
        matches!(at.checked_sub(1).map(|before| text[before]), Some(b'e' | b'E'))
            && follows(at + EVENT.needle().len())
    };
    let is_letter = |at: usize| matches!(text.get(at + ESCAPE.needle().len()), Some(b'4'..=b'7'));
    EVENT.find_iter(text).any(is_event)
        || CAPITALS.find_iter(text).any(|at| follows(at + CAPITALS.needle().len()))
        || CLASS.find(text).is_some()
        || INVOCATION.find(text).is_some()
        || ESCAPE.find_iter(text).any(is_letter)
        || base64::may_be_in(text)
        || bytes::may_be_in(text)
}

/// Returns the format of an object that is an event, or `None` for any other object.
pub(crate) fn event_format(shape: Shape, object: &[u8]) -> Option<Format> {
    match shape {
        Shape::CloudTrail if !json::is_s3_notification(object) => Some(Format::CloudTrail),
        Shape::Lake => Some(Format::Lake),
        Shape::ModelInvocation if json::is_model_invocation(object) => {
            Some(Format::ModelInvocation)
        }
        _ => None,
    }
}

/// Returns the events inside a valid JSON value that [may hold some](may_hold_events); `path` is the
/// path of the value, and `budget` counts what is decompressed of the whole text.
pub(super) fn events_inside(value: &[u8], path: &str, budget: &mut Budget) -> Inside {
    let mut walk = Walk {
        inside: Inside::default(),
        path: path.to_owned(),
        is_among_elements: false,
        room: MAX_DECODED,
        budget,
    };
    walk.value(value, Place::Outer(0), 0, MAX_LEVELS);
    walk.inside
}

/// Adds a key to a path.
pub(super) fn join(path: &mut String, key: &[u8]) {
    if !path.is_empty() {
        path.push('.');
    }
    path.extend(String::from_utf8_lossy(key).chars().take(MAX_KEY));
}

/// Where a text of the walk comes from.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// It begins at this offset of the outermost value.
    Outer(usize),
    /// It was written as text.
    Decoded,
}

impl Place {
    fn plus(self, offset: usize) -> Self {
        match self {
            Self::Outer(start) => Self::Outer(start + offset),
            Self::Decoded => Self::Decoded,
        }
    }
}

struct Walk<'a> {
    inside: Inside,
    path: String,
    /// True inside the outermost array, whose elements are the rows of an export.
    is_among_elements: bool,
    /// The bytes of text in base64 that may still be decoded.
    room: usize,
    budget: &'a mut Budget,
}

impl Walk<'_> {
    /// Looks for events in a value; returns true if there are any.
    ///
    /// `holder` is the offset of the innermost object of the outermost text.
    fn value(&mut self, text: &[u8], place: Place, holder: usize, levels: usize) -> bool {
        match text.first() {
            Some(b'{') => self.object(text, place, holder, levels),
            Some(b'[') => self.array(text, place, holder, levels),
            Some(b'"') => self.text(text, holder, levels),
            _ => false,
        }
    }

    fn object(&mut self, text: &[u8], place: Place, holder: usize, levels: usize) -> bool {
        let holder = if let Place::Outer(start) = place { start } else { holder };
        let keys = outer_keys(text);
        // Fields extracted from an event are less than the event itself.
        if keys.has_raw() && levels > 0 && self.raw_member(text, holder, levels - 1) {
            return true;
        }
        if let Some(FoundEvent { format, rewritten, unread, has_more }) =
            event_of(keys.shape(), text)
        {
            let own = rewritten.as_deref().map_or(text, str::as_bytes);
            if has_more && levels > 0 && self.whole_beside(text, own, place, holder, levels - 1) {
                return true;
            }
            let (keys, place) = match (rewritten, place) {
                (Some(text), _) => (outer_keys(text.as_bytes()), InnerPlace::Text { holder, text }),
                (None, Place::Outer(start)) => (keys, InnerPlace::Range(start..start + text.len())),
                (None, Place::Decoded) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    (keys, InnerPlace::Text { holder, text })
                }
            };
            let is_named = is_named(keys, format);
            let path = self.path.clone();
            self.inside.events.push(InnerEvent { place, format, path, unread, is_named });
            return true;
        }
        if !may_hold_events(text) || is_about_events(text, &self.path) {
            return false;
        }
        if levels == 0 {
            self.inside.is_too_deep |= !is_pattern(text);
            return false;
        }
        if let Some(grid) = Grid::of(text)
            && self.grid(grid, holder, levels - 1)
        {
            return true;
        }
        let mut found = false;
        let before = self.inside.events.len();
        let is_of_statistics = is_of_statistics(text);
        for_each_member(text, |name, value| {
            let end = value_end(text, value);
            if is_of_statistics && STATISTICS.contains(&&text[name.clone()]) {
                return Some(end);
            }
            let length = self.path.len();
            join(&mut self.path, &text[name]);
            found |= self.value(&text[value..end], place.plus(value), holder, levels - 1);
            self.path.truncate(length);
            Some(end)
        });
        if self.inside.events.len() > before + 1 {
            self.drop_extracts(before);
        }
        found
    }

    /// Looks for the event that a record is about as a whole in another member of the record, which
    /// then has only a part of it; `own` is the record as CloudTrail writes it.
    fn whole_beside(
        &mut self,
        text: &[u8],
        own: &[u8],
        place: Place,
        holder: usize,
        levels: usize,
    ) -> bool {
        let (before, others) = (self.inside.events.len(), self.inside.others);
        for_each_member(text, |name, value| {
            let end = value_end(text, value);
            if may_hold_event(&text[name.clone()], &text[value..end]) {
                let length = self.path.len();
                join(&mut self.path, &text[name]);
                self.value(&text[value..end], place.plus(value), holder, levels);
                self.path.truncate(length);
            }
            Some(end)
        });
        let is_whole = match &self.inside.events[before..] {
            [event] if event.format == Format::CloudTrail => {
                let found = match (&event.place, place) {
                    (InnerPlace::Text { text, .. }, _) => text.as_bytes(),
                    (InnerPlace::Range(range), Place::Outer(start)) => {
                        text.get(range.start - start..range.end - start).unwrap_or_default()
                    }
                    (InnerPlace::Range(_), Place::Decoded) => b"",
                };
                let name = |record| json::member(record, b"eventName").map(|name| &record[name]);
                name(found) == name(own) && count_members(found) > count_members(own)
            }
            _ => false,
        };
        if !is_whole {
            self.inside.events.truncate(before);
            self.inside.others = others;
        }
        is_whole
    }

    /// Looks for events in the rows of a table.
    fn grid(&mut self, grid: Grid<'_>, holder: usize, levels: usize) -> bool {
        let length = self.path.len();
        if !grid.key.is_empty() {
            join(&mut self.path, grid.key);
        }
        self.path.push_str("[]");
        let (mut found, mut others, mut lost) = (false, 0, 0);
        grid.for_each_row(|row| {
            let Some(row) = row else {
                lost += 1;
                return true;
            };
            // Each row repeats the names, so that the rows are longer than the table.
            let Some(room) = self.room.checked_sub(row.len()) else {
                self.inside.is_cut = true;
                return false;
            };
            self.room = room;
            let has_event = self.object(row.as_bytes(), Place::Decoded, holder, levels);
            found |= has_event;
            others += u64::from(!has_event);
            true
        });
        self.path.truncate(length);
        if found {
            self.inside.others += others;
            self.inside.lost += lost;
        }
        found
    }

    /// Drops events without a name among those of one object, which were found from the index `first`
    /// on, if the object also has one with a name that is no element of an array.
    ///
    /// Such an object has the fields that a program extracted from an event beside the event's text,
    /// as Filebeat's lines do.
    fn drop_extracts(&mut self, first: usize) {
        let depth = self.path.len();
        let is_single = |event: &InnerEvent| !event.path[depth..].contains("[]");
        let of_object = &self.inside.events[first..];
        if of_object.iter().any(|event| event.is_named && is_single(event)) {
            let mut index = 0;
            self.inside.events.retain(|event| {
                index += 1;
                index <= first || event.is_named || !is_single(event)
            });
        }
    }

    /// Looks for events in the original text that an object has.
    fn raw_member(&mut self, text: &[u8], holder: usize, levels: usize) -> bool {
        let Some(raw) = json::member(text, b"_raw") else { return false };
        let length = self.path.len();
        join(&mut self.path, b"_raw");
        let found = text[raw.start..].starts_with(b"\"") && self.text(&text[raw], holder, levels);
        self.path.truncate(length);
        found
    }

    fn array(&mut self, text: &[u8], place: Place, holder: usize, levels: usize) -> bool {
        if !may_hold_events(text) {
            return false;
        }
        if let Some(bytes) = bytes::in_list(text) {
            return levels > 0 && self.encoded(&bytes, holder, levels - 1).unwrap_or(false);
        }
        let counts_others = !std::mem::replace(&mut self.is_among_elements, true);
        let length = self.path.len();
        self.path.push_str("[]");
        let (mut found, mut others, mut lost) = (false, 0, 0);
        for_each_element(text, |element| {
            let end = value_end(text, element);
            // Arrays in arrays count as levels, so that the walk is never deeper than its limit.
            let is_array = text.get(element) == Some(&b'[');
            let below = if is_array { levels.checked_sub(1) } else { Some(levels) };
            let value = &text[element..end];
            self.inside.is_too_deep |=
                below.is_none() && may_hold_events(value) && !is_pattern(value);
            let has_event =
                below.is_some_and(|below| self.value(value, place.plus(element), holder, below));
            found |= has_event;
            others += u64::from(!has_event);
            lost += u64::from(!has_event && is_empty_event(value));
            end
        });
        if !found && let Some((record, format)) = cells::record(text) {
            self.inside.events.push(InnerEvent {
                place: InnerPlace::Text { holder, text: record },
                format,
                path: self.path.clone(),
                unread: None,
                is_named: true,
            });
            found = true;
            others = 0;
        }
        self.inside.lost += if found { lost } else { 0 };
        self.path.truncate(length);
        if counts_others {
            self.is_among_elements = false;
            self.inside.others += if found { others } else { 0 };
        }
        found
    }

    /// Looks for events in the JSON that a string holds, one document or several, after a text that
    /// is not JSON if there is any.
    fn text(&mut self, quoted: &[u8], holder: usize, levels: usize) -> bool {
        if !may_hold_events(quoted) {
            return false;
        }
        if levels == 0 {
            self.inside.is_too_deep |=
                matches!(quoted, [_, b'{' | b'[', ..]) && !is_pattern(quoted);
            return false;
        }
        let contents = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        let contents = String::from_utf8_lossy(contents);
        let text = json::unescape(&contents);
        if let Some(found) = self.encoded(&text, holder, levels - 1) {
            return found;
        }
        let text = bytes::without_percents(&text);
        self.documents(&text, holder, levels - 1)
    }

    /// Looks for events in what a string holds in base64; `None` if it holds nothing so.
    fn encoded(&mut self, text: &str, holder: usize, levels: usize) -> Option<bool> {
        let decoded = match base64::decode(text, self.room, self.budget)? {
            Decoded::Text(decoded) => decoded,
            Decoded::Damaged(decoded) => {
                self.inside.is_damaged = true;
                decoded
            }
            Decoded::TooLarge => {
                self.inside.is_cut = true;
                // The rest of a record of bombs is not decoded either.
                self.room = 0;
                return Some(false);
            }
            Decoded::Unread => {
                self.inside.is_unread = true;
                return Some(false);
            }
            Decoded::Bomb => {
                self.inside.is_bomb = true;
                self.room = 0;
                return Some(false);
            }
        };
        self.room -= decoded.len();
        Some(self.documents(&decoded, holder, levels))
    }

    fn documents(&mut self, text: &[u8], holder: usize, levels: usize) -> bool {
        let mut found = false;
        let mut rest = text;
        while let Some(document) = next_document(rest) {
            found |= self.value(&rest[document.clone()], Place::Decoded, holder, levels);
            rest = &rest[document.end..];
        }
        let rest = rest.trim_ascii();
        if matches!(rest.first(), Some(b'{' | b'[')) && may_hold_events(rest) {
            self.inside.unfinished.get_or_insert_with(|| self.path.clone());
        }
        found
    }
}

/// The members of a data file's statistics, as table formats write them: the least and greatest value of
/// each column, which together are no event.
const STATISTICS: [&[u8]; 3] = [b"minValues", b"maxValues", b"nullCount"];

/// Returns true for an object with the statistics of a data file.
fn is_of_statistics(object: &[u8]) -> bool {
    json::member(object, b"numRecords").is_some()
}

/// Returns false for a CloudTrail event, given its outermost keys, that has no name of its own or of
/// an Insight.
fn is_named(keys: Keys, format: Format) -> bool {
    format != Format::CloudTrail || keys.has_name()
}

/// Returns the range of the next JSON value of a text.
fn next_document(text: &[u8]) -> Option<Range<usize>> {
    let start = json::skip_space(text, 0);
    let at_start = matches!(text.get(start), Some(b'{' | b'[' | b'"')).then_some(start);
    let after_text = || prefix::end(&text[start..]).map(|end| start + end);
    let document = |start: usize| scan::end_of(&text[start..]).map(|end| start..start + end);
    at_start.and_then(document).or_else(|| document(after_text()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside_of(value: &str) -> Inside {
        events_inside(value.as_bytes(), "", &mut Budget::default())
    }

    #[test]
    fn what_is_not_read_is_told() {
        let record = r#"{"eventVersion":"1","eventName":"A"}"#;
        let quoted = serde_json::Value::from(record).to_string();
        let cut = serde_json::Value::from(&record[..record.len() - 3]).to_string();
        let deep = |inner: &str, levels: usize| {
            format!("{}{inner}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
        };
        for (value, events, is_too_deep, unfinished) in [
            (deep(record, 6), 1, false, None),
            (deep(record, 7), 0, true, None),
            (deep(&quoted, 6), 0, true, None),
            (deep(&format!("[[{record}]]"), 6), 0, true, None),
            (deep("\"an eventName\"", 6), 0, false, None),
            (format!(r#"{{"m":{cut}}}"#), 0, false, Some("m")),
            (format!(r#"{{"a":[{quoted},{cut}]}}"#), 1, false, Some("a[]")),
            (r#"{"m":"{eventName} of {user}"}"#.to_owned(), 0, false, Some("m")),
            (r#"{"m":"{user} and eventName"}"#.to_owned(), 0, false, Some("m")),
            (r#"{"m":"eventName {user}"}"#.to_owned(), 0, false, None),
        ] {
            let inside = inside_of(&value);
            let found = (inside.events.len(), inside.is_too_deep, inside.unfinished.as_deref());
            assert_eq!(found, (events, is_too_deep, unfinished), "{value}");
        }
    }

    #[test]
    fn events_are_known_by_their_keys() {
        let record = r#"{"eventVersion":"1","eventName":"A"}"#;
        let quoted = serde_json::Value::from(record).to_string();
        let twice = serde_json::Value::from(quoted.as_str()).to_string();
        for (value, paths) in [
            (format!(r#"{{"a":{record}}}"#), "a"),
            (format!(r#"{{"a":{quoted}}}"#), "a"),
            (format!(r#"{{"a":{twice}}}"#), "a"),
            (format!(r#"{{"a":[{record},{quoted},{{"b":{record}}}]}}"#), "a[] a[] a[].b"),
            (format!("[[{record}]]"), "[][]"),
            (quoted.clone(), ""),
            (format!(r#"{{"a":{{"b":{{"c":{{"d":{{"e":{quoted}}}}}}}}}}}"#), "a.b.c.d.e"),
            (
                format!(r#"{{"a":{{"b":{{"c":{{"d":{{"e":{{"f":{{"g":{record}}}}}}}}}}}}}}}"#),
                "none",
            ),
            (r#"{"a":{"eventName":"x","user":"y"}}"#.to_owned(), "none"),
            (r#"{"a":"eventName eventSource"}"#.to_owned(), "none"),
            (r#"{"a":{"eventVersion":"2","eventSource":"aws:s3"}}"#.to_owned(), "none"),
            (r#"{"a":{"schemaType":"Other","modelId":"m"}}"#.to_owned(), "none"),
            (r#"{"a":{"schemaType":"ModelInvocationLog","modelId":"m"}}"#.to_owned(), "a"),
            (r#"{"a":{"class_uid":1,"metadata":{}}}"#.to_owned(), "a"),
            (
                format!(r#"{{"result":{{"_raw":{quoted},"eventName":"A","eventSource":"s"}}}}"#),
                "result._raw",
            ),
        ] {
            let inside = inside_of(&value);
            let found: Vec<_> = inside.events.iter().map(|event| event.path.as_str()).collect();
            let found = if found.is_empty() { "none".to_owned() } else { found.join(" ") };
            assert_eq!(found, paths, "{value}");
        }
    }

    #[test]
    fn fields_extracted_from_an_event_are_no_second_event() {
        let record = r#"{"eventVersion":"1","eventName":"A"}"#;
        let quoted = serde_json::Value::from(record).to_string();
        let extract = r#"{"event_version":"1","user_identity":{"arn":"x"}}"#;
        for (value, paths) in [
            (
                format!(r#"{{"event":{{"original":{quoted}}},"aws":{{"cloudtrail":{extract}}}}}"#),
                "event.original",
            ),
            (
                format!(r#"{{"aws":{{"cloudtrail":{extract}}},"event":{{"original":{quoted}}}}}"#),
                "event.original",
            ),
            (format!(r#"{{"aws":{{"cloudtrail":{extract}}}}}"#), "aws.cloudtrail"),
            // Elements of an array are events of their own.
            (format!(r#"{{"list":[{record},{extract}]}}"#), "list[] list[]"),
            (format!(r#"[{{"a":{record}}},{{"a":{extract}}}]"#), "[].a [].a"),
        ] {
            let inside = inside_of(&value);
            let found: Vec<_> = inside.events.iter().map(|event| event.path.as_str()).collect();
            assert_eq!(found.join(" "), paths, "{value}");
        }
    }

    #[test]
    fn elements_without_an_event_are_counted_once() {
        let row = r#"[{"eventVersion":"1","eventName":"A"},{"x":1}]"#;
        let value = format!(r#"{{"rows":[{row},{row},[{{"y":1}}],"z"]}}"#);
        let inside = inside_of(&value);
        assert_eq!((inside.events.len(), inside.others), (2, 2));
        let none = inside_of(r#"{"rows":[{"eventName":1},2]}"#);
        assert_eq!(none, Inside::default());
    }

    #[test]
    fn a_text_may_hold_several_documents() {
        let value = r#"{"m":"<13>app[1]: {\"eventName\":\"A\",\"eventSource\":\"s\"}\n {\"eventName\":\"B\",\"eventSource\":\"s\"}\n"}"#;
        let inside = inside_of(value);
        assert_eq!(inside.events.len(), 2);
    }
}

//! Splits the text of a file into events while it is read.
//!
//! The format is detected from the content: `{"Records":[…]}`, consecutive objects (on lines or
//! not), an array of objects, strings of JSON, lines with a text before their JSON, any other object
//! with events inside it, and tables of separated values. Damage costs only the record that contains
//! it: the splitter continues at the next text that looks like the start of a record.

pub(crate) mod about;
mod around;
mod base64;
mod bytes;
mod cells;
mod complete;
pub(crate) mod dress;
mod envelope;
mod foreign;
mod frames;
pub(crate) mod grid;
pub(crate) mod inside;
pub(crate) mod look;
mod part;
mod prefix;
pub(crate) mod python;
mod recover;
mod resync;
pub(crate) mod scan;
pub(crate) mod shape;
pub(crate) mod spelling;
mod table;
mod window;
mod yaml;

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::ops::Range;

use crate::csv::Table;
use crate::left_out::MemberSet;
use crate::lookalike::Values;
use crate::record::{Format, MAX_RECORD, RawRecord};
use crate::report::{Damage, DamageKind, SkipKind};
use base64::Budget;
use foreign::Foreign;
pub(crate) use foreign::{has_events_in_disguise, is_call};
use frames::{Frame, Frames, Opening};
pub(crate) use part::Part;
use resync::Resync;
use scan::{Scanner, Step};
use shape::{Keys, holds_events};
use window::Window;
use yaml::Yaml;

/// The maximum length of a string that may be an event: escapes make it longer than the event.
const MAX_STRING: usize = 2 * MAX_RECORD;
/// The number of bytes searched for records at a time in a file that does not begin like JSON.
const SNIFF: usize = 64 * 1024;
/// The number of bytes searched for records before such a file is skipped.
const MAX_SNIFF: u64 = 64 * 1024 * 1024;
/// The maximum white space between an envelope's key and its first event.
const MAX_GAP: usize = 1024;

/// The next item in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// An event.
    Record(RawRecord<'a>),
    /// Something that could not be read.
    Damage(Damage),
    /// Something that is not an event.
    Skipped(SkipKind),
}

/// The role of the value being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An object that may be an event; its whole text is kept in memory.
    Object,
    /// An object that grew too large; its text is discarded.
    Oversized,
    /// An array in another array, which may be a row of cells; its text is kept in memory.
    List,
    /// A string, which may be an event written as text; its text is kept in memory.
    String,
    /// A number or word in an array, or a string that is too large for an event.
    Scalar,
}

struct Document {
    scanner: Scanner,
    keys: Keys,
    role: Role,
    /// The length of the text before the value that is not JSON; 0 for most values.
    prefix: usize,
    /// The offset at which the scanner continues, relative to `Splitter::at`.
    scanned: usize,
    first_key: Option<Range<usize>>,
}

impl Document {
    fn new(role: Role, scanner: Scanner) -> Self {
        Self { scanner, keys: Keys::default(), role, prefix: 0, scanned: 0, first_key: None }
    }
}

enum Phase {
    Start,
    Between,
    Inside(Box<Document>),
    Lost(Resync),
    Table(Box<Table>),
    Ended,
}

enum Found {
    Text {
        range: Range<usize>,
        format: Format,
    },
    /// An event inside another value.
    Inner {
        range: Range<usize>,
        format: Format,
    },
    /// An event that was written as text inside another value.
    Decoded {
        offset: u64,
        text: String,
        format: Format,
    },
    Damage(Damage),
    Skipped(SkipKind),
}

/// Splits a text into events; see the module's documentation.
pub struct Splitter<R> {
    window: Window<R>,
    at: usize,
    phase: Phase,
    frames: Frames,
    /// True if the last item was a CloudTrail record, since more of them usually follow.
    is_usual: bool,
    /// True after damage: unmatched brackets are then skipped.
    is_loose: bool,
    scratch: String,
    waiting: VecDeque<Found>,
    first_keys: resync::FirstKeys,
    /// The number of bytes scanned again after damage.
    rescanned: u64,
    inflated: u64,
    /// The number of events inside other values, by where they were.
    unwrapped: BTreeMap<String, u64>,
    /// What has been decompressed inside other values.
    budget: Budget,
    /// True if an object is damaged or cut off, is read member by member, and nothing has been said
    /// about it yet.
    owes_end: bool,
    /// True after an event that no bracket surrounds: a text may follow it on its line.
    is_after_event: bool,
    /// Whether the rows of a table of CloudTrail records have `requestParameters`.
    columns: Option<MemberSet>,
    yaml: Yaml,
    /// True if there is nothing but white space.
    is_blank: bool,
    /// What has been seen of texts and lists that hold no event.
    values: Values,
    /// The number of arrays that were entered.
    lists: u64,
}

impl<R> std::fmt::Debug for Splitter<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splitter").field("at", &self.at).finish_non_exhaustive()
    }
}

impl<R: Read> Splitter<R> {
    /// Returns a splitter for the text of `reader`.
    pub fn new(reader: R) -> Self {
        Self {
            window: Window::new(reader),
            at: 0,
            phase: Phase::Start,
            frames: Frames::default(),
            is_usual: false,
            is_loose: false,
            scratch: String::new(),
            waiting: VecDeque::new(),
            first_keys: resync::FirstKeys::default(),
            rescanned: 0,
            inflated: 0,
            unwrapped: BTreeMap::new(),
            budget: Budget::default(),
            owes_end: false,
            is_after_event: false,
            columns: None,
            yaml: Yaml::default(),
            is_blank: false,
            values: Values::default(),
            lists: 0,
        }
    }

    /// Sets the size of reads.
    #[cfg(test)]
    fn with_chunk(mut self, chunk: usize) -> Self {
        self.window = self.window.with_chunk(chunk);
        self
    }

    /// Returns the number of bytes of uncompressed text read so far.
    pub fn bytes(&self) -> u64 {
        self.inflated
    }

    /// Returns the number of events found so far inside other values, by where they were: the keys
    /// around them, such as `Events[].CloudTrailEvent`, or a description.
    pub fn unwrapped(&self) -> &BTreeMap<String, u64> {
        &self.unwrapped
    }

    /// Returns true for a text of nothing but white space, once its end is reached.
    pub(crate) fn is_blank(&self) -> bool {
        self.is_blank
    }

    /// Returns the members that the rows can have, if the text is a table of CloudTrail records.
    pub(crate) fn columns(&self) -> Option<MemberSet> {
        self.columns
    }

    /// Returns true among the events of an envelope such as `{"Records":[…]}`.
    pub(crate) fn is_in_envelope(&self) -> bool {
        self.frames.top() == Some(Frame::Envelope)
    }

    /// Returns the number of the array whose elements are read, if it is in no object.
    pub(crate) fn list(&self) -> Option<u64> {
        let is_list = self.frames.top() == Some(Frame::Array) && !self.frames.is_opened();
        is_list.then_some(self.lists)
    }

    /// Returns the offset of what follows the last item.
    pub(crate) fn offset(&self) -> u64 {
        self.window.offset(self.at)
    }

    /// Returns the next item, or `None` at the end of the text.
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        let found = loop {
            let found = match self.waiting.pop_front() {
                Some(found) => found,
                None => self.find()?,
            };
            match found {
                Found::Damage(damage) => {
                    if let Some(damage) = self.yaml.judge(damage) {
                        break Found::Damage(damage);
                    }
                }
                found => break found,
            }
        };
        self.is_usual = matches!(found, Found::Text { format: Format::CloudTrail, .. });
        Some(match found {
            Found::Damage(damage) => Item::Damage(damage),
            Found::Skipped(kind) => Item::Skipped(kind),
            Found::Decoded { offset, text, format } => {
                self.scratch = text;
                Item::Record(RawRecord { text: &self.scratch, offset, format })
            }
            Found::Text { range, format } | Found::Inner { range, format } => {
                let offset = self.window.offset(range.start);
                let bytes = &self.window.bytes()[range];
                match std::str::from_utf8(bytes) {
                    Ok(text) => Item::Record(RawRecord { text, offset, format }),
                    Err(error) => {
                        let wrong = error.valid_up_to();
                        self.waiting.push_back(Found::Damage(Damage {
                            offset: offset + wrong as u64,
                            kind: DamageKind::InvalidUtf8,
                            message: "the text is not UTF-8; the event is kept".to_owned(),
                        }));
                        self.scratch = String::from_utf8_lossy(bytes).into_owned();
                        Item::Record(RawRecord { text: &self.scratch, offset, format })
                    }
                }
            }
        })
    }

    fn find(&mut self) -> Option<Found> {
        loop {
            let step = match std::mem::replace(&mut self.phase, Phase::Between) {
                Phase::Start => self.start(),
                Phase::Between => self.between(),
                Phase::Inside(document) => self.inside(document),
                Phase::Lost(resync) => self.search(resync),
                Phase::Table(table) => self.table_row(table),
                Phase::Ended => {
                    self.phase = Phase::Ended;
                    return None;
                }
            };
            if let Some(found) = step {
                return Some(found);
            }
        }
    }

    /// Reads more input, keeping the unused bytes; returns false at the end of the input.
    fn refill(&mut self) -> bool {
        if self.window.has_ended() {
            return false;
        }
        self.at -= self.window.refill(self.at);
        self.inflated = self.window.offset(self.window.bytes().len());
        true
    }

    fn skip_space(&mut self) -> Option<u8> {
        self.skip_space_within(u64::MAX).flatten()
    }

    /// Returns the first byte after white space; `Some(None)` at the end of the text, and `None` if
    /// there is nothing but white space up to the offset `limit`: a stream of it may never end.
    fn skip_space_within(&mut self, limit: u64) -> Option<Option<u8>> {
        loop {
            let rest = &self.window.bytes()[self.at..];
            let blank = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | 0x1e);
            if let Some(step) = rest.iter().position(|b| !blank(b)) {
                self.at += step;
                return Some(Some(rest[step]));
            }
            self.at = self.window.bytes().len();
            if self.window.offset(self.at) > limit {
                return None;
            }
            if !self.refill() {
                return Some(None);
            }
        }
    }

    /// Starts a file; skips it unless it begins like JSON or contains a record soon after.
    fn start(&mut self) -> Option<Found> {
        if self.starts_with_mark() {
            self.at += 3;
        }
        // Bombs of blanks are recognized before this limit.
        let Some(byte) = self.skip_space_within(2 * MAX_SNIFF) else {
            self.phase = Phase::Ended;
            return Some(self.no_json_so_far());
        };
        self.is_blank = byte.is_none();
        let is_text = byte == Some(b'[') && self.starts_with_text_in_brackets();
        if matches!(byte, Some(b'{' | b'[') | None) && !is_text {
            return None;
        }
        let mut foreign = Foreign::default();
        let mut is_first = true;
        loop {
            while self.window.bytes().len() - self.at < SNIFF && self.refill() {}
            if is_first && self.starts_table() {
                return None;
            }
            let rest = &self.window.bytes()[self.at..];
            let head = &rest[..rest.len().min(SNIFF)];
            if is_first {
                self.yaml.look(head);
            }
            if let Some(start) = prefix::document_after_lines(head) {
                self.at += start;
                return None;
            }
            let shows_records = resync::shows_records(head) || prefix::shows_events(head);
            // Records may begin after a long text, such as the log of the program that wrote them.
            let next = head.len().saturating_sub(MAX_GAP).max(1);
            let is_last = head.len() < SNIFF || self.window.offset(self.at) > MAX_SNIFF;
            if shows_records {
                return None;
            }
            foreign.look(head);
            if is_last {
                break;
            }
            self.at += next;
            is_first = false;
        }
        if let Some(damage) = self.window.take_failure() {
            self.waiting.push_back(Found::Damage(damage));
        }
        self.phase = Phase::Ended;
        Some(match foreign.reason() {
            Some((kind, message)) => {
                Found::Damage(Damage { offset: 0, kind, message: message.to_owned() })
            }
            None if self.window.offset(self.at) > MAX_SNIFF => self.no_json_so_far(),
            None => Found::Skipped(SkipKind::NotJson),
        })
    }

    /// Reports a text whose beginning holds no JSON and whose rest is not read.
    fn no_json_so_far(&self) -> Found {
        Found::Damage(Damage {
            offset: self.window.offset(self.at),
            kind: DamageKind::InvalidJson,
            message: "there is no JSON before this place; the rest is not read".to_owned(),
        })
    }

    fn between(&mut self) -> Option<Found> {
        if std::mem::take(&mut self.is_after_event) {
            self.pass_rest_of_line();
        }
        let Some(byte) = self.skip_space() else { return self.end() };
        match (byte, self.frames.top()) {
            (b'{', _) => self.begin(Role::Object, Scanner::new(true)),
            (b'[', Some(_)) => self.begin(Role::List, Scanner::new(false)),
            (b'[', None) if self.begins_row_of_cells() => {
                self.begin(Role::List, Scanner::new(false));
            }
            (b'[', None) if !self.begins_in_brackets() => self.enter_array(),
            (b'"', _) => self.begin(Role::String, Scanner::new(false)),
            (b',', _) | (b':', Some(Frame::Opened { .. })) => self.at += 1,
            (b']', Some(frame @ (Frame::Array | Frame::Envelope))) => {
                self.at += 1;
                self.frames.pop();
                if frame == Frame::Envelope {
                    // Its other members are read one by one, since they may hold events, too.
                    self.frames.open(Opening::Mixed, 0);
                }
            }
            (b'}', Some(Frame::Opened { .. })) => return self.leave_opened(),
            (b']' | b'}', _) if self.is_loose => self.at += 1,
            (0xef, _) if self.starts_with_mark() => self.at += 3,
            (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', Some(_)) => {
                self.begin(Role::Scalar, Scanner::new(false));
            }
            (b'-' | b'+' | b'|' | b'R' | b'<' | b']', None) if self.pass_around() => {}
            (_, None) => match self.prefix() {
                Some(prefix) => {
                    let mut document = Document::new(Role::Object, Scanner::new(true));
                    (document.prefix, document.scanned) = (prefix, prefix);
                    self.phase = Phase::Inside(Box::new(document));
                }
                None => return self.lose(self.at, self.at, "an event"),
            },
            _ => return self.lose(self.at, self.at, "an event"),
        }
        None
    }

    /// Enters an array whose elements may be events.
    fn enter_array(&mut self) {
        self.at += 1;
        self.lists += 1;
        self.frames.enter_array();
    }

    /// Returns the length of a text before the object on this line, if there is such a text.
    fn prefix(&mut self) -> Option<usize> {
        while prefix::needs_more(&self.window.bytes()[self.at..]) && self.refill() {}
        prefix::end(&self.window.bytes()[self.at..])
    }

    /// Returns true if the bracket that comes next belongs to a text before an object.
    fn begins_in_brackets(&mut self) -> bool {
        self.prefix().is_some() && prefix::begins_in_brackets(&self.window.bytes()[self.at..])
    }

    /// Returns true if the bracket with which a file begins is of another text than JSON.
    fn starts_with_text_in_brackets(&mut self) -> bool {
        while self.window.bytes().len() - self.at < SNIFF && self.refill() {}
        let rest = &self.window.bytes()[self.at..];
        prefix::is_text_in_brackets(&rest[..rest.len().min(SNIFF)])
    }

    fn begin(&mut self, role: Role, scanner: Scanner) {
        self.phase = Phase::Inside(Box::new(Document::new(role, scanner)));
    }

    /// Returns true if a byte order mark comes next.
    fn starts_with_mark(&mut self) -> bool {
        while self.window.bytes().len() - self.at < 3 && self.refill() {}
        self.window.bytes()[self.at..].starts_with(&[0xef, 0xbb, 0xbf])
    }

    /// Continues scanning a value.
    fn inside(&mut self, mut document: Box<Document>) -> Option<Found> {
        loop {
            let bytes = &self.window.bytes()[self.at..];
            let is_last = self.window.has_ended();
            let step = document.scanner.run(bytes, document.scanned, is_last);
            let is_object = document.role == Role::Object;
            match step {
                Step::Key { start, end } => {
                    let key = &bytes[start..end];
                    document.keys.add(key);
                    document.scanned = end + 1;
                    document.first_key.get_or_insert(start..end);
                    document.scanner.reports_keys = !document.keys.is_cloudtrail();
                    let may_envelop = holds_events(key) && !document.keys.may_be_cloudtrail();
                    if may_envelop
                        && (self.opens_before(&document, start) || self.enter_envelope(end + 1))
                    {
                        return None;
                    }
                }
                Step::Done(end) if is_object && end > MAX_RECORD => {
                    if self.open(&document, end, Opening::Large) {
                        return None;
                    }
                    let damage = self.too_large();
                    self.at += end;
                    return Some(damage);
                }
                Step::Done(end) => {
                    let start = self.at;
                    self.at += end;
                    return self.complete(&document, start);
                }
                Step::More(at) => {
                    document.scanned = at;
                    if !self.keep_reading(&mut document, at) {
                        return None;
                    }
                    if matches!(document.role, Role::Oversized | Role::Scalar) {
                        self.at += document.scanned;
                        document.scanned = 0;
                    }
                    if let Some(found) = self.waiting.pop_front() {
                        self.phase = Phase::Inside(document);
                        return Some(found);
                    }
                    if !self.refill() {
                        return self.cut_short(&document);
                    }
                }
                Step::Invalid { at, expected } => {
                    return self.invalid(&document, at, expected);
                }
            }
        }
    }

    /// Decides what becomes of a value that does not end within its first `length` bytes; returns
    /// false if its contents are read one by one instead.
    fn keep_reading(&mut self, document: &mut Document, length: usize) -> bool {
        let limit = if document.role == Role::String { MAX_STRING } else { MAX_RECORD };
        if length <= limit {
            return true;
        }
        match document.role {
            Role::Object if self.open(document, length, Opening::Large) => return false,
            Role::Object => {
                self.waiting.push_back(self.too_large());
                document.role = Role::Oversized;
                document.scanner.reports_keys = false;
            }
            Role::List if self.frames.have_room() => {
                self.enter_array();
                return false;
            }
            Role::List | Role::String => document.role = Role::Scalar,
            Role::Oversized | Role::Scalar => {}
        }
        true
    }

    /// Enters the array of events under the key that ends before `from`; returns false if it has
    /// none.
    fn enter_envelope(&mut self, from: usize) -> bool {
        if !self.frames.have_room() {
            if !self.is_loose {
                return false;
            }
            // The frames opened before the damage will never be closed.
            self.frames.clear();
        }
        let Some(key) = self.key_before(from) else { return false };
        let Some(first) = self.first_event(from) else { return false };
        self.at += first;
        self.frames.enter_envelope(&key);
        true
    }
}

#[cfg(test)]
mod tests;

//! Splits the text of a file into events while it is read.
//!
//! The format is detected from the content: `{"Records":[…]}`, consecutive objects (on lines or
//! not), an array of objects, and the envelopes of LookupEvents, EventBridge, CloudWatch Logs and
//! Splunk exports. Damage costs only the record that contains it: the splitter continues at the
//! next text that looks like the start of a record.

mod envelope;
mod part;
mod resync;
pub(crate) mod scan;
pub(crate) mod shape;
mod window;

use std::collections::VecDeque;
use std::io::Read;
use std::ops::Range;

use crate::record::{Format, MAX_RECORD, RawRecord};
use crate::report::{Damage, DamageKind, SkipKind};
pub(crate) use part::Part;
use resync::Resync;
use scan::{Scanner, Step};
use shape::{Keys, holds_events};
use window::Window;

/// The maximum nesting depth of envelopes.
const MAX_FRAMES: usize = 4;
/// The number of bytes searched for records before a file that does not begin like JSON is skipped.
const SNIFF: usize = 64 * 1024;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Array,
    Envelope,
}

/// The role of the value being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// An object that may be an event; its whole text is kept in memory.
    Object,
    /// An object that grew too large; its text is discarded.
    Oversized,
    /// The members of an envelope after its events.
    Tail,
    /// A number, text or word in an array.
    Scalar,
}

struct Document {
    scanner: Scanner,
    keys: Keys,
    role: Role,
    /// The offset at which the scanner continues, relative to `Splitter::at`.
    scanned: usize,
    first_key: Option<Range<usize>>,
}

impl Document {
    fn new(role: Role, scanner: Scanner) -> Self {
        Self { scanner, keys: Keys::default(), role, scanned: 0, first_key: None }
    }
}

enum Phase {
    Start,
    Between,
    Inside(Box<Document>),
    Lost(Resync),
    Ended,
}

enum Found {
    Text { range: Range<usize>, format: Format },
    Scratch { offset: u64, format: Format },
    Damage(Damage),
    Skipped(SkipKind),
}

/// Splits a text into events; see the module's documentation.
pub struct Splitter<R> {
    window: Window<R>,
    at: usize,
    phase: Phase,
    frames: Vec<Frame>,
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
            frames: Vec::new(),
            is_usual: false,
            is_loose: false,
            scratch: String::new(),
            waiting: VecDeque::new(),
            first_keys: resync::FirstKeys::default(),
            rescanned: 0,
            inflated: 0,
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

    /// Returns the next item, or `None` at the end of the text.
    pub fn next_item(&mut self) -> Option<Item<'_>> {
        let found = match self.waiting.pop_front() {
            Some(found) => found,
            None => self.find()?,
        };
        self.is_usual = matches!(found, Found::Text { format: Format::CloudTrail, .. });
        Some(match found {
            Found::Damage(damage) => Item::Damage(damage),
            Found::Skipped(kind) => Item::Skipped(kind),
            Found::Scratch { offset, format } => {
                Item::Record(RawRecord { text: &self.scratch, offset, format })
            }
            Found::Text { range, format } => {
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
        loop {
            let rest = &self.window.bytes()[self.at..];
            let blank = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | 0x1e);
            if let Some(step) = rest.iter().position(|b| !blank(b)) {
                self.at += step;
                return Some(rest[step]);
            }
            self.at = self.window.bytes().len();
            if !self.refill() {
                return None;
            }
        }
    }

    /// Starts a file; skips it unless it begins like JSON or contains a record soon after.
    fn start(&mut self) -> Option<Found> {
        if self.starts_with_mark() {
            self.at += 3;
        }
        let byte = self.skip_space();
        if matches!(byte, Some(b'{' | b'[') | None) {
            return None;
        }
        while self.window.bytes().len() - self.at < SNIFF && self.refill() {}
        let rest = &self.window.bytes()[self.at..];
        let head = &rest[..rest.len().min(SNIFF)];
        if resync::shows_records(head) {
            return None;
        }
        if let Some(damage) = self.window.take_failure() {
            self.waiting.push_back(Found::Damage(damage));
        }
        self.phase = Phase::Ended;
        Some(Found::Skipped(SkipKind::NotJson))
    }

    fn between(&mut self) -> Option<Found> {
        let Some(byte) = self.skip_space() else { return self.end() };
        match (byte, self.frames.last().copied()) {
            (b'{', _) => self.begin(Role::Object, Scanner::new(true)),
            (b'[', _) if self.frames.len() < MAX_FRAMES => {
                self.at += 1;
                self.frames.push(Frame::Array);
            }
            (b',', _) => self.at += 1,
            (b']', Some(frame)) => {
                self.at += 1;
                self.frames.pop();
                if frame == Frame::Envelope {
                    self.begin(Role::Tail, Scanner::after_member());
                }
            }
            (b']' | b'}', _) if self.is_loose => self.at += 1,
            (0xef, _) if self.starts_with_mark() => self.at += 3,
            (b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n', Some(_)) => {
                self.begin(Role::Scalar, Scanner::new(false));
            }
            _ => return self.lose(self.at, self.at, "an event"),
        }
        None
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
                    if may_envelop && self.enter_envelope(end + 1) {
                        return None;
                    }
                }
                Step::Done(end) if is_object && end > MAX_RECORD => {
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
                    let damage = (is_object && at > MAX_RECORD).then(|| self.too_large());
                    if damage.is_some() {
                        document.role = Role::Oversized;
                        document.scanner.reports_keys = false;
                    }
                    if document.role != Role::Object {
                        self.at += document.scanned;
                        document.scanned = 0;
                    }
                    if damage.is_some() {
                        self.phase = Phase::Inside(document);
                        return damage;
                    }
                    if !self.refill() {
                        return self.cut_short(&document);
                    }
                }
                Step::Invalid { at, expected } => {
                    return self.invalid(document.role, at, expected);
                }
            }
        }
    }

    /// Handles a syntax error at `at`, relative to `self.at`.
    fn invalid(&mut self, role: Role, at: usize, expected: &str) -> Option<Found> {
        let failed = self.at + at;
        match role {
            Role::Object if at > MAX_RECORD => {
                let damage = self.too_large();
                self.give_up(failed, failed);
                Some(damage)
            }
            Role::Object => self.lose(self.at, failed, expected),
            // This record has already been reported as too large.
            Role::Oversized => {
                self.give_up(failed, failed);
                None
            }
            Role::Tail | Role::Scalar => self.lose(failed, failed, expected),
        }
    }

    /// Enters the array of events under the key that ends before `from`; returns false if it has
    /// none.
    fn enter_envelope(&mut self, from: usize) -> bool {
        if self.frames.len() >= MAX_FRAMES {
            if !self.is_loose {
                return false;
            }
            // The frames opened before the damage will never be closed.
            self.frames.clear();
        }
        let Some(first) = self.first_event(from) else { return false };
        self.at += first;
        self.frames.push(Frame::Envelope);
        true
    }

    /// Returns the offset of the first event of an envelope if the key that ends at `from` has an
    /// array of objects.
    ///
    /// Offsets are relative to `self.at`.
    fn first_event(&mut self, from: usize) -> Option<usize> {
        loop {
            let bytes = &self.window.bytes()[self.at..];
            let mut wanted = [&b":"[..], b"[", b"{]"].into_iter();
            let mut marks =
                bytes[from..].iter().enumerate().filter(|(_, b)| !b.is_ascii_whitespace());
            let mut opened = 0;
            loop {
                let Some(bracket) = wanted.next() else { return Some(opened) };
                match marks.next() {
                    Some((at, _)) if at > MAX_GAP => return None,
                    Some((_, byte)) if !bracket.contains(byte) => return None,
                    Some((at, b'[')) => opened = from + at + 1,
                    Some(_) => {}
                    None if bytes.len() - from > MAX_GAP => return None,
                    None => break,
                }
            }
            if !self.refill() {
                return None;
            }
        }
    }

    fn too_large(&self) -> Found {
        Found::Damage(Damage {
            offset: self.window.offset(self.at),
            kind: DamageKind::RecordTooLarge,
            message: format!("a record of more than {} MiB is left out", MAX_RECORD / 1024 / 1024),
        })
    }

    /// Handles a complete value between `start` and `self.at`.
    fn complete(&mut self, document: &Document, start: usize) -> Option<Found> {
        match document.role {
            Role::Object => {}
            Role::Scalar => return Some(Found::Skipped(SkipKind::Scalar)),
            Role::Tail | Role::Oversized => return None,
        }
        if let Some(key) = &document.first_key {
            let bytes = &self.window.bytes()[start..];
            self.first_keys.remember(&bytes[key.clone()]);
        }
        self.unwrap(document.keys.shape(), start..self.at)
    }

    /// Handles the end of the text inside a value.
    fn cut_short(&mut self, document: &Document) -> Option<Found> {
        if document.role == Role::Tail {
            return self.end_with(true);
        }
        let damage = self.window.take_failure().unwrap_or_else(|| Damage {
            offset: self.window.offset(self.at),
            kind: DamageKind::TruncatedDocument,
            message: "the text ends in the middle of a value".to_owned(),
        });
        if document.role == Role::Object {
            self.give_up(self.at, self.window.bytes().len());
        } else {
            self.phase = Phase::Ended;
        }
        Some(Found::Damage(damage))
    }

    /// Handles the end of the text between two values.
    fn end(&mut self) -> Option<Found> {
        self.end_with(!self.frames.is_empty() && !self.is_loose)
    }

    fn end_with(&mut self, is_unfinished: bool) -> Option<Found> {
        self.phase = Phase::Ended;
        let damage = self.window.take_failure().or_else(|| {
            is_unfinished.then(|| Damage {
                offset: self.window.offset(self.at),
                kind: DamageKind::TruncatedDocument,
                message: "the text ends before its last bracket".to_owned(),
            })
        })?;
        Some(Found::Damage(damage))
    }

    /// Abandons the value that begins at `start` because of the error at `failed`.
    fn lose(&mut self, start: usize, failed: usize, expected: &str) -> Option<Found> {
        let found = self.window.bytes().get(failed).map(|byte| match byte {
            b' '..=b'~' => format!("`{}`", char::from(*byte)),
            byte => format!("byte 0x{byte:02x}"),
        });
        let found = found.as_deref().unwrap_or("the end");
        let damage = Damage {
            offset: self.window.offset(failed),
            kind: DamageKind::InvalidJson,
            message: format!("expected {expected}, found {found}"),
        };
        self.give_up(start, failed);
        Some(Found::Damage(damage))
    }

    /// Starts searching for the next record right after `start`, or at `failed` if too many bytes
    /// have already been searched twice.
    fn give_up(&mut self, start: usize, failed: usize) {
        let end = self.window.bytes().len();
        let again = (failed - start) as u64;
        // The damaged value may have swallowed whole records, so the search starts just after its
        // beginning. The limit keeps the total cost proportional to the length of the text.
        let allowed = self.window.offset(failed).saturating_mul(4).saturating_add(1 << 20);
        let mut from = failed.max(start + 1);
        if self.rescanned + again <= allowed {
            self.rescanned += again;
            from = start + 1;
        }
        self.at = from.min(end);
        self.is_loose = true;
        self.phase = Phase::Lost(Resync::default());
    }

    /// Searches for the start of the next record.
    fn search(&mut self, mut resync: Resync) -> Option<Found> {
        loop {
            let rest = &self.window.bytes()[self.at..];
            if let Some(start) = resync.search(rest, &self.first_keys, self.window.has_ended()) {
                self.at += start;
                self.phase = Phase::Between;
                return None;
            }
            self.at += resync.forget(rest.len());
            if !self.refill() {
                self.at = self.window.bytes().len();
                return self.end();
            }
        }
    }
}

#[cfg(test)]
mod tests;

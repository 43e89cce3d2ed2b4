//! Extracts the events from an object that is not one itself.

use std::io::Read;
use std::ops::Range;

use super::dress::{FoundEvent, event_of, unread_message};
use super::frames::{Frame, Opening};
use super::inside::{self, InnerPlace, Inside, MAX_LEVELS, events_inside};
use super::shape::{self, Shape};
use super::{Document, Found, MAX_GAP, Splitter, scan};
use crate::inflate::DEFLATE_RATIO;
use crate::json;
use crate::record::{Format, MAX_RECORD};
use crate::report::{Damage, DamageKind, SkipKind, count_place};

/// Where events are said to be that are strings without a key.
const STRINGS: &str = "strings of JSON";

impl<R: Read> Splitter<R> {
    /// Extracts the event from an object of this shape.
    pub(super) fn unwrap(&mut self, shape: Shape, range: Range<usize>) -> Option<Found> {
        let bytes = &self.window.bytes()[range.clone()];
        let row = || Some(Found::Text { range: range.clone(), format: Format::Json });
        if let Some(FoundEvent { format, rewritten, unread, has_more }) = event_of(shape, bytes) {
            if has_more && let Some(found) = self.take_inner(range.clone()) {
                return Some(found);
            }
            let offset = self.window.offset(range.start);
            self.waiting.extend(unread.map(|member| unread_member(offset, member)));
            return Some(match rewritten {
                Some(text) => Found::Decoded { offset, text, format },
                None => Found::Text { range, format },
            });
        }
        match shape {
            Shape::CloudTrail if json::is_s3_notification(bytes) => {
                return Some(Found::Skipped(SkipKind::S3Notification));
            }
            Shape::Digest => return Some(Found::Skipped(SkipKind::Digest)),
            Shape::Config => return Some(Found::Skipped(SkipKind::OtherService)),
            Shape::S3Test if json::is_s3_test(bytes) => {
                return Some(Found::Skipped(SkipKind::S3Notification));
            }
            _ => {}
        }
        if shape == Shape::Row && is_action(bytes) {
            return Some(Found::Skipped(SkipKind::OtherService));
        }
        match self.take_inner(range.clone()) {
            // What could not be read of a row is said after the row itself.
            Some(Found::Damage(damage)) if shape != Shape::LogEvent => {
                self.waiting.push_front(Found::Damage(damage));
            }
            None => {}
            inner => return inner,
        }
        match shape {
            Shape::EventBridge => self.inner_object(range, b"detail"),
            Shape::SplunkResult => self.inner_object(range, b"result"),
            Shape::SplunkRow => self.inner_text(&range, b"_raw").or_else(row),
            Shape::LookupEvent => self.inner_text(&range, b"CloudTrailEvent").or_else(row),
            Shape::LogEvent => {
                let event = self.inner_text(&range, b"message");
                event.or(Some(Found::Skipped(SkipKind::LogMessage)))
            }
            _ => row(),
        }
    }

    /// Takes the events inside a value; the first one is returned, and the others wait.
    pub(super) fn take_inner(&mut self, range: Range<usize>) -> Option<Found> {
        let start = range.start;
        let value = &self.window.bytes()[range];
        if !inside::may_hold_events(value) {
            return None;
        }
        let mut inside = events_inside(value, &self.frames.path(), &mut self.budget);
        let damages = self.damages_of(&mut inside, start);
        for event in inside.events {
            let is_unnamed = event.path.trim_matches(['[', ']']).is_empty();
            match event.place {
                // An array in an array is nothing that has to be said.
                InnerPlace::Range(_) if is_unnamed => {}
                _ if is_unnamed => self.count_unwrapped(STRINGS),
                _ => self.count_unwrapped(&event.path),
            }
            let format = event.format;
            self.waiting.push_back(match event.place {
                InnerPlace::Range(range) => {
                    Found::Inner { range: start + range.start..start + range.end, format }
                }
                InnerPlace::Text { holder, text } => {
                    Found::Decoded { offset: self.window.offset(start + holder), text, format }
                }
            });
        }
        for _ in 0..inside.others {
            self.waiting.push_back(Found::Skipped(SkipKind::LogMessage));
        }
        self.waiting.extend(damages);
        self.waiting.pop_front()
    }

    /// Returns what could not be read of a value that begins at `start`.
    pub(super) fn damages_of(&self, inside: &mut Inside, start: usize) -> Vec<Found> {
        let mut damages = Vec::new();
        let offset = self.window.offset(start);
        let unread = inside.events.iter().filter_map(|event| event.unread);
        damages.extend(unread.map(|member| unread_member(offset, member)));
        let mut damage = |kind: DamageKind, message: String| {
            damages.push(Found::Damage(Damage { offset, kind, message }));
        };
        if inside.is_damaged {
            let message = "compressed data in base64 is damaged or ends early";
            damage(DamageKind::TruncatedCompression, message.to_owned());
        }
        if inside.is_unread {
            let message = "data in base64 in a form that is not read (zstd, bzip2, xz, zip, UTF-16, or \
                           base64 once more); decode it first";
            damage(DamageKind::UnreadableEntry, message.to_owned());
        }
        if inside.is_bomb {
            let message = format!(
                "more than {DEFLATE_RATIO} bytes came out of each compressed byte in base64; the \
                 rest is not read"
            );
            damage(DamageKind::DecompressionBomb, message);
        }
        if inside.is_too_deep {
            let message = format!(
                "what may be an event inside more than {MAX_LEVELS} levels of JSON is not read"
            );
            damage(DamageKind::TooDeep, message);
        }
        if let Some(place) = inside.unfinished.take() {
            let place = if place.is_empty() { "a string".to_owned() } else { format!("`{place}`") };
            let message = format!("the event in {place} is damaged or cut off");
            damage(DamageKind::TruncatedDocument, message);
        }
        if inside.lost > 0 {
            let message = format!(
                "{} of the elements beside events have nothing where an event belongs",
                inside.lost
            );
            damage(DamageKind::LostEvent, message);
        }
        if inside.is_cut {
            damages.push(self.too_large());
        }
        damages
    }

    /// Counts an event inside another value.
    pub(super) fn count_unwrapped(&mut self, place: &str) {
        count_place(&mut self.unwrapped, place, 1);
    }

    /// Returns true if the next bytes may hold an event.
    pub(super) fn may_hold_events(&self, length: usize) -> bool {
        inside::may_hold_events(&self.window.bytes()[self.at..self.at + length])
    }

    /// Opens an object that is too large for memory, damaged or cut off, to read the events inside it
    /// one by one; returns false if that is not possible.
    ///
    /// `length` bytes of it have been read. A record is never opened.
    pub(super) fn open(&mut self, document: &Document, length: usize, why: Opening) -> bool {
        let may_open = document.prefix == 0
            && !document.keys.may_be_cloudtrail()
            && self.frames.have_room()
            && self.may_hold_events(length.min(MAX_RECORD))
            && self.may_rescan(self.at, self.at + length);
        if may_open {
            self.at += 1;
            // After damage, brackets may be missing.
            self.is_loose |= why == Opening::Damaged;
            self.owes_end |= why == Opening::Damaged;
            self.frames.open(why, self.unwrapped.values().sum());
        }
        may_open
    }

    /// Opens an object whose members before the key at `key` may hold events; the array under the key
    /// is then one of its members.
    pub(super) fn opens_before(&mut self, document: &Document, key: usize) -> bool {
        let may_open = self.frames.have_room()
            && self.may_hold_events(key)
            && self.may_rescan(self.at, self.at + key);
        if may_open {
            self.at += document.prefix + 1;
            self.frames.open(Opening::Mixed, 0);
        }
        may_open
    }

    /// Leaves an opened object; one that was too large or damaged and held no event is reported.
    pub(super) fn leave_opened(&mut self) -> Option<Found> {
        let found: u64 = self.unwrapped.values().sum();
        let damage = match self.frames.pop() {
            Some(Frame::Opened { why: Opening::Large, found: before }) => {
                (before == found).then(|| self.too_large())
            }
            Some(Frame::Opened { why: Opening::Damaged, found: before }) => {
                let is_owed = std::mem::take(&mut self.owes_end);
                (is_owed && before == found).then(|| {
                    Found::Damage(Damage {
                        offset: self.window.offset(self.at),
                        kind: DamageKind::InvalidJson,
                        message: "the object that ends here is damaged and is left out".to_owned(),
                    })
                })
            }
            _ => None,
        };
        self.at += 1;
        damage
    }

    /// Continues with the object under `key`; without one, the whole object is a row.
    fn inner_object(&mut self, range: Range<usize>, key: &[u8]) -> Option<Found> {
        let bytes = &self.window.bytes()[range.clone()];
        let Some(inner) = json::member(bytes, key).filter(|inner| bytes[inner.start] == b'{')
        else {
            return Some(Found::Text { range, format: Format::Json });
        };
        let keys = shape::outer_keys(&bytes[inner.clone()]);
        let inner = range.start + inner.start..range.start + inner.end;
        match keys.shape() {
            Shape::EventBridge | Shape::SplunkResult => {
                Some(Found::Text { range: inner, format: Format::Json })
            }
            shape => self.unwrap(shape, inner),
        }
    }

    /// Extracts the event written as a string under `key`, or returns `None` if it has none.
    fn inner_text(&mut self, range: &Range<usize>, key: &[u8]) -> Option<Found> {
        let offset = self.window.offset(range.start);
        let bytes = &self.window.bytes()[range.clone()];
        let inner = json::member(bytes, key)?;
        let quoted = bytes[inner].strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let quoted = String::from_utf8_lossy(quoted);
        let text = json::unescape(&quoted);
        let trimmed = text.trim();
        if !trimmed.starts_with('{') || !scan::is_valid(trimmed.as_bytes()) {
            return None;
        }
        match shape::outer_keys(trimmed.as_bytes()).shape() {
            Shape::Digest => return Some(Found::Skipped(SkipKind::Digest)),
            _ if key == b"_raw" => return None,
            _ => {}
        }
        Some(Found::Decoded { offset, text: trimmed.to_owned(), format: Format::Json })
    }
}

/// Returns true for a line of the log of a table format, which lists files and columns of a table:
/// the events are in its files.
fn is_action(object: &[u8]) -> bool {
    const ACTIONS: [(&[u8], &[u8]); 5] = [
        (b"add", b"dataChange"),
        (b"remove", b"dataChange"),
        (b"metaData", b"schemaString"),
        (b"protocol", b"minReaderVersion"),
        (b"commitInfo", b"operation"),
    ];
    let mut is_action = false;
    let mut is_first = true;
    json::for_each_member(object, |name, value| {
        let end = json::value_end(object, value);
        let (key, inner) = (&object[name], &object[value..end]);
        let is_known = |(action, member): &(&[u8], &[u8])| {
            key == *action && inner.starts_with(b"{") && json::member(inner, member).is_some()
        };
        is_action = std::mem::take(&mut is_first) && ACTIONS.iter().any(is_known);
        is_action.then_some(end)
    });
    is_action
}

/// Returns what is said of an event with a member that is a text instead of an object.
fn unread_member(offset: u64, member: &str) -> Found {
    let message = unread_message(member);
    Found::Damage(Damage { offset, kind: DamageKind::UnreadableCell, message })
}

impl<R: Read> Splitter<R> {
    /// Returns the key whose closing quote is before `from`, relative to `self.at`.
    pub(super) fn key_before(&self, from: usize) -> Option<Vec<u8>> {
        let before = self.window.bytes()[self.at..].get(..from.checked_sub(1)?)?;
        let start = memchr::memrchr(b'"', before)? + 1;
        Some(before[start..].to_vec())
    }

    /// Returns the offset of the first event of an envelope if the key that ends at `from` has an
    /// array of objects.
    ///
    /// Offsets are relative to `self.at`.
    pub(super) fn first_event(&mut self, from: usize) -> Option<usize> {
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
}

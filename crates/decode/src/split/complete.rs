//! Handles values that have been read to their end.

use std::io::Read;
use std::ops::Range;

use super::frames::Frame;
use super::prefix::{self, MAX_PREFIX};
use super::{Document, Found, Role, Splitter};
use crate::record::Format;
use crate::report::{Damage, DamageKind, SkipKind};

/// Where the events are said to be that follow another text on a line.
const LINE: &str = "lines after another text";

impl<R: Read> Splitter<R> {
    /// Returns true if texts and lists without an event look like the values of events.
    pub(crate) fn has_lookalikes(&self) -> bool {
        self.values.look_like_events()
    }

    /// Handles a complete value between `start` and `self.at`.
    pub(super) fn complete(&mut self, document: &Document, start: usize) -> Option<Found> {
        match document.role {
            Role::Object => {}
            Role::List => return self.complete_list(start),
            Role::String => return self.complete_string(start),
            Role::Scalar if self.frames.is_opened() => return None,
            Role::Scalar => return Some(Found::Skipped(SkipKind::Scalar)),
            Role::Oversized => return None,
        }
        if let Some(key) = &document.first_key {
            let bytes = &self.window.bytes()[start..];
            self.first_keys.remember(&bytes[key.clone()]);
        }
        self.is_after_event = self.frames.is_empty();
        let found = self.unwrap(document.keys.shape(), start + document.prefix..self.at);
        match found {
            Some(Found::Text { range, format }) if document.prefix > 0 => {
                if format == Format::Json {
                    return self.lose(start, start, "an event");
                }
                self.count_unwrapped(LINE);
                let line = &self.window.bytes()[start..start + document.prefix];
                if prefix::names_call(line) {
                    self.waiting.push_back(Found::Damage(Damage {
                        offset: self.window.offset(start),
                        kind: DamageKind::LostEvent,
                        message: "a line of text among the events names a call, and is no event"
                            .to_owned(),
                    }));
                }
                Some(Found::Inner { range, format })
            }
            Some(Found::Text { range, format }) if self.frames.is_opened() => {
                self.complete_among_others(range, format)
            }
            found => found,
        }
    }

    /// Passes over the text after an event on its line, as some programs add one.
    pub(super) fn pass_rest_of_line(&mut self) {
        let needs_more = |line: &[u8]| line.len() < MAX_PREFIX && !line.contains(&b'\n');
        while needs_more(&self.window.bytes()[self.at..]) && self.refill() {}
        if let Some(length) = prefix::rest_of_line(&self.window.bytes()[self.at..]) {
            self.at += length;
        }
    }

    /// Handles a complete object inside an opened one, of which only the events are wanted.
    pub(super) fn complete_among_others(
        &mut self,
        range: Range<usize>,
        format: Format,
    ) -> Option<Found> {
        if format == Format::Json {
            let is_element = self.frames.top() == Some(Frame::Array);
            return is_element.then_some(Found::Skipped(SkipKind::LogMessage));
        }
        self.count_unwrapped(&self.frames.path());
        Some(Found::Inner { range, format })
    }

    /// Handles a complete array in another one: its events, or its elements as if there were no
    /// array around them.
    pub(super) fn complete_list(&mut self, start: usize) -> Option<Found> {
        let found = self.take_inner(start..self.at);
        if found.is_some() || self.frames.is_opened() {
            return found;
        }
        self.values.see(&self.window.bytes()[start..self.at]);
        if !self.frames.have_room() {
            return self.lose(start, start, "an event");
        }
        self.at = start;
        self.enter_array();
        None
    }

    /// Handles a complete string: the events in it.
    pub(super) fn complete_string(&mut self, start: usize) -> Option<Found> {
        let found = self.take_inner(start..self.at);
        if found.is_some() {
            return found;
        }
        if self.frames.is_empty() {
            return self.lose(start, start, "an event");
        }
        if self.frames.is_opened() {
            let key = &self.window.bytes()[start + 1..self.at - 1];
            self.frames.set_key(key);
            return None;
        }
        self.values.see(&self.window.bytes()[start..self.at]);
        Some(Found::Skipped(SkipKind::Scalar))
    }
}

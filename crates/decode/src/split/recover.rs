//! Reports damage and continues after it.

use std::io::Read;

use super::frames::Opening;
use super::resync::Resync;
use super::{Document, Found, Phase, Role, Splitter};
use crate::record::MAX_RECORD;
use crate::report::{Damage, DamageKind};

impl<R: Read> Splitter<R> {
    /// Handles a syntax error at `at`, relative to `self.at`.
    pub(super) fn invalid(
        &mut self,
        document: &Document,
        at: usize,
        expected: &str,
    ) -> Option<Found> {
        let failed = self.at + at;
        match document.role {
            Role::Object if at > MAX_RECORD => {
                let damage = self.too_large();
                self.give_up(failed, failed);
                Some(damage)
            }
            Role::Object if self.open(document, at, Opening::Damaged) => None,
            // A line of text that happens to contain a brace is not a damaged event.
            Role::Object if document.prefix > 0 && !self.may_hold_events(at) => {
                let damage = self.unexpected(self.at, "an event");
                self.give_up(self.at, failed);
                Some(damage)
            }
            Role::Object => self.lose(self.at, failed, expected),
            // This record has already been reported as too large.
            Role::Oversized => {
                self.give_up(failed, failed);
                None
            }
            Role::List if self.frames.have_room() => {
                self.enter_array();
                None
            }
            Role::String if self.frames.is_empty() => self.lose(self.at, failed, expected),
            Role::List | Role::String | Role::Scalar => self.lose(failed, failed, expected),
        }
    }

    pub(super) fn too_large(&self) -> Found {
        Found::Damage(Damage {
            offset: self.window.offset(self.at),
            kind: DamageKind::RecordTooLarge,
            message: format!("a record of more than {} MiB is left out", MAX_RECORD / 1024 / 1024),
        })
    }

    /// Handles the end of the text inside a value.
    pub(super) fn cut_short(&mut self, document: &Document) -> Option<Found> {
        match document.role {
            Role::Object if self.open(document, document.scanned, Opening::Damaged) => return None,
            Role::List if self.frames.have_room() => {
                self.owes_end = true;
                self.enter_array();
                return None;
            }
            _ => {}
        }
        self.owes_end = false;
        let damage = self.window.take_failure().unwrap_or_else(|| Damage {
            offset: self.window.offset(self.at),
            kind: DamageKind::TruncatedDocument,
            message: "the text ends in the middle of a value".to_owned(),
        });
        let is_top_string = document.role == Role::String && self.frames.is_empty();
        if document.role == Role::Object || is_top_string {
            self.give_up(self.at, self.window.bytes().len());
        } else {
            self.phase = Phase::Ended;
        }
        Some(Found::Damage(damage))
    }

    /// Handles the end of the text between two values.
    pub(super) fn end(&mut self) -> Option<Found> {
        let is_unfinished = self.owes_end || (!self.frames.is_empty() && !self.is_loose);
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
    pub(super) fn lose(&mut self, start: usize, failed: usize, expected: &str) -> Option<Found> {
        let damage = self.unexpected(failed, expected);
        self.give_up(start, failed);
        Some(damage)
    }

    /// Describes the error at `failed`.
    pub(super) fn unexpected(&self, failed: usize, expected: &str) -> Found {
        let found = self.window.bytes().get(failed).map(|byte| match byte {
            b' '..=b'~' => format!("`{}`", char::from(*byte)),
            byte => format!("byte 0x{byte:02x}"),
        });
        let found = found.as_deref().unwrap_or("the end");
        Found::Damage(Damage {
            offset: self.window.offset(failed),
            kind: DamageKind::InvalidJson,
            message: format!("expected {expected}, found {found}"),
        })
    }

    /// Starts searching for the next record right after `start`, or at `failed` if too many bytes
    /// have already been searched twice.
    pub(super) fn give_up(&mut self, start: usize, failed: usize) {
        let end = self.window.bytes().len();
        // The damaged value may have swallowed whole records, so the search starts just after its
        // beginning.
        let from = if self.may_rescan(start, failed) { start + 1 } else { failed.max(start + 1) };
        self.at = from.min(end);
        self.is_loose = true;
        self.owes_end = false;
        self.phase = Phase::Lost(Resync::default());
    }

    /// Returns true if the bytes from `start` to `failed` may be read once more.
    ///
    /// The limit keeps the total cost proportional to the length of the text.
    pub(super) fn may_rescan(&mut self, start: usize, failed: usize) -> bool {
        let again = (failed - start) as u64;
        let allowed = self.window.offset(failed).saturating_mul(4).saturating_add(1 << 20);
        let may_rescan = self.rescanned + again <= allowed;
        if may_rescan {
            self.rescanned += again;
        }
        may_rescan
    }

    /// Searches for the start of the next record.
    pub(super) fn search(&mut self, mut resync: Resync) -> Option<Found> {
        loop {
            let rest = &self.window.bytes()[self.at..];
            if let Some(start) = resync.search(rest, &self.first_keys, self.window.has_ended()) {
                self.at += start;
                // What begins a line is not inside an object that was opened before the damage.
                if self.at > 0 && self.window.bytes()[self.at - 1] == b'\n' {
                    self.frames.leave_opened();
                }
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

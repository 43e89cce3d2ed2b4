//! Reads the rows of a table of separated values.
//!
//! A quote that is never closed makes one row of all that follows it. Such a row is cut after its
//! first line if the next line is a row by itself, so that it costs no other row.

use std::io::Read;

use super::inside::{self, InnerEvent, InnerPlace, events_inside};
use super::look::has_more;
use super::{Found, Phase, SNIFF, Splitter};
use crate::csv::{self, Line, MAX_CELLS, Made, Quoting, Step, Table};
use crate::record::{Format, MAX_RECORD};
use crate::report::{Damage, DamageKind};

impl<R: Read> Splitter<R> {
    /// Starts a table if the text begins with a header; [`SNIFF`] bytes of it are in memory.
    pub(super) fn starts_table(&mut self) -> bool {
        let rest = &self.window.bytes()[self.at..];
        let is_whole = self.window.has_ended() && rest.len() <= SNIFF;
        let Some(table) = csv::recognize(&rest[..rest.len().min(SNIFF)], is_whole) else {
            return false;
        };
        let lines = match table.unread_above {
            0 => None,
            1 => Some("a line above it is not read: it may be a row".to_owned()),
            lines => Some(format!("{lines} lines above it are not read: they may be rows")),
        };
        if let Some(lines) = lines {
            let message = format!("the header of the table is line {}; {lines}", table.line - 1);
            let kind = DamageKind::RaggedRow;
            let offset = self.window.offset(self.at);
            self.waiting.push_back(Found::Damage(Damage { offset, kind, message }));
        }
        self.at += table.header;
        self.columns = table.members();
        self.phase = Phase::Table(Box::new(table));
        true
    }

    /// Returns what the next row is; `None` if it is blank.
    pub(super) fn table_row(&mut self, mut table: Box<Table>) -> Option<Found> {
        if !table.is_skipping {
            self.skip_line_ends(&mut table);
            table.cells.begin();
        }
        let mut scanned = 0;
        let (used, step) = loop {
            let rest = &self.window.bytes()[self.at..];
            let is_last = self.window.has_ended() && rest.len() <= MAX_RECORD;
            let bytes = &rest[scanned..rest.len().min(MAX_RECORD + 1)];
            match table.cells.run(bytes, is_last) {
                step @ (Step::Row(used) | Step::TooMany(used)) => break (scanned + used, step),
                Step::More if scanned + bytes.len() > MAX_RECORD => {
                    break (scanned + bytes.len(), Step::More);
                }
                Step::More => scanned += bytes.len(),
                Step::End => return self.end(),
            }
            self.refill();
        };
        let found = match step {
            _ if table.is_skipping => {
                table.is_skipping = !matches!(step, Step::Row(_));
                table.cells.forget();
                self.pass(&mut table, used);
                None
            }
            Step::Row(_) if used <= MAX_RECORD => self.row(&mut table, used),
            step => self.large_row(&mut table, used, step),
        };
        self.phase = Phase::Table(table);
        found
    }

    fn skip_line_ends(&mut self, table: &mut Table) {
        loop {
            let rest = &self.window.bytes()[self.at..];
            let length = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let is_all = length == rest.len();
            self.pass(table, length);
            if !is_all || !self.refill() {
                return;
            }
        }
    }

    /// Moves on by so many bytes, counting lines.
    fn pass(&mut self, table: &mut Table, length: usize) {
        let bytes = &self.window.bytes()[self.at..self.at + length];
        table.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.at += length;
    }

    /// Handles the row of so many bytes whose cells were read.
    fn row(&mut self, table: &mut Table, length: usize) -> Option<Found> {
        let bytes = &self.window.bytes()[self.at..self.at + length];
        let is_at_end = self.window.has_ended() && self.at + length == self.window.bytes().len();
        let text = bytes.trim_ascii_end();
        let has_lines = text.contains(&b'\n');
        if !has_lines {
            match table.see_line(text) {
                Line::Row => {}
                Line::Header => {
                    self.pass(table, length);
                    return self.waiting.pop_front();
                }
                Line::RowAndHeader(length) => {
                    table.cells.begin();
                    let _ = table.cells.run(&bytes[..length], true);
                    return self.made(table, length);
                }
            }
        }
        // A row of one line may have odd quotes, as where JSON stands in a cell without quotes.
        let quoting = match csv::quoting(text, table.delimiter) {
            Quoting::Odd if !has_lines => Quoting::Good,
            quoting => quoting,
        };
        let is_ragged = table.cells.count(table.width()) != table.width();
        if (quoting == Quoting::Open || (has_lines && (quoting == Quoting::Odd || is_ragged)))
            && let Some(line) = self.lone_line(table, length)
        {
            return self.cut(table, line);
        }
        match quoting {
            Quoting::Open if is_at_end => {
                let message = "the text ends inside a cell; the row is kept";
                self.warn(table, DamageKind::TruncatedDocument, message);
            }
            Quoting::Good | Quoting::Open => {}
            Quoting::Odd => {
                let message = "its quotes do not match; the row is kept";
                self.warn(table, DamageKind::RaggedRow, message);
            }
        }
        self.made(table, length)
    }

    /// Handles a row with too many bytes or cells, of which so many bytes were read.
    fn large_row(&mut self, table: &mut Table, length: usize, step: Step) -> Option<Found> {
        if let Some(line) = self.lone_line(table, length) {
            return self.cut(table, line);
        }
        let limit = MAX_RECORD / 1024 / 1024;
        let (kind, limit) = match step {
            Step::TooMany(_) => (DamageKind::RaggedRow, format!("{MAX_CELLS} cells")),
            _ => (DamageKind::RecordTooLarge, format!("{limit} MiB")),
        };
        self.warn(table, kind, &format!("a row of more than {limit} is left out"));
        table.is_skipping = !matches!(step, Step::Row(_));
        table.cells.forget();
        self.pass(table, length);
        self.waiting.pop_front()
    }

    /// Returns the event of the first line of a row; the next line is read as a row by itself.
    fn cut(&mut self, table: &mut Table, line: usize) -> Option<Found> {
        table.cells.begin();
        let _ = table.cells.run(&self.window.bytes()[self.at..self.at + line], true);
        let message = "a quote in it is not closed; the row ends with its line";
        self.warn(table, DamageKind::RaggedRow, message);
        self.made(table, line + 1)
    }

    /// Returns the length of the first line of a row of several lines if the next line is a row by
    /// itself, or if there is none.
    fn lone_line(&mut self, table: &mut Table, length: usize) -> Option<usize> {
        let bytes = &self.window.bytes()[self.at..self.at + length];
        let line = memchr::memchr(b'\n', bytes)?;
        let next = &bytes[line + 1..];
        let next = &next[..memchr::memchr(b'\n', next).unwrap_or(next.len())];
        if !table.fits(next) && !bytes[line..].trim_ascii().is_empty() {
            return None;
        }
        // All after the first line is read again.
        self.may_rescan(self.at + line, self.at + length).then_some(line)
    }

    /// Returns the event of a row and moves on by so many bytes.
    fn made(&mut self, table: &mut Table, length: usize) -> Option<Found> {
        let offset = self.window.offset(self.at);
        if table.cells.are_blank() {
            self.pass(table, length);
            return self.waiting.pop_front();
        }
        let (count, width) = (table.cells.count(table.width()), table.width());
        if count != width {
            let is_lone = count == 1 && table.members().is_some();
            let end = if is_lone { "it is no event" } else { "the row is kept" };
            let message = format!("expected {width} cells as in the header, found {count}; {end}");
            self.warn(table, DamageKind::RaggedRow, &message);
            // A table that was copied as text has each cell on its own line.
            if is_lone {
                self.pass(table, length);
                return self.waiting.pop_front();
            }
        }
        if !table.cells.are_utf8() {
            let message = "the text is not UTF-8; the event is kept";
            self.warn(table, DamageKind::InvalidUtf8, message);
        }
        let made = table.make();
        if let Some(Made::Event { remarks, .. }) = &made {
            for remark in remarks {
                self.warn(table, DamageKind::UnreadableCell, remark);
            }
        }
        self.pass(table, length);
        match made {
            Some(Made::Event { text, format, remarks }) => {
                self.event_of_row(text, offset, format, !remarks.is_empty())
            }
            Some(Made::Skipped(kind)) => Some(Found::Skipped(kind)),
            None => self.waiting.pop_front(),
        }
    }

    /// Returns the event that a row is or holds; `is_told` means that something was said of its cells.
    fn event_of_row(
        &mut self,
        text: String,
        offset: u64,
        format: Format,
        is_told: bool,
    ) -> Option<Found> {
        if text.len() > MAX_RECORD {
            let limit = MAX_RECORD / 1024 / 1024;
            return Some(Found::Damage(Damage {
                offset,
                kind: DamageKind::RecordTooLarge,
                message: format!("a record of more than {limit} MiB is left out"),
            }));
        }
        let may_hold = match format {
            Format::Csv => inside::may_hold_events(text.as_bytes()),
            Format::CloudTrail => has_more(text.as_bytes()),
            _ => false,
        };
        if may_hold && self.take_events_of_row(&text, offset, is_told) {
            // Not the columns are what these events have.
            self.columns = None;
            return self.waiting.pop_front();
        }
        Some(Found::Decoded { offset, text, format })
    }

    /// Takes the events inside the cells of a row; returns false if it has none, or is one itself.
    fn take_events_of_row(&mut self, text: &str, offset: u64, is_told: bool) -> bool {
        let mut inside = events_inside(text.as_bytes(), "", &mut self.budget);
        let is_itself = |event: &InnerEvent| matches!(&event.place, InnerPlace::Range(range) if range.len() == text.len());
        inside.events.retain(|event| !is_itself(event));
        let damages = self.damages_of(&mut inside, self.at);
        let damages = damages.into_iter().filter(|_| !is_told);
        let has_events = !inside.events.is_empty();
        for InnerEvent { place, format, path, .. } in inside.events {
            self.count_unwrapped(&path);
            let text = match place {
                InnerPlace::Range(range) => text.get(range).unwrap_or_default().to_owned(),
                InnerPlace::Text { text, .. } => text,
            };
            self.waiting.push_back(Found::Decoded { offset, text, format });
        }
        self.waiting.extend(damages);
        has_events
    }

    /// Reports something about the row that begins here, after the row itself.
    fn warn(&mut self, table: &Table, kind: DamageKind, message: &str) {
        let offset = self.window.offset(self.at);
        let message = format!("line {}: {message}", table.line);
        self.waiting.push_back(Found::Damage(Damage { offset, kind, message }));
    }
}

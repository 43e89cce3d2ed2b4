//! Reads of single events only what has columns in a table of stored events, without decoding them as
//! files.
//!
//! Senders deliver events one by one, and most are what CloudTrail itself writes. To find out what such
//! a text is, all that may be in a file would have to be tried. Here it is told by its brackets alone,
//! like the records of delivered files. Whatever could be read in another way is left to the
//! [decoder](crate::Decoder).

use std::borrow::Cow;

use spilltrail_event::stored::{LEADS, WITH_LEADS};

use crate::cloudtrail::Profile;
use crate::decoder::event_of;
use crate::delivered::{Records, WholeRecord};
use crate::event_view::{EventTime, FieldSet, arrays};
use crate::extract::Sourcetype;
use crate::given::Given;
use crate::paths::{At, Outer, PlainPath, Slots};
use crate::record::Format;
use crate::split::Part;
use crate::split::dress::{is_other_key_of, is_struct};
use crate::split::scan::{self, Scanner, Step};
use crate::split::shape::ENVELOPES;

/// Reads events one at a time, as far as a table of stored events has columns for them.
///
/// It keeps its memory from event to event.
#[derive(Debug)]
pub struct LeadReader {
    records: Records,
    picker: LeadPicker,
    /// The members because of which the splitter reads an object as an envelope.
    envelopes: Vec<PlainPath>,
    /// False if the sourcetype that is named for the events is of another format.
    are_cloudtrail: bool,
}

/// What a table of stored events has of an event of CloudTrail beside its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leads<'t> {
    /// The time of the event in microseconds since the epoch; `None` if it has none that can be read.
    pub time: Option<i64>,
    /// The values of the fields [`LEADS`], in their order.
    pub values: [Option<Cow<'t, str>>; LEADS.len()],
}

impl LeadReader {
    /// Returns a reader of events for which this sourcetype is named.
    #[must_use]
    pub fn new(sourcetype: Option<&str>) -> Self {
        let mut picker = LeadPicker::new(Format::CloudTrail);
        let paths = &mut picker.set.paths;
        let envelopes = ENVELOPES.iter().filter_map(|key| paths.add_plain(&[(*key).into()]));
        let envelopes = envelopes.collect();
        let format = sourcetype.map(|name| Sourcetype::named(name).format);
        let are_cloudtrail = format.is_none_or(|format| format == Format::CloudTrail);
        Self { records: Records::default(), picker, envelopes, are_cloudtrail }
    }

    /// Reads a text that is a single event of CloudTrail, as CloudTrail itself writes it; it is not
    /// changed, and nothing is around it.
    ///
    /// Returns `None` for any other text, and for some that are hard to tell from others. For what it
    /// returns, [`Decoder::decode`](crate::Decoder::decode) of a file with this text, and
    /// [`Decoder::decode_event`](crate::Decoder::decode_event) of an event of this format, give exactly
    /// one event, which has this text, this time and these values.
    pub fn read<'t>(&mut self, text: &'t str) -> Option<Leads<'t>> {
        if !self.are_cloudtrail || !self.records.read_one(text) {
            return None;
        }
        let record = self.records.iter(text).next()?;
        if !is_usual(&record) {
            return None;
        }
        let outer = event_of(&record, Part { text, offset: 0 }).outer;
        self.picker.pick(text, outer);
        let is_absent = |path: &PlainPath| matches!(self.picker.slots.at(path), At::Nothing);
        if !self.envelopes.iter().all(is_absent) {
            return None;
        }
        Some(self.picker.leads(text, &Given::default()))
    }
}

/// Picks what a table of stored events has of the events of one format beside their texts.
#[derive(Debug)]
pub(crate) struct LeadPicker {
    set: FieldSet,
    slots: Slots,
    /// The slots of the [`LEADS`], if events of the format have columns for them.
    leads: Option<[usize; LEADS.len()]>,
    format: Format,
}

impl LeadPicker {
    pub(crate) fn new(format: Format) -> Self {
        let mut set = FieldSet::new(format, Profile::default());
        let has_leads = format.name() == WITH_LEADS;
        let leads = has_leads.then(|| LEADS.map(|name| set.paths.add(name)));
        Self { set, slots: Slots::default(), leads, format }
    }

    /// Picks the values of an event.
    pub(crate) fn pick(&mut self, text: &str, outer: Option<Outer<'_>>) {
        self.set.paths.pick(text, arrays(self.format), outer, &mut self.slots);
    }

    /// Returns what was picked last, of an event with this text.
    pub(crate) fn leads<'t>(&self, text: &'t str, given: &Given) -> Leads<'t> {
        let time = EventTime::of(text, &self.set, &self.slots, given).epoch;
        // Of several values, the last one counts.
        let value = |slot: usize| Some(self.slots.get(slot).last()?.text(text));
        Leads {
            time: time.map(|time| (time * 1e6).round() as i64),
            values: self.leads.map_or_else(Default::default, |leads| leads.map(value)),
        }
    }
}

/// Returns true if a record is valid, and its text is kept as it is. Of a record, only the outermost
/// members are known to be valid, without the escapes of their texts and the lengths of their numbers;
/// elsewhere only the brackets fit.
fn is_usual(record: &WholeRecord<'_>) -> bool {
    let bytes = record.text.as_bytes();
    let has_long_piece = || record.pieces.iter().any(|piece| piece.len() > scan::MAX_NUMBER);
    let is_scanned = !record.is_plain || has_long_piece();
    if is_scanned && !scan::is_valid(bytes) {
        return false;
    }
    // Objects and lists are between the pieces.
    record.pieces.windows(2).all(|pair| {
        let [start, end] = [pair[0].end, pair[1].start].map(|at| (at - record.start) as usize);
        let value = &bytes[start..end];
        match key_before(bytes, start) {
            Some(key) if is_struct(key) => is_usual_struct(key, value),
            Some(_) => is_scanned || scan::is_valid(value),
            None => false,
        }
    })
}

/// Returns true if the value of a member that is a struct is valid, and its keys are spelled as
/// CloudTrail does. Otherwise the splitter would write the record anew.
fn is_usual_struct(member: &[u8], value: &[u8]) -> bool {
    let mut scanner = Scanner::new(true);
    let mut at = 0;
    loop {
        match scanner.run(value, at, true) {
            Step::Key { start, end } if is_other_key_of(member, &value[start..end]) => {
                return false;
            }
            Step::Key { end, .. } => at = end + 1,
            Step::Done(end) => return end == value.len(),
            Step::More(_) | Step::Invalid { .. } => return false,
        }
    }
}

/// Returns the key of the member whose value begins at `at`; it has no escapes.
fn key_before(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let before = bytes.get(..at)?.trim_ascii_end().strip_suffix(b":")?;
    let key = before.trim_ascii_end().strip_suffix(b"\"")?;
    Some(&key[memchr::memrchr(b'"', key)? + 1..])
}

#[cfg(test)]
pub(crate) mod tests;

//! Reads the events of files one by one, each with what a table of stored events has columns for.
//!
//! Whoever stores events needs all of them, and few of their fields. Columns that are collected for
//! searches would copy each text once more.

use std::ops::ControlFlow;
use std::sync::Arc;

use spilltrail_event::StopToken;

use crate::cloudtrail::Profile;
use crate::decoder::{Consumer, Extracted, FileReader, event_of};
use crate::delivered::WholeRecord;
use crate::event_view::quick_time;
use crate::extract::Sourcetype;
use crate::inflate::{Input, MakeScratch};
use crate::leads::{LeadPicker, Leads};
use crate::origin::Origin;
use crate::parquet::Need;
use crate::paths::Outer;
use crate::record::{FORMATS, Format, RawRecord};
use crate::report::FileReport;
use crate::split::Part;

/// An event of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEvent<'e> {
    /// The text, as it stands in the file.
    pub text: &'e str,
    /// The format in which the text is read: the recognized one, or that of a sourcetype that is named.
    pub format: Format,
    /// The name of the file; behind it, that of the entry of an archive.
    pub source: &'e Arc<str>,
    /// The time, and the values that get columns.
    pub leads: Leads<'e>,
}

/// Receives the events of a file; `Break` ends reading.
pub type Visit<'a> = &'a mut dyn FnMut(&FoundEvent<'_>) -> ControlFlow<()>;

/// Reads files, one after another.
///
/// It finds the same events as a [`Decoder`](crate::Decoder), with the same times and values.
#[derive(Debug)]
pub struct EventReader {
    reader: FileReader,
    fields: Fields,
}

/// What is picked of the events of each format.
#[derive(Debug, Default)]
struct Fields {
    pickers: [Option<LeadPicker>; FORMATS],
    /// The format of the sourcetype that is named for all events.
    named: Option<Format>,
    /// The format of the sourcetype that is named for the events of the file.
    named_of_file: Option<Format>,
}

impl EventReader {
    /// Returns a reader of files whose events have this sourcetype, or the recognized one.
    #[must_use]
    pub fn new(sourcetype: Option<&str>, stop: StopToken, scratch: MakeScratch) -> Self {
        let named = sourcetype.map(|name| Sourcetype::named(name).format);
        let fields = Fields { named, ..Fields::default() };
        Self { reader: FileReader::new(None, stop, scratch), fields }
    }

    /// Reads one file. For an archive, the name of each entry is appended to the archive's in `source`.
    pub fn read(&mut self, input: Input, origin: &Origin, visit: Visit<'_>) -> FileReport {
        self.fields.begin(origin);
        let mut visitor = Visitor { fields: &mut self.fields, visit };
        self.reader.read(input, origin, &mut visitor)
    }

    /// Works like [`EventReader::read`] for a file that is completely in memory.
    ///
    /// This is faster if the file is what CloudTrail delivers. It discards the bytes but may keep the
    /// vector's allocation.
    pub fn read_whole(
        &mut self,
        file: &mut Vec<u8>,
        origin: &Origin,
        visit: Visit<'_>,
    ) -> FileReport {
        self.fields.begin(origin);
        let mut visitor = Visitor { fields: &mut self.fields, visit };
        self.reader.read_whole(file, origin, &mut visitor)
    }
}

impl Fields {
    fn begin(&mut self, origin: &Origin) {
        let own = origin.sourcetype.as_deref().map(|name| Sourcetype::named(name).format);
        self.named_of_file = own.or(self.named);
    }

    fn format_of(&self, recognized: Format) -> Format {
        self.named_of_file.unwrap_or(recognized)
    }

    fn pick<'t>(
        &mut self,
        text: &'t str,
        format: Format,
        outer: Option<Outer<'_>>,
        origin: &Origin,
    ) -> Leads<'t> {
        let make = || LeadPicker::new(format);
        let picker = self.pickers[format as usize].get_or_insert_with(make);
        picker.pick(text, outer);
        picker.leads(text, &origin.given)
    }
}

struct Visitor<'a> {
    fields: &'a mut Fields,
    visit: Visit<'a>,
}

impl Visitor<'_> {
    fn see(
        &mut self,
        text: &str,
        recognized: Format,
        outer: Option<Outer<'_>>,
        origin: &Origin,
    ) -> ControlFlow<()> {
        let format = self.fields.format_of(recognized);
        let leads = self.fields.pick(text, format, outer, origin);
        (self.visit)(&FoundEvent { text, format, source: &origin.source, leads })
    }
}

impl Consumer for Visitor<'_> {
    fn need(&self, format: Format) -> Need {
        Need::nothing(self.fields.format_of(format), Profile::default()).everything()
    }

    fn begin(&mut self, _: &Origin) {}

    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>) {
        let flow = self.see(event.text, event.format, None, origin);
        let format = self.fields.format_of(event.format);
        let time = quick_time(event.text, format, &origin.given);
        (Extracted { matched: true, time }, flow)
    }

    fn record(
        &mut self,
        record: &WholeRecord<'_>,
        part: Part<'_>,
        origin: &Origin,
    ) -> (bool, ControlFlow<()>) {
        let outer = event_of(record, part).outer;
        (true, self.see(record.text, Format::CloudTrail, outer, origin))
    }
}

#[cfg(test)]
mod tests;

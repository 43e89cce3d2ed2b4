//! Combines the steps of decoding: the bytes of a file in, batches of its matching events out.

mod extraction;
mod origins;
mod range;
mod stored;

use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use spilltrail_event::{ScanRequest, StopToken};

use crate::cloudtrail::Profile;
use crate::dedup::SeenEvents;
use crate::delivered::{Inflater, Records, WholeRecord, wide};
use crate::event_view::{quick_time, unread_time};
use crate::extract::{Extraction as Counts, Extractor};
use crate::incomplete::Ends;
use crate::inflate::{
    Input, MakeScratch, Parts, ReadSeek, Scratch, for_each_part, in_memory, names, shown,
};
use crate::left_out::Seen;
use crate::lookalike::looks_like_event;
use crate::lost::{Lost, is_empty_event};
use crate::origin::Origin;
use crate::parquet::{Damages, Lines, Need, Parquet, Step};
use crate::record::{Format, RawRecord};
use crate::report::{Damage, DamageKind, FileReport, Marks, SkipKind, count_place, is_beside_logs};
use crate::rows::Rows;
use crate::split::dress::unread_message;
use crate::split::{Item, Part, Splitter};
pub(crate) use extraction::event_of;
use extraction::{Extraction, take};
use range::Times;

/// Options of a [`Decoder`].
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// The wanted events and fields of each search.
    pub requests: Arc<[ScanRequest]>,
    /// The add-on version whose rules derived fields follow.
    pub profile: Profile,
    /// The sourcetype that replaces the detected one.
    pub sourcetype: Option<String>,
    /// The set of events seen so far, shared by all decoders of a run; `None` keeps duplicates.
    pub seen: Option<Arc<Mutex<SeenEvents>>>,
    /// Ends decoding between two events.
    pub stop: StopToken,
    /// Returns storage for nested archives; in memory by default.
    pub scratch: MakeScratch,
}

impl DecodeOptions {
    /// Returns the options for these requests, with defaults for everything else.
    #[must_use]
    pub fn new(requests: impl Into<Arc<[ScanRequest]>>) -> Self {
        let requests = requests.into();
        Self {
            requests,
            profile: Profile::default(),
            sourcetype: None,
            seen: None,
            stop: StopToken::default(),
            scratch: in_memory,
        }
    }
}

/// Receives rows together with the index of their request; `Break` stops decoding.
pub type Sink<'a> = &'a mut dyn FnMut(usize, Rows) -> ControlFlow<()>;

/// Decodes files, one after another, for any number of requests.
#[derive(Debug)]
pub struct Decoder {
    extractor: Extractor,
    reader: FileReader,
}

impl Decoder {
    /// Returns a decoder for the requests of `options`.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        let sourcetype = options.sourcetype.as_deref();
        Self {
            extractor: Extractor::new(options.requests.clone(), options.profile, sourcetype),
            reader: FileReader::new(options.seen.clone(), options.stop.clone(), options.scratch),
        }
    }

    /// Returns the counts of the events seen so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.extractor.counts()
    }

    /// Decodes one file and passes full batches to `sink`, which can stop it.
    ///
    /// Remaining rows wait for the next file or for [`Decoder::finish`]. For an archive, the name
    /// of each entry is appended to the archive's in `source`.
    pub fn decode(&mut self, input: Input, origin: &Origin, sink: Sink<'_>) -> FileReport {
        self.extractor.begin(origin);
        let mut extraction = Extraction { extractor: &mut self.extractor, sink };
        self.reader.read(input, origin, &mut extraction)
    }

    /// Works like [`Decoder::decode`] for a file that is completely in memory.
    ///
    /// This is faster if the file is what CloudTrail delivers. It discards the bytes but may keep
    /// the vector's allocation.
    pub fn decode_whole(
        &mut self,
        file: &mut Vec<u8>,
        origin: &Origin,
        sink: Sink<'_>,
    ) -> FileReport {
        self.extractor.begin(origin);
        let mut extraction = Extraction { extractor: &mut self.extractor, sink };
        self.reader.read_whole(file, origin, &mut extraction)
    }

    /// Sets the time in epoch seconds after which events do not count as the newest of a file.
    pub fn set_horizon(&mut self, horizon: f64) {
        self.reader.horizon = horizon;
    }

    /// Decodes an already separated event.
    pub fn decode_event(
        &mut self,
        event: &RawRecord<'_>,
        origin: &Origin,
        sink: Sink<'_>,
    ) -> ControlFlow<()> {
        self.extractor.begin(origin);
        let mut extraction = Extraction { extractor: &mut self.extractor, sink };
        extraction.event(event, origin).1
    }

    /// Passes all remaining rows to `sink`.
    pub fn finish(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        take(&mut self.extractor, sink)
    }
}

/// Cuts files into events, reusing its memory from file to file.
#[derive(Debug)]
pub(crate) struct FileReader {
    seen: Option<Arc<Mutex<SeenEvents>>>,
    stop: StopToken,
    scratch: MakeScratch,
    horizon: f64,
    inflater: Inflater,
    records: Records,
}

impl FileReader {
    pub(crate) fn new(
        seen: Option<Arc<Mutex<SeenEvents>>>,
        stop: StopToken,
        scratch: MakeScratch,
    ) -> Self {
        let (inflater, records) = (Inflater::new(), Records::default());
        Self { seen, stop, scratch, horizon: f64::INFINITY, inflater, records }
    }

    /// Passes the events of a file to `consumer`, which can stop early.
    pub(crate) fn read(
        &mut self,
        input: Input,
        origin: &Origin,
        consumer: &mut dyn Consumer,
    ) -> FileReport {
        let (seen, stop) = (self.seen.as_deref(), &self.stop);
        let (horizon, report) = (self.horizon, FileReport::default());
        let members = Seen::default();
        let file = File { origin, seen, stop, horizon, consumer, report, members };
        let mut texts = Texts { file, records: &mut self.records, scratch: self.scratch };
        let bytes_read = for_each_part(input, &mut texts);
        let mut report = texts.file.report;
        report.bytes_read = bytes_read;
        report
    }

    /// Works like [`FileReader::read`] for a file that is completely in memory.
    pub(crate) fn read_whole(
        &mut self,
        file: &mut Vec<u8>,
        origin: &Origin,
        consumer: &mut dyn Consumer,
    ) -> FileReport {
        let text = self.inflater.text(file);
        let records = text.filter(|text| self.records.read(text));
        // `Records::read` accepts only valid UTF-8, so this conversion succeeds.
        let Some(text) = records.and_then(|text| std::str::from_utf8(text).ok()) else {
            let bytes = std::mem::take(file);
            return self.read(Input::Seekable(Box::new(Cursor::new(bytes))), origin, consumer);
        };
        let report = FileReport {
            bytes_read: file.len() as u64,
            bytes_inflated: text.len() as u64,
            ..FileReport::default()
        };
        let (seen, stop) = (self.seen.as_deref(), &self.stop);
        let (horizon, members) = (self.horizon, Seen::default());
        let mut whole = File { origin, seen, stop, horizon, consumer, report, members };
        let _ = whole.records(&self.records, Part { text, offset: 0 }, origin);
        let File { mut report, members, .. } = whole;
        members.tell(None, &mut report.left_out);
        file.clear();
        report
    }
}

/// The result of testing one event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extracted {
    /// True if at least one request matched it.
    pub(crate) matched: bool,
    /// The event's time in epoch seconds.
    pub(crate) time: Option<f64>,
}

/// Receives the events of a file.
pub(crate) trait Consumer {
    /// Returns what is needed of events of a detected format.
    fn need(&self, format: Format) -> Need;

    /// Prepares for events of another origin.
    fn begin(&mut self, origin: &Origin);

    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>);

    /// Handles a record of a part; returns whether at least one request matched it.
    fn record(
        &mut self,
        record: &WholeRecord<'_>,
        part: Part<'_>,
        origin: &Origin,
    ) -> (bool, ControlFlow<()>);
}

fn is_new(seen: &Mutex<SeenEvents>, event: &RawRecord<'_>) -> bool {
    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(event)
}

struct File<'a> {
    origin: &'a Origin,
    seen: Option<&'a Mutex<SeenEvents>>,
    stop: &'a StopToken,
    /// Events after this time do not count as the newest.
    horizon: f64,
    consumer: &'a mut dyn Consumer,
    report: FileReport,
    /// What the events of the text that is being read have shown.
    members: Seen,
}

impl File<'_> {
    /// Returns the number of events found so far, and of those that are no rows.
    fn found(&self) -> (u64, u64) {
        let report = &self.report;
        let found = report.events + report.skipped.get(&SkipKind::Duplicate).unwrap_or(&0);
        (found, found - report.rows)
    }

    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> ControlFlow<()> {
        if self.stop.is_set() {
            return ControlFlow::Break(());
        }
        if let Some(seen) = self.seen
            && !is_new(seen, event)
        {
            self.report.skip(SkipKind::Duplicate);
            return ControlFlow::Continue(());
        }
        self.report.events += 1;
        match event.format {
            Format::CloudTrail => {
                self.report.see_record(event.text);
                self.members.see(event.text);
            }
            Format::Lake => self.report.lake += 1,
            Format::ModelInvocation => self.report.invocations += 1,
            Format::Json | Format::Other | Format::Csv | Format::Parquet => {
                // What a server writes about events and its work is none of them in disguise.
                if is_of_server(origin) {
                    self.report.rows += 1;
                } else {
                    self.report.see_row(event.text);
                }
            }
        }
        self.report.own_names.see(event.text, event.format);
        let (extracted, flow) = self.consumer.event(event, origin);
        self.report.matched += u64::from(extracted.matched);
        match extracted.time {
            Some(time) => self.report.see_time_until(time, self.horizon),
            None => {
                let time = unread_time(event.text, event.format);
                self.report.untimed.see(event.format, time.as_deref());
            }
        }
        flow
    }

    /// Handles the records that a part was cut into.
    fn records(&mut self, records: &Records, part: Part<'_>, origin: &Origin) -> ControlFlow<()> {
        let mut times = Times::new(self.horizon);
        let flow = self.timed_records(records, part, origin, &mut times);
        times.tell(&mut self.report);
        flow
    }

    /// Works like [`File::records`], but only collects the times.
    fn timed_records(
        &mut self,
        records: &Records,
        part: Part<'_>,
        origin: &Origin,
        times: &mut Times,
    ) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        for record in records.iter(part.text) {
            if self.stop.is_set() {
                self.report.stopped = true;
                flow = ControlFlow::Break(());
                break;
            }
            if let Some(seen) = self.seen
                && !is_new(seen, &record.raw(part.offset))
            {
                self.report.skip(SkipKind::Duplicate);
                continue;
            }
            self.report.events += 1;
            self.report.own_names.merge(record.head.own_names);
            self.report.see_record(record.text);
            self.members.see_members(record.head.members, record.head.manner);
            let time = record.head.time.as_ref().and_then(|time| part.text.get(wide(time)));
            times.see(time, || quick_time(record.text, Format::CloudTrail, &origin.given));
            let matched;
            (matched, flow) = self.consumer.record(&record, part, origin);
            self.report.matched += u64::from(matched);
            if flow.is_break() {
                self.report.stopped = true;
                break;
            }
        }
        flow
    }
}

/// Receives the texts of a file, one after another.
struct Texts<'a> {
    file: File<'a>,
    records: &'a mut Records,
    scratch: MakeScratch,
}

impl Texts<'_> {
    /// Returns the origin of the events of an entry.
    fn origin_of(&self, name: &str) -> Origin {
        let mut origin = self.file.origin.clone();
        // The source of an origin with a key is not the name of a file.
        if !name.is_empty() && origin.key.is_none() {
            origin.source = format!("{}:{name}", origin.source).into();
        }
        origin
    }

    /// Passes on the events of a text; `rows` is the format of those that are plain JSON.
    fn text(
        &mut self,
        name: &str,
        text: &mut dyn Read,
        rows: Format,
        damages: Option<&Damages>,
    ) -> ControlFlow<()> {
        let origin = &self.origin_of(name);
        let before = self.file.report.marks();
        let (found, trail) = self.file.found();
        let mut ends = Ends::new(text);
        let mut lost = Lost::default();
        let mut splitter = Splitter::new(&mut ends);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            for damage in damages.map(Damages::take).unwrap_or_default() {
                self.damage(name, damage);
            }
            if let Some(part) = splitter.next_part(self.records) {
                let before = self.file.found().0;
                flow = self.file.records(self.records, part, origin);
                lost.see_events(splitter.list(), self.file.found().0 - before);
                continue;
            }
            match splitter.next_item() {
                Some(Item::Record(mut event)) => {
                    if event.format == Format::Json {
                        event.format = rows;
                    }
                    if event.format.is_row() && is_empty_event(event.text.as_bytes()) {
                        lost.see_empty(event.offset);
                    }
                    flow = self.file.event(&event, origin);
                    lost.see_events(splitter.list(), 1);
                }
                Some(Item::Damage(damage)) => self.damage(name, damage),
                Some(Item::Skipped(kind)) => {
                    self.file.report.skip(kind);
                    if kind == SkipKind::Scalar && splitter.is_in_envelope() {
                        lost.see_empty(splitter.offset());
                    } else if let Some(list) = splitter.list().filter(|_| kind == SkipKind::Scalar)
                    {
                        lost.see_scalar(list, splitter.offset());
                    }
                }
                None => break,
            }
        }
        if flow.is_continue() {
            self.check_name(name, splitter.is_blank(), &before);
        }
        if !name.is_empty() && self.file.report.holds_no_event_since(&before) {
            self.file.report.skip_entry(name);
        }
        self.file.report.stopped |= flow.is_break();
        self.file.report.bytes_inflated += splitter.bytes();
        self.file.report.has_lookalikes |= splitter.has_lookalikes();
        let members = std::mem::take(&mut self.file.members);
        members.tell(splitter.columns(), &mut self.file.report.left_out);
        for (place, count) in splitter.unwrapped() {
            count_place(&mut self.file.report.unwrapped, place, *count);
        }
        for damage in damages.map(Damages::take).unwrap_or_default() {
            self.damage(name, damage);
        }
        let all = self.file.found();
        let (found, trail) = (all.0 - found, all.1 - trail);
        if flow.is_continue() {
            self.judge(name, &ends, lost, (found, trail));
        }
        flow
    }

    /// Reports a text that holds nothing, although its name says that it is a log.
    fn check_name(&mut self, name: &str, is_blank: bool, before: &Marks) {
        let report = &mut self.file.report;
        report.is_blank |= is_blank && name.is_empty();
        let full = if name.is_empty() { &*self.file.origin.source } else { name };
        if !report.holds_no_json_since(before, is_blank) || !names::is_of_log(full) {
            return;
        }
        let what = if is_blank { "is empty" } else { "holds no JSON" };
        let message = format!(
            "nothing was read: its name is that of a log, but it {what}; get the file anew"
        );
        self.damage(name, Damage { offset: 0, kind: DamageKind::InvalidJson, message });
    }

    /// Reports what a text with so many events, of which so many are of CloudTrail, lacks.
    fn judge(&mut self, name: &str, ends: &Ends<'_>, lost: Lost, (found, trail): (u64, u64)) {
        if let Some(damage) = lost.damage().filter(|_| trail > 0) {
            self.damage(name, damage);
        }
        if let Some(message) = ends.incomplete(found, trail) {
            let (offset, message) = (ends.length(), message.to_owned());
            self.damage(name, Damage { offset, kind: DamageKind::Incomplete, message });
        }
    }

    /// Passes on the rows of a Parquet file that are all events of one format.
    fn events(&mut self, name: &str, file: &Parquet, format: Format) -> ControlFlow<()> {
        let origin = &self.origin_of(name);
        let events_before = self.file.report.events;
        // What is read of events depends on the searches; these are told by the whole table.
        self.file.report.own_names.see(&file.names(), format);
        if format == Format::CloudTrail {
            self.file.report.see_record(file.identity());
        } else if format.is_row() {
            self.file.report.has_lookalikes |= looks_like_event(&file.names());
        }
        if let Some(member) = file.oddly_joined() {
            let message = unread_message(member);
            self.damage(name, Damage { offset: 0, kind: DamageKind::UnreadableCell, message });
        }
        let mut need = self.file.consumer.need(format);
        // Duplicates are found by their ids, of those events, too, that no search matches.
        if self.file.seen.is_some() {
            need = need.everything();
        }
        let mut rows = file.rows(Some(need));
        let mut text = String::new();
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            match rows.next(&mut text) {
                Some(Step::Row { offset }) => {
                    self.file.report.bytes_inflated += text.len() as u64;
                    flow = self.file.event(&RawRecord { text: &text, offset, format }, origin);
                }
                Some(Step::Damage(damage)) => self.damage(name, damage),
                None => break,
            }
        }
        // Of a table, only the columns that searches need are in the events.
        self.file.members = Seen::default();
        if format == Format::CloudTrail {
            let report = &mut self.file.report;
            report.left_out.see_table(file.members(), report.events - events_before);
        }
        self.file.report.stopped |= flow.is_break();
        flow
    }
}

impl Parts for Texts<'_> {
    fn part(&mut self, name: &str, text: &mut dyn Read) -> ControlFlow<()> {
        self.text(name, text, Format::Json, None)
    }

    fn table(&mut self, name: &str, file: Box<dyn ReadSeek + Send>) -> (ControlFlow<()>, u64) {
        let file = match Parquet::open(file) {
            Ok(file) => file,
            Err(damage) => {
                self.damage(name, damage);
                return (ControlFlow::Continue(()), 0);
            }
        };
        let stored = if self.file.origin.is_stored { file.stored() } else { None };
        let flow = match (stored, file.format()) {
            (Some(table), _) => self.stored(name, &table),
            (None, Some(format)) => self.events(name, &file, format),
            (None, None) => {
                let mut lines = Lines::new(file.rows(None));
                let damages = lines.damages();
                self.text(name, &mut lines, Format::Parquet, Some(&damages))
            }
        };
        (flow, file.bytes_read())
    }

    fn damage(&mut self, name: &str, mut damage: Damage) {
        // What programs write beside logs is known by its name.
        let is_unknown = damage.kind == DamageKind::UnknownArchive;
        let full = if name.is_empty() { &*self.file.origin.source } else { name };
        if is_unknown && is_beside_logs(full) {
            return self.file.report.skip(SkipKind::NotJson);
        }
        if !name.is_empty() {
            damage.message = format!("{}: {}", shown(name), damage.message);
        }
        self.file.report.damage(damage);
    }

    fn scratch(&self) -> Box<dyn Scratch> {
        (self.scratch)()
    }
}

/// Returns true for what a server writes itself into its lake: its findings and its log.
fn is_of_server(origin: &Origin) -> bool {
    let index = origin.index.as_deref().unwrap_or_default();
    origin.is_stored && (index.starts_with('_') || index == "risk" || index == "notable")
}

#[cfg(test)]
pub(crate) mod tests;

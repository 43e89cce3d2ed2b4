//! Puts the steps together: bytes of a file in, batches of its matching events out.

use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use spilltrail_event::{ScanRequest, StopToken};

use crate::cloudtrail::Profile;
use crate::dedup::SeenEvents;
use crate::delivered::{Inflater, Records, WholeRecord, wide};
use crate::event_view::{EventTime, Origin};
use crate::extract::{Event, Extraction as Counts, Extractor};
use crate::inflate::{Input, MakeScratch, Parts, Scratch, for_each_part, in_memory};
use crate::paths::Outer;
use crate::record::{Format, RawRecord};
use crate::report::{Damage, FileReport, SkipKind};
use crate::rows::Rows;
use crate::split::{Item, Part, Splitter};

/// What to decode and how.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Which events and which of their fields, for each search.
    pub requests: Arc<[ScanRequest]>,
    /// Which rules derived fields follow.
    pub profile: Profile,
    /// The sourcetype to use in place of the recognised one.
    pub sourcetype: Option<String>,
    /// Where to leave out events that were seen before, shared by all decoders of a run.
    pub seen: Option<Arc<Mutex<SeenEvents>>>,
    /// Ends decoding between two events.
    pub stop: StopToken,
    /// Makes room for archives in archives; in memory by default.
    pub scratch: MakeScratch,
}

impl DecodeOptions {
    /// Returns the options for requests, everything else by default.
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

/// Who takes the rows: the number of the request they are for, and the rows.
pub type Sink<'a> = &'a mut dyn FnMut(usize, Rows) -> ControlFlow<()>;

/// Decodes files, one after the other, for any number of requests.
#[derive(Debug)]
pub struct Decoder {
    extractor: Extractor,
    reader: FileReader,
}

impl Decoder {
    /// Compiles the requests.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        let sourcetype = options.sourcetype.as_deref();
        Self {
            extractor: Extractor::new(options.requests.clone(), options.profile, sourcetype),
            reader: FileReader::new(options.seen.clone(), options.stop.clone(), options.scratch),
        }
    }

    /// Returns what became of the events so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.extractor.counts()
    }

    /// Decodes one file, and hands full batches to `sink`, which can stop it; what is left waits for
    /// the next file or [`Decoder::finish`]. An archive's entries each have their name after the
    /// archive's in `source`.
    pub fn decode(&mut self, input: Input, origin: &Origin, sink: Sink<'_>) -> FileReport {
        self.extractor.begin(origin);
        let mut extraction = Extraction { extractor: &mut self.extractor, sink };
        self.reader.read(input, origin, &mut extraction)
    }

    /// Decodes one file that is in memory whole: as [`Decoder::decode`], and faster if the file is
    /// what CloudTrail delivers. The bytes are gone afterwards, the vector's memory may stay.
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

    /// Takes one event that was cut out before.
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

    /// Hands all that waits to `sink`.
    pub fn finish(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        take(&mut self.extractor, sink)
    }
}

/// Cuts files into events, with memory that is used again for the next file.
#[derive(Debug)]
pub(crate) struct FileReader {
    seen: Option<Arc<Mutex<SeenEvents>>>,
    stop: StopToken,
    scratch: MakeScratch,
    inflater: Inflater,
    records: Records,
}

impl FileReader {
    pub(crate) fn new(
        seen: Option<Arc<Mutex<SeenEvents>>>,
        stop: StopToken,
        scratch: MakeScratch,
    ) -> Self {
        Self { seen, stop, scratch, inflater: Inflater::new(), records: Records::default() }
    }

    /// Hands the events of a file to `consumer`, which can end it.
    pub(crate) fn read(
        &mut self,
        input: Input,
        origin: &Origin,
        consumer: &mut dyn Consumer,
    ) -> FileReport {
        let (seen, stop) = (self.seen.as_deref(), &self.stop);
        let file = File { origin, seen, stop, consumer, report: FileReport::default() };
        let mut texts = Texts { file, records: &mut self.records, scratch: self.scratch };
        let bytes_read = for_each_part(input, &mut texts);
        let mut report = texts.file.report;
        report.bytes_read = bytes_read;
        report
    }

    /// As [`FileReader::read`], of a file that is in memory whole.
    pub(crate) fn read_whole(
        &mut self,
        file: &mut Vec<u8>,
        origin: &Origin,
        consumer: &mut dyn Consumer,
    ) -> FileReport {
        let text = self.inflater.text(file);
        let records = text.filter(|text| self.records.read(text));
        // The records were found in sound UTF-8.
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
        let mut whole = File { origin, seen, stop, consumer, report };
        let _ = whole.records(&self.records, Part { text, offset: 0 }, origin);
        let report = whole.report;
        file.clear();
        report
    }
}

/// The oldest and the newest of many times. Those of CloudTrail's own form are compared as text.
#[derive(Debug, Default)]
struct Times<'a> {
    range: Option<(&'a str, &'a str)>,
    others: Vec<f64>,
}

impl<'a> Times<'a> {
    fn see(&mut self, time: Option<&'a str>) {
        let Some(time) = time else { return };
        let is_usual = time.len() == 20 && time.ends_with('Z');
        if is_usual {
            let (oldest, newest) = self.range.unwrap_or((time, time));
            self.range = Some((oldest.min(time), newest.max(time)));
        } else if let Some(epoch) = EventTime::read(time, Format::CloudTrail).epoch {
            self.others.push(epoch);
        }
    }

    fn tell(self, report: &mut FileReport) {
        let (oldest, newest) = self.range.unzip();
        let usual = [oldest, newest].into_iter().flatten();
        let usual = usual.filter_map(|time| EventTime::read(time, Format::CloudTrail).epoch);
        usual.chain(self.others).for_each(|time| report.see_time(time));
    }
}

/// What an event came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extracted {
    /// Whether some predicate took it.
    pub(crate) matched: bool,
    /// Its time, epoch seconds.
    pub(crate) time: Option<f64>,
}

/// Who takes the events of a file.
pub(crate) trait Consumer {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>);

    /// Takes a record of a part; returns whether some predicate took it.
    fn record(
        &mut self,
        record: &WholeRecord<'_>,
        part: Part<'_>,
        origin: &Origin,
    ) -> (bool, ControlFlow<()>);
}

struct Extraction<'a> {
    extractor: &'a mut Extractor,
    sink: Sink<'a>,
}

impl Consumer for Extraction<'_> {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>) {
        let extracted = self.extractor.push_raw(event, origin);
        (extracted, take_full(self.extractor, self.sink))
    }

    fn record(
        &mut self,
        record: &WholeRecord<'_>,
        part: Part<'_>,
        origin: &Origin,
    ) -> (bool, ControlFlow<()>) {
        let matched = self.extractor.push(&event_of(record, part), origin);
        (matched, take_full(self.extractor, self.sink))
    }
}

/// Returns a record of a part as an event to be tested.
pub(crate) fn event_of<'a>(record: &WholeRecord<'a>, part: Part<'a>) -> Event<'a> {
    let name = record.head.name.as_ref().and_then(|name| part.text.get(wide(name)));
    let WholeRecord { pieces, start, is_plain, marks, .. } = *record;
    let outer = Outer { pieces, start, text: part.text.as_bytes(), is_plain, marks };
    Event { text: record.text, format: Format::CloudTrail, name, outer: Some(outer) }
}

/// Hands on the rows if it is time to.
fn take_full(extractor: &mut Extractor, sink: Sink<'_>) -> ControlFlow<()> {
    if extractor.is_full() { take(extractor, sink) } else { ControlFlow::Continue(()) }
}

/// Hands on all rows.
fn take(extractor: &mut Extractor, sink: Sink<'_>) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    let taken = extractor.take(&mut |request, rows| {
        if flow.is_continue() {
            flow = sink(request, rows);
        }
    });
    // The columns are built from the schema, so that they always fit it.
    if taken.is_err() { ControlFlow::Break(()) } else { flow }
}

fn is_new(seen: &Mutex<SeenEvents>, event: &RawRecord<'_>) -> bool {
    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(event)
}

struct File<'a> {
    origin: &'a Origin,
    seen: Option<&'a Mutex<SeenEvents>>,
    stop: &'a StopToken,
    consumer: &'a mut dyn Consumer,
    report: FileReport,
}

impl File<'_> {
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
        let (extracted, flow) = self.consumer.event(event, origin);
        self.report.matched += u64::from(extracted.matched);
        if let Some(time) = extracted.time {
            self.report.see_time(time);
        }
        flow
    }

    /// Takes the records that a part was cut into.
    fn records(&mut self, records: &Records, part: Part<'_>, origin: &Origin) -> ControlFlow<()> {
        let mut times = Times::default();
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
            times.see(record.head.time.as_ref().and_then(|time| part.text.get(wide(time))));
            let matched;
            (matched, flow) = self.consumer.record(&record, part, origin);
            self.report.matched += u64::from(matched);
            if flow.is_break() {
                self.report.stopped = true;
                break;
            }
        }
        times.tell(&mut self.report);
        flow
    }
}

/// The texts of a file, one after the other.
struct Texts<'a> {
    file: File<'a>,
    records: &'a mut Records,
    scratch: MakeScratch,
}

impl Parts for Texts<'_> {
    fn part(&mut self, name: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let named;
        let origin = if name.is_empty() {
            self.file.origin
        } else {
            let source = format!("{}:{name}", self.file.origin.source).into();
            named = Origin { source, ..self.file.origin.clone() };
            &named
        };
        let mut splitter = Splitter::new(text);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue() {
            if let Some(part) = splitter.next_part(self.records) {
                flow = self.file.records(self.records, part, origin);
                continue;
            }
            match splitter.next_item() {
                Some(Item::Record(event)) => flow = self.file.event(&event, origin),
                Some(Item::Damage(damage)) => self.damage(name, damage),
                Some(Item::Skipped(kind)) => self.file.report.skip(kind),
                None => break,
            }
        }
        self.file.report.stopped |= flow.is_break();
        self.file.report.bytes_inflated += splitter.bytes();
        flow
    }

    fn damage(&mut self, name: &str, mut damage: Damage) {
        if !name.is_empty() {
            damage.message = format!("{name}: {}", damage.message);
        }
        self.file.report.damage(damage);
    }

    fn scratch(&self) -> Box<dyn Scratch> {
        (self.scratch)()
    }
}

#[cfg(test)]
mod tests;

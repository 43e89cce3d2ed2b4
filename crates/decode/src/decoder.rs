//! Puts the steps together: bytes of a file in, batches of its matching events out.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use spilltrail_event::ScanRequest;

use crate::cloudtrail::Profile;
use crate::dedup::SeenEvents;
use crate::discover::Discovery;
use crate::event_view::Origin;
use crate::extract::{Extracted, Extractor};
use crate::inflate::{Input, Parts, for_each_part};
use crate::report::{Damage, FileReport, SkipKind};
use crate::split::{Item, RawRecord, Splitter};

/// What to decode and how.
#[derive(Debug, Clone)]
pub struct DecodeOptions {
    /// Which events and which of their fields.
    pub request: ScanRequest,
    /// Which rules derived fields follow.
    pub profile: Profile,
    /// The sourcetype to use in place of the recognised one.
    pub sourcetype: Option<String>,
    /// Where to leave out events that were seen before, shared by all decoders of a run.
    pub seen: Option<Arc<Mutex<SeenEvents>>>,
}

impl DecodeOptions {
    /// Returns the options for a request, everything else by default.
    #[must_use]
    pub fn new(request: ScanRequest) -> Self {
        Self { request, profile: Profile::default(), sourcetype: None, seen: None }
    }
}

/// Decodes files, one after the other.
#[derive(Debug)]
pub struct Decoder {
    extractor: Extractor,
    seen: Option<Arc<Mutex<SeenEvents>>>,
}

impl Decoder {
    /// Compiles the request.
    #[must_use]
    pub fn new(options: &DecodeOptions) -> Self {
        let sourcetype = options.sourcetype.as_deref();
        Self {
            extractor: Extractor::new(&options.request, options.profile, sourcetype),
            seen: options.seen.clone(),
        }
    }

    /// Returns the schema of the batches.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.extractor.schema()
    }

    /// Decodes one file and hands its batches to `sink`, which can stop it. Every batch has rows of
    /// this file only; an archive's entries each have their name after the archive's in `source`.
    pub fn decode(
        &mut self,
        input: Input,
        origin: &Origin,
        sink: &mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
    ) -> FileReport {
        let mut extraction = Extraction { extractor: &mut self.extractor, sink };
        run(input, origin, self.seen.as_deref(), &mut extraction)
    }
}

/// Learns the fields of one file's matching events.
pub fn discover(input: Input, origin: &Origin, discovery: &mut Discovery) -> FileReport {
    run(input, origin, None, discovery)
}

/// Who takes the events of a file.
trait Consumer {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>);

    fn finish(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Consumer for Discovery {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>) {
        (self.push(event, origin), ControlFlow::Continue(()))
    }
}

struct Extraction<'a> {
    extractor: &'a mut Extractor,
    sink: &'a mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
}

impl Consumer for Extraction<'_> {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>) {
        let extracted = self.extractor.push(event, origin);
        let flow = if self.extractor.is_full() { self.finish() } else { ControlFlow::Continue(()) };
        (extracted, flow)
    }

    fn finish(&mut self) -> ControlFlow<()> {
        if self.extractor.rows() == 0 {
            return ControlFlow::Continue(());
        }
        match self.extractor.finish_batch() {
            Ok(batch) => (self.sink)(batch),
            // The columns are built from the schema, so that they always fit it.
            Err(_) => ControlFlow::Break(()),
        }
    }
}

fn run(
    input: Input,
    origin: &Origin,
    seen: Option<&Mutex<SeenEvents>>,
    consumer: &mut dyn Consumer,
) -> FileReport {
    let mut file = File { origin, seen, consumer, report: FileReport::default() };
    let bytes_read = for_each_part(input, &mut file);
    let File { mut report, consumer, .. } = file;
    report.bytes_read = bytes_read;
    if !report.stopped {
        report.stopped = consumer.finish().is_break();
    }
    report
}

struct File<'a> {
    origin: &'a Origin,
    seen: Option<&'a Mutex<SeenEvents>>,
    consumer: &'a mut dyn Consumer,
    report: FileReport,
}

impl File<'_> {
    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> ControlFlow<()> {
        if let Some(seen) = self.seen {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !seen.insert(event) {
                self.report.skip(SkipKind::Duplicate);
                return ControlFlow::Continue(());
            }
        }
        self.report.events += 1;
        let (extracted, flow) = self.consumer.event(event, origin);
        self.report.matched += u64::from(extracted.matched);
        if let Some(time) = extracted.time {
            self.report.see_time(time);
        }
        flow
    }
}

impl Parts for File<'_> {
    fn part(&mut self, name: &str, text: &mut dyn Read) -> ControlFlow<()> {
        let named;
        let origin = if name.is_empty() {
            self.origin
        } else {
            let source = format!("{}:{name}", self.origin.source).into();
            named = Origin { source, ..self.origin.clone() };
            &named
        };
        let mut splitter = Splitter::new(text);
        let mut flow = ControlFlow::Continue(());
        while let Some(item) = splitter.next_item() {
            match item {
                Item::Record(event) => flow = self.event(&event, origin),
                Item::Damage(damage) => self.damage(name, damage),
                Item::Skipped(kind) => self.report.skip(kind),
            }
            if flow.is_break() {
                self.report.stopped = true;
                break;
            }
        }
        self.report.bytes_inflated += splitter.bytes();
        flow
    }

    fn damage(&mut self, name: &str, mut damage: Damage) {
        if !name.is_empty() {
            damage.message = format!("{name}: {}", damage.message);
        }
        self.report.damage(damage);
    }
}

#[cfg(test)]
mod tests;

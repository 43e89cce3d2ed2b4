//! Hands the events of a file to the extractor, and the rows that it collects to the sink.

use std::ops::ControlFlow;

use super::{Consumer, Extracted, Sink};
use crate::delivered::{WholeRecord, wide};
use crate::extract::{Event, Extractor};
use crate::origin::Origin;
use crate::parquet::Need;
use crate::paths::Outer;
use crate::record::{Format, RawRecord};
use crate::split::Part;

pub(super) struct Extraction<'a> {
    pub(super) extractor: &'a mut Extractor,
    pub(super) sink: Sink<'a>,
}

impl Consumer for Extraction<'_> {
    fn need(&self, format: Format) -> Need {
        self.extractor.need(format)
    }

    fn begin(&mut self, origin: &Origin) {
        self.extractor.begin(origin);
    }

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

/// Returns a record of a part in the form that the extractor tests.
pub(crate) fn event_of<'a>(record: &WholeRecord<'a>, part: Part<'a>) -> Event<'a> {
    let name = record.head.name.as_ref().and_then(|name| part.text.get(wide(name)));
    let WholeRecord { pieces, start, is_plain, marks, .. } = *record;
    let outer = Outer { pieces, start, text: part.text.as_bytes(), is_plain, marks };
    Event { text: record.text, format: Format::CloudTrail, name, outer: Some(outer) }
}

/// Passes the rows to `sink` if enough have collected.
fn take_full(extractor: &mut Extractor, sink: Sink<'_>) -> ControlFlow<()> {
    if extractor.is_full() { take(extractor, sink) } else { ControlFlow::Continue(()) }
}

/// Passes all rows to `sink`.
pub(super) fn take(extractor: &mut Extractor, sink: Sink<'_>) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    let taken = extractor.take(&mut |request, rows| {
        if flow.is_continue() {
            flow = sink(request, rows);
        }
    });
    // The columns are built from the schema, so they always fit it and this does not fail.
    if taken.is_err() { ControlFlow::Break(()) } else { flow }
}

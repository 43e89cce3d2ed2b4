//! Passes on the events of tables of stored events.

use std::ops::ControlFlow;

use super::origins::Origins;
use super::range::Times;
use super::{File, Texts};
use crate::delivered::{WholeRecord, wide};
use crate::given::Given;
use crate::inflate::Parts;
use crate::parquet::{Passed, Stored, StoredEvent, StoredStep};
use crate::record::{Format, RawRecord};
use crate::split::Part;
use crate::time::is_usual;

impl Texts<'_> {
    /// Passes on the events of a table of stored events, each with its own origin.
    pub(super) fn stored(&mut self, name: &str, table: &Stored<'_>) -> ControlFlow<()> {
        let of_table = self.origin_of(name);
        let mut need = self.file.consumer.need(Format::CloudTrail);
        // Duplicates are found by their ids, of those events, too, that no search matches.
        if self.file.seen.is_some() {
            need = need.everything();
        }
        let mut origins = Origins::default();
        let horizon = self.file.horizon;
        let mut times = Times::new(horizon);
        let flow = table.each(&need, horizon, &mut |step| match step {
            StoredStep::Event(event) => {
                let (origin, is_new) = origins.of(&of_table, event.origin);
                if is_new {
                    self.file.consumer.begin(origin);
                }
                self.file.report.bytes_inflated += event.text.len() as u64;
                let StoredEvent { text, format, time, fields, offset, .. } = event;
                let is_usual = format == Format::CloudTrail && self.records.read_one(text);
                // Most records say themselves when they are from, and then nothing else counts.
                let is_dated =
                    is_usual && self.records.iter(text).any(|one| has_usual_time(text, &one));
                let time = time.filter(|_| !is_dated);
                origin.given = Given { time, fields: fields.cloned() };
                if let Some(fields) = fields {
                    self.file.report.own_names.see_given(fields);
                }
                if is_usual {
                    let part = Part { text, offset };
                    return self.file.timed_records(self.records, part, origin, &mut times);
                }
                self.file.event(&RawRecord { text, offset, format }, origin)
            }
            StoredStep::Passed(passed) => {
                self.file.pass(passed);
                ControlFlow::Continue(())
            }
            StoredStep::Damage(damage) => {
                self.damage(name, damage);
                ControlFlow::Continue(())
            }
        });
        times.tell(&mut self.file.report);
        let members = std::mem::take(&mut self.file.members);
        members.tell(None, &mut self.file.report.left_out);
        // Which event is the first that is read depends on the searches.
        self.file.report.first_event = None;
        self.file.report.stopped |= flow.is_break();
        flow
    }
}

/// Returns true if the time of a record of a text is written as CloudTrail writes it.
fn has_usual_time(text: &str, record: &WholeRecord<'_>) -> bool {
    let time = record.head.time.as_ref().and_then(|time| text.get(wide(time)));
    time.is_some_and(is_usual)
}

impl File<'_> {
    /// Counts events that no search matches, and that were not read.
    fn pass(&mut self, passed: Passed) {
        self.report.events += passed.events;
        for time in passed.times.map(|(first, last)| [first, last]).into_iter().flatten() {
            self.report.see_time_until(time, self.horizon);
        }
        self.report.untimed.pass(passed.untimed);
    }
}

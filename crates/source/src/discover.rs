//! Which fields events have, learnt by reading the logs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indexmap::IndexMap;
use spilltrail_decode::{Discovery, FileReport, FoundFields, holds_rows, kind_of};
use spilltrail_event::{Demand, Field, Kind, Predicate, StopToken, fields};

use crate::feed::Content;
use crate::layout::Layout;
use crate::logs::{Logs, scratch};
use crate::pass::{End, Finder, Give, Pass, Taker};
use crate::scan::ScanError;
use crate::wanted::Wanted;

/// Objects on S3 that are looked into for what kind of events they hold: each costs a request.
const OBJECTS_PEEKED: usize = 16;

impl Logs {
    /// Returns the fields of the events matching `predicate` that are wanted: those named whether
    /// they occur or not, and of the patterns what occurs, in first-seen order. Reads all files if
    /// there is a pattern, or if some hold JSON rows, whose multivalues do not show in the name.
    ///
    /// # Errors
    /// Fails if it is told to stop. What of the files cannot be read is in [`Logs::report`].
    pub fn discover(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, ScanError> {
        let kinds_are_known = || demand.names.iter().all(|name| name == fields::TIME);
        if !demand.is_open()
            && (*predicate == Predicate::Nothing || kinds_are_known() || !self.hold_rows())
        {
            return Ok(self.complete(Vec::new(), demand));
        }
        let stop = self.stop().clone();
        let finder = || FieldFinder {
            logs: self,
            discovery: self.discovery(predicate, demand, &stop),
            spare: Vec::new(),
        };
        let taker = FieldTaker(self.discovery(predicate, demand, &stop));
        let files = self.files_for(&Wanted::of(predicate));
        let outcome = Pass::new(self, files, self.threads(), taker, stop.clone()).run(finder);
        match outcome.end {
            None | Some(End::Enough) => Ok(self.complete(outcome.taker.0.fields(), demand)),
            Some(End::Stopped) => Err(ScanError::Stopped),
            Some(End::Broken) => Err(ScanError::Bug),
        }
    }

    pub(crate) fn discovery(
        &self,
        predicate: &Predicate,
        demand: &Demand,
        stop: &StopToken,
    ) -> Discovery {
        let options = self.options();
        let sourcetype = options.sourcetype.as_deref();
        Discovery::new(predicate, demand, options.profile, sourcetype, stop.clone(), scratch)
    }

    /// Returns the fields that were found, and those that are wanted by name.
    pub(crate) fn complete(&self, found: Vec<Field>, demand: &Demand) -> Vec<Field> {
        let found = found.into_iter().map(|field| (field.name, field.kind));
        let mut fields: IndexMap<String, Kind> = found.collect();
        for name in &demand.names {
            fields.entry(name.clone()).or_insert_with(|| kind_of(name, self.options().profile));
        }
        fields.into_iter().map(|(name, kind)| Field { name, kind }).collect()
    }

    /// Returns true if some file holds JSON rows rather than CloudTrail, as far as its first event
    /// says. Files in CloudTrail's own folders do not.
    fn hold_rows(&self) -> bool {
        if let Some(sourcetype) = &self.options().sourcetype {
            return sourcetype == "json";
        }
        self.known_to_hold_rows(|| {
            let mut objects = 0;
            let untold: Vec<usize> = (0..self.files().len())
                .filter(|index| Layout::parse(&self.files()[*index].name).is_none())
                .filter(|index| {
                    objects += usize::from(self.files()[*index].is_remote());
                    !self.files()[*index].is_remote() || objects <= OBJECTS_PEEKED
                })
                .collect();
            let (next, found) = (AtomicUsize::new(0), AtomicBool::new(false));
            let peek = || {
                while !found.load(Ordering::Relaxed)
                    && !self.stop().is_set()
                    && let Some(index) = untold.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if Content::peek(&self.files()[*index]).is_ok_and(holds_rows) {
                        found.store(true, Ordering::Relaxed);
                    }
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..self.threads().min(untold.len()) {
                    scope.spawn(peek);
                }
            });
            found.into_inner()
        })
    }
}

/// Learns the fields of the files that one thread reads.
struct FieldFinder<'a> {
    logs: &'a Logs,
    discovery: Discovery,
    spare: Vec<u8>,
}

impl Finder for FieldFinder<'_> {
    type Found = FoundFields;

    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        _: Give<'_, FoundFields>,
    ) -> ControlFlow<()> {
        let origin = self.logs.origin(index);
        let report = match content {
            Ok(Content::Held(mut bytes)) => {
                let report = self.discovery.read_whole(&mut bytes, &origin);
                self.spare = bytes;
                report
            }
            Ok(Content::Stream(input)) => self.discovery.read(input, &origin),
            Err(report) => report,
        };
        self.logs.note(index, report)
    }

    fn finish_run(&mut self, give: Give<'_, FoundFields>) -> ControlFlow<()> {
        let found = self.discovery.take();
        let memory = found.memory();
        give(found, memory)
    }

    fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }
}

struct FieldTaker(Discovery);

impl Taker<FoundFields> for FieldTaker {
    fn take(&mut self, found: FoundFields) -> ControlFlow<()> {
        self.0.add(found);
        ControlFlow::Continue(())
    }
}

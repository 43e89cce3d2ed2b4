//! Discovers the fields of events by reading the logs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use indexmap::IndexMap;
use spilltrail_decode::{
    Discovery, FileReport, FoundFields, Look, MAX_FIELDS, holds_rows, kind_of,
};
use spilltrail_event::{Demand, Field, Kind, Predicate, StopToken, fields};

use crate::feed::Content;
use crate::layout::Layout;
use crate::logs::{Logs, scratch};
use crate::pass::{End, Finder, Give, Pass, Taker};
use crate::scan::ScanError;
use crate::wanted::Wanted;

/// Most objects on S3 that are opened to detect JSON rows, since each costs a request.
const OBJECTS_PEEKED: usize = 16;

impl Logs {
    /// Returns the fields that `demand` asks for among events that match `predicate`: all fields
    /// that it names, and those matching its patterns that occur, in first-seen order. If it has a
    /// pattern, all files are read; otherwise only files of JSON rows, since names do not show
    /// which of their fields are multivalued.
    ///
    /// # Errors
    /// Fails if reading is canceled. [`Logs::report`] has the files that cannot be read.
    pub fn discover(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, ScanError> {
        let wanted = Wanted::of(predicate);
        let files = if demand.is_open() {
            self.files_for(&wanted)
        } else {
            let kinds_are_known = demand.names.iter().all(|name| name == fields::TIME);
            if kinds_are_known || *predicate == Predicate::Nothing {
                return Ok(self.complete(Vec::new(), demand));
            }
            // The kinds of CloudTrail fields follow from their names, so only JSON rows must be
            // read.
            self.files_among(self.files_of_rows().iter().copied(), &wanted)
        };
        if files.is_empty() {
            return Ok(self.complete(Vec::new(), demand));
        }
        if !demand.is_open()
            && let Some(kinds) = self.row_kinds().known(|| self.all_kinds())?
        {
            let named = demand.names.iter();
            let known = named.filter_map(|name| Some(Field::new(name, *kinds.get(name)?)));
            return Ok(self.complete(self.beside_others(known.collect()), demand));
        }
        let found = self.found_in(files, predicate, demand)?;
        self.note_fields_left_out(found.left_out());
        let found = found.fields();
        let found = if demand.is_open() { found } else { self.beside_others(found) };
        Ok(self.complete(found, demand))
    }

    /// Returns all fields of the files with JSON rows, or `None` if there are too many names.
    fn all_kinds(&self) -> Result<Option<Vec<Field>>, ScanError> {
        let files = self.files_of_rows().to_vec();
        let found = self.found_in(files, &Predicate::All, &Demand::all())?;
        Ok((found.left_out() == 0).then(|| found.fields()))
    }

    /// Widens the kinds of fields of rows if other files may have CloudTrail fields with the same
    /// names.
    fn beside_others(&self, mut found: Vec<Field>) -> Vec<Field> {
        if self.files_of_rows().len() < self.files().len() {
            for field in &mut found {
                field.kind = field.kind.or(kind_of(&field.name, self.options().profile));
            }
        }
        found
    }

    /// Reads files and returns what was found among events that match.
    fn found_in(
        &self,
        files: Vec<usize>,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Discovery, ScanError> {
        let stop = self.stop().clone();
        let finder = || FieldFinder {
            logs: self,
            discovery: self.discovery(predicate, demand, &stop),
            spare: Vec::new(),
        };
        let taker = FieldTaker(self.discovery(predicate, demand, &stop));
        let outcome = Pass::new(self, files, self.threads(), taker, stop.clone()).run(finder);
        End::error(outcome.end).map(|()| outcome.taker.0)
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

    /// Returns the discovered fields, and those that are demanded by name alone.
    pub(crate) fn complete(&self, found: Vec<Field>, demand: &Demand) -> Vec<Field> {
        let found = found.into_iter().map(|field| (field.name, field.kind));
        let mut fields: IndexMap<String, Kind> = found.collect();
        // Of very many names, the patterns may not have found all.
        let has_all = fields.len() < MAX_FIELDS;
        let found = |name: &&String| has_all && demand.is_matched(name);
        for name in demand.names.iter().filter(|name| !found(name)) {
            fields.entry(name.clone()).or_insert_with(|| kind_of(name, self.options().profile));
        }
        fields.into_iter().map(|(name, kind)| Field { name, kind }).collect()
    }

    /// Returns the indexes of the files that hold JSON rows beside or instead of CloudTrail events, in
    /// order. Files in CloudTrail's own folders, and what CloudTrail delivers, hold no JSON rows.
    fn files_of_rows(&self) -> &[usize] {
        self.known_rows(|| {
            let all = 0..self.files().len();
            // Rows of other sourcetypes have braces behind the names of arrays.
            let has_arrays = |sourcetype: &str| matches!(sourcetype, "json" | "parquet");
            let mut objects = 0;
            let mut is_peeked = |index: &usize| {
                let file = &self.files()[*index];
                if !self.stored.is_empty() {
                    return false;
                }
                if self.sourcetype_of(*index).is_some() || Layout::parse(&file.name).is_some() {
                    return false;
                }
                objects += usize::from(file.is_remote());
                !file.is_remote() || objects <= OBJECTS_PEEKED
            };
            let untold: Vec<usize> = all.clone().filter(|index| is_peeked(index)).collect();
            let is_told = |index: &usize| match self.stored.get(*index) {
                Some(facts) => facts.has_rows,
                None => self.sourcetype_of(*index).is_some_and(has_arrays),
            };
            let told = all.filter(is_told);
            let (next, found) = (AtomicUsize::new(0), Mutex::new(told.collect::<Vec<_>>()));
            let peek = || {
                while !self.stop().is_set()
                    && let Some(index) = untold.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let file = &self.files()[*index];
                    // What is on S3 or comes from a pipe is not read twice.
                    let look = if file.path().is_some() { Look::AtAll } else { Look::AtFirst };
                    let content = Content::peek(file);
                    if content.is_ok_and(|input| holds_rows(input, look, scratch)) {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(*index);
                    }
                }
            };
            std::thread::scope(|scope| {
                for _ in 0..self.threads().min(untold.len()) {
                    scope.spawn(peek);
                }
            });
            let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
            found.sort_unstable();
            found
        })
    }
}

/// Discovers the fields of the files that one thread reads.
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

//! A set of log files with what reading them has shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;
use spilltrail_decode::{
    DecodeOptions, Decoder, Discovery, FileReport, Format, Input, Origin, Profile, SeenEvents,
    Sink, SkipKind, discover, kind_of, peek_format,
};
use spilltrail_event::{Demand, Field, Kind, Predicate, ScanRequest};
use tempfile::NamedTempFile;

use crate::feed::{Content, Feed};
use crate::inputs::{InputProblem, Inputs, LogFile, PathSkips};
use crate::layout::Reason;
use crate::s3::S3Options;
use crate::table::LogTable;
use crate::wanted::Wanted;

/// Files looked into for what kind of events they hold.
const FILES_PEEKED: usize = 16;

/// How logs are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Which rules derived fields follow.
    pub profile: Profile,
    /// The sourcetype in place of the recognised one.
    pub sourcetype: Option<String>,
    /// The value of `index`; `main` if none.
    pub index: Option<String>,
    /// Whether an event that was delivered twice is left out the second time.
    pub duplicates: Duplicates,
    /// Called with the number of bytes of each file read, for progress.
    pub progress: Option<Progress>,
    /// How S3 is reached.
    pub s3: S3Options,
    /// What any search of the run can find something in; the rest is not even listed.
    pub wanted: Wanted,
}

/// What becomes of events with the same `eventID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// They stay, as in Splunk.
    #[default]
    Keep,
    /// The first stays. Costs about 24 bytes an event.
    Drop,
}

/// A listener to progress.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(u64) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// Files of logs.
#[derive(Debug)]
pub struct Logs {
    files: Arc<[LogFile]>,
    problems: Vec<InputProblem>,
    options: ReadOptions,
    reports: Mutex<Reports>,
    /// Files and folders that were not listed.
    skips: PathSkips,
    /// Why files were ruled out; later ones may have been read for another search.
    ruled_out: Mutex<BTreeMap<usize, Reason>>,
    are_rows: OnceLock<bool>,
    _spooled: Option<NamedTempFile>,
}

/// What reading came to so far.
#[derive(Debug, Default)]
pub struct ReadReport {
    /// Files read.
    pub files: u64,
    /// All counts together.
    pub total: FileReport,
    /// Files with damage, and files that are not logs.
    pub problems: Vec<FileProblem>,
    /// Files and folders that no search had to read, by their paths.
    pub skips: PathSkips,
}

/// A file that was not read whole.
#[derive(Debug, Clone)]
pub struct FileProblem {
    /// The file.
    pub name: Arc<str>,
    /// What was found.
    pub report: FileReport,
}

impl Logs {
    /// Lists the files that `names` stand for; what cannot be listed is in [`Logs::problems`].
    pub fn open(names: &[String], standard_input: &mut dyn Read, options: ReadOptions) -> Self {
        let Inputs { files, problems, skips, spooled, .. } =
            Inputs::list(names, standard_input, &options.s3, &options.wanted);
        Self {
            files: files.into(),
            problems,
            options,
            reports: Mutex::default(),
            skips,
            ruled_out: Mutex::default(),
            are_rows: OnceLock::new(),
            _spooled: spooled,
        }
    }

    /// Returns the files in order.
    #[must_use]
    pub fn files(&self) -> &[LogFile] {
        &self.files
    }

    pub(crate) fn shared_files(&self) -> Arc<[LogFile]> {
        self.files.clone()
    }

    /// Returns what was named and cannot be read.
    #[must_use]
    pub fn problems(&self) -> &[InputProblem] {
        &self.problems
    }

    /// Returns the table of the events that `request` asks for.
    #[must_use]
    pub fn table(self: &Arc<Self>, request: &ScanRequest) -> LogTable {
        LogTable::new(self.clone(), request.clone())
    }

    /// Returns the fields of the events matching `predicate` that are wanted: those named whether
    /// they occur or not, and of the patterns what occurs, in first-seen order. Reads all files if
    /// there is a pattern, or if the logs are JSON rows, whose multivalues do not show in the name.
    #[must_use]
    pub fn discover(&self, predicate: &Predicate, demand: &Demand) -> Vec<Field> {
        if !demand.is_open() && !self.are_rows() {
            return self.complete(Vec::new(), demand);
        }
        let mut discovery = self.discovery(predicate, demand);
        let feed = Feed::new(self, self.files_for(&Wanted::of(predicate)));
        while let Some((index, content)) = feed.next() {
            let origin = self.origin(&self.files[index]);
            let report = match content {
                Ok(content) => discover(content.into_input(), &origin, &mut discovery),
                Err(report) => report,
            };
            self.note(index, report);
        }
        self.complete(discovery.fields(), demand)
    }

    pub(crate) fn discovery(&self, predicate: &Predicate, demand: &Demand) -> Discovery {
        let sourcetype = self.options.sourcetype.as_deref();
        Discovery::new(predicate, demand, self.options.profile, sourcetype)
    }

    /// Returns the fields that were found, and those that are wanted by name.
    pub(crate) fn complete(&self, found: Vec<Field>, demand: &Demand) -> Vec<Field> {
        let found = found.into_iter().map(|field| (field.name, field.kind));
        let mut fields: IndexMap<String, Kind> = found.collect();
        for name in &demand.names {
            fields.entry(name.clone()).or_insert_with(|| kind_of(name, self.options.profile));
        }
        fields.into_iter().map(|(name, kind)| Field { name, kind }).collect()
    }

    /// Returns the places of the files that may hold what is wanted, and notes why the others do not.
    pub(crate) fn files_for(&self, wanted: &Wanted) -> Vec<usize> {
        let mut ruled_out = self.ruled_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            match wanted.rules_out(&file.name) {
                Some(reason) => {
                    ruled_out.entry(index).or_insert(reason);
                }
                None => kept.push(index),
            }
        }
        kept
    }

    /// Returns true if the first readable file holds JSON rows rather than CloudTrail.
    fn are_rows(&self) -> bool {
        *self.are_rows.get_or_init(|| {
            if let Some(sourcetype) = &self.options.sourcetype {
                return sourcetype == "json";
            }
            let mut formats = self
                .files
                .iter()
                .take(FILES_PEEKED)
                .filter_map(|file| open(file).ok().and_then(peek_format));
            formats.next() == Some(Format::Json)
        })
    }

    /// Returns a decoder for requests; one decodes any number of files.
    pub(crate) fn decoder(
        &self,
        requests: Arc<[ScanRequest]>,
        seen: Option<Arc<Mutex<SeenEvents>>>,
    ) -> Decoder {
        Decoder::new(&DecodeOptions {
            profile: self.options.profile,
            sourcetype: self.options.sourcetype.clone(),
            seen,
            ..DecodeOptions::new(requests)
        })
    }

    /// Returns the bytes of a file; they go into `spare` if they are held.
    pub(crate) fn content(&self, index: usize, spare: Vec<u8>) -> Result<Content, FileReport> {
        Content::open(&self.files[index], spare)
    }

    /// Decodes one file, and takes note of it; full batches go to `sink` until it breaks. Returns
    /// memory to use again.
    pub(crate) fn decode(
        &self,
        index: usize,
        content: Result<Content, FileReport>,
        decoder: &mut Decoder,
        sink: Sink<'_>,
    ) -> Vec<u8> {
        let (report, spare) = self.read(index, content, decoder, sink);
        self.note(index, report);
        spare
    }

    /// As [`Logs::decode`], but nobody will know.
    pub(crate) fn read(
        &self,
        index: usize,
        content: Result<Content, FileReport>,
        decoder: &mut Decoder,
        sink: Sink<'_>,
    ) -> (FileReport, Vec<u8>) {
        let origin = self.origin(&self.files[index]);
        match content {
            Ok(Content::Held(mut bytes)) => {
                let report = decoder.decode_whole(&mut bytes, &origin, sink);
                (report, bytes)
            }
            Ok(Content::Stream(input)) => (decoder.decode(input, &origin, sink), Vec::new()),
            Err(report) => (report, Vec::new()),
        }
    }

    /// Returns what one scan remembers of the events it saw, if it is to drop duplicates.
    pub(crate) fn seen_events(&self) -> Option<Arc<Mutex<SeenEvents>>> {
        match self.options.duplicates {
            Duplicates::Keep => None,
            Duplicates::Drop => Some(Arc::default()),
        }
    }

    pub(crate) fn duplicates(&self) -> Duplicates {
        self.options.duplicates
    }

    fn origin(&self, file: &LogFile) -> Origin {
        self.origin_of(file.name.clone())
    }

    pub(crate) fn origin_of(&self, source: impl Into<Arc<str>>) -> Origin {
        let origin = Origin::new(source);
        match &self.options.index {
            Some(index) => Origin { index: index.as_str().into(), ..origin },
            None => origin,
        }
    }

    fn note(&self, index: usize, report: FileReport) {
        if report.stopped {
            return;
        }
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.note(index, report);
        drop(reports);
        if let (Some(progress), Some(file)) = (&self.options.progress, self.files.get(index)) {
            (progress.0)(file.size);
        }
    }

    /// Returns what reading came to so far.
    #[must_use]
    pub fn report(&self) -> ReadReport {
        let reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = ReadReport { skips: self.skips.clone(), ..ReadReport::default() };
        let ruled_out = self.ruled_out.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, reason) in ruled_out.iter() {
            if !reports.has(*index) {
                read.skips.add_file(*reason, self.files[*index].size);
            }
        }
        drop(ruled_out);
        read.files = reports.files;
        read.total = reports.total.clone();
        for (index, report) in &reports.problems {
            let name = self.files[*index].name.clone();
            read.problems.push(FileProblem { name, report: report.clone() });
        }
        read
    }
}

/// What the first reading of each file came to; later ones find the same. Only of files with problems
/// more is kept than a bit.
#[derive(Debug, Default)]
struct Reports {
    read: Vec<u64>,
    files: u64,
    total: FileReport,
    problems: BTreeMap<usize, FileReport>,
}

impl Reports {
    fn has(&self, index: usize) -> bool {
        self.read.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn note(&mut self, index: usize, report: FileReport) {
        if self.has(index) {
            return;
        }
        let words = self.read.len().max(index / 64 + 1);
        self.read.resize(words, 0);
        self.read[index / 64] |= 1 << (index % 64);
        self.files += 1;
        self.total.merge(&report);
        let is_foreign = report.events == 0 && report.skipped.contains_key(&SkipKind::NotJson);
        if report.damage_count > 0 || is_foreign {
            self.problems.insert(index, report);
        }
    }
}

/// Opens a file, or returns the report that says why it cannot be.
fn open(file: &LogFile) -> Result<Input, FileReport> {
    Content::open(file, Vec::new()).map(Content::into_input)
}

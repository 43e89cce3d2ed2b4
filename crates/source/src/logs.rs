//! A set of log files with what reading them has shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::arrow::array::RecordBatch;
use indexmap::IndexMap;
use spilltrail_decode::{
    DecodeOptions, Decoder, Discovery, FileReport, Format, Input, Origin, Profile, SeenEvents,
    SkipKind, discover, kind_of, peek_format,
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
    /// The report of the first reading of each file; later ones find the same.
    reports: Mutex<BTreeMap<usize, FileReport>>,
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
        let mut fields: IndexMap<String, Kind> = IndexMap::new();
        if demand.is_open() || self.are_rows() {
            let options = &self.options;
            let sourcetype = options.sourcetype.as_deref();
            let mut discovery = Discovery::new(predicate, demand, options.profile, sourcetype);
            let feed = Feed::new(self, self.files_for(&Wanted::of(predicate)));
            while let Some((index, content)) = feed.next() {
                let origin = self.origin(&self.files[index]);
                let report = match content {
                    Ok(content) => discover(content.into_input(), &origin, &mut discovery),
                    Err(report) => report,
                };
                self.note(index, report);
            }
            fields.extend(discovery.fields().into_iter().map(|field| (field.name, field.kind)));
        }
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

    /// Decodes one file for a request; batches go to `sink` until it breaks.
    pub(crate) fn decode(
        &self,
        index: usize,
        request: &ScanRequest,
        seen: Option<Arc<Mutex<SeenEvents>>>,
        sink: &mut dyn FnMut(RecordBatch) -> ControlFlow<()>,
    ) {
        let Some(file) = self.files.get(index) else { return };
        let options = DecodeOptions {
            profile: self.options.profile,
            sourcetype: self.options.sourcetype.clone(),
            seen,
            ..DecodeOptions::new(request.clone())
        };
        let report = match open(file) {
            Ok(input) => Decoder::new(&options).decode(input, &self.origin(file), sink),
            Err(report) => report,
        };
        self.note(index, report);
    }

    /// Returns what one scan remembers of the events it saw, if it is to drop duplicates.
    pub(crate) fn seen_events(&self) -> Option<Arc<Mutex<SeenEvents>>> {
        match self.options.duplicates {
            Duplicates::Keep => None,
            Duplicates::Drop => Some(Arc::default()),
        }
    }

    fn origin(&self, file: &LogFile) -> Origin {
        let origin = Origin::new(file.name.clone());
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
        if let std::collections::btree_map::Entry::Vacant(entry) = reports.entry(index) {
            entry.insert(report);
        }
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
            if !reports.contains_key(index) {
                read.skips.add_file(*reason, self.files[*index].size);
            }
        }
        drop(ruled_out);
        for (index, report) in reports.iter() {
            read.files += 1;
            read.total.merge(report);
            let is_foreign = report.events == 0 && report.skipped.contains_key(&SkipKind::NotJson);
            if report.damage_count > 0 || is_foreign {
                let name = self.files[*index].name.clone();
                read.problems.push(FileProblem { name, report: report.clone() });
            }
        }
        read
    }
}

/// Opens a file, or returns the report that says why it cannot be.
fn open(file: &LogFile) -> Result<Input, FileReport> {
    Content::open(file, Vec::new()).map(Content::into_input)
}

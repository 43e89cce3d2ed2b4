//! A set of log files with what reading them has shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;
use spilltrail_decode::{
    Damage, DamageKind, DecodeOptions, Decoder, Discovery, FileReport, Format, Input, Origin,
    Profile, SeenEvents, Sink, SkipKind, discover, kind_of, peek_format,
};
use spilltrail_event::{Demand, Field, Kind, Predicate, ScanRequest};
use tempfile::NamedTempFile;

use crate::inputs::{InputProblem, Inputs, LogFile};
use crate::table::LogTable;

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
    files: Vec<LogFile>,
    problems: Vec<InputProblem>,
    options: ReadOptions,
    /// The report of the first reading of each file; later ones find the same.
    reports: Mutex<BTreeMap<usize, FileReport>>,
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
        let Inputs { files, problems, spooled } = Inputs::list(names, standard_input);
        Self {
            files,
            problems,
            options,
            reports: Mutex::default(),
            are_rows: OnceLock::new(),
            _spooled: spooled,
        }
    }

    /// Returns the files in order.
    #[must_use]
    pub fn files(&self) -> &[LogFile] {
        &self.files
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
            for (index, file) in self.files.iter().enumerate() {
                let report = match open(file) {
                    Ok(input) => discover(input, &self.origin(file), &mut discovery),
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

    /// Decodes one file; full batches go to `sink` until it breaks. `buffer` is memory to use again.
    pub(crate) fn decode(
        &self,
        index: usize,
        decoder: &mut Decoder,
        buffer: &mut Vec<u8>,
        sink: Sink<'_>,
    ) {
        let Some(file) = self.files.get(index) else { return };
        let report = match load(file, buffer) {
            Ok(Content::Held) => decoder.decode_whole(buffer, &self.origin(file), sink),
            Ok(Content::Stream(input)) => decoder.decode(input, &self.origin(file), sink),
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

    pub(crate) fn duplicates(&self) -> Duplicates {
        self.options.duplicates
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
        let mut read = ReadReport::default();
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

/// Files up to this size are read at once.
const MAX_HELD: u64 = 16 * 1024 * 1024;

/// What of a file is there.
enum Content {
    /// All of it, in the buffer.
    Held,
    /// It is read as it is decoded.
    Stream(Input),
}

/// Reads a file into the buffer, or opens it if it is large.
fn load(file: &LogFile, buffer: &mut Vec<u8>) -> Result<Content, FileReport> {
    let failed = |error: std::io::Error| {
        let damage = Damage { offset: 0, kind: DamageKind::Io, message: error.to_string() };
        FileReport { damages: vec![damage], damage_count: 1, ..FileReport::default() }
    };
    let mut opened = std::fs::File::open(&file.path).map_err(failed)?;
    if file.size > MAX_HELD {
        return Ok(Content::Stream(Input::Seekable(Box::new(opened))));
    }
    buffer.clear();
    buffer.reserve(file.size as usize + 1);
    // A file that grows, or a device that never ends, is not followed any further.
    match Read::by_ref(&mut opened).take(MAX_HELD + 1).read_to_end(buffer) {
        Ok(length) if length as u64 <= MAX_HELD => Ok(Content::Held),
        Ok(_) => {
            let head = std::io::Cursor::new(std::mem::take(buffer));
            Ok(Content::Stream(Input::Stream(Box::new(head.chain(opened)))))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Opens a file, or returns the report that says why it cannot be.
fn open(file: &LogFile) -> Result<Input, FileReport> {
    match std::fs::File::open(&file.path) {
        Ok(opened) => Ok(Input::Seekable(Box::new(opened))),
        Err(error) => {
            let damage = Damage { offset: 0, kind: DamageKind::Io, message: error.to_string() };
            Err(FileReport { damages: vec![damage], damage_count: 1, ..FileReport::default() })
        }
    }
}

//! A set of log files with what reading them has shown.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use spilltrail_decode::{
    DecodeOptions, Decoder, FileReport, Origin, Profile, Scratch, SeenEvents, Sink, SkipKind,
};
use spilltrail_event::{ScanRequest, StopToken};

use crate::feed::Content;
use crate::inputs::{InputProblem, Inputs, LogFile, PathSkips};
use crate::layout::Reason;
use crate::s3::S3Options;
use crate::table::LogTable;
use crate::wanted::Wanted;

/// Threads that read logs at most, unless it is said how many; each holds a file.
const MAX_THREADS: usize = 4;

/// Bytes of an archive in an archive that are held in memory, for each thread.
const MAX_ARCHIVE_IN_MEMORY: usize = 4 * 1024 * 1024;

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
    /// Threads that read, for whoever does not say how many; `None` for one a processor, up to four.
    pub threads: Option<usize>,
    /// Ends whatever lists or reads these logs; reading ends between two events.
    pub stop: StopToken,
}

/// What becomes of events with the same `eventID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
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
    /// Indexes of the files that hold JSON rows, once they were asked for.
    rows: OnceLock<Vec<usize>>,
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
    /// `standard_input` is read where a name is `-`, when its events are wanted.
    ///
    /// Requests to S3 run on the runtime from which this is called, which must have its drivers of time
    /// and IO enabled.
    pub fn open(
        names: &[String],
        standard_input: Box<dyn Read + Send>,
        options: ReadOptions,
    ) -> Self {
        let Inputs { files, problems, skips, .. } = Inputs::list(names, standard_input, &options);
        Self { problems, skips, ..Self::of_files(files, options) }
    }

    /// Returns logs of these files.
    pub(crate) fn of_files(files: Vec<LogFile>, options: ReadOptions) -> Self {
        Self {
            files: files.into(),
            problems: Vec::new(),
            options,
            reports: Mutex::default(),
            skips: PathSkips::default(),
            ruled_out: Mutex::default(),
            rows: OnceLock::new(),
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

    pub(crate) fn options(&self) -> &ReadOptions {
        &self.options
    }

    pub(crate) fn stop(&self) -> &StopToken {
        &self.options.stop
    }

    /// Returns how many threads read for whoever does not say how many.
    pub(crate) fn threads(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.options.threads.unwrap_or_else(|| available().min(MAX_THREADS))
    }

    /// Returns how many of these threads may decode.
    pub(crate) fn threads_of(&self, threads: usize) -> usize {
        match self.options.duplicates {
            Duplicates::Keep => threads.max(1),
            // Which of two equal events is the first is a question of order.
            Duplicates::Drop => 1,
        }
    }

    /// Returns the indexes of the files that hold JSON rows; `look` finds out, once.
    pub(crate) fn known_rows(&self, look: impl FnOnce() -> Vec<usize>) -> &[usize] {
        self.rows.get_or_init(look)
    }

    /// Returns the indexes of the files that may hold what is wanted, and notes why the others do not.
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

    /// Returns a decoder for requests; one decodes any number of files.
    pub(crate) fn decoder(
        &self,
        requests: Arc<[ScanRequest]>,
        seen: Option<Arc<Mutex<SeenEvents>>>,
        stop: StopToken,
    ) -> Decoder {
        Decoder::new(&DecodeOptions {
            profile: self.options.profile,
            sourcetype: self.options.sourcetype.clone(),
            seen,
            stop,
            scratch,
            ..DecodeOptions::new(requests)
        })
    }

    /// Returns the bytes of a file; they go into `spare` if they are held.
    pub(crate) fn content(&self, index: usize, spare: Vec<u8>) -> Result<Content, FileReport> {
        Content::open(&self.files[index], spare)
    }

    /// Decodes one file; full batches go to `sink` until it breaks. Returns memory to use again, too.
    pub(crate) fn read(
        &self,
        index: usize,
        content: Result<Content, FileReport>,
        decoder: &mut Decoder,
        sink: Sink<'_>,
    ) -> (FileReport, Vec<u8>) {
        let origin = self.origin(index);
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

    /// Returns where the events of a file are from.
    pub(crate) fn origin(&self, index: usize) -> Origin {
        self.origin_of(self.files[index].name.clone())
    }

    pub(crate) fn origin_of(&self, source: impl Into<Arc<str>>) -> Origin {
        let origin = Origin::new(source);
        match &self.options.index {
            Some(index) => Origin { index: index.as_str().into(), ..origin },
            None => origin,
        }
    }

    /// Takes note of a file that was read to its end; breaks if it was not.
    pub(crate) fn note(&self, index: usize, report: FileReport) -> ControlFlow<()> {
        if report.stopped {
            return ControlFlow::Break(());
        }
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.note(index, report);
        drop(reports);
        if let (Some(progress), Some(file)) = (&self.options.progress, self.files.get(index)) {
            (progress.0)(file.size);
        }
        ControlFlow::Continue(())
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

/// Makes room for an archive in an archive: in memory while it is small, then in a temporary file without
/// a name.
pub(crate) fn scratch() -> Box<dyn Scratch> {
    Box::new(tempfile::SpooledTempFile::new(MAX_ARCHIVE_IN_MEMORY))
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

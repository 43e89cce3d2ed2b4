//! A set of log files, with the reports of the reads so far.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use spilltrail_decode::{
    DecodeOptions, Decoder, FileReport, Member, Origin, Profile, Scratch, SeenEvents, Sink,
    SkipKind, Untimed,
};
use spilltrail_event::{ScanRequest, StopToken, TimeBounds};

use crate::dataset::Labels;
use crate::feed::Content;
use crate::given::{Eventless, Found, Given};
use crate::inputs::{InputProblem, Inputs, LogFile, PathSkips};
use crate::layout::Reason;
use crate::named::{FirstFiles, NamedFiles};
use crate::row_kinds::RowKinds;
use crate::s3::S3Options;
use crate::stored::StoredFacts;
use crate::table::LogTable;
use crate::wanted::Wanted;

/// Default limit on the number of reading threads; each holds one file in memory.
const MAX_THREADS: usize = 4;

/// Bytes of a nested archive that each thread holds in memory before it uses a temporary file.
const MAX_ARCHIVE_IN_MEMORY: usize = 4 * 1024 * 1024;

/// Options for reading logs.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The rules by which derived fields are computed.
    pub profile: Profile,
    /// The sourcetype of all events, instead of the recognized one.
    pub sourcetype: Option<String>,
    /// The value of the field `index`; if `None`, files have no index.
    pub index: Option<String>,
    /// Whether the second delivery of the same event is dropped.
    pub duplicates: Duplicates,
    /// Called with the size in bytes of each file after it is read.
    pub progress: Option<Progress>,
    /// Called with a line of text while a server does not answer.
    pub notice: Option<Notice>,
    /// Connection options for S3.
    pub s3: S3Options,
    /// The times, accounts and regions that any search of the run can match. Files and folders
    /// outside them are not even listed.
    pub wanted: Wanted,
    /// Number of reading threads for callers that do not pass one. `None` means one per processor,
    /// up to four.
    pub threads: Option<usize>,
    /// Cancels listing and reading; a reader stops between two events.
    pub stop: StopToken,
}

/// How events with the same `eventID` are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Duplicates {
    /// All are kept, as in Splunk.
    #[default]
    Keep,
    /// Only the first is kept. Costs about 24 bytes of memory per event.
    Drop,
}

/// A callback for progress.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(u64) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// A callback for lines of text that tell the user what is being waited for.
#[derive(Clone)]
pub struct Notice(pub Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notice")
    }
}

/// Log files, and the reports about those that were read.
#[derive(Debug)]
pub struct Logs {
    files: Arc<[LogFile]>,
    problems: Vec<InputProblem>,
    /// The names that the user gave, with the files of each.
    given: Vec<Given>,
    /// The labels of each file of datasets; empty for other logs.
    pub(crate) labels: Vec<Labels>,
    /// What is known of each table of stored events; empty for other logs.
    pub(crate) stored: Vec<StoredFacts>,
    /// The time range of the run, once it is known.
    range: OnceLock<TimeBounds>,
    options: ReadOptions,
    reports: Mutex<Reports>,
    /// Files and folders that were skipped while listing.
    skips: PathSkips,
    /// Why each file was ruled out, by index. A later search may still have read the file.
    ruled_out: Mutex<BTreeMap<usize, Reason>>,
    /// Indexes of the files that hold JSON rows, computed on first use.
    rows: OnceLock<Vec<usize>>,
    row_kinds: RowKinds,
}

/// Totals and problems of all reads so far.
#[derive(Debug, Default)]
pub struct ReadReport {
    /// Number of files read.
    pub files: u64,
    /// The sum of the counts of all files.
    pub total: FileReport,
    /// Files with damage, and files that are not logs.
    pub problems: Vec<FileProblem>,
    /// Files and folders that were skipped because their paths rule them out.
    pub skips: PathSkips,
    /// Occurrences of fields that a search did not get, because the events have more than
    /// [`MAX_FIELDS`](spilltrail_decode::MAX_FIELDS) names of fields.
    pub fields_left_out: u64,
    /// The first file, in the order of listing, with events that have no time, and whether the user
    /// named this very file.
    pub untimed: Option<(Arc<str>, bool)>,
    /// Files with events that have several values of a field of which a search got only the last.
    pub values_left_out: Vec<Arc<str>>,
    /// The number of files with as many events as a file before them, at least two, and the same first
    /// CloudTrail event, and the name of the first of these copies.
    pub copies: Option<(u64, Arc<str>)>,
    /// The files with rows that are no events of CloudTrail.
    pub with_rows: NamedFiles,
    /// The files with rows that look like events of CloudTrail and are none.
    pub with_lookalikes: NamedFiles,
    /// The files with events of CloudTrail that lack a member, because their source leaves it out.
    pub left_out: BTreeMap<Member, NamedFiles>,
    /// The folders, patterns and prefixes that the user named, and that gave no event.
    pub eventless: Vec<Eventless>,
    /// Number of files that may have events in the time range of the run.
    pub files_in_range: u64,
    /// The names that gave events, and none in the time range of the run.
    pub beside_range: NamedFiles,
}

/// A file that could not be read completely.
#[derive(Debug, Clone)]
pub struct FileProblem {
    /// The name of the file.
    pub name: Arc<str>,
    /// Whether the user named this very file.
    pub is_named: bool,
    /// The damage and the counts of the file.
    pub report: FileReport,
}

impl Logs {
    /// Lists the files that `names` match; [`Logs::problems`] has the names that cannot be listed.
    /// Standard input is read for the name `-`, and only when a search needs its events.
    ///
    /// Requests to S3 run on the tokio runtime of the caller, which must have its time and IO
    /// drivers enabled.
    pub fn open(
        names: &[String],
        standard_input: Box<dyn Read + Send>,
        options: ReadOptions,
    ) -> Self {
        let Inputs { files, problems, given, skips, .. } =
            Inputs::list(names, standard_input, &options);
        Self { problems, given, skips, ..Self::of_files(files, options) }
    }

    /// Creates logs from a list of files with their labels, and the names that cannot be read.
    pub(crate) fn labeled(
        files: Vec<LogFile>,
        labels: Vec<Labels>,
        problems: Vec<InputProblem>,
        options: ReadOptions,
    ) -> Self {
        Self { problems, labels, ..Self::of_files(files, options) }
    }

    /// Creates logs from a list of files.
    pub(crate) fn of_files(files: Vec<LogFile>, options: ReadOptions) -> Self {
        Self {
            files: files.into(),
            problems: Vec::new(),
            given: Vec::new(),
            labels: Vec::new(),
            stored: Vec::new(),
            range: OnceLock::new(),
            options,
            reports: Mutex::default(),
            skips: PathSkips::default(),
            ruled_out: Mutex::default(),
            rows: OnceLock::new(),
            row_kinds: RowKinds::default(),
        }
    }

    /// Returns the files in the order in which they were listed.
    #[must_use]
    pub fn files(&self) -> &[LogFile] {
        &self.files
    }

    /// Sets the time range of the run, before anything is read: reports say which names have no event
    /// in it. It does not change what is read.
    pub fn set_range(&self, range: TimeBounds) {
        // A second call would be about another run.
        let _ = self.range.set(range);
    }

    pub(crate) fn add_problems(&mut self, problems: impl Iterator<Item = InputProblem>) {
        self.problems.extend(problems);
    }

    pub(crate) fn shared_files(&self) -> Arc<[LogFile]> {
        self.files.clone()
    }

    /// Returns the names that cannot be read, with the reasons.
    #[must_use]
    pub fn problems(&self) -> &[InputProblem] {
        &self.problems
    }

    /// Returns the table of the events that match `request`.
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

    /// Returns the number of reading threads for callers that do not pass one.
    pub(crate) fn threads(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.options.threads.unwrap_or_else(|| available().min(MAX_THREADS))
    }

    /// Returns how many of `threads` may decode.
    pub(crate) fn threads_of(&self, threads: usize) -> usize {
        match self.options.duplicates {
            Duplicates::Keep => threads.max(1),
            // Which of two equal events comes first depends on their order, so only one thread
            // decodes.
            Duplicates::Drop => 1,
        }
    }

    /// Returns the indexes of the files that hold JSON rows; `look` computes them on the first
    /// call.
    pub(crate) fn known_rows(&self, look: impl FnOnce() -> Vec<usize>) -> &[usize] {
        self.rows.get_or_init(look)
    }

    pub(crate) fn row_kinds(&self) -> &RowKinds {
        &self.row_kinds
    }

    /// Returns the indexes of the files that may hold wanted events, and records why the others are
    /// ruled out.
    pub(crate) fn files_for(&self, wanted: &Wanted) -> Vec<usize> {
        self.files_among(0..self.files.len(), wanted)
    }

    /// Does what [`Logs::files_for`] does for the files of these indexes.
    pub(crate) fn files_among(
        &self,
        indexes: impl IntoIterator<Item = usize>,
        wanted: &Wanted,
    ) -> Vec<usize> {
        let mut ruled_out = self.ruled_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Vec::new();
        for index in indexes {
            let reason = match self.stored.get(index) {
                Some(facts) => facts.rules_out(wanted),
                None => wanted.rules_out(&self.files[index].name),
            };
            match reason {
                Some(reason) => {
                    ruled_out.entry(index).or_insert(reason);
                }
                None => kept.push(index),
            }
        }
        kept
    }

    /// Creates a decoder for `requests`, which can decode any number of files.
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

    /// Opens a file; if its bytes are held in memory, they reuse the allocation of `spare`.
    pub(crate) fn content(&self, index: usize, spare: Vec<u8>) -> Result<Content, FileReport> {
        Content::open(&self.files[index], spare)
    }

    /// Decodes one file and passes full batches to `sink` until it breaks. Returns the report, and
    /// a buffer to reuse.
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

    /// Returns an empty set of seen events for one scan, or `None` if duplicates are kept.
    pub(crate) fn seen_events(&self) -> Option<Arc<Mutex<SeenEvents>>> {
        match self.options.duplicates {
            Duplicates::Keep => None,
            Duplicates::Drop => Some(Arc::default()),
        }
    }

    /// Returns the origin of events with this `source`, in the index of the logs.
    pub(crate) fn origin_of(&self, source: impl Into<Arc<str>>) -> Origin {
        let origin = Origin::new(source);
        match &self.options.index {
            Some(index) => Origin { index: Some(index.as_str().into()), ..origin },
            None => origin,
        }
    }

    /// Records the report of a file; breaks if reading it was canceled.
    pub(crate) fn note(&self, index: usize, report: FileReport) -> ControlFlow<()> {
        if report.stopped {
            return ControlFlow::Break(());
        }
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let is_named = self.files.get(index).is_some_and(|file| file.is_named);
        let range = self.range.get().copied().unwrap_or_default();
        reports.note(index, is_named, range, report);
        drop(reports);
        if let (Some(progress), Some(file)) = (&self.options.progress, self.files.get(index)) {
            (progress.0)(file.size);
        }
        ControlFlow::Continue(())
    }

    /// Records how many occurrences of fields a search did not get.
    pub(crate) fn note_fields_left_out(&self, count: u64) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.fields_left_out = reports.fields_left_out.max(count);
    }

    /// Records that a search got only the last of several values in a file.
    pub(crate) fn note_values_left_out(&self, index: usize) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.values_left_out.insert(index);
    }

    /// Returns the size in bytes of all files together; `None` if one of them is not a regular file on
    /// disk, which can be read again at little cost.
    #[must_use]
    pub fn bytes_on_disk(&self) -> Option<u64> {
        self.files.iter().map(|file| file.path().map(|_| file.size)).sum()
    }

    /// Returns the sourcetype that the user named for all events.
    #[must_use]
    pub fn sourcetype(&self) -> Option<&str> {
        self.options.sourcetype.as_deref()
    }

    /// Returns true if the user named the sourcetype of all events.
    #[must_use]
    pub fn has_named_sourcetype(&self) -> bool {
        let is_named = |labels: &Labels| labels.sourcetype.is_some();
        self.options.sourcetype.is_some() || self.labels.iter().any(is_named)
    }

    /// Returns true if no event was in any file that may hold logs; files that are not of the time,
    /// account or region that is looked for may have some.
    #[must_use]
    pub fn hold_nothing(&self) -> bool {
        let read = self.report();
        let is_aside = |reason: &Reason| matches!(reason, Reason::Digest | Reason::OtherService);
        let skipped = read.skips.by_reason.values().map(|count| count.files).sum::<u64>();
        // Files that were listed, and then not even looked at, may have events.
        let is_done = read.files > 0 || (skipped > 0 && self.files.is_empty());
        is_done && read.total.events == 0 && read.skips.by_reason.keys().all(is_aside)
    }

    /// Returns true if the user gave a single name for all logs.
    #[must_use]
    pub fn has_one_name(&self) -> bool {
        self.given.len() == 1
    }

    /// Returns the names that the user gave, with the files of each.
    pub(crate) fn given(&self) -> &[Given] {
        &self.given
    }

    /// Returns the indexes of files with problems, with their reports.
    pub(crate) fn problems_by_file(&self) -> BTreeMap<usize, FileReport> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner).problems.clone()
    }

    /// Returns the totals and problems of all reads so far.
    #[must_use]
    pub fn report(&self) -> ReadReport {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let mut read = ReadReport { skips: self.skips.clone(), ..ReadReport::default() };
        let ruled_out = self.ruled_out.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, reason) in ruled_out.iter() {
            if !reports.found.read.has(*index) {
                read.skips.add_file(*reason, self.files[*index].size);
            }
        }
        drop(ruled_out);
        read.files = reports.files;
        read.total = reports.total.clone();
        read.fields_left_out = reports.fields_left_out;
        if let Some(((_, index), first)) = &reports.untimed {
            let file = &self.files[*index];
            read.untimed = Some((file.name.clone(), file.is_named));
            read.total.untimed.first.clone_from(first);
        }
        read.copies =
            reports.copies().map(|(count, index)| (count, self.files[index].name.clone()));
        read.values_left_out =
            reports.values_left_out.iter().map(|index| self.files[*index].name.clone()).collect();
        let name = |index: usize| self.files[index].name.clone();
        read.with_rows = reports.with_rows.named(name);
        read.with_lookalikes = reports.with_lookalikes.named(name);
        let files = reports.left_out.iter();
        read.left_out = files.map(|(member, files)| (*member, files.named(name))).collect();
        read.eventless = reports.found.eventless(&self.given);
        read.files_in_range = reports.files_in_range;
        read.beside_range = reports.found.beside_range(&self.given);
        for (index, report) in &reports.problems {
            let LogFile { name, is_named, .. } = &self.files[*index];
            let (name, is_named) = (name.clone(), *is_named);
            read.problems.push(FileProblem { name, is_named, report: report.clone() });
        }
        read
    }
}

/// Returns a buffer for a nested archive: in memory while it is small, then in an unnamed temporary
/// file.
pub(crate) fn scratch() -> Box<dyn Scratch> {
    Box::new(tempfile::SpooledTempFile::new(MAX_ARCHIVE_IN_MEMORY))
}

/// What a file has without a time. The first kind says most: rows that have no time are often by
/// design, and must not stand for an event of CloudTrail in another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Untimely {
    /// An event of CloudTrail.
    Trail,
    /// A row whose time cannot be read, or an event of another product.
    Event,
    /// Rows that say nothing of a time.
    Rows,
}

impl Untimely {
    fn of(untimed: &Untimed) -> Option<Self> {
        match untimed {
            Untimed { trail: 1.., .. } => Some(Self::Trail),
            Untimed { events: 1.., .. } => Some(Self::Event),
            Untimed { rows: 1.., .. } => Some(Self::Rows),
            Untimed { .. } => None,
        }
    }
}

/// The report of the first read of each file, since later reads find the same. Reports are kept
/// only for files with problems; other files cost three bits each.
#[derive(Debug, Default)]
struct Reports {
    found: Found,
    files: u64,
    files_in_range: u64,
    total: FileReport,
    problems: BTreeMap<usize, FileReport>,
    fields_left_out: u64,
    values_left_out: BTreeSet<usize>,
    /// For each file with CloudTrail events, a hash of its first event and their number, and its index.
    first_events: Vec<(u64, usize)>,
    /// The first file with events that have no time, by how far they are from events of CloudTrail, and
    /// the text of the first such time.
    untimed: Option<((Untimely, usize), Option<String>)>,
    /// The files with rows that are no events of CloudTrail.
    with_rows: FirstFiles,
    /// The files with rows that look like events of CloudTrail and are none.
    with_lookalikes: FirstFiles,
    /// The files with events of CloudTrail that lack a member, because their source leaves it out.
    left_out: BTreeMap<Member, FirstFiles>,
}

impl Reports {
    /// Returns the number of files that are copies of files before them, and the first of them.
    fn copies(&mut self) -> Option<(u64, usize)> {
        self.first_events.sort_unstable();
        let pairs = self.first_events.windows(2);
        let copies = pairs.filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
        copies.fold(None, |found, index| match found {
            Some((count, first)) => Some((count + 1, index.min(first))),
            None => Some((1, index)),
        })
    }

    fn note(&mut self, index: usize, is_named: bool, range: TimeBounds, report: FileReport) {
        if self.found.read.has(index) {
            return;
        }
        self.found.read.add(index);
        // Copies of events, and what is damaged, are no reason to say that there are no events.
        let has_copies = report.skipped.contains_key(&SkipKind::Duplicate);
        if report.events > 0 || report.damage_count > 0 || has_copies {
            self.found.with_events.add(index);
        }
        if report.is_in(range) {
            self.found.in_range.add(index);
            self.files_in_range += 1;
        }
        self.files += 1;
        self.total.merge(&report);
        // A single event is too little to call a file a copy.
        if let Some(first) = report.first_event.filter(|_| report.events > 1) {
            self.first_events.push((first.wrapping_add(report.events), index));
        }
        if let Some(kind) = Untimely::of(&report.untimed) {
            let place = (kind, index);
            if self.untimed.as_ref().is_none_or(|(first, _)| place < *first) {
                self.untimed = Some((place, report.untimed.first.clone()));
            }
        }
        if report.rows > 0 {
            self.with_rows.add(index);
        }
        if report.has_lookalikes {
            self.with_lookalikes.add(index);
        }
        for member in report.left_out.events.keys() {
            self.left_out.entry(*member).or_default().add(index);
        }
        let is_foreign = report.why_no_event(is_named).is_some();
        if report.damage_count > 0 || is_foreign || report.foreign_entries > 0 {
            self.problems.insert(index, report);
        }
    }
}

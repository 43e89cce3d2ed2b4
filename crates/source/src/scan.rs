//! One pass over all logs for many searches, whose matched rows are kept.

use std::error::Error;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Array, LargeStringArray};
use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use spilltrail_decode::{Decoder, Extraction, FileReport, Rows, schema_of};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Predicate, ScanRequest, StopToken};

use crate::feed::Content;
use crate::logs::Logs;
use crate::pass::{End, Finder, Give, Pass, Taker};
use crate::spool::Spool;
use crate::wanted::Wanted;

/// Options for one pass.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// Number of decoding threads.
    pub threads: usize,
    /// Bytes of matched rows that are kept in memory before they are written to disk.
    pub memory: usize,
}

/// Why reading logs ended early. [`Logs::report`] has the problems of single files.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The matched rows cannot be written to disk.
    #[error("cannot write matched events to {}: {cause}", .folder.display())]
    Write {
        /// The temporary folder.
        folder: PathBuf,
        /// The error of the system.
        cause: String,
    },
    /// The matched rows cannot be read back from disk.
    #[error("cannot read matched events back from {}: {cause}", .folder.display())]
    ReadBack {
        /// The temporary folder.
        folder: PathBuf,
        /// The error of the system.
        cause: String,
    },
    /// Reading was canceled.
    #[error("reading the logs was stopped")]
    Stopped,
    /// Reading ended because of a bug in decoding.
    #[error("a bug in decoding ended the reading of the logs")]
    Bug,
}

impl ScanError {
    pub(crate) fn write(error: &ArrowError) -> Self {
        Self::Write { folder: std::env::temp_dir(), cause: cause_of(error) }
    }

    pub(crate) fn read_back(error: &ArrowError) -> Self {
        Self::ReadBack { folder: std::env::temp_dir(), cause: cause_of(error) }
    }

    /// Returns the diagnostic for this error, with advice for the user.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let message = self.to_string();
        match self {
            Self::Write { .. } => Diagnostic::error(Code::DISK, message)
                .help("let `TMPDIR` name a folder that has more room, or raise `--memory-limit`"),
            Self::ReadBack { .. } => Diagnostic::error(Code::DISK, message)
                .help("let `TMPDIR` name a folder that keeps its files"),
            Self::Stopped => Diagnostic::error(Code::CANCELED, message),
            Self::Bug => Diagnostic::bug("decoding ended early"),
        }
    }

    /// Returns the DataFusion error, which carries the diagnostic.
    pub(crate) fn into_engine(self) -> DataFusionError {
        DataFusionError::External(Box::new(self.diagnostic()))
    }
}

/// Returns the message of the innermost error, without its number and with a lowercase first
/// letter.
fn cause_of(error: &ArrowError) -> String {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = error.to_string();
    while let Some(error) = source {
        text = error.to_string();
        source = match error.downcast_ref() {
            Some(ArrowError::IoError(_, inner)) => Some(inner as &(dyn Error + 'static)),
            _ => error.downcast_ref::<io::Error>().and_then(|error| Some(error.get_ref()? as _)),
        };
    }
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The rows that a pass kept, and its costs.
#[derive(Debug)]
pub struct Scanned {
    pub(crate) logs: Arc<Logs>,
    pub(crate) requests: Arc<[ScanRequest]>,
    pub(crate) spool: Spool,
    costs: ScanCosts,
}

/// Counts, time and memory of one pass.
#[derive(Debug, Clone, Default)]
pub struct ScanCosts {
    /// Counts of the events that were filtered out and decoded.
    pub extraction: Extraction,
    /// Processor time of all threads together.
    pub cpu: Duration,
    /// Bytes of the kept rows in memory.
    pub held: usize,
    /// Bytes of the kept rows on disk.
    pub spilled: u64,
}

impl Scanned {
    /// Returns the number of rows that matched a search.
    #[must_use]
    pub fn rows(&self, search: usize) -> u64 {
        self.spool.rows(search)
    }

    /// Returns the costs of the pass.
    #[must_use]
    pub fn costs(&self) -> &ScanCosts {
        &self.costs
    }
}

impl Logs {
    /// Reads all files once and keeps the rows that match each request.
    ///
    /// # Errors
    /// Fails if rows cannot be written to disk, or if reading is canceled. Files that cannot be
    /// read are no error: [`Logs::report`] has them.
    pub fn scan(
        self: &Arc<Self>,
        requests: Vec<ScanRequest>,
        options: ScanOptions,
    ) -> Result<Scanned, ScanError> {
        let requests: Arc<[ScanRequest]> = requests.into();
        let schemas = requests.iter().map(|request| schema_of(&request.fields)).collect();
        let taker = Keeper { spool: Spool::new(schemas, options.memory), failure: None };
        let threads = self.threads_of(options.threads);
        let (taker, mut costs) = self.read_rows(&requests, threads, taker, self.stop())?;
        let mut spool = taker.spool;
        if let Some(failure) = taker.failure {
            return Err(ScanError::write(&failure));
        }
        spool.finish().map_err(|error| ScanError::write(&error))?;
        (costs.held, costs.spilled) = spool.size();
        Ok(Scanned { logs: self.clone(), requests, spool, costs })
    }

    /// Reads the files in one pass and hands the matched rows to `taker`.
    ///
    /// # Errors
    /// Fails if reading is canceled or a thread panics. A taker that needs no more rows is no
    /// error.
    pub(crate) fn read_rows<T: Taker<FoundRows>>(
        &self,
        requests: &Arc<[ScanRequest]>,
        threads: usize,
        taker: T,
        stop: &StopToken,
    ) -> Result<(T, ScanCosts), ScanError> {
        // Requests for nothing alone ask what the logs are.
        let wanted = requests
            .iter()
            .filter(|request| !matches!(request.predicate, Predicate::Nothing))
            .map(|request| Wanted::of(&request.predicate));
        let files = self.files_for(&wanted.reduce(Wanted::union).unwrap_or_default());
        let seen = self.seen_events();
        let finder = || RowFinder {
            logs: self,
            decoder: self.decoder(requests.clone(), seen.clone(), stop.clone()),
            spare: Vec::new(),
            shared: None,
        };
        let outcome = Pass::new(self, files, threads, taker, stop.clone()).run(finder);
        End::error(outcome.end)?;
        let mut costs = ScanCosts::default();
        for (finder, cpu) in outcome.finders {
            costs.extraction += finder.decoder.counts();
            costs.cpu += cpu;
        }
        Ok((outcome.taker, costs))
    }
}

/// Rows that a thread found, with the index of their request.
pub(crate) type FoundRows = (usize, Rows);

/// Decodes the files that one thread reads.
struct RowFinder<'a> {
    logs: &'a Logs,
    decoder: Decoder,
    spare: Vec<u8>,
    /// The text array of the last rows, to count memory that several batches share only once.
    shared: Option<Arc<LargeStringArray>>,
}

/// Returns the bytes that `rows` occupy; a shared text array counts only for the first rows in a
/// series that share it.
fn memory_of(rows: &Rows, shared: &mut Option<Arc<LargeStringArray>>) -> usize {
    let mut size = rows.memory();
    if let Some(texts) = rows.shared()
        && !shared.as_ref().is_some_and(|last| Arc::ptr_eq(last, texts))
    {
        size += texts.get_array_memory_size();
        *shared = Some(texts.clone());
    }
    size
}

impl Finder for RowFinder<'_> {
    type Found = FoundRows;

    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        give: Give<'_, FoundRows>,
    ) -> ControlFlow<()> {
        let shared = &mut self.shared;
        let mut sink = |request: usize, rows: Rows| {
            let memory = memory_of(&rows, shared);
            give((request, rows), memory)
        };
        let before = self.decoder.counts().values_left_out;
        let report;
        (report, self.spare) = self.logs.read(index, content, &mut self.decoder, &mut sink);
        if self.decoder.counts().values_left_out > before {
            self.logs.note_values_left_out(index);
        }
        self.logs.note(index, report)
    }

    fn finish_run(&mut self, give: Give<'_, FoundRows>) -> ControlFlow<()> {
        let shared = &mut self.shared;
        let flow = self.decoder.finish(&mut |request, rows: Rows| {
            let memory = memory_of(&rows, shared);
            give((request, rows), memory)
        });
        self.shared = None;
        flow
    }

    fn spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }
}

/// Keeps all rows in a spool.
struct Keeper {
    spool: Spool,
    failure: Option<ArrowError>,
}

impl Taker<FoundRows> for Keeper {
    fn take(&mut self, (request, rows): FoundRows) -> ControlFlow<()> {
        match self.spool.push(request, rows) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use spilltrail_event::{CaseRule, Comparison, Field, Kind, Pattern, Predicate};

    use super::*;
    use crate::logs::ReadOptions;

    #[test]
    fn rows_come_in_the_order_of_the_files_whoever_is_faster() {
        let folder = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for file in 0..40 {
            let mut text = String::new();
            for event in 0..file * 20 {
                text += &format!(
                    r#"{{"eventVersion":"1","eventSource":"s","eventName":"E{}","n":"{file}-{event}"}}"#,
                    event % 2
                );
                text.push('\n');
                if event % 2 == 0 {
                    expected.push(format!("{file}-{event}"));
                }
            }
            std::fs::write(folder.path().join(format!("{file:02}")), text).unwrap();
        }
        let named = |name: &str| ScanRequest {
            predicate: Predicate::Compare {
                field: "eventName".to_owned(),
                op: Comparison::Eq,
                value: Pattern::new(name, CaseRule::Ignore),
            },
            fields: vec![Field::new("n", Kind::Text)],
        };
        let names = [folder.path().display().to_string()];
        for (threads, memory) in [(1, usize::MAX), (4, usize::MAX), (3, 0)] {
            let logs = Logs::open(&names, Box::new(std::io::empty()), ReadOptions::default());
            let logs = Arc::new(logs);
            let requests = vec![named("none"), named("e0")];
            let scanned = logs.scan(requests, ScanOptions { threads, memory }).unwrap();
            let mut found = Vec::new();
            for batch in scanned.spool.batches(1, vec![0]) {
                let batch = batch.unwrap();
                found.extend(batch.column(0).as_string_view().iter().flatten().map(str::to_owned));
            }
            assert_eq!(found, expected, "{threads} {memory}");
            assert_eq!((scanned.rows(0), scanned.rows(1)), (0, expected.len() as u64));
            assert_eq!(scanned.costs().extraction.by_name, expected.len() as u64);
            assert_eq!(logs.report().total.events, 2 * expected.len() as u64);
        }
    }

    #[test]
    fn values_that_a_search_does_not_get_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let event = r#"{"eventVersion":"1","eventSource":"s","eventName":"E"}"#;
        let row = r#"{"user":"ann","tags":["a","b"]}"#;
        for (name, text, is_reported) in [
            ("rows", format!("{row}\n"), false),
            ("mixed", format!("{event}\n{row}\n"), false),
            // What CloudTrail delivers is judged by its first event.
            ("delivered", format!("{{\"Records\":[{event}]}}\n{row}\n"), true),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let names = [path.display().to_string()];
            let logs = Logs::open(&names, Box::new(std::io::empty()), ReadOptions::default());
            let logs = Arc::new(logs);
            let demand = spilltrail_event::Demand::of(vec!["tags".to_owned()]);
            let fields = logs.discover(&Predicate::All, &demand).unwrap();
            let request = ScanRequest { predicate: Predicate::All, fields };
            logs.scan(vec![request], ScanOptions { threads: 1, memory: usize::MAX }).unwrap();
            let reported: Vec<String> =
                logs.report().values_left_out.iter().map(|name| name.to_string()).collect();
            assert_eq!(reported, if is_reported { names.to_vec() } else { Vec::new() });
        }
    }

    #[test]
    fn names_beyond_the_limit_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        for (count, is_reported) in [(10, false), (spilltrail_decode::MAX_FIELDS + 1, true)] {
            let members: Vec<String> = (0..count).map(|key| format!("\"k{key}\":1")).collect();
            let path = folder.path().join("row");
            std::fs::write(&path, format!("{{{}}}", members.join(","))).unwrap();
            let names = [path.display().to_string()];
            let logs = Logs::open(&names, Box::new(std::io::empty()), ReadOptions::default());
            logs.discover(&Predicate::All, &spilltrail_event::Demand::all()).unwrap();
            assert_eq!(logs.report().fields_left_out > 0, is_reported, "{count}");
        }
    }

    #[test]
    fn a_stop_ends_a_pass() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "{\"a\":1}\n").unwrap();
        let names = [folder.path().display().to_string()];
        let options = ReadOptions::default();
        let stop = options.stop.clone();
        let logs = Arc::new(Logs::open(&names, Box::new(std::io::empty()), options));
        let request = ScanRequest { predicate: Predicate::All, fields: Vec::new() };
        let options = ScanOptions { threads: 2, memory: 0 };
        assert_eq!(logs.scan(vec![request.clone()], options).unwrap().rows(0), 1);
        stop.set();
        assert!(matches!(logs.scan(vec![request], options), Err(ScanError::Stopped)));
        let demand = spilltrail_event::Demand::all();
        assert!(matches!(logs.discover(&Predicate::All, &demand), Err(ScanError::Stopped)));
        assert_eq!(logs.newest_event(0.0).time, None);
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = || ArrowError::from(io::Error::from_raw_os_error(28));
        let error = ScanError::write(&full());
        let folder = std::env::temp_dir();
        let expected =
            format!("cannot write matched events to {}: no space left on device", folder.display());
        assert_eq!(error.to_string(), expected);
        let diagnostic = error.diagnostic();
        assert_eq!(diagnostic.code, Code::DISK);
        assert_eq!(
            diagnostic.help.as_deref(),
            Some("let `TMPDIR` name a folder that has more room, or raise `--memory-limit`")
        );
        assert!(ScanError::read_back(&full()).to_string().ends_with("no space left on device"));
    }
}

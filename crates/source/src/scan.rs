//! One pass over all logs for many searches.
//!
//! Threads take runs of files, decode them for all searches at once, and hand what they found to the
//! spool in the order of the files, so that the outcome does not depend on who was faster.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cpu_time::ThreadTime;
use datafusion::arrow::array::Array;
use datafusion::arrow::error::ArrowError;
use spilltrail_decode::{Decoder, Extraction, FileReport, Rows, schema_of};
use spilltrail_event::ScanRequest;

use crate::feed::{Content, Feed};
use crate::logs::{Duplicates, Logs};
use crate::spool::Spool;
use crate::wanted::Wanted;

/// Files of one run at most.
const RUN_FILES: usize = 256;
/// Bytes of one run's files, together, before inflating.
const RUN_BYTES: u64 = 2 * 1024 * 1024;
/// Memory of rows that wait for their turn, for each thread.
const WAITING: usize = 4 * 1024 * 1024;

/// How a pass is made.
#[derive(Debug, Clone, Copy)]
pub struct ScanOptions {
    /// Threads that decode.
    pub threads: usize,
    /// Memory that the rows found may take before they go to disk, in bytes.
    pub memory: usize,
}

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The rows found cannot be put by.
    #[error("the events found cannot be put by")]
    Spool(#[from] ArrowError),
    /// A bug in decoding.
    #[error("decoding failed")]
    Decoding,
}

/// What a pass found, and what it did.
#[derive(Debug)]
pub struct Scanned {
    pub(crate) logs: Arc<Logs>,
    pub(crate) requests: Arc<[ScanRequest]>,
    pub(crate) spool: Spool,
    costs: ScanCosts,
}

/// What a pass did.
#[derive(Debug, Clone, Default)]
pub struct ScanCosts {
    /// What became of the events.
    pub extraction: Extraction,
    /// Processor time of the threads.
    pub cpu: Duration,
    /// Memory of the rows that were put by, in bytes.
    pub held: usize,
    /// Bytes of them on disk.
    pub spilled: u64,
}

impl Scanned {
    /// Returns how many events a search took.
    #[must_use]
    pub fn rows(&self, search: usize) -> u64 {
        self.spool.rows(search)
    }

    /// Returns what the pass did.
    #[must_use]
    pub fn costs(&self) -> &ScanCosts {
        &self.costs
    }
}

/// Who may hand in rows next, and what waits.
struct Turn {
    next: usize,
    done: BTreeMap<usize, Found>,
    spool: Spool,
    failure: Option<ArrowError>,
}

/// Rows of several searches in the order in which they were found.
type Found = Vec<(usize, Rows)>;

/// A file whose turn it is.
enum Next {
    Place(usize),
    Read((usize, Result<Content, FileReport>)),
}

struct Pass {
    logs: Arc<Logs>,
    requests: Arc<[ScanRequest]>,
    /// The places of the files.
    files: Vec<usize>,
    /// Places in `files`.
    runs: Vec<Range<usize>>,
    begun: Mutex<usize>,
    /// Gives the files in order, where they come over a network.
    feed: Option<Feed>,
    turn: Mutex<Turn>,
    changed: Condvar,
    /// Runs that may wait for their turn.
    ahead: usize,
}

impl Logs {
    /// Reads all files once and keeps what each search asks for.
    ///
    /// # Errors
    /// Fails if rows cannot be put by. What of the files cannot be read is in [`Logs::report`].
    pub fn scan(
        self: &Arc<Self>,
        requests: Vec<ScanRequest>,
        options: ScanOptions,
    ) -> Result<Scanned, ScanError> {
        // Which of two equal events is the first is a question of order.
        let threads = match self.duplicates() {
            Duplicates::Keep => options.threads.max(1),
            Duplicates::Drop => 1,
        };
        let requests: Arc<[ScanRequest]> = requests.into();
        let wanted = requests.iter().map(|request| Wanted::of(&request.predicate));
        let files = self.files_for(&wanted.reduce(Wanted::union).unwrap_or_default());
        let sizes = files.iter().map(|index| self.files()[*index].size);
        let is_remote = files.iter().any(|index| self.files()[*index].is_remote());
        let schemas = requests.iter().map(|request| schema_of(&request.fields)).collect();
        let pass = Pass {
            logs: self.clone(),
            requests: requests.clone(),
            runs: runs(sizes),
            begun: Mutex::new(0),
            feed: is_remote.then(|| Feed::new(self, files.clone())),
            files,
            turn: Mutex::new(Turn {
                next: 0,
                done: BTreeMap::new(),
                spool: Spool::new(schemas, options.memory),
                failure: None,
            }),
            changed: Condvar::new(),
            ahead: threads * 2,
        };
        let mut costs = ScanCosts::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| pass.work())).collect();
            for worker in workers {
                let (extraction, cpu) = worker.join().map_err(|_| ScanError::Decoding)?;
                costs.extraction += extraction;
                costs.cpu += cpu;
            }
            Ok::<(), ScanError>(())
        })?;
        let turn = pass.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut spool = match turn.failure {
            Some(failure) => return Err(failure.into()),
            None => turn.spool,
        };
        spool.finish()?;
        (costs.held, costs.spilled) = spool.size();
        Ok(Scanned { logs: self.clone(), requests, spool, costs })
    }
}

/// Cuts the files into runs.
fn runs(sizes: impl Iterator<Item = u64>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut room = 0u64;
    for (index, size) in sizes.enumerate() {
        match runs.last_mut() {
            Some(run) if size <= room && run.len() < RUN_FILES => {
                run.end += 1;
                room -= size;
            }
            _ => {
                runs.push(index..index + 1);
                room = RUN_BYTES.saturating_sub(size);
            }
        }
    }
    runs
}

impl Pass {
    fn work(&self) -> (Extraction, Duration) {
        let started = ThreadTime::now();
        let mut decoder = self.logs.decoder(self.requests.clone(), self.logs.seen_events());
        let mut spare = Vec::new();
        // Whatever ends this thread, the others must not wait for it.
        let guard = Leave(self);
        while let Some((number, files)) = self.next_run() {
            if self.decode(number, files, &mut decoder, &mut spare).is_break() {
                break;
            }
        }
        guard.finish();
        (decoder.counts(), started.elapsed())
    }

    /// Returns the number and the files of the next run; those from a network have their bytes.
    fn next_run(&self) -> Option<(usize, Vec<Next>)> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *begun;
        let files = &self.files[self.runs.get(number)?.clone()];
        *begun += 1;
        let files = match &self.feed {
            // The order of the feed is that of the runs as long as the lock is held.
            Some(feed) => files.iter().map_while(|_| feed.next()).map(Next::Read).collect(),
            None => files.iter().map(|index| Next::Place(*index)).collect(),
        };
        Some((number, files))
    }

    fn decode(
        &self,
        number: usize,
        files: Vec<Next>,
        decoder: &mut Decoder,
        spare: &mut Vec<u8>,
    ) -> ControlFlow<()> {
        let mut rows = Vec::new();
        let mut size = 0;
        let mut shared = None;
        let mut sink = |search: usize, found: Rows| {
            size += found.memory();
            if let Some(texts) = found.shared()
                && !shared.as_ref().is_some_and(|last| Arc::ptr_eq(last, texts))
            {
                size += texts.get_array_memory_size();
                shared = Some(texts.clone());
            }
            rows.push((search, found));
            if size < WAITING {
                return ControlFlow::Continue(());
            }
            size = 0;
            self.hand_in_some(number, std::mem::take(&mut rows))
        };
        for file in files {
            let (index, content) = match file {
                Next::Place(index) => (index, self.logs.content(index, std::mem::take(spare))),
                Next::Read(read) => read,
            };
            *spare = self.logs.decode(index, content, decoder, &mut sink);
        }
        decoder.finish(&mut sink)?;
        self.hand_in(number, rows)
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, is_ready: impl Fn(&Turn) -> bool) -> MutexGuard<'_, Turn> {
        let mut turn = self.turn();
        while turn.failure.is_none() && !is_ready(&turn) {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        turn
    }

    /// Hands in rows of a run that is not at its end, when it is its turn.
    fn hand_in_some(&self, number: usize, rows: Found) -> ControlFlow<()> {
        let mut turn = self.wait(|turn| turn.next == number);
        turn.keep(rows)
    }

    /// Hands in the last rows of a run.
    fn hand_in(&self, number: usize, rows: Found) -> ControlFlow<()> {
        let mut turn = self.wait(|turn| turn.next == number || turn.done.len() < self.ahead);
        turn.done.insert(number, rows);
        let mut flow = ControlFlow::Continue(());
        while flow.is_continue()
            && let next = turn.next
            && let Some(rows) = turn.done.remove(&next)
        {
            flow = turn.keep(rows);
            turn.next += 1;
        }
        self.changed.notify_all();
        flow
    }
}

impl Turn {
    fn keep(&mut self, rows: Found) -> ControlFlow<()> {
        if self.failure.is_some() {
            return ControlFlow::Break(());
        }
        for (search, rows) in rows {
            if let Err(failure) = self.spool.push(search, rows) {
                self.failure = Some(failure);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// Tells the other threads if this one dies before its end.
struct Leave<'a>(&'a Pass);

impl Leave<'_> {
    fn finish(self) {
        std::mem::forget(self);
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let failure = ArrowError::ComputeError("decoding failed".to_owned());
        self.0.turn().failure.get_or_insert(failure);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use spilltrail_event::{CaseRule, Comparison, Field, Kind, Pattern, Predicate};

    use super::*;
    use crate::logs::ReadOptions;

    #[test]
    fn runs_are_bounded() {
        let mib = 1024 * 1024;
        assert_eq!(runs([mib, mib, 1, 5 * mib, 1].into_iter()), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(runs(std::iter::repeat_n(1, 300)), [0..256, 256..300]);
        assert!(runs(std::iter::empty()).is_empty());
    }

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
            let logs = Logs::open(&names, &mut std::io::empty(), ReadOptions::default());
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
}

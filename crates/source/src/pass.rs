//! One pass over files: several threads read them, and their results are consumed in file order, so
//! the outcome does not depend on which thread is faster.
//!
//! Each thread takes a run of files. The thread that has the earliest unfinished run hands over its
//! results immediately. The others keep theirs until it is their turn, and block when those exceed
//! [`WAITING`]. So the results that are kept stay bounded even if the consumer is slow.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cpu_time::ThreadTime;
use spilltrail_decode::FileReport;
use spilltrail_event::StopToken;

use crate::feed::{Content, Feed};
use crate::logs::Logs;
use crate::scan::ScanError;

/// Most files in one run.
const RUN_FILES: usize = 256;
/// Most bytes of the files of one run, before decompression; its first file may be larger.
const RUN_BYTES: u64 = 2 * 1024 * 1024;
/// Bytes of the first run. Each run after it may have twice as many, up to [`RUN_BYTES`]. A small
/// first run returns the first rows early, so a search that needs only a few rows ends early.
const FIRST_RUN_BYTES: u64 = 64 * 1024;
/// Bytes of results that each thread keeps before it blocks until its turn.
const WAITING: usize = 4 * 1024 * 1024;

/// Reads files for one thread of a pass.
pub(crate) trait Finder: Send {
    /// The results of reading, such as rows.
    type Found: Send;

    /// Reads one file, and passes each result to `give` with its size in bytes. Breaks if `give`
    /// breaks or if the pass is canceled.
    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        give: Give<'_, Self::Found>,
    ) -> ControlFlow<()>;

    /// Passes the remaining results of a run of files to `give`.
    fn finish_run(&mut self, give: Give<'_, Self::Found>) -> ControlFlow<()>;

    /// Returns an allocation that the next file may reuse.
    fn spare(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// The callback for results and their size in bytes.
pub(crate) type Give<'a, F> = &'a mut dyn FnMut(F, usize) -> ControlFlow<()>;

/// Consumes results in the order of the files.
pub(crate) trait Taker<F>: Send {
    /// Consumes one result; breaks if no more are needed. If it blocks, the reading threads block
    /// too.
    fn take(&mut self, found: F) -> ControlFlow<()>;
}

/// Why a pass ended before it had read all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The taker needs no more results.
    Enough,
    /// The pass was canceled.
    Stopped,
    /// A thread panicked because of a bug.
    Broken,
}

impl End {
    /// Returns the error of a pass that ended for this reason. A taker that needs no more is no error.
    pub(crate) fn error(end: Option<Self>) -> Result<(), ScanError> {
        match end {
            None | Some(Self::Enough) => Ok(()),
            Some(Self::Stopped) => Err(ScanError::Stopped),
            Some(Self::Broken) => Err(ScanError::Bug),
        }
    }
}

/// The state of a pass after it ended.
pub(crate) struct Outcome<R, T> {
    /// The finder of each thread, with the processor time of the thread.
    pub(crate) finders: Vec<(R, Duration)>,
    pub(crate) taker: T,
    /// Why the pass ended early; `None` if all files were read.
    pub(crate) end: Option<End>,
}

/// The number of the run whose turn it is, and the results of finished runs after it.
struct Turn<F> {
    next: usize,
    done: BTreeMap<usize, Vec<F>>,
    end: Option<End>,
}

/// A pass over files.
pub(crate) struct Pass<'a, F, T> {
    logs: &'a Logs,
    /// Indexes of the files in `logs`.
    files: Vec<usize>,
    /// The runs, as ranges of `files`.
    runs: Vec<Range<usize>>,
    begun: Mutex<usize>,
    /// Fetches the files in order; `None` if all of them are local.
    feed: Option<Feed>,
    turn: Mutex<Turn<F>>,
    changed: Condvar,
    /// Locked by the thread whose turn it is.
    taker: Mutex<T>,
    threads: usize,
    stop: StopToken,
}

/// A file of a run: its index, or also its content if that was fetched.
enum Next {
    Index(usize),
    Read(Box<(usize, Result<Content, FileReport>)>),
}

impl<'a, F: Send, T: Taker<F>> Pass<'a, F, T> {
    /// Creates a pass over the files at the indexes `files`.
    pub(crate) fn new(
        logs: &'a Logs,
        files: Vec<usize>,
        threads: usize,
        taker: T,
        stop: StopToken,
    ) -> Self {
        let runs = runs(files.iter().map(|index| logs.files()[*index].size));
        let is_remote = files.iter().any(|index| logs.files()[*index].is_remote());
        Self {
            logs,
            threads: threads.clamp(1, runs.len().max(1)),
            runs,
            begun: Mutex::new(0),
            feed: is_remote.then(|| Feed::new(logs, files.clone())),
            files,
            turn: Mutex::new(Turn { next: 0, done: BTreeMap::new(), end: None }),
            changed: Condvar::new(),
            taker: Mutex::new(taker),
            stop,
        }
    }

    /// Reads the files on several threads, each with its own finder, and returns when all have
    /// ended.
    pub(crate) fn run<R>(self, finder: impl Fn() -> R + Sync) -> Outcome<R, T>
    where
        R: Finder<Found = F>,
    {
        let finished: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.threads).map(|_| scope.spawn(|| self.work(finder()))).collect();
            workers.into_iter().map(|worker| worker.join()).collect()
        });
        let finders: Result<Vec<_>, _> = finished.into_iter().collect();
        let turn = self.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        Outcome {
            end: if finders.is_err() { Some(End::Broken) } else { turn.end },
            finders: finders.unwrap_or_default(),
            taker: self.taker.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn work<R: Finder<Found = F>>(&self, mut finder: R) -> (R, Duration) {
        let started = ThreadTime::now();
        // If this thread panics, the guard ends the pass, so that no other thread waits for its
        // run.
        let guard = Leave(self);
        while !self.is_stopped()
            && let Some((number, files)) = self.next_run()
        {
            if self.read_run(number, files, &mut finder).is_break() {
                self.end(if self.stop.is_set() { End::Stopped } else { End::Enough });
                break;
            }
        }
        guard.finish();
        (finder, started.elapsed())
    }

    fn is_stopped(&self) -> bool {
        let is_stopped = self.stop.is_set();
        if is_stopped {
            self.end(End::Stopped);
        }
        is_stopped
    }

    /// Returns the number and the files of the next run; fetched files come with their content.
    fn next_run(&self) -> Option<(usize, Vec<Next>)> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *begun;
        let files = &self.files[self.runs.get(number)?.clone()];
        *begun += 1;
        let files = match &self.feed {
            // The lock on `begun` is held here, so each run receives its own files from the feed.
            Some(feed) => {
                let read = files.iter().map_while(|_| feed.next());
                read.map(|read| Next::Read(Box::new(read))).collect()
            }
            None => files.iter().map(|index| Next::Index(*index)).collect(),
        };
        Some((number, files))
    }

    fn read_run<R: Finder<Found = F>>(
        &self,
        number: usize,
        files: Vec<Next>,
        finder: &mut R,
    ) -> ControlFlow<()> {
        let mut held = Vec::new();
        let mut size = 0;
        // Results that exceed the limit wait here for their turn. Smaller ones are handed over if
        // it is already this run's turn, and are otherwise kept without blocking the thread.
        let mut give = |found: F, bytes: usize| {
            held.push(found);
            size += bytes;
            if size >= WAITING {
                drop(self.wait_for(|turn| turn.next == number)?);
            } else if !self.is_turn_of(number)? {
                return ControlFlow::Continue(());
            }
            size = 0;
            self.take(std::mem::take(&mut held))
        };
        for file in files {
            let (index, content) = match file {
                Next::Index(index) => (index, self.logs.content(index, finder.spare())),
                Next::Read(read) => *read,
            };
            finder.read(index, content, &mut give)?;
        }
        finder.finish_run(&mut give)?;
        self.finish_run(number, held)
    }

    fn turn(&self) -> MutexGuard<'_, Turn<F>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_turn_of(&self, number: usize) -> ControlFlow<(), bool> {
        let turn = self.turn();
        if turn.end.is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(turn.next == number)
    }

    fn wait_for(
        &self,
        is_ready: impl Fn(&Turn<F>) -> bool,
    ) -> ControlFlow<(), MutexGuard<'_, Turn<F>>> {
        let mut turn = self.turn();
        while turn.end.is_none() && !is_ready(&turn) {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(turn) }
    }

    /// Passes the results of the current run to the taker.
    fn take(&self, found: Vec<F>) -> ControlFlow<()> {
        // The lock on `turn` is not held, so other threads can continue while the taker blocks this
        // one.
        let mut taker = self.taker.lock().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().try_for_each(|found| taker.take(found))
    }

    /// Hands over the last results of a run, then those of the finished runs that directly follow
    /// it.
    fn finish_run(&self, number: usize, found: Vec<F>) -> ControlFlow<()> {
        let ahead = self.threads * 2;
        // A thread may finish a run before its turn, but only so many finished runs are kept in
        // memory.
        let mut turn = self.wait_for(|turn| turn.next == number || turn.done.len() < ahead)?;
        turn.done.insert(number, found);
        // Only the thread that removes the current run enters the loop, so no other thread calls
        // `take`.
        while turn.end.is_none()
            && let next = turn.next
            && let Some(found) = turn.done.remove(&next)
        {
            drop(turn);
            self.take(found)?;
            turn = self.turn();
            turn.next += 1;
            self.changed.notify_all();
        }
        ControlFlow::Continue(())
    }

    /// Ends the pass for all threads; the first reason is kept.
    fn end(&self, end: End) {
        self.turn().end.get_or_insert(end);
        self.changed.notify_all();
    }
}

/// Ends the pass if the thread panics.
struct Leave<'p, 'a, F: Send, T: Taker<F>>(&'p Pass<'a, F, T>);

impl<F: Send, T: Taker<F>> Leave<'_, '_, F, T> {
    fn finish(self) {
        std::mem::forget(self);
    }
}

impl<F: Send, T: Taker<F>> Drop for Leave<'_, '_, F, T> {
    fn drop(&mut self) {
        self.0.end(End::Broken);
    }
}

/// Divides the files into runs, given their sizes.
fn runs(sizes: impl Iterator<Item = u64>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut bytes = FIRST_RUN_BYTES;
    let mut room = 0u64;
    for (index, size) in sizes.enumerate() {
        match runs.last_mut() {
            Some(run) if size <= room && run.len() < RUN_FILES => {
                run.end += 1;
                room -= size;
            }
            _ => {
                runs.push(index..index + 1);
                room = bytes.saturating_sub(size);
                bytes = (bytes * 2).min(RUN_BYTES);
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests;

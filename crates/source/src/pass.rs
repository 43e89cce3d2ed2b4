//! One pass over files: several threads read them, and what they find is taken in the order of the files,
//! so that the outcome does not depend on which thread was faster.
//!
//! Threads take runs of files. Whoever has the first run that is not done hands over what is found at
//! once; others keep theirs until it is their turn, and wait when that becomes too much. So memory is
//! bounded by how fast the taker is.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cpu_time::ThreadTime;
use spilltrail_decode::FileReport;
use spilltrail_event::StopToken;

use crate::feed::{Content, Feed};
use crate::logs::Logs;

/// Files of one run at most.
const RUN_FILES: usize = 256;
/// Bytes of one run's files, together, before inflating.
const RUN_BYTES: u64 = 2 * 1024 * 1024;
/// Bytes of the first run. The runs after it have twice as many each, until they have all: the first rows
/// come soon, and a search that needs no more of them ends soon.
const FIRST_RUN_BYTES: u64 = 64 * 1024;
/// Memory of what waits for its turn, for each thread.
const WAITING: usize = 4 * 1024 * 1024;

/// Reads files for one thread of a pass.
pub(crate) trait Finder: Send {
    /// What is found in files.
    type Found: Send;

    /// Reads one file, and gives what it finds with the memory that this takes, in bytes. Breaks if `give`
    /// does, or if it was told to stop.
    fn read(
        &mut self,
        index: usize,
        content: Result<Content, FileReport>,
        give: Give<'_, Self::Found>,
    ) -> ControlFlow<()>;

    /// Gives what it still has of a run of files.
    fn finish_run(&mut self, give: Give<'_, Self::Found>) -> ControlFlow<()>;

    /// Returns memory that the next file may be read into.
    fn spare(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// Who is given what a thread finds.
pub(crate) type Give<'a, F> = &'a mut dyn FnMut(F, usize) -> ControlFlow<()>;

/// Takes what is found, in the order of the files.
pub(crate) trait Taker<F>: Send {
    /// Takes something; breaks if no more is wanted. It may wait, which makes the threads wait.
    fn take(&mut self, found: F) -> ControlFlow<()>;
}

/// Why a pass did not read all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The taker wants no more.
    Enough,
    /// It was told to stop.
    Stopped,
    /// A thread died of a bug.
    Broken,
}

/// What a pass came to.
pub(crate) struct Outcome<R, T> {
    /// What the threads read with, and the processor time of each.
    pub(crate) finders: Vec<(R, Duration)>,
    pub(crate) taker: T,
    /// `None` if all files were read.
    pub(crate) end: Option<End>,
}

/// Which run's turn it is, and what waits for its own.
struct Turn<F> {
    next: usize,
    done: BTreeMap<usize, Vec<F>>,
    end: Option<End>,
}

/// A pass over files.
pub(crate) struct Pass<'a, F, T> {
    logs: &'a Logs,
    /// Indexes of the files.
    files: Vec<usize>,
    /// Ranges of `files`.
    runs: Vec<Range<usize>>,
    begun: Mutex<usize>,
    /// Gives the files in order, where they come over a network.
    feed: Option<Feed>,
    turn: Mutex<Turn<F>>,
    changed: Condvar,
    /// Locked by the thread whose turn it is.
    taker: Mutex<T>,
    threads: usize,
    stop: StopToken,
}

/// A file whose turn it is.
enum Next {
    Index(usize),
    Read((usize, Result<Content, FileReport>)),
}

impl<'a, F: Send, T: Taker<F>> Pass<'a, F, T> {
    /// Prepares a pass over the files at these indexes.
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

    /// Reads the files, each thread with a finder of its own; returns when all threads are done.
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
        // Whatever ends this thread, the others must not wait for it.
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

    /// Returns the number and the files of the next run; those from a network have their bytes.
    fn next_run(&self) -> Option<(usize, Vec<Next>)> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *begun;
        let files = &self.files[self.runs.get(number)?.clone()];
        *begun += 1;
        let files = match &self.feed {
            // The order of the feed is that of the runs as long as the lock is held.
            Some(feed) => files.iter().map_while(|_| feed.next()).map(Next::Read).collect(),
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
                Next::Read(read) => read,
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

    /// Hands over what was found in the run whose turn it is.
    fn take(&self, found: Vec<F>) -> ControlFlow<()> {
        // The lock of the turn is free, so that others can go on while the taker makes this one wait.
        let mut taker = self.taker.lock().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().try_for_each(|found| taker.take(found))
    }

    /// Hands over the last of a run, and of the runs after it that are done, when it is their turn.
    fn finish_run(&self, number: usize, found: Vec<F>) -> ControlFlow<()> {
        let ahead = self.threads * 2;
        let mut turn = self.wait_for(|turn| turn.next == number || turn.done.len() < ahead)?;
        turn.done.insert(number, found);
        // Only the thread that finds the run of the turn comes here: nobody else takes meanwhile.
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

    /// Makes all threads end.
    fn end(&self, end: End) {
        self.turn().end.get_or_insert(end);
        self.changed.notify_all();
    }
}

/// Ends the pass if the thread dies before its end.
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

/// Cuts the files into runs.
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

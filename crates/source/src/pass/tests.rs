//! Order, limits and ends of a pass, regardless of which thread is faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::logs::ReadOptions;

#[test]
fn runs_are_bounded_and_begin_small() {
    let kib = 1024;
    let sizes = [64 * kib, 64 * kib, 64 * kib, 5000 * kib, 1];
    assert_eq!(runs(sizes.into_iter()), [0..1, 1..3, 3..4, 4..5]);
    assert_eq!(runs(std::iter::repeat_n(1, 300)), [0..256, 256..300]);
    assert_eq!(runs(std::iter::repeat_n(1024 * kib, 21)).last(), Some(&(19..21)));
    assert!(runs(std::iter::empty()).is_empty());
}

/// Creates this many files, each larger than a run.
fn logs(files: usize) -> (tempfile::TempDir, Logs) {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..files {
        let file = std::fs::File::create(folder.path().join(format!("{file:03}"))).unwrap();
        file.set_len(RUN_BYTES + 1).unwrap();
    }
    let names = [folder.path().display().to_string()];
    (folder, Logs::open(&names, Box::new(std::io::empty()), ReadOptions::default()))
}

/// Reports the index of each file zero to three times, and counts the files read.
struct Indexes {
    read: Arc<AtomicUsize>,
    memory: usize,
    /// The index of the file at which the thread panics.
    dies_at: Option<usize>,
}

impl Finder for Indexes {
    type Found = usize;

    fn read(
        &mut self,
        index: usize,
        _: Result<Content, FileReport>,
        give: Give<'_, usize>,
    ) -> ControlFlow<()> {
        self.read.fetch_add(1, Ordering::Relaxed);
        assert_ne!(self.dies_at, Some(index), "it dies");
        for _ in 0..index % 4 {
            give(index, self.memory)?;
        }
        ControlFlow::Continue(())
    }

    fn finish_run(&mut self, _: Give<'_, usize>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Takes `room` results, then breaks.
struct Room {
    taken: Vec<usize>,
    room: usize,
}

impl Taker<usize> for Room {
    fn take(&mut self, found: usize) -> ControlFlow<()> {
        if self.taken.len() == self.room {
            return ControlFlow::Break(());
        }
        self.taken.push(found);
        ControlFlow::Continue(())
    }
}

struct Done {
    taken: Vec<usize>,
    end: Option<End>,
    read: usize,
}

fn pass(files: usize, threads: usize, memory: usize, room: usize, dies_at: Option<usize>) -> Done {
    let (_folder, logs) = logs(files);
    let read = Arc::new(AtomicUsize::new(0));
    let taker = Room { taken: Vec::new(), room };
    let pass = Pass::new(&logs, (0..files).collect(), threads, taker, StopToken::new());
    let outcome = pass.run(|| Indexes { read: read.clone(), memory, dies_at });
    Done { taken: outcome.taker.taken, end: outcome.end, read: read.load(Ordering::Relaxed) }
}

#[test]
fn what_is_found_is_taken_in_the_order_of_the_files() {
    let expected: Vec<usize> = (0..50).flat_map(|file| vec![file; file % 4]).collect();
    for threads in [1, 2, 5] {
        // No result, every result, or every second result must wait for its turn.
        for memory in [0, WAITING, WAITING / 2] {
            let done = pass(50, threads, memory, usize::MAX, None);
            assert_eq!(done.taken, expected, "{threads} {memory}");
            assert_eq!((done.end, done.read), (None, 50));
        }
    }
}

#[test]
fn a_pass_ends_when_no_more_is_wanted() {
    for threads in [1, 3] {
        let done = pass(200, threads, 1, 5, None);
        assert_eq!((done.taken.as_slice(), done.end), (&[1, 2, 2, 3, 3][..], Some(End::Enough)));
        // Each thread may be in a run, and a few finished runs wait.
        assert!(done.read <= 5 + 3 * threads, "{threads} {}", done.read);
    }
}

#[test]
fn nobody_waits_for_a_thread_that_dies() {
    for threads in [1, 2, 5] {
        let done = pass(50, threads, WAITING, usize::MAX, Some(7));
        assert_eq!(done.end, Some(End::Broken), "{threads}");
        assert!(done.taken.iter().all(|file| *file < 7));
    }
}

#[test]
fn a_stop_ends_a_pass_before_it_begins() {
    let (_folder, logs) = logs(3);
    let stop = StopToken::new();
    stop.set();
    let taker = Room { taken: Vec::new(), room: 9 };
    let read = Arc::new(AtomicUsize::new(0));
    let pass = Pass::new(&logs, vec![0, 1, 2], 2, taker, stop);
    let outcome = pass.run(|| Indexes { read: read.clone(), memory: 0, dies_at: None });
    assert_eq!((outcome.end, read.load(Ordering::Relaxed)), (Some(End::Stopped), 0));
}

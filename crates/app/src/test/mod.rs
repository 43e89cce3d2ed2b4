//! Runs the tests that detections have in their own files.
//!
//! A test names logs and says how many results the detection must return for them. Each runs by
//! itself, over its own logs, in memory. Beyond the number of results, it is checked that they make
//! the risk events and the notable that the detection promises ([`checks`]).

mod changed;
mod checks;
mod data;
mod moved;
mod one;
mod report;

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use spilltrail_content::{ContentSet, Detection, DetectionTest, Status, TestType};
use spilltrail_detect::AnalyzedContent;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cancel::{StopWhenDropped, until_cancelled};
use crate::content::Content;
use crate::error::AppError;
use crate::options::RunOptions;
use crate::select::Selection;
use changed::Changed;
use one::Bench;
pub use report::{TestCounts, TestReport, TestStatus, TestSummary};

/// Selects the tests to run, and the logs that they run on.
#[derive(Debug, Clone, Default)]
pub struct TestOptions {
    /// Which detections are tested.
    pub select: Selection,
    /// Whether only detections of content folders are tested, and not those of the built-in pack.
    pub only_folders: bool,
    /// A revision of Git: only detections are tested that changed since then, or whose logs, macros
    /// or lookups did.
    pub changed: Option<String>,
    /// Folders with copies of the datasets that tests name by URL.
    pub datasets: Vec<PathBuf>,
    /// Whether tests run, too, that are not meant to run by themselves: experimental and manual
    /// ones, and those of experimental, deprecated and removed detections.
    pub experimental: bool,
    /// Number of tests that run at the same time; one per processor if `None`.
    pub at_a_time: Option<usize>,
    /// Time, reading and memory options. Tests have no time range.
    pub run: RunOptions,
}

/// The least memory of a test, in bytes, for which another one runs at the same time.
const LEAST_MEMORY: usize = 32 << 20;

/// Runs the tests of detections, several at a time. The reports are in the order of the detections.
///
/// Tests run on blocking threads of the calling Tokio runtime; see [`hunt`](crate::hunt()).
///
/// # Errors
/// Fails if an option is invalid, no detection is selected, or the run is canceled. A test that cannot
/// run is not an error: its report says why.
pub async fn test(content: &Content, options: &TestOptions) -> Result<TestSummary, AppError> {
    let started = Instant::now();
    let selected = options.select.choose(&content.set)?;
    let analyzed = Arc::new(AnalyzedContent::new(content.set.clone()));
    let mut tested = if options.only_folders { own(&selected, &content.set)? } else { selected };
    if let Some(revision) = &options.changed {
        let roots = |index: &usize| content.set.detections[*index].root.as_deref();
        let roots: BTreeSet<&Path> = tested.iter().filter_map(roots).collect();
        if roots.is_empty() {
            return Err(AppError::NoRevisions { revision: revision.clone() });
        }
        let changed = Changed::since(revision, &roots)?;
        tested.retain(|index| changed.has(*index, &analyzed));
    }
    // A wrong time zone or time is told once, not by each test.
    crate::clock::Clock::new(&options.run.time)?;
    let mut waiting = VecDeque::new();
    let mut untested = Vec::new();
    for place in &tested {
        let detection = &content.set.detections[*place];
        if detection.tests.is_empty() {
            untested.push(detection.name.clone());
        }
        waiting.extend((0..detection.tests.len()).map(|test| (*place, test)));
    }
    let count = waiting.len();
    let at_a_time = options
        .at_a_time
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let mut run = options.run.clone();
    run.read.threads = Some(1);
    let (at_a_time, memory_limit) = shares(at_a_time.clamp(1, count.max(1)), run.memory_limit);
    run.memory_limit = memory_limit;
    let stop = StopWhenDropped::default();
    let queue = Arc::new(Queue {
        waiting: Mutex::new(waiting.into_iter().enumerate().collect()),
        bench: Bench {
            content: analyzed,
            datasets: options.datasets.clone(),
            run,
            stop: stop.token(),
        },
        experimental: options.experimental,
        cancel: CancellationToken::new(),
    });
    // Ends the workers between two tests if this future is dropped.
    let _cancel = queue.cancel.clone().drop_guard();
    let (sender, mut receiver) = mpsc::channel(at_a_time);
    let mut workers = JoinSet::new();
    for _ in 0..at_a_time {
        let (queue, sender) = (queue.clone(), sender.clone());
        workers.spawn_blocking(move || queue.work(&sender));
    }
    drop(sender);
    let collect = async {
        let mut reports: Vec<Option<TestReport>> = vec![None; count];
        while let Some((place, report)) = receiver.recv().await {
            reports[place] = Some(report);
        }
        Ok(reports)
    };
    let reports = until_cancelled(&options.run.cancel, collect).await?;
    while workers.join_next().await.is_some() {}
    let reports: Vec<TestReport> = reports.into_iter().flatten().collect();
    if reports.len() < count {
        return Err(AppError::Bug("a thread of the tests ended".to_owned()));
    }
    Ok(TestSummary::new(reports, tested.len() as u64, untested, started.elapsed()))
}

/// Returns how many of `wanted` tests run at the same time, and the memory limit of each: together they
/// stay within `limit`.
fn shares(wanted: usize, limit: Option<usize>) -> (usize, Option<usize>) {
    let Some(limit) = limit else { return (wanted, None) };
    let at_a_time = wanted.min(limit / LEAST_MEMORY).max(1);
    (at_a_time, Some(limit / at_a_time))
}

/// Returns the selected detections of content folders.
fn own(selected: &[usize], set: &ContentSet) -> Result<Vec<usize>, AppError> {
    let is_own = |index: &usize| set.detections[*index].root.is_some();
    let own: Vec<usize> = selected.iter().copied().filter(is_own).collect();
    if own.is_empty() { Err(AppError::NoDetections) } else { Ok(own) }
}

/// The tests that wait for a thread.
struct Queue {
    /// The tests as indexes of detection and test, each with its place in the result.
    waiting: Mutex<VecDeque<(usize, (usize, usize))>>,
    bench: Bench,
    experimental: bool,
    cancel: CancellationToken,
}

impl Queue {
    fn work(&self, reports: &mpsc::Sender<(usize, TestReport)>) {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((place, (detection, test))) = next.filter(|_| !self.cancel.is_cancelled())
            else {
                return;
            };
            // A bug in one test must not stop the others.
            let report = catch_unwind(AssertUnwindSafe(|| self.run(detection, test)));
            let report = report.unwrap_or_else(|_| Some(self.broken(detection, test)));
            let Some(report) = report else { return };
            if reports.blocking_send((place, report)).is_err() {
                return;
            }
        }
    }

    /// Runs a test on this thread, or returns `None` if it is canceled.
    fn run(&self, place: usize, test: usize) -> Option<TestReport> {
        let started = Instant::now();
        let detection = &self.bench.content.set.detections[place];
        let mut report = TestReport::new(detection, test);
        if let Some(reason) = skipped(detection, &detection.tests[test], self.experimental) {
            report.conclude(TestStatus::Skipped, vec![reason]);
            return Some(report);
        }
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                report.conclude(TestStatus::Error, vec![error.to_string()]);
                return Some(report);
            }
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => None,
                () = self.bench.run(place, test, &mut report) => Some(()),
            }
        })?;
        report.elapsed = started.elapsed();
        Some(report)
    }

    fn broken(&self, place: usize, test: usize) -> TestReport {
        let mut report = TestReport::new(&self.bench.content.set.detections[place], test);
        let bug = "a bug in Spilltrail ended the test".to_owned();
        report.conclude(TestStatus::Error, vec![bug]);
        report
    }
}

/// Returns why a test does not run by itself, if that is so.
fn skipped(detection: &Detection, test: &DetectionTest, experimental: bool) -> Option<String> {
    if experimental {
        return None;
    }
    let because = |what: &str, why: &str| match why.trim() {
        "" => what.to_owned(),
        why => format!("{what}: {why}"),
    };
    match &test.test_type {
        TestType::Unit => {}
        TestType::Experimental => return Some(because("an experimental test", &test.description)),
        TestType::Manual => return Some(because("a manual test", &test.description)),
        TestType::Other(name) => return Some(format!("a test of the unknown type `{name}`")),
    }
    if let Some(why) = &detection.manual_test {
        return Some(because("a manual test", why));
    }
    match detection.status {
        Status::Experimental => Some("the detection is experimental".to_owned()),
        Status::Deprecated => Some("the detection is deprecated".to_owned()),
        Status::Removed => Some("the detection is removed".to_owned()),
        Status::Production | Status::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_together_stay_within_the_limit_of_memory() {
        const MIB: usize = 1 << 20;
        for (wanted, limit, expected) in [
            (4, None, (4, None)),
            (4, Some(400 * MIB), (4, Some(100 * MIB))),
            (4, Some(100 * MIB), (3, Some(100 * MIB / 3))),
            (4, Some(MIB), (1, Some(MIB))),
        ] {
            assert_eq!(shares(wanted, limit), expected);
        }
    }
}

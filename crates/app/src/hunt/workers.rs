//! Worker threads that run detections. Each thread runs one detection at a time, so that the CPU
//! time of the thread is that of the detection.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use cpu_time::ThreadTime;
use futures::executor::block_on;
use spilltrail_detect::hunt::Job;
use spilltrail_detect::{AnalyzedContent, DetectionRun, Finding};
use spilltrail_diagnostic::Diagnostic;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::environment::Environment;

/// Number of detections per thread that may run ahead of the one whose findings are delivered.
const AHEAD: usize = 1;

/// Number of messages of one detection that may wait in its channel; each has a few findings.
const WAITING: usize = 2;

/// One output of a detection.
pub(super) enum Step {
    /// One finding.
    Finding(Box<Finding>),
    /// The detection is done; all its findings were returned before.
    Done(Box<DetectionRun>),
}

/// The receiving ends of a detection: its findings, then its outcome. The permit limits how many
/// detections have started but are not delivered yet; it is released with the outcome.
struct Running {
    place: usize,
    findings: mpsc::Receiver<Vec<Finding>>,
    /// Received findings that are not returned yet.
    received: std::vec::IntoIter<Finding>,
    run: oneshot::Receiver<(DetectionRun, OwnedSemaphorePermit)>,
}

/// A job that waits for a thread, with the sending ends of its [`Running`].
struct Queued {
    job: Job,
    findings: mpsc::Sender<Vec<Finding>>,
    run: oneshot::Sender<(DetectionRun, OwnedSemaphorePermit)>,
}

/// The running detections, whose outputs are returned in the order of the jobs.
pub(super) struct Finished {
    content: Arc<AnalyzedContent>,
    run_id: Arc<str>,
    running: VecDeque<Running>,
    workers: JoinSet<()>,
    /// Cancels the workers when it is dropped.
    _cancel: DropGuard,
}

struct Queue {
    content: Arc<AnalyzedContent>,
    run_id: Arc<str>,
    jobs: Mutex<VecDeque<Queued>>,
    room: Arc<Semaphore>,
    cancel: CancellationToken,
}

/// Starts the jobs on the blocking threads of the calling Tokio runtime.
pub(super) fn run(
    environment: &Environment,
    content: Arc<AnalyzedContent>,
    jobs: Vec<Job>,
    run_id: &str,
) -> Finished {
    let run_id: Arc<str> = run_id.into();
    let at_a_time = environment.at_a_time();
    let (mut running, mut queued) = (VecDeque::new(), VecDeque::new());
    for job in jobs {
        let (findings, found) = mpsc::channel(WAITING);
        let (run, done) = oneshot::channel();
        let received = Vec::new().into_iter();
        running.push_back(Running { place: job.place, findings: found, received, run: done });
        queued.push_back(Queued { job, findings, run });
    }
    let cancel = CancellationToken::new();
    let queue = Arc::new(Queue {
        content: content.clone(),
        run_id: run_id.clone(),
        jobs: Mutex::new(queued),
        room: Arc::new(Semaphore::new(at_a_time * (1 + AHEAD))),
        cancel: cancel.clone(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..at_a_time {
        let queue = queue.clone();
        // Ends when no jobs remain, or when the receivers are dropped.
        workers.spawn_blocking(move || queue.work());
    }
    Finished { content, run_id, running, workers, _cancel: cancel.drop_guard() }
}

impl Queue {
    fn work(&self) {
        loop {
            let Ok(room) = block_on(self.room.clone().acquire_owned()) else { return };
            // Jobs start in order, so the detection whose findings are delivered next has started.
            let next = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(Queued { job, findings, run }) = next else { return };
            // A panic in one detection must not stop the others.
            let result = catch_unwind(AssertUnwindSafe(|| self.run(&job, findings)));
            let result = result.unwrap_or_else(|_| Some(Err("it panicked".to_owned())));
            // `None` means canceled, and all jobs are canceled together.
            let Some(result) = result else { return };
            let result = result
                .unwrap_or_else(|reason| broken(&self.content, job.place, &self.run_id, &reason));
            if run.send((result, room)).is_err() {
                return;
            }
        }
    }

    /// Runs a job, or returns `None` if it is canceled.
    ///
    /// All tasks of the job run on this thread, so the CPU time of the thread is that of the job.
    fn run(
        &self,
        job: &Job,
        findings: mpsc::Sender<Vec<Finding>>,
    ) -> Option<Result<DetectionRun, String>> {
        let started = ThreadTime::now();
        let runtime = match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(error.to_string())),
        };
        let mut run = runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => None,
                run = job.run(&self.content, &self.run_id, findings) => Some(run),
            }
        })?;
        run.cpu += started.elapsed();
        Some(Ok(run))
    }
}

impl Finished {
    /// Returns the next output and the index of its detection; `None` after the last.
    ///
    /// Each detection's findings are followed by its outcome, one detection after the other.
    pub(super) async fn next(&mut self) -> Option<(usize, Step)> {
        let Some(mut next) = self.running.pop_front() else {
            while self.workers.join_next().await.is_some() {}
            return None;
        };
        let place = next.place;
        loop {
            if let Some(finding) = next.received.next() {
                self.running.push_front(next);
                return Some((place, Step::Finding(Box::new(finding))));
            }
            match next.findings.recv().await {
                Some(findings) => next.received = findings.into_iter(),
                None => break,
            }
        }
        let run = match next.run.await {
            Ok((run, _)) => run,
            Err(_) => broken(&self.content, place, &self.run_id, "its thread ended"),
        };
        Some((place, Step::Done(Box::new(run))))
    }
}

/// Returns the outcome of a detection that a bug stopped.
fn broken(content: &AnalyzedContent, place: usize, run_id: &str, reason: &str) -> DetectionRun {
    let detection = &content.set.detections[place];
    let bug = Diagnostic::bug(&format!("the detection was not run to its end: {reason}"));
    DetectionRun::stopped(detection, run_id, vec![bug])
}

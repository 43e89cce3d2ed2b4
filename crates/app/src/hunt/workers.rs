//! Threads that run detections, each one at a time, so that its processor time can be measured.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use cpu_time::ThreadTime;
use futures::executor::block_on;
use spilltrail_detect::{DetectionRun, Finding, hunt::Job};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_search::stack;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::environment::Environment;

/// Detections that may be ahead of the one that is handed on, for each thread.
const AHEAD: usize = 1;

/// Findings of a detection that may wait to be handed on.
const WAITING: usize = 16;

/// What comes of a detection.
pub(super) enum Step {
    /// One of its findings.
    Finding(Box<Finding>),
    /// It is done; all its findings came before.
    Done(Box<DetectionRun>),
}

/// A detection's findings as they come, and then what became of it. The permit is room for a detection
/// that has begun and is not handed on yet.
struct Running {
    place: usize,
    findings: mpsc::Receiver<Finding>,
    run: oneshot::Receiver<(DetectionRun, OwnedSemaphorePermit)>,
}

/// The other ends of [`Running`].
struct Queued {
    job: Job,
    findings: mpsc::Sender<Finding>,
    run: oneshot::Sender<(DetectionRun, OwnedSemaphorePermit)>,
}

/// The detections in their order, while they run.
pub(super) struct Finished {
    environment: Arc<Environment>,
    run_id: Arc<str>,
    running: VecDeque<Running>,
}

struct Queue {
    environment: Arc<Environment>,
    run_id: Arc<str>,
    jobs: Mutex<VecDeque<Queued>>,
    room: Arc<Semaphore>,
}

/// Runs the jobs on threads of their own.
///
/// # Errors
/// Fails if the system refuses a thread.
pub(super) fn run(
    environment: Arc<Environment>,
    jobs: Vec<Job>,
    run_id: &str,
) -> io::Result<Finished> {
    let run_id: Arc<str> = run_id.into();
    let at_a_time = environment.at_a_time();
    let (mut running, mut queued) = (VecDeque::new(), VecDeque::new());
    for job in jobs {
        let (findings, found) = mpsc::channel(WAITING);
        let (run, done) = oneshot::channel();
        running.push_back(Running { place: job.place, findings: found, run: done });
        queued.push_back(Queued { job, findings, run });
    }
    let queue = Arc::new(Queue {
        environment: environment.clone(),
        run_id: run_id.clone(),
        jobs: Mutex::new(queued),
        room: Arc::new(Semaphore::new(at_a_time * (1 + AHEAD))),
    });
    for _ in 0..at_a_time {
        let queue = queue.clone();
        // Ends with the jobs, or when nobody takes what it sends.
        stack::spawn("detections", move || queue.work())?;
    }
    Ok(Finished { environment, run_id, running })
}

impl Queue {
    fn work(&self) {
        loop {
            let Ok(room) = block_on(self.room.clone().acquire_owned()) else { return };
            // Jobs are begun in their order, so that the one whose findings are handed on is running.
            let next = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(Queued { job, findings, run }) = next else { return };
            // A bug in one detection must not take the others with it.
            let result = catch_unwind(AssertUnwindSafe(|| self.run(&job, findings)));
            let result = result.unwrap_or_else(|_| Err("it panicked".to_owned()));
            let result = result.unwrap_or_else(|reason| {
                broken(&self.environment, job.place, &self.run_id, &reason)
            });
            if run.send((result, room)).is_err() {
                return;
            }
        }
    }

    fn run(&self, job: &Job, findings: mpsc::Sender<Finding>) -> Result<DetectionRun, String> {
        let started = ThreadTime::now();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let mut run = runtime.block_on(job.run(&self.environment.content, &self.run_id, findings));
        run.cpu += started.elapsed();
        Ok(run)
    }
}

impl Finished {
    /// Returns what comes next, and the place of the detection that it is about: the findings of a
    /// detection, then what became of it, one detection after the other.
    pub(super) async fn next(&mut self) -> Option<(usize, Step)> {
        let mut next = self.running.pop_front()?;
        let place = next.place;
        if let Some(finding) = next.findings.recv().await {
            self.running.push_front(next);
            return Some((place, Step::Finding(Box::new(finding))));
        }
        let run = match next.run.await {
            Ok((run, _)) => run,
            Err(_) => broken(&self.environment, place, &self.run_id, "its thread ended"),
        };
        Some((place, Step::Done(Box::new(run))))
    }
}

/// Returns the run of a detection that a bug ended.
fn broken(environment: &Environment, place: usize, run_id: &str, reason: &str) -> DetectionRun {
    let detection = &environment.content.detections[place];
    let bug = Diagnostic::bug(&format!("the detection was not run to its end: {reason}"));
    DetectionRun::stopped(detection, run_id, vec![bug])
}

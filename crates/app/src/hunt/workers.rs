//! Threads that run detections, each one at a time, so that its processor time can be measured.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cpu_time::ThreadTime;
use spilltrail_detect::{DetectionRun, Status, hunt::Job};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_search::stack;
use tokio::sync::mpsc;

use crate::environment::Environment;

/// Detections that may be ahead of the one that is handed on, for each thread.
const AHEAD: usize = 1;

/// The detections that are done, in their order.
pub(super) struct Finished {
    places: Vec<usize>,
    next: usize,
    early: BTreeMap<usize, DetectionRun>,
    receiver: mpsc::Receiver<(usize, DetectionRun)>,
}

struct Queue {
    environment: Arc<Environment>,
    jobs: Vec<Job>,
    begun: AtomicUsize,
}

/// Runs the jobs on threads of their own.
///
/// # Errors
/// Fails if the system refuses a thread.
pub(super) fn run(environment: Arc<Environment>, jobs: Vec<Job>) -> io::Result<Finished> {
    let places = jobs.iter().map(|job| job.place).collect();
    let at_a_time = environment.at_a_time();
    let (sender, receiver) = mpsc::channel(at_a_time * AHEAD);
    let queue = Arc::new(Queue { environment, jobs, begun: AtomicUsize::new(0) });
    for _ in 0..at_a_time {
        let (queue, sender) = (queue.clone(), sender.clone());
        // Ends with the jobs, or when nobody takes what it sends.
        stack::spawn("detections", move || queue.work(&sender))?;
    }
    Ok(Finished { places, next: 0, early: BTreeMap::new(), receiver })
}

impl Queue {
    fn work(&self, sender: &mpsc::Sender<(usize, DetectionRun)>) {
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.jobs.get(number) else { return };
            // A bug in one detection must not take the others with it.
            let run = catch_unwind(AssertUnwindSafe(|| self.run(job)));
            let run = run.unwrap_or_else(|_| broken("it panicked"));
            if sender.blocking_send((number, run)).is_err() {
                return;
            }
        }
    }

    fn run(&self, job: &Job) -> DetectionRun {
        let started = ThreadTime::now();
        let runtime = match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime,
            Err(error) => return broken(&error.to_string()),
        };
        let mut run = runtime.block_on(job.run(&self.environment.content));
        run.cpu += started.elapsed();
        run
    }
}

impl Finished {
    /// Returns the next detection's place and run.
    pub(super) async fn next(&mut self) -> Option<(usize, DetectionRun)> {
        let place = *self.places.get(self.next)?;
        loop {
            if let Some(run) = self.early.remove(&self.next) {
                self.next += 1;
                return Some((place, run));
            }
            let Some((number, run)) = self.receiver.recv().await else {
                self.next += 1;
                return Some((place, broken("its thread ended")));
            };
            self.early.insert(number, run);
        }
    }
}

/// Returns the run of a detection that a bug ended.
fn broken(reason: &str) -> DetectionRun {
    DetectionRun {
        status: Status::Failed,
        findings: Vec::new(),
        rows: 0,
        matched_events: None,
        elapsed: Duration::ZERO,
        cpu: Duration::ZERO,
        messages: vec![Diagnostic::error(Code::EXECUTION, format!("a bug ended it: {reason}"))],
    }
}

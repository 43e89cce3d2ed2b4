//! What the server tells of its work, counted and remembered: for `/metrics` and `/readyz`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use spilltrail_app::{Delivered, ServeEvent, ServeSink};
use spilltrail_server::{Delivered as Sent, Metrics, PartState, Readiness, Task};
use spilltrail_store::{FindingState, Status};

/// How long a problem counts after it was told last. What is tried again is told at least once a minute.
const PROBLEM_COUNTS: Duration = Duration::from_mins(2);

/// The parts of a server that can have problems.
const PARTS: &[&str] = &["lake", "scheduler", "content", "outputs", "inputs"];

/// Counts what happens, and remembers what is wrong.
#[derive(Debug)]
pub(super) struct Health {
    metrics: Arc<Metrics>,
    problems: Mutex<BTreeMap<&'static str, (Instant, String)>>,
    next: Arc<dyn ServeSink>,
}

impl Health {
    /// Creates what passes all on to another sink.
    pub(super) fn new(metrics: Arc<Metrics>, next: Arc<dyn ServeSink>) -> Self {
        Self { metrics, problems: Mutex::default(), next }
    }

    fn problems(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, (Instant, String)>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self, part: &str, task: Task) {
        self.problems().remove(part);
        self.metrics.succeeded(task, jiff::Timestamp::now().as_second() as f64);
    }
}

impl ServeSink for Health {
    fn event(&self, event: ServeEvent<'_>) {
        match &event {
            ServeEvent::Moved { batches, events } => {
                self.metrics.moved(*batches, *events);
                self.succeeded("lake", Task::Move);
            }
            ServeEvent::Tidied { lake_bytes, log_bytes } => {
                self.metrics.set_lake_bytes(*lake_bytes);
                self.metrics.set_log_bytes(*log_bytes);
                self.succeeded("lake", Task::Maintain);
            }
            ServeEvent::Ran { status, new, changed, withdrawn, took, .. } => {
                self.metrics.run(*status, *took);
                for (state, count) in [
                    (FindingState::New, *new),
                    (FindingState::Changed, *changed),
                    (FindingState::Withdrawn, *withdrawn),
                ] {
                    self.metrics.findings(state, count);
                }
                if *status != Status::Failed {
                    self.succeeded("scheduler", Task::Run);
                }
            }
            ServeEvent::Missed { missed, .. } => {
                let status = match missed.reason {
                    spilltrail_schedule::Reason::BeyondLookBack => Status::Gap,
                    _ => Status::Skipped,
                };
                self.metrics.missed(status, missed.firings);
            }
            ServeEvent::Content { .. } => {
                self.problems().remove("content");
            }
            ServeEvent::Delivered { output, what, reason, .. } => {
                self.metrics.delivery(match what {
                    Delivered::Sent => Sent::Sent,
                    Delivered::Again => Sent::Retried,
                    Delivered::GivenUp => Sent::Failed,
                });
                match (what, reason) {
                    (Delivered::Sent, _) => self.succeeded("outputs", Task::Deliver),
                    (_, reason) => {
                        let reason = format!("{output}: {}", reason.unwrap_or_default());
                        self.problems().insert("outputs", (Instant::now(), reason));
                    }
                }
            }
            ServeEvent::Ingested { .. } => self.succeeded("inputs", Task::Receive),
            ServeEvent::Problem { part, reason } => {
                self.problems().insert(part, (Instant::now(), (*reason).to_owned()));
            }
            _ => {}
        }
        self.next.event(event);
    }
}

impl Readiness for Health {
    fn parts(&self) -> Vec<PartState> {
        let mut problems = self.problems();
        // Content is looked at again only when its files change.
        problems.retain(|part, (told, _)| *part == "content" || told.elapsed() < PROBLEM_COUNTS);
        let state = |part: &&str| {
            let problem = problems.get(*part).map(|(_, reason)| reason.clone());
            PartState::new(*part, problem.map_or(Ok(()), Err))
        };
        PARTS.iter().map(state).collect()
    }
}

//! What the server tells of its work, counted and remembered: for `/metrics` and `/readyz`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use spilltrail_app::{Delivered, ServeEvent, ServeSink};
use spilltrail_server::hec::{Inbox, WalInbox};
use spilltrail_server::{Delivered as Sent, Metrics, PartState, Readiness, Task};
use spilltrail_store::{FindingState, Status};

/// The part that has to do with addresses elsewhere.
const OUTPUTS: &str = "outputs";
/// The parts of a server that can have problems.
const PARTS: &[&str] = &["lake", "store", "scheduler", "content", OUTPUTS, "inputs", "network"];

/// The part of a server that takes events of senders.
const RECEIVE: &str = "receive";

/// The most problems of a part that are told.
const MOST_TOLD: usize = 3;

/// What is wrong, by part and by the name of the thing.
type Problems = BTreeMap<(&'static str, String), String>;

/// Counts what happens, and remembers what is wrong.
#[derive(Debug)]
pub(super) struct Health {
    metrics: Arc<Metrics>,
    problems: Mutex<Problems>,
    inbox: OnceLock<Arc<WalInbox>>,
    next: Arc<dyn ServeSink>,
}

impl Health {
    /// Creates what passes all on to another sink.
    pub(super) fn new(metrics: Arc<Metrics>, next: Arc<dyn ServeSink>) -> Self {
        Self { metrics, problems: Mutex::default(), inbox: OnceLock::new(), next }
    }

    /// Looks after what takes the events of senders, too.
    pub(super) fn watch(self: &Arc<Self>, inbox: Arc<WalInbox>) {
        // The two would keep each other, and with them the log, which must be closed at the end.
        let health = Arc::downgrade(self);
        inbox.set_tell(Box::new(move |outcome| {
            let Some(health) = health.upgrade() else { return };
            match outcome {
                Ok(()) => health.event(ServeEvent::Solved { part: RECEIVE, name: "" }),
                Err(why) => {
                    let reason = format!("events of senders are refused: {why}");
                    health.event(ServeEvent::Problem { part: RECEIVE, name: "", reason: &reason });
                }
            }
        }));
        // There is one.
        let _ = self.inbox.set(inbox);
    }

    fn problems(&self) -> std::sync::MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what is wrong with a thing; of nothing if it works.
    fn set(&self, part: &'static str, name: &str, problem: Option<&str>) {
        let (mut problems, key) = (self.problems(), (part, name.to_owned()));
        match problem {
            Some(reason) => problems.insert(key, reason.to_owned()),
            None => problems.remove(&key),
        };
    }

    fn succeeded(&self, task: Task) {
        self.metrics.succeeded(task, jiff::Timestamp::now().as_second() as f64);
    }
}

impl ServeSink for Health {
    fn event(&self, event: ServeEvent<'_>) {
        match &event {
            ServeEvent::Moved { batches, events } => {
                self.metrics.moved(*batches, *events);
                self.succeeded(Task::Move);
            }
            ServeEvent::Tidied { lake_bytes, log_bytes } => {
                self.metrics.set_lake_bytes(*lake_bytes);
                self.metrics.set_log_bytes(*log_bytes);
                self.succeeded(Task::Maintain);
            }
            ServeEvent::Ran {
                detection, status, new, changed, withdrawn, took, reason, ..
            } => {
                self.metrics.run(*status, *took);
                for (state, count) in [
                    (FindingState::New, *new),
                    (FindingState::Changed, *changed),
                    (FindingState::Withdrawn, *withdrawn),
                ] {
                    self.metrics.findings(state, count);
                }
                if *status == Status::Failed {
                    self.set("scheduler", detection, Some(reason.unwrap_or_default()));
                } else {
                    self.set("scheduler", detection, None);
                    self.succeeded(Task::Run);
                }
            }
            ServeEvent::Missed { missed, .. } => {
                let status = match missed.reason {
                    spilltrail_schedule::Reason::BeyondLookBack => Status::Gap,
                    _ => Status::Skipped,
                };
                self.metrics.missed(status, missed.firings);
            }
            // Runs that failed are due again with the new content, if they are still there.
            ServeEvent::Content { .. } => {
                self.problems().retain(|(part, name), _| *part != "scheduler" || name.is_empty());
            }
            ServeEvent::Delivered { output, what, reason, .. } => {
                self.metrics.delivery(match what {
                    Delivered::Sent => Sent::Sent,
                    Delivered::Again => Sent::Retried,
                    Delivered::GivenUp => Sent::Failed,
                });
                if *what == Delivered::Sent {
                    self.set(OUTPUTS, output, None);
                    self.succeeded(Task::Deliver);
                } else {
                    self.set(OUTPUTS, output, Some(reason.unwrap_or_default()));
                }
            }
            ServeEvent::Ingested { .. } => self.succeeded(Task::Receive),
            ServeEvent::Problem { part, name, reason } => self.set(part, name, Some(reason)),
            ServeEvent::Solved { part, name } => self.set(part, name, None),
            _ => {}
        }
        self.next.event(event);
    }
}

impl Readiness for Health {
    fn parts(&self) -> Vec<PartState> {
        let problems = self.problems();
        let of_part = |part: &str| {
            let of_part: Vec<String> = problems
                .iter()
                .filter(|((of, _), _)| *of == part)
                .map(|((_, name), reason)| match name.as_str() {
                    "" => reason.clone(),
                    name => format!("{name}: {reason}"),
                })
                .collect();
            let more = of_part.len().saturating_sub(MOST_TOLD);
            let mut told = of_part.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>();
            let rest = format!("{more} more");
            told.extend((more > 0).then_some(rest.as_str()));
            if told.is_empty() { Ok(()) } else { Err(told.join("; ")) }
        };
        // An address that does not answer elsewhere keeps nobody from sending events here.
        let state = |part: &&str| match PartState::new(*part, of_part(part)) {
            outputs if outputs.part == OUTPUTS => outputs.beside(),
            other => other,
        };
        let mut parts: Vec<_> = PARTS.iter().map(state).collect();
        if let Some(inbox) = self.inbox.get() {
            let refused = |why| Err(format!("events are refused: {why}"));
            parts.push(PartState::new(RECEIVE, inbox.trouble().map_or(Ok(()), refused)));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl ServeSink for Nobody {
        fn event(&self, _: ServeEvent<'_>) {}
    }

    fn ran(status: Status) -> ServeEvent<'static> {
        ServeEvent::Ran {
            detection: "Keys Made",
            nominal: spilltrail_schedule::Moment(0),
            status,
            new: 0,
            changed: 0,
            withdrawn: 0,
            took: std::time::Duration::ZERO,
            reason: (status == Status::Failed).then_some("no memory"),
        }
    }

    fn delivered(what: Delivered) -> ServeEvent<'static> {
        let reason = (what != Delivered::Sent).then_some("refused");
        ServeEvent::Delivered { output: "pager", finding: "f", what, reason }
    }

    #[test]
    fn a_part_is_ready_again_when_all_its_things_work() {
        let health = Health::new(Arc::new(Metrics::new()), Arc::new(Nobody));
        let wrong = || -> Vec<String> {
            let wrong = health.parts().into_iter().filter(|part| !part.ready);
            wrong.map(|part| format!("{} {}", part.part, part.why.unwrap_or_default())).collect()
        };
        let problem = |name| ServeEvent::Problem { part: "inputs", name, reason: "no route" };
        for (event, expected) in [
            (problem("a"), &["inputs a: no route"][..]),
            (problem("b"), &["inputs a: no route; b: no route"]),
            // Another input that works says nothing of these.
            (
                ServeEvent::Ingested { input: "c", events: 1, files: 1 },
                &["inputs a: no route; b: no route"],
            ),
            (ServeEvent::Solved { part: "inputs", name: "a" }, &["inputs b: no route"]),
            (ServeEvent::Solved { part: "inputs", name: "b" }, &[]),
            (ran(Status::Failed), &["scheduler Keys Made: no memory"]),
            (ran(Status::Done), &[]),
            (delivered(Delivered::Again), &["outputs pager: refused"]),
            (delivered(Delivered::GivenUp), &["outputs pager: refused"]),
            (delivered(Delivered::Sent), &[]),
            (ran(Status::Failed), &["scheduler Keys Made: no memory"]),
            (ServeEvent::Content { scheduled: 0, left_out: &[], changes: &[] }, &[]),
            // Somebody has disabled it.
            (ran(Status::Failed), &["scheduler Keys Made: no memory"]),
            (ServeEvent::Solved { part: "scheduler", name: "Keys Made" }, &[]),
        ] {
            let told = format!("{event:?}");
            health.event(event);
            assert_eq!(wrong(), expected, "{told}");
        }
    }
}

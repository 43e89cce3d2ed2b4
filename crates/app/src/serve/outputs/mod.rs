//! Brings findings to outputs: each as the outbox has it, with every attempt recorded.
//!
//! An output follows the outbox from the moment on at which it is first configured. What it is to get is
//! queued in the step that moves it on, and an attempt that failed is repeated later; so nothing is left
//! out or forgotten, whenever the server stops. What was sent is withdrawn where it was sent. Each output
//! has a task of its own, so that one that does not answer holds up no other.

mod message;
mod queue;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use spilltrail_deliver::{Clients, Message, Output, backoff, deliver, next_attempt};
use spilltrail_schedule::Moment;
use spilltrail_store::{Attempt, AttemptEnd, Delivery, Store};
use tokio::task::JoinSet;

use super::events::{Delivered, ServeEvent};
use super::runner::Runner;
use super::trouble::Trouble;
use crate::error::AppError;
use message::message;
use queue::queue;

/// How often the outbox is looked at, and each output's deliveries.
const EVERY: Duration = Duration::from_secs(2);
/// The most deliveries to one output that are made at the same time.
const AT_A_TIME: usize = 4;
/// The most deliveries that are begun before it is looked again what is due.
const MOST_DUE: usize = 64;
/// How often it is noted which outputs there are.
const SEEN_EVERY: Duration = Duration::from_hours(1);
/// How long what waits for an output is kept that is not in the configuration, in seconds.
const MISSING_KEPT: i64 = 7 * 86_400;

/// Brings findings to outputs until the server stops.
pub(super) struct Outputs {
    pub(super) runner: Arc<Runner>,
    pub(super) clients: Arc<Clients>,
}

impl Outputs {
    pub(super) async fn run(self) {
        let this = Arc::new(self);
        let mut tasks = JoinSet::new();
        for output in this.runner.options.outputs.iter().filter(|output| output.enabled) {
            tasks.spawn(follow(this.clone(), output.clone()));
        }
        let mut trouble = Trouble::new(this.runner.sink.clone(), "outputs", "");
        let mut seen_at = None::<Instant>;
        while this.pause().await {
            if seen_at.is_none_or(|at| at.elapsed() >= SEEN_EVERY)
                && trouble.of(this.see_outputs(super::now()).await).is_some()
            {
                seen_at = Some(Instant::now());
            }
            trouble.of(this.queue(super::now()).await);
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.runner.cancel.cancelled() => false,
            () = tokio::time::sleep(EVERY) => true,
        }
    }

    /// Takes note of which outputs there are, and forgets those that are missing for long.
    pub(super) async fn see_outputs(&self, now: Moment) -> Result<(), AppError> {
        let outputs = self.runner.options.outputs.clone();
        let keep = move |store: &mut Store| {
            let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
            store.keep_outputs(&names, now, now.plus(-MISSING_KEPT))
        };
        for (name, waiting) in self.runner.with_store(keep).await? {
            let what = format!(
                "output {name} has not been in the configuration for a week; it is forgotten, with \
                 what waited for it: {waiting}"
            );
            self.runner.sink.event(ServeEvent::Warning { part: "outputs", what: &what });
        }
        Ok(())
    }

    /// Queues what is new in the outbox.
    pub(super) async fn queue(&self, now: Moment) -> Result<(), AppError> {
        let outputs = self.runner.options.outputs.clone();
        self.runner.with_store(move |store| queue(store, &outputs, now)).await
    }

    /// Makes the deliveries to an output that are due. Returns true if there may be more.
    pub(super) async fn deliver(&self, output: &Output, now: Moment) -> Result<bool, AppError> {
        let name = output.name.clone();
        let due = move |store: &mut Store| store.reader().due(&name, now, MOST_DUE);
        let due = self.runner.with_store(due).await?;
        let is_full = due.len() == MOST_DUE;
        let mut attempts = futures::stream::iter(due)
            .map(|delivery| self.attempt(output, delivery))
            .buffered(AT_A_TIME);
        // One that cannot be recorded does not end those that are under way.
        let mut outcome = Ok(());
        while let Some(recorded) = attempts.next().await {
            outcome = outcome.and(recorded);
        }
        outcome.map(|()| is_full)
    }

    /// Makes one delivery, and records what became of it.
    async fn attempt(&self, output: &Output, delivery: Delivery) -> Result<(), AppError> {
        let Delivery { seq, id: finding, .. } = delivery;
        let attempts = delivery.attempts.saturating_add(1);
        let read = move |store: &mut Store| {
            // It is damage of this entry alone if the file can be read.
            Ok(store.reader().outbox_entry(seq).map_err(|error| error.to_string()))
        };
        let said = match self.runner.with_store(read).await? {
            Ok(Some(entry)) => message(&entry).map_err(|error| error.to_string()),
            Ok(None) => Err("what was to be delivered is no longer there".to_owned()),
            Err(reason) => Err(reason),
        };
        let (end, what, status) = match said {
            Err(error) => (AttemptEnd::GivenUp { error }, Delivered::GivenUp, None),
            Ok(message) => {
                let wait = seconds(backoff(attempts, &message.delivery));
                let (name, now) = (output.name.clone(), super::now());
                let begin =
                    move |store: &mut Store| store.begin_attempt(&name, seq, now.plus(wait), now);
                // Somebody else has ended it meanwhile.
                if !self.runner.with_store(begin).await? {
                    return Ok(());
                }
                let sent = self.send(output, &message, attempts);
                tokio::select! {
                    () = self.runner.cancel.cancelled() => return Ok(()),
                    ended = sent => ended,
                }
            }
        };
        let reason = match &end {
            AttemptEnd::Done => None,
            AttemptEnd::Again { error, .. } | AttemptEnd::GivenUp { error } => Some(error.clone()),
        };
        let attempt = Attempt { time: super::now(), status, end };
        let name = output.name.clone();
        self.runner.with_store(move |store| store.record_attempt(&name, seq, &attempt)).await?;
        self.runner.sink.event(ServeEvent::Delivered {
            output: &output.name,
            finding: &finding,
            what,
            reason: reason.as_deref(),
        });
        Ok(())
    }

    /// Sends a message, and returns what becomes of its delivery, with the status of the response.
    async fn send(
        &self,
        output: &Output,
        message: &Message,
        attempts: u32,
    ) -> (AttemptEnd, Delivered, Option<u16>) {
        let Err(failure) = deliver(output, message, jiff::Timestamp::now(), &self.clients).await
        else {
            return (AttemptEnd::Done, Delivered::Sent, None);
        };
        let (error, status) = (failure.to_string(), failure.reason().status());
        match next_attempt(&failure, attempts, &message.delivery) {
            Some(wait) => {
                let next = super::now().plus(seconds(wait));
                (AttemptEnd::Again { next, error }, Delivered::Again, status)
            }
            None => (AttemptEnd::GivenUp { error }, Delivered::GivenUp, status),
        }
    }
}

/// Returns a wait in seconds, at least one.
fn seconds(wait: Duration) -> i64 {
    i64::try_from(wait.as_secs()).unwrap_or(i64::MAX).max(1)
}

/// Makes the deliveries to one output until the server stops.
async fn follow(outputs: Arc<Outputs>, output: Output) {
    // What an attempt meets is told by itself; this is about the records of attempts.
    let name = format!("records of {}", output.name);
    let mut trouble = Trouble::new(outputs.runner.sink.clone(), "outputs", &name);
    loop {
        let is_full = trouble.of(outputs.deliver(&output, super::now()).await).unwrap_or(false);
        let goes_on =
            if is_full { !outputs.runner.cancel.is_cancelled() } else { outputs.pause().await };
        if !goes_on {
            return;
        }
    }
}

//! Brings findings to outputs: each as the outbox has it, with every attempt recorded.
//!
//! An output follows the outbox from the moment on at which it is first configured. What it is to get is
//! queued in the step that moves it on, and an attempt that failed is repeated later; so nothing is left
//! out or forgotten, whenever the server stops. What was sent is withdrawn where it was sent.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use spilltrail_deliver::{
    Clients, Detection as Named, Entity, Message, Output, RiskObject, Severity, State, deliver,
    next_attempt,
};
use spilltrail_detect::Finding;
use spilltrail_schedule::Moment;
use spilltrail_store::{
    Attempt, AttemptEnd, DeliveryFilter, Due, FindingState, Level, MOST_ENTRIES, OutboxEntry,
    Store, StoreError,
};

use super::events::{Delivered, ServeEvent};
use super::runner::Runner;
use super::trouble::Trouble;
use crate::error::AppError;

/// How often the outbox is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// The most deliveries that are made at the same time.
const AT_A_TIME: usize = 8;
/// The most deliveries that are begun before the outbox is looked at again.
const MOST_DUE: usize = 64;

/// Brings findings to outputs until the server stops.
pub(super) struct Outputs {
    pub(super) runner: Arc<Runner>,
    pub(super) clients: Clients,
}

impl Outputs {
    pub(super) async fn run(self) {
        let mut trouble = Trouble::new(self.runner.sink.clone(), "outputs", "");
        while self.pause().await {
            trouble.of(self.step().await);
        }
    }

    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.runner.cancel.cancelled() => false,
            () = tokio::time::sleep(EVERY) => true,
        }
    }

    pub(super) async fn step(&self) -> Result<(), AppError> {
        let outputs = self.runner.options.outputs.clone();
        let due = self
            .runner
            .with_store(move |store| {
                let now = super::now();
                queue(store, &outputs, now)?;
                store.reader().due(now, MOST_DUE)
            })
            .await?;
        let attempts = futures::stream::iter(due).map(|due| self.attempt(due));
        let mut ended = attempts.buffer_unordered(AT_A_TIME);
        while let Some(recorded) = ended.next().await {
            recorded?;
        }
        Ok(())
    }

    /// Returns the outputs to which anything is delivered.
    fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.runner.options.outputs.iter().filter(|output| output.enabled)
    }

    /// Makes one delivery, and records what became of it.
    async fn attempt(&self, due: Due) -> Result<(), AppError> {
        let Due { delivery, entry } = due;
        let Some(output) = self.outputs().find(|output| output.name == delivery.output) else {
            return Ok(());
        };
        let attempts = delivery.attempts.saturating_add(1);
        let mut status = None;
        let (end, what) = match message(&entry) {
            Err(error) => (AttemptEnd::GivenUp { error: error.to_string() }, Delivered::GivenUp),
            Ok(message) => {
                let sent = deliver(output, &message, jiff::Timestamp::now(), &self.clients);
                let sent = tokio::select! {
                    () = self.runner.cancel.cancelled() => return Ok(()),
                    sent = sent => sent,
                };
                match sent {
                    Ok(_) => (AttemptEnd::Done, Delivered::Sent),
                    Err(error) => {
                        let text = error.to_string();
                        status = error.reason().status();
                        match next_attempt(&error, attempts, &message.delivery) {
                            Some(wait) => {
                                let wait = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
                                let next = super::now().plus(wait.max(1));
                                (AttemptEnd::Again { next, error: text }, Delivered::Again)
                            }
                            None => (AttemptEnd::GivenUp { error: text }, Delivered::GivenUp),
                        }
                    }
                }
            }
        };
        let reason = match &end {
            AttemptEnd::Done => None,
            AttemptEnd::Again { error, .. } | AttemptEnd::GivenUp { error } => Some(error.clone()),
        };
        let attempt = Attempt { time: super::now(), status, end };
        let (name, seq) = (output.name.clone(), entry.seq);
        self.runner.with_store(move |store| store.record_attempt(&name, seq, &attempt)).await?;
        self.runner.sink.event(ServeEvent::Delivered {
            output: &output.name,
            finding: &entry.id,
            what,
            reason: reason.as_deref(),
        });
        Ok(())
    }
}

/// Queues what each output is to get, and forgets what nobody needs any more.
fn queue(store: &mut Store, outputs: &[Output], now: Moment) -> Result<(), StoreError> {
    let end = store.reader().outbox_end()?;
    let known = store.reader().outputs()?;
    let mut least = end;
    for output in outputs.iter().filter(|output| output.enabled) {
        let position = known.iter().find(|(name, _)| *name == output.name).map(|(_, at)| *at);
        let Some(mut position) = position else {
            // What was found before nobody asked for it here is not sent.
            store.queue(&output.name, end, &[], now)?;
            continue;
        };
        while position < end {
            let entries = store.reader().outbox_after(position, MOST_ENTRIES)?;
            let mut wanted = Vec::new();
            for entry in &entries {
                if is_for(store, output, entry)? {
                    wanted.push(entry.seq);
                }
            }
            // Numbers of entries that were removed are passed over.
            let up_to = entries.last().map_or(end, |entry| entry.seq);
            store.queue(&output.name, up_to, &wanted, now)?;
            position = up_to;
        }
        least = least.min(position);
    }
    for (name, position) in known {
        match outputs.iter().find(|output| output.name == name) {
            None => store.remove_output(&name)?,
            // It gets what came meanwhile when it is enabled again.
            Some(output) if !output.enabled => least = least.min(position),
            Some(_) => {}
        }
    }
    store.forget_outbox(least)?;
    Ok(())
}

/// Returns whether an output is to get an entry.
fn is_for(store: &Store, output: &Output, entry: &OutboxEntry) -> Result<bool, StoreError> {
    if entry.state != FindingState::Withdrawn {
        // What cannot be read is queued, so that it is told.
        return Ok(message(entry).map_or(true, |message| output.filter.takes(&message)));
    }
    // Another content of the same finding is there: that is told, and what it is about still stands.
    if let Some(details) = store.reader().finding(&entry.id)?
        && details.listed.state != FindingState::Withdrawn
        && details.listed.suppressed_by.is_none()
    {
        return Ok(false);
    }
    let sent = DeliveryFilter {
        output: Some(output.name.clone()),
        finding: Some(entry.id.clone()),
        ..DeliveryFilter::default()
    };
    Ok(!store.reader().deliveries(&sent, 1)?.is_empty())
}

/// Returns what is said about an entry.
///
/// # Errors
/// Fails if the finding is not one.
fn message(entry: &OutboxEntry) -> Result<Message, serde_json::Error> {
    let finding: Finding = serde_json::from_str(&entry.finding.body)?;
    let record = &entry.finding;
    let notable = finding.notable_text.as_ref();
    let description = match (notable, &finding.risk_message) {
        (_, Some(message)) => message.clone(),
        (Some(text), None) => text.rule_description.clone(),
        (None, None) => String::new(),
    };
    let entities = notable.map(|text| text.entities.as_slice()).unwrap_or_default();
    let entities = if entities.is_empty() { &finding.risk_objects[..] } else { entities };
    Ok(Message {
        delivery: format!("{}-{}", entry.seq, entry.id),
        id: entry.id.clone(),
        state: match entry.state {
            FindingState::New => State::New,
            FindingState::Changed => State::Changed,
            FindingState::Withdrawn => State::Withdrawn,
        },
        title: record.title.clone(),
        description,
        severity: match record.severity {
            Level::Unknown | Level::Informational => Severity::Informational,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        },
        notable: record.is_notable,
        risk_score: finding.risk_score,
        risk_objects: finding
            .risk_objects
            .iter()
            .map(|object| RiskObject {
                object_type: object.object_type.clone(),
                value: object.value.clone(),
                score: object.score,
            })
            .collect(),
        entities: entities
            .iter()
            .map(|entity| Entity { field: entity.field.clone(), value: entity.value.clone() })
            .collect(),
        detection: Named {
            id: finding.detection.id.clone(),
            name: finding.detection.name.clone(),
            detection_type: finding.detection.detection_type.to_string(),
        },
        time: record.time,
        techniques: finding.annotations.mitre_attack.clone(),
        link: None,
        finding: serde_json::from_str(&record.body)?,
    })
}

//! A queue of SQS: receive, delete, hold longer, give back, ask how it is.
//!
//! No call repeats a request. Who calls knows by [`QueueError::class`] whether that makes sense.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::Address;
use crate::error::{Fault, QueueError};
use crate::message::{Message, Receipt, Redrive, Rejected, Standing};
use crate::transport::{Action, Credentials, Signed, Transport};
use crate::{text, wire};

/// The most messages that one request can be about.
pub const MOST_MESSAGES: usize = 10;

/// The longest time that a message can be held.
pub const LONGEST_VISIBILITY: Duration = Duration::from_hours(12);

/// The longest time that SQS waits for messages.
pub const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How long a request may take, besides the time that SQS waits for messages.
const ANSWER: Duration = Duration::from_secs(10);

/// Which queue it is, and how messages are received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// The address of the queue, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    pub url: String,
    /// The region; `None` for the one in the address.
    pub region: Option<String>,
    /// Where requests go; `None` for the host of the address.
    pub endpoint: Option<String>,
    /// For how long nobody else gets a message that was received, in whole seconds from 2 s to 12 h.
    pub visibility: Duration,
    /// How long SQS waits for messages, in whole seconds up to 20 s.
    pub wait: Duration,
}

impl QueueOptions {
    /// Returns the options for a queue: messages are held for five minutes, and SQS waits as long as
    /// it can.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            region: None,
            endpoint: None,
            visibility: Duration::from_mins(5),
            wait: LONGEST_WAIT,
        }
    }
}

/// A queue of SQS. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct Queue {
    transport: Arc<dyn Transport>,
    address: Arc<Address>,
    visibility: Duration,
    wait: Duration,
}

impl Queue {
    /// Makes a queue from options. Nothing is sent. `client` should be one of
    /// [`client`](crate::client), or another that follows no redirects.
    ///
    /// # Errors
    /// Fails if an option cannot be used.
    pub fn open(
        options: &QueueOptions,
        credentials: Credentials,
        client: reqwest::Client,
    ) -> Result<Self, QueueError> {
        let address = address(options)?;
        let transport = Signed { address: address.clone(), credentials, client };
        Self::over(Arc::new(transport), address, options)
    }

    /// Makes a queue whose requests go another way.
    fn over(
        transport: Arc<dyn Transport>,
        address: Address,
        options: &QueueOptions,
    ) -> Result<Self, QueueError> {
        let QueueOptions { visibility, wait, .. } = *options;
        let is_whole = |time: Duration| time.subsec_nanos() == 0;
        if !is_whole(visibility)
            || !(Duration::from_secs(2)..=LONGEST_VISIBILITY).contains(&visibility)
        {
            let expected = "whole seconds from 2 seconds to 12 hours";
            return Err(QueueError::Option { option: "visibility", expected });
        }
        if !is_whole(wait) || wait > LONGEST_WAIT {
            let expected = "whole seconds, at most 20";
            return Err(QueueError::Option { option: "wait", expected });
        }
        Ok(Self { transport, address: Arc::new(address), visibility, wait })
    }

    /// Returns the name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.address.name
    }

    /// Returns the region for which requests are signed.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.address.region
    }

    /// Returns for how long nobody else gets a message that was received.
    #[must_use]
    pub fn visibility(&self) -> Duration {
        self.visibility
    }

    /// Receives up to `most` messages; at most ten, at least one. If none is there, SQS waits for the
    /// first one, and nothing is returned in the end.
    ///
    /// If this is dropped before it ends, messages that SQS has sent are received again when their
    /// visibility timeout has passed.
    ///
    /// # Errors
    /// Fails if the queue cannot be reached, refuses, or does not answer as SQS does.
    pub async fn receive(&self, most: usize) -> Result<Vec<Message>, QueueError> {
        let request = wire::Receive {
            queue_url: &self.address.queue_url,
            max_number_of_messages: most.clamp(1, MOST_MESSAGES),
            wait_time_seconds: self.wait.as_secs(),
            visibility_timeout: self.visibility.as_secs(),
            attribute_names: &["ApproximateReceiveCount", "SentTimestamp"],
        };
        let received: wire::Received =
            self.ask(Action::Receive, &request, self.wait + ANSWER).await?;
        let messages = received.messages.unwrap_or_default().into_iter().map(|message| {
            let number = |name: &str| message.attributes.get(name)?.parse().ok();
            let receives = number("ApproximateReceiveCount").unwrap_or(1_u64);
            Message {
                receives: u32::try_from(receives).unwrap_or(u32::MAX).max(1),
                sent: number("SentTimestamp"),
                id: message.message_id,
                body: message.body,
                receipt: Receipt(message.receipt_handle),
            }
        });
        Ok(messages.collect())
    }

    /// Deletes up to ten messages, and returns those that were not deleted.
    ///
    /// # Errors
    /// Fails if none was deleted, as far as is known.
    pub async fn delete(&self, receipts: &[Receipt]) -> Result<Vec<Rejected>, QueueError> {
        let entries = receipts.iter().map(|receipt| (receipt, None));
        self.each(Action::Delete, entries).await
    }

    /// Sets for how long nobody gets messages that are held, from now on; at most ten of them. No time
    /// gives a message back at once. Returns those that were not changed.
    ///
    /// # Errors
    /// Fails if none was changed, as far as is known.
    pub async fn hold(
        &self,
        receipts: &[(Receipt, Duration)],
    ) -> Result<Vec<Rejected>, QueueError> {
        let entries = receipts
            .iter()
            .map(|(receipt, time)| (receipt, Some((*time).min(LONGEST_VISIBILITY).as_secs())));
        self.each(Action::Change, entries).await
    }

    /// Asks how the queue is.
    ///
    /// # Errors
    /// Fails if the queue cannot be reached, refuses, or does not answer as SQS does.
    pub async fn standing(&self) -> Result<Standing, QueueError> {
        let request =
            wire::AttributesOf { queue_url: &self.address.queue_url, attribute_names: &["All"] };
        let answer: wire::Attributes = self.ask(Action::Attributes, &request, ANSWER).await?;
        let number = |name: &str| answer.attributes.get(name)?.parse().ok();
        let count = |name: &str| number(name).unwrap_or_default();
        Ok(Standing {
            waiting: count("ApproximateNumberOfMessages"),
            held: count("ApproximateNumberOfMessagesNotVisible"),
            delayed: count("ApproximateNumberOfMessagesDelayed"),
            retention: number("MessageRetentionPeriod"),
            redrive: answer.attributes.get("RedrivePolicy").and_then(|policy| redrive(policy)),
        })
    }

    /// Sends a request about up to ten messages, and returns those with which it had no success.
    async fn each<'a>(
        &self,
        action: Action,
        receipts: impl Iterator<Item = (&'a Receipt, Option<u64>)>,
    ) -> Result<Vec<Rejected>, QueueError> {
        let entries: Vec<_> = receipts
            .take(MOST_MESSAGES)
            .enumerate()
            .map(|(index, (receipt, visibility_timeout))| wire::Entry {
                id: index.to_string(),
                receipt_handle: &receipt.0,
                visibility_timeout,
            })
            .collect();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let most = entries.len();
        let request = wire::Batch { queue_url: &self.address.queue_url, entries };
        let outcome: wire::Outcome = self.ask(action, &request, ANSWER).await?;
        let done = outcome.successful.unwrap_or_default();
        let failed = outcome.failed.unwrap_or_default();
        let rejected = (0..most).filter_map(|index| {
            let id = index.to_string();
            if done.iter().any(|done| done.id == id) {
                return None;
            }
            // What the answer does not tell of may or may not have been done.
            let code = failed.iter().find(|failed| failed.id == id).map(|failed| &failed.code);
            let code = text::shown(code.map_or("", String::as_str));
            let fault = Fault::of(400, &code);
            let is_passing = code.is_empty() || matches!(fault, Fault::Busy | Fault::Server);
            Some(Rejected { index, code, is_final: !is_passing })
        });
        Ok(rejected.collect())
    }

    async fn ask<T: DeserializeOwned + Default>(
        &self,
        action: Action,
        request: &impl Serialize,
        limit: Duration,
    ) -> Result<T, QueueError> {
        let body = serde_json::to_vec(request).expect("texts and numbers are JSON");
        let answer = self.transport.post(action, body, limit).await?;
        // Some servers answer with nothing where there is nothing to tell.
        if answer.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&answer).map_err(|error| QueueError::Answer {
            peer: self.address.peer(),
            action: action.name(),
            detail: text::shown(&error.to_string()),
        })
    }

    /// Makes a queue whose requests go to a fake.
    #[cfg(test)]
    pub(crate) fn fake(
        transport: Arc<dyn Transport>,
        options: &QueueOptions,
    ) -> Result<Self, QueueError> {
        Self::over(transport, address(options)?, options)
    }
}

fn address(options: &QueueOptions) -> Result<Address, QueueError> {
    Address::new(&options.url, options.region.as_deref(), options.endpoint.as_deref())
}

/// Reads the policy about messages that fail; one that cannot be read is as good as none.
fn redrive(policy: &str) -> Option<Redrive> {
    let policy: wire::RedrivePolicy = serde_json::from_str(policy).ok()?;
    let count = &policy.max_receive_count;
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(Redrive {
        target: policy.dead_letter_target_arn,
        receives: u32::try_from(count).unwrap_or(u32::MAX),
    })
}

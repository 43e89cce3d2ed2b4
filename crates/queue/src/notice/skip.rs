//! What is skipped of messages, and why.
//!
//! A key is skipped only if it cannot be a file of CloudTrail's events: whoever has logs at places of
//! their own still gets them.

use serde_json::{Map, Value};

use super::{ObjectRef, string};
use crate::text;

/// Why something in a message is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// S3 tests whether it may send to the queue.
    TestEvent,
    /// SNS asks whether the queue is to get messages of a topic. Nothing confirms it here.
    Subscription,
    /// SNS tells that the queue no longer gets messages of a topic.
    Unsubscription,
    /// The object was not created, but removed, restored or changed otherwise.
    NotCreated,
    /// A digest of CloudTrail: it has hashes of files, and no events.
    Digest,
    /// A file of another service below `AWSLogs`.
    OtherService,
    /// What stands for a folder.
    Folder,
    /// A file without bytes.
    Empty,
    /// A file that programs write beside logs, such as `_SUCCESS`.
    NotLog,
}

/// Something that a message has besides objects to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Why it is skipped.
    pub reason: SkipReason,
    /// What it is about, for people: a bucket, an object or a topic.
    pub what: String,
}

impl SkipReason {
    /// Returns the name of the reason, as counters have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TestEvent => "test_event",
            Self::Subscription => "subscription",
            Self::Unsubscription => "unsubscription",
            Self::NotCreated => "not_created",
            Self::Digest => "digest",
            Self::OtherService => "other_service",
            Self::Folder => "folder",
            Self::Empty => "empty",
            Self::NotLog => "not_log",
        }
    }

    /// Returns what somebody can do about it, if it is a sign that something is not set up well.
    #[must_use]
    pub fn help(self) -> Option<&'static str> {
        match self {
            Self::Subscription => Some(
                "subscribe the queue from its own account, or confirm the subscription with `aws \
                 sns confirm-subscription`; the program follows no addresses of messages",
            ),
            Self::Unsubscription => Some("subscribe the queue to the topic again"),
            _ => None,
        }
    }
}

impl Skipped {
    pub(super) fn of_topic(reason: SkipReason, envelope: &Map<String, Value>) -> Self {
        Self { reason, what: text::shown(string(envelope, "TopicArn").unwrap_or_default()) }
    }

    pub(super) fn of_test(event: &Map<String, Value>) -> Self {
        let what = text::shown(string(event, "Bucket").unwrap_or_default());
        Self { reason: SkipReason::TestEvent, what }
    }

    pub(super) fn of_object(reason: SkipReason, object: &ObjectRef) -> Self {
        Self { reason, what: text::shown(&format!("s3://{}/{}", object.bucket, object.key)) }
    }

    /// Returns what is skipped because nothing was created.
    pub(super) fn of_event(name: &str) -> Self {
        Self { reason: SkipReason::NotCreated, what: text::shown(name) }
    }
}

/// Returns why nothing is to be read of an object, or `None` if it may be a log.
pub(super) fn reason(object: &ObjectRef) -> Option<SkipReason> {
    let key = &object.key;
    let name = key.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name.ends_with("_$folder$") {
        return Some(SkipReason::Folder);
    }
    let parts: Vec<&str> = key.split('/').collect();
    if let Some(service) = service(&parts) {
        if service == "CloudTrail-Digest" {
            return Some(SkipReason::Digest);
        }
        if service != "CloudTrail" && !service.starts_with("CloudTrail-") {
            return Some(SkipReason::OtherService);
        }
    }
    // The hashes of what CloudTrail Lake exports, and a mark of programs that write many files.
    if name == "result_sign.json" || name == "_SUCCESS" {
        return Some(SkipReason::NotLog);
    }
    (object.size == Some(0)).then_some(SkipReason::Empty)
}

/// Returns the service whose file this is: the part behind the account, below `AWSLogs`.
fn service<'a>(parts: &[&'a str]) -> Option<&'a str> {
    let is_account = |part: &str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
    let start = parts.iter().position(|part| *part == "AWSLogs")?;
    match &parts[start + 1..] {
        [organization, account, service, _, ..]
            if organization.starts_with("o-") && is_account(account) =>
        {
            Some(service)
        }
        [account, service, _, ..] if is_account(account) => Some(service),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_no_logs() {
        let account = "AWSLogs/111122223333";
        for (key, expected) in [
            (format!("{account}/CloudTrail/eu-west-1/2026/03/17/a.json.gz"), None),
            (format!("p/AWSLogs/o-a1b2/{}/CloudTrail/x/a.json.gz", "1".repeat(12)), None),
            (format!("{account}/CloudTrail-Insight/eu-west-1/a.json.gz"), None),
            (format!("{account}/CloudTrail-NetworkActivity/eu-west-1/a.json.gz"), None),
            ("mine/2026/a.json.gz".to_owned(), None),
            ("CloudTrail-Digest.json".to_owned(), None),
            ("AWSLogs/copies/vpcflowlogs/a.json".to_owned(), None),
            (
                format!("{account}/CloudTrail-Digest/eu-west-1/2026/03/17/a.json.gz"),
                Some(SkipReason::Digest),
            ),
            (
                format!("p/AWSLogs/o-a1b2/{}/CloudTrail-Digest/x/a.gz", "1".repeat(12)),
                Some(SkipReason::Digest),
            ),
            (format!("{account}/vpcflowlogs/x/a.gz"), Some(SkipReason::OtherService)),
            (
                format!("{account}/Config/ConfigWritabilityCheckFile"),
                Some(SkipReason::OtherService),
            ),
            (format!("{account}/CloudTrail/"), Some(SkipReason::Folder)),
            ("a_$folder$".to_owned(), Some(SkipReason::Folder)),
            ("lake/result_sign.json".to_owned(), Some(SkipReason::NotLog)),
            ("lake/_SUCCESS".to_owned(), Some(SkipReason::NotLog)),
        ] {
            let object = ObjectRef {
                bucket: "b".into(),
                key: key.clone(),
                size: None,
                etag: None,
                sequencer: None,
            };
            assert_eq!(reason(&object), expected, "{key}");
            let empty = ObjectRef { size: Some(0), ..object };
            assert_eq!(reason(&empty), expected.or(Some(SkipReason::Empty)), "{key}");
        }
    }
}

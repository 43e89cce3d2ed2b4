//! What a message of a queue says: which objects are new.
//!
//! A message comes from one of several senders, and [`read`] takes all of them:
//!
//! | Sender | Body |
//! |---|---|
//! | S3 | `{"Records": [{"eventName": "ObjectCreated:Put", "s3": {…}}]}`, keys encoded |
//! | CloudTrail | `{"s3Bucket": …, "s3ObjectKey": […]}`, keys as they are |
//! | EventBridge | `{"detail-type": "Object Created", "detail": {…}}`, key as it is |
//! | SNS | `{"Type": "Notification", "Message": …}` around one of those, unless delivery is raw |
//!
//! What says nothing of objects, such as the test event of S3, is skipped with a reason. A body of
//! another shape is an error, so that its message is not deleted by mistake.

mod event_bridge;
mod key;
mod object;
mod s3;
mod skip;
mod trail;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::text;

pub use object::{ObjectRef, Sequencer};
pub use skip::{SkipReason, Skipped};

/// The most bytes of a body: twice what SQS delivers.
pub const MOST_BODY: usize = 2 << 20;

/// The most objects that a message may name, with those that are skipped.
pub const MOST_OBJECTS: usize = 10_000;

/// The most envelopes around each other. Nobody needs more than one.
const MOST_ENVELOPES: usize = 4;

/// What a message says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The objects to read, in the order of the message.
    pub objects: Vec<ObjectRef>,
    /// What the message has besides, and why nothing is to be read of it.
    pub skipped: Vec<Skipped>,
    /// Records that cannot be read. The others of the message can.
    pub damaged: Vec<RecordError>,
}

/// Why the body of a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoticeError {
    /// The body is not JSON.
    #[error("the message is not JSON ({reason}): `{start}`")]
    NotJson {
        /// What the parser says.
        reason: String,
        /// The first characters of the body.
        start: String,
    },
    /// The body is JSON of a shape that no sender of notifications has.
    #[error("the message is not a notification of new objects, but {found}: `{start}`")]
    Unknown {
        /// What was found, such as the names of the keys.
        found: String,
        /// The first characters of the body.
        start: String,
    },
    /// The body has too many bytes.
    #[error("the message has {bytes} bytes; the longest that is read has {MOST_BODY}")]
    TooLong {
        /// The bytes of the body.
        bytes: usize,
    },
    /// The message names too many objects.
    #[error("the message names more than {MOST_OBJECTS} objects")]
    TooMany,
    /// Envelopes lie around each other.
    #[error("the message has more than {MOST_ENVELOPES} envelopes around each other: `{start}`")]
    TooDeep {
        /// The first characters of the body.
        start: String,
    },
}

/// Why one record of a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("record {record}: {reason}: `{start}`")]
pub struct RecordError {
    /// The place of the record in the message, from 1.
    pub record: usize,
    /// What was expected.
    pub reason: &'static str,
    /// The first characters of the record, or of the key that cannot be used.
    pub start: String,
}

/// Reads the body of a message.
///
/// # Errors
/// Fails if the body is not a notification of any known sender. One record that cannot be read is in
/// [`Notice::damaged`] instead.
pub fn read(body: &str) -> Result<Notice, NoticeError> {
    if body.len() > MOST_BODY {
        return Err(NoticeError::TooLong { bytes: body.len() });
    }
    let mut text = std::borrow::Cow::Borrowed(body);
    for _ in 0..=MOST_ENVELOPES {
        let value: Value = serde_json::from_str(&text).map_err(|error| NoticeError::NotJson {
            reason: error.to_string(),
            start: text::shown(&text),
        })?;
        let Value::Object(object) = value else {
            return Err(unknown(named(&value), &text));
        };
        match envelope(&object) {
            Envelope::Message(inner) => text = inner.to_owned().into(),
            Envelope::Skipped(skipped) => {
                return Ok(Notice { skipped: vec![skipped], ..Notice::default() });
            }
            Envelope::None => return content(&object, &text),
        }
    }
    Err(NoticeError::TooDeep { start: text::shown(body) })
}

/// What SNS has put around a message.
enum Envelope<'a> {
    Message(&'a str),
    Skipped(Skipped),
    None,
}

fn envelope(object: &Map<String, Value>) -> Envelope<'_> {
    let has_topic = object.contains_key("TopicArn");
    match (string(object, "Type"), string(object, "Message")) {
        (Some("Notification"), Some(message)) => Envelope::Message(message),
        (Some("SubscriptionConfirmation"), _) if has_topic => {
            Envelope::Skipped(Skipped::of_topic(SkipReason::Subscription, object))
        }
        (Some("UnsubscribeConfirmation"), _) if has_topic => {
            Envelope::Skipped(Skipped::of_topic(SkipReason::Unsubscription, object))
        }
        _ => Envelope::None,
    }
}

/// Reads a message without envelopes.
fn content(object: &Map<String, Value>, body: &str) -> Result<Notice, NoticeError> {
    let mut notice = Notice::default();
    if let Some(Value::Array(records)) = object.get("Records") {
        if records.len() > MOST_OBJECTS {
            return Err(NoticeError::TooMany);
        }
        // Records of CloudTrail and of Kinesis are not notifications.
        let is_of_s3 = |record: &Value| record.get("s3").is_some();
        if !records.is_empty() && !records.iter().any(is_of_s3) {
            return Err(unknown("an object with `Records` that are not of S3".to_owned(), body));
        }
        for (index, record) in records.iter().enumerate() {
            notice.add(index, record, s3::read(record));
        }
        return Ok(notice);
    }
    if let (Some(Value::String(bucket)), Some(keys)) =
        (object.get("s3Bucket"), object.get("s3ObjectKey"))
    {
        let one = std::slice::from_ref(keys);
        let keys = keys.as_array().map_or(one, Vec::as_slice);
        if keys.len() > MOST_OBJECTS {
            return Err(NoticeError::TooMany);
        }
        for (index, key) in keys.iter().enumerate() {
            notice.add(index, key, trail::read(bucket, key));
        }
        return Ok(notice);
    }
    if string(object, "Event") == Some("s3:TestEvent") {
        notice.skipped.push(Skipped::of_test(object));
        return Ok(notice);
    }
    if let (Some("aws.s3"), Some(kind)) = (string(object, "source"), string(object, "detail-type"))
    {
        let record = object.get("detail").unwrap_or(&Value::Null);
        notice.add(0, record, event_bridge::read(kind, record));
        return Ok(notice);
    }
    Err(unknown(named_object(object), body))
}

/// What one record says.
enum Record {
    Object(ObjectRef),
    Skipped(Skipped),
}

impl Notice {
    /// Adds what a record says. Objects that are not logs are skipped.
    fn add(&mut self, index: usize, record: &Value, read: Result<Record, key::Damage>) {
        match read {
            Ok(Record::Object(object)) => match skip::reason(&object) {
                Some(reason) => self.skipped.push(Skipped::of_object(reason, &object)),
                None => self.objects.push(object),
            },
            Ok(Record::Skipped(skipped)) => self.skipped.push(skipped),
            Err(damage) => self.damaged.push(RecordError {
                record: index + 1,
                reason: damage.reason,
                start: text::shown(&damage.text.unwrap_or_else(|| record.to_string())),
            }),
        }
    }
}

fn string<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn unknown(found: String, body: &str) -> NoticeError {
    NoticeError::Unknown { found, start: text::shown(body) }
}

/// Names a value that is no object.
fn named(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array",
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a truth value",
        Value::Null => "null",
        Value::Object(_) => "an object",
    }
    .to_owned()
}

/// Names an object by the type that it states, or by its first keys.
fn named_object(object: &Map<String, Value>) -> String {
    for name in ["detail-type", "Type", "Event", "eventName"] {
        if let Some(value) = string(object, name) {
            return format!("an object with `{name}` = `{}`", text::shown(value));
        }
    }
    let keys: Vec<String> =
        object.keys().take(8).map(|key| format!("`{}`", text::shown(key))).collect();
    match keys.as_slice() {
        [] => "an object without keys".to_owned(),
        [key] => format!("an object with the key {key}"),
        keys => format!("an object with the keys {}", keys.join(", ")),
    }
}

#[cfg(test)]
mod tests;

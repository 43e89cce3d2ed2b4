//! Recognizes the kind of an object by its outermost keys.

use crate::csv::JOINTS;
use crate::json::{for_each_member, unescape, value_end};

/// The set of known keys that an object has at its outermost level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Keys(u32);

/// The kind of a whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A CloudTrail record.
    CloudTrail,
    /// An OCSF event of Security Lake or CloudTrail Lake.
    Lake,
    /// A record of Bedrock's model invocation log, if `schemaType` says so.
    ModelInvocation,
    /// Any other object: a row.
    Row,
    /// A row that may be a CloudTrail record whose keys are spelled in another way.
    Dressed,
    /// An EventBridge envelope; the event is the object under `detail`.
    EventBridge,
    /// An entry of LookupEvents; the event is text under `CloudTrailEvent`.
    LookupEvent,
    /// A line of CloudWatch Logs; the event is text under `message`.
    LogEvent,
    /// A line of a Splunk export; the row is the object under `result`.
    SplunkResult,
    /// A row of a Splunk export; the event is text under `_raw`.
    SplunkRow,
    /// A CloudTrail digest.
    Digest,
    /// S3's test message.
    S3Test,
    /// A file of AWS Config.
    Config,
}

/// The known keys and their bits; keys that mean the same share a bit.
const NAMES: [(&[u8], u32); 38] = [
    (b"eventVersion", EVENT_VERSION),
    (b"eventSource", EVENT_SOURCE),
    (b"eventName", EVENT_NAME),
    (b"userIdentity", CLOUDTRAIL_OBJECT),
    (b"requestParameters", CLOUDTRAIL_OBJECT),
    (b"responseElements", CLOUDTRAIL_OBJECT),
    (b"recipientAccountId", CLOUDTRAIL_OBJECT),
    (b"awsRegion", AWS_REGION),
    (b"sourceIPAddress", SOURCE_ADDRESS),
    (b"eventID", EVENT_ID),
    (b"requestID", REQUEST_ID),
    (b"insightDetails", INSIGHT),
    (b"class_uid", CLASS_UID),
    (b"category_uid", CLASS_DETAILS),
    (b"metadata", CLASS_DETAILS),
    (b"schemaType", SCHEMA_TYPE),
    (b"modelId", MODEL),
    (b"detail-type", DETAIL_TYPE),
    (b"detail", DETAIL),
    (b"CloudTrailEvent", CLOUDTRAIL_EVENT),
    (b"message", MESSAGE),
    (b"timestamp", TIMESTAMP),
    (b"id", LOG_ID),
    (b"eventId", LOG_ID),
    (b"extractedFields", LOG_DETAILS),
    (b"ingestionTime", LOG_DETAILS),
    (b"logStreamName", LOG_DETAILS),
    (b"result", RESULT),
    (b"preview", RESULT_DETAILS),
    (b"offset", RESULT_DETAILS),
    (b"_raw", RAW),
    (b"digestStartTime", DIGEST),
    (b"logFiles", DIGEST),
    (b"Event", EVENT),
    (b"configurationItems", CONFIG),
    (b"configSnapshotId", CONFIG),
    (b"awsAccountId", AWS_ACCOUNT),
    (b"eventType", EVENT_TYPE),
];

const fn bit(index: usize) -> u32 {
    1 << index
}

const EVENT_VERSION: u32 = bit(0);
const EVENT_SOURCE: u32 = bit(1);
const EVENT_NAME: u32 = bit(2);
/// A member that only CloudTrail records have.
const CLOUDTRAIL_OBJECT: u32 = bit(3);
const AWS_REGION: u32 = bit(4);
const SOURCE_ADDRESS: u32 = bit(5);
const EVENT_ID: u32 = bit(6);
const REQUEST_ID: u32 = bit(7);
const INSIGHT: u32 = bit(8);
const CLASS_UID: u32 = bit(9);
const CLASS_DETAILS: u32 = bit(10);
const SCHEMA_TYPE: u32 = bit(11);
const MODEL: u32 = bit(12);
const DETAIL_TYPE: u32 = bit(13);
const DETAIL: u32 = bit(14);
const CLOUDTRAIL_EVENT: u32 = bit(15);
const MESSAGE: u32 = bit(16);
const TIMESTAMP: u32 = bit(17);
const LOG_ID: u32 = bit(18);
const LOG_DETAILS: u32 = bit(19);
const RESULT: u32 = bit(20);
const RESULT_DETAILS: u32 = bit(21);
const RAW: u32 = bit(22);
const DIGEST: u32 = bit(23);
const EVENT: u32 = bit(24);
const CONFIG: u32 = bit(25);
const AWS_ACCOUNT: u32 = bit(26);
const EVENT_TYPE: u32 = bit(27);
const OTHER: u32 = bit(28);
/// One of the keys that show a CloudTrail record, spelled in another way.
const DRESSED: u32 = bit(29);

/// The members of which two, beside `eventName`, show a CloudTrail record: other rows may have one.
const CLOUDTRAIL_DETAILS: u32 = AWS_REGION | SOURCE_ADDRESS | EVENT_ID | REQUEST_ID | EVENT_TYPE;

impl Keys {
    /// Adds a key, given as written in the text.
    pub(crate) fn add(&mut self, key: &[u8]) {
        if memchr::memchr(b'\\', key).is_some() {
            return self.add_plain(unescape(&String::from_utf8_lossy(key)).as_bytes());
        }
        self.add_plain(key);
    }

    fn add_plain(&mut self, key: &[u8]) {
        let known = NAMES.iter().find(|(name, _)| *name == key);
        self.0 |= match known {
            Some((_, bit)) => *bit,
            None if is_respelled(key) || without_type(key).is_some_and(is_event_key) => {
                OTHER | DRESSED
            }
            None => OTHER,
        };
    }

    /// Returns true once the keys show that the object is a CloudTrail record.
    pub(crate) fn is_cloudtrail(self) -> bool {
        (self.0 & (EVENT_VERSION | EVENT_SOURCE | EVENT_NAME)).count_ones() >= 2
    }

    /// Returns true if the object has at least one key of a CloudTrail record.
    pub(crate) fn may_be_cloudtrail(self) -> bool {
        self.0 & (EVENT_VERSION | EVENT_SOURCE | EVENT_NAME) != 0
    }

    /// Returns true if an object without most of a record's usual keys is a CloudTrail record.
    ///
    /// Other tools drop members of records, and Insight events have their name one level deeper.
    fn is_partial_cloudtrail(self) -> bool {
        let details = (self.0 & CLOUDTRAIL_DETAILS).count_ones();
        let has_details = self.has(CLOUDTRAIL_OBJECT) || details >= 2;
        let is_insight = self.has(INSIGHT) && self.0 & (EVENT_VERSION | CLOUDTRAIL_DETAILS) != 0;
        (self.may_be_cloudtrail() && has_details) || is_insight
    }

    /// Returns true if the object has the name of an event, or the details of an Insight, which have
    /// it.
    pub(super) fn has_name(self) -> bool {
        self.0 & (EVENT_NAME | INSIGHT) != 0
    }

    /// Returns true if the object has the original text of an event beside its extracted fields.
    pub(crate) fn has_raw(self) -> bool {
        self.has(RAW)
    }

    fn has(self, all: u32) -> bool {
        self.0 & all == all
    }

    /// Returns the kind of an object with these keys.
    pub(crate) fn shape(self) -> Shape {
        let log_event = MESSAGE | TIMESTAMP | LOG_ID | LOG_DETAILS;
        if self.is_cloudtrail() {
            Shape::CloudTrail
        } else if self.has(CLASS_UID | CLASS_DETAILS) {
            Shape::Lake
        } else if self.is_partial_cloudtrail() {
            Shape::CloudTrail
        } else if self.has(SCHEMA_TYPE | MODEL) {
            Shape::ModelInvocation
        } else if self.has(DETAIL_TYPE | DETAIL) {
            Shape::EventBridge
        } else if self.has(CLOUDTRAIL_EVENT) {
            Shape::LookupEvent
        } else if self.has(RAW) {
            Shape::SplunkRow
        } else if self.has(RESULT) && (self.has(RESULT_DETAILS) || self.0 == RESULT) {
            Shape::SplunkResult
        } else if self.has(MESSAGE | TIMESTAMP | LOG_ID) && self.0 & !log_event == 0 {
            Shape::LogEvent
        } else if self.has(AWS_ACCOUNT | DIGEST) {
            Shape::Digest
        } else if self.has(CONFIG) {
            Shape::Config
        } else if self.has(EVENT) {
            Shape::S3Test
        } else if self.has(DRESSED) {
            Shape::Dressed
        } else {
            Shape::Row
        }
    }
}

/// Returns what a key joins with `eventName`, such as `detail.`.
pub(super) fn prefix_of_name(key: &[u8]) -> Option<&[u8]> {
    let (prefix, name) = key.split_at_checked(key.len().checked_sub(b"eventName".len())?)?;
    let is_joined = prefix.last().is_some_and(|last| JOINTS.contains(&char::from(*last)));
    (is_joined && name.eq_ignore_ascii_case(b"eventName")).then_some(prefix)
}

/// Returns true for `eventname`, `Event_Source`, `event-version` and the like.
fn is_respelled(key: &[u8]) -> bool {
    prefix_of_name(key).is_some() || is_event_key(key)
}

/// Returns a key without the type that Log Analytics adds to it, such as `eventName` for `eventName_s`.
pub(crate) fn without_type(key: &[u8]) -> Option<&[u8]> {
    match key {
        [name @ .., b'_', b's' | b'd' | b'b' | b't' | b'g'] if !name.is_empty() => Some(name),
        _ => None,
    }
}

/// Returns true for `eventName` and its like in any spelling.
fn is_event_key(key: &[u8]) -> bool {
    let Some((start, rest)) = key.split_at_checked(5) else { return false };
    let rest = match rest {
        [b'_' | b'-' | b' ', rest @ ..] => rest,
        rest => rest,
    };
    let ends = [&b"name"[..], b"source", b"version"];
    start.eq_ignore_ascii_case(b"event") && ends.iter().any(|end| rest.eq_ignore_ascii_case(end))
}

/// The keys whose arrays of objects hold the events of an envelope.
pub(crate) const ENVELOPES: [&str; 4] = ["Records", "Events", "results", "logEvents"];

/// Returns true for a key whose array of objects holds the events of an envelope.
pub(crate) fn holds_events(key: &[u8]) -> bool {
    ENVELOPES.iter().any(|known| known.as_bytes() == key)
}

/// Returns the outermost keys of an object.
pub(crate) fn outer_keys(bytes: &[u8]) -> Keys {
    let mut keys = Keys::default();
    for_each_member(bytes, |name, value| {
        keys.add(&bytes[name]);
        Some(value_end(bytes, value))
    });
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        for (keys, shape) in [
            ("eventVersion eventSource", Shape::CloudTrail),
            ("eventName _time", Shape::Row),
            ("eventName userIdentity", Shape::CloudTrail),
            ("@timestamp eventName recipientAccountId", Shape::CloudTrail),
            ("@timestamp eventSource requestParameters", Shape::CloudTrail),
            ("eventName awsRegion sourceIPAddress", Shape::CloudTrail),
            ("eventName awsRegion count", Shape::Row),
            ("eventName eventID user", Shape::Row),
            ("eventSource awsRegion messageId body", Shape::Row),
            ("userIdentity requestParameters", Shape::Row),
            ("eventVersion eventTime eventID insightDetails", Shape::CloudTrail),
            ("insightDetails a", Shape::Row),
            ("schemaType modelId timestamp", Shape::ModelInvocation),
            ("class_uid metadata time", Shape::Lake),
            ("version detail-type detail", Shape::EventBridge),
            ("EventId CloudTrailEvent", Shape::LookupEvent),
            ("id timestamp message", Shape::LogEvent),
            ("id timestamp message level", Shape::Row),
            ("logStreamName timestamp message ingestionTime eventId", Shape::LogEvent),
            ("preview result", Shape::SplunkResult),
            ("result", Shape::SplunkResult),
            ("result user", Shape::Row),
            ("_raw _time", Shape::SplunkRow),
            ("awsAccountId digestStartTime logFiles", Shape::Digest),
            ("fileVersion configurationItems", Shape::Config),
            ("Service Event Bucket", Shape::S3Test),
            ("a b", Shape::Row),
            ("eventname a", Shape::Dressed),
            ("EVENT_SOURCE eventID", Shape::Dressed),
            ("eventName_s eventSource_s", Shape::Dressed),
            ("event_s event_name_x", Shape::Row),
            ("eventnames event", Shape::Row),
            ("detail.eventName detail.eventSource", Shape::Dressed),
            ("myeventName eventName_", Shape::Row),
        ] {
            let mut seen = Keys::default();
            keys.split(' ').for_each(|key| seen.add(key.as_bytes()));
            assert_eq!(seen.shape(), shape, "{keys}");
        }
    }
}

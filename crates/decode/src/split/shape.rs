//! Recognizes the kind of an object by its outermost keys.

use crate::json::{for_each_member, value_end};

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
    /// Any other object: a row.
    Row,
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

const NAMES: [&[u8]; 25] = [
    b"eventVersion",
    b"eventSource",
    b"eventName",
    b"class_uid",
    b"category_uid",
    b"metadata",
    b"detail-type",
    b"detail",
    b"CloudTrailEvent",
    b"message",
    b"timestamp",
    b"id",
    b"eventId",
    b"extractedFields",
    b"ingestionTime",
    b"result",
    b"preview",
    b"offset",
    b"_raw",
    b"digestStartTime",
    b"logFiles",
    b"Event",
    b"configurationItems",
    b"configSnapshotId",
    b"awsAccountId",
];

const fn bit(index: usize) -> u32 {
    1 << index
}

const EVENT_VERSION: u32 = bit(0);
const EVENT_SOURCE: u32 = bit(1);
const EVENT_NAME: u32 = bit(2);
const CLASS_UID: u32 = bit(3);
const CATEGORY_UID: u32 = bit(4);
const METADATA: u32 = bit(5);
const DETAIL_TYPE: u32 = bit(6);
const DETAIL: u32 = bit(7);
const CLOUDTRAIL_EVENT: u32 = bit(8);
const MESSAGE: u32 = bit(9);
const TIMESTAMP: u32 = bit(10);
const ID: u32 = bit(11);
const EVENT_ID: u32 = bit(12);
const EXTRACTED_FIELDS: u32 = bit(13);
const INGESTION_TIME: u32 = bit(14);
const RESULT: u32 = bit(15);
const PREVIEW: u32 = bit(16);
const OFFSET: u32 = bit(17);
const RAW: u32 = bit(18);
const DIGEST_START: u32 = bit(19);
const LOG_FILES: u32 = bit(20);
const EVENT: u32 = bit(21);
const CONFIG_ITEMS: u32 = bit(22);
const CONFIG_SNAPSHOT: u32 = bit(23);
const AWS_ACCOUNT: u32 = bit(24);
const OTHER: u32 = bit(25);

impl Keys {
    /// Adds a key, given as written in the text.
    pub(crate) fn add(&mut self, key: &[u8]) {
        let known = NAMES.iter().position(|name| *name == key);
        self.0 |= known.map_or(OTHER, bit);
    }

    /// Returns true once the keys show that the object is a CloudTrail record.
    pub(crate) fn is_cloudtrail(self) -> bool {
        (self.0 & (EVENT_VERSION | EVENT_SOURCE | EVENT_NAME)).count_ones() >= 2
    }

    /// Returns true if the object has at least one key of a CloudTrail record.
    pub(crate) fn may_be_cloudtrail(self) -> bool {
        self.0 & (EVENT_VERSION | EVENT_SOURCE | EVENT_NAME) != 0
    }

    fn has(self, all: u32) -> bool {
        self.0 & all == all
    }

    /// Returns the kind of an object with these keys.
    pub(crate) fn shape(self) -> Shape {
        let log_event = MESSAGE | TIMESTAMP | ID | EVENT_ID | EXTRACTED_FIELDS | INGESTION_TIME;
        if self.is_cloudtrail() {
            Shape::CloudTrail
        } else if self.has(CLASS_UID) && self.0 & (METADATA | CATEGORY_UID) != 0 {
            Shape::Lake
        } else if self.has(DETAIL_TYPE | DETAIL) {
            Shape::EventBridge
        } else if self.has(CLOUDTRAIL_EVENT) {
            Shape::LookupEvent
        } else if self.has(RAW) {
            Shape::SplunkRow
        } else if self.has(RESULT) && (self.0 & (PREVIEW | OFFSET) != 0 || self.0 == RESULT) {
            Shape::SplunkResult
        } else if self.has(MESSAGE | TIMESTAMP)
            && self.0 & (ID | EVENT_ID) != 0
            && self.0 & !log_event == 0
        {
            Shape::LogEvent
        } else if self.has(AWS_ACCOUNT) && self.0 & (DIGEST_START | LOG_FILES) != 0 {
            Shape::Digest
        } else if self.has(CONFIG_ITEMS) || self.has(CONFIG_SNAPSHOT) {
            Shape::Config
        } else if self.has(EVENT) {
            Shape::S3Test
        } else {
            Shape::Row
        }
    }
}

/// Returns true for a key whose array of objects holds the events of an envelope.
pub(crate) fn holds_events(key: &[u8]) -> bool {
    matches!(key, b"Records" | b"Events" | b"results" | b"logEvents")
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
            ("class_uid metadata time", Shape::Lake),
            ("version detail-type detail", Shape::EventBridge),
            ("EventId CloudTrailEvent", Shape::LookupEvent),
            ("id timestamp message", Shape::LogEvent),
            ("id timestamp message level", Shape::Row),
            ("preview result", Shape::SplunkResult),
            ("result", Shape::SplunkResult),
            ("result user", Shape::Row),
            ("_raw _time", Shape::SplunkRow),
            ("awsAccountId digestStartTime logFiles", Shape::Digest),
            ("fileVersion configurationItems", Shape::Config),
            ("Service Event Bucket", Shape::S3Test),
            ("a b", Shape::Row),
        ] {
            let mut seen = Keys::default();
            keys.split(' ').for_each(|key| seen.add(key.as_bytes()));
            assert_eq!(seen.shape(), shape, "{keys}");
        }
    }
}

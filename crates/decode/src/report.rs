//! What decoding a file came to: counts, times, what was skipped and what was damaged.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How many damages of a file are kept with their text; the others are only counted.
pub const KEPT_DAMAGES: usize = 20;

/// Why a part of the input could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// The compressed data ends early.
    TruncatedCompression,
    /// The compressed data is wrong, or its checksum is.
    CorruptCompression,
    /// Far more came out of the compressed data than logs ever give.
    DecompressionBomb,
    /// The underlying reader failed.
    Io,
    /// The text ends in the middle of a document.
    TruncatedDocument,
    /// A record is larger than [`MAX_RECORD`](crate::MAX_RECORD).
    RecordTooLarge,
    /// The text is not JSON at this place.
    InvalidJson,
    /// The text is not UTF-8; the event is kept, with U+FFFD in place of the wrong bytes.
    InvalidUtf8,
    /// A part of an archive cannot be read: encrypted, an unknown method, too large for memory.
    UnreadableEntry,
}

/// One damage: it costs the event it is in and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Where, in bytes of the uncompressed text.
    pub offset: u64,
    /// Why.
    pub kind: DamageKind,
    /// What exactly; lower case, no final stop.
    pub message: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.message)
    }
}

/// What is recognised and left out, without being damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipKind {
    /// A file that is not JSON: other services' logs, pictures.
    NotJson,
    /// A CloudTrail digest.
    Digest,
    /// An S3 event notification or its test message.
    S3Notification,
    /// Another service's JSON, such as a Config snapshot.
    OtherService,
    /// A line of CloudWatch Logs that is not a JSON object.
    LogMessage,
    /// A JSON value that is not an object.
    Scalar,
    /// An event that was seen before.
    Duplicate,
}

/// What decoding one input came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FileReport {
    /// Events found.
    pub events: u64,
    /// Events that the request's predicate took.
    pub matched: u64,
    /// Bytes read from the input.
    pub bytes_read: u64,
    /// Bytes after decompression.
    pub bytes_inflated: u64,
    /// What was left out, by kind.
    pub skipped: BTreeMap<SkipKind, u64>,
    /// The first damages, at most [`KEPT_DAMAGES`].
    pub damages: Vec<Damage>,
    /// How many damages there were.
    pub damage_count: u64,
    /// Time of the oldest event, epoch seconds, matched or not.
    pub oldest: Option<f64>,
    /// Time of the newest event, epoch seconds, matched or not.
    pub newest: Option<f64>,
    /// Whether the consumer wanted no more before the end.
    pub stopped: bool,
}

impl FileReport {
    /// Adds another input's counts; the first damages are kept.
    pub fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.matched += other.matched;
        self.bytes_read += other.bytes_read;
        self.bytes_inflated += other.bytes_inflated;
        for (kind, count) in &other.skipped {
            *self.skipped.entry(*kind).or_default() += count;
        }
        let room = KEPT_DAMAGES.saturating_sub(self.damages.len());
        self.damages.extend(other.damages.iter().take(room).cloned());
        self.damage_count += other.damage_count;
        for time in [other.oldest, other.newest].into_iter().flatten() {
            self.see_time(time);
        }
        self.stopped |= other.stopped;
    }

    pub(crate) fn see_time(&mut self, time: f64) {
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
    }

    pub(crate) fn skip(&mut self, kind: SkipKind) {
        *self.skipped.entry(kind).or_default() += 1;
    }

    pub(crate) fn damage(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damages.len() < KEPT_DAMAGES {
            self.damages.push(damage);
        }
    }
}

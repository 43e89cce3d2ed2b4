//! Reports the result of decoding a file: counts, times, skipped items and damage.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use spilltrail_event::TimeBounds;

use crate::inflate::shown;
use crate::left_out::LeftOut;
use crate::lookalike::{LOOKED_AT, has_event_in_other_form};
use crate::own_names::OwnNames;
use crate::record::Format;
use crate::split::about::is_about_events;
use crate::split::has_events_in_disguise;

/// The number of damages of a file that are kept in full; further ones are only counted.
pub const KEPT_DAMAGES: usize = 20;

/// The most bytes of a row that are searched for events in disguise.
const LONGEST_LOOKED_AT: usize = 64 * 1024;

/// The end of the calendar that time modifiers can use, 9999-01-01, in epoch seconds.
pub const CALENDAR_END: f64 = 253_370_764_800.0;

/// The number of entries without JSON that are named.
pub const NAMED_ENTRIES: usize = 3;
/// The number of different places of unwrapped events that are counted; further ones are counted
/// together.
const KEPT_PLACES: usize = 8;
/// The name of all further places.
const OTHER_PLACES: &str = "other members";

/// The reason why a part of the input could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DamageKind {
    /// The compressed data, an archive or a Parquet file ends early.
    TruncatedCompression,
    /// The compressed data or its checksum, a header of an archive, or a part of a Parquet file is
    /// wrong.
    CorruptCompression,
    /// The compressed data expands far more than logs ever do.
    DecompressionBomb,
    /// The underlying reader failed.
    Io,
    /// The text ends in the middle of a document.
    TruncatedDocument,
    /// A record is larger than [`MAX_RECORD`](crate::MAX_RECORD).
    RecordTooLarge,
    /// The text is not valid JSON at this offset.
    InvalidJson,
    /// The text is not UTF-8; the event is kept, with U+FFFD instead of the invalid bytes.
    InvalidUtf8,
    /// A part of an archive or of a Parquet file cannot be read: it is encrypted, uses an unknown
    /// method, or needs too much memory.
    UnreadableEntry,
    /// A row of a table has more or fewer cells than the header; the row is kept.
    RaggedRow,
    /// A cell of a table holds less than its column promises; the row is kept.
    UnreadableCell,
    /// What may be an event is inside too many other values.
    TooDeep,
    /// The file, or an entry of it, is an archive or compressed in a format that is not read, or
    /// nested too deeply.
    UnknownArchive,
    /// The text seems to hold events in a form that is not read.
    UnknownText,
    /// The text says of itself that it is incomplete.
    Incomplete,
    /// Among events, something stands in the place of one and has nothing of it.
    LostEvent,
}

/// One damaged part of the input; it costs only the event that contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The offset in bytes of the uncompressed text.
    pub offset: u64,
    /// The kind of damage.
    pub kind: DamageKind,
    /// The details, in lowercase and without a final period.
    pub message: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.message)
    }
}

/// A kind of item that is recognized and skipped without being damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipKind {
    /// A file that is not JSON, such as other services' logs or images.
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

/// The result of decoding one input.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FileReport {
    /// The number of events found.
    pub events: u64,
    /// The number of these events that were recognized as JSON rows, and not as CloudTrail.
    pub rows: u64,
    /// The number of these events that are OCSF events, as those of Security Lake.
    #[serde(default)]
    pub lake: u64,
    /// True if there are rows that look like events of CloudTrail, so renamed or cut that they are none.
    #[serde(default)]
    pub has_lookalikes: bool,
    /// The number of these events that are records of Bedrock's model invocation log.
    #[serde(default)]
    pub invocations: u64,
    /// The members that are left out of events of CloudTrail.
    #[serde(default)]
    pub left_out: LeftOut,
    /// The number of events that matched the request's predicate.
    pub matched: u64,
    /// The number of bytes read from the input.
    pub bytes_read: u64,
    /// The number of bytes after decompression.
    pub bytes_inflated: u64,
    /// The number of skipped items, by kind.
    pub skipped: BTreeMap<SkipKind, u64>,
    /// The number of entries of archives that hold no JSON.
    #[serde(default)]
    pub foreign_entries: u64,
    /// The names of the first of these entries, fit for messages, at most [`NAMED_ENTRIES`]; what
    /// macOS adds to archives is not among them.
    #[serde(default)]
    pub foreign_names: Vec<String>,
    /// The number of events found inside other values, by where they were: the keys around them, such
    /// as `Events[].CloudTrailEvent`, or a description.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unwrapped: BTreeMap<String, u64>,
    /// The first damages, at most [`KEPT_DAMAGES`].
    pub damages: Vec<Damage>,
    /// The number of all damages.
    pub damage_count: u64,
    /// The time of the oldest event in epoch seconds, matched or not.
    pub oldest: Option<f64>,
    /// The time of the newest event in epoch seconds, matched or not.
    pub newest: Option<f64>,
    /// The events whose time cannot be read.
    pub untimed: Untimed,
    /// The number of events later than the decoder's horizon, which `newest` leaves out.
    pub beyond: u64,
    /// The latest time of these events in epoch seconds.
    pub farthest: Option<f64>,
    /// The number of these events that are at or after [`CALENDAR_END`].
    #[serde(default)]
    pub beyond_calendar: u64,
    /// The latest time, in epoch seconds, of those that are before it.
    #[serde(default)]
    pub farthest_in_calendar: Option<f64>,
    /// The members by which the events themselves say what they are, such as `sourcetype` in a row
    /// or `eventtype` in any event.
    #[serde(default)]
    pub own_names: OwnNames,
    /// Tells the first CloudTrail event of a file from others, so that copies of the file are found;
    /// reports that are merged have none.
    #[serde(default)]
    pub first_event: Option<u64>,
    /// True if the file is a text that is empty, or has white space alone.
    #[serde(default)]
    pub is_blank: bool,
    /// True if the consumer stopped before the end.
    pub stopped: bool,
}

/// What tells whether something has been found since: the numbers of events, of damages, of what holds
/// nothing, and of what is no JSON.
pub(crate) type Marks = (u64, u64, u64, u64);

/// Events whose time cannot be read, so that no range of time contains them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Untimed {
    /// The number of events of a format that has times, and of rows with a time that is none.
    pub events: u64,
    /// The number of rows that have no time at all.
    pub rows: u64,
    /// The number of these events that are no rows, so that each of them should have a time.
    #[serde(default)]
    pub trail: u64,
    /// The text of the first time that cannot be read, cut if it is long.
    pub first: Option<String>,
}

impl Untimed {
    /// The maximum length of the text that is kept, in characters.
    const LONGEST: usize = 80;

    /// Returns true if every event has a time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events + self.rows == 0
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.rows += other.rows;
        self.trail += other.trail;
        if self.first.is_none() {
            self.first.clone_from(&other.first);
        }
    }

    /// Counts events of CloudTrail without a time that were not read.
    pub(crate) fn pass(&mut self, count: u64) {
        self.events += count;
        self.trail += count;
    }

    /// Counts an event of a format, with the text of its time if it has any.
    pub(crate) fn see(&mut self, format: Format, time: Option<&str>) {
        if format.is_row() && time.is_none() {
            self.rows += 1;
            return;
        }
        self.events += 1;
        self.trail += u64::from(!format.is_row());
        if self.first.is_none() {
            self.first = time.map(|time| time.chars().take(Self::LONGEST).collect());
        }
    }
}

impl FileReport {
    /// Adds another input's report; keeps at most [`KEPT_DAMAGES`] damages.
    pub fn merge(&mut self, other: &Self) {
        self.events += other.events;
        self.rows += other.rows;
        self.has_lookalikes |= other.has_lookalikes;
        self.lake += other.lake;
        self.invocations += other.invocations;
        self.left_out.merge(&other.left_out);
        self.matched += other.matched;
        self.bytes_read += other.bytes_read;
        self.bytes_inflated += other.bytes_inflated;
        for (kind, count) in &other.skipped {
            *self.skipped.entry(*kind).or_default() += count;
        }
        self.foreign_entries += other.foreign_entries;
        let room = NAMED_ENTRIES.saturating_sub(self.foreign_names.len());
        self.foreign_names.extend(other.foreign_names.iter().take(room).cloned());
        for (place, count) in &other.unwrapped {
            count_place(&mut self.unwrapped, place, *count);
        }
        let room = KEPT_DAMAGES.saturating_sub(self.damages.len());
        self.damages.extend(other.damages.iter().take(room).cloned());
        self.damage_count += other.damage_count;
        for time in [other.oldest, other.newest].into_iter().flatten() {
            self.see_time(time);
        }
        self.untimed.merge(&other.untimed);
        self.beyond += other.beyond;
        self.farthest = latest(self.farthest, other.farthest);
        self.beyond_calendar += other.beyond_calendar;
        self.farthest_in_calendar = latest(self.farthest_in_calendar, other.farthest_in_calendar);
        self.own_names.merge(other.own_names);
        self.stopped |= other.stopped;
    }

    /// Counts a row that is no event of CloudTrail.
    pub(crate) fn see_row(&mut self, text: &str) {
        if self.rows < LOOKED_AT && !self.has_lookalikes {
            let head = &text.as_bytes()[..text.len().min(LONGEST_LOOKED_AT)];
            // What is about events is checked once for both.
            self.has_lookalikes = !is_about_events(text.as_bytes(), "")
                && (has_event_in_other_form(text) || has_events_in_disguise(head));
        }
        self.rows += 1;
    }

    /// Notes the text of a CloudTrail event if it is the first one.
    pub(crate) fn see_record(&mut self, text: &str) {
        if self.first_event.is_none() {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            self.first_event = Some(hasher.finish());
        }
    }

    /// Notes the time of an event; one after `horizon` does not count as the newest.
    pub(crate) fn see_time_until(&mut self, time: f64, horizon: f64) {
        if time > horizon {
            self.beyond += 1;
            self.farthest = latest(self.farthest, Some(time));
            if time < CALENDAR_END {
                self.farthest_in_calendar = latest(self.farthest_in_calendar, Some(time));
            } else {
                self.beyond_calendar += 1;
            }
        } else {
            self.see_time(time);
        }
    }

    /// Returns true if the events may have times in the range, going by the oldest and the newest.
    #[must_use]
    pub fn is_in(&self, range: TimeBounds) -> bool {
        self.oldest.zip(self.newest).is_some_and(|(oldest, newest)| {
            range.earliest.is_none_or(|earliest| newest >= earliest)
                && range.latest.is_none_or(|latest| oldest < latest)
        })
    }

    pub(crate) fn see_time(&mut self, time: f64) {
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
    }

    pub(crate) fn skip(&mut self, kind: SkipKind) {
        *self.skipped.entry(kind).or_default() += 1;
    }

    /// Returns why an input without an event has none; `None` if there are events, damage, or nothing
    /// but what stands beside events by design.
    ///
    /// What the user named is held to more than what lies in a folder: it must have an event.
    #[must_use]
    pub fn why_no_event(&self, is_named: bool) -> Option<&'static str> {
        let has = |kind: SkipKind| self.skipped.contains_key(&kind);
        if self.events > 0 || self.damage_count > 0 || has(SkipKind::Duplicate) {
            return None;
        }
        let by_design = [
            (SkipKind::Digest, "holds a digest of CloudTrail, and no event"),
            (SkipKind::S3Notification, "holds a notification of S3, and no event"),
            (SkipKind::OtherService, "holds records of another service, and no event"),
        ];
        if has(SkipKind::NotJson) {
            Some("holds no JSON")
        } else if has(SkipKind::Scalar) || has(SkipKind::LogMessage) {
            Some("holds no event: its JSON has texts, numbers or lists alone")
        } else if self.is_blank || (self.bytes_inflated == 0 && self.skipped.is_empty()) {
            (!self.stopped).then_some("is empty")
        } else if !is_named {
            None
        } else if let Some((_, reason)) = by_design.iter().find(|(kind, _)| has(*kind)) {
            Some(reason)
        } else {
            Some("holds no event")
        }
    }

    /// Returns true if all that is known of the file is that it is not JSON.
    #[must_use]
    pub fn holds_no_json(&self) -> bool {
        let holds_else = self.skipped.keys().any(|kind| *kind != SkipKind::NotJson);
        self.events == 0 && self.damage_count == 0 && !self.skipped.is_empty() && !holds_else
    }

    /// Returns what tells whether something has been found since.
    pub(crate) fn marks(&self) -> Marks {
        let nothing = [SkipKind::NotJson, SkipKind::Scalar, SkipKind::LogMessage];
        let nothing = nothing.iter().filter_map(|kind| self.skipped.get(kind)).sum();
        (
            self.events + self.skipped.get(&SkipKind::Duplicate).unwrap_or(&0),
            self.damage_count,
            nothing,
            self.skipped.get(&SkipKind::NotJson).copied().unwrap_or_default(),
        )
    }

    /// Returns true if something was found since these marks, and it was neither an event nor damage.
    pub(crate) fn holds_no_event_since(&self, marks: &Marks) -> bool {
        let now = self.marks();
        (now.0, now.1) == (marks.0, marks.1) && now.2 > marks.2
    }

    /// Returns true if a text was read since these marks, and it was blank or no JSON.
    pub(crate) fn holds_no_json_since(&self, marks: &Marks, is_blank: bool) -> bool {
        let now = self.marks();
        (now.0, now.1) == (marks.0, marks.1) && (is_blank || now.3 > marks.3)
    }

    /// Counts an entry of an archive that holds no JSON.
    pub(crate) fn skip_entry(&mut self, name: &str) {
        self.foreign_entries += 1;
        if self.foreign_names.len() < NAMED_ENTRIES && !is_of_macos(name) {
            self.foreign_names.push(shown(name));
        }
    }

    pub(crate) fn damage(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damages.len() < KEPT_DAMAGES {
            self.damages.push(damage);
        }
    }
}

fn latest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().reduce(f64::max)
}

/// Returns true for the attributes of files that macOS puts beside them.
pub(crate) fn is_of_macos(entry: &str) -> bool {
    let entry = entry.rsplit(':').next().unwrap_or(entry);
    let file = entry.rsplit(['/', '\\']).next().unwrap_or(entry);
    entry.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store"
}

/// Returns true for the name of a file that a program writes beside logs and that holds none: what a
/// system keeps of a folder, the description of a result of Athena, a checksum of Hadoop.
pub(crate) fn is_beside_logs(path: &str) -> bool {
    let file = path.rsplit(['/', '\\', ':']).next().unwrap_or(path);
    is_of_macos(path)
        || file.eq_ignore_ascii_case("thumbs.db")
        || file.ends_with(".csv.metadata")
        || (file.starts_with('.') && file.ends_with(".crc"))
}

/// Adds to the number of events at a place; a file with a key for each event has many places.
pub(crate) fn count_place(places: &mut BTreeMap<String, u64>, place: &str, count: u64) {
    let is_known = places.contains_key(place);
    let place = if is_known || places.len() < KEPT_PLACES { place } else { OTHER_PLACES };
    *places.entry(place.to_owned()).or_default() += count;
}

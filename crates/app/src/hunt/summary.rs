//! What a hunt came to: what was read, what was skipped, what became of each detection.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use spilltrail_content::Detection;
use spilltrail_decode::SkipKind;
use spilltrail_detect::{DetectionRun, SCHEMA_VERSION, Status};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_search::rows::json;
use spilltrail_source::{Logs, Reason, ScanCosts, SkippedCount};

use crate::clock::Clock;
use crate::memory::MemoryUse;
use crate::unread::Unread;

/// What a hunt came to. Serialized, it is the last object of a hunt's output; times are epoch seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run, as each finding names it.
    pub run_id: String,
    /// Files named, whether they could be read or not.
    pub files: u64,
    /// Their size in bytes, as they are stored.
    pub bytes: u64,
    /// Their size in bytes after decompression.
    pub bytes_uncompressed: u64,
    /// Events in them.
    pub events: u64,
    /// Time of the oldest event.
    #[serde(serialize_with = "time")]
    pub first_event: Option<f64>,
    /// Time of the newest event.
    #[serde(serialize_with = "time")]
    pub last_event: Option<f64>,
    /// Start of the range searched, if it was bounded.
    #[serde(serialize_with = "time")]
    pub earliest: Option<f64>,
    /// End of the range searched, if it was bounded.
    #[serde(serialize_with = "time")]
    pub latest: Option<f64>,
    /// What `now()` was, or would have been where no search asked for it.
    #[serde(serialize_with = "time")]
    pub now: Option<f64>,
    /// True if the caller set it.
    pub now_is_given: bool,
    /// Processor time that looking for the newest event took.
    pub now_cpu_seconds: f64,
    /// What each pass over the logs did.
    pub passes: Vec<Pass>,
    /// Findings of all detections.
    pub findings: u64,
    /// What became of each detection, in their order.
    pub detections: Vec<Report>,
    /// Records recognized and left out, by kind.
    pub skipped: BTreeMap<SkipKind, u64>,
    /// What no search had to read, by its path.
    pub skipped_by_path: BTreeMap<Reason, SkippedCount>,
    /// Input that was not read, or not whole.
    pub unread: Vec<Unread>,
    /// What searches held in memory; no part of the output.
    #[serde(skip)]
    pub memory: MemoryUse,
}

/// What became of a detection.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The detection's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// TTP, Anomaly and so on.
    #[serde(rename = "type")]
    pub detection_type: String,
    /// What became of it.
    #[serde(serialize_with = "name")]
    pub status: Status,
    /// Its findings; at most [`MAX_FINDINGS`](spilltrail_detect::MAX_FINDINGS).
    pub findings: u64,
    /// Rows that its search gave.
    pub rows: u64,
    /// Events that its first search matched; `None` if it does not begin by finding events.
    pub matched_events: Option<u64>,
    /// How long it ran, in seconds.
    pub seconds: f64,
    /// Processor time of its own, in seconds: running, not reading.
    pub cpu_seconds: f64,
    /// The highest score of its findings.
    #[serde(skip)]
    pub risk_score: Option<u32>,
    /// Fields that it groups by and no event has.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub missing_fields: Vec<String>,
    /// Lookups that it reads and that are empty.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub empty_lookups: Vec<String>,
    /// What is to say about it; places are in the detection's search as it was written.
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    pub messages: Vec<Diagnostic>,
}

/// What a pass over the logs did.
#[derive(Debug, Clone, Serialize)]
pub struct Pass {
    /// Processor time of all its threads, in seconds.
    pub cpu_seconds: f64,
    /// Events whose name no search asks for.
    pub events_left_by_name: u64,
    /// Further events that lack the words that searches need.
    pub events_left_by_needle: u64,
    /// Events that were taken apart.
    pub events_read: u64,
    /// Rows kept for the searches.
    pub rows: u64,
    /// Memory that they took, in bytes.
    pub bytes_held: u64,
    /// Bytes of them that went to disk.
    pub bytes_spilled: u64,
}

impl Pass {
    fn new(costs: &ScanCosts) -> Self {
        Self {
            cpu_seconds: rounded(costs.cpu),
            events_left_by_name: costs.extraction.by_name,
            events_left_by_needle: costs.extraction.by_needle,
            events_read: costs.extraction.read,
            rows: costs.extraction.rows,
            bytes_held: costs.held as u64,
            bytes_spilled: costs.spilled,
        }
    }
}

/// Returns seconds to the tenth of a millisecond.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10_000.0
}

impl Report {
    pub(crate) fn new(detection: &Detection, run: &DetectionRun) -> Self {
        let (missing_fields, empty_lookups) = match &run.status {
            Status::CannotFire(fields) => (fields.clone(), Vec::new()),
            Status::NoBaseline(lookups) => (Vec::new(), lookups.clone()),
            _ => (Vec::new(), Vec::new()),
        };
        Self {
            id: detection.id.clone(),
            name: detection.name.clone(),
            detection_type: detection.detection_type.to_string(),
            status: run.status.clone(),
            findings: run.findings,
            rows: run.rows,
            matched_events: run.matched_events,
            seconds: rounded(run.elapsed),
            cpu_seconds: rounded(run.cpu),
            risk_score: run.risk_score,
            missing_fields,
            empty_lookups,
            messages: run.messages.clone(),
        }
    }

    /// Returns why the detection has no findings, where that is not because the logs hold nothing to find.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &self.status {
            Status::CannotFire(fields) => Some(format!("no event has {}", list(fields))),
            Status::NoBaseline(lookups) => Some(format!("empty lookup {}", list(lookups))),
            Status::Unsupported | Status::Failed => {
                let worst = self.messages.iter().max_by_key(|message| message.severity);
                worst.map(|message| message.message.clone())
            }
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Summary {
    pub(crate) fn new(
        clock: &Clock,
        logs: &Logs,
        run_id: String,
        detections: Vec<Report>,
        costs: &[ScanCosts],
        newest_cost: Duration,
        memory: MemoryUse,
    ) -> Self {
        let read = logs.report();
        // Where no search asked for now, the newest event was not looked for before it was read.
        let newest = || read.total.newest.map(|newest| newest + 1.0);
        Self {
            schema_version: SCHEMA_VERSION,
            run_id,
            files: logs.files().len() as u64,
            bytes: logs.files().iter().map(|file| file.size).sum(),
            bytes_uncompressed: read.total.bytes_inflated,
            events: read.total.events,
            first_event: read.total.oldest,
            last_event: read.total.newest,
            earliest: clock.range.earliest,
            latest: clock.range.latest,
            now: if clock.is_fixed { Some(clock.now) } else { newest() },
            now_is_given: clock.is_fixed,
            now_cpu_seconds: rounded(newest_cost),
            passes: costs.iter().map(Pass::new).collect(),
            findings: detections.iter().map(|report| report.findings).sum(),
            detections,
            skipped: read.total.skipped,
            skipped_by_path: read.skips.by_reason,
            unread: Unread::of(logs),
            memory,
        }
    }

    /// Returns the reports with this status, in the order of the detections.
    #[must_use]
    pub fn with(&self, is: impl Fn(&Status) -> bool) -> Vec<&Report> {
        self.detections.iter().filter(|report| is(&report.status)).collect()
    }

    /// Returns whether some detection could not be run.
    #[must_use]
    pub fn has_unusable_detections(&self) -> bool {
        !self.with(|status| matches!(status, Status::Unsupported | Status::Failed)).is_empty()
    }

    /// Returns the number of files that are damaged or could not be opened.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.unread.iter().filter(|unread| unread.is_damage()).count()
    }

    /// Returns the number of files that are no logs.
    #[must_use]
    pub fn foreign(&self) -> usize {
        self.unread.len() - self.damaged()
    }

    /// Returns whether there was input and nothing of it could be read.
    #[must_use]
    pub fn is_all_unreadable(&self) -> bool {
        self.events == 0 && self.files > 0 && self.damaged() as u64 >= self.files
    }
}

#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn time<S: Serializer>(time: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(json::number).serialize(serializer)
}

/// The fields and lookups that a status names are fields of the report.
fn name<S: Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.name())
}

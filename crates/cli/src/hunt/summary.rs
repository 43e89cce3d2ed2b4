//! What a hunt came to: what was read, what was skipped, what became of each detection.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use spilltrail_content::Detection;
use spilltrail_decode::SkipKind;
use spilltrail_detect::{DetectionRun, Status};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_search::rows::json;
use spilltrail_source::{Reason, ScanCosts, SkippedCount};

use crate::environment::Environment;

/// The last object of a hunt's output.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Files named, whether they could be read or not.
    pub(super) files: u64,
    /// Their size.
    pub(super) bytes: u64,
    /// Their size after decompression.
    pub(super) bytes_uncompressed: u64,
    /// Events in them.
    pub(super) events: u64,
    #[serde(serialize_with = "time")]
    pub(super) first_event: Option<f64>,
    #[serde(serialize_with = "time")]
    pub(super) last_event: Option<f64>,
    /// The range searched, if it was bounded.
    #[serde(serialize_with = "time")]
    pub(super) earliest: Option<f64>,
    #[serde(serialize_with = "time")]
    pub(super) latest: Option<f64>,
    /// What `now()` was.
    #[serde(serialize_with = "time")]
    pub(super) now: Option<f64>,
    /// True if the user set it.
    pub(super) now_is_given: bool,
    /// Processor time that looking for the newest event took.
    pub(super) now_cpu_seconds: f64,
    /// What each pass over the logs did.
    pub(super) passes: Vec<Pass>,
    /// Findings of all detections.
    findings: u64,
    pub(super) detections: Vec<Report>,
    /// Records recognised and left out, by kind.
    pub(super) skipped: BTreeMap<SkipKind, u64>,
    /// What no search had to read, by its path.
    pub(super) skipped_by_path: BTreeMap<Reason, SkippedCount>,
    /// Input that was not read, or not whole.
    pub(super) unread: Vec<Unread>,
}

/// What became of a detection.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    id: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) detection_type: String,
    pub(super) status: Status,
    pub(super) findings: u64,
    pub(super) rows: u64,
    pub(super) matched_events: Option<u64>,
    seconds: f64,
    /// Processor time of its own: running, not reading.
    pub(super) cpu_seconds: f64,
    /// The highest score of its findings.
    #[serde(skip)]
    pub(super) risk_score: Option<u32>,
    /// Fields that it groups by and no event has.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) missing_fields: Vec<String>,
    /// Lookups that it reads and that are empty.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) empty_lookups: Vec<String>,
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    messages: Vec<Diagnostic>,
}

/// Input that was not read, or not whole.
#[derive(Debug, Serialize)]
pub(super) struct Unread {
    pub(super) name: String,
    pub(super) reason: String,
    /// True if that is a failure, false if the file only is no log.
    is_damage: bool,
}

/// What a pass over the logs did.
#[derive(Debug, Serialize)]
pub(super) struct Pass {
    /// Processor time of all its threads.
    pub(super) cpu_seconds: f64,
    /// Events that no search may want, by their name.
    pub(super) events_left_by_name: u64,
    /// Further ones that lack the words that searches need.
    pub(super) events_left_by_needle: u64,
    /// Events that were taken apart.
    pub(super) events_read: u64,
    /// Rows put by for the searches.
    pub(super) rows: u64,
    /// Memory that they took.
    pub(super) bytes_held: u64,
    /// Bytes of them that went to disk.
    pub(super) bytes_spilled: u64,
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
    pub(super) fn new(detection: &Detection, run: &DetectionRun) -> Self {
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
            findings: run.findings.len() as u64,
            rows: run.rows,
            matched_events: run.matched_events,
            seconds: rounded(run.elapsed),
            cpu_seconds: rounded(run.cpu),
            risk_score: run.findings.iter().filter_map(|finding| finding.risk_score).max(),
            missing_fields,
            empty_lookups,
            messages: run.messages.clone(),
        }
    }

    /// Returns why the detection has no findings, where that is not the logs' doing.
    pub(super) fn reason(&self) -> Option<String> {
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
    pub(super) fn new(
        environment: &Environment,
        detections: Vec<Report>,
        costs: &[ScanCosts],
        now_cost: Duration,
    ) -> Self {
        let clock = &environment.clock;
        let mut summary = Self {
            files: 0,
            bytes: 0,
            bytes_uncompressed: 0,
            events: 0,
            first_event: None,
            last_event: None,
            earliest: clock.range.earliest,
            latest: clock.range.latest,
            now: Some(clock.now),
            now_is_given: clock.is_fixed,
            now_cpu_seconds: rounded(now_cost),
            passes: costs.iter().map(Pass::new).collect(),
            findings: detections.iter().map(|report| report.findings).sum(),
            detections,
            skipped: BTreeMap::new(),
            skipped_by_path: BTreeMap::new(),
            unread: Vec::new(),
        };
        if let Some(logs) = &environment.logs {
            summary.read(logs);
        }
        summary
    }

    fn read(&mut self, logs: &spilltrail_source::Logs) {
        let report = logs.report();
        self.files = logs.files().len() as u64;
        self.bytes = logs.files().iter().map(|file| file.size).sum();
        self.bytes_uncompressed = report.total.bytes_inflated;
        self.events = report.total.events;
        self.first_event = report.total.oldest;
        self.last_event = report.total.newest;
        self.skipped = report.total.skipped;
        self.skipped_by_path = report.skips.by_reason;
        for problem in logs.problems() {
            let (name, reason) = (problem.name.clone(), problem.reason.clone());
            self.unread.push(Unread { name, reason, is_damage: true });
        }
        for file in report.problems {
            let damages = file.report.damages.iter().map(ToString::to_string);
            let mut reason = damages.take(3).collect::<Vec<_>>().join("; ");
            if file.report.damage_count == 0 {
                "holds no JSON".clone_into(&mut reason);
            } else if file.report.damage_count > 3 {
                reason.push_str(&format!("; {} more", file.report.damage_count - 3));
            }
            let is_damage = file.report.damage_count > 0;
            self.unread.push(Unread { name: file.name.to_string(), reason, is_damage });
        }
    }

    /// Says what `now()` was, or would have been, where no search asked for it.
    pub(super) fn settle_now(&mut self) {
        if !self.now_is_given {
            self.now = self.last_event.map(|newest| newest + 1.0);
        }
    }

    pub(super) fn findings(&self) -> u64 {
        self.findings
    }

    /// Returns the reports with this status, in the order of the detections.
    pub(super) fn with(&self, is: impl Fn(&Status) -> bool) -> Vec<&Report> {
        self.detections.iter().filter(|report| is(&report.status)).collect()
    }

    /// Returns whether some detection could not be run.
    pub(super) fn has_unusable_detections(&self) -> bool {
        !self.with(|status| matches!(status, Status::Unsupported | Status::Failed)).is_empty()
    }

    /// Returns the number of files that are damaged or could not be opened.
    pub(super) fn damaged(&self) -> usize {
        self.unread.iter().filter(|unread| unread.is_damage).count()
    }

    /// Returns the number of files that are no logs.
    pub(super) fn foreign(&self) -> usize {
        self.unread.len() - self.damaged()
    }

    /// Returns whether there was input and nothing of it could be read.
    pub(super) fn is_all_unreadable(&self) -> bool {
        self.events == 0 && self.files > 0 && self.damaged() as u64 >= self.files
    }
}

#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn time<S: Serializer>(time: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(json::number).serialize(serializer)
}

//! Summary of a hunt: the input read, the input skipped, and the outcome of each detection.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use spilltrail_content::Detection;
use spilltrail_decode::{Member, MemberSet, SkipKind};
use spilltrail_detect::{DetectionRun, Missing, SCHEMA_VERSION, Status};
use spilltrail_diagnostic::{Class, Code, Diagnostic, Severity};
use spilltrail_search::analysis::Need;
use spilltrail_search::rows::json;
use spilltrail_source::{Logs, MAX_AHEAD, Reason, ScanCosts, SkippedCount};

use super::baselines::{BaselineReport, BaselineStatus};
use super::blind;
use super::pinned::Named;
use crate::allow::AllowReport;
use crate::clock::Clock;
use crate::left_out;
use crate::memory::MemoryUse;
use crate::options::ReadOptions;
use crate::unread::{Times, Unread, UnreadKind};

/// The totals of a hunt and the outcome of each detection.
///
/// Serialized, it is the last object of a hunt's output. Times are epoch seconds.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Version of the output format: [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the run, the same as in each finding.
    pub run_id: String,
    /// Number of files, readable or not.
    pub files: u64,
    /// Number of files that were opened; not part of the output.
    #[serde(skip)]
    pub files_opened: u64,
    /// Total size of the files as stored, in bytes.
    pub bytes: u64,
    /// Total size of the files after decompression, in bytes.
    pub bytes_uncompressed: u64,
    /// Number of events in the files.
    pub events: u64,
    /// Number of events of CloudTrail without each member that their source leaves out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events_without: BTreeMap<Member, u64>,
    /// Time of the oldest event.
    #[serde(serialize_with = "time")]
    pub first_event: Option<f64>,
    /// Time of the newest event.
    #[serde(serialize_with = "time")]
    pub last_event: Option<f64>,
    /// Start of the searched time range, if it has one.
    #[serde(serialize_with = "time")]
    pub earliest: Option<f64>,
    /// End of the searched time range, if it has one.
    #[serde(serialize_with = "time")]
    pub latest: Option<f64>,
    /// Value of `now()`, also if no search called it.
    #[serde(serialize_with = "time")]
    pub now: Option<f64>,
    /// True if the caller set `now`.
    pub now_is_given: bool,
    /// What `now` is, if the caller did not set it; not part of the output.
    #[serde(skip)]
    pub now_is: NowIs,
    /// CPU time spent finding the newest event.
    pub now_cpu_seconds: f64,
    /// Counts and costs of each pass over the logs.
    pub passes: Vec<Pass>,
    /// Number of findings of all detections, without hidden ones.
    pub findings: u64,
    /// Number of findings that the allow-list hid.
    #[serde(skip_serializing_if = "is_zero")]
    pub hidden: u64,
    /// What each entry of the allow-list did.
    #[serde(skip_serializing_if = "<[AllowReport]>::is_empty")]
    pub allow_list: Vec<AllowReport>,
    /// Outcome of each baseline that ran before the detections.
    #[serde(skip_serializing_if = "<[BaselineReport]>::is_empty")]
    pub baselines: Vec<BaselineReport>,
    /// Outcome of each detection, in the order in which they ran; those that were not run are last.
    pub detections: Vec<Report>,
    /// Why detections were not run, and how many each cause held back, the most first.
    pub causes: Vec<Cause>,
    /// Number of records that were recognized and skipped, by kind.
    pub skipped: BTreeMap<SkipKind, u64>,
    /// Number of events found inside other values, by where they were: the keys around them, such as
    /// `Events[].CloudTrailEvent`, or a description.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unwrapped: BTreeMap<String, u64>,
    /// Files that no search had to read because of their path, by reason.
    pub skipped_by_path: BTreeMap<Reason, SkippedCount>,
    /// Input that was not read, or only read in part.
    pub unread: Vec<Unread>,
    /// Comparisons with a log index, such as `index=aws`, that hold for every event because files
    /// have no index; not part of the output.
    #[serde(skip)]
    pub met_indexes: Vec<String>,
    /// Memory limit and peak of the searches; not part of the output.
    #[serde(skip)]
    pub memory: MemoryUse,
}

/// A cause that kept detections from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// The status of these detections.
    pub status: &'static str,
    /// The cause, as a predicate of several detections: "need the data model `Endpoint`".
    pub cause: String,
    /// Number of detections.
    pub detections: u64,
}

/// The outcome of one detection.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Id of the detection.
    pub id: String,
    /// Name of the detection.
    pub name: String,
    /// Type of the detection, such as `TTP` or `Anomaly`.
    #[serde(rename = "type")]
    pub detection_type: String,
    /// Whether the detection ran, and if not, why.
    #[serde(serialize_with = "name")]
    pub status: Status,
    /// Number of findings, at most [`MAX_FINDINGS`](spilltrail_detect::MAX_FINDINGS), without hidden
    /// ones.
    pub findings: u64,
    /// Number of findings that the allow-list hid.
    #[serde(skip_serializing_if = "is_zero")]
    pub hidden: u64,
    /// Number of rows that the search returned.
    pub rows: u64,
    /// Number of events that the first search matched; `None` if the detection does not start with
    /// an event search.
    pub matched_events: Option<u64>,
    /// Wall-clock time that the detection ran, in seconds.
    pub seconds: f64,
    /// CPU time of running the detection, in seconds; reading the logs is not included.
    pub cpu_seconds: f64,
    /// Highest risk score among the findings.
    #[serde(skip)]
    pub risk_score: Option<u32>,
    /// Fields that the search groups by and that none of the events that it groups has.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub missing_fields: Vec<String>,
    /// Number of these events, or of rows made from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_in: Option<u64>,
    /// Whether the sources of all events leave these fields out.
    #[serde(skip)]
    pub is_left_out: bool,
    /// The messages that say why findings may be missing although the search ran.
    #[serde(skip)]
    pub lacks: Vec<Diagnostic>,
    /// What the detection needs and the logs cannot have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Need>,
    /// Empty lookups that the search reads.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub empty_lookups: Vec<String>,
    /// The mistake in the search that keeps it from returning a row, if there is one; it is among the
    /// messages.
    #[serde(skip)]
    pub mistake: Option<String>,
    /// Diagnostics of the detection; their spans are byte offsets in the search as written.
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    pub messages: Vec<Diagnostic>,
}

/// Counts and costs of one pass over the logs.
#[derive(Debug, Clone, Serialize)]
pub struct Pass {
    /// CPU time of all reader threads, in seconds.
    pub cpu_seconds: f64,
    /// Number of events skipped because no search asks for their name.
    pub events_left_by_name: u64,
    /// Number of further events skipped because they lack the words that searches require.
    pub events_left_by_needle: u64,
    /// Number of events that were parsed.
    pub events_read: u64,
    /// Number of rows kept for the searches.
    pub rows: u64,
    /// Memory that the rows used, in bytes.
    pub bytes_held: u64,
    /// Number of these bytes that were spilled to disk.
    pub bytes_spilled: u64,
}

/// How a hunt ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran<'a> {
    pub(super) clock: &'a Clock,
    pub(super) run_id: &'a str,
    /// The costs of each pass over the logs.
    pub(super) costs: &'a [ScanCosts],
    /// CPU time spent finding the newest event.
    pub(super) newest_cost: Duration,
    pub(super) memory: MemoryUse,
    /// Whether the newest event was looked for and found, so that the clock is set to it.
    pub(super) newest_is_known: bool,
    /// Whether the hunt or one of its detections limits the times of events.
    pub(super) has_range: bool,
    /// Whether a detection names the kind of the events that were read.
    pub(super) are_wanted: bool,
    /// The members that detections read and that the sources of some events leave out.
    pub(super) lacking_read: MemberSet,
    /// How the logs were read.
    pub(super) read: &'a ReadOptions,
    /// The sourcetypes and indexes that the detections name.
    pub(super) named: &'a Named,
}

/// The findings of a detection that were handed on, and those that the allow-list hid.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shown {
    pub(crate) hidden: u64,
    /// Highest risk score among the findings that were handed on.
    pub(crate) risk_score: Option<u32>,
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

/// Where the current time of a hunt is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NowIs {
    /// The caller set it.
    Given,
    /// It is just after the newest event.
    AfterNewest,
    /// It is just after the newest event of those that are not dated later than they can have
    /// happened.
    AfterNewestPossible,
    /// It is the time of the run, because every event is dated later than it can have happened.
    Run,
}

/// Returns the current time of a hunt, also if no search asked for it, and where it is from.
fn present(run: &Ran<'_>, newest: Option<f64>) -> (Option<f64>, NowIs) {
    let clock = run.clock;
    if clock.is_fixed {
        return (Some(clock.now), NowIs::Given);
    }
    // If no search asked for the current time, the newest event is known only from reading.
    let Some(newest) = newest.map(|newest| newest + 1.0) else { return (None, NowIs::AfterNewest) };
    // An event that is dated later than it can have happened is not the present.
    if newest <= clock.now + MAX_AHEAD {
        (Some(newest), NowIs::AfterNewest)
    } else if run.newest_is_known {
        (Some(clock.now), NowIs::AfterNewestPossible)
    } else {
        (Some(clock.now), NowIs::Run)
    }
}

/// Returns the time in seconds, rounded to 0.1 milliseconds.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10_000.0
}

impl Report {
    pub(crate) fn new(detection: &Detection, run: &DetectionRun, shown: Shown) -> Self {
        let (mut missing, mut empty_lookups, mut needs) = (None, Vec::new(), None);
        match &run.status {
            Status::CannotFire(fields) => missing = Some(fields.clone()),
            Status::NoBaseline(lookups) => empty_lookups.clone_from(lookups),
            Status::NeedsSource(need) => needs = Some(need.clone()),
            _ => {}
        }
        let missing_in = missing.as_ref().map(|missing| missing.rows);
        Self {
            id: detection.id.clone(),
            name: detection.name.clone(),
            detection_type: detection.detection_type.to_string(),
            status: run.status.clone(),
            findings: run.findings.saturating_sub(shown.hidden),
            hidden: shown.hidden,
            rows: run.rows,
            matched_events: run.matched_events,
            seconds: rounded(run.elapsed),
            cpu_seconds: rounded(run.cpu),
            // The highest score may be that of a hidden finding.
            risk_score: if shown.hidden == 0 { run.risk_score } else { shown.risk_score },
            missing_fields: missing.map(|missing| missing.fields).unwrap_or_default(),
            missing_in,
            is_left_out: false,
            lacks: run.lacks().into_iter().cloned().collect(),
            needs,
            empty_lookups,
            mistake: None,
            messages: run.messages.clone(),
        }
    }

    /// Returns true if the detection cannot run over any logs: it is unsupported, or its search is
    /// wrong. One that lacked memory, or whose events are damaged, may run another time.
    fn is_unusable(&self) -> bool {
        let is_of_the_run = |message: &Diagnostic| {
            message.severity == Severity::Error
                && !matches!(message.code.class(), Class::User | Class::Unsupported)
        };
        match &self.status {
            Status::Failed => !self.messages.iter().any(is_of_the_run),
            status => status.is_unsupported(),
        }
    }

    /// Returns why the detection has no findings, unless the reason is that nothing in the logs
    /// matched.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        if self.mistake.is_some() {
            return self.mistake.clone();
        }
        match &self.status {
            Status::CannotFire(Missing { fields, rows }) if self.is_left_out => {
                let events = if *rows == 1 { "event" } else { "events" };
                Some(format!("none of {rows} {events} has {}", list(fields)))
            }
            Status::CannotFire(Missing { fields, rows: 1 }) => {
                Some(format!("the one event that it groups has no {}", list(fields)))
            }
            Status::CannotFire(Missing { fields, rows }) => {
                Some(format!("none of the {rows} events that it groups has {}", list(fields)))
            }
            Status::NoBaseline(lookups) => {
                let held = match self.rows {
                    0 => "it has no results".to_owned(),
                    1 => "its one result is held back".to_owned(),
                    rows => format!("its {rows} results are held back"),
                };
                let undefined =
                    self.lacks.iter().filter(|message| message.code == Code::MISSING_LOOKUP);
                let undefined: Vec<&str> =
                    undefined.map(|message| message.message.as_str()).collect();
                let why = format!("{held}: empty lookup {}", list(lookups));
                Some(match undefined.as_slice() {
                    [] => why,
                    undefined => format!("{why} ({})", undefined.join(", ")),
                })
            }
            Status::NeedsSource(need) => Some(format!("needs {need}")),
            Status::Unsupported | Status::Failed => {
                let worst = self.messages.iter().max_by_key(|message| message.severity);
                worst.map(|message| message.message.clone())
            }
            _ => None,
        }
    }
}

/// The end of the messages about parts of SPL that are not supported.
const NOT_SUPPORTED: &str = " is not supported";

/// Returns the causes that kept detections from running, the one of most detections first.
fn causes(reports: &[Report]) -> Vec<Cause> {
    let mut counts: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for report in reports {
        let cause = match &report.status {
            Status::NeedsSource(need) => format!("need {need}"),
            Status::Unsupported => {
                let reason = report.reason().unwrap_or_default();
                match reason.strip_suffix(NOT_SUPPORTED) {
                    Some(part) => format!("use {part}"),
                    None => format!("are not supported: {reason}"),
                }
            }
            _ => continue,
        };
        *counts.entry((report.status.name(), cause)).or_default() += 1;
    }
    let mut causes: Vec<Cause> = counts
        .into_iter()
        .map(|((status, cause), detections)| Cause { status, cause, detections })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.detections));
    causes
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Summary {
    /// Returns true if input has a problem of this kind.
    #[must_use]
    pub fn has(&self, kind: UnreadKind) -> bool {
        self.unread_as(&[kind]) > 0
    }

    /// Returns true if findings may be missing: part of the input or of the detections could not be
    /// used.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.has_failed_detections()
            || self.detections.iter().any(|report| !report.lacks.is_empty())
            || self.has_mistaken_detections()
            || self.baselines.iter().any(|baseline| baseline.status == BaselineStatus::Failed)
            || self.unread.iter().any(Unread::is_damage)
    }

    /// Creates the summary of a hunt.
    pub(super) fn new(logs: &Logs, detections: Vec<Report>, run: &Ran<'_>) -> Self {
        let Ran { clock, costs, has_range, are_wanted, lacking_read, .. } = *run;
        let read = logs.report();
        let mut unread = Unread::of(logs, Times::new(has_range, true));
        let total = &read.total;
        let is_wanted = are_wanted || logs.has_named_sourcetype();
        let has_matched = blind::has_matched(&detections);
        let unread_name = run.named.problem(run.read, has_matched).filter(|_| total.events > 0);
        let problem = match unread_name {
            // Detections that name no sourcetype may have looked at the events.
            Some(reason) if has_matched => Some(Unread::unnamed(reason)),
            Some(reason) => Some(blind::no_trail(reason)),
            None => blind::problem(total, &detections, is_wanted),
        };
        match problem {
            Some(problem) => unread.push(problem),
            None if total.rows > 0 && total.rows < total.events => {
                unread.push(Unread::rows_beside(total.rows, total.events, &read.with_rows));
            }
            None => {}
        }
        let has_lookalikes = !read.with_lookalikes.names.is_empty();
        if has_lookalikes && total.rows < total.events && !logs.has_named_sourcetype() {
            unread.push(Unread::lookalikes(&read.with_lookalikes));
        }
        unread.extend(left_out::unread(&read, lacking_read));
        let (now, now_is) = present(run, total.newest);
        Self {
            schema_version: SCHEMA_VERSION,
            run_id: run.run_id.to_owned(),
            files: logs.files().len() as u64,
            files_opened: read.files,
            bytes: logs.files().iter().map(|file| file.size).sum(),
            bytes_uncompressed: read.total.bytes_inflated,
            events: read.total.events,
            events_without: read.total.left_out.events.clone(),
            first_event: read.total.oldest,
            last_event: read.total.newest,
            earliest: clock.range.earliest,
            latest: clock.range.latest,
            now,
            now_is_given: clock.is_fixed,
            now_is,
            now_cpu_seconds: rounded(run.newest_cost),
            passes: costs.iter().map(Pass::new).collect(),
            findings: detections.iter().map(|report| report.findings).sum(),
            hidden: detections.iter().map(|report| report.hidden).sum(),
            allow_list: Vec::new(),
            baselines: Vec::new(),
            causes: causes(&detections),
            detections,
            skipped: read.total.skipped,
            unwrapped: read.total.unwrapped,
            skipped_by_path: read.skips.by_reason,
            unread,
            met_indexes: Vec::new(),
            memory: run.memory,
        }
    }

    /// Adds what the entries of the allow-list did.
    pub(crate) fn with_allow_list(self, allow_list: Vec<AllowReport>) -> Self {
        Self { allow_list, ..self }
    }

    /// Returns the reports whose status satisfies `is`, in the order of the detections.
    #[must_use]
    pub fn with(&self, is: impl Fn(&Status) -> bool) -> Vec<&Report> {
        self.detections.iter().filter(|report| is(&report.status)).collect()
    }

    /// Returns true if a detection failed.
    #[must_use]
    pub fn has_failed_detections(&self) -> bool {
        !self.with(|status| *status == Status::Failed).is_empty()
    }

    /// Returns true if a mistake in its search keeps a detection from finding anything.
    #[must_use]
    pub fn has_mistaken_detections(&self) -> bool {
        self.detections.iter().any(|report| report.mistake.is_some())
    }

    /// Returns true if this version cannot run a detection, whatever the logs are.
    #[must_use]
    pub fn has_unsupported_detections(&self) -> bool {
        !self.with(Status::is_unsupported).is_empty()
    }

    /// Returns true if no detection can run, whatever the logs are, so that nothing was looked for.
    #[must_use]
    pub fn could_not_run(&self) -> bool {
        !self.detections.is_empty() && self.detections.iter().all(Report::is_unusable)
    }

    /// Returns true if no detection could look at the logs.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        blind::is_blind(&self.detections)
    }

    /// Returns the number of inputs that are damaged or could not be opened.
    #[must_use]
    pub fn damaged(&self) -> usize {
        self.unread_as(&[UnreadKind::NotFound, UnreadKind::Damaged, UnreadKind::NoLog])
    }

    /// Returns the number of files that are not logs.
    #[must_use]
    pub fn foreign(&self) -> usize {
        self.unread_as(&[UnreadKind::Foreign])
    }

    fn unread_as(&self, kinds: &[UnreadKind]) -> usize {
        self.unread.iter().filter(|unread| kinds.contains(&unread.kind)).count()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference to the field")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn time<S: Serializer>(time: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(json::number).serialize(serializer)
}

/// Serializes only the name of a status: its fields and lookups are fields of the report.
fn name<S: Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.name())
}

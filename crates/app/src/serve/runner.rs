//! Runs what is due: detections over the lake, and baselines that fill lookups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use serde_json::json;
use spilltrail_content::Detection;
use spilltrail_detect::{Finding, MAX_FINDINGS, Status as Outcome};
use spilltrail_diagnostic::{Class, Code, Severity};
use spilltrail_lake::{Wal, WalReader};
use spilltrail_schedule::{Interval, Moment, Pass, Run, Throttle, Verdict};
use spilltrail_search::analysis::NeedKind;
use spilltrail_store::{
    FindingRecord, Finished, Outcome as StoredOutcome, RunRecord, Status, Store, StoreError, Told,
};
use tokio_util::sync::CancellationToken;

use super::allowed::Allowed;
use super::events::{ServeEvent, ServeSink};
use super::findings;
use super::folder::DataFolder;
use super::options::ServeOptions;
use super::priority::Priorities;
use super::schedules::{Schedules, What};
use crate::allow::AllowList;
use crate::content::Content;
use crate::error::{AppError, blocking};
use crate::hunt::hunt;
use crate::hunt::sink::{HuntEvent, HuntSink, SinkError};
use crate::hunt::summary::{Report, Summary};
use crate::options::{
    HuntOptions, Input, Lake, ReadOptions, RunOptions, SearchOptions, SearchText, TimeOptions,
};
use crate::search::search;
use crate::select::Selection;
use crate::unread::{Unread, UnreadKind};

/// The most of what is told once.
const MOST_TOLD: usize = 100;

/// What runs use, apart from the content.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) options: ServeOptions,
    pub(super) priorities: Arc<Priorities>,
    /// What was told that is so for many runs.
    pub(super) told: Mutex<BTreeSet<String>>,
    pub(super) folder: DataFolder,
    pub(super) store: Arc<Mutex<Store>>,
    pub(super) wal: Arc<Wal>,
    pub(super) sink: Arc<dyn ServeSink>,
    pub(super) cancel: CancellationToken,
}

/// Why something runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is due.
    Due,
    /// Events arrived after it had run.
    Late,
}

/// What follows from the runs of a pass.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The ids of those that failed, and are due again.
    pub(super) failed: BTreeSet<String>,
    /// The ids of those of which later runs are to run again, because they throttle something else now.
    pub(super) disturbed: BTreeSet<String>,
}

/// What follows from the end of a run.
#[derive(Debug, Default)]
struct After {
    failed: bool,
    disturbed: bool,
}

impl Passed {
    fn note(&mut self, run: &Run, after: After) {
        if after.failed {
            self.failed.insert(run.schedule.clone());
        }
        if after.disturbed {
            self.disturbed.insert(run.schedule.clone());
        }
    }
}

/// How an attempt at a run ended.
struct Ended {
    status: Status,
    /// Not all events could be read, or nothing was judged: what was found before may be there still.
    is_partial: bool,
    reason: Option<String>,
    findings: Vec<Finding>,
    cost: serde_json::Value,
}

/// The content with which a pass runs.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) content: Arc<Content>,
    pub(super) schedules: Arc<Schedules>,
}

impl Runner {
    /// Does something with the store, on a thread that may wait for the disk.
    pub(super) async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AppError> {
        let store = self.store.clone();
        let path = self.folder.store();
        let done =
            blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await?.map_err(|error| AppError::Store { path, reason: error.to_string() })
    }

    /// Runs what a pass has, and stores how each run ended. Later runs of a schedule wait for one that failed:
    /// how far a schedule has come is one moment, and before it there are no holes.
    ///
    /// # Errors
    /// Fails if the end of a run cannot be stored, or if the server is stopped.
    pub(super) async fn pass(
        &self,
        loaded: &Loaded,
        pass: &Pass,
        why: Why,
    ) -> Result<Passed, AppError> {
        let mut passed = Passed::default();
        let mut detections: BTreeMap<Moment, Vec<(&Run, usize)>> = BTreeMap::new();
        let mut baselines = Vec::new();
        for run in &pass.runs {
            match loaded.schedules.run.get(&run.schedule).map(|one| one.what) {
                Some(What::Baseline(index)) => baselines.push((run, index)),
                Some(What::Detection(index)) => {
                    detections.entry(run.nominal).or_default().push((run, index));
                }
                None => {}
            }
        }
        // What fills lookups comes before what reads them.
        for (run, index) in baselines {
            if passed.failed.contains(&run.schedule) {
                continue;
            }
            let (seen, started) = (self.seen().await?, (super::now(), Instant::now()));
            let ended = self.baseline(loaded, run, index).await?;
            passed.note(run, self.finish(loaded, run, why, seen, started, ended).await?);
        }
        for (nominal, mut runs) in detections {
            runs.retain(|(run, _)| !passed.failed.contains(&run.schedule));
            if runs.is_empty() {
                continue;
            }
            let (seen, started) = (self.seen().await?, (super::now(), Instant::now()));
            let mut ended = self.detections(loaded, pass.interval, nominal, &runs).await?;
            for (run, _) in runs {
                let ended = ended.remove(&run.schedule).unwrap_or_else(Ended::lost);
                passed.note(run, self.finish(loaded, run, why, seen, started, ended).await?);
            }
        }
        Ok(passed)
    }

    /// Returns the number of the last batch that whoever reads the lake from now on sees.
    async fn seen(&self) -> Result<u64, AppError> {
        let (log, folder) = (self.wal.path().to_owned(), self.folder.path().to_owned());
        let read = move || WalReader::open(&log)?.last_number();
        let failed = |error: &dyn std::error::Error| AppError::Lake {
            path: folder,
            reason: error.to_string(),
        };
        blocking(read).await?.map_err(|error| failed(&error))
    }

    pub(super) fn run_options(&self, interval: Interval, nominal: Moment) -> RunOptions {
        RunOptions {
            time: TimeOptions {
                earliest: Some(interval.from.0.to_string()),
                latest: Some(interval.to.0.to_string()),
                now: Some(nominal.0.to_string()),
                zone: self.options.zone.clone(),
            },
            read: ReadOptions {
                lake: Some(Lake {
                    folder: self.folder.path().to_owned(),
                    served: Some(self.options.offered_sourcetypes()),
                }),
                threads: self.options.threads,
                ..ReadOptions::default()
            },
            lookups: Some(self.folder.lookups()),
            geoip: self.options.geoip.clone(),
            memory_limit: self.options.memory_limit,
            cancel: self.cancel.clone(),
        }
    }

    /// Runs detections over an interval, and returns how each ended, by its id.
    async fn detections(
        &self,
        loaded: &Loaded,
        interval: Interval,
        nominal: Moment,
        runs: &[(&Run, usize)],
    ) -> Result<BTreeMap<String, Ended>, AppError> {
        let ids = runs.iter().map(|(run, _)| run.schedule.clone()).collect();
        let options = HuntOptions {
            select: Selection { detections: ids, ..Selection::default() },
            run: self.run_options(interval, nominal),
            ..HuntOptions::default()
        };
        let mut collected = Collected::default();
        match hunt(&loaded.content, &options, &mut collected).await {
            Ok(summary) => {
                self.tell_left_out(&summary);
                // That nothing was found before is no reason to doubt that logs come in.
                let reads_logs = |run: &Run| {
                    let scheduled = loaded.schedules.run.get(&run.schedule);
                    scheduled.is_some_and(|scheduled| scheduled.indexes.is_empty())
                };
                // One that cannot run has looked at nothing.
                let ran = |run: &Run| {
                    let mut reports = summary.detections.iter();
                    let report = reports.find(|report| report.id == run.schedule);
                    report.is_some_and(|report| {
                        !matches!(report.status, Outcome::Unsupported | Outcome::Failed)
                    })
                };
                let looked = runs.iter().filter(|(run, _)| reads_logs(run) && ran(run));
                let detections = looked.count();
                let has_none = summary.events == 0 || summary.has(UnreadKind::OutOfRange);
                if has_none && detections > 0 {
                    self.sink.event(ServeEvent::NoEvents { interval, detections });
                }
                Ok(collected.ended(&summary))
            }
            Err(error @ AppError::Cancelled(_)) => Err(error),
            Err(error) => {
                let reason = error.to_string();
                let failed = runs.iter();
                Ok(failed.map(|(run, _)| (run.schedule.clone(), Ended::failed(&reason))).collect())
            }
        }
    }

    /// Returns the entries of the configuration as they are at a moment.
    fn allow_list(&self, now: Moment) -> AllowList {
        let zone = spilltrail_schedule::zone_of(&self.options.zone).unwrap_or(TimeZone::UTC);
        AllowList::new(&self.options.allow, now.0 as f64, &zone)
    }

    /// Tells once what events lack, which each run over them meets again.
    fn tell_left_out(&self, summary: &Summary) {
        let is_told_once = |unread: &&Unread| {
            use UnreadKind::{LeftOut, Lookalikes, Untimed};
            matches!(unread.kind, LeftOut | Lookalikes | Untimed)
        };
        let left_out = summary.unread.iter().filter(is_told_once);
        for reason in left_out.flat_map(|unread| &unread.reasons) {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            // How many there are differs from run to run.
            let kind: String = reason.chars().filter(|letter| !letter.is_ascii_digit()).collect();
            if told.len() < MOST_TOLD && told.insert(kind) {
                self.sink.event(ServeEvent::Warning { part: "events", what: reason });
            }
        }
    }

    /// Runs a baseline, which writes lookups into the data folder.
    async fn baseline(&self, loaded: &Loaded, run: &Run, index: usize) -> Result<Ended, AppError> {
        let Some(baseline) = loaded.content.set.baselines.get(index) else {
            return Ok(Ended::lost());
        };
        let options = SearchOptions {
            search: SearchText::Spl(baseline.search.clone()),
            until: None,
            input: Input::Logs(Vec::new()),
            run: self.run_options(run.interval, run.nominal),
        };
        let rows = async {
            let mut rows = search(&loaded.content, &options).await?.run().await?;
            let mut count = 0;
            while let Some(batch) = rows.next().await? {
                count += batch.count();
            }
            Ok(count)
        };
        match rows.await {
            Ok(rows) => Ok(Ended {
                status: Status::Done,
                is_partial: false,
                reason: None,
                findings: Vec::new(),
                cost: json!({ "rows": rows }),
            }),
            Err(error @ AppError::Cancelled(_)) => Err(error),
            Err(error) if matches!(error.class(), Class::User | Class::Unsupported) => {
                Ok(Ended { status: Status::Skipped, ..Ended::failed(&error.to_string()) })
            }
            Err(error) => Ok(Ended::failed(&error.to_string())),
        }
    }

    /// Stores how a run ended, and tells it.
    async fn finish(
        &self,
        loaded: &Loaded,
        run: &Run,
        why: Why,
        seen: u64,
        (started, clock): (Moment, Instant),
        ended: Ended,
    ) -> Result<After, AppError> {
        let Some(scheduled) = loaded.schedules.run.get(&run.schedule) else {
            return Ok(After::default());
        };
        let detection = match scheduled.what {
            What::Detection(index) => loaded.content.set.detections.get(index),
            What::Baseline(_) => None,
        };
        let throttle = detection.and_then(throttle_of);
        let status = match (ended.status, why) {
            (Status::Done, Why::Late) => Status::Late,
            (status, _) => status,
        };
        let Ended { reason, findings, mut cost, is_partial, .. } = ended;
        let took = clock.elapsed();
        let (id, nominal) = (run.schedule.clone(), run.nominal);
        let record = RunRecord {
            schedule: id.clone(),
            nominal,
            attempt: 0,
            status,
            interval: run.interval,
            indexes: scheduled.indexes.clone(),
            seen,
            reason: reason.clone(),
            started,
            took: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            cost: None,
        };
        let priorities = self.priorities.clone();
        // Its entries end with a day of the clock.
        let configured = self.allow_list(started);
        let stored = move |store: &mut Store| {
            let reader = store.reader();
            let attempt = reader.next_attempt(&id, nominal)?;
            let mut state = throttle.as_ref().map(|_| reader.throttle(&id)).transpose()?;
            let mut allowed = Allowed::new(reader.allow_list(false)?, configured, nominal);
            let hidden: Vec<_> = findings.iter().map(|finding| allowed.hides(finding)).collect();
            let allowed_count = hidden.iter().flatten().count();
            if allowed_count > 0 {
                cost["allowed"] = allowed_count.into();
            }
            let mut held = vec![false; findings.len()];
            if let (Some(throttle), Some(state)) = (&throttle, &mut state)
                && status.has_findings()
            {
                // What is hidden does not stand in the way of what is not.
                let seen: Vec<usize> =
                    (0..findings.len()).filter(|place| hidden[*place].is_none()).collect();
                let keys: Vec<_> =
                    seen.iter().map(|place| findings::key(throttle, &findings[*place])).collect();
                let verdicts = if is_partial {
                    throttle.decide_partly(state, nominal, &keys)
                } else {
                    throttle.decide(state, nominal, &keys)
                };
                for (place, verdict) in seen.into_iter().zip(verdicts) {
                    held[place] = verdict != Verdict::Report;
                }
            }
            let throttled = held.iter().filter(|held| **held).count();
            if throttled > 0 {
                cost["throttled"] = throttled.into();
            }
            let mut findings: Vec<FindingRecord> = findings
                .iter()
                .zip(hidden)
                .zip(held)
                .filter(|(_, held)| !held)
                .map(|((finding, hidden), _)| findings::record(finding, &priorities, hidden))
                .collect();
            if is_partial && status.has_findings() {
                let known: BTreeSet<String> =
                    findings.iter().map(|finding| finding.id.clone()).collect();
                let before = reader.findings_of(&id, nominal)?.into_iter();
                findings.extend(before.filter(|finding| !known.contains(&finding.id)));
            }
            let disturbed = state.as_ref().is_some_and(|state| state.disturbed.is_some());
            let finished = store.finish_run(&StoredOutcome {
                run: &RunRecord { attempt, cost: Some(cost.to_string()), ..record },
                findings: &findings,
                throttle: state.as_ref(),
                hits: &allowed.hits(),
            })?;
            Ok((finished, disturbed))
        };
        let (finished, disturbed) = self.with_store(stored).await?;
        let told = match finished {
            Finished::Stored { told, .. } => told,
            Finished::Already => Told::default(),
        };
        self.sink.event(ServeEvent::Ran {
            detection: &scheduled.name,
            nominal,
            status,
            new: told.new,
            changed: told.changed,
            withdrawn: told.withdrawn,
            took,
            reason: reason.as_deref(),
        });
        Ok(After { failed: status == Status::Failed, disturbed })
    }
}

/// Returns what throttles the findings of a detection. Content whose period cannot be read is refused when
/// it is loaded.
fn throttle_of(detection: &Detection) -> Option<Throttle> {
    let throttling = detection.throttling.as_ref()?;
    Throttle::new(throttling.fields.clone(), &throttling.period).ok()
}

/// Returns true if what a search needs is a part of the events that senders may send. An index that is not there
/// may be misspelled.
fn is_of_events(kind: NeedKind) -> bool {
    matches!(kind, NeedKind::Sourcetype | NeedKind::DataModel)
}

impl Ended {
    fn failed(reason: &str) -> Self {
        Self {
            status: Status::Failed,
            is_partial: false,
            reason: Some(reason.to_owned()),
            findings: Vec::new(),
            cost: json!({}),
        }
    }

    /// Returns the end of a run of which nothing was told, which is a bug.
    fn lost() -> Self {
        Self::failed("the run ended without a result")
    }

    fn of(report: &Report, findings: Vec<Finding>, summary: &Summary) -> Self {
        let mut cost = json!({
            "outcome": report.status.name(),
            "events": summary.events,
            "rows": report.rows,
            "findings": report.findings,
            "cpu_seconds": report.cpu_seconds,
        });
        if let Some(matched) = report.matched_events {
            cost["matched_events"] = matched.into();
        }
        let worst = || report.messages.iter().max_by_key(|message| message.severity);
        let (status, reason) = match &report.status {
            Outcome::Fired | Outcome::Clean | Outcome::NoSuchEvents | Outcome::EmptySubsearch => {
                (Status::Done, None)
            }
            Outcome::Unsupported | Outcome::Failed => {
                let of_the_run = report.messages.iter().any(|message| {
                    message.severity == Severity::Error
                        && !matches!(message.code.class(), Class::User | Class::Unsupported)
                });
                // A search that is wrong is as wrong the next time.
                let status = if of_the_run { Status::Failed } else { Status::Skipped };
                (status, worst().map(|message| message.message.clone()))
            }
            // Its events may come at any time, or it would not be on a schedule: there are none now.
            Outcome::NeedsSource(need) if is_of_events(need.kind) => (Status::Done, None),
            Outcome::CannotFire(_) | Outcome::NeedsSource(_) => (Status::Done, report.reason()),
            // Nothing was judged, and what was found before stays.
            Outcome::NoBaseline(_) => (Status::Skipped, report.reason()),
        };
        let lacks = report.lacks.first().map(|lack| lack.message.clone());
        // That there is nothing of the time is told once, by the pass.
        // Rows of findings have the fields of the events that they are about.
        // Events that lack some of their fields are there, and are mostly those of other detections. Events
        // without a time are in no interval, today and ever after.
        let is_missing = |unread: &&Unread| {
            use UnreadKind::{LeftOut, Lookalikes, Untimed};
            !matches!(unread.kind, Lookalikes | LeftOut | Untimed)
                && unread.kind.code().is_some_and(|code| code != Code::NO_EVENTS)
        };
        let unread = summary.unread.iter().find(is_missing);
        let unread = unread.map(|unread| {
            let why = unread.reasons.first().map_or("", String::as_str);
            format!("events are missing: {}: {why}", unread.name)
        });
        let uncounted = (report.rows > report.findings && report.findings >= MAX_FINDINGS as u64)
            .then(|| format!("of {} rows, the first {MAX_FINDINGS} are findings", report.rows));
        // What was left out may be what made a finding: it stays.
        let is_partial = unread.is_some()
            || uncounted.is_some()
            || summary.has(UnreadKind::LeftOut)
            || matches!(report.status, Outcome::CannotFire(_) | Outcome::NeedsSource(_));
        let reason = reason.or(unread).or(lacks).or(uncounted);
        let findings = if status == Status::Done { findings } else { Vec::new() };
        Self { status, is_partial, reason, findings, cost }
    }
}

/// The findings and outcomes of a hunt, by the ids of detections.
#[derive(Default)]
struct Collected {
    findings: BTreeMap<String, Vec<Finding>>,
}

impl Collected {
    fn ended(mut self, summary: &Summary) -> BTreeMap<String, Ended> {
        let reports = summary.detections.iter().map(|report| {
            let findings = self.findings.remove(&report.id).unwrap_or_default();
            (report.id.clone(), Ended::of(report, findings, summary))
        });
        reports.collect()
    }
}

#[async_trait]
impl HuntSink for Collected {
    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), SinkError> {
        if let HuntEvent::Finding(finding) = event {
            self.findings.entry(finding.detection.id.clone()).or_default().push(*finding);
        }
        Ok(())
    }
}

//! Runs one test: reads its logs, runs the detection's search over them, and judges the results.

use std::path::PathBuf;
use std::sync::Arc;

use spilltrail_content::{Detection, Expectation, Placed, Places};
use spilltrail_decode::SOURCETYPES;
use spilltrail_detect::hunt::{Job, prepare};
use spilltrail_detect::{AnalyzedContent, DetectionRun, Finding, Missing, Status};
use spilltrail_diagnostic::{Class, Code, Diagnostic, Severity};
use spilltrail_event::StopToken;
use spilltrail_knowledge::Knowledge;
use spilltrail_search::analysis::{Analysis, NeedKind, Offer};
use spilltrail_search::events::shared::SharedEvents;
use spilltrail_search::pool;
use spilltrail_source::{Dataset, Logs, ReadOptions as LogOptions};
use tokio::sync::mpsc;

use super::checks::Checks;
use super::report::{TestReport, TestStatus};
use super::{data, moved};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::hunt::doubts;
use crate::logs::{LogEvents, LogReader};
use crate::options::RunOptions;
use crate::unread::{Times, Unread};

/// Findings that wait to be checked.
const WAITING: usize = 2;

/// Why a search found nothing that takes what it looks for from another one.
const EMPTY_SUBSEARCH: &str = "a subsearch returned nothing to look for";

/// The id of the run in findings, which are not shown.
const RUN_ID: &str = "test";

/// What all tests share.
pub(super) struct Bench {
    pub(super) content: Arc<AnalyzedContent>,
    pub(super) datasets: Vec<PathBuf>,
    pub(super) run: RunOptions,
    pub(super) stop: StopToken,
}

impl Bench {
    /// Runs a test and fills in its report.
    pub(super) async fn run(&self, place: usize, test: usize, report: &mut TestReport) {
        let detection = &self.content.set.detections[place];
        let analysis = self.content.detection(place);
        let attack_data = &detection.tests[test].attack_data;
        let moving: Vec<bool> = attack_data.iter().map(|data| data.update_timestamp).collect();
        let datasets = match data::find(detection, test, &self.content.set, &self.datasets) {
            Ok(datasets) => datasets,
            Err(reasons) => return report.conclude(TestStatus::NoData, reasons),
        };
        let offer = offer(&datasets, &self.content.set.knowledge);
        if let Some(need) = analysis.unmet(&offer).filter(|need| need.kind == NeedKind::DataModel) {
            return report.conclude(TestStatus::Unsupported, vec![format!("needs {need}")]);
        }
        let (datasets, unmoved) = moved::align(datasets, &moving, |datasets| self.open(datasets));
        report.warnings.extend(unmoved);
        let logs = self.open(datasets);
        let prepared = self.prepare(place, &logs).await;
        let job = match prepared {
            Ok(job) => job,
            Err(error) => return report.conclude(status_of(&error), vec![error.to_string()]),
        };
        let mut checks = Checks::new(detection, &self.content.set);
        let mut run = check(&self.content, &job, &mut checks).await;
        let mistake = doubts::add(&mut run, analysis, Vec::new());
        let read = logs.report();
        report.events = Some(read.total.events);
        let unread = Unread::of(&logs, Times::Unused);
        report.is_partial = unread.iter().any(Unread::is_damage);
        if read.total.events == 0 && !matches!(run.status, Status::Unsupported | Status::Failed) {
            let reasons = unread.iter().flat_map(|unread| {
                unread.reasons.iter().map(|reason| format!("{}: {reason}", unread.name))
            });
            return report.conclude(TestStatus::Error, reasons.collect());
        }
        for unread in unread.iter().filter(|unread| unread.is_damage()) {
            let reasons = unread.reasons.iter();
            report.warnings.extend(reasons.map(|reason| format!("{}: {reason}", unread.name)));
        }
        judge(report, detection, &Ran { run, mistake, analysis, offer: &offer }, checks);
    }

    fn open(&self, datasets: Vec<Dataset>) -> Arc<Logs> {
        let read = &self.run.read;
        let options = LogOptions {
            profile: read.profile,
            sourcetype: read.sourcetype.clone(),
            index: read.index.clone(),
            duplicates: read.duplicates,
            threads: read.threads,
            stop: self.stop.clone(),
            ..LogOptions::default()
        };
        Arc::new(Logs::of_datasets(datasets, options))
    }

    /// Plans the detection and reads its events.
    async fn prepare(&self, place: usize, logs: &Arc<Logs>) -> Result<Job, AppError> {
        let clock = self.clock(logs)?;
        let events = Arc::new(LogEvents(logs.clone()));
        let set = &self.content.set;
        let environment = Environment::new(set, events, clock, &self.run, pool::HUNT_LIMIT, 1)?;
        let reader = Arc::new(LogReader::new(logs.clone(), environment.scan_options()));
        let shared = SharedEvents::new(environment.events.clone(), reader);
        let context = || environment.context();
        let mut jobs =
            prepare(&self.content, &[place], &shared, &context).await.map_err(AppError::Reading)?;
        jobs.pop().ok_or_else(|| AppError::Bug("the detection was not planned".to_owned()))
    }

    /// Returns a clock that stands one second after the newest event, unless the user set it.
    fn clock(&self, logs: &Arc<Logs>) -> Result<Clock, AppError> {
        let clock = Clock::new(&self.run.time)?;
        if clock.is_fixed {
            return Ok(clock);
        }
        match logs.newest_event(clock.now).time {
            Some(newest) => Clock::at(&self.run.time, newest + 1.0),
            None => Ok(clock),
        }
    }
}

/// Runs the detection, and passes its findings to the checks.
async fn check(content: &AnalyzedContent, job: &Job, checks: &mut Checks<'_>) -> DetectionRun {
    let (sender, mut receiver) = mpsc::channel::<Vec<Finding>>(WAITING);
    let receive = async {
        while let Some(findings) = receiver.recv().await {
            findings.iter().for_each(|finding| checks.add(finding));
        }
    };
    let run = job.run_for_test(content, RUN_ID, sender);
    let (run, ()) = futures::join!(run, receive);
    run
}

/// A detection that has run, with what tells why it found nothing.
struct Ran<'a> {
    run: DetectionRun,
    /// The mistake with which its search can return no row.
    mistake: Option<String>,
    analysis: &'a Analysis,
    offer: &'a Offer,
}

/// Fills in the report of a test whose detection has run.
fn judge(report: &mut TestReport, detection: &Detection, ran: &Ran<'_>, checks: Checks<'_>) {
    let run = &ran.run;
    report.messages.clone_from(&run.messages);
    let lacks = run.lacks();
    report.is_partial |= !lacks.is_empty();
    report.matched_events = run.matched_events;
    match &run.status {
        Status::Unsupported => {
            let reasons = reasons_of(&run.messages, detection);
            return report.conclude(TestStatus::Unsupported, reasons);
        }
        Status::Failed => {
            let class = Diagnostic::class_of(&run.messages).unwrap_or(Class::Internal);
            let reasons = reasons_of(&run.messages, detection);
            return report.conclude(status_of_class(class), reasons);
        }
        _ => {}
    }
    let results = match &run.status {
        Status::Fired | Status::NoBaseline(_) => run.rows,
        _ => 0,
    };
    report.results = Some(results);
    let (mut failures, warnings) = checks.finish();
    report.warnings.extend(warnings);
    let is_expected = match report.expected {
        Expectation::Results => results > 0,
        Expectation::None => results == 0,
        Expectation::Count(count) => results == count,
    };
    if !is_expected {
        failures.insert(0, unexpected(report.expected, results));
    }
    // Without results, each warning may say why.
    let is_told = |told: &&Diagnostic| {
        results == 0 && told.severity == Severity::Warning || lacks.contains(told)
    };
    let told = run.messages.iter().filter(is_told).cloned().collect();
    report.warnings.extend(with_places(told, detection));
    if results == 0 {
        if !is_expected {
            failures.extend(ran.why_nothing(report.events.unwrap_or_default()));
        } else if let Some(reason) = ran.proves_nothing() {
            failures.push(format!("the test proves nothing: {reason}"));
        } else {
            report.warnings.extend(ran.proves_little());
        }
    }
    if let Status::NoBaseline(lookups) = &run.status
        && results > 0
    {
        let names = listed(lookups);
        report.warnings.push(format!("the results mean little: empty lookup {names}"));
    }
    let status = if failures.is_empty() { TestStatus::Passed } else { TestStatus::Failed };
    report.conclude(status, failures);
}

fn unexpected(expected: Expectation, results: u64) -> String {
    let found = match results {
        0 => "found none".to_owned(),
        results => format!("found {results}"),
    };
    match expected {
        Expectation::Results => format!("expected results, {found}"),
        Expectation::None => format!("expected no result, {found}"),
        Expectation::Count(1) => format!("expected 1 result, {found}"),
        Expectation::Count(count) => format!("expected {count} results, {found}"),
    }
}

impl Ran<'_> {
    /// Returns why the detection returned nothing, as far as that is known.
    fn why_nothing(&self, events: u64) -> Option<String> {
        if self.mistake.is_some() {
            return self.mistake.clone();
        }
        Some(match &self.run.status {
            Status::NoSuchEvents => match self.unmet() {
                Some(reason) => reason,
                None if events == 1 => "the event does not match the first search".to_owned(),
                None => format!("none of {events} events matches the first search"),
            },
            Status::CannotFire(missing) if !missing.fields.is_empty() => lacking(missing),
            Status::NoBaseline(lookups) => format!("the lookup {} is empty", listed(lookups)),
            Status::EmptySubsearch => EMPTY_SUBSEARCH.to_owned(),
            Status::Clean => match self.run.matched_events? {
                1 => "1 event matches the first search, and a later command drops it".to_owned(),
                count => {
                    format!("{count} events match the first search, and a later command drops them")
                }
            },
            _ => return None,
        })
    }

    /// Returns why the detection would return nothing whatever the events of its test did. A test that
    /// expects nothing then passes for no reason.
    fn proves_nothing(&self) -> Option<String> {
        let undefined = || {
            let mut told = self.run.messages.iter();
            let told = told.find(|message| message.code == Code::MISSING_LOOKUP)?;
            Some(told.message.clone())
        };
        match &self.run.status {
            _ if self.mistake.is_some() => self.mistake.clone(),
            Status::NoSuchEvents | Status::Clean => self.unmet(),
            Status::NoBaseline(_) => undefined(),
            _ => None,
        }
    }

    /// Returns why the detection may have returned nothing for another reason than its conditions.
    fn proves_little(&self) -> Option<String> {
        let reason = match &self.run.status {
            Status::NoBaseline(lookups) => format!("the lookup {} is empty", listed(lookups)),
            Status::CannotFire(missing) if !missing.fields.is_empty() => lacking(missing),
            Status::EmptySubsearch => EMPTY_SUBSEARCH.to_owned(),
            _ => return None,
        };
        Some(format!("the test proves little: {reason}"))
    }

    /// Returns what the search looks for and no event of the test has.
    fn unmet(&self) -> Option<String> {
        let need = self.analysis.unmet(self.offer)?;
        Some(if need.kind == NeedKind::Sourcetype {
            let names = self.offer.sourcetypes.iter().map(|name| format!("`{name}`"));
            let names = names.collect::<Vec<_>>().join(", ");
            format!("it looks for {need}, and that of the events is {names}")
        } else {
            format!("it looks for {need}, which no event has")
        })
    }
}

/// Returns that no event has the fields by which the search groups.
fn lacking(missing: &Missing) -> String {
    let fields = listed(&missing.fields);
    match missing.rows {
        1 => format!("the one event that it groups has no {fields}"),
        rows => format!("none of the {rows} events that it groups has {fields}"),
    }
}

fn listed(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Returns the worst of the messages, each with its place in the file of the detection.
fn reasons_of(messages: &[Diagnostic], detection: &Detection) -> Vec<String> {
    let worst = messages.iter().map(|message| message.severity).max();
    let worst = messages.iter().filter(|message| Some(message.severity) == worst);
    with_places(worst.cloned().collect(), detection)
}

/// Returns messages, each with its place in the file of the detection.
fn with_places(messages: Vec<Diagnostic>, detection: &Detection) -> Vec<String> {
    match detection.placed(&messages) {
        Some(Placed { text, diagnostics }) => {
            let mut places = Places::new(&text);
            let with_place = |diagnostic: &Diagnostic| {
                let place = diagnostic.span().and_then(|span| places.of(span.start));
                let place = place.map(|(line, column)| format!(" (line {line}, column {column})"));
                format!("{}{}", diagnostic.message, place.unwrap_or_default())
            };
            diagnostics.iter().map(with_place).collect()
        }
        None => messages.into_iter().map(|message| message.message).collect(),
    }
}

/// Returns what the logs of a test can have.
fn offer(datasets: &[Dataset], knowledge: &Arc<Knowledge>) -> Offer {
    let mut sourcetypes: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !sourcetypes.iter().any(|known| known == name) {
            sourcetypes.push(name.to_owned());
        }
    };
    for dataset in datasets {
        match &dataset.labels.sourcetype {
            Some(name) => add(name),
            None => SOURCETYPES.iter().for_each(|name| add(name)),
        }
    }
    let sources = datasets.iter().map(|dataset| {
        let source = dataset.labels.source.as_ref();
        source.unwrap_or(&dataset.name).to_string()
    });
    Offer {
        indexes: None,
        sourcetypes,
        logs: sources.collect(),
        own: Vec::new(),
        index: None,
        knowledge: knowledge.clone(),
    }
}

fn status_of(error: &AppError) -> TestStatus {
    status_of_class(error.class())
}

/// Returns the status of a test that a problem of this class stopped: what the author of a detection
/// can mend is a failure.
fn status_of_class(class: Class) -> TestStatus {
    match class {
        Class::User => TestStatus::Failed,
        Class::Unsupported => TestStatus::Unsupported,
        Class::Data | Class::Environment | Class::Internal | Class::Canceled => TestStatus::Error,
    }
}

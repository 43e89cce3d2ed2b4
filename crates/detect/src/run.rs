//! Running one detection.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use spilltrail_content::{ContentSet, Detection};
use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use spilltrail_search::context::{Observations, SearchContext};
use spilltrail_search::rows;
use spilltrail_search::rows::Row;
use spilltrail_search::run::outline;
use spilltrail_search::run::{self as search, Prepared};

use crate::baseline;
use crate::evidence::{self, Evidence, Gathered};
use crate::finding::{Finding, Form};
use crate::identity::{self, Ids};

/// Findings of one detection that are kept; further rows are only counted.
pub const MAX_FINDINGS: usize = 10_000;

/// What became of a detection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It has findings.
    Fired,
    /// There were events to look at, and nothing to find.
    Clean,
    /// Its first search matched no event.
    NoSuchEvents,
    /// Its first search matched events, but none has these fields, which it groups by.
    CannotFire(Vec<String>),
    /// It compares with these lookups, which are empty: its rows mean nothing.
    NoBaseline(Vec<String>),
    /// It uses SPL that is not there yet.
    Unsupported,
    /// Its search is wrong, or failed.
    Failed,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fired => "fired",
            Self::Clean => "clean",
            Self::NoSuchEvents => "no such events",
            Self::CannotFire(_) => "cannot fire",
            Self::NoBaseline(_) => "no baseline",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        })
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What running a detection came to.
#[derive(Debug)]
pub struct DetectionRun {
    /// What became of it.
    pub status: Status,
    /// One for each row, in the order of the rows, at most [`MAX_FINDINGS`].
    pub findings: Vec<Finding>,
    /// Rows that the search gave.
    pub rows: u64,
    /// Events that its first search matched; none if it does not begin by finding events.
    pub matched_events: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// Processor time that was its own: planning and running, not reading. Whoever runs it measures.
    pub cpu: Duration,
    /// What is to say about it; places are in the detection's search as written.
    pub messages: Vec<Diagnostic>,
}

/// Runs a detection's search and turns its rows into findings.
pub async fn run(
    detection: &Detection,
    content: &ContentSet,
    context: &SearchContext,
) -> DetectionRun {
    match Planned::new(detection, context).await {
        Ok(planned) => planned.run(detection, content, context).await,
        Err(diagnostics) => stopped(diagnostics),
    }
}

/// A detection's search, planned.
#[derive(Debug)]
pub(crate) struct Planned(Prepared);

impl Planned {
    /// Plans a detection's search.
    ///
    /// # Errors
    /// All diagnostics of the search.
    pub(crate) async fn new(
        detection: &Detection,
        context: &SearchContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        search::prepare(&detection.search, None, context).await.map(Self)
    }

    /// Returns true if the search gives nothing when it finds no event.
    pub(crate) fn needs_events(&self) -> bool {
        self.0.needs_events()
    }

    /// Runs the search and turns its rows into findings. `context` is the one it was planned in.
    pub(crate) async fn run(
        &self,
        detection: &Detection,
        content: &ContentSet,
        context: &SearchContext,
    ) -> DetectionRun {
        let started = Instant::now();
        let mut result = match found(&self.0, context).await {
            Ok(found) => concluded(detection, content, context, found).await,
            Err(diagnostics) => stopped(diagnostics),
        };
        result.elapsed = started.elapsed();
        result
    }

    /// Returns the run of a search that has no events to run over.
    pub(crate) fn without_events(
        &self,
        content: &ContentSet,
        context: &SearchContext,
    ) -> DetectionRun {
        let messages = context.observations.messages();
        DetectionRun {
            status: status(&context.observations, content, 0),
            findings: Vec::new(),
            rows: 0,
            matched_events: context.observations.matched(),
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            messages: messages.into_iter().map(|message| self.0.relocate(message)).collect(),
        }
    }
}

/// The rows of a search, and the messages that came with them.
struct Found {
    rows: Vec<Row>,
    count: u64,
    messages: Vec<Diagnostic>,
    expanded: String,
}

async fn found(prepared: &Prepared, context: &SearchContext) -> Result<Found, Vec<Diagnostic>> {
    let relocated = |diagnostic| vec![prepared.relocate(diagnostic)];
    let mut first = prepared.first(MAX_FINDINGS, context).await.map_err(relocated)?;
    let mut found =
        Found { rows: Vec::new(), count: 0, messages: Vec::new(), expanded: String::new() };
    while let Some(batch) = first.next().await.map_err(relocated)? {
        found.rows.extend(rows::batch_rows(&batch));
    }
    found.count = first.count();
    let messages = context.observations.messages();
    found.messages = messages.into_iter().map(|message| prepared.relocate(message)).collect();
    found.expanded.clone_from(&prepared.expansion.text);
    Ok(found)
}

/// Returns the run of a search that was not run to its end.
pub(crate) fn stopped(messages: Vec<Diagnostic>) -> DetectionRun {
    let is_error = messages.iter().any(|message| message.severity == Severity::Error);
    DetectionRun {
        status: if is_error { Status::Failed } else { Status::Unsupported },
        findings: Vec::new(),
        rows: 0,
        matched_events: None,
        elapsed: Duration::ZERO,
        cpu: Duration::ZERO,
        messages,
    }
}

async fn concluded(
    detection: &Detection,
    content: &ContentSet,
    context: &SearchContext,
    mut found: Found,
) -> DetectionRun {
    let mut result = DetectionRun {
        status: status(&context.observations, content, found.count),
        findings: Vec::new(),
        rows: found.count,
        matched_events: context.observations.matched(),
        elapsed: Duration::ZERO,
        cpu: Duration::ZERO,
        messages: std::mem::take(&mut found.messages),
    };
    if result.status != Status::Fired {
        return result;
    }
    if found.count > found.rows.len() as u64 {
        result.messages.push(Diagnostic::warning(
            Code::LIMIT,
            format!("of {} rows, the first {MAX_FINDINGS} are findings", found.count),
        ));
    }
    let form = Form::new(detection, &content.deployments);
    result.messages.extend(absences(&form, &found.rows));
    let (grouping, gathered) = gathered(detection, context, &found, &mut result.messages).await;
    let mut ids = Ids::new(&detection.id, &grouping, context.range);
    for (row, gathered) in found.rows.into_iter().zip(gathered) {
        let time = identity::time(&row, context).or(gathered.newest);
        let id = ids.id(&row);
        result.findings.push(form.fill(id, time, row, gathered.evidence));
    }
    result
}

/// Returns what a search that ran to its end came to.
fn status(observations: &Observations, content: &ContentSet, rows: u64) -> Status {
    let has_events = observations.matched().is_none_or(|matched| matched > 0);
    let missing = baseline::missing(&observations.lookups(), content);
    if !missing.is_empty() && (rows > 0 || has_events) {
        return Status::NoBaseline(missing);
    }
    if rows > 0 {
        return Status::Fired;
    }
    if !has_events {
        return Status::NoSuchEvents;
    }
    let missing = observations.never_present();
    if missing.is_empty() { Status::Clean } else { Status::CannotFire(missing) }
}

/// Returns a warning for each risk or threat field that rows do not have.
fn absences(form: &Form<'_>, rows: &[Row]) -> Vec<Diagnostic> {
    let mut absent: indexmap::IndexMap<&str, usize> = indexmap::IndexMap::new();
    for row in rows {
        for field in form.absent_fields(row) {
            *absent.entry(field).or_default() += 1;
        }
    }
    absent
        .into_iter()
        .map(|(field, count)| {
            let message = if count == rows.len() {
                format!("no result has the risk field `{field}`")
            } else {
                format!("{count} of {} results lack the risk field `{field}`", rows.len())
            };
            Diagnostic::warning(Code::RISK_FIELD, message)
                .help("those results add nothing to it; group the search by the field")
        })
        .collect()
}

/// Returns the fields that tell rows apart, and the evidence of each row. Evidence that cannot be had
/// is told and stops nothing.
async fn gathered(
    detection: &Detection,
    context: &SearchContext,
    found: &Found,
    messages: &mut Vec<Diagnostic>,
) -> (Vec<String>, Vec<Gathered>) {
    let whole_search = || Gathered {
        evidence: Evidence { search: found.expanded.clone(), event_ids: Vec::new() },
        newest: None,
    };
    let unknown = || found.rows.iter().map(|_| whole_search()).collect();
    let Some(outline) = outline::outline(&detection.search, &context.macros) else {
        return (Vec::new(), unknown());
    };
    // What this second reading observes is not the detection's own.
    let own = SearchContext { observations: Arc::default(), ..context.clone() };
    let gathered = match evidence::gather(&outline, &found.rows, &own).await {
        Ok(gathered) => gathered,
        Err(diagnostics) => {
            let reasons: Vec<String> = diagnostics.into_iter().map(|d| d.message).collect();
            let message =
                format!("the events behind the results cannot be named: {}", reasons.join("; "));
            messages.push(Diagnostic::warning(Code::EXECUTION, message));
            unknown()
        }
    };
    (outline.grouping().to_vec(), gathered)
}

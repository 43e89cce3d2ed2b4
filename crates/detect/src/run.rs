//! Runs one detection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spilltrail_content::Detection;
use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use spilltrail_search::analysis::{Analysis, Need, analyze};
use spilltrail_search::context::{Observations, SearchContext};
use spilltrail_search::rows::{Row, Rows};
use spilltrail_search::run::{self as search, Prepared};
use tokio::sync::mpsc::Sender;

use crate::analyzed::AnalyzedContent;
use crate::evidence::Gatherer;
use crate::finding::{DetectionRef, Finding, Form, SCHEMA_VERSION};
use crate::identity::Ids;
use crate::{Missing, Status, baseline, serial};

/// Most findings of one detection; further rows are only counted.
pub const MAX_FINDINGS: usize = 10_000;

/// Most findings that are sent together. Waking the receiver for each one would cost as much as
/// making it.
const FINDINGS_AT_A_TIME: usize = 32;

/// The result of running a detection, apart from its findings. Serialized, it is the object that
/// `docs/schema/detection-run.schema.json` describes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectionRun {
    /// The schema version, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The id of the run that the detection was part of.
    pub run_id: String,
    /// The detection that was run.
    pub detection: DetectionRef,
    /// The status after the run.
    #[serde(flatten)]
    pub status: Status,
    /// Number of findings that were sent: one for each row, at most [`MAX_FINDINGS`].
    pub findings: u64,
    /// The highest risk score of the findings; `None` if no finding has one.
    pub risk_score: Option<u32>,
    /// Number of rows that the search returned.
    pub rows: u64,
    /// Number of events that the first search matched; `None` if the search starts in another way.
    pub matched_events: Option<u64>,
    /// The elapsed time.
    #[serde(rename = "seconds", with = "serial::seconds")]
    pub elapsed: Duration,
    /// Processor time for planning and running, without reading. The caller measures it.
    #[serde(rename = "cpu_seconds", with = "serial::seconds")]
    pub cpu: Duration,
    /// Diagnostics; their locations refer to the detection's search as written.
    pub messages: Vec<Diagnostic>,
}

impl DetectionRun {
    fn new(detection: &Detection, run_id: &str, status: Status) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run_id: run_id.to_owned(),
            detection: DetectionRef::of(detection),
            status,
            findings: 0,
            risk_score: None,
            rows: 0,
            matched_events: None,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            messages: Vec::new(),
        }
    }

    /// Returns the result for a detection that was not run, because the logs lack what it needs.
    #[must_use]
    pub fn held(detection: &Detection, run_id: &str, need: Need) -> Self {
        Self::new(detection, run_id, Status::NeedsSource(need))
    }

    /// Returns the result for a search that could not run to its end; `messages` has the reasons.
    #[must_use]
    pub fn stopped(detection: &Detection, run_id: &str, messages: Vec<Diagnostic>) -> Self {
        let is_error = messages.iter().any(|message| message.severity == Severity::Error);
        let status = if is_error { Status::Failed } else { Status::Unsupported };
        Self { messages, ..Self::new(detection, run_id, status) }
    }

    /// Returns the messages that say why findings may be missing although the search ran. A lookup that
    /// is not there counts if nothing defines or fills it, which is an error: then findings may be missing
    /// whatever is hunted first. Results beyond [`MAX_FINDINGS`] are counted, and not missing.
    #[must_use]
    pub fn lacks(&self) -> Vec<&Diagnostic> {
        if matches!(self.status, Status::Failed | Status::Unsupported) {
            return Vec::new();
        }
        let is_lack = |message: &&Diagnostic| match message.code {
            Code::MISSING_LOOKUP => message.severity == Severity::Error,
            Code::LIMIT => **message != uncounted(self.rows),
            code => code.may_cost_rows(),
        };
        self.messages.iter().filter(is_lack).collect()
    }
}

/// Returns the warning about results that are no findings, because there are too many.
fn uncounted(rows: u64) -> Diagnostic {
    let message = format!("of {rows} rows, the first {MAX_FINDINGS} are findings");
    Diagnostic::warning(Code::LIMIT, message)
}

/// Runs a detection's search and sends one finding for each row, a few at a time, in the order of
/// the rows. Each finding names the run `run_id`. Sending waits for the receiver. The channel closes
/// after the last finding, and sending ends early if the receiver is dropped.
pub async fn run(
    detection: &Detection,
    content: &AnalyzedContent,
    context: &SearchContext,
    run_id: &str,
    findings: Sender<Vec<Finding>>,
) -> DetectionRun {
    let analysis = Arc::new(analyze(&detection.search, &context.macros));
    match Planned::new(analysis, context).await {
        Ok(planned) => {
            planned.run(detection, content, context, run_id, findings, Judged::Sound).await
        }
        Err(diagnostics) => DetectionRun::stopped(detection, run_id, diagnostics),
    }
}

/// Which rows become findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Rows that mean something.
    Sound,
    /// Also those of a detection that compares with an empty lookup.
    WithoutBaseline,
}

/// The planned search of a detection.
#[derive(Debug)]
pub(crate) struct Planned {
    analysis: Arc<Analysis>,
    prepared: Prepared,
}

impl Planned {
    /// Plans a detection's search.
    ///
    /// # Errors
    /// Returns all diagnostics of the search.
    pub(crate) async fn new(
        analysis: Arc<Analysis>,
        context: &SearchContext,
    ) -> Result<Self, Vec<Diagnostic>> {
        let prepared = search::plan(&analysis, None, context).await?;
        Ok(Self { analysis, prepared })
    }

    /// Returns true if the search returns no rows when it matches no event.
    pub(crate) fn needs_events(&self) -> bool {
        self.prepared.needs_events()
    }

    /// Runs the search and sends its findings. `context` must be the one in which it was planned.
    pub(crate) async fn run(
        &self,
        detection: &Detection,
        content: &AnalyzedContent,
        context: &SearchContext,
        run_id: &str,
        findings: Sender<Vec<Finding>>,
        judged: Judged,
    ) -> DetectionRun {
        let started = Instant::now();
        let found = self.prepared.first_rows(MAX_FINDINGS, context).await;
        let mut result = match found {
            Ok((rows, count)) => {
                let mut result = self.concluded(detection, content, context, run_id, count);
                let is_judged = match &result.status {
                    Status::Fired => true,
                    Status::NoBaseline(_) => {
                        judged == Judged::WithoutBaseline
                            && count > 0
                            && !self.is_without_events(&context.observations)
                    }
                    _ => false,
                };
                if is_judged {
                    self.judge(&rows, detection, content, context, &mut result, &findings).await;
                }
                result
            }
            Err(diagnostic) => {
                DetectionRun::stopped(detection, run_id, vec![self.prepared.relocate(diagnostic)])
            }
        };
        result.elapsed = started.elapsed();
        result
    }

    /// Returns the result for a search that returned this many rows.
    pub(crate) fn concluded(
        &self,
        detection: &Detection,
        content: &AnalyzedContent,
        context: &SearchContext,
        run_id: &str,
        rows: u64,
    ) -> DetectionRun {
        let mut messages = context.observations.messages();
        let mut status = self.status(&context.observations, content, rows);
        if status == Status::NoSuchEvents {
            let matters = |at| self.analysis.matters_without_events(at);
            messages.retain(|message| {
                message.code != Code::UNKNOWN_EVENT_TYPE || message.span().is_none_or(matters)
            });
        }
        let own_lists =
            baseline::own_lists(&context.observations.lookups(), content, &self.analysis);
        messages.retain(|message| {
            message.code != Code::MISSING_LOOKUP
                || !own_lists.iter().any(|own| own.labels == message.labels)
        });
        for own in own_lists {
            if !messages.contains(&own) {
                messages.push(own);
            }
        }
        if let Status::NoBaseline(missing) = &status {
            let lookups = context.observations.lookups();
            let undefined = baseline::undefined(missing, &lookups, content);
            // The search warned of the same at the same place.
            messages.retain(|message| {
                message.code != Code::MISSING_LOOKUP
                    || !undefined.iter().any(|lookup| lookup.error.labels == message.labels)
            });
            if undefined.iter().any(|lookup| lookup.is_misspelled) {
                status = Status::Failed;
            }
            messages.extend(undefined.into_iter().map(|lookup| lookup.error));
        }
        DetectionRun {
            rows,
            matched_events: context.observations.matched(),
            messages: messages.into_iter().map(|message| self.prepared.relocate(message)).collect(),
            ..DetectionRun::new(detection, run_id, status)
        }
    }

    /// Returns the status of a search that ran to its end.
    fn status(&self, observations: &Observations, content: &AnalyzedContent, rows: u64) -> Status {
        let has_events = observations.matched().is_none_or(|matched| matched > 0);
        let had_nothing_to_find = !has_events && observations.had_nothing_to_find();
        let missing = baseline::missing(&observations.lookups(), content, &self.analysis);
        // An empty baseline makes any rows meaningless, and events that were looked for by it cannot
        // be found, so it is checked before them.
        if !missing.is_empty() && (rows > 0 || has_events || had_nothing_to_find) {
            return Status::NoBaseline(missing);
        }
        if rows > 0 && !self.is_without_events(observations) {
            return Status::Fired;
        }
        if had_nothing_to_find {
            return Status::EmptySubsearch;
        }
        if !has_events {
            return Status::NoSuchEvents;
        }
        let (fields, rows) = observations.never_present();
        if fields.is_empty() { Status::Clean } else { Status::CannotFire(Missing { fields, rows }) }
    }

    /// Returns true if no event is behind the rows: no event matched, or a `stats` without BY fields
    /// made its row from no rows. Such a row says nothing about the logs.
    fn is_without_events(&self, observations: &Observations) -> bool {
        // Rows that another pipeline adds do not come from that `stats`.
        let is_summary = !self.analysis.adds_rows() && observations.summarized_nothing();
        is_summary || observations.found_no_event()
    }

    /// Converts rows into findings and sends them, a batch of rows at a time.
    async fn judge(
        &self,
        rows: &Rows,
        detection: &Detection,
        content: &AnalyzedContent,
        context: &SearchContext,
        result: &mut DetectionRun,
        findings: &Sender<Vec<Finding>>,
    ) {
        if result.rows > rows.len() as u64 {
            result.messages.push(uncounted(result.rows));
        }
        let form = Form::new(detection, &content.set.deployments, &result.run_id);
        let lineage = self.analysis.lineage();
        let mut ids = Ids::new(&detection.id, &lineage);
        let mut absent: IndexMap<&str, usize> = IndexMap::new();
        // Rows that share their identifying values are numbered, so all ids are computed before the
        // first finding is sent.
        for row in rows.iter() {
            ids.add(&row);
            for field in form.absent_fields(&row) {
                *absent.entry(field).or_default() += 1;
            }
        }
        result.messages.extend(absences(&absent, rows.len()));
        let mut gatherer = Gatherer::new(&self.analysis, context).await;
        let mut left = rows.iter().zip(ids.finish());
        loop {
            let (rows, ids): (Vec<Row>, Vec<String>) =
                left.by_ref().take(gatherer.rows_at_a_time()).unzip();
            if rows.is_empty() {
                break;
            }
            let gathered = gatherer.gather(&rows).await;
            let mut filled = rows.into_iter().zip(ids).zip(gathered).map(|((row, id), events)| {
                let finding = form.fill(id, row, events, context);
                result.findings += 1;
                result.risk_score = result.risk_score.max(finding.risk_score);
                finding
            });
            loop {
                let few: Vec<Finding> = filled.by_ref().take(FINDINGS_AT_A_TIME).collect();
                if few.is_empty() {
                    break;
                }
                if findings.send(few).await.is_err() {
                    return;
                }
            }
        }
        if let Some(problem) = gatherer.problem() {
            let message = format!("the events behind the results are not known: {problem}");
            result.messages.push(Diagnostic::warning(Code::EVIDENCE, message));
        }
    }
}

/// Returns a warning for each risk or threat field that some rows lack, given the number of such
/// rows.
fn absences(absent: &IndexMap<&str, usize>, rows: usize) -> Vec<Diagnostic> {
    absent
        .iter()
        .map(|(field, count)| {
            let message = if *count == rows {
                format!("no result has the risk field `{field}`")
            } else {
                format!("{count} of {rows} results lack the risk field `{field}`")
            };
            Diagnostic::warning(Code::RISK_FIELD, message)
                .help("those results add nothing to it; group the search by the field")
        })
        .collect()
}

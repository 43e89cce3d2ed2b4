//! Many detections over the same events: all are planned, the events are read once, then all run.

use std::sync::Arc;

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::ScanRequest;
use spilltrail_search::analysis::Analysis;
use spilltrail_search::context::SearchContext;
use spilltrail_search::error::from_engine;
use spilltrail_search::events::shared::{SharedEvents, SharedView};
use spilltrail_search::run::outline::Outline;
use tokio::sync::mpsc::Sender;

use crate::Finding;
use crate::analyzed::AnalyzedContent;
use crate::run::{DetectionRun, Judged, Planned};

/// A detection of a hunt, ready to run.
#[derive(Debug)]
pub struct Job {
    /// The index of the detection in the content.
    pub place: usize,
    context: SearchContext,
    view: Arc<SharedView>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The detection needs events before it can be planned.
    Waiting,
    Planned(Box<Planned>),
    Stopped(Vec<Diagnostic>),
}

/// Plans the detections with the indexes `places`, as far as possible before events are read.
/// `context` creates the context of one detection; its events are replaced by the shared ones.
///
/// # Errors
/// Fails if the fields of the shared events cannot be determined.
pub async fn plan(
    content: &AnalyzedContent,
    places: &[usize],
    shared: &Arc<SharedEvents>,
    context: &(dyn Fn() -> SearchContext + Sync),
) -> Result<Vec<Job>, Diagnostic> {
    let mut jobs = Vec::new();
    for place in places {
        let view = shared.view();
        let context = SearchContext { events: view.clone(), ..context() };
        let analysis = content.detection(*place);
        if let Some(outline) = Outline::of(analysis) {
            view.carry(outline.carried(&context)).await.map_err(|error| from_engine(&error))?;
        }
        let mut job = Job { place: *place, context, view, state: State::Waiting };
        job.plan(analysis).await;
        jobs.push(job);
    }
    Ok(jobs)
}

/// Plans like [`plan`], then reads the events that the detections need. One pass reads them all;
/// another pass reads the events of requests that depend on the results of a subsearch.
///
/// # Errors
/// Fails if matched events cannot be kept.
pub async fn prepare(
    content: &AnalyzedContent,
    places: &[usize],
    shared: &Arc<SharedEvents>,
    context: &(dyn Fn() -> SearchContext + Sync),
) -> Result<Vec<Job>, Diagnostic> {
    let mut jobs = plan(content, places, shared, context).await?;
    while shared.read().await.map_err(|error| from_engine(&error))? {
        plan_waiting(&mut jobs, content, context).await;
    }
    // The jobs that still wait requested nothing that another pass could read.
    shared.settle();
    plan_waiting(&mut jobs, content, context).await;
    Ok(jobs)
}

async fn plan_waiting(
    jobs: &mut [Job],
    content: &AnalyzedContent,
    context: &(dyn Fn() -> SearchContext + Sync),
) {
    for job in jobs {
        if job.is_waiting() {
            // A new context drops what the incomplete plan observed and wrote.
            job.context = SearchContext { events: job.view.clone(), ..context() };
            job.plan(content.detection(job.place)).await;
        }
    }
}

impl Job {
    async fn plan(&mut self, analysis: &Arc<Analysis>) {
        let planned = Planned::new(analysis.clone(), &self.context).await;
        self.state = match planned {
            // A plan made while events were missing is incomplete, even if planning succeeded.
            _ if self.view.take_waiting() => State::Waiting,
            Ok(planned) => State::Planned(Box::new(planned)),
            Err(diagnostics) => State::Stopped(diagnostics),
        };
    }

    /// Runs the detection and sends its findings, like [`run`](crate::run()); each finding names
    /// the run `run_id`. A detection whose events are missing is not run.
    pub async fn run(
        &self,
        content: &AnalyzedContent,
        run_id: &str,
        findings: Sender<Vec<Finding>>,
    ) -> DetectionRun {
        self.run_judged(content, run_id, findings, Judged::Sound).await
    }

    /// Runs the detection like [`Job::run`], and sends findings for its rows even if they mean nothing
    /// because a lookup of known values is empty.
    pub async fn run_for_test(
        &self,
        content: &AnalyzedContent,
        run_id: &str,
        findings: Sender<Vec<Finding>>,
    ) -> DetectionRun {
        self.run_judged(content, run_id, findings, Judged::WithoutBaseline).await
    }

    async fn run_judged(
        &self,
        content: &AnalyzedContent,
        run_id: &str,
        findings: Sender<Vec<Finding>>,
        judged: Judged,
    ) -> DetectionRun {
        let detection = &content.set.detections[self.place];
        match &self.state {
            State::Planned(planned) => {
                let has_events = self.view.has_events().unwrap_or(true);
                // Without events the search returns no rows, so it need not run.
                if !has_events && planned.needs_events() {
                    return planned.concluded(detection, content, &self.context, run_id, 0);
                }
                planned.run(detection, content, &self.context, run_id, findings, judged).await
            }
            State::Stopped(diagnostics) => {
                DetectionRun::stopped(detection, run_id, diagnostics.clone())
            }
            State::Waiting => {
                let bug = Diagnostic::bug("the detection was not planned to its end");
                DetectionRun::stopped(detection, run_id, vec![bug])
            }
        }
    }

    /// Returns true if the detection cannot be planned before events are read, because it has a
    /// subsearch over them or needs all of their fields.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Returns the requests for events that planning the detection made.
    #[must_use]
    pub fn requests(&self) -> Vec<ScanRequest> {
        self.view.requests()
    }
}

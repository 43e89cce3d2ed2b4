//! Passes what detections find to the sink, in the order of the detections.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_content::Detection;
use spilltrail_decode::{FileReport, Member};
use spilltrail_detect::{AnalyzedContent, DetectionRun, Finding, Status};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_search::analysis::{Analysis, Need};

use super::held::Seen;
use super::risk::RiskEvents;
use super::sink::{HuntEvent, HuntSink};
use super::summary::{Report, Shown};
use super::workers::{Finished, Step};
use super::{Tally, doubts, tell};
use crate::allow::AllowList;
use crate::error::AppError;
use crate::left_out;
use crate::names::Names;
use crate::options::ReadOptions;

/// What is passed on, and what the summary tells of it.
pub(super) struct Delivery<'h> {
    pub(super) content: &'h AnalyzedContent,
    pub(super) sink: &'h mut dyn HuntSink,
    pub(super) tally: &'h mut Tally,
    pub(super) allowed: AllowList,
    pub(super) read: &'h ReadOptions,
    pub(super) run_id: &'h str,
    /// What is told, in the order of the detections.
    pub(super) told: Told,
    /// The risk that the findings raise, if detections read it afterwards.
    pub(super) risk: Option<RiskEvents>,
    /// The time of findings without a time, in seconds since the epoch.
    pub(super) now: f64,
}

/// What the summary tells of the detections.
#[derive(Default)]
pub(super) struct Told {
    /// The outcome of each detection.
    pub(super) reports: Vec<Report>,
    /// The log indexes that searches name and that files without an index have met.
    pub(super) met_indexes: BTreeSet<String>,
    /// Whether a search names what events were recognized to be.
    pub(super) are_wanted: bool,
    /// The fields that searches read and that some sources leave out.
    pub(super) lacking_read: BTreeSet<Member>,
    /// What detections that read risk events are not told: rows beyond the most findings.
    pub(super) uncounted_risk: Vec<Diagnostic>,
}

/// The logs that detections ran over, by which their outcomes are judged.
pub(super) struct Judge<'j> {
    pub(super) seen: &'j Seen,
    pub(super) total: &'j FileReport,
    pub(super) names: &'j Names,
}

impl Delivery<'_> {
    /// Passes on the findings and outcomes of detections. Each finding is dropped after the sink took
    /// it, to free its memory for the next one. Without a judge, the detections did not read the logs.
    pub(super) async fn all(
        &mut self,
        mut finished: Finished,
        judge: Option<&Judge<'_>>,
    ) -> Result<(), AppError> {
        let mut shown: BTreeMap<usize, Shown> = BTreeMap::new();
        while let Some((index, step)) = finished.next().await {
            match step {
                Step::Finding(finding) => {
                    self.finding(finding, shown.entry(index).or_default()).await?;
                }
                Step::Done(run) => {
                    let shown = shown.remove(&index).unwrap_or_default();
                    let report = self.judged(index, *run, shown, judge).await;
                    self.done(&self.content.set.detections[index], report).await?;
                }
            }
        }
        Ok(())
    }

    /// Passes on the outcomes of detections that did not run.
    pub(super) async fn held(&mut self, held: Vec<(usize, Need)>) -> Result<(), AppError> {
        for (index, need) in held {
            let detection = &self.content.set.detections[index];
            let run = DetectionRun::held(detection, self.run_id, need);
            self.done(detection, Report::new(detection, &run, Shown::default())).await?;
        }
        Ok(())
    }

    /// Passes on the outcomes of detections that could not run, all for the same reason.
    pub(super) async fn stopped(
        &mut self,
        detections: &[usize],
        reason: &Diagnostic,
    ) -> Result<(), AppError> {
        for index in detections {
            let detection = &self.content.set.detections[*index];
            let run = DetectionRun::stopped(detection, self.run_id, vec![reason.clone()]);
            self.done(detection, Report::new(detection, &run, Shown::default())).await?;
        }
        Ok(())
    }

    async fn finding(&mut self, finding: Box<Finding>, counts: &mut Shown) -> Result<(), AppError> {
        if self.allowed.hides(&finding) {
            counts.hidden += 1;
            return Ok(());
        }
        counts.risk_score = counts.risk_score.max(finding.risk_score);
        if let Some(risk) = &mut self.risk {
            risk.add(&finding, self.now);
        }
        self.tally.findings += 1;
        tell(self.sink, HuntEvent::Finding(finding)).await
    }

    async fn done(&mut self, detection: &Detection, report: Report) -> Result<(), AppError> {
        self.tally.finished += 1;
        tell(self.sink, HuntEvent::DetectionFinished { detection, report: &report }).await?;
        self.told.reports.push(report);
        Ok(())
    }

    /// Returns the outcome of a detection, with what the logs tell about it.
    async fn judged(
        &mut self,
        index: usize,
        mut run: DetectionRun,
        shown: Shown,
        judge: Option<&Judge<'_>>,
    ) -> Report {
        let detection = &self.content.set.detections[index];
        let analysis = self.content.detection(index);
        let Some(judge) = judge else {
            run.messages.extend(self.told.uncounted_risk.iter().cloned());
            let mistake = doubts::add(&mut run, analysis, Vec::new());
            return Report { mistake, ..Report::new(detection, &run, shown) };
        };
        self.told.are_wanted |= judge.seen.has_what_is_named(analysis);
        if run.status == Status::NoSuchEvents
            && let Some(need) = judge.seen.lacks(analysis)
        {
            run.status = Status::NeedsSource(need);
        }
        let is_left_out = self.is_left_out(&mut run, analysis, judge);
        let named = if detection.root.is_some() && !is_left_out {
            judge.names.misspelled(&run.status, analysis).await
        } else {
            Vec::new()
        };
        let mistake = doubts::add(&mut run, analysis, named);
        if run.rows > run.findings && run.risk_score.is_some() {
            let message = format!(
                "the risk of `{}` counts for the first {} of {} rows",
                detection.name, run.findings, run.rows,
            );
            self.told.uncounted_risk.push(Diagnostic::warning(Code::LIMIT, message));
        }
        let has_met = run.matched_events.is_some_and(|matched| matched > 0);
        if self.read.index.is_none() && self.read.lake.is_none() && has_met {
            self.told.met_indexes.extend(analysis.facts.log_indexes.iter().cloned());
        }
        Report { is_left_out, mistake, ..Report::new(detection, &run, shown) }
    }

    /// Returns true if a detection found nothing because every source leaves out a field that it reads.
    /// What sources leave out is not known, and no verdict.
    fn is_left_out(
        &mut self,
        run: &mut DetectionRun,
        analysis: &Analysis,
        judge: &Judge<'_>,
    ) -> bool {
        let (left_out, profile) = (&judge.total.left_out, self.read.profile);
        let read = left_out::are_read(left_out.members(), analysis, profile);
        self.told.lacking_read.extend(read.iter());
        if !matches!(run.status, Status::Clean | Status::NoSuchEvents) {
            return false;
        }
        let Some(missing) = left_out::missing(left_out, analysis, profile) else { return false };
        run.status = Status::CannotFire(missing);
        true
    }
}

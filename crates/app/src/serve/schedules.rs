//! Which detections of the content run, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spilltrail_content::{ContentSet, Detection, Scheduling};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::Severity;
use spilltrail_event::fields;
use spilltrail_schedule::{Concern, Mode, Moment, Priority, Schedule, ScheduleSpec, Window};
use spilltrail_search::analysis::{Analysis, Need, NeedKind, OF_FINDINGS, OF_RISK, Offer, analyze};

use super::journal::{AUDIT, INTERNAL};
use super::options::{ScheduleOverride, ServeOptions};
use crate::error::AppError;
use crate::select::{is_named, no_such_detection};

/// A detection or a baseline that runs on a schedule.
#[derive(Debug, Clone)]
pub(super) struct Scheduled {
    /// The name, for people.
    pub(super) name: String,
    /// When it runs.
    pub(super) schedule: Schedule,
    /// What it is.
    pub(super) what: What,
    /// The indexes that it reads; empty for all of logs.
    pub(super) indexes: Vec<String>,
    /// A hash of what it is, by which a later version is told from this one.
    pub(super) version: String,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The detection with this index in the content.
    Detection(usize),
    /// The baseline with this index in the content.
    Baseline(usize),
}

/// What of the content runs, by id, and what does not.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    pub(super) run: BTreeMap<String, Scheduled>,
    /// The names of those that do not run, each with the reason.
    pub(super) left_out: Vec<(String, String)>,
}

impl Schedules {
    /// Returns the schedules of the selected detections, and of the baselines that fill their lookups.
    ///
    /// Detections that can find nothing in the events of a lake do not run: what Splunk's content reads
    /// beside the logs of AWS would otherwise be tried every hour.
    ///
    /// # Errors
    /// Fails if nothing is selected, or if an override is for no detection or cannot work.
    pub(super) fn new(
        set: &Arc<ContentSet>,
        options: &ServeOptions,
        offer: &Offer,
        now: Moment,
    ) -> Result<Self, AppError> {
        let select = &options.select;
        for ScheduleOverride { detection: name, .. } in &options.overrides {
            if !set.detections.iter().chain(&set.baselines).any(|one| is_named(one, name)) {
                return Err(no_such_detection(name, set));
            }
        }
        let analyzed = AnalyzedContent::new(set.clone());
        let mut schedules = Self::default();
        let mut lookups = BTreeSet::new();
        for index in select.choose(set)? {
            let detection = &set.detections[index];
            // A filter that takes others away brings none of these back.
            if detection.status.is_retired() && !select.names(detection) {
                let reason = format!("its status is {}", detection.status);
                schedules.left_out.push((detection.name.clone(), reason));
                continue;
            }
            let analysis = analyzed.look_at(index);
            if let Some(reason) = cannot_run(&analysis) {
                schedules.left_out.push((detection.name.clone(), reason));
                continue;
            }
            match needs(&analysis, offer) {
                Some(need) => {
                    schedules.left_out.push((detection.name.clone(), format!("it needs {need}")));
                }
                None => {
                    lookups.extend(analysis.facts.lookups_read.iter().cloned());
                    let indexes = indexes_of(&analysis, offer);
                    let what = What::Detection(index);
                    schedules.add(set, detection, (what, indexes), options, now)?;
                }
            }
        }
        for (index, baseline) in set.baselines.iter().enumerate() {
            let analysis = analyze(&baseline.search, &set.macros);
            if !analysis.facts.lookups_written.iter().any(|name| lookups.contains(name)) {
                continue;
            }
            if let Some(reason) = cannot_run(&analysis) {
                schedules.left_out.push((baseline.name.clone(), reason));
                continue;
            }
            match needs(&analysis, offer) {
                Some(need) => {
                    schedules.left_out.push((baseline.name.clone(), format!("it needs {need}")));
                }
                None => {
                    let indexes = indexes_of(&analysis, offer);
                    let what = What::Baseline(index);
                    schedules.add(set, baseline, (what, indexes), options, now)?;
                }
            }
        }
        // What is a mistake comes before what is meant to be so.
        schedules.left_out.sort_by_key(|(_, reason)| {
            let meant = ["its status is", "it needs", "the configuration file says so"];
            meant.iter().any(|meant| reason.starts_with(meant))
        });
        Ok(schedules)
    }

    fn add(
        &mut self,
        set: &ContentSet,
        detection: &Detection,
        (what, indexes): (What, Vec<String>),
        options: &ServeOptions,
        now: Moment,
    ) -> Result<(), AppError> {
        let name = detection.name.clone();
        let Some(scheduling) = detection.scheduling(set) else {
            let reason = format!("there is no schedule for the type {}", detection.detection_type);
            self.left_out.push((name, reason));
            return Ok(());
        };
        let own = options.overrides.iter().filter(|own| is_named(detection, &own.detection));
        if own.clone().any(|own| !own.is_enabled) {
            self.left_out.push((name, "the configuration file says so".to_owned()));
            return Ok(());
        }
        let set = own.fold(scheduling.clone(), |scheduling, own| own.applied(scheduling));
        let schedule = match working(&set, &options.zone, now) {
            Ok(schedule) => schedule,
            Err(reason) if working(scheduling, &options.zone, now).is_err() => {
                self.left_out.push((name, reason));
                return Ok(());
            }
            // What made it wrong is in the configuration.
            Err(reason) => return Err(AppError::Schedule { name, reason }),
        };
        let version = format!("{} {}", detection.version, crate::hash::of(&detection.search));
        self.run.insert(detection.id.clone(), Scheduled { name, schedule, what, indexes, version });
        Ok(())
    }

    /// Returns what differs from the schedules before, in a line each.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (id, one) in &self.run {
            let name = &one.name;
            match before.run.get(id) {
                None => changes.push(format!("added: {name}")),
                Some(old) if old.version != one.version => {
                    changes.push(format!("changed: {name}"));
                }
                Some(old) if old.schedule.spec() != one.schedule.spec() => {
                    changes.push(format!("scheduled otherwise: {name}"));
                }
                Some(_) => {}
            }
        }
        for (id, old) in &before.run {
            if !self.run.contains_key(id) {
                let why = self.left_out.iter().find(|(name, _)| *name == old.name);
                let why = why.map_or("it is not in the content any more", |(_, why)| why.as_str());
                changes.push(format!("no longer runs: {} ({why})", old.name));
            }
        }
        changes
    }
}

/// Returns a schedule that can work, or why it cannot.
fn working(scheduling: &Scheduling, zone: &str, now: Moment) -> Result<Schedule, String> {
    let spec = schedule_spec(scheduling, zone)?;
    let schedule = Schedule::new(spec).map_err(|error| error.to_string())?;
    match schedule.check(now).into_iter().find(Concern::is_error) {
        Some(concern) => Err(format!("{concern}; {}", concern.help())),
        None => Ok(schedule),
    }
}

/// Returns why a search cannot run, whatever there is; `None` if it may.
fn cannot_run(analysis: &Analysis) -> Option<String> {
    let diagnostics = analysis.diagnostics().into_iter();
    let error = diagnostics.into_iter().find(|one| one.severity == Severity::Error)?;
    Some(format!("{}: {}", error.code, error.message))
}

/// Returns what a search needs and no event of a data folder can have: its server makes the indexes of
/// findings and of what it does itself.
fn needs(analysis: &Analysis, offer: &Offer) -> Option<Need> {
    let is_made = |need: &Need| {
        let name = need.name.as_str();
        let is_index = need.kind == NeedKind::Index;
        analysis.reads_only_risk(&offer.knowledge)
            || is_index && (OF_FINDINGS.contains(&name) || [INTERNAL, AUDIT].contains(&name))
    };
    analysis.unmet(offer).filter(|need| !is_made(need))
}

/// Returns the indexes that a search reads, as far as late events are asked for them; empty for all of logs.
/// Findings do not arrive: they are told when they are made.
fn indexes_of(analysis: &Analysis, offer: &Offer) -> Vec<String> {
    if analysis.reads_only_risk(&offer.knowledge) {
        return vec![OF_RISK.to_owned()];
    }
    let named = analysis.facts.origins.get(fields::INDEX).into_iter().flatten();
    let named: Vec<String> = named.map(|name| name.to_lowercase()).collect();
    let are_of_findings = named.iter().all(|name| OF_FINDINGS.contains(&name.as_str()));
    if are_of_findings { named } else { Vec::new() }
}

/// Returns when a schedule of the content fires.
///
/// # Errors
/// Fails, with the reason, if its window is no number of minutes.
pub fn schedule_spec(scheduling: &Scheduling, zone: &str) -> Result<ScheduleSpec, String> {
    let window = scheduling.schedule_window.parse::<Window>();
    let window = window.map_err(|error| format!("`schedule_window`: {error}"))?;
    Ok(ScheduleSpec {
        cron: scheduling.cron_schedule.clone(),
        zone: zone.to_owned(),
        earliest: scheduling.earliest_time.clone(),
        latest: scheduling.latest_time.clone(),
        window,
        mode: Mode::Continuous,
        priority: Priority::Default,
    })
}

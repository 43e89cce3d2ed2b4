//! Runs baselines before a hunt: searches that fill the lookups with which detections compare.
//!
//! What is normal is learned from the time before the range that is hunted, as a schedule would have
//! done. The lookups stay in the memory of the run, unless the user keeps lookups in a folder.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use serde::Serialize;
use spilltrail_content::{ContentSet, Detection};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::{Diagnostic, Severity};
use spilltrail_event::TimeBounds;
use spilltrail_search::analysis::{Analysis, analyze};
use spilltrail_search::error::from_engine;
use spilltrail_search::pool;
use spilltrail_search::run;
use spilltrail_source::Logs;

use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::logs::LogEvents;
use crate::lookups::Filled;
use crate::options::RunOptions;

/// The outcome of a baseline.
#[derive(Debug, Clone, Serialize)]
pub struct BaselineReport {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it filled its lookups, and if not, why.
    pub status: BaselineStatus,
    /// Number of rows that its lookups have.
    pub rows: u64,
    /// The lookups that it writes.
    pub lookups: Vec<String>,
    /// Diagnostics; their spans are byte offsets in the search as written.
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    pub messages: Vec<Diagnostic>,
}

/// Whether a baseline filled its lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineStatus {
    /// It ran, and its lookups have rows.
    Filled,
    /// It ran, and its lookups have no row.
    Empty,
    /// It uses what is not supported.
    Unsupported,
    /// Its search is wrong, or it failed.
    Failed,
}

/// Returns the range before the one that is hunted.
///
/// # Errors
/// Fails if that range has no start.
pub(super) fn range_before(hunted: TimeBounds) -> Result<TimeBounds, AppError> {
    match hunted.earliest {
        Some(start) => Ok(TimeBounds { earliest: None, latest: Some(start) }),
        None => Err(AppError::NoBaselineRange),
    }
}

/// Runs the baselines that fill lookups of the chosen detections, one after another, each with the
/// lookups that those before it filled. `clock` is that of the hunt.
///
/// # Errors
/// Fails if the environment cannot be built, or if no baseline fills such a lookup.
pub(super) async fn run(
    content: &AnalyzedContent,
    chosen: &[usize],
    logs: &Arc<Logs>,
    clock: &Clock,
    options: &RunOptions,
) -> Result<(Vec<BaselineReport>, Filled), AppError> {
    let set = &content.set;
    let before = range_before(clock.range)?;
    // For a baseline, the present is when the hunt begins.
    let now = before.latest.unwrap_or(clock.now);
    let clock = Clock { now, is_fixed: true, zone: clock.zone.clone(), range: before };
    let needed = needed(content, chosen);
    let mut waiting: Vec<(&Detection, Analysis)> = set
        .baselines
        .iter()
        .map(|baseline| (baseline, analyze(&baseline.search, &set.macros)))
        .filter(|(_, analysis)| fills(analysis, set, &needed))
        .collect();
    if waiting.is_empty() {
        return Err(AppError::NoBaselines);
    }
    // What starts a lookup comes before what updates it.
    waiting.sort_by_key(|(_, analysis)| reads_own(analysis));
    let events = Arc::new(LogEvents(logs.clone()));
    let environment = Environment::new(set, events, clock, options, pool::HUNT_LIMIT, 1)?;
    let lookups = environment.shared_lookups();
    let mut reports = Vec::new();
    for (baseline, analysis) in waiting {
        let context = environment.context_with(lookups.clone());
        let outcome = run_one(&analysis, &context).await;
        let mut messages = context.observations.messages();
        let written = &analysis.facts.lookups_written;
        let (status, rows) = match outcome {
            // What comes behind `outputlookup` may make other rows of those that were written.
            Ok(()) => match written.iter().map(|name| lookups.rows_written(name)).sum() {
                0 => (BaselineStatus::Empty, 0),
                rows => (BaselineStatus::Filled, rows),
            },
            Err(diagnostics) => {
                messages.extend(diagnostics);
                let is_error = |message: &Diagnostic| message.severity == Severity::Error;
                let is_wrong = messages.iter().any(is_error);
                let status =
                    if is_wrong { BaselineStatus::Failed } else { BaselineStatus::Unsupported };
                (status, 0)
            }
        };
        reports.push(BaselineReport {
            id: baseline.id.clone(),
            name: baseline.name.clone(),
            status,
            rows,
            lookups: written.iter().cloned().collect(),
            messages,
        });
    }
    Ok((reports, lookups.filled()))
}

async fn run_one(
    analysis: &Analysis,
    context: &spilltrail_search::context::SearchContext,
) -> Result<(), Vec<Diagnostic>> {
    let prepared = run::plan(analysis, None, context).await?;
    let failed = |diagnostic| vec![prepared.relocate(diagnostic)];
    let mut stream = prepared.stream(context).await.map_err(failed)?;
    while let Some(batch) = stream.next().await {
        batch.map_err(|error| failed(from_engine(&error)))?;
    }
    Ok(())
}

/// Returns the lookups that the chosen detections read.
fn needed(content: &AnalyzedContent, chosen: &[usize]) -> BTreeSet<String> {
    let reads = |index: &usize| content.look_at(*index).facts.lookups_read.clone();
    chosen.iter().flat_map(reads).collect()
}

/// Returns true if a search writes one of these lookups, under any of its names.
fn fills(analysis: &Analysis, set: &ContentSet, needed: &BTreeSet<String>) -> bool {
    analysis.facts.lookups_written.iter().any(|written| {
        needed.iter().any(|name| {
            let same = stem(written) == stem(name);
            let defined = || {
                let (one, other) = (set.lookup(written)?, set.lookup(name)?);
                Some(one.name == other.name)
            };
            same || defined().unwrap_or(false)
        })
    })
}

/// Returns true if a search reads a lookup that it writes.
fn reads_own(analysis: &Analysis) -> bool {
    let written = &analysis.facts.lookups_written;
    analysis.facts.lookups_read.iter().any(|read| written.iter().any(|own| stem(own) == stem(read)))
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".csv").unwrap_or(name)
}

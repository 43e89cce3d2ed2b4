//! Runs baselines before a hunt: searches that fill the lookups with which detections compare.
//!
//! What is normal is learned from the time before the range that is hunted, as a schedule would have
//! done. The lookups stay in the memory of the run, unless the user keeps lookups in a folder.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use indexmap::IndexMap;
use serde::Serialize;
use spilltrail_content::{ContentSet, Detection, lookup_stem};
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
use crate::lookups::{Filled, RunLookups};
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
    /// Number of rows that it wrote.
    pub rows: u64,
    /// The lookups that it writes.
    pub lookups: Vec<String>,
    /// Number of rows that it wrote to each of the lookups; `None` for one that keeps its rows because
    /// the baseline wrote none. Not part of the output.
    #[serde(skip)]
    pub rows_written: Vec<Option<u64>>,
    /// Diagnostics; their spans are byte offsets in the search as written.
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    pub messages: Vec<Diagnostic>,
}

/// Whether a baseline filled its lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineStatus {
    /// It ran, and wrote rows to a lookup.
    Filled,
    /// It ran and has no row, and a lookup has none.
    Empty,
    /// It ran and has no row, and all of its lookups keep the rows that they had.
    Kept,
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

/// The baselines of a hunt.
#[derive(Debug)]
pub(super) struct Baselines<'a> {
    content: &'a AnalyzedContent,
    /// Those that did not run, each with its analysis.
    waiting: Vec<(&'a Detection, Analysis)>,
    /// The outcome of those that ran.
    pub(super) reports: Vec<BaselineReport>,
    /// The lookups that they filled.
    pub(super) filled: Filled,
}

impl<'a> Baselines<'a> {
    pub(super) fn new(content: &'a AnalyzedContent) -> Self {
        let set = &content.set;
        let analyzed = |baseline: &'a Detection| (baseline, analyze(&baseline.search, &set.macros));
        let mut waiting: Vec<_> = set.baselines.iter().map(analyzed).collect();
        // What starts a lookup comes before what updates it.
        waiting.sort_by_key(|(_, analysis)| reads_own(analysis, set));
        Self { content, waiting, reports: Vec::new(), filled: Filled::default() }
    }

    /// Returns true if a baseline that did not run yet fills one of these lookups.
    pub(super) fn fill_any(&self, lookups: &BTreeSet<String>) -> bool {
        let names = self.names_of(lookups);
        self.waiting.iter().any(|(_, analysis)| fills(analysis, &names))
    }

    /// Runs the baselines that fill one of these lookups and did not run yet, one after another, each
    /// with the lookups that those before it filled. `clock` is that of the hunt.
    ///
    /// # Errors
    /// Fails if the environment cannot be built.
    pub(super) async fn run(
        &mut self,
        lookups: &BTreeSet<String>,
        logs: &Arc<Logs>,
        clock: &Clock,
        options: &RunOptions,
    ) -> Result<(), AppError> {
        let names = self.names_of(lookups);
        let is_needed = |(_, analysis): &mut (_, Analysis)| fills(analysis, &names);
        let needed: Vec<_> = self.waiting.extract_if(.., is_needed).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let before = range_before(clock.range)?;
        // For a baseline, the present is when the hunt begins.
        let now = before.latest.unwrap_or(clock.now);
        let clock = Clock { now, is_fixed: true, zone: clock.zone.clone(), range: before };
        let events = Arc::new(LogEvents(logs.clone()));
        let set = &self.content.set;
        let mut environment = Environment::new(set, events, clock, options, pool::HUNT_LIMIT, 1)?;
        environment.fill_lookups(self.filled.clone());
        let written = environment.lookups_to_fill();
        for (baseline, analysis) in needed {
            written.next_search();
            let context = environment.context_with(written.clone());
            let outcome = run_one(&analysis, &context).await;
            let messages = context.observations.messages();
            self.reports.push(report(baseline, &analysis, outcome, messages, &written));
        }
        let mut filled = IndexMap::clone(&self.filled);
        filled.extend(written.filled().iter().map(|(name, table)| (name.clone(), table.clone())));
        self.filled = Arc::new(filled);
        Ok(())
    }

    /// Returns all names of these lookups.
    fn names_of(&self, lookups: &BTreeSet<String>) -> BTreeSet<String> {
        let set = &self.content.set;
        let names = lookups.iter().flat_map(|name| set.names_of_lookup(name));
        names.map(str::to_owned).collect()
    }
}

fn report(
    baseline: &Detection,
    analysis: &Analysis,
    outcome: Result<(), Vec<Diagnostic>>,
    mut messages: Vec<Diagnostic>,
    lookups: &RunLookups,
) -> BaselineReport {
    let written = &analysis.facts.lookups_written;
    let mut rows_written = vec![Some(0); written.len()];
    let status = match outcome {
        // What comes behind `outputlookup` may make other rows of those that were written.
        Ok(()) => {
            rows_written = written.iter().map(|name| lookups.rows_written(name)).collect();
            if rows_written.iter().flatten().any(|rows| *rows > 0) {
                BaselineStatus::Filled
            } else if rows_written.contains(&Some(0)) || rows_written.is_empty() {
                BaselineStatus::Empty
            } else {
                BaselineStatus::Kept
            }
        }
        Err(diagnostics) => {
            messages.extend(diagnostics);
            let is_error = |message: &Diagnostic| message.severity == Severity::Error;
            let is_wrong = messages.iter().any(is_error);
            if is_wrong { BaselineStatus::Failed } else { BaselineStatus::Unsupported }
        }
    };
    BaselineReport {
        id: baseline.id.clone(),
        name: baseline.name.clone(),
        status,
        rows: rows_written.iter().flatten().sum(),
        lookups: written.iter().cloned().collect(),
        rows_written,
        messages,
    }
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

/// Returns true if a search writes a lookup of one of these names.
fn fills(analysis: &Analysis, names: &BTreeSet<String>) -> bool {
    analysis.facts.lookups_written.iter().any(|written| names.contains(lookup_stem(written)))
}

/// Returns true if a search reads a lookup that it writes.
fn reads_own(analysis: &Analysis, set: &ContentSet) -> bool {
    let read = &analysis.facts.lookups_read;
    let names: BTreeSet<&str> = read.iter().flat_map(|name| set.names_of_lookup(name)).collect();
    analysis.facts.lookups_written.iter().any(|written| names.contains(lookup_stem(written)))
}

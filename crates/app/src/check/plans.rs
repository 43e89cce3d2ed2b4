//! Plans searches without logs, on several threads.

use std::collections::BTreeSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use spilltrail_content::{ContentSet, Detection};
use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::{Class, Code, Diagnostic};
use spilltrail_search::analysis::{Analysis, analyze};
use spilltrail_search::context::SearchContext;
use spilltrail_search::{pool, run};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::advice::{self, Surroundings};
use super::events::NoLogs;
use super::filters;
use super::stops;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::options::RunOptions;

/// The rows of a subsearch in a search expression that are used.
const MOST_ROWS: usize = 10_000;

/// Rows from which on a subsearch is near that limit.
const NEAR_LIMIT: usize = 8000;

/// A search of the content, by its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// That of a detection.
    Detection(usize),
    /// That of a baseline.
    Baseline(usize),
}

impl Search {
    /// Returns the detection or baseline.
    pub(super) fn of(self, set: &ContentSet) -> &Detection {
        match self {
            Self::Detection(index) => &set.detections[index],
            Self::Baseline(index) => &set.baselines[index],
        }
    }

    /// Returns the index of a detection.
    pub(super) fn detection(self) -> Option<usize> {
        match self {
            Self::Detection(index) => Some(index),
            Self::Baseline(_) => None,
        }
    }

    fn analysis(self, content: &AnalyzedContent) -> Arc<Analysis> {
        match self {
            Self::Detection(index) => content.detection(index).clone(),
            Self::Baseline(index) => {
                let search = &content.set.baselines[index].search;
                Arc::new(analyze(search, &content.set.macros))
            }
        }
    }
}

/// What a check of a search finds.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// The diagnostics. Their spans refer to the search as written.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// The codes of messages that are left out: what they are about is set up elsewhere.
    pub(super) elsewhere: Vec<Code>,
    /// The data models that it reads and no event type feeds.
    pub(super) unfed_models: BTreeSet<String>,
}

impl Outcome {
    fn of(diagnostics: Vec<Diagnostic>) -> Self {
        Self { diagnostics, ..Self::default() }
    }
}

/// Returns what is found in searches, in their order.
pub(super) async fn plan_all(
    content: &Arc<AnalyzedContent>,
    chosen: &[Search],
) -> Result<Vec<Outcome>, AppError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chosen.len());
    let options = RunOptions::default();
    let clock = Clock::new(&options.time)?;
    let events = Arc::new(NoLogs::new());
    let environment = Environment::new(
        &content.set,
        events,
        clock,
        &options,
        pool::HUNT_LIMIT * threads.max(1),
        threads,
    )?;
    let environment = Arc::new(environment);
    let surroundings = Arc::new(Surroundings::new(content));
    let chosen: Arc<[Search]> = chosen.into();
    let next = Arc::new(AtomicUsize::new(0));
    let cancel = CancellationToken::new();
    let _cancel = cancel.clone().drop_guard();
    let mut workers = JoinSet::new();
    for _ in 0..threads {
        let (content, environment, chosen) = (content.clone(), environment.clone(), chosen.clone());
        let (next, cancel) = (next.clone(), cancel.clone());
        let surroundings = surroundings.clone();
        workers.spawn_blocking(move || {
            let mut done = Vec::new();
            let runtime = runtime();
            while !cancel.is_cancelled() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(search) = chosen.get(place) else { break };
                let analysis = search.analysis(&content);
                let mut found = outcome(&analysis, &environment.context(), &runtime);
                let messages = &mut found.diagnostics;
                messages.retain(|told| !is_filled(told, &content));
                let is_told = |told: &Diagnostic, messages: &[Diagnostic]| {
                    let is_same =
                        |other: &Diagnostic| other.code == told.code && other.span() == told.span();
                    told.span().is_some() && messages.iter().any(is_same)
                };
                let detection = search.of(&content.set);
                let filters = filters::misspelled(detection, &content.set, &analysis);
                for more in
                    surroundings.of_search(&analysis, &content.set).into_iter().chain(filters)
                {
                    if !is_told(&more, messages) {
                        messages.push(more);
                    }
                }
                messages.sort_by_key(|diagnostic| (!stops(diagnostic), diagnostic.span()));
                let of_schedule = advice::of_schedule(detection, &content.set, &analysis);
                found.diagnostics.extend(of_schedule);
                found.unfed_models = analysis.unfed_models(&content.set.knowledge);
                done.push((place, found));
            }
            done
        });
    }
    let mut found = vec![Outcome::default(); chosen.len()];
    while let Some(done) = workers.join_next().await {
        for (place, outcome) in done.map_err(|error| AppError::Bug(error.to_string()))? {
            found[place] = outcome;
        }
    }
    Ok(found)
}

/// Returns what is wrong with a search, or doubtful.
fn outcome(analysis: &Analysis, context: &SearchContext, runtime: &io::Result<Runtime>) -> Outcome {
    // A bug in planning one search must not hide what is wrong with the others.
    let planned = catch_unwind(AssertUnwindSafe(|| planned(analysis, context, runtime)));
    let mut outcome = planned
        .unwrap_or_else(|_| Outcome::of(vec![Diagnostic::bug("planning the search panicked")]));
    let found = &mut outcome.diagnostics;
    found.extend(analysis.doubts_without_logs(found, true));
    outcome
}

/// Returns the lookups that fill a subsearch of the search nearly, so that a few more rows are cut off.
/// Beyond the limit, the search itself warns.
fn near_limit(analysis: &Analysis, context: &SearchContext) -> Vec<Diagnostic> {
    let text = analysis.expansion.text.as_str();
    let lookups = context.observations.lookups().into_iter();
    let near = lookups.filter(|lookup| (NEAR_LIMIT..=MOST_ROWS).contains(&lookup.rows));
    near.filter_map(|lookup| {
        let span = lookup.span?;
        let before = text.get(..span.start)?;
        // Only `inputlookup` returns all rows, and only a subsearch of a search expression has this limit.
        let (outer, inner) = before.rsplit_once('[')?;
        let is_all = inner.trim_start_matches(['|', ' ']).starts_with("inputlookup");
        let outer = behind_subsearches(outer);
        let command = outer.rsplit('|').next().unwrap_or_default().trim_start();
        let adds_rows =
            ["join", "append", "set ", "union"].iter().any(|name| command.starts_with(name));
        (is_all && !inner.contains(']') && !adds_rows).then(|| {
            let message = format!(
                "the lookup `{}` has {} rows, and only {MOST_ROWS} rows of a subsearch are used",
                lookup.name, lookup.rows
            );
            let help = "compare with `lookup`, which has no such limit";
            Diagnostic::warning(Code::NEAR_LIMIT, message).at(span).help(help)
        })
    })
    .collect()
}

/// Returns a text without the subsearches that end in it, whose commands are not the one that it ends in.
fn behind_subsearches(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept: Vec<char> = Vec::new();
    for c in text.chars().rev() {
        match c {
            ']' => depth += 1,
            '[' if depth == 0 => break,
            '[' => depth -= 1,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept.into_iter().rev().collect()
}

/// Returns true for a message about a lookup that is not there and that a search of the content fills.
fn is_filled(diagnostic: &Diagnostic, content: &AnalyzedContent) -> bool {
    let name = diagnostic.message.split('`').nth(1);
    diagnostic.code == Code::MISSING_LOOKUP && name.is_some_and(|name| content.fills_lookup(name))
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().build()
}

fn planned(analysis: &Analysis, context: &SearchContext, runtime: &io::Result<Runtime>) -> Outcome {
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("a thread cannot start: {error}");
            return Outcome::of(vec![Diagnostic::error(Code::DISK, message)]);
        }
    };
    match runtime.block_on(run::plan(analysis, None, context)) {
        Ok(_) => {
            let messages = context.observations.messages().into_iter();
            let messages = messages.chain(near_limit(analysis, context));
            // What this machine lacks says nothing about the search.
            let messages = messages.filter(|message| message.code.class() != Class::Environment);
            let (elsewhere, messages): (Vec<_>, Vec<_>) =
                messages.partition(|message| is_set_up_elsewhere(message, analysis));
            let messages = messages.into_iter();
            Outcome {
                diagnostics: messages.map(|told| analysis.expansion.relocate(told)).collect(),
                elsewhere: elsewhere.into_iter().map(|message| message.code).collect(),
                ..Outcome::default()
            }
        }
        Err(diagnostics) => Outcome::of(diagnostics),
    }
}

/// Returns true for a message about events that the content does not define itself: those of a data
/// model, of which the report has the number, and those of an event type or tag in a macro, which is
/// set up where the content is used.
fn is_set_up_elsewhere(message: &Diagnostic, analysis: &Analysis) -> bool {
    let is_in_macro =
        || message.span().is_some_and(|span| analysis.expansion.macro_at(span).is_some());
    message.code == Code::NOT_FED || (message.code == Code::UNKNOWN_EVENT_TYPE && is_in_macro())
}

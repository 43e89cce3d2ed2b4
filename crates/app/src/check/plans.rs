//! Plans searches without logs, on several threads.

use std::collections::BTreeMap;
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

/// Returns how many of the searches read each data model that no event type feeds.
pub(super) fn unfed_models(content: &AnalyzedContent, chosen: &[Search]) -> BTreeMap<String, u64> {
    let mut unfed = BTreeMap::new();
    for search in chosen {
        for model in search.analysis(content).unfed_models(&content.set.knowledge) {
            *unfed.entry(model).or_default() += 1;
        }
    }
    unfed
}

/// Returns the diagnostics of searches, in their order. Their spans refer to
/// the search as written.
pub(super) async fn plan_all(
    content: &Arc<AnalyzedContent>,
    chosen: &[Search],
) -> Result<Vec<Vec<Diagnostic>>, AppError> {
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
    let surroundings = Arc::new(Surroundings::new(&content.set));
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
                let mut found =
                    diagnostics(&analysis, &environment.context(), &surroundings, &runtime);
                let detection = search.of(&content.set);
                found.extend(advice::of_schedule(detection, &content.set, &analysis));
                done.push((place, found));
            }
            done
        });
    }
    let mut found = vec![Vec::new(); chosen.len()];
    while let Some(done) = workers.join_next().await {
        for (place, diagnostics) in done.map_err(|error| AppError::Bug(error.to_string()))? {
            found[place] = diagnostics;
        }
    }
    Ok(found)
}

/// Returns what is wrong with a search, or doubtful.
fn diagnostics(
    analysis: &Analysis,
    context: &SearchContext,
    surroundings: &Surroundings,
    runtime: &io::Result<Runtime>,
) -> Vec<Diagnostic> {
    // A bug in planning one search must not hide what is wrong with the others.
    let planned = catch_unwind(AssertUnwindSafe(|| planned(analysis, context, runtime)));
    let mut found =
        planned.unwrap_or_else(|_| vec![Diagnostic::bug("planning the search panicked")]);
    found.extend(analysis.doubts_without_logs(&found, true));
    found.extend(surroundings.of_search(analysis));
    found.sort_by_key(|diagnostic| (!stops(diagnostic), diagnostic.span()));
    found
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
        let command = outer.rsplit('|').next().unwrap_or_default().trim_start();
        let adds_rows = ["join", "append", "union"].iter().any(|name| command.starts_with(name));
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

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().build()
}

fn planned(
    analysis: &Analysis,
    context: &SearchContext,
    runtime: &io::Result<Runtime>,
) -> Vec<Diagnostic> {
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("a thread cannot start: {error}");
            return vec![Diagnostic::error(Code::DISK, message)];
        }
    };
    match runtime.block_on(run::plan(analysis, None, context)) {
        Ok(_) => {
            let messages = context.observations.messages().into_iter();
            let messages = messages.chain(near_limit(analysis, context));
            // What this machine lacks says nothing about the search.
            let messages = messages.filter(|message| message.code.class() != Class::Environment);
            let messages = messages.filter(|message| !is_set_up_elsewhere(message, analysis));
            messages.map(|message| analysis.expansion.relocate(message)).collect()
        }
        Err(diagnostics) => diagnostics,
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

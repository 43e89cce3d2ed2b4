//! Plans searches without logs, on several threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use spilltrail_detect::AnalyzedContent;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_search::analysis::Analysis;
use spilltrail_search::context::SearchContext;
use spilltrail_search::{pool, run};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::events::NoLogs;
use super::stops;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::AppError;
use crate::options::RunOptions;

/// Most diagnostics that are kept of one search.
const MOST: usize = 100;

/// Returns the diagnostics of the detections with these indexes, in their order. Their spans refer to
/// the search as written.
pub(super) async fn plan_all(
    content: &Arc<AnalyzedContent>,
    chosen: &[usize],
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
    let chosen: Arc<[usize]> = chosen.into();
    let next = Arc::new(AtomicUsize::new(0));
    let cancel = CancellationToken::new();
    let _cancel = cancel.clone().drop_guard();
    let mut workers = JoinSet::new();
    for _ in 0..threads {
        let (content, environment, chosen) = (content.clone(), environment.clone(), chosen.clone());
        let (next, cancel) = (next.clone(), cancel.clone());
        workers.spawn_blocking(move || {
            let mut done = Vec::new();
            while !cancel.is_cancelled() {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(index) = chosen.get(place) else { break };
                let analysis = content.look_at(*index);
                done.push((place, diagnostics(&analysis, &environment.context())));
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
fn diagnostics(analysis: &Analysis, context: &SearchContext) -> Vec<Diagnostic> {
    // A bug in planning one search must not hide what is wrong with the others.
    let planned = catch_unwind(AssertUnwindSafe(|| planned(analysis, context)));
    let mut found =
        planned.unwrap_or_else(|_| vec![Diagnostic::bug("planning the search panicked")]);
    found.extend(analysis.doubts_without_logs(&found, true));
    found.sort_by_key(|diagnostic| (!stops(diagnostic), diagnostic.span()));
    found.truncate(MOST);
    found
}

fn planned(analysis: &Analysis, context: &SearchContext) -> Vec<Diagnostic> {
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("a thread cannot start: {error}");
            return vec![Diagnostic::error(Code::DISK, message)];
        }
    };
    match runtime.block_on(run::plan(analysis, None, context)) {
        Ok(_) => {
            let messages = context.observations.messages().into_iter();
            messages.map(|message| analysis.expansion.relocate(message)).collect()
        }
        Err(diagnostics) => diagnostics,
    }
}

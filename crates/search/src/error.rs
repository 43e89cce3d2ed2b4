//! Failures: those of the engine as diagnostics, and locks that outlive a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::DataFusionError;
use spilltrail_diagnostic::{Code, Diagnostic};

/// An error that one of our operators raises inside the engine and that keeps its diagnostic.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct SearchError(pub Diagnostic);

/// Returns the engine error that carries `diagnostic`.
#[must_use]
pub fn to_engine(diagnostic: Diagnostic) -> DataFusionError {
    DataFusionError::External(Box::new(SearchError(diagnostic)))
}

/// Returns the diagnostic of an engine error: our own one if it carries one.
#[must_use]
pub fn from_engine(error: &DataFusionError) -> Diagnostic {
    let root = error.find_root();
    if let DataFusionError::External(inner) = root
        && let Some(SearchError(diagnostic)) = inner.downcast_ref()
    {
        return diagnostic.clone();
    }
    match root {
        DataFusionError::ResourcesExhausted(message) => Diagnostic::error(
            Code::LIMIT,
            format!("the search needs more memory than it may have: {message}"),
        )
        .help("raise `--memory-limit`, or narrow the search"),
        // What a source of events says, without the engine's words around it.
        DataFusionError::External(inner) => Diagnostic::error(Code::EXECUTION, inner.to_string()),
        other => Diagnostic::error(Code::EXECUTION, other.strip_backtrace()),
    }
}

/// Locks a mutex; a panic elsewhere does not make the data unusable, because every update is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

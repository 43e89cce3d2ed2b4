//! Converts engine errors to diagnostics in the user's words, and locks mutexes despite panics.

use std::error::Error;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::limits;
use tokio::task::JoinError;

use crate::pool;

/// An error that one of our operators raises inside the engine, with its diagnostic.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct SearchError(pub Diagnostic);

/// Returns an engine error that contains `diagnostic`.
#[must_use]
pub fn to_engine(diagnostic: Diagnostic) -> DataFusionError {
    DataFusionError::External(Box::new(SearchError(diagnostic)))
}

/// Returns the diagnostic of an engine error.
///
/// If the error contains one of our diagnostics, that is returned; otherwise a diagnostic for its
/// kind of error. The engine's own message would not help the user, so it goes to the log.
#[must_use]
pub fn from_engine(error: &DataFusionError) -> Diagnostic {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            from_engine(inner)
        }
        DataFusionError::Shared(inner) => from_engine(inner),
        // The first error is the cause; the others follow from it.
        DataFusionError::Collection(errors) => {
            errors.first().map_or_else(|| bug("the search failed", error), from_engine)
        }
        DataFusionError::External(inner) => from_other(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::IoError(inner) => from_io(inner),
        DataFusionError::ExecutionJoin(inner) => from_join(inner),
        DataFusionError::ResourcesExhausted(message) => exhausted(message),
        // The engine gets only plans that we build, so if it rejects one, that is our bug.
        DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Substrait(_) => bug("the search cannot be planned", error),
        other => bug("the search failed", other),
    }
}

/// As [`from_engine`], for an error from outside the engine.
fn from_other(error: &(dyn Error + Send + Sync + 'static)) -> Diagnostic {
    if let Some(SearchError(diagnostic)) = error.downcast_ref() {
        diagnostic.clone()
    } else if let Some(diagnostic) = error.downcast_ref::<Diagnostic>() {
        // Event sources do not know `SearchError`, so they raise a bare diagnostic.
        diagnostic.clone()
    } else if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        from_engine(inner)
    } else if let Some(inner) = error.downcast_ref::<ArrowError>() {
        from_arrow(inner)
    } else if let Some(inner) = error.downcast_ref::<io::Error>() {
        from_io(inner)
    } else if let Some(inner) = error.downcast_ref::<JoinError>() {
        from_join(inner)
    } else {
        bug("the search failed", error)
    }
}

fn from_arrow(error: &ArrowError) -> Diagnostic {
    match error {
        ArrowError::ExternalError(inner) => from_other(inner.as_ref()),
        ArrowError::IoError(_, inner) => from_io(inner),
        ArrowError::MemoryError(message) => exhausted(message),
        ArrowError::OffsetOverflowError(_) => Diagnostic::error(
            Code::TOO_LARGE,
            "the texts of one column are longer than two gigabytes",
        )
        .help("narrow the search, or keep fewer fields with `fields`"),
        other => bug("the search failed", other),
    }
}

/// Returns the diagnostic of an IO error. Logs and lookups report their own errors, so the error is
/// about a temporary file of the engine.
fn from_io(error: &io::Error) -> Diagnostic {
    if let Some(inner) = error.get_ref() {
        // One of our errors keeps its diagnostic even if it is wrapped in an IO error.
        if inner.is::<SearchError>() || inner.is::<DataFusionError>() || inner.is::<ArrowError>() {
            return from_other(inner);
        }
    }
    let folder = std::env::temp_dir();
    let message = format!(
        "temporary files in `{}` cannot be written or read: {}",
        folder.display(),
        error.kind()
    );
    Diagnostic::error(Code::DISK, message)
        .help("free some space, or let `TMPDIR` name a folder that has more")
}

fn from_join(error: &JoinError) -> Diagnostic {
    if error.is_cancelled() { limits::canceled() } else { bug("the search failed", error) }
}

fn exhausted(message: &str) -> Diagnostic {
    log::warn!("{message}");
    // The engine wraps the pool's message in text of its own. Only the pool's line is for the user.
    if let Some((_, rest)) = message.split_once(pool::REFUSED) {
        let message = format!("{}{}", pool::REFUSED, rest.lines().next().unwrap_or_default());
        return Diagnostic::error(Code::MEMORY_LIMIT, message).help(
            "raise `--memory-limit`, or narrow the search; a single group of `values`, `list` or `dc` \
             must fit into memory",
        );
    }
    if message.contains("disk") {
        let message = "the search needs more room for temporary files than it may have";
        return Diagnostic::error(Code::DISK, message)
            .note(format!("they are in `{}`", std::env::temp_dir().display()))
            .help("let `TMPDIR` name a folder that has more room, or narrow the search");
    }
    let message = "a row is larger than what the search may hold in memory";
    Diagnostic::error(Code::MEMORY_LIMIT, message)
        .help("raise `--memory-limit`, or keep fewer fields with `fields`")
}

fn bug(what: &str, error: &(impl Error + ?Sized)) -> Diagnostic {
    log::error!("{what}: {error}");
    Diagnostic::bug(what)
}

/// Locks a mutex, even if a thread panicked while it held the lock. The data is still consistent,
/// because no update can be interrupted halfway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::common::{Column, SchemaError};

    use super::*;

    /// Terms that only someone who knows the engine understands.
    const ENGINE_WORDS: &[&str] = &[
        "arrow",
        "datafusion",
        "sorter",
        "pool",
        "exhausted",
        "partition",
        "execution",
        "internal",
        "recordbatch",
        "schema",
        "external",
        "offset",
        "join",
        "object",
        "hidden",
    ];

    fn ours() -> DataFusionError {
        to_engine(Diagnostic::error(Code::UNORDERED, "rows must be in order"))
    }

    #[tokio::test]
    async fn every_kind_of_error_is_told_in_our_words() {
        let hidden = || "hidden".to_owned();
        let disk_full = || io::Error::from(io::ErrorKind::StorageFull);
        let panicked = tokio::spawn(async { panic!("hidden") }).await.unwrap_err();
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        let canceled = task.await.unwrap_err();
        let missing = SchemaError::FieldNotFound {
            field: Box::new(Column::from_name("hidden")),
            valid_fields: Vec::new(),
        };
        let arrow = |error| DataFusionError::ArrowError(Box::new(error), None);
        let pool = "Failed to allocate for ExternalSorter[0] with fair(pool_size: 1) hidden";
        let cases = [
            (ours(), Code::UNORDERED),
            (ours().context("hidden"), Code::UNORDERED),
            (DataFusionError::Shared(Arc::new(ours())), Code::UNORDERED),
            (
                DataFusionError::Collection(vec![ours(), DataFusionError::Plan(hidden())]),
                Code::UNORDERED,
            ),
            (DataFusionError::Collection(Vec::new()), Code::INTERNAL),
            (DataFusionError::External(Box::new(ours())), Code::UNORDERED),
            (
                DataFusionError::External(Box::new(Diagnostic::error(Code::DISK, "disk is full"))),
                Code::DISK,
            ),
            (arrow(ArrowError::ExternalError(Box::new(ours()))), Code::UNORDERED),
            (DataFusionError::IoError(io::Error::other(ours())), Code::UNORDERED),
            (DataFusionError::External(hidden().into()), Code::INTERNAL),
            (DataFusionError::External(Box::new(disk_full())), Code::DISK),
            (DataFusionError::IoError(disk_full()), Code::DISK),
            (DataFusionError::IoError(io::Error::other("hidden")), Code::DISK),
            (arrow(ArrowError::IoError(hidden(), disk_full())), Code::DISK),
            (arrow(ArrowError::MemoryError(hidden())), Code::MEMORY_LIMIT),
            (arrow(ArrowError::OffsetOverflowError(7)), Code::TOO_LARGE),
            (arrow(ArrowError::ComputeError(hidden())), Code::INTERNAL),
            (arrow(ArrowError::DivideByZero), Code::INTERNAL),
            (DataFusionError::ResourcesExhausted(pool.to_owned()), Code::MEMORY_LIMIT),
            (DataFusionError::ExecutionJoin(Box::new(canceled)), Code::CANCELED),
            (DataFusionError::ExecutionJoin(Box::new(panicked)), Code::INTERNAL),
            (DataFusionError::SchemaError(Box::new(missing), Box::new(None)), Code::INTERNAL),
            (DataFusionError::Plan(hidden()), Code::INTERNAL),
            (DataFusionError::NotImplemented(hidden()), Code::INTERNAL),
            (DataFusionError::Configuration(hidden()), Code::INTERNAL),
            (DataFusionError::Substrait(hidden()), Code::INTERNAL),
            (DataFusionError::Internal(hidden()), Code::INTERNAL),
            (DataFusionError::Execution(hidden()), Code::INTERNAL),
            (DataFusionError::Ffi(hidden()), Code::INTERNAL),
        ];
        for (error, code) in cases {
            let diagnostic = from_engine(&error);
            assert_eq!(diagnostic.code, code, "{error}");
            let shown = format!("{} {:?}", diagnostic.message, diagnostic.help).to_lowercase();
            for word in shown.split(|c: char| !c.is_alphanumeric()) {
                let is_theirs = ENGINE_WORDS.iter().any(|theirs| word.starts_with(theirs));
                assert!(!is_theirs, "{error}: `{word}` in {shown}");
            }
        }
    }
}

//! Why something could not be run.

use std::path::PathBuf;

use spilltrail_diagnostic::{Class, Diagnostic};
use spilltrail_spl::time::TimeError;

use crate::cancel::Done;
use crate::hunt::sink::SinkError;
use crate::unread::Unread;

/// Why something could not be run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A name that is not a time zone.
    #[error("`{name}` is not a time zone")]
    Zone {
        /// The name.
        name: String,
    },
    /// A bound of the range, or now, is not a time.
    #[error("{option}: {source}")]
    Time {
        /// `earliest`, `latest` or `now`.
        option: &'static str,
        /// What is wrong with it.
        source: TimeError,
    },
    /// A macro that a caller defined cannot be used.
    #[error("the macro `{text}` cannot be used")]
    Macro {
        /// The definition as it was given.
        text: String,
        /// What is wrong with it; its places are in `text`.
        diagnostic: Diagnostic,
    },
    /// No detection has this name.
    #[error("there is no detection `{name}`{}", similar.as_ref().map(|similar| format!("; did you mean `{similar}`?")).unwrap_or_default())]
    NoSuchDetection {
        /// The name, id or file name.
        name: String,
        /// The name of a detection that is written almost so.
        similar: Option<String>,
    },
    /// The content has no detection.
    #[error("there is no detection to run")]
    NoDetections,
    /// Nothing that was named as logs could be found or opened.
    #[error("there is no log to read")]
    NoLogs {
        /// What was named, and why it cannot be read.
        unread: Vec<Unread>,
    },
    /// A search does not parse or plan, or failed while it ran.
    #[error("{}", summary(diagnostics))]
    Search {
        /// All that is wrong; places are in the text of the search as it was written.
        diagnostics: Vec<Diagnostic>,
    },
    /// The logs cannot be read for a hunt.
    #[error("the logs cannot be read: {}", .0.message)]
    Reading(Diagnostic),
    /// The file of rows, or the GeoIP database, cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The engine cannot be set up.
    #[error("the search engine cannot start: {0}")]
    Engine(String),
    /// Whoever takes the findings cannot take more.
    #[error("the findings cannot be handed on")]
    Sink {
        /// Why not.
        source: SinkError,
        /// What had been done by then.
        done: Box<Done>,
    },
    /// The run was cancelled; it has what had been done by then.
    #[error("the run was cancelled")]
    Cancelled(Box<Done>),
    /// A bug.
    #[error("a bug ended the run: {0}")]
    Bug(String),
}

impl AppError {
    /// Returns what kind of trouble it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Zone { .. }
            | Self::Time { .. }
            | Self::Macro { .. }
            | Self::NoSuchDetection { .. }
            | Self::NoDetections
            | Self::NoLogs { .. } => Class::User,
            Self::Search { diagnostics } => {
                Diagnostic::class_of(diagnostics).unwrap_or(Class::Internal)
            }
            Self::Reading(diagnostic) => diagnostic.code.class(),
            Self::File { .. } => Class::Data,
            Self::Engine(_) | Self::Sink { .. } => Class::Environment,
            Self::Cancelled(_) => Class::Canceled,
            Self::Bug(_) => Class::Internal,
        }
    }
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let messages: Vec<&str> =
        diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    messages.join("; ")
}

/// Runs work that blocks away from the threads that run searches.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AppError::Bug(error.to_string()))
}

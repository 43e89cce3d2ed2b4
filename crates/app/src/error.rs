//! Errors of hunts and searches.

use std::path::PathBuf;

use spilltrail_diagnostic::{Class, Diagnostic};
use spilltrail_spl::time::TimeError;

use crate::cancel::Done;
use crate::hunt::sink::SinkError;
use crate::unread::Unread;

/// The error of a hunt, a search, or an option that they were given.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The name of the time zone is unknown.
    #[error("`{name}` is not a time zone")]
    Zone {
        /// The name as the caller gave it.
        name: String,
    },
    /// What the configuration sets for the schedule of a detection cannot work.
    #[error("the schedule that the configuration sets for `{name}` cannot work: {reason}")]
    Schedule {
        /// The name of the detection.
        name: String,
        /// Why.
        reason: String,
    },
    /// A time option (`earliest`, `latest` or `now`) cannot be parsed.
    #[error("{option}: {source}")]
    Time {
        /// Name of the option: `earliest`, `latest` or `now`.
        option: &'static str,
        /// Reason that the time cannot be parsed.
        source: TimeError,
    },
    /// The time range of the options ends before it begins.
    #[error("the time range is empty: latest is not after earliest")]
    EmptyRange,
    /// A content folder does not exist or cannot be opened.
    #[error("{}: {reason}", path.display())]
    NoContentFolder {
        /// Path of the folder, as the caller gave it.
        path: PathBuf,
        /// Reason that the folder cannot be opened.
        reason: String,
    },
    /// A macro definition from the options is invalid.
    #[error("the macro `{text}` cannot be used")]
    Macro {
        /// The definition as the caller gave it.
        text: String,
        /// The problem; its spans are byte offsets in `text`.
        diagnostic: Diagnostic,
    },
    /// No detection has this name.
    #[error("there is no detection `{name}`{}", similar.as_ref().map(|similar| format!("; did you mean `{similar}`?")).unwrap_or_default())]
    NoSuchDetection {
        /// The name, id or file name that was requested.
        name: String,
        /// The most similar name of an existing detection, as a suggestion.
        similar: Option<String>,
    },
    /// A part of a name, or a pattern, fits several detections.
    #[error("`{text}` fits {} detections", found.len())]
    SeveralDetections {
        /// The text as the caller gave it.
        text: String,
        /// The names of the detections, sorted.
        found: Vec<String>,
    },
    /// A filter selects no detection.
    #[error("{what}; {help}")]
    NothingSelected {
        /// The filter that no detection meets.
        what: String,
        /// The nearest values that detections have.
        help: String,
    },
    /// The content contains no detections.
    #[error("there is no detection to run")]
    NoDetections,
    /// None of the named logs could be found or opened.
    #[error("there is no log to read")]
    NoLogs {
        /// The inputs that could not be read, each with the reason.
        unread: Vec<Unread>,
    },
    /// A search could not be parsed or planned, or it failed while it ran.
    #[error("{}", summary(diagnostics))]
    Search {
        /// All problems; their spans are byte offsets in the search as the user wrote it.
        diagnostics: Vec<Diagnostic>,
    },
    /// The logs cannot be read for a hunt.
    #[error("the logs cannot be read: {}", .0.message)]
    Reading(Diagnostic),
    /// The file of JSON rows, the GeoIP database or the folder of lookups cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Reason that the file cannot be used.
        reason: String,
    },
    /// A lake cannot be used.
    #[error("{}: {reason}", path.display())]
    Lake {
        /// The folder of the lake.
        path: PathBuf,
        /// Reason that it cannot be used.
        reason: String,
    },
    /// The schedules, runs and findings of a server cannot be kept.
    #[error("{}: {reason}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Reason that it cannot be used.
        reason: String,
    },
    /// The range that is hunted has no start, so that no time is before it.
    #[error(
        "baselines are taken from the time before the range that is hunted; `--earliest` sets its start"
    )]
    NoBaselineRange,
    /// No baseline fills a lookup that a detection reads.
    #[error("no baseline of the content fills a lookup that these detections read")]
    NoBaselines,
    /// Events cannot be sent to a collector.
    #[error("{url}: {reason}")]
    Collector {
        /// The address of the collector.
        url: String,
        /// Reason that it does not take the events.
        reason: String,
    },
    /// What changed since a revision cannot be told.
    #[error("cannot tell what changed since `{revision}`: {}: {reason}", folder.display())]
    Revision {
        /// The revision as the caller gave it.
        revision: String,
        /// The folder whose repository was asked.
        folder: PathBuf,
        /// Reason that it cannot be told.
        reason: String,
    },
    /// What changed since a revision is asked for, and only built-in detections are selected.
    #[error(
        "cannot tell what changed since `{revision}`: only content folders have revisions, and no \
         selected detection is in one; name a folder"
    )]
    NoRevisions {
        /// The revision as the caller gave it.
        revision: String,
    },
    /// The search engine could not be initialized.
    #[error("the search engine cannot start: {0}")]
    Engine(String),
    /// The [`HuntSink`](crate::HuntSink) rejected an event.
    #[error("the findings cannot be handed on")]
    Sink {
        /// The error that the sink returned.
        source: SinkError,
        /// Progress of the hunt up to that point.
        done: Box<Done>,
    },
    /// The caller canceled the run; holds the progress up to that point.
    #[error("the run was cancelled")]
    Cancelled(Box<Done>),
    /// A bug in Spilltrail ended the run.
    #[error("a bug ended the run: {0}")]
    Bug(String),
}

impl AppError {
    /// Returns the class of the error, from which the exit status is chosen.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Zone { .. }
            | Self::Schedule { .. }
            | Self::Time { .. }
            | Self::EmptyRange
            | Self::NoContentFolder { .. }
            | Self::Macro { .. }
            | Self::NoSuchDetection { .. }
            | Self::SeveralDetections { .. }
            | Self::NothingSelected { .. }
            | Self::NoDetections
            | Self::Revision { .. }
            | Self::NoRevisions { .. }
            | Self::NoBaselineRange
            | Self::NoBaselines
            | Self::NoLogs { .. } => Class::User,
            Self::Search { diagnostics } => {
                Diagnostic::class_of(diagnostics).unwrap_or(Class::Internal)
            }
            Self::Reading(diagnostic) => diagnostic.code.class(),
            Self::File { .. } | Self::Lake { .. } => Class::Data,
            Self::Store { .. } | Self::Engine(_) | Self::Sink { .. } | Self::Collector { .. } => {
                Class::Environment
            }
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

/// Runs blocking work on Tokio's blocking pool, so that it does not stall searches.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AppError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AppError::Bug(error.to_string()))
}

//! What a search is, and what is told of a job that runs it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spilltrail_schedule::Moment;
use utoipa::ToSchema;

use super::jobs::SearchOutput;

/// A search that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// The search, as a user has written it.
    pub search: String,
    /// The beginning of the time range, as a time modifier; `None` for no bound.
    pub earliest: Option<String>,
    /// The end of the time range.
    pub latest: Option<String>,
    /// The most rows that are kept. The search may stop when it has them.
    pub max_rows: usize,
    /// For how long it may run.
    pub max_time: Duration,
}

/// Runs searches.
pub trait Searches: Send + Sync + 'static {
    /// Runs a search to its end, and gives its rows to `output` as they are found. It blocks; it is called
    /// on a thread of its own. It ends soon after [`SearchOutput::is_cancelled`] is true.
    ///
    /// # Errors
    /// Fails if the search cannot be run, or does not come to its end.
    fn run(&self, request: &SearchRequest, output: &SearchOutput) -> Result<(), SearchFailure>;
}

/// Why a search failed, for its user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SearchFailure {
    /// What went wrong.
    pub message: String,
}

/// What a search tells beside its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchMessage {
    /// How bad it is.
    pub severity: SearchSeverity,
    /// A code of the book, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What there is to say.
    pub text: String,
}

/// How bad it is what a search tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchSeverity {
    /// Good to know.
    Info,
    /// The rows may not be what was meant.
    Warning,
    /// The search failed, or rows are missing.
    Error,
}

/// How far a search is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchProgress {
    /// The events that were read.
    pub events: u64,
    /// The bytes that were read.
    pub bytes: u64,
    /// The files that were read, or were found to have nothing.
    pub files: u64,
    /// All files; `None` as long as it is not known.
    pub all_files: Option<u64>,
}

/// What becomes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for others.
    Queued,
    /// It runs.
    Running,
    /// It came to its end.
    Done,
    /// It did not come to its end; a message says why.
    Failed,
}

impl JobState {
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// The limits of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// The most jobs that run at the same time; others wait.
    pub max_running: usize,
    /// The most jobs that there are. For a new one, the job makes place that ended and was not asked for
    /// longest; if none has ended, the new one is refused.
    pub max_jobs: usize,
    /// The most rows of a job.
    pub max_rows: usize,
    /// The most bytes of the rows of a job.
    pub max_bytes: usize,
    /// The most bytes of the rows of all jobs.
    pub max_all_bytes: usize,
    /// For how long a job may run.
    pub max_time: Duration,
    /// For how long a job is kept after it has ended and was last asked for.
    pub keep: Duration,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            max_running: 2,
            max_jobs: 50,
            max_rows: 50_000,
            max_bytes: 64 << 20,
            max_all_bytes: 256 << 20,
            max_time: Duration::from_mins(30),
            keep: Duration::from_mins(10),
        }
    }
}

/// A job, as it is told.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Job {
    /// The id.
    pub(crate) id: String,
    /// The search.
    pub(crate) search: String,
    /// The beginning of the time range.
    pub(crate) earliest: Option<String>,
    /// The end of the time range.
    pub(crate) latest: Option<String>,
    /// Who started it.
    pub(crate) started_by: String,
    /// What becomes of it.
    pub(crate) state: JobState,
    /// When it was started.
    #[schema(value_type = i64)]
    pub(crate) created: Moment,
    /// For how many milliseconds it has run.
    pub(crate) took: u64,
    /// How far it is.
    pub(crate) progress: SearchProgress,
    /// The number of rows so far.
    pub(crate) rows: usize,
    /// True if there are more rows than are kept.
    pub(crate) is_truncated: bool,
    /// What it has told, the first 100.
    pub(crate) messages: Vec<SearchMessage>,
}

/// Rows of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobRows {
    /// What becomes of the job. Before it is over, more rows may come.
    pub(crate) state: JobState,
    /// The fields of the rows, in their order.
    pub(crate) fields: Vec<String>,
    /// The number of the first row, from 0.
    pub(crate) offset: usize,
    /// The number of rows so far.
    pub(crate) total: usize,
    /// The rows: as many as were asked for, or fewer if they are not there or are very large. A field is
    /// absent, or has a text, a number, or a list of texts.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, serde_json::Value>>)]
    pub(crate) rows: Vec<Row>,
}

/// A row, as the JSON that it is answered with.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Row(Box<RawValue>);

impl Row {
    /// Returns the row of a text; `None` if it is not JSON.
    pub(super) fn of(text: String) -> Option<Self> {
        RawValue::from_string(text).ok().map(Self)
    }

    /// Returns the bytes of the text.
    pub(super) fn bytes(&self) -> usize {
        self.0.get().len()
    }
}

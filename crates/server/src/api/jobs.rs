//! Jobs: searches that run beside requests, with the rows that they have found so far.
//!
//! Everything is bounded: how many jobs there are and run, the rows and bytes of each and of all, for how long
//! a job runs, and for how long it is kept after that.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use spilltrail_schedule::Moment;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use utoipa::ToSchema;

use super::errors::{ApiError, Code};
use crate::metrics::Metrics;

/// The most messages of a job that are kept.
const MAX_MESSAGES: usize = 100;

/// The most bytes of a message.
const MAX_MESSAGE_BYTES: usize = 4096;

/// The most fields of the rows of a job that are named.
const MAX_FIELDS: usize = 10_000;

/// The bytes that a row takes beside its text.
const ROW_BYTES: usize = 32;

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
    fn is_over(self) -> bool {
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
    /// The rows. A field is absent, or has a text, a number, or a list of texts.
    #[schema(value_type = Vec<std::collections::BTreeMap<String, Value>>)]
    pub(crate) rows: Vec<Box<RawValue>>,
}

/// All jobs.
pub(crate) struct Jobs {
    searches: Arc<dyn Searches>,
    metrics: Arc<Metrics>,
    options: JobOptions,
    state: Mutex<State>,
    /// Is told when a job may begin.
    turn: Notify,
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    jobs: HashMap<String, Entry>,
    /// The jobs that wait, the one that began first in front.
    queue: VecDeque<String>,
    running: usize,
    /// The bytes of the rows of all jobs.
    bytes: usize,
}

struct Entry {
    job: Job,
    fields: Vec<String>,
    rows: Vec<Box<RawValue>>,
    bytes: usize,
    began: Option<Instant>,
    /// When it ended, or was asked for after that.
    used: Instant,
    max_rows: usize,
    cancel: watch::Sender<bool>,
}

/// Where a search puts what it finds.
pub struct SearchOutput {
    jobs: Arc<Jobs>,
    id: String,
    cancelled: watch::Receiver<bool>,
}

impl fmt::Debug for SearchOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchOutput").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether a search should go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum More {
    /// More rows are kept.
    Wanted,
    /// No more rows are kept, because there are enough or nobody waits for them.
    Enough,
}

impl SearchOutput {
    /// Names the fields of the rows, in their order. Names that come later replace these.
    pub fn fields(&self, names: impl IntoIterator<Item = String>) {
        self.with(|entry, _| entry.fields = names.into_iter().take(MAX_FIELDS).collect());
    }

    /// Keeps a row: its fields, which are texts, numbers or lists of texts.
    pub fn row(&self, row: &Map<String, Value>) -> More {
        let text =
            serde_json::to_string(row).ok().and_then(|text| RawValue::from_string(text).ok());
        let Some(text) = text else { return More::Wanted };
        let size = text.get().len() + ROW_BYTES;
        let JobOptions { max_bytes, max_all_bytes, .. } = self.jobs.options;
        let kept = self.with(|entry, all| {
            let is_full = entry.rows.len() >= entry.max_rows
                || entry.bytes.saturating_add(size) > max_bytes
                || all.saturating_add(size) > max_all_bytes;
            if is_full {
                entry.job.is_truncated = true;
                return More::Enough;
            }
            entry.rows.push(text);
            entry.bytes += size;
            *all += size;
            More::Wanted
        });
        kept.unwrap_or(More::Enough)
    }

    /// Tells how far the search is.
    pub fn progress(&self, progress: SearchProgress) {
        self.with(|entry, _| entry.job.progress = progress);
    }

    /// Tells something beside rows. What is too long is cut, and what is too much is dropped.
    pub fn message(&self, mut message: SearchMessage) {
        message.text.truncate(message.text.floor_char_boundary(MAX_MESSAGE_BYTES));
        self.with(|entry, _| {
            if entry.job.messages.len() < MAX_MESSAGES {
                entry.job.messages.push(message);
            }
        });
    }

    /// Returns true if nobody waits for the search any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Waits until nobody waits for the search any more.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut cancelled = self.cancelled.clone();
        async move {
            // Without its sender, the job is gone.
            let _ = cancelled.wait_for(|is_cancelled| *is_cancelled).await;
        }
    }

    /// Changes the job, and the bytes of all jobs; does nothing if the job is gone.
    fn with<T>(&self, change: impl FnOnce(&mut Entry, &mut usize) -> T) -> Option<T> {
        let mut state = self.jobs.state();
        let State { jobs, bytes, .. } = &mut *state;
        jobs.get_mut(&self.id).map(|entry| change(entry, bytes))
    }
}

impl Jobs {
    pub(crate) fn new(
        searches: Arc<dyn Searches>,
        metrics: Arc<Metrics>,
        options: JobOptions,
    ) -> Arc<Self> {
        let (state, turn) = (Mutex::default(), Notify::new());
        Arc::new(Self { searches, metrics, options, state, turn })
    }

    /// Starts a job, on the runtime of the caller.
    ///
    /// # Errors
    /// Fails if there are too many.
    pub(crate) fn start(
        self: &Arc<Self>,
        request: SearchRequest,
        who: String,
        created: Moment,
    ) -> Result<Job, ApiError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| ApiError::internal(&error))?;
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
        let job = Job {
            id: id.clone(),
            search: request.search.clone(),
            earliest: request.earliest.clone(),
            latest: request.latest.clone(),
            started_by: who,
            state: JobState::Queued,
            created,
            took: 0,
            progress: SearchProgress::default(),
            rows: 0,
            is_truncated: false,
            messages: Vec::new(),
        };
        let (cancel, cancelled) = watch::channel(false);
        let now = Instant::now();
        {
            let mut state = self.state();
            state.sweep(now, self.options.keep);
            if state.jobs.len() >= self.options.max_jobs && !state.make_place() {
                let message = "too many searches wait or run; try again later, or cancel one";
                return Err(ApiError::new(Code::TooManySearches, message));
            }
            let entry = Entry {
                job: job.clone(),
                fields: Vec::new(),
                rows: Vec::new(),
                bytes: 0,
                began: None,
                used: now,
                max_rows: request.max_rows.min(self.options.max_rows),
                cancel,
            };
            state.jobs.insert(id.clone(), entry);
            state.queue.push_back(id.clone());
        }
        let request =
            SearchRequest { max_rows: request.max_rows.min(self.options.max_rows), ..request };
        tokio::spawn(self.clone().run(id, request, cancelled));
        Ok(job)
    }

    /// Runs a job when it is its turn, and forgets it when its time is over.
    async fn run(
        self: Arc<Self>,
        id: String,
        request: SearchRequest,
        cancelled: watch::Receiver<bool>,
    ) {
        if !self.wait_for_turn(&id).await {
            return;
        }
        self.metrics.search_started();
        let output = SearchOutput { jobs: self.clone(), id: id.clone(), cancelled };
        let jobs = self.clone();
        let work = async move {
            let work = tokio::task::spawn_blocking(move || {
                let run = || jobs.searches.run(&request, &output);
                catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                    log::error!("a search ended with a panic, which is a bug");
                    Err(SearchFailure { message: "there is a bug in this program".to_owned() })
                })
            });
            work.await.unwrap_or_else(|error| Err(SearchFailure { message: error.to_string() }))
        };
        let mut work = std::pin::pin!(work);
        let outcome = match timeout(self.options.max_time, &mut work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if let Some(entry) = self.state().jobs.get(&id) {
                    entry.cancel.send_replace(true);
                }
                // It has its place until it ends.
                let _ = work.await;
                let most = self.options.max_time.as_secs();
                Err(SearchFailure { message: format!("it took longer than {most} s") })
            }
        };
        self.metrics.search_ended();
        self.end(&id, outcome);
        // Nobody may ask for any job any more.
        loop {
            sleep(self.options.keep).await;
            let mut state = self.state();
            state.sweep(Instant::now(), self.options.keep);
            if !state.jobs.contains_key(&id) {
                return;
            }
        }
    }

    /// Waits until a job may begin; returns false if it is gone before that.
    async fn wait_for_turn(&self, id: &str) -> bool {
        loop {
            let mut told = std::pin::pin!(self.turn.notified());
            told.as_mut().enable();
            {
                let mut state = self.state();
                if !state.jobs.contains_key(id) {
                    return false;
                }
                let is_first = state.queue.front().is_some_and(|first| first == id);
                if is_first && state.running < self.options.max_running {
                    state.queue.pop_front();
                    state.running += 1;
                    if let Some(entry) = state.jobs.get_mut(id) {
                        entry.job.state = JobState::Running;
                        entry.began = Some(Instant::now());
                    }
                    drop(state);
                    // The next one may have a place, too.
                    self.turn.notify_waiters();
                    return true;
                }
            }
            told.await;
        }
    }

    fn end(&self, id: &str, outcome: Result<(), SearchFailure>) {
        let mut state = self.state();
        state.running = state.running.saturating_sub(1);
        if let Some(entry) = state.jobs.get_mut(id) {
            let now = Instant::now();
            entry.used = now;
            entry.job.took = entry.took(now);
            entry.job.state = match outcome {
                Ok(()) => JobState::Done,
                Err(SearchFailure { message }) => {
                    let severity = SearchSeverity::Error;
                    // Why it failed is told, whatever was told before.
                    entry.job.messages.truncate(MAX_MESSAGES - 1);
                    entry.job.messages.push(SearchMessage { severity, code: None, text: message });
                    JobState::Failed
                }
            };
        }
        drop(state);
        self.turn.notify_waiters();
    }

    /// Returns all jobs, the newest first.
    pub(crate) fn list(&self) -> Vec<Job> {
        let now = Instant::now();
        let mut state = self.state();
        state.sweep(now, self.options.keep);
        let mut jobs: Vec<Job> = state.jobs.values().map(|entry| entry.told(now)).collect();
        jobs.sort_by(|one, other| {
            other.created.cmp(&one.created).then_with(|| one.id.cmp(&other.id))
        });
        jobs
    }

    /// Returns a job.
    pub(crate) fn get(&self, id: &str) -> Option<Job> {
        self.used(id, |entry, now| entry.told(now))
    }

    /// Returns rows of a job.
    pub(crate) fn rows(&self, id: &str, offset: usize, count: usize) -> Option<JobRows> {
        self.used(id, |entry, _| JobRows {
            state: entry.job.state,
            fields: entry.fields.clone(),
            offset,
            total: entry.rows.len(),
            rows: entry.rows.iter().skip(offset).take(count).cloned().collect(),
        })
    }

    /// Cancels a job if it is not over, and forgets it. Returns false if there is none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let is_removed = self.state().remove(id);
        // It may have waited.
        self.turn.notify_waiters();
        is_removed
    }

    fn used<T>(&self, id: &str, read: impl FnOnce(&mut Entry, Instant) -> T) -> Option<T> {
        let now = Instant::now();
        let mut state = self.state();
        state.sweep(now, self.options.keep);
        let entry = state.jobs.get_mut(id)?;
        entry.used = now;
        Some(read(entry, now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn took(&self, now: Instant) -> u64 {
        let took = self.began.map(|began| now.saturating_duration_since(began));
        took.map_or(0, |took| took.as_millis() as u64)
    }

    fn told(&self, now: Instant) -> Job {
        let took = if self.job.state.is_over() { self.job.took } else { self.took(now) };
        Job { rows: self.rows.len(), took, ..self.job.clone() }
    }
}

impl State {
    /// Forgets the jobs that ended and were not asked for since.
    fn sweep(&mut self, now: Instant, keep: Duration) {
        let is_old = |entry: &Entry| {
            entry.job.state.is_over() && now.saturating_duration_since(entry.used) >= keep
        };
        let old = self.jobs.extract_if(|_, entry| is_old(entry));
        self.bytes -= old.map(|(_, entry)| entry.bytes).sum::<usize>();
    }

    /// Forgets the job that ended and was not asked for longest. Returns false if none has ended.
    fn make_place(&mut self) -> bool {
        let over = self.jobs.values().filter(|entry| entry.job.state.is_over());
        let oldest = over.min_by_key(|entry| entry.used).map(|entry| entry.job.id.clone());
        oldest.is_some_and(|id| self.remove(&id))
    }

    fn remove(&mut self, id: &str) -> bool {
        self.queue.retain(|waiting| waiting != id);
        let Some(entry) = self.jobs.remove(id) else { return false };
        self.bytes -= entry.bytes;
        entry.cancel.send_replace(true);
        true
    }
}

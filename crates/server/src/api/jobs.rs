//! Jobs: searches that run beside requests, with the rows that they have found so far.
//!
//! Everything is bounded: how many jobs there are and run, the rows and bytes of each and of all, for how long
//! a job runs, and for how long it is kept after that.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use spilltrail_schedule::Moment;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::errors::{ApiError, Code};
use super::job::{
    Job, JobOptions, JobRows, JobState, Row, SearchFailure, SearchMessage, SearchProgress,
    SearchRequest, SearchSeverity, Searches,
};
use crate::metrics::Metrics;

/// The most messages of a job that are kept, apart from why it failed and how many others there were.
const MAX_MESSAGES: usize = 100;

/// The most bytes of a message.
const MAX_MESSAGE_BYTES: usize = 4096;

/// The most fields of the rows of a job that are named.
const MAX_FIELDS: usize = 10_000;

/// The most bytes of the names of these fields.
const MAX_FIELD_BYTES: usize = 1 << 20;

/// The most bytes of the rows of one answer, unless one row alone has more.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// The bytes that a row takes beside its text.
const ROW_BYTES: usize = 32;

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
    /// True if no more jobs are started.
    is_closed: bool,
}

struct Entry {
    job: Job,
    fields: Vec<String>,
    rows: Vec<Row>,
    bytes: usize,
    began: Option<Instant>,
    /// When it ended, or was asked for after that.
    used: Instant,
    max_rows: usize,
    /// The number of messages that are not kept.
    dropped_messages: u64,
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
        let mut left = MAX_FIELD_BYTES;
        let fits = |name: &String| match left.checked_sub(name.len()) {
            Some(less) => {
                left = less;
                true
            }
            None => false,
        };
        let names: Vec<String> = names.into_iter().take(MAX_FIELDS).take_while(fits).collect();
        self.with(|entry, _| entry.fields = names);
    }

    /// Keeps a row: its fields, which are texts, numbers or lists of texts.
    pub fn row(&self, row: &Map<String, Value>) -> More {
        let text = serde_json::to_string(row).ok().and_then(Row::of);
        let Some(text) = text else { return More::Wanted };
        let size = text.bytes() + ROW_BYTES;
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

    /// Tells something beside rows. What is too long is cut, and what is too much is dropped and counted.
    pub fn message(&self, mut message: SearchMessage) {
        message.text.truncate(message.text.floor_char_boundary(MAX_MESSAGE_BYTES));
        self.with(|entry, _| {
            if entry.job.messages.len() < MAX_MESSAGES {
                entry.job.messages.push(message);
            } else {
                entry.dropped_messages += 1;
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
        mut request: SearchRequest,
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
        request.max_rows = request.max_rows.min(self.options.max_rows);
        request.max_time = request.max_time.min(self.options.max_time);
        let (cancel, cancelled) = watch::channel(false);
        let now = Instant::now();
        {
            let mut state = self.state();
            state.sweep(now, self.options.keep);
            if state.is_closed {
                return Err(ApiError::new(Code::Busy, "the server is shutting down"));
            }
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
                max_rows: request.max_rows,
                dropped_messages: 0,
                cancel,
            };
            state.jobs.insert(id.clone(), entry);
            state.queue.push_back(id.clone());
        }
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
        let max_time = request.max_time;
        let output = SearchOutput { jobs: self.clone(), id: id.clone(), cancelled };
        let jobs = self.clone();
        let work = async move {
            let name = output.id.clone();
            let work = tokio::task::spawn_blocking(move || {
                let run = || jobs.searches.run(&request, &output);
                catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                    log::error!("the search {name} ended with a panic, which is a bug");
                    Err(SearchFailure { message: "there is a bug in this program".to_owned() })
                })
            });
            work.await.unwrap_or_else(|error| Err(SearchFailure { message: error.to_string() }))
        };
        let mut work = std::pin::pin!(work);
        let outcome = match timeout(max_time, &mut work).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if let Some(entry) = self.state().jobs.get(&id) {
                    entry.cancel.send_replace(true);
                }
                // It has its place until it ends.
                let _ = work.await;
                let most = max_time.as_secs();
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
            let mut tell = |severity, text| {
                entry.job.messages.push(SearchMessage { severity, code: None, text });
            };
            match entry.dropped_messages {
                0 => {}
                1 => tell(SearchSeverity::Warning, "1 more message is left out".to_owned()),
                more => tell(SearchSeverity::Warning, format!("{more} more messages are left out")),
            }
            entry.job.state = match outcome {
                Ok(()) => JobState::Done,
                Err(SearchFailure { message }) => {
                    tell(SearchSeverity::Error, message);
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

    /// Returns rows of a job: `count`, or fewer if these would be too many bytes or are not there.
    pub(crate) fn rows(&self, id: &str, offset: usize, count: usize) -> Option<JobRows> {
        self.used(id, |entry, _| {
            let mut bytes = 0;
            let fits = |row: &&Row| {
                let is_first = bytes == 0;
                bytes += row.bytes();
                is_first || bytes <= MAX_ANSWER_BYTES
            };
            let rows = entry.rows.iter().skip(offset).take(count).take_while(fits);
            JobRows {
                state: entry.job.state,
                fields: entry.fields.clone(),
                offset,
                total: entry.rows.len(),
                rows: rows.cloned().collect(),
            }
        })
    }

    /// Cancels a job if it is not over, and forgets it. Returns false if there is none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let is_removed = self.state().remove(id);
        // It may have waited.
        self.turn.notify_waiters();
        is_removed
    }

    /// Cancels all jobs, and starts no more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let ids: Vec<String> = state.jobs.keys().cloned().collect();
        for id in ids {
            state.remove(&id);
        }
        drop(state);
        self.turn.notify_waiters();
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

//! Opens the input of a search, then runs the search and returns its rows in batches.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use spilltrail_decode::{FileReport, Profile};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, StopToken, TimeBounds, fields};
use spilltrail_search::analysis::{Analysis, OwnTime, analyze};
use spilltrail_search::context::SearchContext;
use spilltrail_search::events::EventSource;
use spilltrail_search::events::memory::MemoryEvents;
use spilltrail_search::rows::Row;
use spilltrail_search::run::{self, Prepared};
use spilltrail_search::{error, rows};
use spilltrail_source::Logs;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::cancel::{Done, StopWhenDropped, until_cancelled};
use crate::clock::Clock;
use crate::content::Content;
use crate::environment::Environment;
use crate::error::{AppError, blocking};
use crate::left_out;
use crate::logs::{LogEvents, NoEvents};
use crate::memory::{MemoryUse, RunMemory};
use crate::options::{Input, SearchOptions, SearchText};
use crate::unread::{Times, Unread};
use crate::{input_rows, listing, memory};

/// A search whose input is open.
#[derive(Debug)]
pub struct Search {
    pub(crate) analysis: Analysis,
    /// Name of the detection that contains the search, if any.
    detection: Option<String>,
    /// How fields are derived from events.
    profile: Profile,
    until: Option<String>,
    /// The index of all events, if the user named one.
    pub(crate) index: Option<String>,
    pub(crate) context: SearchContext,
    pub(crate) reading: Reading,
    memory: RunMemory,
    /// The fields of all events, once somebody asks for them.
    pub(crate) fields: OnceCell<Vec<Field>>,
    /// Whether the result depends on the time of the run, which the user did not set.
    depends_on_present: bool,
}

/// The input of a search, kept open while the search or its rows are in use.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) logs: Option<Arc<Logs>>,
    cancel: CancellationToken,
    _stop: Arc<StopWhenDropped>,
}

impl Reading {
    /// Runs `work` until it completes, or drops it when the search is canceled.
    pub(crate) async fn until_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, AppError>>,
    ) -> Result<T, AppError> {
        until_cancelled(&self.cancel, work).await.map_err(|error| match error {
            AppError::Cancelled(_) => {
                AppError::Cancelled(Box::new(Done::of_reading(self.logs.as_ref())))
            }
            other => other,
        })
    }
}

/// Opens the input of a search. [`Search::run`] then runs the search.
///
/// # Errors
/// Fails if the detection is unknown, a time is invalid, no input can be read, or the run is
/// canceled.
pub async fn search(content: &Content, options: &SearchOptions) -> Result<Search, AppError> {
    let stop = StopWhenDropped::default();
    let cancel = options.run.cancel.clone();
    let opened = until_cancelled(&cancel, open(content, options, stop.token())).await?;
    let Opened { analysis, detection, context, logs, memory, depends_on_present } = opened;
    let reading = Reading { logs, cancel, _stop: Arc::new(stop) };
    let (until, index) = (options.until.clone(), options.run.read.index.clone());
    let fields = OnceCell::new();
    let profile = options.run.read.profile;
    Ok(Search {
        analysis,
        detection,
        profile,
        until,
        index,
        context,
        reading,
        memory,
        fields,
        depends_on_present,
    })
}

/// The parts of a search after its input was opened.
struct Opened {
    analysis: Analysis,
    detection: Option<String>,
    context: SearchContext,
    logs: Option<Arc<Logs>>,
    memory: RunMemory,
    depends_on_present: bool,
}

async fn open(
    content: &Content,
    options: &SearchOptions,
    stop: StopToken,
) -> Result<Opened, AppError> {
    let (text, detection) = match &options.search {
        SearchText::Spl(text) => (text.clone(), None),
        SearchText::Detection(name) => {
            let detection = content.detection(name)?;
            (detection.search.clone(), Some(detection.name.clone()))
        }
    };
    let analysis = analyze(&text, &content.set.macros);
    let clock = Clock::new(&options.run.time)?;
    clock.check_range()?;
    let is_relative = clock.is_range_relative(&options.run.time)?;
    let depends_on_present = !clock.is_fixed && (is_relative || analysis.facts.asks_for_present());
    let mut logs = None;
    let events: Arc<dyn EventSource> = match &options.input {
        Input::Rows(path) => {
            let path = path.clone();
            Arc::new(MemoryEvents::new(blocking(move || input_rows::read(&path)).await??))
        }
        Input::Logs(names) if names.is_empty() && options.run.read.lake.is_none() => {
            Arc::new(NoEvents)
        }
        Input::Logs(names) => {
            let wanted = listing::wanted(clock.range, std::iter::once(&analysis));
            let listed = listing::list(names, &options.run.read, wanted, None, stop).await?;
            if !analysis.facts.has_own_times() {
                listed.set_range(clock.range);
            }
            logs = Some(listed.clone());
            Arc::new(LogEvents(listed))
        }
    };
    let environment =
        Environment::new(&content.set, events, clock, &options.run, memory::of_search(), 1)?;
    let (context, memory) = (environment.context(), environment.memory().clone());
    Ok(Opened { analysis, detection, context, logs, memory, depends_on_present })
}

impl Search {
    /// Returns the search as the user wrote it; the spans of diagnostics are byte offsets in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.analysis.text
    }

    /// Returns the name of the detection that contains the search; `None` if it was given as SPL.
    #[must_use]
    pub fn detection(&self) -> Option<&str> {
        self.detection.as_deref()
    }

    /// Returns what the search runs in.
    #[must_use]
    pub fn context(&self) -> &SearchContext {
        &self.context
    }

    /// Plans and starts the search. Subsearches run during this call.
    ///
    /// # Errors
    /// Returns all diagnostics if the search cannot be planned or started, or an error if it is
    /// canceled.
    pub async fn run(&self) -> Result<FoundRows, AppError> {
        self.reading.until_cancelled(self.start()).await
    }

    async fn start(&self) -> Result<FoundRows, AppError> {
        let failed = |diagnostics| AppError::Search { diagnostics };
        let prepared = run::plan(&self.analysis, self.until.as_deref(), &self.context)
            .await
            .and_then(|prepared| prepared.shown(&self.context))
            .map_err(failed)?;
        let stream = prepared.stream(&self.context).await;
        match stream {
            Ok(stream) => {
                let (context, reading) = (self.context.clone(), self.reading.clone());
                Ok(FoundRows { prepared, context, stream, reading, given: 0 })
            }
            Err(diagnostic) => Err(failed(vec![prepared.relocate(diagnostic)])),
        }
    }

    /// Returns the time of the newest event of the logs, in seconds since the epoch. `wall` is the
    /// time of the run.
    ///
    /// # Errors
    /// Fails if the search is canceled.
    pub(crate) async fn newest(&self, wall: f64) -> Result<Option<f64>, AppError> {
        let Some(logs) = self.reading.logs.clone() else { return Ok(None) };
        let look = blocking(move || logs.newest_event(wall).time);
        self.reading.until_cancelled(look).await
    }

    /// Returns the logs that are searched; `None` if the input is something else.
    pub(crate) fn logs(&self) -> Option<&Arc<Logs>> {
        self.reading.logs.as_ref()
    }

    /// Returns the memory limit and the peak of the search so far.
    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        self.memory.used()
    }

    /// Returns the events read so far, whether they matched or not; `None` if no logs were named.
    #[must_use]
    pub fn read(&self) -> Option<FileReport> {
        self.reading.logs.as_ref().map(|logs| logs.report().total)
    }

    /// Returns how many files were read so far, and how many there are; `None` if no logs were named.
    #[must_use]
    pub fn files(&self) -> Option<(u64, u64)> {
        let logs = self.reading.logs.as_ref()?;
        Some((logs.report().files, logs.files().len() as u64))
    }

    /// Returns why no file was read by a search for events, if that is so.
    #[must_use]
    pub fn untouched(&self) -> Option<Untouched> {
        let logs = self.reading.logs.as_ref()?;
        let read = logs.report();
        self.analysis.leading.as_ref()?;
        if read.skips.is_empty() {
            return (read.files == 0).then_some(Untouched::Condition);
        }
        // Files beside the logs, such as a README, have no path that rules them out.
        (read.total.events == 0 && !logs.hold_nothing()).then_some(Untouched::Paths)
    }

    /// Returns true if the events are those of a lake.
    #[must_use]
    pub fn reads_lake(&self) -> bool {
        self.reading.logs.as_ref().is_some_and(|logs| logs.indexes().is_some())
    }

    /// Returns the time range of the run.
    #[must_use]
    pub fn range(&self) -> TimeBounds {
        self.context.range
    }

    /// Returns the time range that the search itself sets, as it is written.
    #[must_use]
    pub fn own_range(&self) -> Vec<String> {
        let written = self.analysis.facts.times.iter().filter_map(|time| match time {
            OwnTime::Written { bound, modifier } => Some(format!("{bound}={modifier}")),
            OwnTime::Returned => None,
        });
        written.collect()
    }

    /// Returns the current time if the result depends on it and the user did not set it.
    #[must_use]
    pub fn present(&self) -> Option<f64> {
        self.depends_on_present.then_some(self.context.now)
    }

    /// Returns the number of events that the leading search matched, if it searches for events.
    #[must_use]
    pub fn matched(&self) -> Option<u64> {
        self.context.observations.matched()
    }

    /// Returns true if the run or the search itself limits the times of events.
    fn has_range(&self) -> bool {
        self.context.range != TimeBounds::default() || self.analysis.facts.has_own_times()
    }

    /// Returns the input that could not be read completely so far.
    #[must_use]
    pub fn unread(&self) -> Vec<Unread> {
        let times = Times::new(self.has_range(), self.analysis.demand.names.contains(fields::TIME));
        let Some(logs) = &self.reading.logs else { return Vec::new() };
        let mut unread = Unread::of(logs, times);
        let read = logs.report();
        let lacking = read.total.left_out.members();
        let members = left_out::are_read(lacking, &self.analysis, self.profile);
        unread.extend(left_out::unread(&read, members));
        if self.context.range != TimeBounds::default() && !self.analysis.facts.has_own_times() {
            unread.extend(Unread::out_of_range(logs, true, &self.context.zone));
        }
        unread
    }
}

/// Why a search for events read no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untouched {
    /// Every file is of another time, account or region, by its path.
    Paths,
    /// A condition of the search holds for no row.
    Condition,
}

/// The rows of a running search. Dropping this value stops the search.
pub struct FoundRows {
    prepared: Prepared,
    context: SearchContext,
    stream: SendableRecordBatchStream,
    reading: Reading,
    /// Number of rows returned so far.
    given: u64,
}

impl std::fmt::Debug for FoundRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundRows").field("prepared", &self.prepared).finish_non_exhaustive()
    }
}

impl FoundRows {
    /// Returns the fields of the rows in column order.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.prepared.fields()
    }

    /// Returns the next batch of rows; `None` after the last.
    ///
    /// # Errors
    /// Fails if the search fails or is canceled; no rows follow.
    pub async fn next(&mut self) -> Result<Option<RowBatch>, AppError> {
        let Self { prepared, stream, reading, given, .. } = self;
        let next = async {
            match stream.next().await {
                None => Ok(None),
                Some(Ok(batch)) => Ok(Some(RowBatch(batch))),
                Some(Err(failure)) => {
                    let diagnostic = prepared.relocate(error::from_engine(&failure));
                    Err(AppError::Search { diagnostics: vec![diagnostic] })
                }
            }
        };
        match reading.until_cancelled(next).await {
            Ok(Some(batch)) => {
                *given += batch.0.num_rows() as u64;
                Ok(Some(batch))
            }
            Err(AppError::Cancelled(done)) => {
                Err(AppError::Cancelled(Box::new(Done { rows: *given, ..*done })))
            }
            other => other,
        }
    }

    /// Returns the warnings of the run so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Diagnostic> {
        let messages = self.context.observations.messages().into_iter();
        messages.map(|message| self.prepared.relocate(message)).collect()
    }
}

/// A batch of rows of a search.
#[derive(Debug)]
pub struct RowBatch(RecordBatch);

impl RowBatch {
    /// Returns the number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.num_rows()
    }

    /// Returns the rows in order. Each row contains only the fields that it has, in column order.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        rows::batch_rows(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spilltrail_diagnostic::Class;
    use spilltrail_search::rows::json::object;

    use super::*;
    use crate::options::ContentOptions;

    async fn rows(options: &SearchOptions) -> Result<Vec<serde_json::Value>, AppError> {
        let content = Content::load(&ContentOptions::default())?;
        let search = search(&content, options).await?;
        let mut found = search.run().await?;
        let mut rows = Vec::new();
        while let Some(batch) = found.next().await? {
            rows.extend(batch.rows().map(|row| json!(object(&row))));
        }
        Ok(rows)
    }

    fn spl(text: &str, input: Input) -> SearchOptions {
        SearchOptions { search: SearchText::Spl(text.to_owned()), input, ..Default::default() }
    }

    #[tokio::test]
    async fn rows_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.ndjson");
        std::fs::write(&path, "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 2}\n").unwrap();
        let options = spl("a=2 | stats count by a", Input::Rows(path));
        assert_eq!(rows(&options).await.unwrap(), [json!({"a": "2", "count": 2})]);
    }

    #[tokio::test]
    async fn a_search_that_is_cancelled_gives_no_more_rows() {
        let options = spl("| makeresults count=10000 | eval a=1", Input::default());
        let content = Content::load(&ContentOptions::default()).unwrap();
        let search = search(&content, &options).await.unwrap();
        let mut found = search.run().await.unwrap();
        assert!(found.next().await.unwrap().is_some());
        options.run.cancel.cancel();
        for (error, has_rows) in
            [(found.next().await.unwrap_err(), true), (search.run().await.unwrap_err(), false)]
        {
            assert_eq!(error.class(), Class::Canceled);
            let AppError::Cancelled(done) = error else { panic!("{error}") };
            assert_eq!((done.files, done.rows > 0), (0, has_rows));
        }
    }

    #[tokio::test]
    async fn errors_say_whose_matter_they_are() {
        let logs = || Input::Logs(Vec::new());
        let detection = SearchOptions {
            search: SearchText::Detection("none".to_owned()),
            ..SearchOptions::default()
        };
        for (options, class) in [
            (spl("| makeresults | eval a=(", logs()), Class::User),
            (spl("| makeresults | frobnicate", logs()), Class::Unsupported),
            (detection, Class::User),
            (spl("a=b", Input::Rows("/nowhere".into())), Class::Data),
        ] {
            let error = rows(&options).await.unwrap_err();
            assert_eq!(error.class(), class, "{error}");
        }
    }
}

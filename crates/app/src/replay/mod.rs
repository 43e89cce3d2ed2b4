//! Replays logs as if they happened now: moves their times, and hands the events on in order.

mod hec;
mod text_lines;

use async_trait::async_trait;
use spilltrail_decode::shifted;
use spilltrail_event::{Value, fields};
use spilltrail_search::rows::Row;
use spilltrail_source::Labels;

use crate::cancel::until_cancelled;
use crate::clock::Clock;
use crate::content::Content;
use crate::error::AppError;
use crate::hunt::sink::SinkError;
use crate::options::{ContentOptions, Input, RunOptions, SearchOptions, SearchText};
use crate::search::search;
use crate::unread::{Unread, UnreadKind};
pub use hec::{HecOptions, HecSink};
use text_lines::TextLines;

/// Returns all events, the oldest first.
const ALL: &str = "* | sort 0 _time | fields _time _raw source sourcetype host index";

/// Selects the logs to replay, and what their events are said to be.
#[derive(Debug, Clone, Default)]
pub struct ReplayOptions {
    /// Logs, named as for a hunt.
    pub logs: Vec<String>,
    /// The `source`, `sourcetype`, `host` and `index` of all events, where they are not to be those
    /// that the events have.
    pub labels: Labels,
    /// Whether times stay as they are.
    pub keeps_times: bool,
    /// Time and reading options. The newest event is moved to their `now`.
    pub run: RunOptions,
}

/// An event of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayedEvent {
    /// The text, with its times moved.
    pub text: String,
    /// The time in seconds since the epoch, moved; `None` if the event has none.
    pub time: Option<f64>,
    /// The `source`, `sourcetype`, `host` and `index`.
    pub labels: Labels,
}

/// Receives the events of a replay.
#[async_trait]
pub trait ReplaySink: Send {
    /// Handles one event.
    ///
    /// # Errors
    /// An error stops the replay.
    async fn event(&mut self, event: ReplayedEvent) -> Result<(), SinkError>;

    /// Handles the end of the events.
    ///
    /// # Errors
    /// Fails if an event cannot be handed on.
    async fn finish(&mut self) -> Result<(), SinkError>;
}

/// What a replay did.
#[derive(Debug, Clone, Default)]
pub struct ReplaySummary {
    /// Number of events that were handed on.
    pub events: u64,
    /// Number of these events without a time that can be moved.
    pub timeless: u64,
    /// Seconds by which times were moved; `None` if they stay, or if no event has one.
    pub moved: Option<i64>,
    /// Input that was not read, or only read in part.
    pub unread: Vec<Unread>,
}

/// Replays logs: hands their events to `sink`, the oldest first, with all times moved by the same whole
/// number of seconds, so that the newest event happens now.
///
/// Files of text without JSON are replayed line by line, after the others; in folders, and by patterns,
/// those whose names end in `.log`, `.txt` or `.xml`.
///
/// # Errors
/// Fails if nothing can be read, if the sink returns an error, or if the replay is canceled.
pub async fn replay(
    options: &ReplayOptions,
    sink: &mut dyn ReplaySink,
) -> Result<ReplaySummary, AppError> {
    let content = Content::load(&ContentOptions::default())?;
    let clock = Clock::new(&options.run.time)?;
    let search = search(
        &content,
        &SearchOptions {
            search: SearchText::Spl(ALL.to_owned()),
            until: None,
            input: Input::Logs(options.logs.clone()),
            run: options.run.clone(),
        },
    )
    .await?;
    // Times that stay need not be known.
    let moves = !options.keeps_times;
    // The names are known once the files were read.
    let newest = if moves { search.newest(clock.now).await? } else { None };
    let mut rows = search.run().await?;
    let mut summary = ReplaySummary::default();
    let mut first = rows.next().await?;
    let lines = TextLines::find(search.logs(), moves);
    let lines = until_cancelled(&options.run.cancel, lines).await?;
    let newest = [newest, lines.newest()].into_iter().flatten().reduce(f64::max);
    let moved = newest.map(|newest| (clock.now - newest).floor() as i64);
    let mut replay = Replay { labels: &options.labels, seconds: moved.unwrap_or(0), sink };
    summary.moved = moved;
    while let Some(batch) = first.take() {
        for row in batch.rows() {
            let event = event_of(&row);
            summary.timeless += u64::from(event.time.is_none());
            summary.events += 1;
            replay.hand_on(event).await?;
        }
        first = rows.next().await?;
    }
    let of_lines = until_cancelled(&options.run.cancel, lines.replay(&mut replay)).await?;
    summary.events += of_lines.events;
    summary.timeless += of_lines.timeless;
    replay.finish().await?;
    summary.unread = search.unread();
    lines.correct(&mut summary.unread, of_lines);
    if summary.events > 0 {
        summary.unread.retain(|unread| unread.kind != UnreadKind::NoEvents);
    }
    Ok(summary)
}

/// A replay that is under way.
struct Replay<'a> {
    labels: &'a Labels,
    seconds: i64,
    sink: &'a mut dyn ReplaySink,
}

impl Replay<'_> {
    async fn hand_on(&mut self, event: ReplayedEvent) -> Result<(), AppError> {
        let own = event.labels;
        let given = self.labels.clone();
        let labels = Labels {
            source: given.source.or(own.source),
            sourcetype: given.sourcetype.or(own.sourcetype),
            host: given.host.or(own.host),
            index: given.index.or(own.index),
        };
        let sourcetype = labels.sourcetype.as_deref().unwrap_or_default();
        let event = ReplayedEvent {
            text: shifted(&event.text, sourcetype, self.seconds).into_owned(),
            time: event.time.map(|time| time + self.seconds as f64),
            labels,
        };
        let failed = |source| AppError::Sink { source, done: Box::default() };
        self.sink.event(event).await.map_err(failed)
    }

    async fn finish(self) -> Result<(), AppError> {
        let failed = |source| AppError::Sink { source, done: Box::default() };
        self.sink.finish().await.map_err(failed)
    }
}

fn event_of(row: &Row) -> ReplayedEvent {
    let text = |name: &str| row.get(name).and_then(Value::to_text);
    let label = |name: &str| text(name).map(|text| text.as_ref().into());
    ReplayedEvent {
        text: text(fields::RAW).map(|text| text.into_owned()).unwrap_or_default(),
        time: row.get(fields::TIME).and_then(Value::as_number),
        labels: Labels {
            source: label(fields::SOURCE),
            sourcetype: label(fields::SOURCETYPE),
            host: label(fields::HOST),
            index: label(fields::INDEX),
        },
    }
}

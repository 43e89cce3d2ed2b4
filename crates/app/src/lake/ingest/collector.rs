//! Collects the events of files until there are enough to hand on, and notes how far each file is read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use spilltrail_decode::{FoundEvent, RawRecord, SeenEvents};
use spilltrail_lake::{
    Batch, BatchBuilder, BatchError, Event, EventRow, Mark, Origin, RowsBuilder,
};
use spilltrail_schedule::{Minutes, Moment};
use spilltrail_source::{Collect, Logs};

use super::files::{Coming, Known, Progress, key};

/// The bytes of events that are handed on together as rows. Threads that read do not wait for one another
/// if that is more than a run of small files has.
const BYTES_OF_ROWS: usize = 32 << 20;

/// The bytes of events that are handed on together as batches.
const BYTES_OF_BATCHES: usize = 8 << 20;

/// What an event takes as a row beside its text, about: short ones must not add up to more than long ones.
const BYTES_OF_EVENT: usize = 400;

/// The microseconds of a second.
const MICROS: i64 = 1_000_000;

/// What was read: events in one form, with what is known of their files when they are stored.
#[derive(Debug)]
pub(super) struct Collected<E> {
    pub(super) events: E,
    /// The bytes of the events, about.
    pub(super) bytes: usize,
    pub(super) marks: Vec<Mark>,
    pub(super) counts: Counts,
    /// The files that begin otherwise than what is in the lake: all of them must be read anew.
    pub(super) changed: Vec<Coming>,
    /// The files of which only a part could be read.
    pub(super) partly: Vec<Coming>,
}

/// How many events and files were read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// The events that are to be stored.
    pub(super) events: u64,
    /// The files that ended and had any.
    pub(super) files: u64,
    /// The events that were in the lake before.
    pub(super) before: u64,
    /// The events that are longer than any that can be stored.
    pub(super) too_long: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.files += other.files;
        self.before += other.before;
        self.too_long += other.too_long;
    }
}

/// What all threads that read have in common.
pub(super) struct Reading<'a> {
    pub(super) logs: &'a Logs,
    pub(super) index: &'a str,
    /// The files that are read, by their places among the logs.
    pub(super) coming: HashMap<usize, Coming>,
    /// The events seen so far, if those that come twice are left out. Only one thread may read then.
    pub(super) seen: Option<Mutex<SeenEvents>>,
}

/// Keeps events in the form in which they are stored.
pub(super) trait Shelf: Default + Send {
    /// The events in that form.
    type Events: Send + 'static;

    /// Keeps an event of an index and sourcetype, or fails if it is longer than any that can be stored.
    fn keep(
        &mut self,
        event: &FoundEvent<'_>,
        index: &str,
        sourcetype: Option<&str>,
    ) -> Result<(), BatchError>;

    /// The bytes from which on the events are handed on.
    const ENOUGH: usize;

    fn take(&mut self) -> Self::Events;
}

/// Collects the events that one thread reads.
pub(super) struct Collector<'a, S> {
    reading: &'a Reading<'a>,
    shelf: S,
    /// The file that is being read, and how far.
    file: Option<(Coming, Progress)>,
    bytes: usize,
    marks: Vec<Mark>,
    counts: Counts,
    changed: Vec<Coming>,
    partly: Vec<Coming>,
}

impl<'a, S: Shelf> Collector<'a, S> {
    pub(super) fn new(reading: &'a Reading<'a>, shelf: S) -> Self {
        Self {
            reading,
            shelf,
            file: None,
            bytes: 0,
            marks: Vec::new(),
            counts: Counts::default(),
            changed: Vec::new(),
            partly: Vec::new(),
        }
    }

    /// Notes how much of a file is read.
    fn mark(&mut self, coming: &Coming, progress: &Progress, is_whole: bool) {
        let file = &self.reading.logs.files()[coming.index];
        // What comes out of a pipe cannot be told from what came before.
        if file.is_stream() {
            return;
        }
        let whole = is_whole.then_some(coming.stamp);
        let known = Known { events: progress.events, xxh64: Some(progress.hash()), whole };
        let value = serde_json::to_string(&known).expect("numbers can be written");
        self.marks.push(Mark { key: key(file), value });
    }
}

impl<S: Shelf> Collect for Collector<'_, S> {
    type Piece = Collected<S::Events>;

    fn begin(&mut self, file: usize) {
        let coming = self.reading.coming.get(&file);
        self.file = coming.map(|coming| (*coming, Progress::default()));
    }

    fn see(&mut self, event: &FoundEvent<'_>) {
        let Some((Coming { known, .. }, progress)) = &mut self.file else { return };
        let FoundEvent { text, format, .. } = *event;
        let is_copy = self.reading.seen.as_ref().is_some_and(|seen| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            !seen.insert(&RawRecord { text, offset: 0, format })
        });
        let is_new = progress.see(text, *known);
        if progress.events <= known.events {
            self.counts.before += 1;
        }
        if is_copy || !is_new {
            return;
        }
        let Reading { logs, index, .. } = self.reading;
        match self.shelf.keep(event, index, logs.sourcetype()) {
            Ok(()) => {
                self.bytes += text.len() + BYTES_OF_EVENT;
                progress.added += 1;
                self.counts.events += 1;
            }
            Err(_) => {
                progress.has_too_long = true;
                self.counts.too_long += 1;
            }
        }
    }

    fn end(&mut self, is_whole: bool) {
        let Some((file, mut progress)) = self.file.take() else { return };
        let stored = file.known.events;
        progress.compare(file.known);
        let is_shorter = progress.events < stored;
        if progress.is_changed || (is_shorter && is_whole) {
            let known = Known::default();
            self.changed.push(Coming { known, ..file });
        } else if !is_shorter {
            self.counts.files += u64::from(progress.added > 0);
            self.mark(&file, &progress, is_whole && !progress.has_too_long);
        }
        if !is_whole && !progress.is_changed {
            self.partly.push(file);
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= S::ENOUGH
    }

    fn take(&mut self) -> (Self::Piece, usize) {
        if let Some((file, progress)) = self.file.take() {
            // An ingestion that ends now goes on within the file.
            if progress.added > 0 {
                self.mark(&file, &progress, false);
            }
            self.file = Some((file, progress));
        }
        let bytes = std::mem::take(&mut self.bytes);
        let collected = Collected {
            events: self.shelf.take(),
            bytes,
            marks: std::mem::take(&mut self.marks),
            counts: std::mem::take(&mut self.counts),
            changed: std::mem::take(&mut self.changed),
            partly: std::mem::take(&mut self.partly),
        };
        (collected, bytes)
    }
}

/// Keeps events as rows of the table.
#[derive(Debug, Default)]
pub(super) struct RowShelf {
    rows: RowsBuilder,
    minutes: Minutes,
    /// When the first of the rows was read, in microseconds since the epoch.
    received: Option<i64>,
}

impl Shelf for RowShelf {
    /// The rows, and when the events happened.
    type Events = (RecordBatch, Minutes);

    const ENOUGH: usize = BYTES_OF_ROWS;

    fn keep(
        &mut self,
        event: &FoundEvent<'_>,
        index: &str,
        sourcetype: Option<&str>,
    ) -> Result<(), BatchError> {
        let FoundEvent { text, format, source, leads } = event;
        let now = || jiff::Timestamp::now().as_microsecond();
        self.rows.push(&EventRow {
            index,
            time: leads.time,
            received: *self.received.get_or_insert_with(now),
            source: Some(source),
            sourcetype,
            format: format.name(),
            leads: leads.values.each_ref().map(|value| value.as_deref()),
            raw: (*text).into(),
            ..EventRow::default()
        })?;
        if let Some(time) = leads.time {
            self.minutes.add(Moment(time.div_euclid(MICROS)));
        }
        Ok(())
    }

    fn take(&mut self) -> Self::Events {
        let Self { rows, minutes, .. } = std::mem::take(self);
        (rows.finish(), minutes)
    }
}

/// Keeps events as batches of the log.
#[derive(Debug, Default)]
pub(super) struct BatchShelf {
    builder: Option<BatchBuilder>,
    origin: Origin,
    batches: Vec<Batch>,
}

impl BatchShelf {
    fn end_batch(&mut self) {
        if let Some(builder) = self.builder.take()
            && !builder.is_empty()
        {
            self.batches.push(builder.finish().expect("there is memory for the compressor"));
        }
    }
}

impl Shelf for BatchShelf {
    type Events = Vec<Batch>;

    const ENOUGH: usize = BYTES_OF_BATCHES;

    /// Keeps the event in a batch with others of its origin.
    fn keep(
        &mut self,
        event: &FoundEvent<'_>,
        index: &str,
        sourcetype: Option<&str>,
    ) -> Result<(), BatchError> {
        let FoundEvent { text, format, source, .. } = event;
        let of_batch = self.origin.source.as_deref();
        if self.builder.is_none()
            || of_batch != Some(&***source)
            || self.origin.format != format.name()
        {
            self.end_batch();
            self.origin = Origin {
                index: index.to_owned(),
                sourcetype: sourcetype.map(str::to_owned),
                source: Some(source.to_string()),
                host: None,
                format: format.name().to_owned(),
            };
        }
        let event = Event { raw: text.as_bytes(), time: None, fields: None };
        let builder = self.builder.get_or_insert_with(|| BatchBuilder::new(self.origin.clone()));
        match builder.push(event) {
            Err(BatchError::Full) => {
                self.end_batch();
                self.builder.insert(BatchBuilder::new(self.origin.clone())).push(event)
            }
            pushed => pushed,
        }
    }

    fn take(&mut self) -> Vec<Batch> {
        self.end_batch();
        std::mem::take(&mut self.batches)
    }
}

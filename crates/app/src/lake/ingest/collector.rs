//! Collects the events of files until there are enough to store, and notes how far each file is stored.

use std::ops::ControlFlow;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringViewArray};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spilltrail_decode::{Format, RawRecord, SeenEvents};
use spilltrail_lake::{Batch, BatchBuilder, BatchError, Commit, Event, Mark, Origin};
use spilltrail_source::{LogFile, Logs, Piece};
use tokio::sync::mpsc;

/// The bytes of events that are stored together.
const BYTES_TOGETHER: usize = 8 << 20;

/// What is known of a file of which events are in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// The number of its events that are in the lake, from its beginning.
    events: u64,
    /// A hash of these events.
    hash: u64,
    /// What it was when all of them were. `None` if the ingestion was ended before, or if not all of the
    /// file could be read.
    whole: Option<Stamp>,
}

/// By what a file is told from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The size in bytes.
    pub(crate) size: u64,
    /// When it was written last, in microseconds since the epoch, if that is known.
    pub(crate) modified: Option<i64>,
}

impl Stamp {
    pub(super) fn of(file: &LogFile) -> Self {
        Self { size: file.size, modified: file.modified() }
    }
}

impl Known {
    /// Returns true if all of a file is in the lake, and it has not changed since.
    pub(super) fn is_whole(&self, stamp: Stamp) -> bool {
        self.whole == Some(stamp)
    }
}

/// Returns the key of the mark of a file: its whole path, so that the same name in another folder is
/// another file.
pub(super) fn key(file: &LogFile) -> String {
    let path = file.path().and_then(|path| std::path::absolute(path).ok());
    match path.as_deref().map(|path| (path.to_str(), path.as_os_str().as_encoded_bytes())) {
        Some((Some(text), _)) => format!("file {text}"),
        Some((None, bytes)) => {
            let escaped = percent_encoding::percent_encode(bytes, percent_encoding::CONTROLS);
            format!("file%{escaped}")
        }
        None => format!("object {}", file.name),
    }
}

/// A file that is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming {
    /// The place among the logs.
    pub(super) index: usize,
    pub(super) known: Known,
    /// What it was before it was read.
    pub(super) stamp: Stamp,
}

/// Events that are stored together, with what is known of their files then.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) commit: Commit,
    pub(super) counts: Counts,
}

/// What was read since the last load.
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

/// Collects the events of files, and sends them when there are enough.
pub(super) struct Collector<'a> {
    logs: &'a Logs,
    index: &'a str,
    sender: &'a mpsc::Sender<Load>,
    /// The events seen so far, if those that come twice are left out.
    seen: Option<SeenEvents>,
    /// The files that are to come, the last one first.
    coming: Vec<Coming>,
    file: Progress,
    /// The files that begin otherwise than what is in the lake: all of them must be read anew.
    pub(super) changed: Vec<Coming>,
    /// The files of which only a part could be read.
    pub(super) partly: Vec<Coming>,
    builder: Option<BatchBuilder>,
    origin: Origin,
    batches: Vec<Batch>,
    bytes: usize,
    marks: Vec<Mark>,
    counts: Counts,
}

/// How far the current file is read.
#[derive(Debug, Default)]
struct Progress {
    /// The number of its events so far.
    events: u64,
    /// The hash of these events.
    hasher: Sha256,
    /// The number of them that are to be stored.
    added: u64,
    /// Whether one of them cannot be stored.
    has_too_long: bool,
    /// Whether its first events are not those that are in the lake.
    is_changed: bool,
}

impl Progress {
    fn see(&mut self, text: &str) {
        self.events += 1;
        self.hasher.update((text.len() as u64).to_le_bytes());
        self.hasher.update(text);
    }

    /// Compares its events so far with those that are in the lake.
    fn compare(&mut self, known: Known) {
        self.is_changed |= known.events > 0 && self.hash() != known.hash;
    }

    fn hash(&self) -> u64 {
        let digest = self.hasher.clone().finalize();
        digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        logs: &'a Logs,
        index: &'a str,
        sender: &'a mpsc::Sender<Load>,
        drops_copies: bool,
    ) -> Self {
        Self {
            logs,
            index,
            sender,
            seen: drops_copies.then(SeenEvents::default),
            coming: Vec::new(),
            file: Progress::default(),
            changed: Vec::new(),
            partly: Vec::new(),
            builder: None,
            origin: Origin::default(),
            batches: Vec::new(),
            bytes: 0,
            marks: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Expects the events of these files, in this order.
    pub(super) fn expect(&mut self, mut files: Vec<Coming>) {
        files.reverse();
        self.coming = files;
    }

    pub(super) fn take(&mut self, piece: &Piece) -> ControlFlow<()> {
        match piece {
            Piece::Events(found) => self.add(found),
            Piece::End { is_whole, .. } => self.end(*is_whole),
        }
    }

    fn add(&mut self, found: &RecordBatch) -> ControlFlow<()> {
        let columns: Vec<Option<&StringViewArray>> =
            found.columns().iter().map(|column| column.as_string_view_opt()).collect();
        let cell = |column: usize, row: usize| {
            let texts = columns[column].filter(|texts| texts.is_valid(row));
            texts.map_or("", |texts| texts.value(row))
        };
        let Some(Coming { known, .. }) = self.coming.last().copied() else {
            return ControlFlow::Continue(());
        };
        for row in 0..found.num_rows() {
            let (text, format, source) = (cell(0, row), cell(1, row), cell(2, row));
            if self.file.events == known.events {
                self.file.compare(known);
            }
            let is_copy = match (&mut self.seen, Format::named(format)) {
                (Some(seen), Some(format)) => !seen.insert(&RawRecord { text, offset: 0, format }),
                _ => false,
            };
            self.file.see(text);
            if self.file.events <= known.events {
                self.counts.before += 1;
                continue;
            }
            if is_copy || self.file.is_changed {
                continue;
            }
            self.push(text, format, source);
            if self.bytes >= BYTES_TOGETHER {
                self.mark(false);
                self.send()?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Ends the current file, of which all was read if `is_whole` says so.
    fn end(&mut self, is_whole: bool) -> ControlFlow<()> {
        let Some(file) = self.coming.last().copied() else { return ControlFlow::Continue(()) };
        let stored = file.known.events;
        if self.file.events == stored {
            self.file.compare(file.known);
        }
        let is_shorter = self.file.events < stored;
        if self.file.is_changed || (is_shorter && is_whole) {
            let known = Known::default();
            self.changed.push(Coming { known, ..file });
        } else if !is_shorter {
            self.counts.files += u64::from(self.file.added > 0);
            self.mark(is_whole && !self.file.has_too_long);
        }
        if !is_whole && !self.file.is_changed {
            self.partly.push(file);
        }
        self.coming.pop();
        self.file = Progress::default();
        if self.bytes >= BYTES_TOGETHER { self.send() } else { ControlFlow::Continue(()) }
    }

    /// Notes how much of the current file is stored.
    fn mark(&mut self, is_whole: bool) {
        let Some(Coming { index, stamp, .. }) = self.coming.last() else { return };
        let file = &self.logs.files()[*index];
        // What comes out of a pipe cannot be told from what came before.
        if file.is_stream() {
            return;
        }
        let whole = is_whole.then_some(*stamp);
        let known = Known { events: self.file.events, hash: self.file.hash(), whole };
        let value = serde_json::to_string(&known).expect("numbers can be written");
        self.marks.push(Mark { key: key(file), value });
    }

    /// Adds an event to the batch of its origin.
    fn push(&mut self, text: &str, format: &str, source: &str) {
        let of_batch = self.origin.source.as_deref();
        if self.builder.is_none() || of_batch != Some(source) || self.origin.format != format {
            self.end_batch();
            self.origin = Origin {
                index: self.index.to_owned(),
                sourcetype: self.logs.sourcetype().map(str::to_owned),
                source: Some(source.to_owned()),
                host: None,
                format: format.to_owned(),
            };
        }
        let event = Event { raw: text.as_bytes(), time: None, fields: None };
        let builder = self.builder.get_or_insert_with(|| BatchBuilder::new(self.origin.clone()));
        let mut pushed = builder.push(event);
        if pushed == Err(BatchError::Full) {
            self.end_batch();
            pushed = self.builder.insert(BatchBuilder::new(self.origin.clone())).push(event);
        }
        match pushed {
            Ok(()) => {
                self.bytes += text.len();
                self.file.added += 1;
                self.counts.events += 1;
            }
            Err(_) => {
                self.file.has_too_long = true;
                self.counts.too_long += 1;
            }
        }
    }

    fn end_batch(&mut self) {
        if let Some(builder) = self.builder.take()
            && !builder.is_empty()
        {
            self.batches.push(builder.finish().expect("there is memory for the compressor"));
        }
    }

    /// Sends what is collected.
    pub(super) fn send(&mut self) -> ControlFlow<()> {
        self.end_batch();
        self.bytes = 0;
        let commit = Commit {
            batches: std::mem::take(&mut self.batches),
            marks: std::mem::take(&mut self.marks),
            received: jiff::Timestamp::now().as_microsecond(),
        };
        let load = Load { commit, counts: std::mem::take(&mut self.counts) };
        match self.sender.blocking_send(load) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

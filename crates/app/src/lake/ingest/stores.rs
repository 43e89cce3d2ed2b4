//! Where the events of files are stored: in the table, or in the log of arriving events.

use std::collections::VecDeque;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spilltrail_lake::{
    Appended, Commit, EventTable, LakeError, LakeFolder, Mark, Wal, WalError, WalOptions,
    WalReader, add_rows, move_batches,
};
use spilltrail_schedule::Minutes;
use tokio::sync::mpsc;

use super::Ingested;
use super::collector::{BatchShelf, Collected, Counts, RowShelf, Shelf};
use crate::error::AppError;
use crate::lake::arrived::MovedRows;

/// The bytes of events that come into the table together: its files are large then.
const BYTES_OF_TABLE: usize = 120 << 20;
/// The bytes of events that are stored in the log together.
const BYTES_OF_LOG: usize = 8 << 20;
/// The bytes of events in the log from which on somebody must move them first.
const MOST_IN_LOG: u64 = 256 << 20;
/// How long is waited until the log is looked at again that somebody else empties.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// The most commits that are on their way to the disk.
const COMMITS_AHEAD: usize = 2;

/// Events that are stored together, with what is known of their files then.
pub(super) struct Load<S: Store> {
    events: Vec<<S::Shelf as Shelf>::Events>,
    pub(super) bytes: usize,
    marks: Vec<Mark>,
    counts: Counts,
}

impl<S: Store> Default for Load<S> {
    fn default() -> Self {
        Self { events: Vec::new(), bytes: 0, marks: Vec::new(), counts: Counts::default() }
    }
}

impl<S: Store> Load<S> {
    pub(super) fn add(&mut self, mut piece: Collected<<S::Shelf as Shelf>::Events>) {
        self.events.push(piece.events);
        self.bytes += piece.bytes;
        self.marks.append(&mut piece.marks);
        self.counts += piece.counts;
    }

    /// Sends what is there, and begins anew.
    pub(super) fn send(&mut self, sender: &mpsc::Sender<Self>) -> ControlFlow<()> {
        match sender.blocking_send(std::mem::take(self)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// Stores events with the marks of their files, all of them or none.
pub(super) trait Store: Send + Sized + 'static {
    /// Keeps events until there are enough.
    type Shelf: Shelf;

    /// The bytes of events that are stored together.
    const ENOUGH: usize;

    /// Returns the log, which has the marks.
    fn log(&self) -> &Path;

    /// Stores events. What is stored when it returns is counted in `done`.
    fn add(
        &mut self,
        load: Load<Self>,
        done: &mut Ingested,
    ) -> impl Future<Output = Result<(), AppError>> + Send;

    /// Waits until all events are stored.
    fn finish(&mut self, done: &mut Ingested) -> impl Future<Output = Result<(), AppError>> + Send;
}

fn count(done: &mut Ingested, counts: Counts) {
    done.events += counts.events;
    done.files += counts.files;
    done.before += counts.before;
    done.too_long += counts.too_long;
}

/// The table of a lake that nobody else writes to.
pub(super) struct TableStore {
    folder: PathBuf,
    index: String,
    wal: Wal,
    table: EventTable,
}

impl TableStore {
    /// Opens a lake, which is created if it is not there, and moves what is in its log to the table.
    pub(super) async fn open(
        folder: &Path,
        index: &str,
        done: &mut Ingested,
    ) -> Result<Self, AppError> {
        std::fs::create_dir_all(folder).map_err(|error| AppError::Lake {
            path: folder.to_owned(),
            reason: if folder.is_file() {
                "it is a file, and a lake is a folder".to_owned()
            } else {
                error.to_string()
            },
        })?;
        let open = async {
            let lake = LakeFolder::new(folder);
            let wal = Wal::open(&lake.log(), WalOptions::default())?;
            let mut table = EventTable::open(&lake.table()).await?;
            let mut rows = MovedRows::default();
            let most = BYTES_OF_TABLE as u64;
            let moved = move_batches(&wal, &mut table, most, &mut rows).await?;
            Ok::<_, LakeError>((wal, table, moved.damaged.len()))
        };
        let (wal, table, damaged) = open.await.map_err(|error| failed(folder, &error))?;
        done.damaged += damaged as u64;
        Ok(Self { folder: folder.to_owned(), index: index.to_owned(), wal, table })
    }
}

impl Store for TableStore {
    type Shelf = RowShelf;

    const ENOUGH: usize = BYTES_OF_TABLE;

    fn log(&self) -> &Path {
        self.wal.path()
    }

    async fn add(&mut self, load: Load<Self>, done: &mut Ingested) -> Result<(), AppError> {
        let Load { events, marks, counts, .. } = load;
        let (mut rows, mut minutes) = (Vec::with_capacity(events.len()), Minutes::default());
        for (of_piece, times) in events {
            rows.push(of_piece);
            minutes.append(times);
        }
        let spans = minutes.into_spans().into_iter().map(|span| (span.from.0, span.to.0));
        let spans: Vec<_> = spans.collect();
        let is_timed = !spans.is_empty();
        let arrivals = is_timed.then(|| (self.index.clone(), spans)).into_iter().collect();
        let added = add_rows(&self.wal, &mut self.table, rows, marks, arrivals).await;
        added.map_err(|error| failed(&self.folder, &error))?;
        count(done, counts);
        Ok(())
    }

    async fn finish(&mut self, _: &mut Ingested) -> Result<(), AppError> {
        Ok(())
    }
}

/// The log of a lake whose events somebody else moves to the table.
pub(super) struct LogStore {
    folder: PathBuf,
    wal: Arc<Wal>,
    reader: WalReader,
    /// Commits that are not on the disk yet.
    waiting: VecDeque<(Appended, Counts)>,
    /// The bytes that were stored since there was room.
    stored: u64,
}

impl LogStore {
    pub(super) fn open(folder: &Path, wal: Arc<Wal>) -> Result<Self, AppError> {
        let reader = WalReader::open(wal.path()).map_err(|error| failed(folder, &error.into()))?;
        Ok(Self { folder: folder.to_owned(), wal, reader, waiting: VecDeque::new(), stored: 0 })
    }

    fn failed(&self, error: impl Into<LakeError>) -> AppError {
        failed(&self.folder, &error.into())
    }

    /// Hands a commit to the log, as soon as what others have sent leaves room.
    async fn append(&mut self, commit: Commit) -> Result<Appended, AppError> {
        loop {
            match self.wal.append(commit.clone()) {
                Err(WalError::Busy) => tokio::time::sleep(LOOK_AGAIN).await,
                outcome => return outcome.map_err(|error| self.failed(error)),
            }
        }
    }

    /// Waits until the oldest commit is on the disk.
    async fn answer(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        let Some((answer, counts)) = self.waiting.pop_front() else { return Ok(()) };
        answer.await.unwrap_or(Err(WalError::Closed)).map_err(|error| self.failed(error))?;
        count(done, counts);
        Ok(())
    }

    /// Waits until the log has room.
    async fn until_moved(&mut self) -> Result<(), AppError> {
        loop {
            let size = self.reader.size().map_err(|error| self.failed(error))?;
            if size.bytes < MOST_IN_LOG {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Store for LogStore {
    type Shelf = BatchShelf;

    const ENOUGH: usize = BYTES_OF_LOG;

    fn log(&self) -> &Path {
        self.wal.path()
    }

    async fn add(&mut self, load: Load<Self>, done: &mut Ingested) -> Result<(), AppError> {
        let Load { events, marks, counts, .. } = load;
        let batches: Vec<_> = events.into_iter().flatten().collect();
        let received = jiff::Timestamp::now().as_microsecond();
        self.stored += batches.iter().map(|batch| batch.bytes).sum::<u64>();
        while self.waiting.len() >= COMMITS_AHEAD {
            self.answer(done).await?;
        }
        let answer = self.append(Commit { batches, marks, received }).await?;
        self.waiting.push_back((answer, counts));
        if self.stored >= MOST_IN_LOG {
            self.finish(done).await?;
            self.stored = 0;
            self.until_moved().await?;
        }
        Ok(())
    }

    async fn finish(&mut self, done: &mut Ingested) -> Result<(), AppError> {
        while !self.waiting.is_empty() {
            self.answer(done).await?;
        }
        Ok(())
    }
}

pub(super) fn failed(folder: &Path, error: &LakeError) -> AppError {
    AppError::Lake { path: folder.to_owned(), reason: error.to_string() }
}

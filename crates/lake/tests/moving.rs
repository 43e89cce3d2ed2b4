//! Batches move from the log of arriving events to the table, and a view has the events of both.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use spilltrail_lake::{
    Arrival, Batch, BatchBuilder, BatchError, Commit, Event, EventRow, EventTable, Moved, Origin,
    Rows, RowsBuilder, StoredBatch, View, Wal, WalOptions, WalReader, move_batches,
};

struct Lake {
    folder: tempfile::TempDir,
    wal: Wal,
    table: EventTable,
}

impl Lake {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wal = Wal::open(&folder.path().join("wal.sqlite"), WalOptions::default()).unwrap();
        let table = EventTable::open(&folder.path().join("events")).await.unwrap();
        Self { folder, wal, table }
    }

    fn paths(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("wal.sqlite"), self.folder.path().join("events"))
    }

    async fn store(&self, events: &[&str]) {
        let commit = Commit { batches: vec![batch(events)], ..Commit::default() };
        self.wal.append(commit).unwrap().await.unwrap().unwrap();
    }

    async fn moved(&mut self) -> Moved {
        move_batches(&self.wal, &mut self.table, 1, &mut rows_of).await.unwrap()
    }

    async fn view(&self) -> View {
        let (log, table) = self.paths();
        View::open(&log, &table).await.unwrap()
    }
}

fn batch(events: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new(Origin { index: "i".into(), ..Origin::default() });
    for event in events {
        builder.push(Event { raw: event.as_bytes(), time: None, fields: None }).unwrap();
    }
    builder.finish().unwrap()
}

fn rows_of(stored: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
    let index = stored.batch.origin.index.as_str();
    let mut pushed = Ok(());
    stored.batch.events()?.each(|event| {
        let row = EventRow { index, raw: event.raw.into(), ..EventRow::default() };
        pushed = pushed.clone().and(rows.push(&row));
    })?;
    pushed
}

/// Tells of each batch that its events happened in the second of its number.
struct Telling(Vec<Arrival>);

impl Rows for Telling {
    fn add(&mut self, batch: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
        let second = i64::try_from(batch.number).unwrap();
        let spans = vec![(second, second + 1)];
        self.0.push(Arrival { number: batch.number, index: "i".into(), spans });
        rows_of(batch, rows)
    }

    fn arrivals(&mut self) -> Vec<Arrival> {
        std::mem::take(&mut self.0)
    }
}

#[tokio::test]
async fn what_came_into_the_table_is_told_until_it_is_forgotten() {
    let mut lake = Lake::new().await;
    for text in ["a", "b", "c"] {
        lake.store(&[text]).await;
    }
    let told = |lake: &Lake, after: u64| -> Vec<u64> {
        let reader = WalReader::open(lake.wal.path()).unwrap();
        reader.arrivals_after(after).unwrap().iter().map(|arrival| arrival.number).collect()
    };
    assert_eq!(told(&lake, 0), [0; 0]);
    move_batches(&lake.wal, &mut lake.table, 1, &mut Telling(Vec::new())).await.unwrap();
    assert_eq!((told(&lake, 0), told(&lake, 2)), (vec![1, 2, 3], vec![3]));
    let arrivals = WalReader::open(lake.wal.path()).unwrap().arrivals_after(2).unwrap();
    assert_eq!(arrivals, [Arrival { number: 3, index: "i".into(), spans: vec![(3, 4)] }]);
    lake.wal.forget(2).unwrap().await.unwrap().unwrap();
    assert_eq!(told(&lake, 0), [3]);
}

/// Returns the texts of the files and those of the batches, each sorted.
fn texts(view: &View) -> (Vec<String>, Vec<String>) {
    let (mut files, mut batches) = (Vec::new(), Vec::new());
    for file in view.files() {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let column = batch.column_by_name("_raw").unwrap().as_string::<i32>();
            files.extend(column.iter().map(|text| text.unwrap().to_owned()));
        }
    }
    for stored in view.batches_after(0, u64::MAX).unwrap() {
        let text = |event: Event<'_>| String::from_utf8(event.raw.to_vec()).unwrap();
        stored.batch.events().unwrap().each(|event| batches.push(text(event))).unwrap();
    }
    files.sort_unstable();
    batches.sort_unstable();
    (files, batches)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn batches_move_and_are_seen_once() {
    let mut lake = Lake::new().await;
    assert_eq!(lake.moved().await, Moved::default());
    lake.store(&["1", "2"]).await;
    lake.store(&["3"]).await;
    let before = lake.view().await;
    let expected = Moved { batches: 2, events: 3, last: 2, damaged: Vec::new() };
    assert_eq!(lake.moved().await, expected);
    lake.store(&["4"]).await;
    let after = lake.view().await;
    assert_eq!(texts(&after), (owned(&["1", "2", "3"]), owned(&["4"])));
    // The view of before is as it was.
    assert_eq!(texts(&before), (Vec::new(), owned(&["1", "2", "3"])));
    assert_eq!(lake.moved().await.batches, 1);
    assert_eq!(lake.moved().await, Moved { last: 3, ..Moved::default() });
    assert_eq!(WalReader::open(lake.wal.path()).unwrap().size().unwrap().batches, 0);
    assert_eq!(texts(&lake.view().await), (owned(&["1", "2", "3", "4"]), Vec::new()));
}

/// A process that was killed between the commit and the removal leaves batches in both.
#[tokio::test]
async fn what_is_in_both_is_seen_once_and_removed() {
    let mut lake = Lake::new().await;
    lake.store(&["1"]).await;
    lake.store(&["2"]).await;
    let reader = WalReader::open(lake.wal.path()).unwrap();
    let mut rows = RowsBuilder::new();
    rows_of(&reader.after(0, 0).unwrap()[0], &mut rows).unwrap();
    lake.table.append(&[rows.finish()], 1).await.unwrap();
    assert_eq!(texts(&lake.view().await), (owned(&["1"]), owned(&["2"])));
    let expected = Moved { batches: 1, events: 1, last: 2, damaged: Vec::new() };
    assert_eq!(lake.moved().await, expected);
    assert_eq!(reader.size().unwrap().batches, 0);
    assert_eq!(texts(&lake.view().await), (owned(&["1", "2"]), Vec::new()));
}

/// A removal that the last move did not come to is done even if there is nothing more to move.
#[tokio::test]
async fn what_is_in_the_table_is_removed_from_the_log() {
    let mut lake = Lake::new().await;
    lake.store(&["1"]).await;
    lake.table.append(&[], 1).await.unwrap();
    assert_eq!(lake.moved().await, Moved { last: 1, ..Moved::default() });
    assert_eq!(WalReader::open(lake.wal.path()).unwrap().size().unwrap().batches, 0);
}

/// A batch whose bytes changed on the disk is told by its number, and the others are moved.
#[tokio::test]
async fn damaged_batches_are_set_aside() {
    let mut lake = Lake::new().await;
    for event in ["1", "2", "3", "4"] {
        lake.store(&[event]).await;
    }
    damage(lake.wal.path(), "UPDATE batches SET body = x'28b52ffd00' WHERE number = 2");
    damage(lake.wal.path(), "UPDATE batches SET events = 7 WHERE number = 4");
    let moved = lake.moved().await;
    assert_eq!((moved.batches, moved.last), (2, 4));
    let expected = [
        (2, BatchError::Damaged("it cannot be decompressed")),
        (4, BatchError::Damaged("an event is cut off")),
    ];
    assert_eq!(moved.damaged, expected);
    let size = WalReader::open(lake.wal.path()).unwrap().size().unwrap();
    assert_eq!((size.batches, size.set_aside), (0, 2));
    assert_eq!(texts(&lake.view().await), (owned(&["1", "3"]), Vec::new()));
}

fn damage(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

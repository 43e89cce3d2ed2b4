//! A process that is killed at any moment loses nothing that it acknowledged, and keeps nothing twice:
//! neither in the log of arriving events, nor on the way to the table.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use spilltrail_lake::{
    BatchBuilder, BatchError, Commit, Event, EventRow, EventTable, Mark, Origin, RowsBuilder,
    StoredBatch, View, Wal, WalOptions, WalReader, move_batches,
};

/// Tells the process of a test that it is the one to be killed, and where its files are.
const VARIABLE: &str = "SPILLTRAIL_TEST_LAKE";

/// The key of the mark that is stored with each batch.
const KEY: &str = "last";

/// Appends numbered events for ever, prints the number of each that is stored, and moves them to the
/// table now and then.
fn append_for_ever(folder: &Path) {
    let wal = Wal::open(&folder.join("wal.sqlite"), WalOptions::default()).unwrap();
    let last = WalReader::open(wal.path()).unwrap().mark(KEY).unwrap();
    let mut next: u64 = last.map_or(0, |last| last.parse::<u64>().unwrap() + 1);
    let mut waiting = std::collections::VecDeque::new();
    std::thread::scope(|scope| {
        scope.spawn(|| move_for_ever(&wal, folder));
        loop {
            let mut builder = BatchBuilder::new(Origin { index: "i".into(), ..Origin::default() });
            let text = next.to_string();
            builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
            let batches = vec![builder.finish().unwrap()];
            let marks = vec![Mark { key: KEY.into(), value: text }];
            waiting.push_back((next, wal.append(Commit { batches, marks, received: 0 }).unwrap()));
            next += 1;
            // Some commits are always under way.
            if waiting.len() > 8 {
                let (number, answer) = waiting.pop_front().unwrap();
                answer.blocking_recv().unwrap().unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "stored {number}").unwrap();
                out.flush().unwrap();
            }
        }
    });
}

fn move_for_ever(wal: &Wal, folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut table = EventTable::open(&folder.join("events")).await.unwrap();
        loop {
            move_batches(wal, &mut table, 1 << 20, rows_of).await.unwrap();
        }
    });
}

fn rows_of(stored: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
    let index = stored.batch.origin.index.as_str();
    let mut full = Ok(());
    stored.batch.events()?.each(|event| {
        let row =
            EventRow { index, raw: event.raw, received: stored.received, ..EventRow::default() };
        full = full.clone().and(rows.push(&row));
    })?;
    full
}

/// Returns the numbers of all events, sorted.
async fn kept(folder: &Path) -> Vec<u64> {
    let view = View::open(&folder.join("wal.sqlite"), &folder.join("events")).await.unwrap();
    let mut numbers: Vec<u64> = Vec::new();
    let mut add = |text: &str| numbers.push(text.parse().unwrap());
    for file in view.files() {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&file.path).unwrap());
        for batch in reader.unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let texts = batch.column_by_name("_raw").unwrap().as_string::<i32>();
            texts.iter().for_each(|text| add(text.unwrap()));
        }
    }
    for stored in view.batches_after(0, u64::MAX).unwrap() {
        let events = stored.batch.events().unwrap();
        events.each(|event| add(std::str::from_utf8(event.raw).unwrap())).unwrap();
    }
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn killed_at_any_moment() {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return tokio::task::spawn_blocking(move || append_for_ever(Path::new(&folder)))
            .await
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("wal.sqlite");
    let mut random = fastrand::Rng::with_seed(42);
    let mut acknowledged = None;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed_at_any_moment", "--exact", "--nocapture"])
            .env(VARIABLE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut left, wait) = (random.u32(0..400), random.u64(0..3000));
        for line in lines {
            let line = line.unwrap();
            if let Some(number) = line.split("stored ").nth(1) {
                acknowledged = Some(number.trim().parse::<u64>().unwrap());
                left = left.saturating_sub(1);
            }
            if left == 0 {
                std::thread::sleep(Duration::from_micros(wait));
                // It may be killed already.
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let numbers = kept(folder.path()).await;
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "round {round}: every event once");
        let last = numbers.last().copied();
        assert!(acknowledged <= last, "round {round}: {acknowledged:?} is lost, {last:?} is there");
        // A mark is there with its batch, or neither is.
        let mark = WalReader::open(&log).unwrap().mark(KEY).unwrap();
        assert_eq!(mark, last.map(|last| last.to_string()), "round {round}");
    }
    assert!(acknowledged.is_some_and(|number| number > 100), "{acknowledged:?}");
    let table = EventTable::open(&folder.path().join("events")).await.unwrap();
    assert!(table.last_number().await.unwrap() > 0, "nothing was moved");
}

//! A process that is killed at any moment loses nothing that it acknowledged, and keeps nothing twice:
//! neither in the log of arriving events, nor on the way to the table, nor when files are rewritten.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::time::{Duration, SystemTime};

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use spilltrail_lake::{
    BatchBuilder, BatchError, Commit, Compaction, Event, EventRow, EventTable, Mark, Origin,
    RowsBuilder, StoredBatch, View, Wal, WalOptions, WalReader, add_rows, move_batches, settle,
};

/// Tells the process of a test that it is the one to be killed, and where its files are.
const VARIABLE: &str = "SPILLTRAIL_TEST_LAKE";

/// The key of the mark that is stored with each batch.
const KEY: &str = "last";

/// After so many events, a move begins, or the one before must have ended: so there is never much to move,
/// however much faster events are stored than moved.
const EVENTS_OF_MOVE: u64 = 20;

/// How long a process may print nothing before the test fails instead of waiting on.
const PATIENCE: Duration = Duration::from_mins(2);

/// Appends numbered events for ever, and prints the number of each that is stored. What is stored is moved
/// to the table at the same time.
fn append_for_ever(folder: &Path) {
    // The process must end if one of its threads does, or the test would wait for the other one.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        told(panic);
        std::process::abort();
    }));
    let wal = Wal::open(&folder.join("wal.sqlite"), WalOptions::default()).unwrap();
    let last = WalReader::open(wal.path()).unwrap().mark(KEY).unwrap();
    let mut next: u64 = last.map_or(0, |last| last.parse::<u64>().unwrap() + 1);
    let mut waiting = VecDeque::new();
    let (stored, to_move) = sync_channel(1);
    std::thread::scope(|scope| {
        let wal = &wal;
        scope.spawn(move || move_for_ever(wal, folder, &to_move));
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
                say("stored", number);
                if number % EVENTS_OF_MOVE == 0 {
                    stored.send(()).unwrap();
                }
            }
        }
    });
}

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what} {number}").unwrap();
    out.flush().unwrap();
}

fn move_for_ever(wal: &Wal, folder: &Path, to_move: &Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut table = runtime.block_on(EventTable::open(&folder.join("events"))).unwrap();
    while to_move.recv().is_ok() {
        let moved = runtime.block_on(move_batches(wal, &mut table, 1 << 20, &mut rows_of)).unwrap();
        say("moved", moved.last);
        let how = Compaction { least_files: 4, ..Compaction::default() };
        if let Some(compacted) = runtime.block_on(table.compact(&how)).unwrap() {
            say("compacted", compacted.rows);
            runtime.block_on(table.vacuum(now(folder))).unwrap();
        }
    }
}

/// Adds rows with numbers straight to the table for ever, some at a time, with a mark that has the next
/// number. Prints the last number of those that are there.
fn add_for_ever(folder: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let wal = Wal::open(&folder.join("wal.sqlite"), WalOptions::default()).unwrap();
        let mut table = EventTable::open(&folder.join("events")).await.unwrap();
        let mut next = told_next(&wal, &mut table).await;
        for many in [1, 3, 40, 0].into_iter().cycle() {
            let mut rows = RowsBuilder::new();
            for number in next..next + many {
                let raw = number.to_string();
                let row = EventRow { index: "i", raw: raw.as_str().into(), ..EventRow::default() };
                rows.push(&row).unwrap();
            }
            next += many;
            let marks = vec![Mark { key: KEY.into(), value: next.to_string() }];
            add_rows(&wal, &mut table, vec![rows.finish()], marks, Vec::new()).await.unwrap();
            say("stored", next - 1);
        }
    });
}

/// Returns the number of the row that comes next, as the mark has it.
async fn told_next(wal: &Wal, table: &mut EventTable) -> u64 {
    settle(wal, table).await.unwrap();
    let mark = WalReader::open(wal.path()).unwrap().mark(KEY).unwrap();
    mark.map_or(0, |mark| mark.parse().unwrap())
}

/// Returns the time at which a file is written now.
fn now(folder: &Path) -> SystemTime {
    let path = folder.join("now");
    std::fs::write(&path, "").unwrap();
    path.metadata().unwrap().modified().unwrap()
}

fn rows_of(stored: &StoredBatch, rows: &mut RowsBuilder) -> Result<(), BatchError> {
    let index = stored.batch.origin.index.as_str();
    let mut full = Ok(());
    stored.batch.events()?.each(|event| {
        let row = EventRow {
            index,
            raw: event.raw.into(),
            received: stored.received,
            ..EventRow::default()
        };
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

/// What a process said before it was killed.
#[derive(Debug, Default)]
struct Said {
    stored: u64,
    moved: u64,
    compacted: u64,
    last_stored: Option<u64>,
}

impl Said {
    fn take(&mut self, line: &str) {
        // The harness of the test may have begun the first line.
        let number = |what: &str| line.rsplit_once(what)?.1.trim().parse::<u64>().ok();
        if let Some(number) = number("stored ") {
            self.stored += 1;
            self.last_stored = Some(number);
        }
        self.moved += u64::from(number("moved ").is_some());
        self.compacted += u64::from(number("compacted ").is_some());
    }
}

/// Reads what a process says, kills it once it has said `enough`, and reads the rest.
fn killed(mut child: Child, wait: Duration, enough: impl Fn(&Said) -> bool) -> Said {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (line, read) = channel();
    let reader = std::thread::spawn(move || {
        // A line that was cut off by the kill is not one.
        lines.map_while(Result::ok).for_each(|one| line.send(one).unwrap());
    });
    let (mut said, mut is_killed) = (Said::default(), false);
    loop {
        match read.recv_timeout(PATIENCE) {
            Ok(line) => said.take(&line),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("the process says nothing any more, after {said:?}");
            }
        }
        if !is_killed && enough(&said) {
            std::thread::sleep(wait);
            child.kill().unwrap();
            is_killed = true;
        }
    }
    reader.join().unwrap();
    let status = child.wait().unwrap();
    assert!(is_killed, "the process ended by itself: {status}, after {said:?}");
    said
}

/// Starts the process of a test that is to be killed.
fn started(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(VARIABLE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn killed_at_any_moment() {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return append_for_ever(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("wal.sqlite");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = fastrand::Rng::with_seed(42);
    let (mut acknowledged, mut moved, mut compacted) = (None, 0, 0);
    for round in 0..12 {
        let child = started("killed_at_any_moment", folder.path());
        // There is a log only once something was stored.
        let first = u64::from(round == 0);
        let (stores, moves) = (random.u64(first..60), random.u64(0..8));
        // The moment within a transaction or a move.
        let wait = Duration::from_micros(random.u64(0..5000));
        let said = killed(child, wait, |said| said.stored >= stores && said.moved >= moves);
        acknowledged = acknowledged.max(said.last_stored);
        moved += said.moved;
        compacted += said.compacted;
        let numbers = runtime.block_on(kept(folder.path()));
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "round {round}: every event once");
        let last = numbers.last().copied();
        assert!(acknowledged <= last, "round {round}: {acknowledged:?} is lost, {last:?} is there");
        // A mark is there with its batch, or neither is.
        let mark = WalReader::open(&log).unwrap().mark(KEY).unwrap();
        assert_eq!(mark, last.map(|last| last.to_string()), "round {round}");
    }
    assert!(acknowledged.is_some_and(|number| number > 100), "{acknowledged:?}");
    assert!(moved > 12 && compacted > 2, "{moved} moves, {compacted} compactions");
}

#[test]
fn killed_while_rows_are_added() {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return add_for_ever(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let (mut acknowledged, mut ended) = (None, 0);
    for round in 0..12 {
        let child = started("killed_while_rows_are_added", folder.path());
        let adds = random.u64(u64::from(round == 0)..6);
        // An add takes some milliseconds.
        let wait = Duration::from_micros(random.u64(0..20_000));
        let said = killed(child, wait, |said| said.stored >= adds);
        acknowledged = acknowledged.max(said.last_stored);
        let (next, is_pending) = runtime.block_on(async {
            let wal = Wal::open(&folder.path().join("wal.sqlite"), WalOptions::default()).unwrap();
            let mut table = EventTable::open(&folder.path().join("events")).await.unwrap();
            let is_pending = WalReader::open(wal.path()).unwrap().has_pending().unwrap();
            (told_next(&wal, &mut table).await, is_pending)
        });
        ended += u64::from(is_pending);
        let numbers = runtime.block_on(kept(folder.path()));
        let expected: Vec<u64> = (0..next).collect();
        assert_eq!(numbers, expected, "round {round}: every event up to the mark once");
        let last = next.checked_sub(1);
        assert!(acknowledged <= last, "round {round}: {acknowledged:?} is lost, {last:?} is there");
    }
    assert!(acknowledged.is_some_and(|number| number > 100), "{acknowledged:?}");
    assert!(ended > 0, "no round ended within an add");
}

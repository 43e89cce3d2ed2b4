//! A process that is killed at any moment loses nothing that it acknowledged, and stores nothing twice.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spilltrail_lake::{BatchBuilder, Commit, Event, Mark, Origin, Wal, WalOptions, WalReader};

/// Tells the process of a test that it is the one to be killed, and where its log is.
const VARIABLE: &str = "SPILLTRAIL_TEST_WAL";

/// The key of the mark that is stored with each batch.
const KEY: &str = "last";

/// Appends numbered events for ever, and prints the number of each that is stored.
fn append_for_ever(path: &Path) {
    let wal = Wal::open(path, WalOptions::default()).unwrap();
    let last = WalReader::open(path).unwrap().mark(KEY).unwrap();
    let mut next: u64 = last.map_or(0, |last| last.parse::<u64>().unwrap() + 1);
    let mut waiting = std::collections::VecDeque::new();
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
}

#[test]
fn killed_at_any_moment() {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return append_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let mut random = fastrand::Rng::with_seed(42);
    let mut acknowledged = None;
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed_at_any_moment", "--exact", "--nocapture"])
            .env(VARIABLE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut left, wait) = (random.u32(0..60), random.u64(0..3000));
        for line in lines {
            let line = line.unwrap();
            if let Some(number) = line.split("stored ").nth(1) {
                acknowledged = Some(number.trim().parse::<u64>().unwrap());
                left = left.saturating_sub(1);
            }
            if left == 0 {
                std::thread::sleep(Duration::from_micros(wait));
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let reader = WalReader::open(&path).unwrap();
        let mut numbers: Vec<u64> = Vec::new();
        for stored in reader.after(0, u64::MAX).unwrap() {
            let raw = |event: Event<'_>| {
                numbers.push(std::str::from_utf8(event.raw).unwrap().parse().unwrap());
            };
            stored.batch.events().unwrap().each(raw).unwrap();
        }
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "round {round}: every event once, in order");
        let last = numbers.last().copied();
        assert!(acknowledged <= last, "round {round}: {acknowledged:?} is lost, {last:?} is there");
        // A mark is there with its batch, or neither is.
        assert_eq!(reader.mark(KEY).unwrap(), last.map(|last| last.to_string()), "round {round}");
    }
    assert!(acknowledged.is_some_and(|number| number > 100), "{acknowledged:?}");
}

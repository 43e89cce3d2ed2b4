//! Whatever fails is told by its name, and loses nothing else.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::path::Path;

use arrow_array::RecordBatch;
use spilltrail_lake::{
    Added, BatchBuilder, Commit, Event, EventRow, EventTable, LakeError, Mark, Origin, RowsBuilder,
    View, Wal, WalError, WalOptions, WalReader, add_rows, move_batches, settle,
};

/// A commit with one event that begins with a number and has so many bytes that do not compress.
fn commit(number: u64, bytes: usize) -> Commit {
    let mut random = fastrand::Rng::with_seed(number);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(bytes).collect();
    let text = format!("{number} {noise}");
    let mut builder = BatchBuilder::new(Origin { index: "i".into(), ..Origin::default() });
    builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
    let marks = vec![Mark { key: "last".into(), value: number.to_string() }];
    Commit { batches: vec![builder.finish().unwrap()], marks, received: 0 }
}

fn store(wal: &Wal, commit: Commit) -> Result<(), WalError> {
    wal.append(commit).unwrap().blocking_recv().unwrap().map(drop)
}

/// Returns the numbers of the events, and the mark.
fn kept(path: &Path) -> (Vec<u64>, Option<u64>) {
    let reader = WalReader::open(path).unwrap();
    let mut numbers = Vec::new();
    for stored in reader.after(0, u64::MAX).unwrap() {
        let events = stored.batch.events().unwrap();
        events
            .each(|event| {
                let text = std::str::from_utf8(event.raw).unwrap();
                numbers.push(text.split(' ').next().unwrap().parse().unwrap());
            })
            .unwrap();
    }
    (numbers, reader.mark("last").unwrap().map(|mark| mark.parse().unwrap()))
}

/// The disk is full at each commit of a run once. Nothing of that commit is there, everything before it
/// is, and the rest is stored once there is room.
#[test]
fn the_disk_can_be_full_at_any_commit() {
    const COMMITS: u64 = 12;
    let sizes = |number: u64| [10, 40_000, 100_000][number as usize % 3];
    let mut failed_at = std::collections::BTreeSet::new();
    for pages in 1..60 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        let options = WalOptions { most_pages: Some(pages), ..WalOptions::default() };
        let wal = match Wal::open(&path, options) {
            Ok(wal) => wal,
            Err(error) => {
                assert!(error.to_string().contains("wal.sqlite"), "{pages} pages: {error}");
                let wal = Wal::open(&path, WalOptions::default()).unwrap();
                store(&wal, commit(1, 10)).unwrap();
                continue;
            }
        };
        let full =
            (1..=COMMITS).find(|number| match store(&wal, commit(*number, sizes(*number))) {
                Ok(()) => false,
                Err(WalError::DiskFull) => true,
                Err(error) => panic!("{pages} pages: {error}"),
            });
        let last = full.map_or(COMMITS, |full| full - 1);
        failed_at.extend(full);
        let expected = |last: u64| ((1..=last).collect::<Vec<_>>(), (last > 0).then_some(last));
        assert_eq!(kept(&path), expected(last), "{pages} pages");
        drop(wal);
        assert_eq!(kept(&path), expected(last), "{pages} pages, closed");
        let wal = Wal::open(&path, WalOptions::default()).unwrap();
        for number in last + 1..=COMMITS {
            store(&wal, commit(number, sizes(number))).unwrap();
        }
        assert_eq!(kept(&path), expected(COMMITS), "{pages} pages, with room");
    }
    let all: Vec<u64> = (1..=COMMITS).collect();
    let missing: Vec<u64> = all.into_iter().filter(|number| !failed_at.contains(number)).collect();
    // A commit of ten bytes fits into a page that is there already.
    assert!(missing.iter().all(|number| sizes(*number) == 10), "{missing:?}");
}

/// Wherever the file is damaged, it is told by its name, or what is read is right.
#[test]
fn a_damaged_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    for number in 1..=6 {
        store(&wal, commit(number, 30_000)).unwrap();
    }
    drop(wal);
    let whole = std::fs::read(&path).unwrap();
    let pages = whole.len() / 16384;
    // How many batches were read before an error.
    let mut told = std::collections::BTreeSet::new();
    for page in 0..pages {
        let mut damaged = whole.clone();
        damaged[page * 16384..][..200].fill(0xa5);
        std::fs::write(&path, &damaged).unwrap();
        let mut numbers = Vec::new();
        let mut read = || -> Result<(), WalError> {
            let reader = WalReader::open(&path)?;
            loop {
                let found = reader.after(numbers.last().map_or(0, |(last, _)| *last), u64::MAX)?;
                if found.is_empty() {
                    return Ok(());
                }
                // Damage inside of a batch is found by its checksum.
                numbers.extend(found.iter().map(|one| (one.number, one.batch.events().is_ok())));
            }
        };
        let end = read();
        let whole = numbers.iter().filter(|(_, is_whole)| *is_whole).count();
        match end {
            Ok(()) => assert!(whole >= 5, "page {page}: {numbers:?}"),
            Err(error) => {
                assert!(error.to_string().contains("wal.sqlite"), "page {page}: {error}");
                // Those before the damage are read.
                assert_eq!(whole, numbers.len(), "page {page}: {numbers:?}");
                told.insert(whole);
            }
        }
    }
    assert!(told.len() > 2, "{told:?} of {pages}");
    // A file that ends too early.
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let read = WalReader::open(&path).and_then(|reader| reader.after(0, u64::MAX));
    let error = read.unwrap_err().to_string();
    assert!(error.contains("wal.sqlite"), "{error}");
    let opened = Wal::open(&path, WalOptions::default());
    if let Ok(wal) = opened {
        // What cannot be stored is not acknowledged.
        let stored = store(&wal, commit(7, 10));
        let error = stored.unwrap_err().to_string();
        assert!(error.contains("wal.sqlite"), "{error}");
    }
    // Repaired, everything is there.
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(kept(&path).0, [1, 2, 3, 4, 5, 6]);
}

fn rows() -> Vec<RecordBatch> {
    let mut rows = RowsBuilder::new();
    rows.push(&EventRow { index: "i", raw: "1".into(), ..EventRow::default() }).unwrap();
    vec![rows.finish()]
}

fn marks(value: &str) -> Vec<Mark> {
    vec![Mark { key: "last".into(), value: value.into() }]
}

fn events(table: &EventTable) -> u64 {
    table.files().unwrap().iter().map(|file| file.rows).sum()
}

fn mark(wal: &Wal) -> Option<String> {
    WalReader::open(wal.path()).unwrap().mark("last").unwrap()
}

/// A process that stops between two steps of adding rows leaves marks that agree with the rows.
#[tokio::test]
async fn adding_can_stop_between_any_steps() {
    for (steps, expected) in [(0, 1), (1, 1), (2, 2), (3, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let (log, events_of) = (folder.path().join("wal.sqlite"), folder.path().join("events"));
        {
            let wal = Wal::open(&log, WalOptions::default()).unwrap();
            let mut table = EventTable::open(&events_of).await.unwrap();
            add_rows(&wal, &mut table, rows(), marks("1"), Vec::new()).await.unwrap();
            let mut number = 0;
            if steps > 0 {
                number = wal.pend(marks("2"), Vec::new()).unwrap().await.unwrap().unwrap();
            }
            if steps > 1 {
                assert_eq!(table.append(rows(), number).await.unwrap(), Added::Now);
            }
            if steps > 2 {
                wal.remove_up_to(number).unwrap().await.unwrap().unwrap();
            }
            // Before it is known what came in, nothing more is added, and no marks are stored.
            if [1, 2].contains(&steps) {
                for more in [rows(), Vec::new()] {
                    let error = add_rows(&wal, &mut table, more, marks("3"), Vec::new()).await;
                    let error = error.unwrap_err();
                    assert!(
                        matches!(error, LakeError::Wal(WalError::Unsettled { .. })),
                        "{steps} steps: {error}"
                    );
                }
            }
        }
        let wal = Wal::open(&log, WalOptions::default()).unwrap();
        let mut table = EventTable::open(&events_of).await.unwrap();
        let last = settle(&wal, &mut table).await.unwrap();
        assert_eq!(last, table.last_number().await.unwrap(), "{steps} steps");
        assert_eq!((events(&table), mark(&wal)), (expected, Some(expected.to_string())));
        assert!(!WalReader::open(&log).unwrap().has_pending().unwrap());
        // It goes on from there.
        add_rows(&wal, &mut table, rows(), marks("4"), Vec::new()).await.unwrap();
        add_rows(&wal, &mut table, Vec::new(), marks("5"), Vec::new()).await.unwrap();
        assert_eq!((events(&table), mark(&wal)), (expected + 1, Some("5".into())));
    }
}

/// Rows are not added past batches of the log: the table would take them for moved.
#[tokio::test]
async fn batches_come_into_the_table_before_rows() {
    let folder = tempfile::tempdir().unwrap();
    let wal = Wal::open(&folder.path().join("wal.sqlite"), WalOptions::default()).unwrap();
    let mut table = EventTable::open(&folder.path().join("events")).await.unwrap();
    wal.append(commit(1, 10)).unwrap().await.unwrap().unwrap();
    let error = add_rows(&wal, &mut table, rows(), marks("2"), Vec::new()).await.unwrap_err();
    assert!(matches!(error, LakeError::Wal(WalError::Unsettled { .. })), "{error}");
    let mut rows_of =
        |_: &_, rows: &mut RowsBuilder| rows.push(&EventRow { index: "i", ..EventRow::default() });
    move_batches(&wal, &mut table, 1, &mut rows_of).await.unwrap();
    add_rows(&wal, &mut table, rows(), marks("2"), Vec::new()).await.unwrap();
    assert_eq!((events(&table), mark(&wal)), (2, Some("2".into())));
}

/// Without room for the marks, no rows are added, and nothing is to be settled.
#[tokio::test]
async fn the_disk_can_be_full_before_rows_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let options = WalOptions { most_pages: Some(20), ..WalOptions::default() };
    let wal = Wal::open(&folder.path().join("wal.sqlite"), options).unwrap();
    let mut table = EventTable::open(&folder.path().join("events")).await.unwrap();
    add_rows(&wal, &mut table, rows(), marks("1"), Vec::new()).await.unwrap();
    let large = "x".repeat(1_000_000);
    let error = add_rows(&wal, &mut table, rows(), marks(&large), Vec::new()).await.unwrap_err();
    assert!(matches!(error, LakeError::Wal(WalError::DiskFull)), "{error}");
    assert_eq!((events(&table), mark(&wal)), (1, Some("1".into())));
    add_rows(&wal, &mut table, rows(), marks("2"), Vec::new()).await.unwrap();
    assert_eq!((events(&table), mark(&wal)), (2, Some("2".into())));
}

/// A log that somebody deleted is a new one, with numbers that the table has had. No event of it counts as
/// moved for that.
#[tokio::test]
async fn a_log_that_is_not_of_the_table_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (log, events_of) = (folder.path().join("wal.sqlite"), folder.path().join("events"));
    let mut table = EventTable::open(&events_of).await.unwrap();
    table.append(rows(), 5).await.unwrap();
    let mut rows_of =
        |_: &_, rows: &mut RowsBuilder| rows.push(&EventRow { index: "i", ..EventRow::default() });
    // Whoever settles first goes on with the numbers of the table.
    let wal = Wal::open(&log, WalOptions::default()).unwrap();
    assert_eq!(settle(&wal, &mut table).await.unwrap(), 5);
    let numbers = wal.append(commit(1, 10)).unwrap().await.unwrap().unwrap();
    assert_eq!(numbers, Some(6..=6));
    assert_eq!(View::open(&log, &events_of).await.unwrap().arrived().unwrap().len(), 1);
    assert_eq!(move_batches(&wal, &mut table, 1, &mut rows_of).await.unwrap().events, 1);
    // Batches that came before that are kept, and told.
    drop(wal);
    std::fs::remove_file(&log).unwrap();
    let wal = Wal::open(&log, WalOptions::default()).unwrap();
    assert!(View::open(&log, &events_of).await.is_ok());
    let refused = [
        add_rows(&wal, &mut table, rows(), marks("2"), Vec::new()).await.unwrap_err(),
        {
            wal.append(commit(1, 10)).unwrap().await.unwrap().unwrap();
            settle(&wal, &mut table).await.unwrap_err()
        },
        move_batches(&wal, &mut table, 1, &mut rows_of).await.unwrap_err(),
        View::open(&log, &events_of).await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, LakeError::Foreign { last: 6, .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("wal.sqlite") && error.contains("events"), "{error}");
    }
    assert_eq!((events(&table), kept(&log).0), (2, vec![1]));
    // In a folder of its own, its events come into a table.
    let mut new = EventTable::open(&folder.path().join("new")).await.unwrap();
    assert_eq!(move_batches(&wal, &mut new, 1, &mut rows_of).await.unwrap().events, 1);
}

//! Tests of the log of arriving events.

use super::*;
use crate::batch::{BatchBuilder, Event, Origin};

fn batch(index: &str, events: &[&str]) -> Batch {
    let origin =
        Origin { index: index.to_owned(), host: Some("h".to_owned()), ..Origin::default() };
    let mut builder = BatchBuilder::new(origin);
    for event in events {
        builder.push(Event { raw: event.as_bytes(), time: None, fields: None }).unwrap();
    }
    builder.finish().unwrap()
}

fn commit(batches: Vec<Batch>, marks: &[(&str, &str)]) -> Commit {
    let mark = |(key, value): &(&str, &str)| Mark { key: (*key).into(), value: (*value).into() };
    Commit { batches, marks: marks.iter().map(mark).collect(), received: 7 }
}

fn stored(wal: &Wal, commit: Commit) -> Result<Numbers, WalError> {
    wal.append(commit)?.blocking_recv().unwrap()
}

fn found(path: &Path, after: u64) -> Vec<(u64, Batch)> {
    let all = WalReader::open(path).unwrap().after(after, u64::MAX).unwrap();
    all.into_iter().map(|one| (one.number, one.batch)).collect()
}

#[test]
fn what_is_stored_is_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let (one, two, three) = (batch("a", &["1", "2"]), batch("b", &["3"]), batch("a", &[]));
    {
        let wal = Wal::open(&path, WalOptions::default()).unwrap();
        let numbers = stored(&wal, commit(vec![one.clone(), two.clone()], &[("f", "10")]));
        assert_eq!(numbers.unwrap(), Some(1..=2));
        // A commit may have only marks.
        assert_eq!(stored(&wal, commit(vec![], &[("f", "20")])).unwrap(), None);
        // What is stored can be read while the log is open.
        assert_eq!(found(&path, 0), [(1, one.clone()), (2, two.clone())]);
        // What waits is stored when the log is closed.
        drop(wal.append(commit(vec![three.clone()], &[])).unwrap());
    }
    let reader = WalReader::open(&path).unwrap();
    assert_eq!(found(&path, 1), [(2, two), (3, three)]);
    assert_eq!(reader.mark("f").unwrap().as_deref(), Some("20"));
    assert_eq!(reader.mark("g").unwrap(), None);
    let size = reader.size().unwrap();
    assert_eq!((size.batches, size.events, size.last_number), (3, 3, 3));
    // At least one batch comes, however few bytes are asked for.
    assert_eq!(reader.after(0, 0).unwrap()[0].batch, one);
    assert_eq!(reader.after(0, 0).unwrap().len(), 1);
}

#[test]
fn numbers_are_not_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let one = || commit(vec![batch("a", &["x"])], &[]);
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    for number in 1..=3 {
        assert_eq!(stored(&wal, one()).unwrap(), Some(number..=number));
    }
    wal.remove_up_to(2).unwrap().blocking_recv().unwrap().unwrap();
    assert_eq!(found(&path, 0).iter().map(|one| one.0).collect::<Vec<_>>(), [3]);
    wal.remove_up_to(u64::MAX).unwrap().blocking_recv().unwrap().unwrap();
    assert_eq!(found(&path, 0), []);
    assert_eq!(WalReader::open(&path).unwrap().size().unwrap().last_number, 3);
    drop(wal);
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    assert_eq!(stored(&wal, one()).unwrap(), Some(4..=4));
}

#[test]
fn a_reader_can_hold_what_it_sees() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    let one = || commit(vec![batch("a", &["x"])], &[]);
    stored(&wal, one()).unwrap();
    let reader = WalReader::open(&path).unwrap();
    reader.hold().unwrap();
    stored(&wal, one()).unwrap();
    wal.remove_up_to(1).unwrap().blocking_recv().unwrap().unwrap();
    let numbers = |reader: &WalReader| -> Vec<u64> {
        reader.after(0, u64::MAX).unwrap().iter().map(|one| one.number).collect()
    };
    assert_eq!(numbers(&reader), [1]);
    assert_eq!(numbers(&WalReader::open(&path).unwrap()), [2]);
}

#[test]
fn what_is_set_aside_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    for number in 1..=3 {
        let numbers = stored(&wal, commit(vec![batch("a", &["x"])], &[]));
        assert_eq!(numbers.unwrap(), Some(number..=number));
    }
    wal.set_aside(2).unwrap().blocking_recv().unwrap().unwrap();
    wal.remove_up_to(3).unwrap().blocking_recv().unwrap().unwrap();
    let size = WalReader::open(&path).unwrap().size().unwrap();
    assert_eq!((size.batches, size.set_aside, size.last_number), (0, 1, 3));
}

#[test]
fn commits_of_many_senders_share_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for sender in 0..4 {
            let wal = &wal;
            scope.spawn(move || {
                let name = format!("s{sender}");
                for at in 0..50 {
                    let text = at.to_string();
                    let numbers = stored(wal, commit(vec![batch(&name, &[&text])], &[]));
                    assert!(numbers.unwrap().is_some());
                }
            });
        }
    });
    let mut next = std::collections::BTreeMap::new();
    for (_, batch) in found(&path, 0) {
        // The batches of each sender are in its order.
        let at = next.entry(batch.origin.index.clone()).or_insert(0);
        let raw = |event: Event<'_>| assert_eq!(event.raw, at.to_string().as_bytes());
        batch.events().unwrap().each(raw).unwrap();
        *at += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [50; 4]);
}

#[test]
fn what_cannot_wait_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let options = WalOptions { most_waiting: 0, ..WalOptions::default() };
    let wal = Wal::open(&path, options).unwrap();
    let one = || commit(vec![batch("a", &["x"])], &[]);
    let (mut taken, mut refused) = (Vec::new(), 0);
    for _ in 0..200 {
        match wal.append(one()) {
            Ok(answer) => taken.push(answer),
            Err(WalError::Busy) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    let stored = taken.into_iter().filter_map(|one| one.blocking_recv().unwrap().unwrap()).count();
    assert_eq!(stored + refused, 200);
    assert_eq!(found(&path, 0).len(), stored);
}

/// Nothing of a commit is there if there is no room for it, and smaller ones still come through.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let options = WalOptions { most_pages: Some(20), ..WalOptions::default() };
    let wal = Wal::open(&path, options).unwrap();
    let small = || commit(vec![batch("a", &["x"])], &[]);
    let mut random = fastrand::Rng::with_seed(1);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(500_000).collect();
    assert_eq!(stored(&wal, small()).unwrap(), Some(1..=1));
    let large = commit(vec![batch("a", &["y"]), batch("a", &[&noise])], &[("f", "1")]);
    let error = stored(&wal, large.clone()).unwrap_err();
    assert!(matches!(error, WalError::DiskFull), "{error}");
    assert_eq!(found(&path, 0).len(), 1);
    assert_eq!(WalReader::open(&path).unwrap().mark("f").unwrap(), None);
    assert!(stored(&wal, small()).unwrap().is_some());
    assert_eq!(found(&path, 0).len(), 2);
    // With room, the same commit is stored.
    drop(wal);
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    assert!(stored(&wal, large).unwrap().is_some());
    assert_eq!(found(&path, 0).len(), 4);
}

#[test]
fn files_that_are_no_log_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let open = || Wal::open(&path, WalOptions::default()).map(drop).unwrap_err().to_string();
    let read = || WalReader::open(&path).map(drop).unwrap_err().to_string();
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    assert!(open().contains("another process writes to"), "{}", open());
    drop(wal);
    let change = |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change("PRAGMA user_version = 99");
    assert!(open().contains("its form is 99, and this version knows those up to 1"), "{}", open());
    assert!(read().contains("its form is 99"), "{}", read());
    change("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert!(open().contains("the database of another program"), "{}", open());
    std::fs::write(&path, "no database, but a text that is long enough to be none").unwrap();
    assert!(open().contains("cannot open"), "{}", open());
    std::fs::remove_file(&path).unwrap();
    assert!(read().contains("cannot open"), "{}", read());
    let missing = Wal::open(&folder.path().join("none/wal.sqlite"), WalOptions::default());
    assert!(matches!(missing, Err(WalError::Form { .. })));
}

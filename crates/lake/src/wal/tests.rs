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

fn marks(all: &[(&str, &str)]) -> Vec<Mark> {
    commit(vec![], all).marks
}

fn pended(wal: &Wal, all: &[(&str, &str)]) -> Result<u64, WalError> {
    wal.pend(marks(all), vec![("a".into(), vec![(1, 2)])])?.blocking_recv().unwrap()
}

fn done(answer: Result<Removed, WalError>) -> Result<(), WalError> {
    answer?.blocking_recv().unwrap()
}

/// Returns the marks of `f` and `g`, and whether marks wait.
fn marked(path: &Path) -> (String, bool) {
    let reader = WalReader::open(path).unwrap();
    let value = |key: &str| reader.mark(key).unwrap().unwrap_or_else(|| "-".to_owned());
    (format!("{} {}", value("f"), value("g")), reader.has_pending().unwrap())
}

/// Marks count once the table has their number, whether that is told by the one who added the rows or by one
/// who comes later.
#[test]
fn marks_count_with_their_number() {
    type Tell = fn(&Wal) -> Result<(), WalError>;
    for (tell, expected) in [
        ((|wal| done(wal.remove_up_to(2))) as Tell, ("20 5", false)),
        (|wal| done(wal.remove_up_to(1)), ("10 -", true)),
        (|wal| done(wal.settle(2)), ("20 5", false)),
        // The rows did not come.
        (|wal| done(wal.settle(1)), ("10 -", false)),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        let wal = Wal::open(&path, WalOptions::default()).unwrap();
        stored(&wal, commit(vec![batch("a", &["x"])], &[("f", "10")])).unwrap();
        done(wal.remove_up_to(1)).unwrap();
        // The last one of a key counts, as in a commit.
        assert_eq!(pended(&wal, &[("f", "15"), ("f", "20"), ("g", "5")]).unwrap(), 2);
        assert_eq!(marked(&path), ("10 -".to_owned(), true));
        // What waits is there after a restart.
        drop(wal);
        let wal = Wal::open(&path, WalOptions::default()).unwrap();
        assert_eq!(marked(&path), ("10 -".to_owned(), true));
        tell(&wal).unwrap();
        assert_eq!(marked(&path), (expected.0.to_owned(), expected.1));
        let arrivals = WalReader::open(&path).unwrap().arrivals_after(0).unwrap();
        assert_eq!(arrivals, [Arrival { number: 2, index: "a".into(), spans: vec![(1, 2)] }]);
    }
}

/// Rows that are added straight to the table and batches have numbers of one sequence.
#[test]
fn what_is_added_and_batches_share_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    // The first of all numbers, too.
    assert_eq!(pended(&wal, &[("f", "1")]).unwrap(), 1);
    assert_eq!(stored(&wal, commit(vec![batch("a", &["x"])], &[])).unwrap(), Some(2..=2));
    // The batch is not one of those that the table has.
    done(wal.remove_up_to(1)).unwrap();
    assert_eq!(found(&path, 0).len(), 1);
    done(wal.settle(2)).unwrap();
    assert_eq!(found(&path, 0), []);
    assert_eq!(pended(&wal, &[("f", "2")]).unwrap(), 3);
    done(wal.settle(2)).unwrap();
    // The number whose rows did not come is not used again.
    drop(wal);
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    assert_eq!(pended(&wal, &[]).unwrap(), 4);
    assert_eq!(stored(&wal, commit(vec![batch("a", &["x"])], &[])).unwrap(), Some(5..=5));
    assert_eq!(marked(&path), ("1 -".to_owned(), false));
}

/// Nothing is added past batches, nor past marks that wait.
#[test]
fn nothing_is_added_while_something_else_must_come_in_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    let is_refused = || matches!(pended(&wal, &[("f", "2")]), Err(WalError::Unsettled { .. }));
    stored(&wal, commit(vec![batch("a", &["x"])], &[])).unwrap();
    assert!(is_refused());
    done(wal.remove_up_to(1)).unwrap();
    assert_eq!(pended(&wal, &[("f", "1")]).unwrap(), 2);
    assert!(is_refused());
    done(wal.settle(1)).unwrap();
    assert_eq!(pended(&wal, &[("f", "1")]).unwrap(), 3);
}

/// A log beside a table that knows larger numbers goes on with them, but not if it has batches, which would
/// count as moved.
#[test]
fn a_new_log_goes_on_after_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    done(wal.settle(7)).unwrap();
    // Marks of another table's rows do not count.
    assert_eq!(pended(&wal, &[("f", "1")]).unwrap(), 8);
    done(wal.settle(20)).unwrap();
    assert_eq!(marked(&path), ("- -".to_owned(), false));
    assert_eq!(stored(&wal, commit(vec![batch("a", &["x"])], &[])).unwrap(), Some(21..=21));
    let error = done(wal.settle(22)).unwrap_err();
    assert!(matches!(error, WalError::Behind { newest: 21, last: 22, .. }), "{error}");
    assert_eq!(found(&path, 0).len(), 1);
    done(wal.settle(20)).unwrap();
    assert_eq!(found(&path, 0).len(), 1);
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
fn batches_of_each_sender_are_in_its_order() {
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
        let at = next.entry(batch.origin.index.clone()).or_insert(0);
        let raw = |event: Event<'_>| assert_eq!(event.raw, at.to_string().as_bytes());
        batch.events().unwrap().each(raw).unwrap();
        *at += 1;
    }
    assert_eq!(next.into_values().collect::<Vec<_>>(), [50; 4]);
}

/// What waits when the thread gets to it is one transaction, up to the limit.
#[test]
fn what_waits_shares_a_transaction() {
    // The limit of bytes, how many commits come, and how many transactions there are.
    let one = || commit(vec![batch("a", &["x"])], &[("f", "1")]);
    for (most_together, commits, expected) in
        [(usize::MAX, 50, 1), (0, 50, 50), (one().bytes() * 10, 50, 5)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        let connection = form::open_to_write(&path, WalOptions::default()).unwrap();
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        // The file of frames stays as long as somebody reads.
        let reader = WalReader::open(&path).unwrap();
        let (orders, received) = channel();
        let mut answers = Vec::new();
        for _ in 0..commits {
            let (answer, answered) = oneshot::channel();
            let bytes = one().bytes();
            orders.send(Order::Append { commit: one(), bytes, answer }).unwrap();
            answers.push(answered);
        }
        drop(orders);
        let waiting = AtomicUsize::new(one().bytes() * commits);
        Writer::new(connection, path.clone()).run(&received, &waiting, most_together);
        for (number, answered) in (1..).zip(answers) {
            assert_eq!(answered.blocking_recv().unwrap().unwrap(), Some(number..=number));
        }
        assert_eq!(waiting.into_inner(), 0);
        assert_eq!(reader.size().unwrap().batches, commits as u64);
        let transactions = transactions(&path);
        assert_eq!(transactions, expected, "{most_together}");
    }
}

/// Returns the number of transactions in SQLite's own log: each ends with a frame that says how many
/// pages the file has then.
fn transactions(path: &Path) -> usize {
    let bytes = std::fs::read(path.with_extension("sqlite-wal")).unwrap();
    let (head, frame) = (32, 24 + 16384);
    let frames = bytes[head..].chunks_exact(frame);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

#[test]
fn room_is_given_back_some_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = || -> String { (0..1_000_000).map(|_| random.alphanumeric()).collect() };
    for _ in 0..30 {
        stored(&wal, commit(vec![batch("a", &[&noise()])], &[])).unwrap();
    }
    let free_pages = || {
        // Room is given back after the answer; the answer to this comes later than that.
        stored(&wal, commit(vec![], &[])).unwrap();
        let connection = form::open_to_read(&path).unwrap();
        connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, u32>(0)).unwrap()
    };
    wal.remove_up_to(u64::MAX).unwrap().blocking_recv().unwrap().unwrap();
    let left = free_pages();
    assert!(left > 100, "{left}");
    wal.remove_up_to(u64::MAX).unwrap().blocking_recv().unwrap().unwrap();
    assert_eq!(free_pages(), left.saturating_sub(writer::PAGES_OF_VACUUM));
}

/// A log that is damaged is not opened, to write or to read, as long as what is behind could be lost.
#[test]
fn a_damaged_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let copy = folder.path().join("copy.sqlite");
    let beside = |path: &Path| path.with_extension("sqlite-wal");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    for text in ["a", "b", "c"] {
        let stored = wal.append(commit(vec![batch("a", &[text])], &[])).unwrap();
        stored.blocking_recv().unwrap().unwrap();
    }
    std::fs::copy(&path, &copy).unwrap();
    let mut log = std::fs::read(beside(&path)).unwrap();
    let (all, offset) = (log.len(), 32 + 24 + 16384);
    log[offset + 5000] ^= 1;
    std::fs::write(beside(&copy), &log).unwrap();
    for error in [
        WalReader::open(&copy).unwrap_err().to_string(),
        Wal::open(&copy, WalOptions::default()).unwrap_err().to_string(),
    ] {
        assert!(error.contains("copy.sqlite-wal is damaged: behind byte"), "{error}");
        assert!(error.contains("cut it to"), "{error}");
    }
    assert_eq!(std::fs::read(beside(&copy)).unwrap().len(), all);
    // Whoever cuts it, as is said, goes on without the rest.
    let file = std::fs::File::options().write(true).open(beside(&copy)).unwrap();
    file.set_len(offset as u64).unwrap();
    Wal::open(&copy, WalOptions::default()).unwrap();
    assert_eq!(found(&path, 0).len(), 3);
}

/// However many arrivals nobody has looked at, none is forgotten.
#[test]
fn very_many_arrivals_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let wal = Wal::open(&path, WalOptions::default()).unwrap();
    let arrival = |number: u64| Arrival {
        number,
        index: if number.is_multiple_of(2) { "a" } else { "b" }.to_owned(),
        spans: vec![(number as i64, number as i64 + 1), (-9, -8)],
    };
    let note = |numbers: std::ops::Range<u64>| {
        let noted = wal.note(numbers.map(arrival).collect()).unwrap();
        noted.blocking_recv().unwrap().unwrap();
        WalReader::open(&path).unwrap().arrivals_after(0).unwrap()
    };
    assert_eq!(note(1..100_001).len(), 100_000);
    for (end, last) in [(100_005, 4), (100_009, 8)] {
        let found = note(end - 4..end);
        assert_eq!(found.len(), 100_002, "{end}");
        let merged = |index: &str, end| Arrival {
            number: last,
            index: index.to_owned(),
            spans: vec![(-9, end as i64)],
        };
        assert_eq!(found[..2], [merged("a", last + 1), merged("b", last)]);
    }
}

#[test]
fn what_cannot_wait_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    let options = WalOptions { most_waiting: 0, ..WalOptions::default() };
    let wal = Wal::open(&path, options).unwrap();
    let one = || commit(vec![batch("a", &["x"])], &[]);
    let mark = || commit(vec![], &[("f", "1")]);
    let mut batches = 0;
    for next in [&one as &dyn Fn() -> Commit, &mark] {
        let (mut taken, mut refused) = (Vec::new(), 0);
        for _ in 0..200 {
            match wal.append(next()) {
                Ok(answer) => taken.push(answer),
                Err(WalError::Busy) => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused > 0);
        assert_eq!(taken.len() + refused, 200);
        let numbers = taken.into_iter().map(|one| one.blocking_recv().unwrap().unwrap());
        batches += numbers.flatten().count();
    }
    assert_eq!(found(&path, 0).len(), batches);
    // What has neither counts, too.
    assert!(Commit::default().bytes() > 0);
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
    assert!(open().contains("its form is 99, and this version knows those up to 3"), "{}", open());
    assert!(read().contains("its form is 99"), "{}", read());
    change("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert!(open().contains("the database of another program"), "{}", open());
    assert!(read().contains("the database of another program"), "{}", read());
    std::fs::write(&path, "no database, but a text that is long enough to be none").unwrap();
    assert!(open().contains("cannot open"), "{}", open());
    std::fs::remove_file(&path).unwrap();
    assert!(read().contains("cannot open"), "{}", read());
    let missing = Wal::open(&folder.path().join("none/wal.sqlite"), WalOptions::default());
    assert!(matches!(missing, Err(WalError::Form { .. })));
}

/// The database of another program is as it was after it was refused.
#[test]
fn other_databases_are_not_changed() {
    for sql in ["PRAGMA application_id = 5", "PRAGMA user_version = 3", "CREATE TABLE t (a)"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wal.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Wal::open(&path, WalOptions::default()).map(drop).unwrap_err();
        assert!(error.to_string().contains("the database of another program"), "{sql}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{sql}");
    }
    // Nobody has written to an empty one.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wal.sqlite");
    std::fs::write(&path, "").unwrap();
    let error = WalReader::open(&path).map(drop).unwrap_err();
    assert!(error.to_string().contains("nothing was stored in it yet"), "{error}");
    Wal::open(&path, WalOptions::default()).unwrap();
    WalReader::open(&path).unwrap();
}

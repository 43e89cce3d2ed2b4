//! The outbox: each content is told once while runs that overlap have it, and whoever follows knows what
//! is found.

use std::collections::BTreeSet;

use spilltrail_schedule::{Interval, Moment};

use super::{file, finding, finish, run, store};
use crate::*;

/// Returns the entries after a number as `nominal id hash state replaced`.
fn told(store: &Store, after: u64) -> Vec<String> {
    let entry = |entry: &OutboxEntry| {
        let OutboxEntry { nominal, id, state, replaced, finding, .. } = entry;
        let replaced = replaced.as_deref().unwrap_or("-");
        format!("{} {id} {} {} {replaced}", nominal.0 / 3600, finding.hash, state.name())
    };
    store.reader().outbox_after(after, 100).unwrap().iter().map(entry).collect()
}

fn hidden(id: &str, hash: &str) -> FindingRecord {
    FindingRecord { suppressed_by: Some(1), ..finding(id, hash) }
}

#[test]
fn each_content_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut step = |hour: i64, attempt: u32, found: &[FindingRecord], expected: &[&str]| {
        let end = store.reader().outbox_end().unwrap();
        finish(&mut store, hour * 3600, attempt, found);
        assert_eq!(told(&store, end), expected, "{hour} {attempt}");
    };
    step(1, 1, &[finding("x", "1"), finding("y", "1")], &["1 x 1 new -", "1 y 1 new -"]);
    // The next run finds one of them again, and another content of the other.
    step(2, 1, &[finding("x", "1"), finding("y", "2")], &["2 y 2 changed -"]);
    // Nothing is gained or lost as long as one of both runs has it.
    step(1, 2, &[finding("y", "2")], &["1 y 1 withdrawn 1"]);
    step(2, 2, &[finding("x", "2"), finding("y", "2")], &["2 x 2 changed 1"]);
    step(2, 3, &[finding("x", "2")], &[]);
    step(1, 3, &[finding("y", "2"), finding("x", "3")], &["1 x 3 changed -"]);
    step(2, 4, &[finding("x", "3")], &["2 x 2 withdrawn 2"]);
    // What is hidden is not told, and no longer there for others.
    step(3, 1, &[hidden("z", "1")], &[]);
    step(3, 2, &[finding("z", "1")], &["3 z 1 new -"]);
    // What was told is not hidden from under whoever looks into it.
    step(3, 3, &[hidden("z", "1")], &[]);
    step(3, 4, &[hidden("z", "2")], &["3 z 2 changed 1"]);
    step(4, 1, &[hidden("z", "1")], &[]);
    step(3, 5, &[], &["3 z 2 withdrawn 2"]);
}

#[test]
fn what_another_interval_has_is_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    for (hour, expected) in [(1, 1), (2, 2), (4, 3)] {
        let nominal = hour * 3600;
        let interval = Interval { from: Moment(nominal - 4200), to: Moment(nominal - 600) };
        let run = RunRecord { interval, ..run(nominal, 1, Status::Done) };
        let findings = [finding("x", "1")];
        let outcome = Outcome { run: &run, findings: &findings, throttle: None, hits: &[] };
        store.finish_run(&outcome).unwrap();
        assert_eq!(told(&store, 0).len(), expected);
        let counted = super::counted(store.reader(), 0, 20_000);
        assert_eq!(counted.len(), expected);
    }
    // A run whose interval overlaps another one's finds nothing new.
    finish(&mut store, 3 * 3600, 1, &[finding("x", "1")]);
    assert_eq!(told(&store, 0).len(), 3);
    let counted = super::counted(store.reader(), 0, 20_000);
    let told: Vec<i64> = counted.iter().map(|one| one.told.0 / 3600).collect();
    assert_eq!(told, [1, 2, 4]);
    // Days are told with what may count at most.
    assert_eq!(store.reader().counted_days().unwrap(), [(Moment(0), 4)]);
}

/// What a search over findings has looked at already is told where the next one looks.
#[test]
fn risk_is_told_where_somebody_still_looks() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    store.set_schedule(&super::schedule("b", true), None, Moment(0)).unwrap();
    let mut looked = |nominal: i64, to: i64, index: &str| {
        let interval = Interval { from: Moment(0), to: Moment(to) };
        let (schedule, indexes) = ("b".to_owned(), vec![index.to_owned()]);
        let run = RunRecord { schedule, interval, indexes, ..run(nominal, 1, Status::Done) };
        let outcome = Outcome { run: &run, findings: &[], throttle: None, hits: &[] };
        store.finish_run(&outcome).unwrap();
    };
    looked(3600, 3600, "risk");
    looked(7200, 7000, "risk");
    looked(9000, 9000, "main");
    // When the clock was wrong.
    looked(1_000_000, 1_000_000, "risk");
    for (nominal, id) in [(3600, "x"), (7200, "y")] {
        let run = RunRecord { started: Moment(7300), ..run(nominal, 1, Status::Done) };
        let findings = [finding(id, "1")];
        let outcome = Outcome { run: &run, findings: &findings, throttle: None, hits: &[] };
        store.finish_run(&outcome).unwrap();
    }
    let counted = super::counted(store.reader(), 0, 2_000_000);
    let told: Vec<i64> = counted.iter().map(|one| one.told.0).collect();
    assert_eq!(told, [7000, 7200]);
}

/// How many findings a run took back is what people hear: another run may still have them.
#[test]
fn what_another_run_has_is_not_counted_as_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut finish = |nominal: i64, attempt, found: &[FindingRecord]| {
        let run = run(nominal, attempt, Status::Done);
        let outcome = Outcome { run: &run, findings: found, throttle: None, hits: &[] };
        match store.finish_run(&outcome).unwrap() {
            Finished::Stored { told, .. } => (told.new, told.changed, told.withdrawn),
            Finished::Already => panic!("it is another attempt"),
        }
    };
    assert_eq!(finish(3600, 1, &[finding("x", "1")]), (1, 0, 0));
    assert_eq!(finish(7200, 1, &[finding("x", "2")]), (0, 1, 0));
    assert_eq!(finish(3600, 2, &[]), (0, 0, 0));
    assert_eq!(finish(7200, 2, &[]), (0, 0, 1));
}

#[test]
fn numbers_are_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let numbers = |store: &Store, after, most| -> Vec<u64> {
        let entries = store.reader().outbox_after(after, most).unwrap();
        entries.iter().map(|entry| entry.seq).collect()
    };
    assert_eq!(store.reader().outbox_end().unwrap(), 0);
    finish(&mut store, 3600, 1, &[finding("x", "1"), finding("y", "1"), finding("z", "1")]);
    assert_eq!((numbers(&store, 0, 2), numbers(&store, 2, 2)), (vec![1, 2], vec![3]));
    let entry = &store.reader().outbox_after(1, 1).unwrap()[0];
    assert_eq!((&entry.finding, entry.time), (&finding("y", "1"), Moment(3603)));
    assert_eq!((entry.detection.as_str(), entry.nominal), ("a", Moment(3600)));
    assert_eq!(store.forget_outbox(3).unwrap(), 3);
    drop(store);
    let mut store = Store::open(&file(&folder)).unwrap();
    assert_eq!((numbers(&store, 0, 9), store.reader().outbox_end().unwrap()), (vec![], 3));
    finish(&mut store, 7200, 1, &[finding("w", "1")]);
    assert_eq!(numbers(&store, 0, 9), [4]);
    store.remove_before(Moment(7201)).unwrap();
    assert_eq!((numbers(&store, 0, 9), store.reader().outbox_end().unwrap()), (vec![], 4));
}

/// Stores an attempt at a run over an interval that ends at its nominal time; all are in hours.
fn over(store: &mut Store, [from, to]: [i64; 2], found: &[FindingRecord]) {
    let attempt = store.reader().next_attempt("a", Moment(to * 3600)).unwrap();
    let status = if attempt == 1 { Status::Done } else { Status::Late };
    let interval = Interval { from: Moment(from * 3600), to: Moment(to * 3600) };
    let run = RunRecord { interval, ..run(to * 3600, attempt, status) };
    store.finish_run(&Outcome { run: &run, findings: found, throttle: None, hits: &[] }).unwrap();
}

/// Runs that overlap may overlap others that do not.
#[test]
fn what_any_run_still_has_is_not_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let [first, second, third, apart] = [[0, 10], [5, 15], [10, 20], [30, 40]];
    let (one, other) = ([finding("x", "1")], [finding("x", "2")]);
    let steps: &[([i64; 2], &[FindingRecord], &[&str])] = &[
        (first, &one, &["10 x 1 new -"]),
        (second, &one, &[]),
        (third, &one, &[]),
        (second, &[], &[]),
        (first, &[], &[]),
        // It has happened once more, and is there as long as one of both is.
        (apart, &one, &["40 x 1 new -"]),
        (third, &other, &["20 x 2 changed -"]),
        (apart, &other, &["40 x 2 changed 1"]),
        (third, &[], &[]),
        (apart, &[], &["40 x 2 withdrawn 2"]),
    ];
    for (number, (interval, found, expected)) in steps.iter().enumerate() {
        let end = store.reader().outbox_end().unwrap();
        over(&mut store, *interval, found);
        assert_eq!(told(&store, end), *expected, "step {number}");
    }
    // One that is kept for an analyst stands without its run.
    over(&mut store, [50, 60], &one);
    store.remove_before(Moment(61 * 3600)).unwrap();
    let end = store.reader().outbox_end().unwrap();
    over(&mut store, [70, 80], &one);
    over(&mut store, [70, 80], &[]);
    assert_eq!(told(&store, end), ["80 x 1 new -"]);
}

/// Whatever runs find, whoever follows the outbox knows the contents that are found.
#[test]
fn whoever_follows_knows_what_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut random = fastrand::Rng::with_seed(11);
    // Some overlap, and some of these overlap others.
    let runs: Vec<[i64; 2]> = (6..14).map(|to| [to - random.i64(1..6), to]).collect();
    let overlap = |a: &[i64; 2], b: &[i64; 2]| a[0] < b[1] && b[0] < a[1];
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    let (mut seq, mut changed, mut again, mut withdrawn) = (0, 0, 0, 0);
    for _ in 0..400 {
        let this = random.choice(&runs).unwrap();
        let ids = (0..6).filter(|_| random.bool()).collect::<Vec<u32>>();
        let found: Vec<FindingRecord> = ids
            .into_iter()
            .map(|id| {
                let (id, hash) = (id.to_string(), random.u32(0..3).to_string());
                let is_hidden = random.u32(0..6) == 0;
                if is_hidden { hidden(&id, &hash) } else { finding(&id, &hash) }
            })
            .collect();
        over(&mut store, *this, &found);
        let rows = store.reader().findings(Moment(0)).unwrap();
        let is_found = |row: &&StoredFinding| {
            row.state != FindingState::Withdrawn && row.finding.suppressed_by.is_none()
        };
        let content = |row: &StoredFinding| (row.finding.id.clone(), row.finding.hash.clone());
        for entry in store.reader().outbox_after(seq, 100).unwrap() {
            assert!(entry.seq > seq);
            seq = entry.seq;
            let told = (entry.id.clone(), entry.finding.hash);
            if let Some(hash) = entry.replaced {
                assert!(known.remove(&(entry.id, hash)), "{told:?}");
            }
            if entry.state == FindingState::Withdrawn {
                withdrawn += 1;
                continue;
            }
            // It is told again only if no run over an interval that overlaps has it.
            let is_near = |row: &StoredFinding| {
                let of_row = runs.iter().find(|run| run[1] * 3600 == row.nominal.0).unwrap();
                row.nominal != entry.nominal && overlap(of_row, this) && content(row) == told
            };
            assert!(!rows.iter().filter(is_found).any(is_near), "{told:?}");
            again += u32::from(!known.insert(told));
            changed += u32::from(entry.state == FindingState::Changed);
        }
        let expected: BTreeSet<_> = rows.iter().filter(is_found).map(content).collect();
        assert_eq!(known, expected);
    }
    let counts = [changed, again, withdrawn];
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
}

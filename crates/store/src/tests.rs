//! What the store keeps, refuses, and does twice without harm.

use spilltrail_schedule::{
    Changes, Interval, Missed, Mode, Moment, Priority, Reason, ScheduleSpec, Throttle,
    ThrottleState, Window,
};

use crate::*;

fn spec() -> ScheduleSpec {
    ScheduleSpec {
        cron: "0 * * * *".into(),
        zone: "UTC".into(),
        earliest: "-70m@m".into(),
        latest: "-10m@m".into(),
        window: Window::Minutes(5),
        mode: Mode::Continuous,
        priority: Priority::Default,
    }
}

fn schedule(id: &str, is_enabled: bool) -> ScheduleRecord {
    ScheduleRecord { id: id.into(), spec: spec(), is_enabled, is_overridden: false }
}

fn run(nominal: i64, attempt: u32, status: Status) -> RunRecord {
    RunRecord {
        schedule: "a".into(),
        nominal: Moment(nominal),
        attempt,
        status,
        interval: Interval { from: Moment(nominal - 4200), to: Moment(nominal - 600) },
        indexes: vec!["main".into()],
        seen: 10 + u64::from(attempt),
        reason: None,
        started: Moment(nominal + 3),
        took: 1500,
        cost: Some(r#"{"cpu":1}"#.into()),
    }
}

fn finding(id: &str, hash: &str) -> FindingRecord {
    FindingRecord {
        id: id.into(),
        time: Some(1.5),
        entity: Some("alice".into()),
        score: Some(80.0),
        severity: None,
        hash: hash.into(),
        body: format!(r#"{{"hash":"{hash}"}}"#),
    }
}

/// Returns an empty store with the schedule `a`, which is enabled at 0.
fn store(folder: &tempfile::TempDir) -> Store {
    let mut store = Store::open(&folder.path().join("store.sqlite")).unwrap();
    store.set_schedule(&schedule("a", true), Moment(0)).unwrap();
    store
}

fn done(store: &Store) -> Moment {
    store.reader().schedules().unwrap()[0].done
}

/// Returns the findings as `id state hash attempt`.
fn findings(store: &Store) -> Vec<String> {
    let name = |found: &StoredFinding| {
        let StoredFinding { finding, state, attempt, .. } = found;
        format!("{} {} {} {attempt}", finding.id, state.name(), finding.hash)
    };
    store.reader().findings(Moment(0)).unwrap().iter().map(name).collect()
}

#[test]
fn a_run_is_stored_with_all_that_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let throttle = Throttle::new(vec!["user".into()], "1h").unwrap();
    let mut state = ThrottleState::default();
    throttle.decide(&mut state, Moment(3600), &[throttle.key([None])]);
    let first = run(3600, 1, Status::Done);
    let found = [finding("x", "1"), finding("y", "1")];
    let stored = store.finish_run(&first, &found, Some(&state)).unwrap();
    let new = vec!["x".to_owned(), "y".to_owned()];
    assert_eq!(stored, Finished::Stored(Changes { new, ..Changes::default() }));
    // The same attempt changes nothing, whatever it says now.
    assert_eq!(store.finish_run(&first, &[], None).unwrap(), Finished::Already);
    drop(store);
    let reader = StoreReader::open(&folder.path().join("store.sqlite")).unwrap();
    let schedules = reader.schedules().unwrap();
    let schedule = schedule("a", true);
    assert_eq!(schedules, [StoredSchedule { schedule, done: Moment(3600) }]);
    assert_eq!(reader.throttle("a").unwrap(), state);
    assert_eq!(reader.throttle("b").unwrap(), ThrottleState::default());
    let runs = reader.runs(Moment(0)).unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].status, runs[0].seen, runs[0].took), (Status::Done, Some(11), Some(1500)));
    assert_eq!((runs[0].first, runs[0].firings), (Moment(3600), 1));
    assert_eq!(
        (runs[0].interval, runs[0].cost.as_deref()),
        (Some(first.interval), first.cost.as_deref())
    );
    let covered = reader.covered(Moment(0)).unwrap();
    assert_eq!((covered[0].seen, &covered[0].indexes), (11, &first.indexes));
    let findings = reader.findings(Moment(0)).unwrap();
    assert_eq!(findings[0].finding, finding("x", "1"));
    assert_eq!(reader.findings(Moment(3601)).unwrap(), []);
}

#[test]
fn what_runs_again_replaces_its_findings() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    store
        .finish_run(&run(3600, 1, Status::Done), &[finding("x", "1"), finding("y", "1")], None)
        .unwrap();
    store.finish_run(&run(7200, 1, Status::Done), &[finding("x", "1")], None).unwrap();
    let late = run(3600, 2, Status::Late);
    store.finish_run(&late, &[finding("y", "2"), finding("z", "1")], None).unwrap();
    // The finding of the other run is another one, though its id is the same.
    let expected = ["x withdrawn 1 2", "y changed 2 2", "z new 1 2", "x new 1 1"];
    assert_eq!(findings(&store), expected);
    assert_eq!(done(&store), Moment(7200));
    // What is as it was keeps its state, and what comes back is new.
    let late = run(3600, 3, Status::Late);
    let changes = store.finish_run(&late, &[finding("x", "1"), finding("y", "2")], None).unwrap();
    let list = |id: &str| vec![id.to_owned()];
    let expected =
        Changes { new: list("x"), changed: vec![], withdrawn: list("z"), same: list("y") };
    assert_eq!(changes, Finished::Stored(expected));
    let expected = ["x new 1 3", "y changed 2 2", "z withdrawn 1 3", "x new 1 1"];
    assert_eq!(findings(&store), expected);
    assert_eq!(store.reader().next_attempt("a", Moment(3600)).unwrap(), 4);
    assert_eq!(store.reader().next_attempt("a", Moment(1)).unwrap(), 1);
}

#[test]
fn only_what_is_over_moves_the_schedule_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    store.finish_run(&run(3600, 1, Status::Failed), &[], None).unwrap();
    assert_eq!((done(&store), store.reader().covered(Moment(0)).unwrap().len()), (Moment(0), 0));
    store.finish_run(&run(3600, 2, Status::Skipped), &[], None).unwrap();
    assert_eq!(done(&store), Moment(3600));
    let missed = |first: i64, last: i64, reason| Missed {
        schedule: "a".into(),
        first: Moment(first),
        last: Moment(last),
        firings: 3,
        interval: Some(Interval { from: Moment(0), to: Moment(9) }),
        reason,
    };
    let gap = missed(7200, 14_400, Reason::BeyondLookBack);
    for _ in 0..2 {
        store.record_missed(&gap).unwrap();
    }
    store.record_missed(&missed(18_000, 18_000, Reason::Superseded)).unwrap();
    assert_eq!(done(&store), Moment(18_000));
    let runs = store.reader().runs(Moment(0)).unwrap();
    let statuses: Vec<Status> = runs.iter().map(|run| run.status).collect();
    assert_eq!(statuses, [Status::Failed, Status::Skipped, Status::Gap, Status::Skipped]);
    assert_eq!((runs[2].first, runs[2].firings, runs[2].seen), (Moment(7200), 3, None));
    assert_eq!(runs[2].reason.as_deref(), Some("they are longer ago than the look-back"));
}

#[test]
fn a_schedule_begins_when_it_is_enabled() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut set = |is_enabled, now| {
        store.set_schedule(&schedule("a", is_enabled), Moment(now)).unwrap();
        done(&store)
    };
    assert_eq!(set(true, 100), Moment(0));
    assert_eq!(set(false, 200), Moment(0));
    assert_eq!(set(true, 300), Moment(300));
    // The clock was set back meanwhile.
    assert_eq!(set(false, 10), Moment(300));
    assert_eq!(set(true, 20), Moment(300));
    store.remove_schedule("a").unwrap();
    assert_eq!(store.reader().schedules().unwrap(), []);
}

#[test]
fn what_cannot_be_stored_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let twice = [finding("x", "1"), finding("x", "2")];
    let one = [finding("x", "1")];
    let nobody = RunRecord { schedule: "b".into(), ..run(3600, 1, Status::Done) };
    for (run, findings, expected) in [
        (run(3600, 1, Status::Done), &twice[..], "the run has two findings with the id `x`"),
        (run(3600, 1, Status::Failed), &one[..], "a run with the status `failed` has no findings"),
        (nobody, &one[..], "there is no schedule `b` in the store"),
    ] {
        let error = store.finish_run(&run, findings, None).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert!(store.remove_schedule("b").is_err());
    assert_eq!(store.reader().runs(Moment(i64::MIN)).unwrap(), []);
    assert_eq!((findings(&store).len(), done(&store)), (0, Moment(0)));
}

#[test]
fn what_is_old_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    for hour in 1..=4 {
        store.finish_run(&run(hour * 3600, 1, Status::Done), &[finding("x", "1")], None).unwrap();
    }
    assert_eq!(store.remove_before(Moment(3 * 3600)).unwrap(), 2);
    assert_eq!(store.reader().runs(Moment(0)).unwrap().len(), 2);
    assert_eq!((findings(&store).len(), done(&store)), (2, Moment(4 * 3600)));
}

#[test]
fn files_that_are_no_store_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let open = || Store::open(&path).map(drop).unwrap_err().to_string();
    let read = || StoreReader::open(&path).map(drop).unwrap_err().to_string();
    let store = Store::open(&path).unwrap();
    assert!(open().contains("another process writes to"), "{}", open());
    drop(store);
    let change = |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    change("PRAGMA user_version = 99");
    assert!(open().contains("its form is 99, and this version knows those up to 1"), "{}", open());
    assert!(read().contains("its form is 99"), "{}", read());
    change("PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert!(open().contains("the database of another program"), "{}", open());
    std::fs::remove_file(&path).unwrap();
    assert!(read().contains("cannot open"), "{}", read());
    // Another program's file has no mark, and is left as it is.
    change("CREATE TABLE t (x)");
    let before = std::fs::read(&path).unwrap();
    assert!(open().contains("the database of another program"), "{}", open());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "no database, but a text that is long enough to be none").unwrap();
    assert!(open().contains("cannot open"), "{}", open());
}

/// A process that is killed while it makes the file leaves one that can be opened.
#[test]
fn a_file_that_is_half_made_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    drop(Store::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let half =
        "DROP TABLE runs; DROP TABLE findings; DROP TABLE schedules; PRAGMA user_version = 0";
    connection.execute_batch(half).unwrap();
    drop(connection);
    store(&folder).finish_run(&run(3600, 1, Status::Done), &[], None).unwrap();
}

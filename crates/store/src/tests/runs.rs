//! Runs: what is stored of them, and how one replaces another.

use spilltrail_schedule::{Changes, Interval, Missed, Moment, Reason, Throttle, ThrottleState};

use super::{file, finding, finish, run, schedule, store};
use crate::*;

/// Stores a run that found nothing.
fn end(store: &mut Store, run: &RunRecord) {
    store.finish_run(&Outcome { run, findings: &[], throttle: None, hits: &[] }).unwrap();
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
    let stored = store
        .finish_run(&Outcome { run: &first, findings: &found, throttle: Some(&state), hits: &[] })
        .unwrap();
    let new = vec!["x".to_owned(), "y".to_owned()];
    let Finished::Stored { changes, .. } = stored else { panic!("{stored:?}") };
    assert_eq!(changes, Changes { new, ..Changes::default() });
    // The same attempt changes nothing, whatever it says now.
    assert_eq!(
        store
            .finish_run(&Outcome { run: &first, findings: &[], throttle: None, hits: &[] })
            .unwrap(),
        Finished::Already
    );
    drop(store);
    let reader = StoreReader::open(&file(&folder)).unwrap();
    let schedules = reader.schedules().unwrap();
    let schedule = schedule("a", true);
    assert_eq!(schedules, [StoredSchedule { schedule, done: Moment(3600), seam: None }]);
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
    finish(&mut store, 3600, 1, &[finding("x", "1"), finding("y", "1")]);
    finish(&mut store, 7200, 1, &[finding("x", "1")]);
    finish(&mut store, 3600, 2, &[finding("y", "2"), finding("z", "1")]);
    // The finding of the other run is another one, though its id is the same.
    let expected = ["x withdrawn 1 2", "y changed 2 2", "z new 1 2", "x new 1 1"];
    assert_eq!(findings(&store), expected);
    assert_eq!(done(&store), Moment(7200));
    // What is as it was keeps its state, and what comes back is new.
    let late = run(3600, 3, Status::Late);
    let changes = {
        let findings = &[finding("x", "1"), finding("y", "2")];
        store.finish_run(&Outcome { run: &late, findings, throttle: None, hits: &[] }).unwrap()
    };
    let list = |id: &str| vec![id.to_owned()];
    let expected =
        Changes { new: list("x"), changed: vec![], withdrawn: list("z"), same: list("y") };
    let Finished::Stored { changes, .. } = changes else { panic!("{changes:?}") };
    assert_eq!(changes, expected);
    let expected = ["x new 1 3", "y changed 2 2", "z withdrawn 1 3", "x new 1 1"];
    assert_eq!(findings(&store), expected);
    assert_eq!(store.reader().next_attempt("a", Moment(3600)).unwrap(), 4);
    assert_eq!(store.reader().next_attempt("a", Moment(1)).unwrap(), 1);
}

fn missed(first: i64, last: i64, reason: Reason) -> Missed {
    Missed {
        schedule: "a".into(),
        first: Moment(first),
        last: Moment(last),
        firings: 3,
        interval: Some(Interval { from: Moment(0), to: Moment(9) }),
        reason,
    }
}

#[test]
fn only_what_is_over_moves_the_schedule_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    end(&mut store, &run(3600, 1, Status::Failed));
    assert_eq!((done(&store), store.reader().covered(Moment(0)).unwrap().len()), (Moment(0), 0));
    end(&mut store, &run(3600, 2, Status::Skipped));
    assert_eq!(done(&store), Moment(3600));
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
fn a_schedule_begins_when_it_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut set = |is_enabled, now| {
        store.set_schedule(&schedule("a", is_enabled), None, Moment(now)).unwrap();
        done(&store)
    };
    assert_eq!(set(true, 100), Moment(0));
    assert_eq!(set(false, 200), Moment(0));
    // What nobody looked at meanwhile is due.
    assert_eq!(set(true, 300), Moment(0));
}

/// What ran when the clock was wrong has looked at nothing.
#[test]
fn a_schedule_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    for nominal in [3600, 7200, 900_000] {
        end(&mut store, &run(nominal, 1, Status::Done));
    }
    store.record_missed(&missed(500_000, 800_000, Reason::BeyondLookBack)).unwrap();
    assert_eq!(done(&store), Moment(900_000));
    assert_eq!(store.take_back("a", Moment(9000)).unwrap(), Moment(7200));
    assert_eq!(done(&store), Moment(7200));
    let left: Vec<i64> =
        store.reader().runs(Moment(0)).unwrap().iter().map(|run| run.nominal.0).collect();
    assert_eq!(left, [3600, 7200]);
    let error = store.take_back("b", Moment(9000)).unwrap_err().to_string();
    assert_eq!(error, "there is no schedule `b` in the store");
}

/// Until a run has looked at what is before the events of a changed schedule, no change forgets it.
#[test]
fn a_seam_stays_until_a_run_has_looked_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let seam = |store: &Store| store.reader().schedules().unwrap()[0].seam.map(|seam| seam.0);
    let mut set = |seam_at: Option<i64>| {
        store.set_schedule(&schedule("a", true), seam_at.map(Moment), Moment(5)).unwrap();
        seam(&store)
    };
    assert_eq!(set(None), None);
    assert_eq!(set(Some(900)), Some(900));
    assert_eq!(set(Some(1800)), Some(900));
    assert_eq!(set(Some(600)), Some(600));
    assert_eq!(set(None), Some(600));
    let mut finish = |nominal, status| {
        let run = run(nominal, 1, status);
        let outcome = Outcome { run: &run, findings: &[], throttle: None, hits: &[] };
        store.finish_run(&outcome).unwrap();
        seam(&store)
    };
    // One that failed, and one that ran again, are not the next one.
    assert_eq!(finish(3600, Status::Failed), Some(600));
    assert_eq!(finish(0, Status::Late), Some(600));
    assert_eq!(finish(5400, Status::Skipped), Some(600));
    assert_eq!(finish(7200, Status::Done), None);
    store.set_schedule(&schedule("a", true), Some(Moment(7000)), Moment(5)).unwrap();
    store.record_missed(&missed(10_800, 14_400, Reason::BeyondLookBack)).unwrap();
    assert_eq!(seam(&store), None);
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
        let outcome = Outcome { run: &run, findings, throttle: None, hits: &[] };
        let error = store.finish_run(&outcome).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(store.reader().runs(Moment(i64::MIN)).unwrap(), []);
    assert_eq!((findings(&store).len(), done(&store)), (0, Moment(0)));
}

#[test]
fn what_is_old_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    for hour in 1..=4 {
        finish(&mut store, hour * 3600, 1, &[finding("x", "1")]);
    }
    assert_eq!(store.remove_before(Moment(3 * 3600)).unwrap(), 2);
    assert_eq!(store.reader().runs(Moment(0)).unwrap().len(), 2);
    assert_eq!((findings(&store).len(), done(&store)), (2, Moment(4 * 3600)));
}

#[test]
fn lists_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    store.set_schedule(&schedule("b", true), None, Moment(0)).unwrap();
    end(&mut store, &run(3600, 1, Status::Failed));
    end(&mut store, &run(3600, 2, Status::Done));
    end(&mut store, &run(7200, 1, Status::Done));
    end(&mut store, &run(3600, 3, Status::Late));
    end(&mut store, &RunRecord { schedule: "b".into(), ..run(3600, 1, Status::Skipped) });
    let missed = Missed {
        schedule: "b".into(),
        first: Moment(7200),
        last: Moment(14_400),
        firings: 3,
        interval: None,
        reason: Reason::BeyondLookBack,
    };
    store.record_missed(&missed).unwrap();
    let shown = |runs: Vec<StoredRun>| -> Vec<String> {
        let line = |run: &StoredRun| format!("{} {} {}", run.schedule, run.nominal.0, run.attempt);
        runs.iter().map(line).collect()
    };
    let all = RunFilter::default();
    let since = RunFilter { since: Some(Moment(3601)), ..RunFilter::default() };
    let after = RunFilter { after: Some((Moment(3600), 3)), ..RunFilter::default() };
    let failed = RunFilter { statuses: vec![Status::Failed], ..RunFilter::default() };
    let two = RunFilter { statuses: vec![Status::Failed, Status::Late], ..RunFilter::default() };
    let list = ["a 7200 1", "a 3600 3", "a 3600 2", "a 3600 1"];
    for (filter, most, expected, more) in [
        (&all, 9, &list[..], false),
        (&all, 4, &list, false),
        (&all, 3, &list[..3], true),
        (&all, 0, &[], true),
        (&since, 9, &list[..1], false),
        (&after, 9, &list[2..], false),
        (&after, 1, &list[2..3], true),
        // The status is asked for among all of them, and not only among those that are read.
        (&failed, 1, &list[3..], false),
        (&two, 1, &list[1..2], true),
    ] {
        let found = store.reader().runs_of("a", filter, most).unwrap();
        assert_eq!(found.more, more, "{filter:?} {most}");
        assert_eq!(shown(found.rows), expected, "{filter:?} {most}");
    }
    assert_eq!(shown(store.reader().last_runs().unwrap()), ["a 7200 1", "b 14400 0"]);
    let counts = |schedule: &str, [done, late, failed, skipped, gap]: [u64; 5]| RunCounts {
        schedule: schedule.into(),
        done,
        late,
        failed,
        skipped,
        gap,
        doubtful: 0,
    };
    let (a, b) = (counts("a", [2, 1, 1, 0, 0]), counts("b", [0, 0, 0, 1, 3]));
    assert_eq!(store.reader().run_counts(Moment(0)).unwrap(), [a, b]);
    let (a, b) = (counts("a", [1, 0, 0, 0, 0]), counts("b", [0, 0, 0, 0, 3]));
    assert_eq!(store.reader().run_counts(Moment(7200)).unwrap(), [a, b]);
    let reason = Some("events are missing".to_owned());
    end(&mut store, &RunRecord { reason, ..run(10_800, 1, Status::Done) });
    assert_eq!(store.reader().run_counts(Moment(10_000)).unwrap()[0].doubtful, 1);
}

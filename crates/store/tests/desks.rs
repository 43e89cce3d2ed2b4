//! Several desks and a store write to the same file; a desk that is killed changes all findings of a call
//! or none.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spilltrail_schedule::{Interval, Mode, Moment, Priority, ScheduleSpec, Window};
use spilltrail_store::{
    AllowRule, Change, Desk, FindingRecord, MOST_HISTORY, Outcome, Override, RunRecord,
    ScheduleRecord, Status, Store, StoreReader, TriageStatus,
};

/// Tells the process of a test that it is the one to be killed, and where its store is.
const VARIABLE: &str = "SPILLTRAIL_TEST_DESK";

/// How many of the statuses, from the first one on, are those of open findings: runs find again what is here,
/// and would open others.
const OPEN: usize = 3;

/// How many findings each run has.
const FINDINGS: usize = 8;

fn ids() -> Vec<String> {
    (0..FINDINGS).map(|number| format!("finding {number}")).collect()
}

fn store(path: &Path) -> Store {
    let spec = ScheduleSpec {
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        earliest: "-1m".into(),
        latest: "now".into(),
        window: Window::None,
        mode: Mode::Continuous,
        priority: Priority::Default,
    };
    let mut store = Store::open(path).unwrap();
    let (id, is_enabled, stated) = ("a".to_owned(), true, None);
    let schedule = ScheduleRecord { id, spec, is_enabled, stated };
    store.set_schedule(&schedule, None, Moment(0)).unwrap();
    store
}

fn finish(store: &mut Store, nominal: i64) {
    let finding = |id| FindingRecord {
        id,
        is_notable: true,
        hash: nominal.to_string(),
        body: "{}".into(),
        ..FindingRecord::default()
    };
    let findings: Vec<FindingRecord> = ids().into_iter().map(finding).collect();
    let run = RunRecord {
        schedule: "a".into(),
        nominal: Moment(nominal),
        attempt: 1,
        status: Status::Done,
        interval: Interval { from: Moment(nominal - 1), to: Moment(nominal) },
        indexes: vec![],
        seen: 0,
        reason: None,
        started: Moment(nominal),
        took: 0,
        cost: None,
    };
    let outcome = Outcome { run: &run, findings: &findings, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
}

/// Changes the status of all findings in one call.
fn change(desk: &mut Desk, round: i64) {
    let status = Some(TriageStatus::ALL[usize::try_from(round).unwrap() % OPEN]);
    let comment = Some(round.to_string());
    let change = Change { status, comment, ..Change::default() };
    assert_eq!(desk.change(&ids(), &change, "ann", Moment(round)).unwrap(), FINDINGS);
}

#[test]
fn desks_and_a_store_write_at_the_same_time() {
    const ROUNDS: i64 = 40;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = store(&path);
    finish(&mut store, 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut desk = Desk::open(&path).unwrap();
                for round in 0..ROUNDS {
                    change(&mut desk, round);
                    let id = desk.add_allow(&AllowRule::default(), Moment(round)).unwrap();
                    desk.remove_allow(id, Moment(round)).unwrap();
                    desk.set_override("a", &Override::default(), "ann", Moment(round)).unwrap();
                }
            });
        }
        for nominal in 2..=ROUNDS {
            finish(&mut store, nominal);
        }
    });
    let reader = store.reader();
    let changes = reader.changed().unwrap();
    assert_eq!((changes.triage, changes.allow, changes.overrides), (120, 240, 120));
    for id in ids() {
        let details = reader.finding(&id).unwrap().unwrap();
        assert_eq!((details.history.len(), details.listed.runs), (120, 40));
    }
    assert_eq!(reader.allow_list(true).unwrap().len(), 120);
    assert_eq!(reader.outbox_end().unwrap(), 40 * FINDINGS as u64);
}

/// Changes all findings whenever a line is read, and prints each change that is stored.
fn change_when_told(path: &Path) {
    let mut desk = Desk::open(path).unwrap();
    let begin = desk.reader().changed().unwrap().triage as i64;
    for (round, line) in (begin..).zip(std::io::stdin().lines()) {
        line.unwrap();
        change(&mut desk, round);
        let mut out = std::io::stdout().lock();
        writeln!(out, "changed {}", round + 1).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_desk_is_killed_at_any_moment() {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return change_when_told(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut random = fastrand::Rng::with_seed(3);
    let (mut nominal, mut told) = (0, 0);
    let mut store = store(&path);
    for round in 0..8 {
        nominal += 1;
        finish(&mut store, nominal);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["a_desk_is_killed_at_any_moment", "--exact", "--nocapture"])
            .env(VARIABLE, &path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut input = child.stdin.take().unwrap();
        for _ in 0..random.u32(1..20) {
            // Both write at the same time.
            writeln!(input).unwrap();
            nominal += 1;
            finish(&mut store, nominal);
            let line =
                lines.find_map(|line| Some(line.unwrap().split_once("changed ")?.1.to_owned()));
            told = line.unwrap().trim().parse::<usize>().unwrap();
        }
        writeln!(input).unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(0..8000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let reader = StoreReader::open(&path).unwrap();
        let count = reader.changed().unwrap().triage as usize;
        assert!(told <= count, "round {round}: change {told} is lost, {count} is the last");
        for id in ids() {
            // All of them have been changed as often, and are what the last change says.
            let details = reader.finding(&id).unwrap().unwrap();
            assert_eq!(details.history.len(), count.min(MOST_HISTORY), "round {round}");
            let last = details.history.iter().find_map(|entry| entry.comment.clone()).unwrap();
            assert_eq!(last, (count - 1).to_string(), "round {round}");
            let expected = TriageStatus::ALL[(count - 1) % OPEN];
            assert_eq!(details.listed.triage.status, expected, "round {round}");
            assert_eq!(details.listed.runs, nominal as u64, "round {round}");
        }
    }
    assert!(told > 40, "{told}");
}

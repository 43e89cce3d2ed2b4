//! A process that is killed at any moment loses no run that it told of, and stores none in part; what a
//! user changes meanwhile stays.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spilltrail_schedule::{
    Interval, Mode, Moment, Priority, ScheduleSpec, Throttle, ThrottleState, Window,
};
use spilltrail_store::{
    Change, DeliveryFilter, Desk, FindingRecord, Finished, Outcome, RiskFilter, RiskRecord,
    RunRecord, ScheduleRecord, Status, Store, StoreReader,
};

/// Tells the process of a test that it is the one to be killed, and where its store is.
const VARIABLE: &str = "SPILLTRAIL_TEST_STORE";

/// The findings of each run.
const FINDINGS: usize = 5;

/// Finishes runs for ever, one a second of nominal time, and prints each that is stored.
fn run_for_ever(path: &Path) {
    let mut store = Store::open(path).unwrap();
    let spec = ScheduleSpec {
        cron: "* * * * *".into(),
        zone: "UTC".into(),
        earliest: "-1m".into(),
        latest: "now".into(),
        window: Window::None,
        mode: Mode::Continuous,
        priority: Priority::Default,
    };
    let (id, is_enabled, stated) = ("a".to_owned(), true, None);
    let schedule = ScheduleRecord { id, spec, is_enabled, stated };
    store.set_schedule(&schedule, None, Moment(0)).unwrap();
    let throttle = Throttle::new(vec![], "1s").unwrap();
    loop {
        let nominal = store.reader().schedules().unwrap()[0].done.plus(1);
        let mut state = store.reader().throttle("a").unwrap();
        throttle.decide(&mut state, nominal, &[throttle.key([])]);
        let finding = |number: usize| FindingRecord {
            id: number.to_string(),
            hash: nominal.0.to_string(),
            body: "{}".into(),
            risks: vec![RiskRecord { object: "alice".into(), score: 1.0, ..RiskRecord::default() }],
            ..FindingRecord::default()
        };
        let run = RunRecord {
            schedule: "a".into(),
            nominal,
            attempt: 1,
            status: Status::Done,
            interval: Interval { from: nominal.plus(-1), to: nominal },
            indexes: vec![],
            seen: 0,
            reason: None,
            started: nominal,
            took: 0,
            cost: None,
        };
        let findings: Vec<FindingRecord> = (0..FINDINGS).map(finding).collect();
        let outcome = Outcome { run: &run, findings: &findings, throttle: Some(&state), hits: &[] };
        let finished = store.finish_run(&outcome).unwrap();
        assert!(matches!(finished, Finished::Stored { .. }));
        let position = store.reader().outputs().unwrap().first().map_or(0, |(_, seq)| *seq);
        let entries = store.reader().outbox_after(position, 100).unwrap();
        let entries: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
        let end = store.reader().outbox_end().unwrap();
        assert!(store.queue("hook", end, &entries, nominal).unwrap());
        let mut out = std::io::stdout().lock();
        writeln!(out, "stored {}", nominal.0).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn killed_at_any_moment() {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return run_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut random = fastrand::Rng::with_seed(42);
    let (mut told, mut comments) = (0, 0);
    for round in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed_at_any_moment", "--exact", "--nocapture"])
            .env(VARIABLE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut left, wait) = (random.u32(1..60), random.u64(0..5000));
        for line in lines {
            if let Some(nominal) = line.unwrap().split("stored ").nth(1) {
                told = nominal.trim().parse::<i64>().unwrap();
                left = left.saturating_sub(1);
                if left % 16 == 3 {
                    comment(&path, told);
                    comments += 1;
                }
            }
            if left == 0 {
                std::thread::sleep(Duration::from_micros(wait));
                let _ = child.kill();
            }
        }
        child.wait().unwrap();
        let reader = StoreReader::open(&path).unwrap();
        let done = reader.schedules().unwrap()[0].done.0;
        assert!(told <= done, "round {round}: run {told} is lost, {done} is the last");
        // Each run is there once, with all that belongs to it.
        let runs: Vec<i64> =
            reader.runs(Moment(0)).unwrap().iter().map(|run| run.nominal.0).collect();
        assert_eq!(runs, (1..=done).collect::<Vec<_>>(), "round {round}");
        let findings = reader.findings(Moment(0)).unwrap();
        assert_eq!(findings.len(), runs.len() * FINDINGS, "round {round}");
        let throttle = Throttle::new(vec![], "1s").unwrap();
        let mut expected = ThrottleState::default();
        for nominal in runs {
            throttle.decide(&mut expected, Moment(nominal), &[throttle.key([])]);
        }
        assert_eq!(reader.throttle("a").unwrap(), expected, "round {round}");
        check_outbox(&reader, done);
        for finding in ids() {
            let history = reader.history(&finding).unwrap().rows;
            assert_eq!(history.len(), comments, "round {round}, finding {finding}");
        }
        // Each run counts: their intervals are apart.
        let risk =
            reader.risk(Moment(0), Moment(i64::MAX), &RiskFilter::default(), 9).unwrap().rows;
        let expected = (FINDINGS as i64 * done) as f64;
        assert_eq!((risk.len(), risk[0].score), (1, expected), "round {round}");
        assert_eq!((risk[0].first, risk[0].last), (1.0, done as f64), "round {round}");
    }
    assert!(told > 100 && comments > 10, "{told} {comments}");
}

fn ids() -> Vec<String> {
    (0..FINDINGS).map(|number| number.to_string()).collect()
}

/// Comments on all findings, in this process, while the other one stores runs.
fn comment(path: &Path, told: i64) {
    let mut desk = Desk::open(path).unwrap();
    let comment = Some(format!("seen at {told}"));
    let change = Change { comment, ..Change::default() };
    assert_eq!(desk.change(&ids(), &change, "ann", Moment(told)).unwrap(), FINDINGS);
}

/// Each finding of each run is told once, in order, and queued once if the output has come so far.
fn check_outbox(reader: &StoreReader, done: i64) {
    let (mut told, mut seq) = (Vec::new(), 0);
    loop {
        let entries = reader.outbox_after(seq, 500).unwrap();
        let Some(last) = entries.last() else { break };
        seq = last.seq;
        told.extend(entries.into_iter().map(|entry| (entry.seq, entry.nominal.0, entry.id)));
    }
    let found: Vec<(i64, &str)> =
        told.iter().map(|(_, nominal, id)| (*nominal, id.as_str())).collect();
    let ids = ids();
    let of_run = |nominal| ids.iter().map(move |id| (nominal, id.as_str()));
    assert_eq!(found, (1..=done).flat_map(of_run).collect::<Vec<_>>());
    let position = reader.outputs().unwrap().first().map_or(0, |(_, position)| *position);
    let (mut queued, mut after) = (Vec::new(), None);
    loop {
        let filter = DeliveryFilter { after, ..DeliveryFilter::default() };
        let deliveries = reader.deliveries(&filter, 500).unwrap().rows;
        let Some(last) = deliveries.last() else { break };
        after = Some((last.seq, last.output.clone()));
        queued.extend(deliveries.into_iter().map(|delivery| delivery.seq));
    }
    queued.reverse();
    let expected: Vec<u64> =
        told.iter().map(|(seq, ..)| *seq).filter(|seq| *seq <= position).collect();
    assert_eq!(queued, expected);
}

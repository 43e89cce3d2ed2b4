//! Commands on what a server has stored: findings, and what it sends to its outputs.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;

use spilltrail_schedule::{Interval, Mode, Moment, Priority, ScheduleSpec, Window};
use spilltrail_store::{
    Attempt, AttemptEnd, FindingRecord, Outcome, RunRecord, ScheduleRecord, Status, Store,
};

use crate::fixture::Fixture;

const NOMINAL: Moment = Moment(3600);

/// Makes a store with three findings, of which the output `chat` has one, refused one, and waits for one.
fn three(file: &Path) {
    let mut store = Store::open(file).unwrap();
    let spec = ScheduleSpec {
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        earliest: "-1h".to_owned(),
        latest: "now".to_owned(),
        window: Window::Minutes(0),
        mode: Mode::Continuous,
        priority: Priority::Default,
    };
    let schedule = ScheduleRecord { id: "keys".to_owned(), spec, is_enabled: true, stated: None };
    store.set_schedule(&schedule, None, Moment(0)).unwrap();
    let run = RunRecord {
        schedule: "keys".to_owned(),
        nominal: NOMINAL,
        attempt: 1,
        status: Status::Done,
        interval: Interval { from: Moment(0), to: NOMINAL },
        indexes: Vec::new(),
        seen: 0,
        reason: None,
        started: NOMINAL,
        took: 1,
        cost: None,
    };
    let finding = |id: &str| FindingRecord {
        id: id.to_owned(),
        name: "Keys Made".to_owned(),
        entity: Some("arn:aws:iam::111122223333:user/ann".to_owned()),
        is_notable: true,
        body: "{}".to_owned(),
        ..FindingRecord::default()
    };
    let findings = ["aaaaaaaa1", "bbbbbbbb1", "cccccccc1"].map(finding);
    let outcome = Outcome { run: &run, findings: &findings, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
    store.queue("chat", 3, &[1, 2, 3], NOMINAL).unwrap();
    let refused = AttemptEnd::GivenUp { error: "the address does not answer".to_owned() };
    for (number, status, end) in [(1, Some(200), AttemptEnd::Done), (2, Some(404), refused)] {
        store.begin_attempt("chat", number, NOMINAL, NOMINAL).unwrap();
        store.record_attempt("chat", number, &Attempt { time: NOMINAL, status, end }).unwrap();
    }
}

#[test]
fn deliveries_are_listed_and_made_again() {
    let fixture = Fixture::empty();
    std::fs::create_dir(fixture.path("data")).unwrap();
    three(&fixture.path("data/findings.sqlite"));
    let run = |arguments: &[&str], expected: i32| {
        let run = fixture.run_builtin(&[&["deliveries"], arguments, &["--data", "data"]].concat());
        assert_eq!(run.status, expected, "{arguments:?}: {}", run.err);
        run
    };
    let states = |arguments: &[&str]| -> Vec<String> {
        let rows = run(&[&["list"], arguments].concat(), 0).lines();
        let line = |row: &serde_json::Value| {
            format!("{} {} {} {}", row["number"], row["state"], row["status"], row["error"])
        };
        rows.iter().map(|row| line(row).replace('"', "")).collect()
    };
    let refused = "2 dead 404 the address does not answer";
    assert_eq!(states(&[]), ["3 waiting null null", refused, "1 done 200 null"]);
    assert_eq!(states(&["--state", "dead", "--output", "chat"]), [refused]);
    assert_eq!(states(&["--finding", "bbbbbbbb"]), [refused]);
    let first = run(&["list", "--limit", "1"], 0);
    assert!(first.err.contains("these are the newest 1"), "{}", first.err);
    run(&["repeat", "chat", "--dead"], 0);
    assert_eq!(states(&["--state", "dead"]), [""; 0]);
    run(&["repeat", "chat", "1"], 0);
    assert_eq!(states(&["--state", "waiting"]).len(), 3);
    let none = run(&["repeat", "chat", "--dead"], 0);
    assert!(none.err.contains("no delivery to `chat` was given up"), "{}", none.err);
    for (arguments, expected) in [
        (&["list", "--output", "chta"][..], "there is no output `chta`: expected one of chat"),
        (&["repeat", "chta", "1"], "there is no output `chta`"),
        (&["repeat", "chat", "9"], "9"),
        (&["repeat", "chat"], "<NUMBER>"),
        (&["list", "--state", "lost"], "expected one of waiting, done, dead"),
        (&["list", "--finding", "ffffffff"], "no finding has the id"),
    ] {
        let told = run(arguments, 2).err;
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
}

/// A list that has nothing says what there is, and an entity may be named as tables show it.
#[test]
fn what_a_list_leaves_out_is_told() {
    let fixture = Fixture::empty();
    std::fs::create_dir(fixture.path("data")).unwrap();
    three(&fixture.path("data/findings.sqlite"));
    for (arguments, expected) in [
        (&["--entity", "user/ann"][..], None),
        (&["--entity", "arn:aws:iam::111122223333:user/ann"], None),
        (&["--entity", "user/nobody"], Some("no finding is like that")),
        (&["--entity", "user/ann", "--owner", "bob"], Some("no finding is like that")),
        (&["--entity", "user/ann", "--status", "closed"], Some("3 other findings are")),
        (&["--detection", "Keyz"], Some("no finding is of a detection called `Keyz`")),
        (&["--detection", "Keys Made"], None),
    ] {
        let list = ["findings", "list", "--data", "data"];
        let run = fixture.run_builtin(&[&list, arguments].concat());
        assert_eq!(run.lines().len(), if expected.is_some() { 0 } else { 3 }, "{arguments:?}");
        assert!(run.err.contains(expected.unwrap_or_default()), "{arguments:?}: {}", run.err);
    }
}

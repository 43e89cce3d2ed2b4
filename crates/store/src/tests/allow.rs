//! The allow-list: entries, and what they hid.

use spilltrail_schedule::Moment;

use super::{file, finding, run, store};
use crate::*;

#[test]
fn entries_that_hide_nothing_are_refused() {
    let rule = || AllowRule {
        detection: "a*".into(),
        conditions: vec![condition("user", "backup")],
        owner: "ops".into(),
        reason: "known".into(),
        starts: Some(Moment(7)),
        expires: Some(Moment(11)),
    };
    let with = |field: &str, value: &str| AllowRule {
        conditions: vec![condition("user", "backup"), condition(field, value)],
        ..rule()
    };
    let now = Moment(10);
    assert_eq!(rule().check(now), Ok(()));
    assert_eq!(AllowRule { expires: None, ..with("a", &"x".repeat(1000)) }.check(now), Ok(()));
    for (rule, expected) in [
        (AllowRule { detection: String::new(), ..rule() }, "the detection of an entry"),
        (with(" ", "x"), "the field of an entry"),
        (with("a", "\t"), "the value of an entry of the allow-list is"),
        (
            AllowRule { conditions: Vec::new(), ..rule() },
            "an entry of the allow-list has 0 conditions",
        ),
        (
            AllowRule { conditions: vec![condition("a", "b"); 21], ..rule() },
            "an entry of the allow-list has 21 conditions",
        ),
        (AllowRule { owner: String::new(), ..rule() }, "the owner of an entry"),
        (AllowRule { reason: String::new(), ..rule() }, "the reason of an entry"),
        (
            AllowRule { reason: "x".repeat(1001), ..rule() },
            "the reason of an entry of the allow-list has 1001",
        ),
        (
            AllowRule { expires: Some(now), ..rule() },
            "the entry would be over already: it expires at 1970-01-01T00:00:10Z",
        ),
        (
            AllowRule { starts: Some(Moment(11)), ..rule() },
            "the entry starts at 1970-01-01T00:00:11Z, but expires at 1970-01-01T00:00:11Z",
        ),
    ] {
        let error = rule.check(now).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

fn condition(field: &str, value: &str) -> AllowCondition {
    AllowCondition { field: field.into(), value: value.into() }
}

fn rule(expires: Option<i64>) -> AllowRule {
    AllowRule {
        detection: "Listing *".into(),
        conditions: vec![condition("src_ip", "10.0.0.0/8"), condition("user", "scan*")],
        owner: "ann".into(),
        reason: "the scanner".into(),
        starts: Some(Moment(15)),
        expires: expires.map(Moment),
    }
}

#[test]
fn entries_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let first = desk.add_allow(&rule(Some(100)), Moment(10)).unwrap();
    let second = desk.add_allow(&rule(None), Moment(11)).unwrap();
    let active = |desk: &Desk, now| -> Vec<i64> {
        let entries = desk.reader().allow_list(true).unwrap();
        entries.iter().filter(|entry| entry.is_active(Moment(now))).map(|entry| entry.id).collect()
    };
    assert_eq!((active(&desk, 99), active(&desk, 100)), (vec![first, second], vec![second]));
    assert_eq!((active(&desk, 14).len(), active(&desk, 15).len()), (0, 2));
    desk.enable_allow(second, false).unwrap();
    assert_eq!(active(&desk, 99), [first]);
    desk.enable_allow(second, true).unwrap();
    desk.remove_allow(second, Moment(20)).unwrap();
    assert_eq!(active(&desk, 99), [first]);
    let listed = desk.reader().allow_list(false).unwrap();
    assert_eq!(
        (listed.len(), &listed[0].rule, listed[0].created),
        (1, &rule(Some(100)), Moment(10))
    );
    for error in [
        desk.remove_allow(second, Moment(30)).unwrap_err(),
        desk.enable_allow(second, true).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), format!("the allow-list has no entry {second}"));
    }
    assert_eq!(desk.reader().changed().unwrap().allow, 5);
    // Nobody names the removed one, but its id is not used again.
    Store::open(&file(&folder)).unwrap().remove_before(Moment(21)).unwrap();
    assert_eq!(desk.reader().allow_list(true).unwrap().len(), 1);
    assert_eq!(desk.add_allow(&rule(None), Moment(40)).unwrap(), second + 1);
}

#[test]
fn what_an_entry_hides_is_stored_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let id = desk.add_allow(&rule(None), Moment(1)).unwrap();
    let hidden = FindingRecord { suppressed_by: Some(id), ..finding("x", "1") };
    let mut finish = |nominal, hits: &[(i64, u64)]| {
        let run = run(nominal, 1, Status::Done);
        let found = [hidden.clone(), finding("y", "1")];
        let outcome = Outcome { run: &run, findings: &found, throttle: None, hits };
        store.finish_run(&outcome).unwrap()
    };
    // The second call is about an attempt that is stored already; the entry 99 is gone.
    for _ in 0..2 {
        finish(7200, &[(id, 1), (99, 4)]);
    }
    finish(3600, &[(id, 2)]);
    finish(10_800, &[(id, 0)]);
    let entry = &store.reader().allow_list(false).unwrap()[0];
    assert_eq!((entry.hits, entry.last_hit), (3, Some(Moment(7203))));
    let details = store.reader().finding("x").unwrap().unwrap();
    assert_eq!((details.listed.suppressed_by, details.newest.finding), (Some(id), hidden));
    assert_eq!(
        details.sightings.iter().map(|run| run.suppressed_by).collect::<Vec<_>>(),
        [Some(id); 3]
    );
    assert_eq!(store.reader().outbox_end().unwrap(), 1);
    assert_eq!(store.reader().risk_of("alice", Moment(0), 10).unwrap().rows.len(), 1);
    // An entry that a finding names stays.
    desk.remove_allow(id, Moment(5)).unwrap();
    store.remove_before(Moment(8000)).unwrap();
    assert_eq!(store.reader().allow_list(true).unwrap().len(), 1);
}

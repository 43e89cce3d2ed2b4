//! What analysts make of findings.

use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
use crate::*;

fn listed(reader: &StoreReader, id: &str) -> Listed {
    reader.finding(id).unwrap().unwrap().listed
}

/// Returns the history as `who: steps (comment)`, oldest first.
fn told(reader: &StoreReader, id: &str) -> Vec<String> {
    let entry = |entry: &HistoryEntry| {
        let step = |Step { what, from, to }: &Step| {
            let name = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            format!("{what:?} {} {}", name(from), name(to))
        };
        let steps: Vec<String> = entry.steps.iter().map(step).collect();
        let comment = entry.comment.as_deref().unwrap_or("-");
        format!("{} {}: {} ({comment})", entry.time.0, entry.who, steps.join(", "))
    };
    reader.history(id).unwrap().rows.iter().rev().map(entry).collect()
}

#[test]
fn names_and_numbers_are_those_of_splunk() {
    for (number, status) in (1..).zip(TriageStatus::ALL) {
        assert_eq!(status.number(), number);
        for text in [status.name(), status.label(), &number.to_string()] {
            assert_eq!(TriageStatus::parse(&text.to_uppercase()), Some(status), "{text}");
        }
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.name()));
    }
    assert_eq!((TriageStatus::parse("0"), TriageStatus::parse("")), (None, None));
    for disposition in Disposition::ALL {
        assert_eq!(Disposition::parse(disposition.name()), Some(disposition));
        assert_eq!(Disposition::parse(disposition.label()), Some(disposition));
        let json = serde_json::to_string(&disposition).unwrap();
        assert_eq!(json, format!("\"{}\"", disposition.name()));
    }
}

#[test]
fn changes_of_several_findings_are_told_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("x", "1"), finding("y", "1"), finding("z", "1")]);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    assert_eq!(listed(desk.reader(), "x").triage, Triage::default());
    let take = Change {
        status: Some(TriageStatus::InProgress),
        owner: Some("ann".into()),
        ..Change::default()
    };
    assert_eq!(desk.change(&["x", "y", "x"], &take, "ann", Moment(10)).unwrap(), 2);
    // What is so already is not told again.
    assert_eq!(desk.change(&["x", "y"], &take, "ann", Moment(11)).unwrap(), 0);
    let over = Change {
        status: Some(TriageStatus::Closed),
        owner: Some(String::new()),
        urgency: Some(Some(Level::Critical)),
        disposition: Some(Disposition::BenignPositive),
        comment: Some(" planned work\n".into()),
    };
    assert_eq!(desk.change(&["x"], &over, "bob", Moment(12)).unwrap(), 1);
    let back = Change { urgency: Some(None), ..Change::default() };
    assert_eq!(desk.change(&["x"], &back, "bob", Moment(13)).unwrap(), 1);
    let note = Change { comment: Some("see above".into()), ..Change::default() };
    assert_eq!(desk.change(&["y"], &note, "ann", Moment(14)).unwrap(), 1);
    let expected = [
        "10 ann: Status new in-progress, Owner - ann (-)",
        "12 bob: Status in-progress closed, Owner ann -, Urgency - critical, \
         Disposition undetermined benign-positive (planned work)",
        "13 bob: Urgency critical - (-)",
    ];
    assert_eq!(told(store.reader(), "x"), expected);
    let expected = ["10 ann: Status new in-progress, Owner - ann (-)", "14 ann:  (see above)"];
    assert_eq!(told(store.reader(), "y"), expected);
    assert_eq!(told(store.reader(), "z"), [""; 0]);
    let details = store.reader().finding("x").unwrap().unwrap();
    let expected = Triage {
        status: TriageStatus::Closed,
        owner: None,
        urgency: None,
        disposition: Disposition::BenignPositive,
        changed: Some(Moment(13)),
    };
    assert_eq!((details.listed.triage.clone(), details.listed.urgency), (expected, Level::Medium));
    let comments: Vec<&str> =
        details.history.iter().filter_map(|entry| entry.comment.as_deref()).collect();
    assert_eq!(comments, ["planned work"]);
    assert_eq!(details.newest.finding, finding("x", "1"));
    assert_eq!(store.reader().changed().unwrap().triage, 5);
    assert_eq!(store.reader().finding("w").unwrap(), None);
    // No statement changes what has been told.
    let sql = "UPDATE history SET who = 'ann'";
    let error = store.reader().connection.execute(sql, []).unwrap_err().to_string();
    assert!(error.contains("the history of a finding is not changed"), "{error}");
}

#[test]
fn what_cannot_be_changed_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("x", "1")]);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let close = Change { status: Some(TriageStatus::Closed), ..Change::default() };
    let blank = Change { comment: Some(" ".into()), ..Change::default() };
    let unknown = Change { urgency: Some(Some(Level::Unknown)), ..Change::default() };
    let many: Vec<String> = (0..7).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (ids, change, expected) in [
        (&["x", "v", "w"][..], &close, "no finding has the id `v`, `w`"),
        (&many, &close, "no finding has the id `0`, `1`, `2`, `3`, `4` and 2 more"),
        (&["x"], &Change::default(), "the change says nothing"),
        (&["x"], &blank, "the change says nothing"),
        (&["x"], &unknown, "`unknown` is no urgency"),
    ] {
        let error = desk.change(ids, change, "ann", Moment(1)).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    // Somebody else has been writing for too long.
    desk.reader().connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let other = store.begin().unwrap();
    let error = desk.change(&["x"], &close, "ann", Moment(1)).unwrap_err();
    assert!(matches!(error, StoreError::Busy), "{error}");
    drop(other);
    assert_eq!(listed(store.reader(), "x").triage, Triage::default());
    assert_eq!(store.reader().changed().unwrap(), DeskChanges::default());
    assert_eq!(desk.change(&["x"], &close, "ann", Moment(1)).unwrap(), 1);
}

#[test]
fn ids_are_found_by_how_they_begin() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let ids = ["abcdef01", "abcdef01-2", "abcdef02", "bcdefg", "short", "größer"];
    finish(&mut store, 3600, 1, &ids.map(|id| finding(id, "1")));
    for (prefix, expected) in [
        ("abcdef01", Ok("abcdef01")),
        ("abcdef01-", Ok("abcdef01-2")),
        ("abcdef02", Ok("abcdef02")),
        ("bcdefg", Ok("bcdefg")),
        ("short", Ok("short")),
        ("größer", Ok("größer")),
        (
            "abcdef0",
            Err("several findings have ids that begin with `abcdef0`: `abcdef01`, `abcdef01-2`, \
                 `abcdef02`"),
        ),
        ("bcdef", Err("`bcdef` is too short for an id: give at least 6 of its characters")),
        ("", Err("`` is too short for an id: give at least 6 of its characters")),
        ("bcdefgh", Err("no finding has the id `bcdefgh`")),
        ("abcdef%", Err("no finding has the id `abcdef%`")),
    ] {
        let found = store.reader().resolve(prefix).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{prefix}");
    }
}

#[test]
fn what_is_closed_and_changes_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    finish(&mut store, 3600, 1, &[finding("x", "1")]);
    let status = |status| Change { status: Some(status), ..Change::default() };
    let state = |store: &Store| {
        let row = listed(store.reader(), "x");
        (row.triage.status.name(), row.changed_since)
    };
    desk.change(&["x"], &status(TriageStatus::Pending), "ann", Moment(1)).unwrap();
    finish(&mut store, 7200, 1, &[finding("x", "2")]);
    assert_eq!(state(&store), ("pending", false));
    desk.change(&["x"], &status(TriageStatus::Closed), "ann", Moment(2)).unwrap();
    finish(&mut store, 10_800, 1, &[finding("x", "2")]);
    assert_eq!(state(&store), ("closed", false));
    // What is found once more is open again: another content, or the same over another time.
    finish(&mut store, 10_800, 2, &[finding("x", "3")]);
    assert_eq!(state(&store), ("new", false));
    let entry = &store.reader().history("x").unwrap().rows[0];
    assert_eq!((entry.who.as_str(), entry.time), ("spilltrail", Moment(10_803)));
    assert_eq!(
        entry.comment.as_deref(),
        Some("found once more by the run of 1970-01-01T03:00:00Z")
    );
    let closed = status(TriageStatus::Closed);
    assert_eq!(desk.change(&["x"], &closed, "ann", Moment(3)).unwrap(), 1);
    finish(&mut store, 14_400, 1, &[finding("x", "3")]);
    assert_eq!(state(&store), ("closed", false));
    finish(&mut store, 200_000, 1, &[finding("x", "3")]);
    assert_eq!(state(&store), ("new", false));
    for nominal in [14_400, 200_000] {
        finish(&mut store, nominal, 2, &[]);
    }
    assert_eq!(desk.change(&["x"], &closed, "ann", Moment(3)).unwrap(), 1);
    // What is no longer found has not changed.
    for nominal in [3600, 7200, 10_800] {
        finish(&mut store, nominal, 3, &[]);
    }
    assert_eq!(state(&store), ("closed", false));
}

/// A window that slides past some events leaves others: nothing happened since, and nothing counts again.
#[test]
fn what_is_left_of_a_finding_is_not_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let seen = |hash: &str, count: u64, last: i64| FindingRecord {
        body: format!(r#"{{"first_seen":1000,"last_seen":{last},"result":{{"count":{count}}}}}"#),
        ..finding("x", hash)
    };
    let state = |store: &Store| {
        let counted = crate::tests::counted(store.reader(), 0, i64::MAX).len();
        (listed(store.reader(), "x").triage.status.name(), counted)
    };
    finish(&mut store, 3600, 1, &[seen("two events", 2, 3000)]);
    let close = Change { status: Some(TriageStatus::Closed), ..Change::default() };
    desk.change(&["x"], &close, "ann", Moment(1)).unwrap();
    finish(&mut store, 7200, 1, &[seen("one event", 1, 3000)]);
    assert_eq!(state(&store), ("closed", 1));
    // Events that arrive late are no later, but more.
    finish(&mut store, 7200, 2, &[seen("five events", 5, 3000)]);
    assert_eq!(state(&store), ("new", 1));
    desk.change(&["x"], &close, "ann", Moment(1)).unwrap();
    finish(&mut store, 10_800, 1, &[seen("another event", 1, 9000)]);
    assert_eq!(state(&store), ("new", 2));
}

#[test]
fn what_somebody_may_have_to_look_at_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let risk = |id: &str| FindingRecord { is_notable: false, ..finding(id, "1") };
    let hidden = |id: &str| FindingRecord { suppressed_by: Some(1), ..finding(id, "1") };
    let notable = |id: &str| finding(id, "1");
    let found = [
        notable("closed"),
        hidden("hidden"),
        notable("later"),
        notable("new"),
        notable("resolved"),
        risk("risk"),
        risk("taken risk"),
        notable("withdrawn"),
    ];
    finish(&mut store, 3600, 1, &found);
    finish(&mut store, 7200, 1, &found);
    for nominal in [3600, 7200] {
        finish(&mut store, nominal, 2, &found[..7]);
    }
    finish(&mut store, 14_400, 1, &[notable("later")]);
    for (id, status) in [
        ("closed", TriageStatus::Closed),
        ("later", TriageStatus::Closed),
        ("resolved", TriageStatus::Resolved),
        ("taken risk", TriageStatus::InProgress),
    ] {
        let change = Change { status: Some(status), ..Change::default() };
        desk.change(&[id], &change, "ann", Moment(1)).unwrap();
    }
    assert_eq!(store.remove_before(Moment(10_800)).unwrap(), 4);
    let left = store.reader().findings(Moment(0)).unwrap();
    let left: Vec<(&str, i64)> =
        left.iter().map(|row| (row.finding.id.as_str(), row.nominal.0)).collect();
    let expected = [("new", 7200), ("resolved", 7200), ("taken risk", 7200), ("later", 14_400)];
    assert_eq!(left, expected);
    assert_eq!(store.reader().history("closed").unwrap().rows, []);
    assert_eq!(store.reader().history("later").unwrap().rows.len(), 1);
    // A row of before that stands for its id, because the newer one is withdrawn, hands that on.
    finish(&mut store, 18_000, 1, &[finding("later", "2")]);
    finish(&mut store, 18_000, 2, &[]);
    assert_eq!(listed(store.reader(), "later").nominal, Moment(14_400));
    let close = Change { status: Some(TriageStatus::Closed), ..Change::default() };
    assert_eq!(desk.change(&["later"], &close, "ann", Moment(1)).unwrap(), 1);
    store.remove_before(Moment(18_000)).unwrap();
    let row = listed(store.reader(), "later");
    assert_eq!((row.nominal, row.state, row.runs), (Moment(18_000), FindingState::Withdrawn, 1));
    assert_eq!(row.triage.status, TriageStatus::Closed);
}

/// What is cut says so, and comments are found however much else was changed after them.
#[test]
fn long_lists_of_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("x", "1")]);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let note = Change { comment: Some("seen".into()), ..Change::default() };
    desk.change(&["x"], &note, "ann", Moment(1)).unwrap();
    let connection = &desk.reader().connection;
    let insert = |count: usize| {
        let sql = "INSERT INTO history (id, time, who, steps)
                   SELECT 'x', 2, 'bob', '[]' FROM generate_series";
        let numbers = "WITH RECURSIVE generate_series(number) AS (
                       SELECT 1 UNION ALL SELECT number + 1 FROM generate_series WHERE number < ?1)";
        connection.execute(&format!("{numbers} {sql}"), [count]).unwrap();
    };
    let look = || {
        let history = store.reader().history("x").unwrap();
        let details = store.reader().finding("x").unwrap().unwrap();
        assert_eq!(
            (details.history.len(), details.more.history),
            (history.rows.len(), history.more)
        );
        assert!(!details.more.sightings && !details.more.deliveries);
        (history.rows.len(), history.more)
    };
    insert(MOST_HISTORY - 1);
    assert_eq!(look(), (MOST_HISTORY, false));
    insert(1);
    assert_eq!(look(), (MOST_HISTORY, true));
    let said = store.reader().comments("x").unwrap();
    assert_eq!((said.rows[0].who.as_str(), said.rows.len(), said.more), ("ann", 1, false));
    // Nobody else has these lists.
    assert_eq!(store.reader().comments("y").unwrap().rows, []);
}

//! Risk: what counts, and once.

use spilltrail_schedule::Moment;

use super::{finding, risk, run, schedule, store};
use crate::*;

/// Returns the risk as `object type score events detections tactics first last`.
fn shown(store: &Store, (since, until): (i64, i64), filter: &RiskFilter) -> Vec<String> {
    let risks = store.reader().risk(Moment(since), Moment(until), filter, 10).unwrap().rows;
    let line = |risk: ObjectRisk| {
        let ObjectRisk { object, object_type, score, events, detections, tactics, .. } = risk;
        let (first, last) = (risk.first, risk.last);
        format!("{object} {object_type} {score} {events} {detections} {tactics} {first} {last}")
    };
    risks.into_iter().map(line).collect()
}

/// Stores an attempt at a run of a detection, whose findings have times and add to risk.
fn finish(
    store: &mut Store,
    (detection, nominal, attempt): (&str, i64, u32),
    found: &[(&str, f64, Vec<RiskRecord>)],
) {
    let of = |(id, time, risks): &(&str, f64, Vec<RiskRecord>)| FindingRecord {
        time: Some(*time),
        risks: risks.clone(),
        hash: format!("{risks:?}"),
        ..finding(id, "")
    };
    let findings: Vec<FindingRecord> = found.iter().map(of).collect();
    let status = if attempt == 1 { Status::Done } else { Status::Late };
    let run = RunRecord { schedule: detection.into(), ..run(nominal, attempt, status) };
    let outcome = Outcome { run: &run, findings: &findings, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
}

#[test]
fn findings_add_to_risk_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    store.set_schedule(&schedule("b", true), None, Moment(0)).unwrap();
    let host = RiskRecord { object_type: "system".into(), ..risk("alice", 5.0, &[]) };
    let both = vec![risk("alice", 40.0, &["TA0001", "TA0002"]), risk("bob", 10.5, &[])];
    finish(&mut store, ("a", 3600, 1), &[("x", 100.0, both.clone()), ("y", 200.0, vec![host])]);
    // Found again, and once by another detection.
    finish(&mut store, ("a", 7200, 1), &[("x", 100.0, both)]);
    let other = risk("alice", 20.0, &["TA0002", "TA0003"]);
    finish(&mut store, ("b", 7200, 1), &[("z", 300.0, vec![other])]);
    let all = RiskFilter::default();
    let expected = [
        "alice user 60 2 2 3 100 300",
        "bob user 10.5 1 1 0 100 100",
        "alice system 5 1 1 0 200 200",
    ];
    assert_eq!(shown(&store, (0, 1000), &all), expected);
    let text = |text: &str| Some(text.to_owned());
    let some = RiskFilter::default;
    for (span, filter, expected) in [
        ((200, 300), some(), &["alice system 5 1 1 0 200 200"][..]),
        ((200, 301), RiskFilter { least: Some(20.0), ..some() }, &["alice user 20 1 1 2 300 300"]),
        ((0, 999), RiskFilter { object: text("B*"), ..some() }, &["bob user 10.5 1 1 0 100 100"]),
        (
            (0, 999),
            RiskFilter { object_type: text("system"), ..some() },
            &["alice system 5 1 1 0 200 200"],
        ),
        ((0, 999), RiskFilter { detection: text("b"), ..some() }, &["alice user 20 1 1 2 300 300"]),
        ((0, 999), RiskFilter { detection: text("c*"), ..some() }, &[]),
        ((0, 100), some(), &[]),
    ] {
        assert_eq!(shown(&store, span, &filter), expected, "{filter:?}");
    }
    let events = store.reader().risk_of("alice", Moment(150), 10).unwrap().rows;
    let events: Vec<(&str, &str, f64, f64)> = events
        .iter()
        .map(|event| (&*event.finding, &*event.detection, event.time, event.risk.score))
        .collect();
    assert_eq!(events, [("z", "b", 300.0, 20.0), ("y", "a", 200.0, 5.0)]);
    for (most, count, more) in [(0, 0, true), (1, 1, true), (3, 3, false)] {
        let found = store.reader().risk_of("alice", Moment(0), most).unwrap();
        assert_eq!((found.rows.len(), found.more), (count, more), "{most}");
    }
}

#[test]
fn what_changes_or_is_gone_counts_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let all = RiskFilter::default();
    let total = |store: &Store| shown(store, (0, i64::MAX), &all);
    finish(&mut store, ("a", 3600, 1), &[("x", 1.0, vec![risk("alice", 40.0, &[])])]);
    finish(&mut store, ("a", 3600, 2), &[("x", 1.0, vec![risk("alice", 30.0, &[])])]);
    assert_eq!(total(&store), ["alice user 30 1 1 0 1 1"]);
    finish(&mut store, ("a", 7200, 1), &[("x", 1.0, vec![risk("alice", 50.0, &[])])]);
    // A run that overlaps another one and finds something else has found more.
    assert_eq!(total(&store), ["alice user 80 2 1 0 1 1"]);
    finish(&mut store, ("a", 7200, 2), &[]);
    assert_eq!(total(&store), ["alice user 30 1 1 0 1 1"]);
    finish(&mut store, ("a", 3600, 3), &[]);
    assert_eq!(total(&store), [""; 0]);
    // Scores that are no numbers add nothing.
    let scores = [f64::NAN, f64::INFINITY, 1.0].map(|score| risk("alice", score, &[])).to_vec();
    finish(&mut store, ("a", 3600, 4), &[("x", f64::NAN, scores)]);
    assert_eq!(total(&store), ["alice user 1 3 1 0 3600 3600"]);
    let told = store.reader().outbox_after(0, 100).unwrap().pop().unwrap();
    let scores: Vec<f64> = told.finding.risks.iter().map(|risk| risk.score).collect();
    assert_eq!(scores, [0.0, 0.0, 1.0]);
    store.remove_before(Moment(9000)).unwrap();
    // It is not closed, and kept; the run that found it is over.
    let left = |store: &Store| {
        let sql = "SELECT count(*) FROM risks";
        store.reader().connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((total(&store).len(), left(&store)), (0, 3));
    finish(&mut store, ("a", 3600, 5), &[]);
    store.remove_before(Moment(9000)).unwrap();
    assert_eq!(left(&store), 0);
}

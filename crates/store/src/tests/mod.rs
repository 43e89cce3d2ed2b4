//! What the store keeps, refuses, and does twice without harm.

mod allow;
mod counted;
mod deliveries;
mod forms;
mod list;
mod outbox;
mod overrides;
mod plans;
mod risk;
mod runs;
mod triage;

use spilltrail_schedule::{Interval, Mode, Moment, Priority, ScheduleSpec, Window};

use crate::*;

pub(crate) fn spec() -> ScheduleSpec {
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

pub(crate) fn schedule(id: &str, is_enabled: bool) -> ScheduleRecord {
    ScheduleRecord { id: id.into(), spec: spec(), is_enabled, stated: None }
}

pub(crate) fn run(nominal: i64, attempt: u32, status: Status) -> RunRecord {
    RunRecord {
        schedule: "a".into(),
        nominal: Moment(nominal),
        attempt,
        status,
        interval: Interval { from: Moment(nominal - 86_400), to: Moment(nominal - 600) },
        indexes: vec!["main".into()],
        seen: 10 + u64::from(attempt),
        reason: None,
        started: Moment(nominal + 3),
        took: 1500,
        cost: Some(r#"{"cpu":1}"#.into()),
    }
}

pub(crate) fn finding(id: &str, hash: &str) -> FindingRecord {
    FindingRecord {
        id: id.into(),
        name: "Listing Buckets".into(),
        title: format!("{id} listed buckets"),
        is_notable: true,
        time: Some(1.5),
        entity: Some("alice".into()),
        score: Some(80.0),
        severity: Level::High,
        hash: hash.into(),
        body: format!(r#"{{"hash":"{hash}"}}"#),
        risks: vec![risk("alice", 80.0, &["TA0007"])],
        ..FindingRecord::default()
    }
}

pub(crate) fn risk(object: &str, score: f64, tactics: &[&str]) -> RiskRecord {
    RiskRecord {
        object: object.into(),
        object_type: "user".into(),
        score,
        tactics: tactics.iter().map(|id| (*id).to_owned()).collect(),
        techniques: vec!["T1526".into()],
    }
}

/// Returns an empty store with the schedule `a`, which is enabled at 0.
pub(crate) fn store(folder: &tempfile::TempDir) -> Store {
    let mut store = Store::open(&file(folder)).unwrap();
    store.set_schedule(&schedule("a", true), None, Moment(0)).unwrap();
    store
}

/// Stores an attempt at a run of the schedule `a` with findings.
pub(crate) fn finish(store: &mut Store, nominal: i64, attempt: u32, found: &[FindingRecord]) {
    let status = if attempt == 1 { Status::Done } else { Status::Late };
    let run = run(nominal, attempt, status);
    let outcome = Outcome { run: &run, findings: found, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
}

pub(crate) fn file(folder: &tempfile::TempDir) -> std::path::PathBuf {
    folder.path().join("store.sqlite")
}

/// Returns the findings that count of a time.
pub(crate) fn counted(reader: &StoreReader, from: i64, to: i64) -> Vec<Counted> {
    let mut found = Vec::new();
    let all = reader.counted_each(Moment(from), Moment(to), |one| {
        found.push(one);
        Ok::<_, StoreError>(())
    });
    all.unwrap();
    found
}

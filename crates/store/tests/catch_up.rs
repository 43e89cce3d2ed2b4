//! Events that arrive late, outages and kills: in the end, the store has the findings that a run over all
//! events would have had.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use spilltrail_schedule::{
    Arrival, Interval, Limits, Minutes, Mode, Moment, Planned, Priority, Run, Schedule,
    ScheduleSpec, Window, late, passes, plan,
};
use spilltrail_store::{
    FindingRecord, FindingState, Outcome, RunRecord, ScheduleRecord, Status, Store, StoredSchedule,
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// 2026-11-01.
const START: Moment = Moment(1_793_491_200);

/// How long ago a run can be that runs again.
const LOOK_BACK: i64 = 7 * DAY;

/// A server with its store, and the log of arriving events, which outlives it.
struct Server {
    random: fastrand::Rng,
    path: PathBuf,
    store: Option<Store>,
    now: Moment,
    /// The times and users of the events of each batch; the first batch has number 1.
    log: Vec<Vec<(Moment, u32)>>,
    arrivals: Vec<Arrival>,
    /// Whether events arrive.
    is_open: bool,
    kills: u32,
}

impl Server {
    fn store(&mut self) -> &mut Store {
        let path = &self.path;
        self.store.get_or_insert_with(|| Store::open(path).unwrap())
    }

    /// Lets time pass, in which events arrive.
    fn wait(&mut self, seconds: i64) {
        let end = self.now.plus(seconds);
        if !self.is_open {
            self.now = end;
        }
        while self.now < end {
            self.now = self.now.plus(600).min(end);
            let mut batch = Vec::new();
            for _ in 0..self.random.u32(0..4) {
                // One event of ten is up to three days late.
                let most = if self.random.u32(0..10) == 0 { 3 * DAY } else { 600 };
                batch.push((self.now.plus(-self.random.i64(0..most)), self.random.u32(0..5)));
            }
            let mut minutes = Minutes::default();
            batch.iter().for_each(|(time, _)| minutes.add(*time));
            self.log.push(batch);
            let (batch, index) = (self.log.len() as u64, "main".to_owned());
            self.arrivals.push(Arrival { batch, index, spans: minutes.into_spans() });
        }
    }

    /// Counts the events of each user in the batches up to a number.
    fn find(&self, interval: Interval, seen: u64) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        for (time, user) in self.log.iter().take(seen as usize).flatten() {
            if interval.from <= *time && *time < interval.to {
                *counts.entry(*user).or_default() += 1;
            }
        }
        counts
    }

    /// Runs, unless the process is killed meanwhile: before or after it has stored the run.
    fn run(&mut self, run: &Run, status: Status) -> Result<(), ()> {
        let (seen, started) = (self.log.len() as u64, self.now);
        // More events arrive while it runs.
        let took = self.random.i64(1..400);
        self.wait(took);
        self.may_be_killed()?;
        let finding = |(user, count): (u32, u32)| FindingRecord {
            id: format!("user {user}"),
            entity: Some(user.to_string()),
            hash: count.to_string(),
            body: "{}".into(),
            ..FindingRecord::default()
        };
        let findings: Vec<FindingRecord> =
            self.find(run.interval, seen).into_iter().map(finding).collect();
        let attempt = self.store().reader().next_attempt(&run.schedule, run.nominal).unwrap();
        let record = RunRecord {
            schedule: run.schedule.clone(),
            nominal: run.nominal,
            attempt,
            status,
            interval: run.interval,
            indexes: vec![],
            seen,
            reason: None,
            started,
            took: took as u64 * 1000,
            cost: None,
        };
        let outcome = Outcome { run: &record, findings: &findings, throttle: None, hits: &[] };
        self.store().finish_run(&outcome).unwrap();
        self.may_be_killed()
    }

    fn may_be_killed(&mut self) -> Result<(), ()> {
        if self.random.u32(0..60) != 0 {
            return Ok(());
        }
        self.kills += 1;
        self.store = None;
        let outage = if self.random.u32(0..8) == 0 { self.random.i64(0..2 * DAY) } else { 0 };
        self.wait(outage);
        Err(())
    }

    /// Runs what is due and what must run again. Ends early if the process is killed.
    fn work(&mut self) -> Result<(), ()> {
        let stored = self.store().reader().schedules().unwrap();
        let schedules: Vec<(Schedule, StoredSchedule)> = stored
            .into_iter()
            .map(|stored| (Schedule::new(stored.schedule.spec.clone()).unwrap(), stored))
            .collect();
        let planned: Vec<Planned<'_>> = schedules
            .iter()
            .map(|(schedule, StoredSchedule { schedule: record, done, seam })| Planned {
                id: &record.id,
                schedule,
                done: *done,
                seam: *seam,
                is_busy: false,
            })
            .collect();
        let plan = plan(self.now, &planned, Limits::default());
        for missed in &plan.missed {
            self.store().record_missed(missed).unwrap();
            self.may_be_killed()?;
        }
        for run in plan.passes.iter().flat_map(|pass| &pass.runs) {
            self.run(run, Status::Done)?;
        }
        let floor = self.now.plus(-LOOK_BACK);
        let covered = self.store().reader().covered(floor).unwrap();
        let late = late(self.now, &covered, &self.arrivals, LOOK_BACK);
        for pass in passes(late.again.into_iter().map(|again| again.run)) {
            for run in &pass.runs {
                self.run(run, Status::Late)?;
            }
        }
        Ok(())
    }
}

fn schedule(id: &str, cron: &str, earliest: &str, window: Window) -> ScheduleRecord {
    let spec = ScheduleSpec {
        cron: cron.into(),
        zone: "UTC".into(),
        earliest: earliest.into(),
        latest: "-10m@m".into(),
        window,
        mode: Mode::Continuous,
        priority: Priority::Default,
    };
    ScheduleRecord { id: id.into(), spec, is_enabled: true, stated: None }
}

#[test]
fn late_events_change_findings_until_all_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server {
        random: fastrand::Rng::with_seed(5),
        path: folder.path().join("store.sqlite"),
        store: None,
        now: START,
        log: Vec::new(),
        arrivals: Vec::new(),
        is_open: true,
        kills: 0,
    };
    for record in [
        schedule("hourly", "0 * * * *", "-70m@m", Window::Auto),
        schedule("six hours", "10 */6 * * *", "-370m@m", Window::None),
        schedule("daily", "10 0 * * *", "-1450m@m", Window::Minutes(90)),
    ] {
        server.store().set_schedule(&record, None, START).unwrap();
    }
    while server.now < START.plus(12 * DAY) {
        let pause = server.random.i64(60..HOUR);
        server.wait(pause);
        let _ = server.work();
    }
    // Nothing arrives any more; it may be killed a few times before all is done.
    server.is_open = false;
    while server.work().is_err() {}
    let all = server.log.len() as u64;
    let mut found: BTreeMap<(String, Moment), BTreeMap<String, String>> = BTreeMap::new();
    let reader = server.store.as_ref().unwrap().reader();
    for stored in reader.findings(START).unwrap() {
        if stored.state != FindingState::Withdrawn {
            let of_run = found.entry((stored.detection, stored.nominal)).or_default();
            of_run.insert(stored.finding.id, stored.finding.hash);
        }
    }
    let runs = reader.runs(START).unwrap();
    let mut firings: BTreeSet<(String, Moment)> = BTreeSet::new();
    let mut intervals: BTreeMap<(String, Moment), Interval> = BTreeMap::new();
    for run in &runs {
        let identity = (run.schedule.clone(), run.nominal);
        let is_first = firings.insert(identity.clone());
        // It runs once, and then again only because of late events.
        assert_eq!(is_first, run.status != Status::Late, "{run:?}");
        if run.status != Status::Gap {
            intervals.insert(identity, run.interval.unwrap());
        }
    }
    for (identity, interval) in intervals {
        let expected: BTreeMap<String, String> = server
            .find(interval, all)
            .into_iter()
            .map(|(user, count)| (format!("user {user}"), count.to_string()))
            .collect();
        assert_eq!(found.remove(&identity).unwrap_or_default(), expected, "{identity:?}");
    }
    // Nothing else is found.
    assert_eq!(found, BTreeMap::new());
    // What it is about has happened.
    let count = |status| runs.iter().filter(|run| run.status == status).count();
    assert!(server.kills > 10, "{}", server.kills);
    assert!(count(Status::Late) > 100, "{}", count(Status::Late));
    assert!(count(Status::Gap) > 0);
}

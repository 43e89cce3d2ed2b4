//! A server whose clock is simulated: what comes in when, and what is found.

mod inputs;
mod late;
mod outputs;
mod senders;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::PoisonError;

use serde_json::json;
use spilltrail_content::BuiltinPack;
use spilltrail_lake::{BatchBuilder, Commit, Compaction, Event, Origin, move_batches};
use spilltrail_schedule::{Interval, Limits};
use spilltrail_source::S3Options;
use spilltrail_store::{
    DeliveryFilter, Desk, Level, Listed, Override, Status, StoreError, StoreReader,
};

use super::*;
use crate::lake::MovedRows;
use crate::options::{ContentOptions, SearchOptions, SearchText};
use crate::search::search;

/// 2026-11-02, midnight.
const START: Moment = Moment(1_793_577_600);
const HOUR: i64 = 3600;

/// A detection that groups what happens within its interval, so that late events change its findings.
const DETECTION: &str = "
name: Keys Made
id: 11111111-2222-4333-8444-555555555555
version: 1
date: '2026-11-29'
author: Spilltrail
status: production
type: TTP
description: Somebody makes access keys.
search: 'sourcetype=aws:cloudtrail eventName=CreateAccessKey | stats count min(_time) as firstTime by user_name'
rba:
  message: $user_name$ made keys
  risk_objects:
  - field: user_name
    type: user
    score: 60
  threat_objects: []
tags:
  mitre_attack_id: [T1098.001]
  security_domain: cloud
";

/// A correlation of the risk of a day.
const CORRELATION: &str = "
name: Much Risk
id: 22222222-2222-4333-8444-555555555555
version: 1
date: '2026-11-29'
author: Spilltrail
status: production
type: Correlation
description: An object has much risk.
search: 'index=risk | stats sum(risk_score) as risk_score count as events by risk_object | where risk_score > 100'
deployment:
  name: each hour over a day
  type: Correlation
  scheduling:
    cron_schedule: '0 * * * *'
    earliest_time: -24h
    latest_time: now
    schedule_window: '0'
  alert_action:
    notable:
      rule_title: '%name%'
      rule_description: '%description%'
      nes_fields: [risk_object]
";

/// Keeps what is told, in a line each.
#[derive(Debug, Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl ServeSink for Told {
    fn event(&self, event: ServeEvent<'_>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{event:?}"));
    }
}

struct Simulation {
    folder: tempfile::TempDir,
    told: Arc<Told>,
    server: Server,
    scheduler: Scheduler,
    rows: MovedRows,
}

fn options(folder: &Path) -> ServeOptions {
    ServeOptions {
        data: folder.join("data"),
        content: ContentOptions {
            folders: vec![folder.join("content")],
            builtin: BuiltinPack::LeftOut,
            macros: Vec::new(),
        },
        zone: "UTC".to_owned(),
        limits: Limits::default(),
        late_look_back: 7 * 86_400,
        threads: Some(1),
        ..ServeOptions::default()
    }
}

impl Simulation {
    async fn new() -> Self {
        Self::of(DETECTION).await
    }

    /// Starts a server with a detection, and the correlation.
    async fn of(detection: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let detections = folder.path().join("content/detections");
        fs::create_dir_all(&detections).unwrap();
        fs::write(detections.join("keys_made.yml"), detection).unwrap();
        fs::write(detections.join("much_risk.yml"), CORRELATION).unwrap();
        Self::open(folder, START).await
    }

    async fn open(folder: tempfile::TempDir, now: Moment) -> Self {
        let options = options(folder.path());
        Self::with(folder, options, now).await
    }

    async fn with(folder: tempfile::TempDir, options: ServeOptions, now: Moment) -> Self {
        let told = Arc::new(Told::default());
        let server = Server::open(options, told.clone(), CancellationToken::new()).await;
        let server = server.unwrap();
        let scheduler = Scheduler::new(server.runner.clone(), server.loaded.clone(), now).await;
        let scheduler = scheduler.unwrap();
        Self { folder, told, server, scheduler, rows: MovedRows::default() }
    }

    /// Lets the server stop and start again.
    async fn restart(self, now: Moment) -> Self {
        let Self { folder, server, scheduler, .. } = self;
        drop((server, scheduler));
        Self::open(folder, now).await
    }

    fn store(&self) -> StoreReader {
        StoreReader::open(&self.server.runner.folder.store()).unwrap()
    }

    /// Brings events of a user in, each given by when it happened.
    async fn arrive(&mut self, user: &str, times: &[Moment]) {
        let text = |time: &Moment| {
            let time = jiff::Timestamp::from_second(time.0).unwrap();
            format!(
                r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","userName":"{user}"}},"eventTime":"{time}","eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","eventID":"{user}-{time}"}}"#
            )
        };
        let texts: Vec<String> = times.iter().map(text).collect();
        self.arrive_from(Origin::default(), None, &texts).await;
    }

    /// Brings texts in, as a sender sends them, that happened at a time if they do not say it.
    async fn arrive_from(&mut self, origin: Origin, time: Option<Moment>, texts: &[String]) {
        let mut batch = BatchBuilder::new(Origin { index: "main".into(), ..origin });
        for text in texts {
            let time = time.map(|time| time.0 * 1_000_000);
            batch.push(Event { raw: text.as_bytes(), time, fields: None }).unwrap();
        }
        let commit = Commit { batches: vec![batch.finish().unwrap()], ..Commit::default() };
        self.server.wal().append(commit).unwrap().await.unwrap().unwrap();
    }

    async fn move_all(&mut self) {
        let wal = self.server.wal();
        move_batches(&wal, &mut self.server.table, 1 << 20, &mut self.rows).await.unwrap();
    }

    /// Returns the rows of a search over all that the server has.
    async fn search(&self, spl: &str) -> Vec<serde_json::Value> {
        let all = Interval { from: Moment(0), to: Moment(4_000_000_000) };
        let options = SearchOptions {
            search: SearchText::Spl(spl.to_owned()),
            run: self.server.runner.run_options(all, START),
            ..SearchOptions::default()
        };
        let content = self.server.content().get();
        let mut found = search(&content, &options).await.unwrap().run().await.unwrap();
        let mut rows = Vec::new();
        while let Some(batch) = found.next().await.unwrap() {
            rows.extend(batch.rows().map(|row| spilltrail_search::rows::json::object(&row)));
        }
        rows
    }

    fn counted(&self) -> Vec<spilltrail_store::Counted> {
        let mut found = Vec::new();
        let all = self.store().counted_each(Moment(0), Moment(i64::MAX), |one| {
            found.push(one);
            Ok::<_, StoreError>(())
        });
        all.unwrap();
        found
    }

    /// Returns what counts at the end: detection, time, entity and number.
    fn found(&self) -> BTreeSet<String> {
        let counted = self.counted();
        let line = |one: &spilltrail_store::Counted| {
            let record = &one.finding.finding;
            let body: serde_json::Value = serde_json::from_str(&record.body).unwrap();
            let nominal = one.finding.nominal.since(START) / HOUR;
            format!("{} {nominal} {}", record.name, body["result"])
        };
        counted.iter().map(line).collect()
    }
}

/// Four users make keys over eight hours, in most of them.
fn events() -> Vec<(&'static str, Moment)> {
    let mut events = Vec::new();
    for minute in (0..8 * 60).step_by(17) {
        let user = ["ann", "bob", "cy", "di"][(minute / 17) as usize % 4];
        events.push((user, START.plus(minute * 60)));
    }
    events
}

/// Runs fourteen hours, in which each event arrives some time after it happened; returns what is found.
async fn hours(detection: &str, delay: impl Fn(usize) -> i64, restarts: bool) -> BTreeSet<String> {
    let mut simulation = Simulation::of(detection).await;
    let mut coming: Vec<(Moment, &str, Moment)> = events()
        .into_iter()
        .enumerate()
        .map(|(number, (user, time))| (time.plus(delay(number)), user, time))
        .collect();
    coming.sort();
    let mut now = START;
    while now < START.plus(14 * HOUR + 1200) {
        now = now.plus(20 * 60);
        let here = coming.partition_point(|(arrives, _, _)| *arrives <= now);
        for (_, user, time) in coming.drain(..here) {
            simulation.arrive(user, &[time]).await;
        }
        simulation.move_all().await;
        if restarts && now.since(START) % (4 * HOUR) == 0 {
            simulation = simulation.restart(now).await;
        }
        simulation.scheduler.tick(now).await.unwrap();
    }
    // Each schedule ran each hour once in time, and nothing is left over.
    let runs = simulation.store().runs(Moment(0)).unwrap();
    let done = runs.iter().filter(|run| run.status == Status::Done).count();
    assert_eq!(done, 2 * 14);
    assert!(runs.iter().all(|run| run.reason.is_none()), "{runs:#?}");
    assert!(runs.iter().all(|run| matches!(run.status, Status::Done | Status::Late)));
    simulation.found()
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_shuffled_events_give_the_findings_of_those_in_time() {
    let in_time = hours(DETECTION, |_| 60, false).await;
    let keys = in_time.iter().filter(|line| line.starts_with("Keys")).count();
    assert!(keys > 20 && in_time.len() > keys, "{in_time:#?}");
    let of_keys = |found: &BTreeSet<String>| -> BTreeSet<String> {
        found.iter().filter(|line| line.starts_with("Keys")).cloned().collect()
    };
    // Up to four hours late, in any order, with a server that is stopped now and then.
    let late = hours(DETECTION, |number| (number as i64 * 7919) % (4 * HOUR), true).await;
    assert_eq!(of_keys(&late), of_keys(&in_time));
}

/// The urgency of a finding follows from the severity of its detection and the priority of its entity.
#[tokio::test(flavor = "multi_thread")]
async fn what_matters_more_is_more_urgent() {
    let folder = tempfile::tempdir().unwrap();
    let detections = folder.path().join("content/detections");
    fs::create_dir_all(&detections).unwrap();
    fs::write(detections.join("keys_made.yml"), DETECTION).unwrap();
    let critical = PriorityEntry { entities: vec!["B*".to_owned()], priority: Level::Critical };
    let options = ServeOptions { priorities: vec![critical], ..options(folder.path()) };
    let mut simulation = Simulation::with(folder, options, START).await;
    for user in ["ann", "bob"] {
        simulation.arrive(user, &[START.plus(60)]).await;
    }
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(2 * HOUR)).await.unwrap();
    let line = |one: &spilltrail_store::Counted| {
        let details = simulation.store().finding(&one.finding.finding.id).unwrap().unwrap();
        let Listed { entity, severity, priority, urgency, .. } = details.listed;
        let levels = [severity, priority, urgency].map(Level::name).join(" ");
        format!("{} {levels}", entity.unwrap_or_default())
    };
    let found: BTreeSet<String> = simulation.counted().iter().map(line).collect();
    let expected = ["ann medium unknown low", "bob medium critical high"];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// A notable of a correlation, which reads lists of the events of risk.
const TACTICS: &str = "
name: Many Tactics
id: 33333333-2222-4333-8444-555555555555
version: 1
date: '2026-11-30'
author: Spilltrail
status: production
type: Correlation
description: An object has risk of several tactics.
search: 'index=risk annotations._frameworks=mitre_attack | stats dc(annotations.mitre_attack.mitre_tactic_id) as tactics sum(risk_score) as risk_score values(status) as status by risk_object | where tactics > 2'
deployment:
  name: each hour over a day
  type: Correlation
  scheduling:
    cron_schedule: '0 * * * *'
    earliest_time: -24h
    latest_time: now
    schedule_window: '0'
  alert_action:
    notable:
      rule_title: '%name%'
      rule_description: '%description%'
      nes_fields: [risk_object]
";

/// The events of what is found have their lists, and what a row says beside what is said of it.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_findings_have_all_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let detections = folder.path().join("content/detections");
    fs::create_dir_all(&detections).unwrap();
    let keys = DETECTION
        .replace("[T1098.001]", "[T1098.001, T1078]")
        .replace("by user_name'", "by user_name | eval status=\"success\"'");
    fs::write(detections.join("keys_made.yml"), keys).unwrap();
    fs::write(detections.join("tactics.yml"), TACTICS).unwrap();
    let mut simulation = Simulation::open(folder, START).await;
    simulation.arrive("ann", &[START.plus(60)]).await;
    simulation.move_all().await;
    for hour in 1..4 {
        simulation.scheduler.tick(START.plus(hour * HOUR + 1200)).await.unwrap();
    }
    let about_tactics: Vec<_> = simulation
        .counted()
        .into_iter()
        .filter(|one| one.finding.finding.name == "Many Tactics")
        .map(|one| one.finding.finding.entity)
        .collect();
    assert_eq!(about_tactics.first(), Some(&Some("ann".to_owned())));

    let found = simulation
        .search(
            "index=risk source=\"Keys Made\" | table annotations.mitre_attack.mitre_tactic_id risk_object status \
             annotations._all info_min_time",
        )
        .await;
    let expected = json!([{
        "annotations.mitre_attack.mitre_tactic_id": ["TA0003", "TA0004", "TA0005", "TA0001"],
        "risk_object": "ann",
        "status": "success",
        "annotations._all": [
            "T1098.001", "T1078", "Delivery", "Exploitation", "Installation", "DE.CM", "CIS 10",
        ],
        "info_min_time": (START.0 - 600).to_string(),
    }]);
    assert_eq!(json!(found), expected);
    let found = simulation
        .search(
            "index=notable source=\"Many Tactics\" | head 1 \
             | table risk_object risk_score tactics status orig_status urgency nes_fields",
        )
        .await;
    let expected = json!([{
        "risk_object": "ann",
        "risk_score": "60",
        "tactics": "4",
        "status": "1",
        "orig_status": "success",
        "urgency": "medium",
        "nes_fields": "risk_object",
    }]);
    assert_eq!(json!(found), expected);
}

/// Whatever the pace of the clock and how often the server is away, each hour is looked at once.
///
/// `SPILLTRAIL_DAYS` sets how many days that are.
#[tokio::test(flavor = "multi_thread")]
async fn days_of_hourly_schedules_have_no_gap_and_no_repeat() {
    let days = std::env::var("SPILLTRAIL_DAYS").ok().and_then(|text| text.parse().ok());
    let end = START.plus(days.unwrap_or(1) * 24 * HOUR);
    let mut random = fastrand::Rng::with_seed(13);
    let mut simulation = Simulation::new().await;
    let (mut now, mut arrived) = (START, 0);
    while now < end {
        // Up to five hours without a server.
        let minutes = if random.u8(..8) == 0 { random.i64(60..300) } else { random.i64(5..60) };
        now = now.plus(minutes * 60);
        while START.plus(arrived * 600 + 300) <= now {
            simulation.arrive("ann", &[START.plus(arrived * 600)]).await;
            arrived += 1;
        }
        simulation.move_all().await;
        // As the mover does, so that long runs do not read ever more files.
        simulation.server.table.compact(&Compaction::default()).await.unwrap();
        if minutes >= 60 {
            simulation = simulation.restart(now).await;
        }
        simulation.scheduler.tick(now).await.unwrap();
        // It does not go back in time with the clock.
        if random.u8(..8) == 0 {
            simulation.scheduler.tick(now.plus(-HOUR)).await.unwrap();
        }
    }
    let runs = simulation.store().runs(Moment(0)).unwrap();
    for id in ["11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"] {
        let mine: Vec<_> = runs.iter().filter(|run| run.schedule == id).collect();
        assert!(mine.iter().all(|run| matches!(run.status, Status::Done | Status::Late)));
        let done = mine.iter().filter(|run| run.status == Status::Done);
        let mut hours: Vec<i64> = done.map(|run| run.nominal.since(START)).collect();
        hours.sort_unstable();
        let last = hours.last().copied().unwrap_or_default();
        let each: Vec<i64> = (1..=last / HOUR).map(|hour| hour * HOUR).collect();
        assert_eq!(hours, each, "{id}");
        assert!(now.since(START) - last < 2 * HOUR, "{last}");
    }
    // Six events an hour, each in one finding; the first hour has ten minutes less.
    let found = simulation.found();
    let of_keys: Vec<_> = found.iter().filter(|line| line.starts_with("Keys")).collect();
    assert!(
        of_keys.iter().filter(|line| line.contains("\"count\":6")).count() >= of_keys.len() - 1
    );
    assert!(of_keys.len() as i64 >= now.since(START) / HOUR - 2, "{of_keys:#?}");
}

/// What an earlier run did not know of yet changes what later runs throttle.
#[tokio::test(flavor = "multi_thread")]
async fn late_events_and_throttles_give_the_findings_of_those_in_time() {
    let throttled = format!("{DETECTION}  throttling:\n    fields: [user_name]\n    period: 3h\n");
    let of_keys = |found: BTreeSet<String>| -> BTreeSet<String> {
        found.into_iter().filter(|line| line.starts_with("Keys")).collect()
    };
    let all = of_keys(hours(DETECTION, |_| 60, false).await);
    let in_time = of_keys(hours(&throttled, |_| 60, false).await);
    assert!(in_time.len() >= 8 && in_time.len() < all.len(), "{in_time:#?}");
    let late = hours(&throttled, |number| (number as i64 * 7919) % (4 * HOUR), false).await;
    assert_eq!(of_keys(late), in_time);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_users_set_takes_the_place_of_what_the_content_says() {
    let mut simulation = Simulation::new().await;
    let mut desk = Desk::open(&simulation.server.runner.folder.store()).unwrap();
    let id = "11111111-2222-4333-8444-555555555555";
    let set =
        Override { is_enabled: Some(false), reason: "too many".to_owned(), ..Override::default() };
    desk.set_override(id, &set, "ann", START).unwrap();
    simulation.scheduler.tick(START.plus(HOUR + 600)).await.unwrap();
    let ran = |simulation: &Simulation| -> Vec<(String, i64)> {
        let runs = simulation.store().runs(Moment(0)).unwrap();
        let mine = runs.into_iter().filter(|run| run.schedule == id);
        mine.map(|run| (run.status.name().to_owned(), run.nominal.since(START) / 60)).collect()
    };
    assert_eq!(ran(&simulation), []);
    let set = Override {
        cron: Some("*/30 * * * *".to_owned()),
        earliest: Some("-30m@m".to_owned()),
        latest: Some("now".to_owned()),
        window: Some("0".to_owned()),
        reason: "faster".to_owned(),
        ..Override::default()
    };
    desk.set_override(id, &set, "ann", START).unwrap();
    simulation.scheduler.tick(START.plus(2 * HOUR)).await.unwrap();
    simulation.scheduler.tick(START.plus(3 * HOUR)).await.unwrap();
    // What was due while it was disabled is made up for.
    let done: Vec<_> = (1..=6).map(|half| ("done".to_owned(), half * 30)).collect();
    assert_eq!(ran(&simulation), done);
    // The first one looks at what the schedule before it would have looked at next.
    let first = simulation.store().runs(Moment(0)).unwrap();
    let first = first.iter().find(|run| run.schedule == id).unwrap().interval.unwrap();
    assert_eq!(first, Interval { from: START.plus(-600), to: START.plus(HOUR / 2) });
    // What makes no schedule is told, and the content's runs.
    let set = Override { cron: Some("nonsense".to_owned()), ..Override::default() };
    desk.set_override(id, &set, "ann", START).unwrap();
    simulation.scheduler.tick(START.plus(4 * HOUR + 600)).await.unwrap();
    assert_eq!(ran(&simulation).len(), 7);
    let told = simulation.told.0.lock().unwrap().join("\n");
    assert!(told.contains("what was set for Keys Made cannot be used"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn risk_of_a_day_adds_up_to_one_notable() {
    let Simulation { folder, server, scheduler, .. } = Simulation::new().await;
    drop((server, scheduler));
    let mut options = options(folder.path());
    options.content.builtin = BuiltinPack::WithRiskRules;
    let of = ["Keys Made", "Risk Threshold*", "ATT&CK Tactic*"];
    options.select.detections = of.map(str::to_owned).into();
    let mut simulation = Simulation::with(folder, options, START).await;
    for hour in 1..=6 {
        let half = START.plus(hour * HOUR - HOUR / 2);
        simulation.arrive("ann", &[half]).await;
        if hour == 3 {
            simulation.arrive("bob", &[half]).await;
        }
        simulation.scheduler.tick(START.plus(hour * HOUR + 900)).await.unwrap();
    }
    let found = simulation.found();
    let over: Vec<&String> = found.iter().filter(|line| line.starts_with("Risk")).collect();
    // The second finding of ann makes it more than 100. It is told once a day.
    let [one] = over.as_slice() else { panic!("{found:#?}") };
    assert!(one.contains("\"risk_object\":\"ann\"") && one.contains("\"risk_score\":120"), "{one}");
    let runs = simulation.store().runs(Moment(0)).unwrap();
    assert!(runs.iter().all(|run| run.status == Status::Done && run.reason.is_none()), "{runs:#?}");
    // Each of the detection's hours had an event, and rules of risk are not asked for any.
    let told = simulation.told.0.lock().unwrap().join("\n");
    assert!(!told.contains("NoEvents"), "{told}");
}

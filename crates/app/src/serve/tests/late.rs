//! Runs that are made again: what stands in their way takes nothing back.

use spilltrail_store::{AllowCondition, AllowRule};

use super::*;
use crate::allow::{AllowEntry, AllowedValues};

/// Returns the files of the table.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|of| of == "parquet") {
            found.push(path);
        }
    }
    found
}

/// Returns the entities of what was found.
fn users(simulation: &Simulation) -> Vec<String> {
    let found = simulation.counted();
    let of_keys = found.iter().filter(|one| one.finding.finding.name == "Keys Made");
    let mut users: Vec<_> = of_keys.filter_map(|one| one.finding.finding.entity.clone()).collect();
    users.sort();
    users
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_takes_no_finding_back() {
    let mut simulation = Simulation::new().await;
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(2 * HOUR)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    let table = simulation.server.runner.folder.lake().table();
    for file in files(&table) {
        let mut bytes = fs::read(&file).unwrap();
        bytes[4..200].fill(0);
        fs::write(&file, bytes).unwrap();
    }
    simulation.arrive("bob", &[START.plus(HOUR / 3)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(2 * HOUR + 600)).await.unwrap();
    assert_eq!(users(&simulation), ["ann", "bob"]);
    let runs = simulation.store().runs(Moment(0)).unwrap();
    let late: Vec<_> = runs.iter().filter(|run| run.status == Status::Late).collect();
    assert!(!late.is_empty());
    let told = |run: &&&spilltrail_store::StoredRun| {
        run.reason.as_deref().is_some_and(|reason| reason.starts_with("events are missing"))
    };
    assert_eq!(late.iter().filter(told).count(), late.len(), "{late:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_events_that_were_dropped_are_not_made_again() {
    let Simulation { folder, server, scheduler, .. } = Simulation::new().await;
    drop((server, scheduler));
    let mut options = options(folder.path());
    options.retention.days = Some(1);
    let mut simulation = Simulation::with(folder, options, START).await;
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(2 * HOUR)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    simulation.arrive("bob", &[START.plus(HOUR / 3)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(72 * HOUR)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    let told = simulation.told.0.lock().unwrap().join("\n");
    assert!(told.contains("Keys Made: events arrived too late for"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_holds_back_nothing() {
    let throttled = format!("{DETECTION}  throttling:\n    fields: [user_name]\n    period: 5h\n");
    let mut simulation = Simulation::of(&throttled).await;
    let mut desk = Desk::open(&simulation.server.runner.folder.store()).unwrap();
    let rule = AllowRule {
        detection: "Keys Made".to_owned(),
        conditions: vec![AllowCondition { field: "count".to_owned(), value: "1".to_owned() }],
        owner: "ann".to_owned(),
        reason: "one is usual".to_owned(),
        ..AllowRule::default()
    };
    desk.add_allow(&rule, START).unwrap();
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.scheduler.tick(START.plus(HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), [""; 0]);
    let two = [START.plus(HOUR + HOUR / 2), START.plus(HOUR + HOUR / 3)];
    simulation.arrive("ann", &two).await;
    simulation.scheduler.tick(START.plus(2 * HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    // That one was reported, and holds back the same.
    let two = two.map(|time| time.plus(HOUR));
    simulation.arrive("ann", &two).await;
    simulation.scheduler.tick(START.plus(3 * HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
}

/// An entry that is over hides what happened before its end, whenever its run is.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_hides_findings_of_its_time() {
    let mut simulation = Simulation::new().await;
    let mut desk = Desk::open(&simulation.server.runner.folder.store()).unwrap();
    let condition = |field: &str, value: &str| AllowCondition {
        field: field.to_owned(),
        value: value.to_owned(),
    };
    let rule = AllowRule {
        detection: "Keys Made".to_owned(),
        conditions: vec![condition("user_name", "a*"), condition("count", "1")],
        owner: "ann".to_owned(),
        reason: "maintenance".to_owned(),
        starts: Some(START.plus(HOUR)),
        expires: Some(START.plus(2 * HOUR)),
    };
    desk.add_allow(&rule, START).unwrap();
    // One before it, one in it that has another name, and one in it that arrives when it is over.
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.arrive("bob", &[START.plus(HOUR + HOUR / 2)]).await;
    simulation.scheduler.tick(START.plus(4 * HOUR)).await.unwrap();
    simulation.arrive("amy", &[START.plus(HOUR + HOUR / 2)]).await;
    simulation.arrive("ada", &[START.plus(2 * HOUR + HOUR / 2)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(5 * HOUR)).await.unwrap();
    let mut shown = users(&simulation);
    shown.sort();
    assert_eq!(shown, ["ada", "ann", "bob"]);
    assert_eq!(desk.reader().allow_list(false).unwrap()[0].hits, 1);
}

/// Whoever points a server at an archive is told that nobody looks at it.
#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_too_old_for_all_runs_are_told() {
    let mut simulation = Simulation::new().await;
    simulation.scheduler.tick(START.plus(2 * HOUR)).await.unwrap();
    for minutes in [10, 20] {
        simulation.arrive("ann", &[START.plus(-30 * 24 * HOUR)]).await;
        simulation.move_all().await;
        simulation.scheduler.tick(START.plus(2 * HOUR + minutes * 60)).await.unwrap();
    }
    assert_eq!(users(&simulation), [""; 0]);
    let told = simulation.told.0.lock().unwrap();
    let told: Vec<_> = told.iter().filter(|line| line.contains("too old")).collect();
    let [one] = told.as_slice() else { panic!("{told:#?}") };
    assert!(one.contains("events of 2026-10-03T00:00:00Z to 2026-10-03T00:01:00Z"), "{one}");
    assert!(one.contains("1 detection does not look at them"), "{one}");
}

/// How far a schedule has come is one moment: what runs after a run that failed would leave it out for good.
#[tokio::test(flavor = "multi_thread")]
async fn later_runs_wait_for_one_that_failed() {
    let Simulation { folder, server, scheduler, .. } = Simulation::new().await;
    drop((server, scheduler));
    let with = |memory_limit| ServeOptions { memory_limit, ..options(folder.path()) };
    let (little, enough) = (with(Some(4 << 20)), with(None));
    let mut simulation = Simulation::with(folder, little, START).await;
    let long = "a".repeat(3 << 20);
    simulation.arrive(&long, &[START.plus(HOUR / 2)]).await;
    simulation.arrive("bob", &[START.plus(HOUR + HOUR / 2)]).await;
    simulation.move_all().await;
    // Both are due at once, and so is the pass after them.
    simulation.scheduler.tick(START.plus(3 * HOUR)).await.unwrap();
    assert_eq!(users(&simulation), [""; 0]);
    let of_keys = |simulation: &Simulation| -> Vec<(i64, Status)> {
        let runs = simulation.store().runs(Moment(0)).unwrap();
        let of_keys = runs.iter().filter(|run| run.schedule.starts_with("1111"));
        of_keys.map(|run| (run.nominal.since(START) / HOUR, run.status)).collect()
    };
    assert_eq!(of_keys(&simulation), [(1, Status::Failed)]);
    let Simulation { folder, server, scheduler, .. } = simulation;
    drop((server, scheduler));
    let mut simulation = Simulation::with(folder, enough, START.plus(3 * HOUR)).await;
    simulation.scheduler.tick(START.plus(3 * HOUR + 60)).await.unwrap();
    assert_eq!(users(&simulation), [long, "bob".to_owned()]);
}

/// A detection that is out of the content for a while, as one whose file has a mistake, leaves nothing out.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_makes_up_for_what_was_due() {
    let mut simulation = Simulation::new().await;
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.scheduler.tick(START.plus(HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    let file = simulation.folder.path().join("content/detections/keys_made.yml");
    let reload = |simulation: &Simulation| load(&simulation.server.runner.options).unwrap();
    fs::write(&file, "name: [").unwrap();
    let without = reload(&simulation);
    simulation.scheduler.reload(without, START.plus(HOUR + 960)).await.unwrap();
    // One is late for the run that it had, the others are of its absence.
    simulation.arrive("amy", &[START.plus(HOUR / 3)]).await;
    simulation.arrive("bob", &[START.plus(HOUR + HOUR / 2)]).await;
    simulation.arrive("cat", &[START.plus(2 * HOUR + HOUR / 2)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(3 * HOUR)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    fs::write(&file, DETECTION).unwrap();
    let with = reload(&simulation);
    simulation.scheduler.reload(with, START.plus(3 * HOUR + 60)).await.unwrap();
    simulation.scheduler.tick(START.plus(3 * HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["amy", "ann", "bob", "cat"]);
}

/// A clock that was wrong for a moment does not turn detections off until its time has come.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_takes_schedules_with_it() {
    let mut simulation = Simulation::new().await;
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.scheduler.tick(START.plus(HOUR + 900)).await.unwrap();
    simulation.scheduler.tick(START.plus(400 * 24 * HOUR)).await.unwrap();
    // What happened before the clock was right again is due, too.
    simulation.arrive("bob", &[START.plus(HOUR + HOUR / 2)]).await;
    simulation.arrive("cat", &[START.plus(2 * HOUR + HOUR / 2)]).await;
    simulation.scheduler.tick(START.plus(2 * HOUR + 900)).await.unwrap();
    simulation.scheduler.tick(START.plus(3 * HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["ann", "bob", "cat"]);
    let told = simulation.told.0.lock().unwrap().join("\n");
    assert!(
        told.contains("when the clock was wrong; it goes on after 2026-11-02T01:00:00Z"),
        "{told}"
    );
}

/// A part that ends because of a bug is told, and begins again.
#[tokio::test(start_paused = true)]
async fn a_part_that_ends_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let detections = folder.path().join("content/detections");
    fs::create_dir_all(&detections).unwrap();
    fs::write(detections.join("keys_made.yml"), DETECTION).unwrap();
    let told = Arc::new(Told::default());
    let server = Server::open(options(folder.path()), told.clone(), CancellationToken::new()).await;
    let runner = server.unwrap().runner;
    let begun = Arc::new(Mutex::new(0));
    let (of, count, cancel) = (runner.clone(), begun.clone(), runner.cancel.clone());
    let work = move || {
        *count.lock().unwrap() += 1;
        let (times, cancel) = (*count.lock().unwrap(), cancel.clone());
        async move {
            assert!(times > 1, "this is the bug");
            cancel.cancelled().await;
        }
    };
    let kept = tokio::spawn(keep_up(of, "inputs", "bucket".to_owned(), work));
    tokio::time::sleep(AFTER_BUG * 3).await;
    assert_eq!(*begun.lock().unwrap(), 2);
    runner.cancel.cancel();
    kept.await.unwrap();
    let told = told.0.lock().unwrap().join("\n");
    assert!(told.contains("which is a bug; it begins again in a minute"), "{told}");
    assert!(told.contains("Solved"), "{told}");
}

/// Entries of the configuration hide as those do that are added later, and take nothing back.
#[tokio::test(flavor = "multi_thread")]
async fn entries_of_the_configuration_take_nothing_back() {
    let mut simulation = Simulation::new().await;
    simulation.arrive("ann", &[START.plus(HOUR / 2)]).await;
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(HOUR + 900)).await.unwrap();
    assert_eq!(users(&simulation), ["ann"]);
    let Simulation { folder, server, scheduler, .. } = simulation;
    drop((server, scheduler));
    let condition = |field: &str| crate::allow::Condition {
        field: field.to_owned(),
        values: AllowedValues::Pattern("a*".to_owned()),
    };
    let entry = AllowEntry {
        detection: "Keys *".to_owned(),
        conditions: vec![condition("user_name")],
        owner: "ops".to_owned(),
        reason: "known".to_owned(),
        expires: None,
        origin: "c.toml:1".to_owned(),
    };
    let options = ServeOptions { allow: vec![entry], ..options(folder.path()) };
    let mut simulation = Simulation::with(folder, options, START.plus(HOUR + 960)).await;
    // The run of the first hour is made again, and a later one finds another user that is known.
    for user in ["bob", "amy"] {
        simulation.arrive(user, &[START.plus(HOUR / 3), START.plus(HOUR + HOUR / 2)]).await;
    }
    simulation.move_all().await;
    simulation.scheduler.tick(START.plus(2 * HOUR + 900)).await.unwrap();
    let mut shown = users(&simulation);
    shown.dedup();
    assert_eq!(shown, ["ann", "bob"]);
    let hidden = spilltrail_store::Filter {
        suppressed: spilltrail_store::Suppressed::Only,
        is_all: true,
        ..Default::default()
    };
    let page = simulation.store().list(&hidden, None, 10).unwrap();
    let of = |row: &Listed| (row.entity.clone().unwrap_or_default(), row.suppressed_by);
    let hidden: Vec<_> = page.rows.iter().map(of).collect();
    assert_eq!(hidden, [("amy".to_owned(), Some(0))]);
}

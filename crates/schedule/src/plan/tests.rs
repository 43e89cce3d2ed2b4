//! Tables of what is due.

use super::*;
use crate::schedule::tests::{moment, spec};
use crate::schedule::{Mode, Priority, ScheduleSpec};
use crate::spread::Window;

fn hourly() -> ScheduleSpec {
    spec("0 * * * *", "UTC", "-70m@m", "-10m@m")
}

fn realtime() -> ScheduleSpec {
    ScheduleSpec { mode: Mode::Realtime, ..hourly() }
}

fn at(time: &str) -> Moment {
    moment(&format!("2026-11-{time}:00Z"))
}

/// Returns the time of the day of a moment.
fn clock(moment: Moment) -> String {
    moment.to_string()[8..16].replace('T', " ")
}

struct Outcome {
    runs: Vec<String>,
    missed: Vec<String>,
    next: Option<String>,
}

/// Plans one schedule that is done until a moment.
fn plan_one(spec: ScheduleSpec, done: &str, now: &str, limits: Limits) -> Outcome {
    let schedule = Schedule::new(spec).unwrap();
    let planned =
        Planned { id: "a", schedule: &schedule, done: at(done), seam: None, is_busy: false };
    let plan = plan(at(now), &[planned], limits);
    let missed = |missed: &Missed| {
        let (first, last) = (clock(missed.first), clock(missed.last));
        format!("{first} to {last}: {}", missed.firings)
    };
    Outcome {
        runs: plan
            .passes
            .iter()
            .flat_map(|pass| &pass.runs)
            .map(|run| clock(run.nominal))
            .collect(),
        missed: plan.missed.iter().map(missed).collect(),
        next: plan.next.map(clock),
    }
}

#[test]
fn what_is_due_by_mode() {
    let weekly = || spec("0 6 * * 1", "UTC", "-1w@w1", "@w1");
    for (name, spec, done, now, runs, missed, next) in [
        ("not yet", hourly(), "29T12:00", "29T12:59", vec![], vec![], "29 13:00"),
        ("just now", hourly(), "29T12:00", "29T13:00", vec!["29 13:00"], vec![], "29 14:00"),
        (
            "some hours",
            hourly(),
            "29T12:00",
            "29T15:10",
            vec!["29 13:00", "29 14:00", "29 15:00"],
            vec![],
            "29 16:00",
        ),
        (
            "some hours in real time",
            realtime(),
            "29T12:00",
            "29T15:10",
            vec!["29 15:00"],
            vec!["29 13:00 to 29 14:00: 2"],
            "29 16:00",
        ),
        (
            "one hour in real time",
            realtime(),
            "29T14:00",
            "29T15:10",
            vec!["29 15:00"],
            vec![],
            "29 16:00",
        ),
        // The latest firing runs, however long ago it is.
        ("a weekly one", weekly(), "17T00:00", "25T12:00", vec!["23 06:00"], vec![], "30 06:00"),
        (
            "several weekly ones",
            weekly(),
            "01T00:00",
            "25T12:00",
            vec!["23 06:00"],
            vec!["02 06:00 to 16 06:00: 3"],
            "30 06:00",
        ),
        // The clock was set back: what is done stays done.
        ("earlier than before", hourly(), "29T12:00", "29T09:30", vec![], vec![], "29 13:00"),
    ] {
        let found = plan_one(spec, done, now, Limits::default());
        assert_eq!(found.runs, runs, "{name}");
        assert_eq!(found.missed, missed, "{name}");
        assert_eq!(found.next.as_deref(), Some(next), "{name}");
    }
}

#[test]
fn what_is_too_long_ago_is_a_gap() {
    let found = plan_one(hourly(), "20T12:00", "29T15:10", Limits::default());
    assert_eq!(found.missed, ["20 13:00 to 28 15:00: 195"]);
    assert_eq!((found.runs[0].as_str(), found.runs.len()), ("28 16:00", 24));
    // The look-back itself is not too long.
    let found = plan_one(hourly(), "20T12:00", "29T15:00", Limits::default());
    assert_eq!((found.runs[0].as_str(), found.runs.len()), ("28 15:00", 25));
    let limits = Limits { look_back: 0, ..Limits::default() };
    let found = plan_one(hourly(), "29T12:00", "29T15:10", limits);
    assert_eq!(found.missed, ["29 13:00 to 29 14:00: 2"]);
    assert_eq!(found.runs, ["29 15:00"]);
    // The interval of a gap is what nobody has looked at.
    let schedule = Schedule::new(hourly()).unwrap();
    let done = at("20T12:00");
    let planned = [Planned { id: "a", schedule: &schedule, done, seam: None, is_busy: false }];
    let missed = &plan(at("29T15:10"), &planned, Limits::default()).missed[0];
    assert_eq!(missed.reason, Reason::BeyondLookBack);
    let interval = missed.interval.unwrap();
    assert_eq!((clock(interval.from), clock(interval.to)), ("20 11:50".into(), "28 14:50".into()));
}

#[test]
fn a_plan_is_bounded_and_the_rest_comes_next() {
    let limits = Limits { most_runs: 2, ..Limits::default() };
    let found = plan_one(hourly(), "29T10:00", "29T15:10", limits);
    assert_eq!(found.runs, ["29 11:00", "29 12:00"]);
    assert_eq!(found.next.as_deref(), Some("29 15:10"));
    // A clock that jumps by a thousand years.
    let every_minute = Schedule::new(spec("* * * * *", "UTC", "-1m", "now")).unwrap();
    let done = at("29T10:00");
    let planned = [Planned { id: "a", schedule: &every_minute, done, seam: None, is_busy: false }];
    let plan = plan(done.plus(1000 * 366 * 86_400), &planned, Limits::default());
    assert_eq!(plan.missed[0].firings, MOST_COUNTED);
    assert_eq!(plan.passes.len(), 1000);
}

#[test]
fn windows_delay_starts_and_passes_are_shared() {
    let window = |minutes| ScheduleSpec { window: Window::Minutes(minutes), ..hourly() };
    let (early, late) = (Schedule::new(hourly()).unwrap(), Schedule::new(window(59)).unwrap());
    let done = at("29T12:00");
    let start = late.start_of(at("29T13:00"), "late");
    assert!(start > at("29T13:05"), "{start}");
    let alone = [Planned { id: "late", schedule: &late, done, seam: None, is_busy: false }];
    let found = plan(at("29T13:00"), &alone, Limits::default());
    assert_eq!((found.passes.len(), found.next), (0, Some(start)));
    assert_eq!(plan(start, &alone, Limits::default()).passes.len(), 1);
    // With another run over the same events, it does not wait.
    let both =
        [alone[0], Planned { id: "early", schedule: &early, done, seam: None, is_busy: false }];
    let found = plan(at("29T13:00"), &both, Limits::default());
    let ids: Vec<&str> = found.passes[0].runs.iter().map(|run| run.schedule.as_str()).collect();
    assert_eq!((ids, found.passes.len()), (vec!["early", "late"], 1));
    assert_eq!(found.next, Some(at("29T14:00")));
    // It waits if the other one is busy.
    let busy = [both[0], Planned { is_busy: true, ..both[1] }];
    let found = plan(at("29T13:00"), &busy, Limits::default());
    assert_eq!((found.passes.len(), found.next), (0, Some(start)));
}

#[test]
fn in_real_time_the_latest_that_should_have_started_runs() {
    let spec = ScheduleSpec { window: Window::Minutes(59), ..realtime() };
    let schedule = Schedule::new(spec.clone()).unwrap();
    let start = schedule.start_of(at("29T15:00"), "a");
    assert!(start > at("29T15:02"));
    let found = plan_one(spec, "29T12:00", "29T15:01", Limits::default());
    assert_eq!(found.runs, ["29 14:00"]);
    assert_eq!(found.missed, ["29 13:00 to 29 13:00: 1"]);
    assert_eq!(found.next, Some(clock(start)));
}

#[test]
fn priorities_are_splunks() {
    let mut schedules = Vec::new();
    for mode in [Mode::Continuous, Mode::Realtime] {
        for priority in [Priority::Default, Priority::Higher, Priority::Highest] {
            let spec = spec("0 * * * *", "UTC", &format!("-{}m", 60 + schedules.len()), "now");
            let spec = ScheduleSpec { mode, priority, ..spec };
            schedules.push((format!("{mode:?} {priority:?}"), Schedule::new(spec).unwrap()));
        }
    }
    let planned: Vec<Planned<'_>> = schedules
        .iter()
        .map(|(id, schedule)| Planned {
            id,
            schedule,
            done: at("29T12:00"),
            seam: None,
            is_busy: false,
        })
        .collect();
    let found = plan(at("29T13:00"), &planned, Limits::default());
    let order: Vec<&str> = found.passes.iter().map(|pass| pass.runs[0].schedule.as_str()).collect();
    let expected = [
        "Realtime Highest",
        "Continuous Highest",
        "Realtime Higher",
        "Realtime Default",
        "Continuous Higher",
        "Continuous Default",
    ];
    assert_eq!(order, expected);
}

#[test]
fn a_clock_that_was_set_back_is_told() {
    let schedule = Schedule::new(hourly()).unwrap();
    let done = at("29T12:00");
    let planned = [Planned { id: "a", schedule: &schedule, done, seam: None, is_busy: false }];
    let ahead = |now: &str| plan(at(now), &planned, Limits::default()).ahead;
    assert_eq!(ahead("29T11:56"), []);
    assert_eq!(ahead("29T09:00"), [Ahead { schedule: "a".into(), done }]);
}

#[test]
fn runs_without_an_interval_are_told_in_order() {
    // Before ten o'clock, the interval would begin after its end.
    let spec = spec("0 8-12 * * *", "UTC", "@d+9h", "-1h");
    let found = plan_one(spec.clone(), "29T00:00", "29T12:30", Limits::default());
    assert_eq!(found.missed, ["29 08:00 to 29 10:00: 3"]);
    assert_eq!(found.runs, ["29 11:00", "29 12:00"]);
    // What cannot run is not recorded before the runs that come before it.
    let found = plan_one(spec, "28T11:00", "29T11:30", Limits::default());
    assert_eq!((found.runs, found.missed.len()), (vec!["28 12:00".to_owned()], 0));
    assert_eq!(found.next.as_deref(), Some("29 11:30"));
}

#[test]
fn what_never_fires_is_never_due() {
    let found =
        plan_one(spec("0 0 30 2 *", "UTC", "-1d", ""), "29T00:00", "29T12:30", Limits::default());
    assert_eq!((found.runs.len(), found.missed.len(), found.next), (0, 0, None));
}

/// Whatever takes the place of a schedule, the first run begins where that one would have begun.
#[test]
fn a_changed_schedule_leaves_nothing_out() {
    let five = spec("*/5 * * * *", "UTC", "-8m@m", "-3m@m");
    let minute = spec("* * * * *", "UTC", "-1m@m", "@m");
    let daily = spec("0 3 * * *", "UTC", "-1d@d", "@d");
    for (name, before, after, done, expected) in [
        ("to each minute", &five, &minute, "29T12:35", Some("29 12:32")),
        ("and back", &minute, &five, "29T12:35", None),
        ("to each hour", &daily, &hourly(), "29T03:00", Some("29 00:00")),
        ("and back", &hourly(), &daily, "29T15:00", None),
        ("to the same", &five, &five, "29T12:35", None),
    ] {
        let [before, after] = [before, after].map(|spec| Schedule::new(spec.clone()).unwrap());
        let found = seam(&before, &after, at(done));
        assert_eq!(found.map(clock).as_deref(), expected, "{name}");
    }
    let schedule = Schedule::new(minute).unwrap();
    let (done, seam) = (at("29T12:35"), Some(at("29T12:32")));
    let planned = [Planned { id: "a", schedule: &schedule, done, seam, is_busy: false }];
    let intervals = |plan: &Plan| -> Vec<String> {
        let runs = plan.passes.iter().flat_map(|pass| &pass.runs);
        let shown =
            |interval: Interval| format!("{} to {}", clock(interval.from), clock(interval.to));
        runs.map(|run| shown(run.interval)).collect()
    };
    let due = plan(at("29T12:37"), &planned, Limits::default());
    assert_eq!(intervals(&due), ["29 12:32 to 29 12:36", "29 12:36 to 29 12:37"]);
    // What was missed has it.
    let limits = Limits { look_back: 120, ..Limits::default() };
    let due = plan(at("29T12:40"), &planned, limits);
    let missed = due.missed[0].interval.unwrap();
    assert_eq!((clock(missed.from), clock(missed.to)), ("29 12:32".into(), "29 12:37".into()));
    assert_eq!(intervals(&due)[0], "29 12:37 to 29 12:38");
}

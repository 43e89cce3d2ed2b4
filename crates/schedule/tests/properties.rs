//! Properties of schedules and plans, whatever the numbers are.

use proptest::prelude::*;
use spilltrail_schedule::{
    Cron, Limits, Missed, Mode, Moment, Pass, Planned, Priority, Schedule, ScheduleSpec, Window,
    plan, zone_of,
};

const ZONES: [&str; 5] =
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];

fn spec(cron: String, zone: &str, earliest: String, latest: String) -> ScheduleSpec {
    let (window, mode, priority) = (Window::None, Mode::Continuous, Priority::Default);
    ScheduleSpec { cron, zone: zone.to_owned(), earliest, latest, window, mode, priority }
}

/// Expressions whose fields are numbers, steps and lists.
fn cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (0..60u32).prop_map(|minute| minute.to_string()),
        (1..60u32).prop_map(|step| format!("*/{step}")),
        (0..30u32, 30..60u32).prop_map(|(from, to)| format!("{from}-{to},59")),
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (0..24u32).prop_map(|hour| hour.to_string()),
        (1..24u32).prop_map(|step| format!("*/{step}")),
    ];
    let days = prop_oneof![
        Just("* * *".to_owned()),
        (1..32u32).prop_map(|day| format!("{day} * *")),
        (0..8u32).prop_map(|day| format!("* * {day}")),
        (1..13u32).prop_map(|month| format!("* {month} *")),
    ];
    (minute, hour, days).prop_map(|(minute, hour, days)| format!("{minute} {hour} {days}"))
}

/// Moments of about a century.
fn moment() -> impl Strategy<Value = Moment> {
    (0..3_000_000_000i64).prop_map(Moment)
}

/// Plans and records until nothing is due.
fn work(
    now: Moment,
    schedule: &Schedule,
    done: &mut Moment,
    limits: Limits,
) -> (Vec<Pass>, Vec<Missed>) {
    let (mut passes, mut missed) = (Vec::new(), Vec::new());
    loop {
        let planned = Planned { id: "a", schedule, done: *done, seam: None, is_busy: false };
        let plan = plan(now, &[planned], limits);
        if plan.passes.is_empty() && plan.missed.is_empty() {
            return (passes, missed);
        }
        for one in plan.missed {
            *done = one.last;
            missed.push(one);
        }
        for one in plan.passes {
            *done = one.runs[0].nominal;
            passes.push(one);
        }
    }
}

proptest! {
    #[test]
    fn next_and_previous_are_inverse(cron in cron(), zone in 0..ZONES.len(), at in moment()) {
        let (cron, zone) = (Cron::parse(&cron).unwrap(), zone_of(ZONES[zone]).unwrap());
        let next = cron.next(at, &zone).unwrap();
        prop_assert!(next > at);
        // Nothing fires between a moment and the next firing.
        let last = cron.previous(next, &zone);
        prop_assert!(last.is_none_or(|last| last <= at), "{last:?}");
        prop_assert_eq!(cron.previous(next.plus(1), &zone), Some(next));
        prop_assert_eq!(cron.next(next.plus(-1), &zone), Some(next));
    }

    /// Runs each `period` minutes that look back as far tile the time, in every zone.
    #[test]
    fn rhythms_tile_the_time(
        period in prop::sample::select(vec![1i64, 2, 3, 5, 6, 10, 15, 30]),
        lag in 0..30i64,
        zone in 0..ZONES.len(),
        at in moment(),
    ) {
        let (earliest, latest) = (format!("-{}m@m", period + lag), format!("-{lag}m@m"));
        let schedule = spec(format!("*/{period} * * * *"), ZONES[zone], earliest, latest);
        let schedule = Schedule::new(schedule).unwrap();
        let mut nominal = schedule.next(at).unwrap();
        let mut end = schedule.interval(nominal).unwrap().to;
        for _ in 0..200 {
            nominal = schedule.next(nominal).unwrap();
            let interval = schedule.interval(nominal).unwrap();
            prop_assert_eq!((interval.from, interval.to.since(interval.from)), (end, period * 60));
            end = interval.to;
        }
    }

    /// Days of a zone tile the time, and only those of zones that change clocks have other lengths.
    #[test]
    fn days_tile_the_time(hour in 0..24u32, zone in 0..ZONES.len(), at in moment()) {
        let schedule = spec(format!("30 {hour} * * *"), ZONES[zone], "-1d@d".into(), "@d".into());
        let schedule = Schedule::new(schedule).unwrap();
        let mut nominal = schedule.next(at).unwrap();
        let mut end = schedule.interval(nominal).unwrap().to;
        for _ in 0..400 {
            nominal = schedule.next(nominal).unwrap();
            let interval = schedule.interval(nominal).unwrap();
            prop_assert_eq!(interval.from, end);
            end = interval.to;
        }
    }

    /// It does not matter how often and when plans are made.
    #[test]
    fn two_plans_are_one(
        cron in cron(),
        done in moment(),
        steps in prop::collection::vec(0..40_000i64, 1..4),
        most_runs in 1..20usize,
    ) {
        let spec = spec(cron, "Europe/Berlin", "-1h".into(), "now".into());
        let schedule = Schedule::new(spec).unwrap();
        let all = Limits { look_back: i64::MAX, most_runs: 10_000 };
        let few = Limits { most_runs, ..all };
        let now = done.plus(steps.iter().sum());
        let (mut done_at_once, mut done_in_steps) = (done, done);
        let (expected, missed) = work(now, &schedule, &mut done_at_once, all);
        prop_assert_eq!(missed, []);
        let (mut found, mut at) = (Vec::new(), done);
        for step in steps {
            at = at.plus(step);
            found.extend(work(at, &schedule, &mut done_in_steps, few).0);
        }
        prop_assert_eq!(found, expected);
        prop_assert_eq!(done_in_steps, done_at_once);
    }

    #[test]
    fn no_text_causes_a_panic(text in "[0-9*/,\\-@a-zA-Zä ]{0,40}") {
        if let Err(error) = Cron::parse(&text) {
            prop_assert!(text.get(error.from..error.to.min(text.len())).is_some());
            prop_assert!(!error.help.is_empty());
        }
    }
}

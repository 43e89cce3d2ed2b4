//! Thirty days of schedules with outages, kills and clocks that jump: every firing runs exactly once,
//! or is part of what is reported as missed.

#![expect(clippy::unwrap_used, reason = "whatever cannot be done fails the test")]

use std::collections::BTreeMap;

use spilltrail_schedule::{
    Interval, Limits, Missed, Mode, Moment, Plan, Planned, Priority, Reason, Run, Schedule,
    ScheduleSpec, Window, plan,
};

const DAY: i64 = 86_400;

/// 2026-10-01, so that clocks in Europe are set back within the thirty days.
const START: Moment = Moment(1_790_812_800);

/// What is on the disk: it survives kills.
#[derive(Default)]
struct Record {
    done: Moment,
    runs: Vec<Run>,
    missed: Vec<Missed>,
}

/// A machine with a clock, a disk, and a process that can be killed.
struct World {
    random: fastrand::Rng,
    /// The real time.
    time: i64,
    /// How far the clock is from it.
    skew: i64,
    schedules: BTreeMap<String, Schedule>,
    disk: BTreeMap<String, Record>,
    /// The runs under way and when they end: lost with the process.
    running: Vec<(i64, Run)>,
    kills: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let spec = |cron: &str, zone: &str, earliest: &str, latest: &str| ScheduleSpec {
            cron: cron.into(),
            zone: zone.into(),
            earliest: earliest.into(),
            latest: latest.into(),
            window: Window::None,
            mode: Mode::Continuous,
            priority: Priority::Default,
        };
        let hourly = || spec("0 * * * *", "UTC", "-70m@m", "-10m@m");
        let schedules: BTreeMap<String, Schedule> = [
            ("hourly", hourly()),
            ("hourly, too", ScheduleSpec { window: Window::Auto, ..hourly() }),
            ("hourly, spread", ScheduleSpec { window: Window::Minutes(55), ..hourly() }),
            ("baseline", spec("10 0 * * *", "UTC", "-1450m@m", "-10m@m")),
            ("often", spec("*/5 * * * *", "Europe/Berlin", "-6m@m", "-1m@m")),
            ("local days", spec("30 2 * * *", "Europe/Berlin", "-1d@d", "@d")),
            ("weekly", spec("0 6 * * 1", "America/New_York", "-1w@w1", "@w1")),
            (
                "real time",
                ScheduleSpec { mode: Mode::Realtime, priority: Priority::Highest, ..hourly() },
            ),
            (
                "real time, spread",
                ScheduleSpec { mode: Mode::Realtime, window: Window::Minutes(30), ..hourly() },
            ),
        ]
        .into_iter()
        .map(|(id, spec)| (id.to_owned(), Schedule::new(spec).unwrap()))
        .collect();
        for (id, schedule) in &schedules {
            assert_eq!(schedule.check(START), [], "{id}");
        }
        let record = |id: &String| (id.clone(), Record { done: START, ..Record::default() });
        let disk = schedules.keys().map(record).collect();
        let random = fastrand::Rng::with_seed(seed);
        Self { random, time: START.0, skew: 0, schedules, disk, running: Vec::new(), kills: 0 }
    }

    fn now(&self) -> Moment {
        Moment(self.time + self.skew)
    }

    fn plan(&self) -> Plan {
        let is_busy = |id: &String| self.running.iter().any(|(_, run)| run.schedule == *id);
        let planned: Vec<Planned<'_>> = self
            .schedules
            .iter()
            .map(|(id, schedule)| {
                let done = self.disk[id].done;
                Planned { id, schedule, done, seam: None, is_busy: is_busy(id) }
            })
            .collect();
        plan(self.now(), &planned, Limits { most_runs: 50, ..Limits::default() })
    }

    /// Does what is planned, and waits until more is due or something ends.
    fn step(&mut self) {
        let plan = self.plan();
        for missed in plan.missed {
            let record = self.disk.get_mut(&missed.schedule).unwrap();
            record.done = missed.last;
            record.missed.push(missed);
        }
        for pass in plan.passes {
            let is_busy =
                |run: &Run| self.running.iter().any(|(_, one)| one.schedule == run.schedule);
            if pass.runs.iter().any(is_busy) {
                continue;
            }
            for run in pass.runs {
                assert!(run.nominal <= self.now(), "{run:?} is not due");
                assert_eq!(run.interval, pass.interval);
                let took = self.random.i64(1..120);
                self.running.push((self.time + took, run));
            }
        }
        let ends = self.running.iter().map(|(end, _)| *end).min();
        let next = plan.next.map(|next| (next.0 - self.skew).max(self.time + 1));
        self.time = [ends, next].into_iter().flatten().min().unwrap_or(self.time + 60);
        self.finish();
    }

    /// Records the runs that have ended.
    fn finish(&mut self) {
        let (ended, running) =
            std::mem::take(&mut self.running).into_iter().partition(|(end, _)| *end <= self.time);
        self.running = running;
        for (_, run) in ended {
            let record = self.disk.get_mut(&run.schedule).unwrap();
            record.done = run.nominal;
            record.runs.push(run);
        }
    }

    fn disturb(&mut self) {
        match self.random.u32(0..400) {
            // Killed and started again at once.
            0..=3 => self.kill(0),
            4 => {
                let outage = self.random.i64(60..3 * 3600);
                self.kill(outage);
            }
            5 if self.random.u32(0..8) == 0 => {
                let outage = self.random.i64(DAY / 2..3 * DAY);
                self.kill(outage);
            }
            // The clock jumps, and is right again later.
            6 => self.skew = self.random.i64(-3 * 3600..3 * 3600),
            7 => self.skew = 0,
            _ => {}
        }
    }

    fn kill(&mut self, outage: i64) {
        self.kills += usize::from(!self.running.is_empty());
        self.running.clear();
        self.time += outage;
    }

    fn check(&self) {
        for (id, schedule) in &self.schedules {
            let record = &self.disk[id];
            // Each firing until now, with how often it ran or was reported.
            let mut firings: BTreeMap<Moment, u32> = BTreeMap::new();
            let mut at = START;
            while let Some(next) = schedule.next(at).filter(|next| *next <= record.done) {
                firings.insert(next, 0);
                at = next;
            }
            for run in &record.runs {
                *firings.get_mut(&run.nominal).unwrap() += 1;
                assert_eq!(schedule.interval(run.nominal).unwrap(), run.interval);
            }
            for missed in &record.missed {
                let expected = match schedule.spec().mode {
                    Mode::Continuous => Reason::BeyondLookBack,
                    Mode::Realtime => Reason::Superseded,
                };
                assert_eq!(missed.reason, expected, "{id}");
                let range = firings.range_mut(missed.first..=missed.last);
                assert_eq!(range.map(|(_, count)| *count += 1).count() as u64, missed.firings);
            }
            let wrong: Vec<_> = firings.iter().filter(|(_, count)| **count != 1).collect();
            assert!(wrong.is_empty(), "{id}: {wrong:?}");
            assert!(record.runs.windows(2).all(|pair| pair[0].nominal < pair[1].nominal), "{id}");
            self.check_tiles(id, record);
        }
    }

    /// What was covered and what was missed lie side by side from the first to the last moment.
    fn check_tiles(&self, id: &str, record: &Record) {
        let mut tiles: Vec<Interval> = record.runs.iter().map(|run| run.interval).collect();
        tiles.extend(record.missed.iter().filter_map(|missed| missed.interval));
        tiles.sort_unstable();
        let first = self.schedules[id].next(START).unwrap();
        assert_eq!(tiles[0].from, self.schedules[id].interval(first).unwrap().from, "{id}");
        for pair in tiles.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{id}");
        }
    }
}

#[test]
fn every_firing_runs_once_or_is_reported() {
    let (mut kills, mut missed, mut runs) = (0, BTreeMap::<String, usize>::new(), 0);
    for seed in 0..3 {
        let mut world = World::new(seed);
        while world.time < START.0 + 30 * DAY {
            world.step();
            world.disturb();
        }
        // Left alone with a right clock, it catches up.
        world.skew = 0;
        let end = world.time + DAY;
        while world.time < end {
            world.step();
        }
        let plan = world.plan();
        assert!(plan.next.is_some_and(|next| next > world.now()), "seed {seed}: {plan:?}");
        assert_eq!(plan.ahead, [], "seed {seed}");
        for (id, record) in &world.disk {
            let lag = world.schedules[id].previous(world.now()).unwrap().since(record.done);
            assert!(lag <= 3600, "seed {seed}: {id} is {lag} seconds behind");
            *missed.entry(id.clone()).or_default() += record.missed.len();
            runs += record.runs.len();
        }
        world.check();
        kills += world.kills;
    }
    // What it is about has happened.
    assert!(kills > 50, "{kills}");
    assert!(runs > 10_000, "{runs}");
    for id in ["hourly", "often", "real time"] {
        assert!(missed[id] > 0, "{id}");
    }
}

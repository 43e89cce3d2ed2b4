//! Checks whether a schedule is sound: what its runs leave out, read twice, or read too early.

use crate::moment::{Interval, Moment};
use crate::schedule::{IntervalError, Schedule};
use crate::spread::Window;

/// How long firings are looked at, in seconds: a week, in which all days of the week come.
const WEEK: i64 = 7 * 86_400;

/// The fewest firings that are looked at, however far apart they are.
const FEWEST: usize = 4;

/// How far ahead changes of clocks are looked for, in seconds.
const YEAR: i64 = 366 * 86_400;

/// How long before and after a change of clocks firings are looked at, in seconds.
const AROUND: i64 = 2 * 86_400;

/// What is wrong, or most likely not meant, with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Concern {
    /// It never fires.
    #[error("the schedule `{cron}` never fires, because no month has that day")]
    Never {
        /// The cron expression.
        cron: String,
    },
    /// A run has no interval.
    #[error(transparent)]
    NoInterval(#[from] IntervalError),
    /// A run would read events that are not there yet.
    #[error("the run of {nominal} would read until {latest}, before there are such events")]
    Future {
        /// The nominal time of the run.
        nominal: Moment,
        /// The end of its interval.
        latest: Moment,
    },
    /// A run might start when the next one is due already.
    #[error(
        "the window of {minutes} minutes is not shorter than the {seconds} seconds between runs"
    )]
    LongWindow {
        /// The window.
        minutes: u32,
        /// The seconds between the two firings that are closest together.
        seconds: i64,
    },
    /// No run covers some events.
    #[error("no run covers {missed}: it is between the runs of {before} and {after}")]
    Gap {
        /// The interval that no run covers.
        missed: Interval,
        /// The nominal time of the run before it.
        before: Moment,
        /// The nominal time of the run after it.
        after: Moment,
        /// Whether this happens only when clocks change.
        at_clock_change: bool,
    },
    /// Two runs cover the same events.
    #[error("the runs of {before} and {after} both cover {twice}")]
    Overlap {
        /// The interval that both cover.
        twice: Interval,
        /// The nominal time of the first run.
        before: Moment,
        /// The nominal time of the second run.
        after: Moment,
        /// Whether this happens only when clocks change.
        at_clock_change: bool,
    },
}

impl Concern {
    /// Returns whether the schedule cannot run like this. Gaps and overlaps may be meant.
    #[must_use]
    pub fn is_error(&self) -> bool {
        !matches!(self, Self::Gap { .. } | Self::Overlap { .. })
    }

    /// Returns what to do about it, in one line.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Never { .. } => "choose a day that the month has",
            Self::NoInterval(_) => "set `earliest` to a time before `latest`, such as `-70m@m`",
            Self::Future { .. } => "set `latest` to `now`, or earlier to wait for late events",
            Self::LongWindow { .. } => "set a window that is shorter than the time between runs",
            Self::Gap { at_clock_change: true, .. }
            | Self::Overlap { at_clock_change: true, .. } => {
                "set the zone to `UTC`, or use modifiers of whole days such as `-1d@d` and `@d`"
            }
            Self::Gap { .. } => "set `earliest` farther back, by the time between runs",
            Self::Overlap { .. } => {
                "set `earliest` to a later time, unless the same events shall count twice"
            }
        }
    }
}

impl Schedule {
    /// Returns what is wrong with the schedule from a moment on: errors first, and of each kind the
    /// first one.
    ///
    /// It looks at the runs of a week, and at those around the changes of clocks within a year.
    #[must_use]
    pub fn check(&self, from: Moment) -> Vec<Concern> {
        let week = self.firings(from, from.plus(WEEK));
        if week.is_empty() {
            return vec![Concern::Never { cron: self.spec().cron.clone() }];
        }
        let mut found = Found::default();
        found.look_at(self, &week, false);
        if let Some(from) = from.timestamp() {
            for change in self.zone().following(from) {
                let change = Moment::from(change.timestamp());
                if change.since(Moment::from(from)) > YEAR {
                    break;
                }
                let start = change.plus(-AROUND);
                // For runs that are farther apart, it is the one before the change that counts.
                let start = self.previous(change).map_or(start, |previous| previous.min(start));
                found.look_at(self, &self.firings(start.plus(-1), change.plus(AROUND)), true);
            }
        }
        if let (Window::Minutes(minutes), Some(seconds)) = (self.spec().window, found.shortest)
            && self.spec().window.seconds(seconds) >= seconds
        {
            found.errors.push(Concern::LongWindow { minutes, seconds });
        }
        found.errors.into_iter().chain(found.gap).chain(found.overlap).collect()
    }

    /// Returns the firings after one moment up to another; more, if these are only a few.
    fn firings(&self, after: Moment, to: Moment) -> Vec<Moment> {
        let mut firings = Vec::new();
        let mut last = after;
        while let Some(next) = self.next(last) {
            if next > to && firings.len() >= FEWEST {
                break;
            }
            firings.push(next);
            last = next;
        }
        firings
    }
}

#[derive(Default)]
struct Found {
    errors: Vec<Concern>,
    gap: Option<Concern>,
    overlap: Option<Concern>,
    /// The seconds between the two firings that are closest together.
    shortest: Option<i64>,
}

impl Found {
    fn look_at(&mut self, schedule: &Schedule, firings: &[Moment], at_clock_change: bool) {
        let mut last: Option<(Moment, Interval)> = None;
        for &nominal in firings {
            let interval = match schedule.interval(nominal) {
                Ok(interval) => interval,
                Err(error) => {
                    self.error(Concern::NoInterval(error));
                    last = None;
                    continue;
                }
            };
            if interval.to > nominal {
                self.error(Concern::Future { nominal, latest: interval.to });
            }
            if let Some((before, earlier)) = last {
                let period = nominal.since(before);
                self.shortest = Some(self.shortest.map_or(period, |shortest| shortest.min(period)));
                self.compare((before, earlier), (nominal, interval), at_clock_change);
            }
            last = Some((nominal, interval));
        }
    }

    fn compare(
        &mut self,
        (before, earlier): (Moment, Interval),
        (after, later): (Moment, Interval),
        at_clock_change: bool,
    ) {
        if later.from > earlier.to {
            let missed = Interval { from: earlier.to, to: later.from };
            let gap = || Concern::Gap { missed, before, after, at_clock_change };
            self.gap.get_or_insert_with(gap);
        } else if later.overlaps(earlier) {
            let twice =
                Interval { from: later.from.max(earlier.from), to: later.to.min(earlier.to) };
            let overlap = || Concern::Overlap { twice, before, after, at_clock_change };
            self.overlap.get_or_insert_with(overlap);
        }
    }

    /// Keeps the first error of each kind.
    fn error(&mut self, concern: Concern) {
        let kind = std::mem::discriminant(&concern);
        if self.errors.iter().all(|error| std::mem::discriminant(error) != kind) {
            self.errors.push(concern);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::tests::{moment, spec};

    fn concerns(cron: &str, zone: &str, earliest: &str, latest: &str) -> Vec<String> {
        let schedule = Schedule::new(spec(cron, zone, earliest, latest)).unwrap();
        let concerns = schedule.check(moment("2026-11-25T12:00:00Z"));
        assert!(concerns.iter().all(|concern| !concern.help().is_empty()));
        concerns.iter().map(Concern::to_string).collect()
    }

    #[test]
    fn sound_schedules_have_no_concerns() {
        for (cron, zone, earliest, latest) in [
            ("0 * * * *", "UTC", "-70m@m", "-10m@m"),
            ("0 * * * *", "Europe/Berlin", "-70m@m", "-10m@m"),
            ("10 0 * * *", "UTC", "-1450m@m", "-10m@m"),
            ("0 0 * * *", "America/New_York", "-1d@d", "@d"),
            ("*/5 * * * *", "Australia/Lord_Howe", "-5m@m", "now"),
            ("0 6 * * 1", "Europe/Berlin", "-1w@w1", "@w1"),
            ("0 0 1 * *", "UTC", "-1mon@mon", "@mon"),
        ] {
            assert_eq!(concerns(cron, zone, earliest, latest), [""; 0], "{cron} {zone}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_times() {
        for (cron, zone, earliest, latest, expected) in [
            ("0 0 31 2 *", "UTC", "-1d", "", "the schedule `0 0 31 2 *` never fires"),
            (
                "0 * * * *",
                "UTC",
                "-60m",
                "+5m",
                "the run of 2026-11-25T13:00:00Z would read until 2026-11-25T13:05:00Z",
            ),
            (
                "0 * * * *",
                "UTC",
                "-10m",
                "-70m",
                "the run of 2026-11-25T13:00:00Z would read nothing",
            ),
            (
                "0 * * * *",
                "UTC",
                "-50m@m",
                "now",
                "no run covers 2026-11-25T13:00:00Z to 2026-11-25T13:10:00Z: it is between the runs \
                 of 2026-11-25T13:00:00Z and 2026-11-25T14:00:00Z",
            ),
            (
                "0 9-17 * * 1-5",
                "UTC",
                "-60m@m",
                "now",
                "no run covers 2026-11-25T17:00:00Z to 2026-11-26T08:00:00Z",
            ),
            (
                "*/30 * * * *",
                "UTC",
                "-60m@m",
                "now",
                "the runs of 2026-11-25T12:30:00Z and 2026-11-25T13:00:00Z both cover \
                 2026-11-25T12:00:00Z to 2026-11-25T12:30:00Z",
            ),
            (
                "10 0 * * *",
                "Europe/Berlin",
                "-1450m@m",
                "-10m@m",
                "no run covers 2027-10-30T22:00:00Z to 2027-10-30T23:00:00Z",
            ),
            ("0 * * * *", "UTC", "0", "@h", "the runs of 2026-11-25T13:00:00Z and"),
        ] {
            let found = concerns(cron, zone, earliest, latest);
            let first = found.first().map(String::as_str).unwrap_or_default();
            assert!(first.starts_with(expected), "{cron} {zone} {earliest}: {found:?}");
        }
    }

    #[test]
    fn changes_of_clocks_are_named() {
        let schedule = Schedule::new(spec("10 0 * * *", "Europe/Berlin", "-1450m@m", "-10m@m"));
        let concerns = schedule.unwrap().check(moment("2026-11-25T12:00:00Z"));
        let [
            Concern::Gap { at_clock_change: true, .. },
            Concern::Overlap { at_clock_change: true, .. },
        ] = concerns.as_slice()
        else {
            panic!("{concerns:?}");
        };
        assert!(concerns.iter().all(|concern| !concern.is_error()));
        assert!(concerns[0].help().contains("UTC"));
    }

    #[test]
    fn a_window_is_shorter_than_the_time_between_runs() {
        for (cron, minutes, expected) in [
            ("0 * * * *", 59, false),
            ("0 * * * *", 60, true),
            ("*/5 * * * *", 5, true),
            ("0,10 * * * *", 10, true),
            ("0,10 * * * *", 9, false),
        ] {
            let mut spec = spec(cron, "UTC", "-60m@m", "now");
            spec.window = Window::Minutes(minutes);
            let concerns = Schedule::new(spec).unwrap().check(Moment(0));
            let is_long = |concern: &Concern| matches!(concern, Concern::LongWindow { .. });
            assert_eq!(concerns.iter().any(is_long), expected, "{cron} {minutes}");
        }
    }
}

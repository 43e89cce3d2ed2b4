//! A schedule: when it fires, which interval each run covers, and when a run starts.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_spl::time::{Modifier, TimeError, parse_modifier, resolve};

use crate::cron::{Cron, CronError, ZoneError, zone_of};
use crate::moment::{Interval, Moment};
use crate::spread::{Window, start_of};

/// A schedule as it is written and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleSpec {
    /// When it fires: a cron expression of five fields, as in `cron_schedule`.
    pub cron: String,
    /// The time zone of the expression and of the modifiers, such as `Europe/Berlin`.
    pub zone: String,
    /// The first moment that a run covers, relative to its nominal time, such as `-70m@m`.
    pub earliest: String,
    /// The first moment after those, such as `-10m@m`; empty for the nominal time.
    pub latest: String,
    /// How long after its nominal time a run may start: `schedule_window`.
    #[serde(default)]
    pub window: Window,
    /// What happens to firings that were missed: `realtime_schedule`.
    #[serde(default)]
    pub mode: Mode,
    /// Which of the due runs come first: `schedule_priority`.
    #[serde(default)]
    pub priority: Priority,
}

/// What happens to firings that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Every one runs, in order: `realtime_schedule = 0`, as published detections have it.
    #[default]
    Continuous,
    /// Only the latest one runs: `realtime_schedule = 1`.
    Realtime,
}

/// Which of the due runs come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// As the mode says.
    #[default]
    Default,
    /// Before those without a priority of their own in any mode.
    Higher,
    /// Before all others.
    Highest,
}

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression is wrong.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// There is no such time zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// `earliest` or `latest` is no time modifier.
    #[error("{bound}: {error}")]
    Modifier {
        /// `earliest` or `latest`.
        bound: &'static str,
        /// What is wrong with it.
        error: TimeError,
    },
    /// `earliest` is empty.
    #[error("`earliest` is empty, and each run would read all events; write `0` if that is meant")]
    NoEarliest,
}

/// Why a run has no interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum IntervalError {
    /// A modifier leads out of the calendar.
    #[error("the run of {nominal} would read events from outside the calendar")]
    Outside {
        /// The nominal time of the run.
        nominal: Moment,
    },
    /// The interval has no moment.
    #[error(
        "the run of {nominal} would read nothing, because it would begin at {from} and end at {to}"
    )]
    Empty {
        /// The nominal time of the run.
        nominal: Moment,
        /// Where the interval would begin.
        from: Moment,
        /// Where it would end.
        to: Moment,
    },
}

/// A schedule that can be asked.
#[derive(Debug, Clone)]
pub struct Schedule {
    spec: ScheduleSpec,
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads a schedule. Ask [`check`](Self::check) whether it is sound.
    ///
    /// # Errors
    /// Fails if a part cannot be read.
    pub fn new(spec: ScheduleSpec) -> Result<Self, ScheduleError> {
        let cron = Cron::parse(&spec.cron)?;
        let zone = zone_of(&spec.zone)?;
        let modifier = |bound, text| {
            parse_modifier(text).map_err(|error| ScheduleError::Modifier { bound, error })
        };
        if modifier("earliest", &spec.earliest)? == Modifier::Unbounded {
            return Err(ScheduleError::NoEarliest);
        }
        modifier("latest", &spec.latest)?;
        Ok(Self { spec, cron, zone })
    }

    /// Returns what it was read from.
    #[must_use]
    pub fn spec(&self) -> &ScheduleSpec {
        &self.spec
    }

    /// Returns its time zone, which is also that of the searches that it runs.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the first firing after a moment; `None` if there is none.
    #[must_use]
    pub fn next(&self, after: Moment) -> Option<Moment> {
        self.cron.next(after, &self.zone)
    }

    /// Returns the last firing before a moment; `None` if there is none.
    #[must_use]
    pub fn previous(&self, before: Moment) -> Option<Moment> {
        self.cron.previous(before, &self.zone)
    }

    /// Returns the interval that the run with this nominal time covers, whenever it starts.
    ///
    /// # Errors
    /// Fails if the modifiers lead to no interval at this time.
    pub fn interval(&self, nominal: Moment) -> Result<Interval, IntervalError> {
        let outside = || IntervalError::Outside { nominal };
        // No nominal time is as large as to lose seconds as a number.
        let time = |text: &str| match resolve(text, nominal.0 as f64, &self.zone) {
            Ok(Some(time)) => Moment::of_seconds(time).ok_or_else(outside),
            Ok(None) => Ok(nominal),
            Err(_) => Err(outside()),
        };
        let (from, to) = (time(&self.spec.earliest)?, time(&self.spec.latest)?);
        let interval = Interval { from, to };
        if interval.is_empty() {
            return Err(IntervalError::Empty { nominal, from, to });
        }
        Ok(interval)
    }

    /// Returns when the run with this nominal time starts, for a detection with this id.
    #[must_use]
    pub fn start_of(&self, nominal: Moment, id: &str) -> Moment {
        let window = match self.spec.window {
            Window::None => 0,
            Window::Minutes(_) => self.spec.window.seconds(0),
            Window::Auto => {
                let next = self.next(nominal);
                next.map_or(0, |next| self.spec.window.seconds(next.since(nominal)))
            }
        };
        start_of(nominal, id, window)
    }

    /// Returns its place in Splunk's order of priorities; lower ones come first.
    pub(crate) fn rank(&self) -> u8 {
        match (self.spec.priority, self.spec.mode) {
            (Priority::Highest, Mode::Realtime) => 0,
            (Priority::Highest, Mode::Continuous) => 1,
            (Priority::Higher, Mode::Realtime) => 2,
            (Priority::Default, Mode::Realtime) => 3,
            (Priority::Higher, Mode::Continuous) => 4,
            (Priority::Default, Mode::Continuous) => 5,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;

    use super::*;

    pub(crate) fn moment(text: &str) -> Moment {
        text.parse::<Timestamp>().unwrap().into()
    }

    /// Returns a continuous schedule without a window.
    pub(crate) fn spec(cron: &str, zone: &str, earliest: &str, latest: &str) -> ScheduleSpec {
        ScheduleSpec {
            cron: cron.to_owned(),
            zone: zone.to_owned(),
            earliest: earliest.to_owned(),
            latest: latest.to_owned(),
            window: Window::None,
            mode: Mode::Continuous,
            priority: Priority::Default,
        }
    }

    #[test]
    fn intervals_are_relative_to_the_nominal_time() {
        for (earliest, latest, zone, nominal, expected) in [
            ("-70m@m", "-10m@m", "UTC", "2026-11-29T12:00:00Z", "10:50:00Z 11:50:00Z"),
            ("-1450m@m", "-10m@m", "UTC", "2026-11-29T00:10:00Z", "00:00:00Z 00:00:00Z"),
            ("-5m", "", "UTC", "2026-11-29T12:00:00Z", "11:55:00Z 12:00:00Z"),
            ("-5m", "now", "UTC", "2026-11-29T12:00:00Z", "11:55:00Z 12:00:00Z"),
            // The day on which clocks are set back has 25 hours.
            ("-1d@d", "@d", "Europe/Berlin", "2026-10-26T00:00:00Z", "22:00:00Z 23:00:00Z"),
            ("0", "@d", "UTC", "2026-10-26T10:00:00Z", "00:00:00Z 00:00:00Z"),
        ] {
            let schedule = Schedule::new(spec("0 * * * *", zone, earliest, latest)).unwrap();
            let found = schedule.interval(moment(nominal)).unwrap();
            let time = |moment: Moment| moment.to_string().split_once('T').unwrap().1.to_owned();
            let found = format!("{} {}", time(found.from), time(found.to));
            assert_eq!(found, expected, "{earliest} {latest} {nominal}");
        }
    }

    #[test]
    fn what_is_no_schedule() {
        for (cron, zone, earliest, latest, expected) in [
            ("0 24 * * *", "UTC", "-1h", "", "`0 24 * * *` is not a schedule: expected 0 to 23"),
            ("0 * * * *", "UTZ", "-1h", "", "there is no time zone `UTZ`"),
            ("0 * * * *", "UTC", "-1x", "", "earliest: `-1x` is not a time modifier"),
            ("0 * * * *", "UTC", "-1h", "soon", "latest: `soon` is not a time modifier"),
            ("0 * * * *", "UTC", "rt-1h", "rt", "earliest: `rt-1h` is not a time modifier"),
            ("0 * * * *", "UTC", "", "", "`earliest` is empty"),
        ] {
            let error = Schedule::new(spec(cron, zone, earliest, latest)).unwrap_err();
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        let reversed = Schedule::new(spec("0 * * * *", "UTC", "-10m", "-70m")).unwrap();
        assert_eq!(
            reversed.interval(moment("2026-11-29T12:00:00Z")).unwrap_err().to_string(),
            "the run of 2026-11-29T12:00:00Z would read nothing, because it would begin at \
             2026-11-29T11:50:00Z and end at 2026-11-29T10:50:00Z"
        );
        let far = Schedule::new(spec("0 * * * *", "UTC", "-9000y", "")).unwrap();
        assert!(far.interval(Moment(0)).is_ok());
        let far = Schedule::new(spec("0 * * * *", "UTC", "-9000y-9000y", "")).unwrap();
        assert_eq!(far.interval(Moment(0)), Err(IntervalError::Outside { nominal: Moment(0) }));
    }

    #[test]
    fn the_window_moves_the_start_only() {
        let nominal = moment("2026-11-29T12:00:00Z");
        let mut spec = spec("0 * * * *", "UTC", "-70m@m", "-10m@m");
        let plain = Schedule::new(spec.clone()).unwrap();
        assert_eq!(plain.start_of(nominal, "a"), nominal);
        for (window, most) in [(Window::Minutes(30), 1800), (Window::Auto, 360)] {
            spec.window = window;
            let schedule = Schedule::new(spec.clone()).unwrap();
            let late = schedule.start_of(nominal, "a").since(nominal);
            assert!((1..most).contains(&late), "{late}");
            assert_eq!(schedule.interval(nominal), plain.interval(nominal));
        }
    }

    #[test]
    fn specs_are_data() {
        let mut spec = spec("0 * * * *", "UTC", "-70m@m", "-10m@m");
        spec.window = Window::Minutes(5);
        let text = serde_json::to_string(&spec).unwrap();
        assert!(text.contains(r#""window":{"minutes":5},"mode":"continuous""#), "{text}");
        assert_eq!(serde_json::from_str::<ScheduleSpec>(&text).unwrap(), spec);
    }
}

//! Whether the runs of a schedule see every event, which is delivered some time after it happened.

use jiff::tz::TimeZone;
use spilltrail_spl::time::relative_time;

use crate::deployment::Scheduling;

/// Midnight of a Monday, from which runs are looked at.
const START: f64 = 1_767_571_200.0;

const DAY: f64 = 86_400.0;

/// A run of a schedule, with its window.
#[derive(Clone, Copy)]
struct Run {
    at: f64,
    from: f64,
    to: f64,
}

impl Scheduling {
    /// Returns why runs of this schedule miss events that are delivered `delay` seconds after they
    /// happened, or any events; `None` if they do not, or if that cannot be told.
    ///
    /// A window that snaps to units of time, as `@d` does, is not as long in each run. So the windows
    /// of the runs of two days are compared, each with those before it.
    #[must_use]
    pub fn misses(&self, delay: f64) -> Option<String> {
        let (first, every) = interval(&self.cron_schedule)?;
        let mut before: Option<Seen> = None;
        let mut at = START + first;
        while at < START + 2.0 * DAY {
            let run = self.run(at)?;
            at += every;
            // A window that is empty, as `@d` to `now` at midnight, sees nothing.
            if run.is_empty() {
                continue;
            }
            let seen = Seen { last: run, at_once: run.to, delayed: run.to.min(run.at - delay) };
            let seen = match before {
                Some(before) => match before.leaves_out(run, delay) {
                    Some(why) => return Some(why),
                    None => Seen {
                        last: run,
                        at_once: seen.at_once.max(before.at_once),
                        delayed: seen.delayed.max(before.delayed),
                    },
                },
                None => seen,
            };
            before = Some(seen);
        }
        match before {
            Some(_) => None,
            None => self.always_empty(first),
        }
    }

    /// Returns the run at a time; `None` if its window cannot be told.
    fn run(&self, at: f64) -> Option<Run> {
        let instant = |modifier| relative_time(at, modifier, &TimeZone::UTC);
        Some(Run { at, from: instant(&self.earliest_time)?, to: instant(&self.latest_time)? })
    }

    /// Returns why no run of a schedule sees an event whose runs of two days see none. In the year after
    /// that, a run of each day is looked at: a window may begin in the middle of a month.
    fn always_empty(&self, first: f64) -> Option<String> {
        let last = self.run(START + first)?;
        for day in 0..=366 {
            if !self.run(START + first + f64::from(day) * DAY)?.is_empty() {
                return None;
            }
        }
        let by = last.from - last.to;
        Some(if by > 0.0 {
            format!("no run looks at an event: its window ends {} before it begins", span(by))
        } else {
            "no run looks at an event: its window ends where it begins".to_owned()
        })
    }
}

impl Run {
    /// Returns true if the window has no time in it.
    fn is_empty(self) -> bool {
        self.to <= self.from
    }
}

/// What some runs have seen.
struct Seen {
    /// The last of the runs.
    last: Run,
    /// Until when events have been seen that are delivered at once.
    at_once: f64,
    /// Until when events have been seen that are delivered late.
    delayed: f64,
}

impl Seen {
    /// Returns what the window of the next run leaves out.
    fn leaves_out(&self, run: Run, delay: f64) -> Option<String> {
        let every = run.at - self.last.at;
        let lengths = |run: Run| (run.at - run.from, run.at - run.to);
        let are_alike = lengths(run) == lengths(self.last);
        let (from, to) = lengths(run);
        match (run.from > self.at_once, run.from > self.delayed) {
            (true, _) if are_alike => Some(format!(
                "each run looks at {}, and the next comes after {}",
                span(from - to),
                span(every)
            )),
            (true, _) => Some(format!(
                "no run looks at the time from {} to {}",
                clock(self.at_once),
                clock(run.from)
            )),
            (_, true) if are_alike => Some(format!(
                "an event that is delivered after {} is in no run: each looks from {} ago to {} ago, every {}",
                span(delay),
                span(from),
                span(to),
                span(every)
            )),
            (_, true) => Some(format!(
                "an event from {} to {} that is delivered after {} is in no run",
                clock(self.delayed),
                clock(run.from),
                span(delay)
            )),
            _ => None,
        }
    }
}

/// Returns when the first run of a day is, and the seconds between runs, if they are always as many.
fn interval(cron: &str) -> Option<(f64, f64)> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, "*", "*", "*"] = fields[..] else { return None };
    let every = |field: &str| -> Option<f64> {
        match field {
            "*" => Some(1.0),
            field => field.strip_prefix("*/")?.parse::<u8>().ok().filter(|n| *n > 0).map(f64::from),
        }
    };
    let number = |field: &str| field.parse::<u8>().ok().map(f64::from);
    match (every(minute), every(hour)) {
        (Some(minutes), _) if hour == "*" => Some((0.0, minutes * 60.0)),
        (None, Some(hours)) => Some((number(minute)? * 60.0, hours * 3600.0)),
        (None, None) => Some((number(minute)? * 60.0 + number(hour)? * 3600.0, DAY)),
        _ => None,
    }
}

/// Returns the hour and minute of a time.
fn clock(time: f64) -> String {
    let minutes = (time.rem_euclid(DAY) / 60.0).floor();
    format!("{:02}:{:02}", (minutes / 60.0).floor(), minutes % 60.0)
}

fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    let (count, unit) =
        if minutes >= 120.0 { ((minutes / 60.0).round(), "hour") } else { (minutes, "minute") };
    format!("{count} {unit}{}", if (count - 1.0).abs() < 0.5 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::time::USUAL_DELIVERY;

    use super::*;

    #[test]
    fn runs_that_miss_events() {
        for (cron, from, to, expected) in [
            ("0 * * * *", "-70m@m", "-10m@m", ""),
            ("0 * * * *", "-60m@m", "now", "an event that is delivered after 5 minutes"),
            ("*/5 * * * *", "-5m", "now", "an event that is delivered after 5 minutes"),
            ("*/5 * * * *", "-15m", "now", ""),
            ("0 * * * *", "-30m", "now", "each run looks at 30 minutes, and the next"),
            ("10 0 * * *", "-1450m@m", "-10m@m", ""),
            // The lengths of windows that snap depend on the time of the run.
            ("0 3 * * *", "-1d@d", "@d", ""),
            ("0 0 * * *", "-1d@d", "@d", "an event that is delivered after 5 minutes"),
            ("10 * * * *", "-1h@h", "@h", ""),
            ("0 * * * *", "-2h@h", "now", ""),
            ("*/20 * * * *", "-1d@d", "now", ""),
            ("0 * * * *", "@d", "now", "no run looks at the time from 23:00 to 00:00"),
            ("10 * * * *", "@d", "now", "no run looks at the time from 23:10 to 00:00"),
            ("0 * * * *", "@d-5m", "now", "no run looks at the time from 23:00 to 23:55"),
            (
                "0 * * * *",
                "-10m@m",
                "-70m@m",
                "no run looks at an event: its window ends 60 minutes",
            ),
            ("10 3 * * *", "now", "-1h", "no run looks at an event: its window ends 60 minutes"),
            (
                "*/5 * * * *",
                "@h",
                "@h",
                "no run looks at an event: its window ends where it begins",
            ),
            ("0 * * * *", "@mon+20d", "now", ""),
            ("*/0 * * * *", "-5m", "now", ""),
            ("0 8 * * 1", "-5m", "now", ""),
            ("whenever", "-5m", "now", ""),
            ("0 * * * *", "0", "now", ""),
        ] {
            let scheduling = Scheduling {
                cron_schedule: cron.to_owned(),
                earliest_time: from.to_owned(),
                latest_time: to.to_owned(),
                ..Scheduling::default()
            };
            let why = scheduling.misses(USUAL_DELIVERY).unwrap_or_default();
            assert!(why.starts_with(expected) && expected.is_empty() == why.is_empty(), "{why}");
        }
    }
}

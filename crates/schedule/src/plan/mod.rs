//! Decides what is due, what was missed, and when to look again.
//!
//! # What holds
//!
//! - Each firing is returned as a run or as part of a [`Missed`], until the caller has recorded it by
//!   moving `done` to its nominal time. None is passed over in silence.
//! - What was missed comes before the runs of the same schedule. Who records first what was missed, and
//!   then each run when it has finished, in the order of the passes, can be stopped at any moment:
//!   the next plan continues there.
//! - The clock only decides what is due. If it jumps forward, the firings that it passed over are due, or
//!   beyond the look-back. If it jumps back, firings that are done stay done: nothing runs twice, and
//!   nothing runs until the clock has caught up, which [`Plan::ahead`] tells.

mod due;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::moment::{Interval, Moment};
use crate::pass::{Pass, Passes, Run};
use crate::schedule::{IntervalError, Schedule};
use due::Due;

/// How far `done` can be after the present before it is told, in seconds: clocks are set by as much.
const TOLERANCE: i64 = 5 * 60;

/// The most firings that are counted, so that a clock that jumps by centuries stops nothing.
pub const MOST_COUNTED: u64 = 100_000;

/// A schedule and how far it has come.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// Its id, which is that of its detection.
    pub id: &'a str,
    /// The schedule.
    pub schedule: &'a Schedule,
    /// The last nominal time that is done or recorded as missed; at first, the moment at which the
    /// schedule was enabled.
    pub done: Moment,
    /// Where the events of the next run begin at the latest: see [`seam`].
    pub seam: Option<Moment>,
    /// Whether one of its runs is under way, so that no other one may start.
    pub is_busy: bool,
}

/// Returns where the events of the next run must begin if one schedule takes the place of another that has come
/// as far as `done`: there where the next run of the other one would have begun, if the one begins later. Then
/// nobody else would look at what is between them. `None` if nothing is.
#[must_use]
pub fn seam(before: &Schedule, after: &Schedule, done: Moment) -> Option<Moment> {
    let begins = |schedule: &Schedule| {
        let next = schedule.next(done)?;
        schedule.interval(next).ok().map(|interval| interval.from)
    };
    let (was, is) = (begins(before)?, begins(after)?);
    (was < is).then_some(was)
}

/// What bounds a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// How long ago the nominal time of a continuous run can be, in seconds. As in Splunk
    /// (`max_continuous_scheduled_search_lookback`), the default is a day. The latest firing runs in any
    /// case, so that an outage of two days costs a weekly schedule nothing.
    pub look_back: i64,
    /// The most runs of a schedule in one plan; those after them are in the next plan.
    pub most_runs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { look_back: 86_400, most_runs: 1000 }
    }
}

/// Consecutive firings of a schedule that do not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The id of the schedule.
    pub schedule: String,
    /// The first nominal time.
    pub first: Moment,
    /// The last nominal time; record it as done.
    pub last: Moment,
    /// How many they are; [`MOST_COUNTED`] stands for that many or more.
    pub firings: u64,
    /// What they would have covered; `None` if they have no interval.
    pub interval: Option<Interval>,
    /// Why they do not run.
    pub reason: Reason,
}

/// Why firings do not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Reason {
    /// A gap: they are too long ago, and their events have not been looked at.
    #[error("they are longer ago than the look-back")]
    BeyondLookBack,
    /// The schedule runs in real time, and a later firing is due.
    #[error("a later run was due, and the schedule runs in real time")]
    Superseded,
    /// The time modifiers lead to no interval.
    #[error(transparent)]
    NoInterval(#[from] IntervalError),
}

/// A schedule that is ahead of the clock, because the clock was set back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The id of the schedule.
    pub schedule: String,
    /// The moment from which on it fires again.
    pub done: Moment,
}

/// What to do now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Firings that do not run. Record them before the runs.
    pub missed: Vec<Missed>,
    /// What is due, in order. Runs over the same interval share a pass.
    pub passes: Vec<Pass>,
    /// Schedules that are ahead of the clock by more than five minutes.
    pub ahead: Vec<Ahead>,
    /// When more will be due, if the schedules are not changed: now, if not all runs had room. Busy
    /// schedules do not count.
    pub next: Option<Moment>,
}

/// Plans what is due at `now`.
///
/// Runs are ordered by Splunk's priorities, then by their nominal time, then by id. A run whose window
/// has begun joins a pass over its interval that is due, even if its own start is later: the events are
/// being read anyway.
#[must_use]
pub fn plan(now: Moment, schedules: &[Planned<'_>], limits: Limits) -> Plan {
    let mut plan = Plan::default();
    let mut runs: Vec<(u8, Run)> = Vec::new();
    let mut candidates: Vec<(&Planned<'_>, Run)> = Vec::new();
    for planned in schedules.iter().filter(|planned| !planned.is_busy) {
        if planned.done.since(now) > TOLERANCE {
            let schedule = planned.id.to_owned();
            plan.ahead.push(Ahead { schedule, done: planned.done });
        }
        let Due { missed, runs: due, waiting, next } = due::due(planned, now, limits);
        plan.missed.extend(missed);
        runs.extend(due.into_iter().map(|run| (planned.schedule.rank(), run)));
        candidates.extend(waiting.map(|run| (planned, run)));
        plan.look_at(next);
    }
    runs.sort();
    let mut passes = Passes::default();
    for (_, run) in runs {
        passes.add(run);
    }
    for (planned, run) in candidates {
        let nominal = run.nominal;
        match passes.join(run) {
            Some(run) => plan.look_at(Some(run.start)),
            None => plan.look_at(due::start_after(planned, nominal)),
        }
    }
    plan.passes = passes.into_vec();
    plan
}

impl Plan {
    fn look_at(&mut self, next: Option<Moment>) {
        self.next = [self.next, next].into_iter().flatten().min();
    }
}

//! What is due of one schedule.

use super::{Limits, MOST_COUNTED, Missed, Planned, Reason};
use crate::moment::{Interval, Moment};
use crate::pass::Run;
use crate::schedule::Mode;

/// What is due of one schedule.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Firings that do not run, all before the runs.
    pub(super) missed: Vec<Missed>,
    /// The runs, in order.
    pub(super) runs: Vec<Run>,
    /// The run after those whose window has begun, but not its start.
    pub(super) waiting: Option<Run>,
    /// When the next run starts, if none waits.
    pub(super) next: Option<Moment>,
}

/// Returns what is due of a schedule.
pub(super) fn due(planned: &Planned<'_>, now: Moment, limits: Limits) -> Due {
    let schedule = planned.schedule;
    let mut due = Due::default();
    let Some(first) = schedule.next(planned.done) else { return due };
    if first > now {
        due.next = Some(schedule.start_of(first, planned.id));
        return due;
    }
    let kept = match schedule.spec().mode {
        Mode::Continuous => within_look_back(planned, now, limits, first),
        Mode::Realtime => latest_started(planned, now, first),
    };
    if let Some(last) = schedule.previous(kept).filter(|last| *last >= first) {
        let reason = match schedule.spec().mode {
            Mode::Continuous => Reason::BeyondLookBack,
            Mode::Realtime => Reason::Superseded,
        };
        due.missed.push(missed(planned, first, last, reason));
    }
    collect(planned, now, limits, kept, &mut due);
    due
}

/// Returns when the first run after a nominal time starts.
pub(super) fn start_after(planned: &Planned<'_>, nominal: Moment) -> Option<Moment> {
    let next = planned.schedule.next(nominal)?;
    Some(planned.schedule.start_of(next, planned.id))
}

/// Returns the first firing that is not too long ago, or the latest one if all are.
fn within_look_back(planned: &Planned<'_>, now: Moment, limits: Limits, first: Moment) -> Moment {
    let floor = now.plus(-limits.look_back.max(0));
    if first >= floor {
        return first;
    }
    let kept = planned.schedule.next(floor.plus(-1)).filter(|kept| *kept <= now);
    kept.or_else(|| planned.schedule.previous(now.plus(1))).unwrap_or(first).max(first)
}

/// Returns the latest firing whose run should have started, or the first one if none should.
fn latest_started(planned: &Planned<'_>, now: Moment, first: Moment) -> Moment {
    let schedule = planned.schedule;
    let Some(latest) = schedule.previous(now.plus(1)).filter(|latest| *latest > first) else {
        return first;
    };
    if schedule.start_of(latest, planned.id) <= now {
        return latest;
    }
    // A window is shorter than the time between runs, so that the one before has started.
    schedule.previous(latest).unwrap_or(first).max(first)
}

/// Collects the runs from a firing on.
fn collect(planned: &Planned<'_>, now: Moment, limits: Limits, kept: Moment, due: &mut Due) {
    let schedule = planned.schedule;
    let mut at = Some(kept);
    while let Some(nominal) = at {
        let start = schedule.start_of(nominal, planned.id);
        if nominal > now {
            due.next = Some(start);
            return;
        }
        if due.runs.len() >= limits.most_runs.max(1) {
            due.next = Some(now);
            return;
        }
        let interval = match schedule.interval(nominal) {
            Ok(interval) => interval,
            Err(error) if due.runs.is_empty() => {
                match due.missed.last_mut() {
                    // One report stands for all that follow each other.
                    Some(last) if matches!(last.reason, Reason::NoInterval(_)) => {
                        last.last = nominal;
                        last.firings += 1;
                    }
                    _ => {
                        let reason = Reason::NoInterval(error);
                        due.missed.push(missed(planned, nominal, nominal, reason));
                    }
                }
                at = schedule.next(nominal);
                continue;
            }
            Err(_) => {
                // What was missed is recorded before the runs, so it waits until these are done.
                due.next = Some(now);
                return;
            }
        };
        let interval = match planned.seam {
            // A gap before the run has it.
            Some(seam) if due.runs.is_empty() && !due.missed.iter().any(is_gap) => {
                Interval { from: interval.from.min(seam), ..interval }
            }
            _ => interval,
        };
        let run = Run { nominal, schedule: planned.id.to_owned(), interval, start };
        if start > now {
            due.waiting = Some(run);
            return;
        }
        due.runs.push(run);
        at = schedule.next(nominal);
    }
}

fn missed(planned: &Planned<'_>, first: Moment, last: Moment, reason: Reason) -> Missed {
    let schedule = planned.schedule;
    let mut firings = 1;
    let mut at = first;
    while firings < MOST_COUNTED
        && let Some(next) = schedule.next(at).filter(|next| *next <= last)
    {
        firings += 1;
        at = next;
    }
    let (from, to) = (schedule.interval(first), schedule.interval(last));
    let interval = from
        .ok()
        .zip(to.ok())
        .map(|(from, to)| Interval { from: from.from.min(to.from), to: from.to.max(to.to) });
    let schedule = planned.id.to_owned();
    let mut missed = Missed { schedule, first, last, firings, interval, reason };
    if is_gap(&missed)
        && let (Some(interval), Some(seam)) = (&mut missed.interval, planned.seam)
    {
        interval.from = interval.from.min(seam);
    }
    missed
}

fn is_gap(missed: &Missed) -> bool {
    missed.reason == Reason::BeyondLookBack
}

//! When detections run: schedules, what is due, what arrived late, and what is throttled.
//!
//! Everything here is a decision: data in, data out. There is no clock, no thread and no file; the
//! current time is an argument, and another crate keeps the states.
//!
//! The identity of a run is its *nominal* time: the moment at which its schedule fires. When the run
//! starts in fact changes neither the interval that it covers nor what it finds nor what it
//! throttles. That is what makes a run that catches up, or runs again, give the same answer.

mod changes;
mod check;
mod cron;
mod late;
mod moment;
mod pass;
mod plan;
mod schedule;
mod spread;
mod throttle;

pub use changes::{Changes, changes};
pub use check::Concern;
pub use cron::{Cron, CronError, ZoneError, zone_of};
pub use late::{Again, Arrival, Covered, Late, MOST_SPANS, Minutes, late};
pub use moment::{Interval, Moment};
pub use pass::{Pass, Run, passes};
pub use plan::{Ahead, Limits, MOST_COUNTED, Missed, Plan, Planned, Reason, plan, seam};
pub use schedule::{IntervalError, Mode, Priority, Schedule, ScheduleError, ScheduleSpec};
pub use spread::{Window, WindowError, start_of};
pub use throttle::{
    Disturbed, KEPT, MOST_REPORTS, PeriodError, Throttle, ThrottleKey, ThrottleState, Verdict,
};

//! Finds the intervals that must run again, because events arrived after their run.
//!
//! A run records the interval that it covered and the number of the last batch of the log of arriving
//! events that it saw. A batch with a higher number and an event in the interval is late for it.

mod arrival;
mod segments;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use arrival::{Arrival, MOST_SPANS, Minutes};
use segments::Segments;

use crate::moment::{Interval, Moment};
use crate::pass::Run;

/// What a finished run covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// The id of the schedule.
    pub schedule: String,
    /// The nominal time.
    pub nominal: Moment,
    /// The events that it covered.
    pub interval: Interval,
    /// The indexes that it read; empty for all.
    #[serde(default)]
    pub indexes: Vec<String>,
    /// The number of the last batch that it saw, in the order of arrival.
    pub seen: u64,
}

/// A run that must run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// The run. It has the nominal time and the interval that it had; it may start at once.
    pub run: Run,
    /// The last batch that it saw.
    pub seen: u64,
    /// The last batch that is late for it.
    pub last: u64,
}

/// What late events ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// The runs that must run again, each once, ordered by nominal time and schedule. The function
    /// [`passes`](crate::passes) groups them.
    pub again: Vec<Again>,
    /// Runs with late events that are longer ago than the look-back. They do not run again, and are here
    /// to be told.
    pub beyond: Vec<Again>,
}

/// Returns the runs for which events are late at `now`.
///
/// `covered` may have several records of a run, one for each time that it ran; what it has seen is the
/// highest number. `arrivals` must have all batches after the lowest number that a run has seen; earlier
/// ones change nothing. `look_back` is in seconds, from the nominal time of a run to `now`.
#[must_use]
pub fn late(now: Moment, covered: &[Covered], arrivals: &[Arrival], look_back: i64) -> Late {
    let floor = now.plus(-look_back.max(0));
    let mut runs: BTreeMap<(Moment, &str), &Covered> = BTreeMap::new();
    for one in covered {
        let latest = runs.entry((one.nominal, &one.schedule)).or_insert(one);
        if one.seen > latest.seen {
            *latest = one;
        }
    }
    let bounds = || runs.values().map(|one| one.interval);
    let everything = Segments::new(bounds(), arrivals.iter());
    let mut of_index: BTreeMap<&str, Segments> = BTreeMap::new();
    for index in runs.values().flat_map(|one| &one.indexes) {
        of_index.entry(index).or_insert_with(|| {
            Segments::new(bounds(), arrivals.iter().filter(|arrival| arrival.index == *index))
        });
    }
    let mut found = Late::default();
    for ((nominal, schedule), one) in &runs {
        let last = if one.indexes.is_empty() {
            everything.last(one.interval)
        } else {
            let of = |index: &String| of_index.get(index.as_str())?.last(one.interval);
            one.indexes.iter().filter_map(of).max()
        };
        let Some(last) = last.filter(|last| *last > one.seen) else { continue };
        let schedule = (*schedule).to_owned();
        let run = Run { nominal: *nominal, schedule, interval: one.interval, start: now };
        let again = Again { run, seen: one.seen, last };
        let list = if *nominal >= floor { &mut found.again } else { &mut found.beyond };
        list.push(again);
    }
    found
}

//! Runs, and the passes over events that serve several of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::moment::{Interval, Moment};

/// One run of a detection. The schedule and the nominal time are its identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Run {
    /// The nominal time.
    pub nominal: Moment,
    /// The id of the schedule, which is that of its detection.
    pub schedule: String,
    /// The events that it covers.
    pub interval: Interval,
    /// When it starts at the latest. It starts earlier if a pass over its interval is due earlier.
    pub start: Moment,
}

/// One pass over the events of an interval, for all runs that cover it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// The events.
    pub interval: Interval,
    /// The runs, at most one of each schedule.
    pub runs: Vec<Run>,
}

/// Passes in order, which take in one run after the other.
#[derive(Debug, Default)]
pub(crate) struct Passes {
    passes: Vec<Pass>,
    /// The last pass over each interval.
    over: BTreeMap<Interval, usize>,
    /// The last pass with a run of each schedule.
    of: BTreeMap<String, usize>,
}

impl Passes {
    /// Adds a run to a pass over its interval, or to a new one at the end. It is never before an earlier
    /// run of its schedule.
    pub(crate) fn add(&mut self, run: Run) {
        let index = self.existing(&run).unwrap_or_else(|| {
            self.passes.push(Pass { interval: run.interval, runs: Vec::new() });
            self.over.insert(run.interval, self.passes.len() - 1);
            self.passes.len() - 1
        });
        self.of.insert(run.schedule.clone(), index);
        self.passes[index].runs.push(run);
    }

    /// Adds a run to a pass over its interval; gives it back if there is none.
    pub(crate) fn join(&mut self, run: Run) -> Option<Run> {
        if self.existing(&run).is_none() {
            return Some(run);
        }
        self.add(run);
        None
    }

    pub(crate) fn into_vec(self) -> Vec<Pass> {
        self.passes
    }

    fn existing(&self, run: &Run) -> Option<usize> {
        let index = self.over.get(&run.interval).copied()?;
        let is_later = self.of.get(&run.schedule).is_none_or(|last| index > *last);
        is_later.then_some(index)
    }
}

/// Groups runs into passes. Each pass takes the place of its first run, and runs of the same schedule
/// keep their order.
#[must_use]
pub fn passes(runs: impl IntoIterator<Item = Run>) -> Vec<Pass> {
    let mut passes = Passes::default();
    for run in runs {
        passes.add(run);
    }
    passes.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(schedule: &str, nominal: i64, from: i64) -> Run {
        Run {
            nominal: Moment(nominal),
            schedule: schedule.to_owned(),
            interval: Interval { from: Moment(from), to: Moment(from + 10) },
            start: Moment(nominal),
        }
    }

    /// Returns the passes of runs, each as the names of its runs.
    fn names(runs: &[Run]) -> Vec<Vec<String>> {
        let name = |run: &Run| format!("{}{}", run.schedule, run.nominal.0);
        let names = |pass: Pass| pass.runs.iter().map(name).collect();
        passes(runs.to_vec()).into_iter().map(names).collect()
    }

    #[test]
    fn runs_of_an_interval_share_a_pass_and_keep_their_order() {
        // The last run of `b` is over the interval of the first pass, but comes after that of the second.
        let runs = [run("a", 1, 0), run("b", 1, 0), run("c", 1, 5), run("b", 2, 5), run("b", 3, 0)];
        let expected: [&[&str]; 3] = [&["a1", "b1"], &["c1", "b2"], &["b3"]];
        assert_eq!(names(&runs), expected);
    }

    #[test]
    fn a_pass_has_one_run_of_a_schedule() {
        // Schedules that read all events so far have the same interval again and again.
        let runs = [run("a", 1, 0), run("a", 2, 0), run("b", 1, 0)];
        let expected: [&[&str]; 2] = [&["a1"], &["a2", "b1"]];
        assert_eq!(names(&runs), expected);
    }
}

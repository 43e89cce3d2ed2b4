//! One session: all subjects by turns, so that what the machine does meanwhile hits all alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::answers::{Answer, Expected, Verdict, groups_of_search, sum_of};
use crate::measure::{self, Run, Usage};
use crate::subjects::{Output, Subject};
use crate::table::median;

/// A subject with what it cost.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What was measured.
    pub subject: Subject,
    /// One for each run, none if it failed.
    pub runs: Vec<Usage>,
    /// Whether its answers were right, in all runs.
    pub verdict: Verdict,
    /// Why it could not be measured.
    pub failure: Option<String>,
    /// What it left out, where that does not make its answers wrong.
    pub left_out: Option<String>,
}

impl Measured {
    fn of(subject: Subject) -> Self {
        let (runs, verdict) = (Vec::new(), Verdict::default());
        Self { subject, runs, verdict, failure: None, left_out: None }
    }

    /// Takes note of a run. A hunt that could not use some of the content says so with its status, and
    /// has done the rest.
    fn take(&mut self, run: Run, counts: bool) {
        let is_hunt = matches!(self.subject.output, Output::Hunt | Output::Unchecked);
        match run.status {
            Some(0) => {}
            Some(1) if is_hunt => self.left_out = Some(run.message),
            Some(status) => return self.fail(format!("status {status}: {}", run.message)),
            None => return self.fail("ended by a signal".to_owned()),
        }
        if counts {
            self.runs.push(run.usage);
        }
    }

    fn fail(&mut self, why: String) {
        self.failure = Some(why);
        self.runs.clear();
    }

    /// Returns CPU seconds, one for each run.
    #[must_use]
    pub fn cpu(&self) -> Vec<f64> {
        self.runs.iter().map(|usage| usage.cpu.as_secs_f64()).collect()
    }

    /// Returns the median of CPU seconds.
    #[must_use]
    pub fn cpu_median(&self) -> Option<f64> {
        median(&self.cpu())
    }

    /// Returns the median of elapsed seconds.
    #[must_use]
    pub fn wall_median(&self) -> Option<f64> {
        median(&self.runs.iter().map(|usage| usage.wall.as_secs_f64()).collect::<Vec<_>>())
    }

    /// Returns the largest resident set of all runs.
    #[must_use]
    pub fn peak(&self) -> Option<u64> {
        self.runs.iter().map(|usage| usage.peak).max()
    }

    /// Returns the median of CPU time.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        Duration::from_secs_f64(self.cpu_median().unwrap_or_default())
    }
}

/// How a session goes.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// How often each subject is measured, after one run that is not.
    pub runs: usize,
    /// This program, which measures in a process of its own.
    pub meter: &'a Path,
    /// Where outputs go.
    pub scratch: &'a Path,
    /// Told what is done next.
    pub progress: &'a dyn Progress,
}

/// Who is told what is done next.
pub trait Progress: std::fmt::Debug {
    /// Takes note of a step.
    fn step(&self, what: &str);
}

impl Session<'_> {
    /// Measures the subjects and checks their answers.
    pub fn measure(&self, subjects: Vec<Subject>, expected: &Expected) -> Result<Vec<Measured>> {
        fs::create_dir_all(self.scratch)
            .with_context(|| format!("making the folder `{}`", self.scratch.display()))?;
        let mut all: Vec<Measured> = subjects.into_iter().map(Measured::of).collect();
        // The first round brings files into memory and is not counted.
        for round in 0..=self.runs {
            self.progress.step(&match round {
                0 => "a first run of everything, not counted".to_owned(),
                round => format!("run {round} of {}", self.runs),
            });
            for (index, one) in all.iter_mut().enumerate().filter(|(_, one)| one.failure.is_none())
            {
                match measure::run(self.meter, &one.subject.command, &self.output(index, round)) {
                    Ok(run) => one.take(run, round > 0),
                    Err(error) => one.fail(format!("{error:#}")),
                }
            }
        }
        self.progress.step("checking answers");
        for (index, one) in all.iter_mut().enumerate().filter(|(_, one)| one.failure.is_none()) {
            for round in 0..=self.runs {
                let path = self.output(index, round);
                one.verdict.merge(check_output(one.subject.output, &path, expected));
                let _ = fs::remove_file(&path);
            }
            if let Some(command) = &one.subject.groups {
                let path = self.output(index, self.runs + 1);
                let verdict = measure::run(self.meter, command, &path)
                    .and_then(|run| {
                        let Run { status, message, .. } = run;
                        ensure!(status == Some(0), "groups of reads: {message}");
                        groups(one.subject.output, &path)
                    })
                    .map(|groups| expected.check_groups(groups));
                let verdict = verdict.unwrap_or_else(|error| Verdict::unreadable(&error));
                one.verdict.merge(verdict);
                let _ = fs::remove_file(&path);
            }
        }
        Ok(all)
    }

    fn output(&self, subject: usize, round: usize) -> PathBuf {
        self.scratch.join(format!("output-{subject}-{round}.txt"))
    }
}

fn groups(output: Output, path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).context("reading groups of reads")?;
    match output {
        Output::Peer => Ok(text.lines().map(str::to_owned).collect()),
        _ => groups_of_search(&text),
    }
}

fn check_output(output: Output, path: &Path, expected: &Expected) -> Verdict {
    let verdict = || -> Result<Verdict> {
        let text = fs::read_to_string(path).context("reading the output")?;
        Ok(match output {
            Output::Hunt => expected.check(&Answer::of_hunt(&text)?),
            Output::Peer => expected.check(&Answer::of_peer(&text)?),
            Output::Unchecked => Verdict::default(),
            Output::Floor => {
                let counts: Value = serde_json::from_str(&text).context("reading the counts")?;
                Expected::check_count(expected.records, counts["records"].as_u64())
            }
            Output::OtherFloor => {
                Expected::check_count(expected.records, number_after(&text, "records="))
            }
            Output::Count(events) => Expected::check_count(events, sum_of(&text, "count")),
        })
    };
    verdict().unwrap_or_else(|error| Verdict::unreadable(&error))
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let (_, rest) = text.split_once(key)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_a_floors_output() {
        assert_eq!(number_after("a records=120 hits=3", "records="), Some(120));
        assert_eq!(number_after("records=7", "records="), Some(7));
        assert_eq!(number_after("records=", "records="), None);
        assert_eq!(number_after("nothing", "records="), None);
    }

    #[test]
    fn a_hunt_may_leave_out_content_and_nobody_may_fail() {
        let after = |output, status| {
            let subject = Subject::new("a", output);
            let mut measured = Measured::of(subject);
            let usage = Usage { cpu: Duration::ZERO, wall: Duration::ZERO, peak: 0 };
            measured.take(Run { usage, status, message: "one left out".into() }, true);
            (measured.runs.len(), measured.left_out, measured.failure)
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(after(Output::Hunt, Some(0)), (1, None, None));
        assert_eq!(after(Output::Hunt, Some(1)), (1, text("one left out"), None));
        assert_eq!(after(Output::Hunt, Some(2)), (0, None, text("status 2: one left out")));
        assert_eq!(after(Output::Peer, Some(1)), (0, None, text("status 1: one left out")));
        assert_eq!(after(Output::Hunt, None), (0, None, text("ended by a signal")));
    }

    #[test]
    fn medians_are_of_each_figure() {
        let usage = |cpu, wall, peak| Usage {
            cpu: Duration::from_secs(cpu),
            wall: Duration::from_secs(wall),
            peak,
        };
        let subject = Subject::new("a", Output::Hunt);
        let measured = Measured {
            subject,
            runs: vec![usage(1, 9, 5), usage(3, 4, 9), usage(2, 8, 7)],
            verdict: Verdict::default(),
            failure: None,
            left_out: None,
        };
        assert_eq!(measured.cpu_median(), Some(2.0));
        assert_eq!(measured.wall_median(), Some(8.0));
        assert_eq!(measured.peak(), Some(9));
    }
}

//! How cost grows: with events, with detections, with the share of events that match, and with the
//! number of files that the same events are in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::answers::{DETECTIONS, Expected};
use crate::generate::{Files, Recipe};
use crate::report::{Floors, marginal};
use crate::session::{Measured, Session};
use crate::subjects::{Ours, Output, Subject, floors};
use crate::table::{Format, Table, mebibytes, spread, thousands, times};

/// Events of one generated day, so that files stay as large as they are however many events there are.
const EVENTS_A_DAY: u64 = 200_000;
/// Shares of events that a search takes, in percent.
const SHARES: [u64; 4] = [1, 10, 50, 100];

/// What growth is measured with.
#[derive(Debug)]
pub struct Growth<'a> {
    /// Our program.
    pub ours: &'a Ours,
    /// A floor from elsewhere.
    pub other_floor: Option<&'a Path>,
    /// How tables are written.
    pub format: Format,
    /// Numbers of events, the first of which the others are compared with.
    pub sizes: &'a [u64],
    /// The seed of all logs.
    pub seed: u64,
    /// How runs are made.
    pub session: Session<'a>,
}

/// Gives the folder with the logs of a recipe.
pub type Logs<'a> = dyn Fn(&Recipe) -> Result<PathBuf> + 'a;

impl Growth<'_> {
    /// Measures everything, and hands each table to `print` as soon as there is one.
    pub fn run(&self, logs: &Logs<'_>, print: &dyn Fn(&str)) -> Result<()> {
        print(&self.events(logs)?);
        print(&self.detections(logs)?);
        print(&self.shares(logs)?);
        print(&self.files(logs)?);
        Ok(())
    }

    fn recipe(&self, events: u64, files: Files) -> Recipe {
        Recipe { events, days: events.div_ceil(EVENTS_A_DAY), seed: self.seed, files }
    }

    fn first(&self) -> Recipe {
        self.recipe(self.sizes.first().copied().unwrap_or(EVENTS_A_DAY), Files::AsDelivered)
    }

    fn hunts(&self, data: &Path) -> Result<Vec<Subject>> {
        let mut subjects = floors(self.other_floor, data)?;
        subjects.extend(self.ours.subjects(data)?);
        Ok(subjects)
    }

    fn events(&self, logs: &Logs<'_>) -> Result<String> {
        let mut table = self.table(&["events", "files", "× first"]);
        let mut firsts: BTreeMap<String, f64> = BTreeMap::new();
        for &size in self.sizes {
            let data = logs(&self.recipe(size, Files::AsDelivered))?;
            let expected = Expected::read(&data)?;
            let measured = self.session.measure(self.hunts(&data)?, &expected)?;
            for one in &measured {
                let growth = one.cpu_median().map(|cpu| {
                    let first = *firsts.entry(one.subject.name.clone()).or_insert(cpu);
                    times(cpu, Some(first))
                });
                let sizes = [thousands(expected.records), thousands(expected.files)];
                let more = sizes.into_iter().chain([growth.unwrap_or_default()]).collect();
                table.row(self.row(one, &measured, more));
            }
        }
        Ok(self.titled("Growth with events", &table, &[]))
    }

    fn detections(&self, logs: &Logs<'_>) -> Result<String> {
        let data = logs(&self.first())?;
        let expected = Expected::read(&data)?;
        let content = self.ours.content.as_deref();
        let all = self.ours.detections(content)?;
        let mut subjects = floors(self.other_floor, &data)?;
        let mut counts = vec![1, DETECTIONS.len(), 10, all.len()];
        counts.retain(|count| *count <= all.len());
        counts.dedup();
        for &count in &counts {
            let names = if count == all.len() { Vec::new() } else { first_names(&all, count) };
            // With fewer than the three there is nothing to compare with.
            let output = if count < DETECTIONS.len() { Output::Unchecked } else { Output::Hunt };
            let plural = if count == 1 { "" } else { "s" };
            subjects.push(Subject {
                command: self.ours.hunt(content, &names, &data),
                detections: count,
                ..Subject::new(format!("{count} detection{plural}"), output)
            });
        }
        let measured = self.session.measure(subjects, &expected)?;
        let table = self.all(&measured);
        let at = |count: usize| {
            let one = measured.iter().find(|one| one.subject.detections == count)?;
            Some((count, one.cpu_median()?))
        };
        let share = at(DETECTIONS.len()).zip(at(all.len()));
        let share = share.and_then(|(few, many)| marginal(few, many));
        let note = share.map(|share| {
            format!("One further detection costs {share:.2} % of the run with all of them.")
        });
        Ok(self.titled("Growth with detections", &table, note.as_slice()))
    }

    /// The events are chosen by name, so that the truth says how many match.
    fn shares(&self, logs: &Logs<'_>) -> Result<String> {
        let data = logs(&self.first())?;
        let expected = Expected::read(&data)?;
        let mut subjects = floors(self.other_floor, &data)?;
        let mut searches = vec![("nothing".to_owned(), "eventName=NoSuchCall".to_owned(), 0)];
        for share in SHARES {
            let (names, events) = names_with_share(&expected.names, expected.records, share);
            let search = match share {
                100 => "eventName=*".to_owned(),
                _ => format!("eventName IN ({})", names.join(", ")),
            };
            let percent = events as f64 / expected.records as f64 * 100.0;
            searches.push((format!("{percent:.1} % of events"), search, events));
        }
        for (name, search, events) in searches {
            let search = format!("{search} | stats count by eventSource awsRegion");
            let logs = data.join("AWSLogs").to_string_lossy().into_owned();
            let program = self.ours.program.to_string_lossy().into_owned();
            let command = [program, "search".into(), search, logs, "--format".into()];
            let command = command.into_iter().chain(["ndjson".to_owned()]).collect();
            subjects.push(Subject { command, ..Subject::new(name, Output::Count(events)) });
        }
        let measured = self.session.measure(subjects, &expected)?;
        let table = self.all(&measured);
        let search = "`eventName IN (…) | stats count by eventSource awsRegion`";
        let note = format!("The search is {search}, with names that make that share.");
        Ok(self.titled("Growth with the share of events that match", &table, &[note]))
    }

    fn files(&self, logs: &Logs<'_>) -> Result<String> {
        let size = self.sizes.iter().copied().max().unwrap_or(EVENTS_A_DAY);
        let mut table = self.table(&["files", "events each"]);
        for files in [Files::AsDelivered, Files::Of(1000), Files::Of(size.div_ceil(18))] {
            let data = logs(&self.recipe(size, files))?;
            let expected = Expected::read(&data)?;
            let measured = self.session.measure(self.hunts(&data)?, &expected)?;
            let each = expected.records / expected.files.max(1);
            for one in &measured {
                let more = vec![thousands(expected.files), thousands(each)];
                table.row(self.row(one, &measured, more));
            }
        }
        Ok(self.titled("The same events in more and fewer files", &table, &[]))
    }

    /// Begins a table; `more` are its columns between names and cost.
    fn table(&self, more: &[&'static str]) -> Table {
        let floors: &[&str] = if self.other_floor.is_some() {
            &["× floor", "× other floor"]
        } else {
            &["× floor"]
        };
        let columns = [&[""], more, &["CPU s (range)"], floors, &["peak MiB", "answers"]];
        Table::new(columns.concat())
    }

    fn row(&self, one: &Measured, all: &[Measured], more: Vec<String>) -> Vec<String> {
        let floors = Floors::of(all);
        let mut row = vec![one.subject.name.clone()];
        row.extend(more);
        let Some(cpu) = one.cpu_median() else {
            row.push(format!("failed: {}", one.failure.as_deref().unwrap_or_default()));
            return row;
        };
        row.extend([spread(&one.cpu()), times(cpu, floors.own)]);
        if self.other_floor.is_some() {
            row.push(times(cpu, floors.other));
        }
        row.push(mebibytes(one.peak().unwrap_or_default()));
        row.push(match one.subject.output {
            Output::Unchecked => "not compared".to_owned(),
            _ if one.verdict.is_right() => "right".to_owned(),
            _ => format!("WRONG: {}", one.verdict),
        });
        row
    }

    fn all(&self, measured: &[Measured]) -> Table {
        let mut table = self.table(&[]);
        for one in measured {
            table.row(self.row(one, measured, Vec::new()));
        }
        table
    }

    fn titled(&self, title: &str, table: &Table, notes: &[String]) -> String {
        let table = table.render(self.format);
        let mut text = match self.format {
            Format::Markdown => format!("### {title}\n\n{table}"),
            Format::Text => format!("{title}\n\n{table}"),
        };
        for note in notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }
}

/// Returns that many names, the three first.
fn first_names(all: &[String], count: usize) -> Vec<&str> {
    let others = all.iter().map(String::as_str).filter(|name| !DETECTIONS.contains(name));
    DETECTIONS.into_iter().chain(others).take(count).collect()
}

/// Returns names whose events are about that share of all, and how many events those are.
fn names_with_share(names: &BTreeMap<String, u64>, all: u64, percent: u64) -> (Vec<String>, u64) {
    let mut by_count: Vec<(&String, u64)> = names.iter().map(|(name, &n)| (name, n)).collect();
    by_count.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let wanted = all * percent / 100;
    let (mut chosen, mut total) = (Vec::new(), 0);
    for (name, count) in by_count {
        if total + count <= wanted {
            chosen.push(name.clone());
            total += count;
        }
    }
    (chosen, total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_up_a_share() {
        let names: BTreeMap<String, u64> =
            [("A", 60), ("B", 30), ("C", 9), ("D", 1)].map(|(n, c)| (n.to_owned(), c)).into();
        assert_eq!(
            names_with_share(&names, 100, 50),
            (vec!["B".into(), "C".into(), "D".into()], 40)
        );
        assert_eq!(names_with_share(&names, 100, 1), (vec!["D".into()], 1));
        assert_eq!(names_with_share(&names, 100, 100).1, 100);
    }

    #[test]
    fn the_three_come_first() {
        let all: Vec<String> = ["A", DETECTIONS[1], "B"].map(str::to_owned).to_vec();
        assert_eq!(first_names(&all, 1), [DETECTIONS[0]]);
        assert_eq!(first_names(&all, 4)[3], "A");
    }
}

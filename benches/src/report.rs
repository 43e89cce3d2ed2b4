//! The table of a session: what everything cost, as multiples of the floor.

use crate::answers::Expected;
use crate::machine::{Machine, load};
use crate::session::Measured;
use crate::subjects::Output;
use crate::table::{Format, Table, mebibytes, rate, seconds, spread, thousands, times};

/// The floors of a session, in CPU seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floors {
    /// Our own.
    pub own: Option<f64>,
    /// The one from elsewhere.
    pub other: Option<f64>,
}

impl Floors {
    /// Finds them among what was measured.
    #[must_use]
    pub fn of(measured: &[Measured]) -> Self {
        let of =
            |output: Output| measured.iter().find(|one| one.subject.output == output)?.cpu_median();
        Self { own: of(Output::Floor), other: of(Output::OtherFloor) }
    }
}

/// Returns the machine and the data in two lines.
#[must_use]
pub fn circumstances(machine: &Machine, expected: &Expected, runs: usize) -> String {
    let Expected { records, bytes_json, files, .. } = expected;
    let load = load().map_or("unknown".to_owned(), |load| format!("{load:.1}"));
    format!(
        "{machine}; load {load} at the end.\n{} events in {} files, {} MiB of JSON; medians of {runs} runs by turns, after one that is not counted.\n",
        thousands(*records),
        thousands(*files),
        thousands(bytes_json.div_ceil(1 << 20)),
    )
}

/// Returns the table, and beneath it what did not go as it should.
#[must_use]
pub fn render(measured: &[Measured], records: u64, missing: &[&str], format: Format) -> String {
    let floors = Floors::of(measured);
    let mut head = vec!["", "CPU s (range)", "× floor"];
    if floors.other.is_some() {
        head.push("× other floor");
    }
    head.extend(["wall s", "peak MiB", "events per CPU s", "answers"]);
    let mut table = Table::new(head);
    let mut notes = Vec::new();
    for one in measured {
        let name = one.subject.name.clone();
        let Some(cpu) = one.cpu_median() else {
            let why = one.failure.as_deref().unwrap_or("no runs");
            notes.push(format!("{name}: failed: {why}"));
            table.row(vec![name, "failed".into()]);
            continue;
        };
        let mut row = vec![name.clone(), spread(&one.cpu()), times(cpu, floors.own)];
        if floors.other.is_some() {
            row.push(times(cpu, floors.other));
        }
        row.push(seconds(one.wall_median().unwrap_or_default()));
        row.push(mebibytes(one.peak().unwrap_or_default()));
        row.push(rate(records, one.cpu_time()));
        row.push(if one.verdict.is_right() { "right".into() } else { "WRONG".into() });
        table.row(row);
        if let Some(what) = &one.left_out {
            notes.push(format!("{name}: some of the content left out, the last: {what}"));
        }
        if !one.verdict.is_right() {
            notes.push(format!("{name}: WRONG: {}", one.verdict));
        }
    }
    notes.extend(further(measured));
    notes.extend(missing.iter().map(|name| format!("{name}: not installed, not measured")));
    let mut text = table.render(format);
    for note in notes {
        text.push_str(&format!("{}{note}\n", if format == Format::Markdown { "\n" } else { "" }));
    }
    text
}

/// Returns what one detection more than the fewest costs, for each hunt with more.
fn further(measured: &[Measured]) -> Vec<String> {
    let hunts = || {
        measured.iter().filter_map(|one| {
            let detections = Some(one.subject.detections).filter(|count| *count > 0)?;
            Some((one.subject.name.as_str(), (detections, one.cpu_median()?)))
        })
    };
    let Some((_, few)) = hunts().min_by_key(|(_, (detections, _))| *detections) else {
        return Vec::new();
    };
    let note = |(name, many)| {
        let share = marginal(few, many)?;
        Some(format!("{name}: one detection beyond {} costs {share:.2} % of the run", few.0))
    };
    hunts().filter_map(note).collect()
}

/// Returns what one further detection costs, as a share of the larger run in percent.
#[must_use]
pub fn marginal(few: (usize, f64), many: (usize, f64)) -> Option<f64> {
    let more = many.0.checked_sub(few.0).filter(|more| *more > 0)?;
    (many.1 > 0.0).then(|| (many.1 - few.1) / more as f64 / many.1 * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::answers::Verdict;
    use crate::measure::Usage;
    use crate::subjects::Subject;

    fn measured(name: &str, output: Output, cpu: &[u64], verdict: Verdict) -> Measured {
        let usage = |cpu: &u64| Usage {
            cpu: Duration::from_millis(*cpu),
            wall: Duration::from_millis(2 * cpu),
            peak: 3 << 20,
        };
        let runs = cpu.iter().map(usage).collect();
        let subject = Subject::new(name, output);
        let failure = cpu.is_empty().then(|| "gone".into());
        Measured { subject, runs, verdict, failure, left_out: None }
    }

    #[test]
    fn ratios_are_to_the_floors_and_nothing_is_dropped() {
        let right = Verdict::default;
        let all = [
            measured("floor", Output::Floor, &[100, 120, 110], right()),
            measured("other", Output::OtherFloor, &[200], right()),
            measured("ours", Output::Hunt, &[220], right()),
            measured("theirs", Output::Peer, &[440], Expected::check_count(2, Some(1))),
            measured("broken", Output::Peer, &[], right()),
        ];
        let text = render(&all, 1000, &["Another"], Format::Text);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][1..3], ["0.110", "(0.100–0.120)"]);
        assert_eq!(
            lines[3],
            ["ours", "0.220", "2.00", "×", "1.10", "×", "0.440", "3", "4,550", "right"]
        );
        assert_eq!(lines[4].last(), Some(&"WRONG"));
        assert_eq!(lines[5], ["broken", "failed"]);
        assert!(text.contains("theirs: WRONG: 1 events counted, not 2\nbroken: failed: gone\n"));
        assert!(text.ends_with("Another: not installed, not measured\n"));
        assert!(render(&all[..1], 1, &[], Format::Markdown).starts_with("|  | CPU s (range) |"));
    }

    #[test]
    fn one_more_detection_is_a_share_of_the_run() {
        let hunt = |name, cpu, detections| {
            let mut hunt = measured(name, Output::Hunt, &[cpu], Verdict::default());
            hunt.subject.detections = detections;
            hunt
        };
        let all = [hunt("three", 100, 3), hunt("pack", 200, 13)];
        assert_eq!(further(&all), ["pack: one detection beyond 3 costs 5.00 % of the run"]);
        assert_eq!(further(&all[..1]), [""; 0]);
        assert_eq!(marginal((1, 1.0), (11, 2.0)), Some(5.0));
        assert_eq!(marginal((3, 1.0), (3, 2.0)), None);
        assert_eq!(marginal((3, 1.0), (2, 2.0)), None);
    }
}

//! The outcome of tests for a person, and as the cases of a JUnit file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use spilltrail_app::{TestReport, TestStatus, TestSummary};
use spilltrail_content::ContentProblem;
use spilltrail_diagnostic::{visible, visible_lines};

use crate::junit::{Case, Outcome};
use crate::lines::{flow, measure};
use crate::paint;
use crate::report::{counted, in_a_line};

/// Most tests of a status that are listed, unless everything is asked for.
const MOST_LISTED: usize = 20;

/// Most tests that are named of those that have not run for the same reason.
const MOST_NAMED: usize = 2;

/// Width of the statuses.
const STATUS: usize = 13;

/// Returns the outcome as text of this width: what matters most comes last, where it is seen.
pub(super) fn render(summary: &TestSummary, all: bool, width: usize) -> String {
    let mut text = String::new();
    for status in [
        TestStatus::Passed,
        TestStatus::Skipped,
        TestStatus::Unsupported,
        TestStatus::NoData,
        TestStatus::Error,
        TestStatus::Failed,
    ] {
        let tests: Vec<&TestReport> =
            summary.tests.iter().filter(|test| test.status == status).collect();
        let is_folded = !all && tests.len() > MOST_LISTED && status != TestStatus::Failed;
        if !is_folded {
            tests.iter().for_each(|test| one(&mut text, test, width));
        } else if status == TestStatus::Passed {
            // Of these, something says why they prove less than they seem to.
            let partial = tests.iter().filter(|test| test.is_partial);
            partial.for_each(|test| one(&mut text, test, width));
        } else {
            folded(&mut text, status, &tests, width);
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    for line in flow("", &totals(summary), "  ", width) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Appends a test: its status and name, then why it has not passed.
fn one(text: &mut String, test: &TestReport, width: usize) {
    let name = visible(&name_of(test)).into_owned();
    let margin = " ".repeat(STATUS);
    append(text, &status(test.status), &name, &margin, width);
    for reason in &test.reasons {
        append(text, &margin, &visible(reason), &format!("{margin}  "), width);
    }
    for warning in &test.warnings {
        let warning = format!("warning: {}", visible(warning));
        append(text, &margin, &warning, &format!("{margin}  "), width);
    }
    if matches!(test.status, TestStatus::Failed | TestStatus::Error) {
        append(text, &margin, &visible(&test.file.display().to_string()), &margin, width);
    }
}

/// Appends tests that have not run, by why.
fn folded(text: &mut String, status_of: TestStatus, tests: &[&TestReport], width: usize) {
    let mut by_reason: BTreeMap<String, Vec<&TestReport>> = BTreeMap::new();
    for test in tests {
        by_reason.entry(kind_of_reason(status_of, test)).or_default().push(test);
    }
    let mut reasons: Vec<(String, Vec<&TestReport>)> = by_reason.into_iter().collect();
    reasons.sort_by(|(a, one), (b, other)| other.len().cmp(&one.len()).then(a.cmp(b)));
    let more = reasons.split_off(reasons.len().min(MOST_LISTED));
    let margin = " ".repeat(STATUS);
    for (reason, tests) in reasons {
        let named: Vec<String> =
            tests.iter().take(MOST_NAMED).map(|test| test.detection.name.clone()).collect();
        let named = match tests.len().saturating_sub(MOST_NAMED) {
            0 => named.join(", "),
            others => format!("{} and {others} more", named.join(", ")),
        };
        let line = format!("{}: {reason} ({named})", counted(tests.len() as u64, "test"));
        append(text, &status(status_of), &visible(&line), &margin, width);
    }
    if !more.is_empty() {
        let tests: usize = more.iter().map(|(_, tests)| tests.len()).sum();
        let line = format!(
            "{} for {}; --all names them",
            counted(tests as u64, "more test"),
            counted(more.len() as u64, "other reason")
        );
        append(text, &status(status_of), &line, &margin, width);
    }
}

/// Returns a reason without what differs from test to test.
fn kind_of_reason(status: TestStatus, test: &TestReport) -> String {
    let first = test.reasons.first().map_or("", String::as_str);
    match status {
        // The name of the dataset comes first, in backticks.
        TestStatus::NoData => {
            match first.strip_prefix('`').and_then(|rest| rest.split_once("` ")) {
                Some((_, why)) => format!("a dataset {why}"),
                None if first.contains("Git LFS") => {
                    "a dataset is a pointer of Git LFS; `git lfs pull` fetches the files".to_owned()
                }
                None => first.to_owned(),
            }
        }
        TestStatus::Skipped => first.split(": ").next().unwrap_or_default().to_owned(),
        _ => first.to_owned(),
    }
}

/// Appends text behind a head, wrapped.
fn append(text: &mut String, head: &str, line: &str, next: &str, width: usize) {
    for line in flow(head, line, next, width) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn status(status: TestStatus) -> String {
    let painted = match status {
        TestStatus::Failed | TestStatus::Error => paint::by_score(Some(100), status.name()),
        TestStatus::NoData | TestStatus::Unsupported => paint::by_score(Some(50), status.name()),
        TestStatus::Skipped => paint::faint(status.name()),
        TestStatus::Passed => status.name().to_owned(),
    };
    format!("{painted}{}", " ".repeat(STATUS.saturating_sub(measure(status.name()))))
}

fn name_of(test: &TestReport) -> String {
    match test.test.trim() {
        "" => test.detection.name.clone(),
        name => format!("{}: {name}", test.detection.name),
    }
}

fn totals(summary: &TestSummary) -> String {
    let counts = &summary.counts;
    let parts = [
        (counts.passed, "passed"),
        (counts.failed, "failed"),
        (counts.error, "with an error"),
        (counts.no_data, "without data"),
        (counts.unsupported, "unsupported"),
        (counts.skipped, "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, name)| *count > 0 || *name == "passed" || *name == "failed")
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let untested = match summary.untested.len() as u64 {
        0 => String::new(),
        1 => "; 1 detection has no test".to_owned(),
        count => format!("; {} have no test", counted(count, "detection")),
    };
    let tests = counted(summary.tests.len() as u64, "test");
    format!("{tests}: {}{untested}", parts.join(", "))
}

/// Returns the tests as cases of a JUnit file, and the files of content that cannot be read. What has not
/// run is an error there, because it is no success.
pub(super) fn cases(summary: &TestSummary, problems: &[ContentProblem]) -> Vec<Case> {
    let case = |test: &TestReport| {
        let text = || test.reasons.join("\n");
        let kind = test.status.name().to_owned();
        Case {
            class: test.detection.name.clone(),
            name: test.test.clone(),
            file: test.file.display().to_string(),
            elapsed: test.elapsed,
            outcome: match test.status {
                TestStatus::Passed => Outcome::Passed,
                TestStatus::Skipped => Outcome::Skipped(text()),
                TestStatus::Failed => Outcome::Failure { kind, text: text() },
                TestStatus::NoData | TestStatus::Unsupported | TestStatus::Error => {
                    Outcome::Error { kind, text: text() }
                }
            },
        }
    };
    let mut unread: BTreeMap<&Path, Vec<String>> = BTreeMap::new();
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        unread.entry(&problem.path).or_default().push(in_a_line(problem));
    }
    let unread = unread.into_iter().map(|(path, lines)| {
        let file = path.display().to_string();
        let (kind, text) = ("unreadable".to_owned(), visible_lines(&lines.join("\n")).into_owned());
        let outcome = Outcome::Error { kind, text };
        let (class, elapsed) = ("files".to_owned(), Duration::ZERO);
        Case { class, name: file.clone(), file, elapsed, outcome }
    });
    summary.tests.iter().map(case).chain(unread).collect()
}

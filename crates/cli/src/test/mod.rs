//! The `test` command: runs the tests of detections and prints which passed.

mod text;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use spilltrail_app::{CancellationToken, Content, TestCounts, TestReport, TestSummary};

use crate::arguments::{TestFormat, TestOptions};
use crate::output::{self, is_broken_pipe};
use crate::report::{self, Detail};
use crate::{content, json, junit, screen, status};

pub(crate) async fn run(options: TestOptions, cancel: CancellationToken) -> Result<ExitCode> {
    if options.all && options.format != TestFormat::Table {
        bail!("only a table folds tests, so `--all` would change nothing; leave it out");
    }
    let content = content::load_for(&options.content(), Detail::Counted)?;
    report::diagnostics(&content.misspelled_macros, "--macro", "");
    for folder in &options.datasets {
        let found = std::fs::read_dir(folder).map(drop);
        found.with_context(|| format!("the folder of datasets `{}`", folder.display()))?;
    }
    let summary = spilltrail_app::test(&content, &options.test(cancel)).await?;
    match print(&summary, &content, &options) {
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if is_broken_pipe(error.as_ref()) => {}
        printed => printed?,
    }
    let is_cut = report::limits_met();
    // Of what has not changed, nothing has to be tested.
    let may_be_none = options.changed.is_some() && summary.counts.not_run() == 0;
    if summary.counts.ran() == 0 {
        let level = if may_be_none { "note" } else { "error" };
        report::line(format_args!("{level}: nothing was tested: {}", why_nothing(&summary)));
    }
    Ok(status::of_tests(&content, &summary, is_cut, may_be_none))
}

fn print(summary: &TestSummary, content: &Content, options: &TestOptions) -> Result<()> {
    match options.format {
        TestFormat::Table => {
            output::print_painted(&text::render(summary, options.all, screen::text_width()))
        }
        TestFormat::Json => output::print(&json::text(&Printed::of(summary))?),
        TestFormat::Junit => {
            let cases = text::cases(summary, &content.problems);
            output::print(&junit::render("spilltrail test", &cases))
        }
    }
}

/// The outcome of tests as JSON.
#[derive(Serialize)]
struct Printed<'a> {
    tests: &'a [TestReport],
    counts: TestCounts,
    detections: u64,
    untested: &'a [String],
    seconds: f64,
}

impl<'a> Printed<'a> {
    fn of(summary: &'a TestSummary) -> Self {
        let seconds = (summary.elapsed.as_secs_f64() * 1e3).round() / 1e3;
        let TestSummary { tests, counts, detections, untested, .. } = summary;
        Self { tests, counts: *counts, detections: *detections, untested, seconds }
    }
}

/// Returns why no test ran.
fn why_nothing(summary: &TestSummary) -> String {
    let counts = &summary.counts;
    if counts.not_run() > 0 {
        return format!("none of {} could run", report::counted(counts.not_run(), "test"));
    }
    if counts.skipped > 0 {
        return "no test is meant to run by itself; `--experimental` runs such tests, too"
            .to_owned();
    }
    if summary.detections == 0 {
        return "no detection has changed".to_owned();
    }
    let detections = report::counted(summary.detections, "detection");
    format!("{detections} without any test")
}

//! The `check` command: reports which detections run, and what is wrong or doubtful in them.

mod causes;
mod details;
mod html;
mod sarif;
mod text;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use spilltrail_app::check::{
    CheckOptions as Asked, CheckReport, CheckedSearch, Counts, Level, Told, check, content_of,
};
use spilltrail_app::{CancellationToken, Content};
use spilltrail_diagnostic::{Severity, visible_lines};

use crate::arguments::{CheckFormat, CheckOptions, FailOn};
use crate::junit::{self, Case, Outcome};
use crate::{json, output, report, screen, status};

/// Most messages that are shown with their lines if nobody asks for all.
const FEW: usize = 8;

pub(crate) async fn run(options: CheckOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let format = options.format.unwrap_or_else(|| default_format(options.all));
    if options.all && format != CheckFormat::Table {
        bail!("only a table counts messages, so `--all` would change nothing; leave it out");
    }
    let content = Content::load(&content_of(&options.content.content(), &options.targets))?;
    report::diagnostics(&content.misspelled_macros, "--macro", "");
    let asked = asked(&options, cancel);
    let mut report = check(&content, &asked).await?;
    // The status is that of all messages, also of those that are not shown.
    let status = status::of_check(fails(&report, options.fail_on), report.detections.is_empty());
    let (all, unheeded) = (report.counts.clone(), report.without_level());
    // Cases of JUnit say what failed, so that they need all messages, too.
    let is_junit = format == CheckFormat::Junit;
    if !options.code.is_empty() && !is_junit {
        report.keep(&options.code);
    }
    print(&report, &content, format, &options)?;
    if !options.code.is_empty() && is_junit {
        report::line(format_args!("note: JUnit has the messages of all codes"));
    }
    tell_others(&all, &report.counts);
    for (code, count) in unheeded {
        let messages = report::counted(count, "message");
        report::line(format_args!(
            "warning: the level of {code} changes nothing about {messages}: only warnings have levels"
        ));
    }
    for (code, count) in &report.set_up_elsewhere {
        let messages = report::counted(*count, "message");
        report::line(format_args!(
            "warning: the level of {code} changes nothing about {messages} on data models, event types \
             and tags that are set up where the content is used"
        ));
    }
    Ok(status)
}

fn print(
    report: &CheckReport,
    content: &Content,
    format: CheckFormat,
    options: &CheckOptions,
) -> Result<()> {
    let text = match format {
        CheckFormat::Table => {
            let width = screen::text_width();
            let are_few = report.told().count() <= FEW;
            let text = if options.all || are_few {
                details::render(report, content, width)
            } else {
                causes::render(report, width)
            };
            return output::print_painted(&text);
        }
        CheckFormat::Json => json::text(report)?,
        CheckFormat::Sarif => json::text(&sarif::log(report))?,
        CheckFormat::Junit => junit_of(report, options.fail_on),
        CheckFormat::Html => html::page(report),
    };
    output::print(&text)
}

/// Says how many messages are not shown because of their code.
fn tell_others(all: &Counts, shown: &Counts) {
    let sum = |counts: &Counts| counts.codes.values().sum::<u64>();
    let hidden = sum(all) - sum(shown);
    if hidden == 0 {
        return;
    }
    let are = if hidden == 1 { "of another code is" } else { "of other codes are" };
    let errors = match all.errors - shown.errors {
        0 => String::new(),
        errors => format!(" ({})", report::counted(errors, "error")),
    };
    let messages = report::counted(hidden, "message");
    report::line(format_args!("note: {messages} {are} not shown{errors}"));
}

fn asked(options: &CheckOptions, cancel: CancellationToken) -> Asked {
    let mut levels = options.levels.clone();
    options.level.iter().for_each(|(code, level)| levels.set(*code, *level));
    options.allow.iter().for_each(|code| levels.set(*code, Level::Allow));
    // Whoever asks for a code wants to see it.
    for code in &options.code {
        if !options.allow.contains(code) {
            levels.tell(*code);
        }
    }
    Asked { targets: options.targets.clone(), select: options.filters.selection(), levels, cancel }
}

fn fails(report: &CheckReport, fail_on: FailOn) -> bool {
    report.severity() >= Some(least(fail_on))
}

fn least(fail_on: FailOn) -> Severity {
    match fail_on {
        FailOn::Warning => Severity::Warning,
        FailOn::Unsupported => Severity::Unsupported,
        FailOn::Error => Severity::Error,
    }
}

/// Only the table folds messages, so that whoever asks for `all` wants it in a pipe, too.
fn default_format(all: bool) -> CheckFormat {
    if all || std::io::stdout().is_terminal() { CheckFormat::Table } else { CheckFormat::Json }
}

/// Returns one case for each detection, and for each other file. What the check fails on has failed.
fn junit_of(report: &CheckReport, fail_on: FailOn) -> String {
    let of = |class: &str, search: &CheckedSearch| {
        let file = text::file_of(search.file.as_deref());
        let is_read = search.id.is_some();
        let outcome = outcome(&search.diagnostics, is_read, fail_on);
        (class.to_owned(), search.name.clone(), file, outcome)
    };
    let detections = report.detections.iter().map(|detection| of("detections", detection));
    let baselines = report.baselines.iter().map(|baseline| of("baselines", baseline));
    let files = report.files.iter().map(|file| {
        let name = text::file_of(Some(&file.file));
        ("files".to_owned(), name.clone(), name, outcome(&file.diagnostics, true, fail_on))
    });
    let case =
        |(class, name, file, outcome)| Case { class, name, file, elapsed: Duration::ZERO, outcome };
    let cases: Vec<Case> = detections.chain(baselines).chain(files).map(case).collect();
    junit::render("spilltrail check", &cases)
}

fn outcome(told: &[Told], is_read: bool, fail_on: FailOn) -> Outcome {
    let text = || visible_lines(&text::lines(told)).into_owned();
    match told.iter().map(|told| told.diagnostic.severity).max() {
        Some(Severity::Error) if !is_read => {
            Outcome::Error { kind: "unreadable".to_owned(), text: text() }
        }
        Some(severity) if severity >= least(fail_on) => {
            Outcome::Failure { kind: severity.name().to_owned(), text: text() }
        }
        Some(Severity::Unsupported) => Outcome::Skipped(text()),
        _ => Outcome::Passed,
    }
}

//! The `check` command: reports which detections run, and what is wrong or doubtful in them.

mod causes;
mod details;
mod html;
mod sarif;
mod text;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use spilltrail_app::check::{
    CheckOptions as Asked, CheckReport, CheckStatus, CheckedSearch, Level, check, content_of,
};
use spilltrail_app::{CancellationToken, Content};
use spilltrail_diagnostic::{Severity, visible_lines};

use crate::arguments::{CheckFormat, CheckOptions, FailOn};
use crate::junit::{self, Case, Outcome};
use crate::{json, output, report, screen, status};

/// Most messages that are shown with their lines if nobody asks for all.
const FEW: usize = 8;

pub(crate) async fn run(options: CheckOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let content = Content::load(&content_of(&options.content.content(), &options.targets))?;
    report::diagnostics(&content.misspelled_macros, "--macro", "");
    let mut report = check(&content, &asked(&options, cancel)).await?;
    // The status is that of all messages, also of those that are not shown.
    let status = status::of_check(fails(&report, options.fail_on), report.detections.is_empty());
    if !options.code.is_empty() {
        report.keep(&options.code);
    }
    let text = match options.format.unwrap_or_else(default_format) {
        CheckFormat::Table => {
            let width = screen::text_width();
            let are_few = report.told().count() <= FEW;
            let text = if options.all || are_few {
                details::render(&report, &content, width)
            } else {
                causes::render(&report, width)
            };
            return output::print_painted(&text).map(|()| status);
        }
        CheckFormat::Json => json_of(&report)?,
        CheckFormat::Sarif => json_of(&sarif::log(&report))?,
        CheckFormat::Junit => junit_of(&report),
        CheckFormat::Html => html::page(&report),
    };
    output::print(&text)?;
    Ok(status)
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
    let least = match fail_on {
        FailOn::Warning => Severity::Warning,
        FailOn::Unsupported => Severity::Unsupported,
        FailOn::Error => Severity::Error,
    };
    report.severity() >= Some(least)
}

fn default_format() -> CheckFormat {
    if std::io::stdout().is_terminal() { CheckFormat::Table } else { CheckFormat::Json }
}

fn json_of(value: &impl Serialize) -> Result<String> {
    let mut text = Vec::new();
    json::write(&mut text, value)?;
    Ok(String::from_utf8(text)? + "\n")
}

/// Returns one case for each detection, and for each other file.
fn junit_of(report: &CheckReport) -> String {
    let of = |class: &str, detection: &CheckedSearch| Case {
        class: class.to_owned(),
        name: detection.name.clone(),
        file: text::file_of(detection.file.as_deref()),
        elapsed: Duration::ZERO,
        outcome: outcome(detection),
    };
    let detections = report.detections.iter().map(|detection| of("detections", detection));
    let baselines = report.baselines.iter().map(|baseline| of("baselines", baseline));
    let files = report.files.iter().map(|file| {
        let is_wrong =
            file.diagnostics.iter().any(|told| told.diagnostic.severity == Severity::Error);
        let text = text::lines(&file.diagnostics);
        let outcome = if is_wrong {
            Outcome::Failure { kind: CheckStatus::Error.name().to_owned(), text }
        } else {
            Outcome::Passed
        };
        let name = text::file_of(Some(&file.file));
        Case {
            class: "files".to_owned(),
            file: name.clone(),
            name,
            elapsed: Duration::ZERO,
            outcome,
        }
    });
    junit::render(
        "spilltrail check",
        &detections.chain(baselines).chain(files).collect::<Vec<Case>>(),
    )
}

fn outcome(detection: &CheckedSearch) -> Outcome {
    let text = visible_lines(&text::lines(&detection.diagnostics)).into_owned();
    match detection.status {
        CheckStatus::Runs => Outcome::Passed,
        CheckStatus::Unsupported => Outcome::Skipped(text),
        CheckStatus::Error if detection.id.is_none() => {
            Outcome::Error { kind: "unreadable".to_owned(), text }
        }
        CheckStatus::Error => Outcome::Failure { kind: CheckStatus::Error.name().to_owned(), text },
    }
}

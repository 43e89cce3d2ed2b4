//! The `check` command: reports which detections run, and what is wrong or doubtful in them.

mod text;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use spilltrail_app::check::{CheckOptions as Asked, CheckReport, Levels, check, content_of};
use spilltrail_app::{CancellationToken, Content};
use spilltrail_diagnostic::Severity;

use crate::arguments::{CheckFormat, CheckOptions, FailOn};
use crate::output::{self, CANNOT_WRITE};
use crate::{json, screen, status};

pub(crate) async fn run(options: CheckOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let content = Content::load(&content_of(&options.content.content(), &options.targets))?;
    let asked = Asked {
        targets: options.targets.clone(),
        select: options.filters.selection(),
        levels: Levels::default(),
        cancel,
    };
    let report = check(&content, &asked).await?;
    match options.format.unwrap_or_else(default_format) {
        CheckFormat::Table => {
            output::print_painted(&text::render(&report, &content, screen::text_width()))?;
        }
        CheckFormat::Json => {
            let mut out = std::io::stdout().lock();
            json::write(&mut out, &report)
                .and_then(|()| writeln!(out))
                .and_then(|()| out.flush())
                .context(CANNOT_WRITE)?;
        }
    }
    Ok(status::of_check(fails(&report, options.fail_on)))
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

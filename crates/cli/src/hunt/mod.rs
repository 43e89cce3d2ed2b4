//! The `hunt` command: runs detections over logs and prints their findings.

pub(crate) mod allowed;
mod baselines;
pub(crate) mod costs;
mod digest;
mod explain;
mod findings;
mod located;
mod notes;
mod own;
mod printer;
pub(crate) mod text;

use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use spilltrail_app::{AppError, CancellationToken, Content, explain_scan};

use crate::arguments::{Format, HuntOptions};
use crate::output::{self, CANNOT_WRITE, default_format, is_broken_pipe};
use crate::report::Detail;
use crate::{content, report, screen, status};
use findings::FindingWriter;
use notes::Notes;
use own::Own;
use printer::Printer;

pub(crate) async fn run(options: HuntOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let format = options.format.unwrap_or_else(default_format);
    if format == Format::Csv && options.summary {
        bail!("CSV has no place for the summary; use `--format ndjson` or `--format json`");
    }
    let detail = if options.all { Detail::Full } else { Detail::Counted };
    let content = content::load_for(&options.shared.content, detail)?;
    content::tell_replaced(&content.set.replaced, detail);
    report::diagnostics(&content.misspelled_macros, "--macro", "");
    let doubted = allowed::doubts(&options.allow, &content, detail);
    if options.explain_scan {
        return explain(&content, &options, cancel).await;
    }
    let asked = options.hunt(cancel);
    let zone = asked.run.time.time_zone()?;
    let writer = FindingWriter::new(format, options.all, &zone);
    let own = Own::new(&content, !options.filters.detection.is_empty());
    let mut printer = Printer::new(writer, Notes::new(detail, own));
    let summary = match spilltrail_app::hunt(&content, &asked, &mut printer).await {
        Ok(summary) => summary,
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(AppError::Sink { source, done }) if is_broken_pipe(source.as_ref()) => {
            report::unread(&done.unread, detail);
            return Ok(status::of_cut_hunt(&content, &done, options.fail_on_finding));
        }
        Err(error) => {
            printer.give_up();
            return Err(error.into());
        }
    };
    match printer.finish(&summary, &options) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        printed => printed.context(CANNOT_WRITE)?,
    }
    if options.costs {
        report::lines(&costs::render(&summary, screen::error_width().unwrap_or(usize::MAX)));
        report::lines(&costs::memory(summary.memory));
    }
    if options.baselines {
        baselines::tell(&summary.baselines, &content, detail);
    }
    allowed::complain(&summary, &doubted, format == Format::Table);
    if let Some(met) = report::met_indexes(&summary.met_indexes) {
        report::line(format_args!("note: {met}"));
    }
    let is_cut = report::limits_met();
    report::unread(&summary.unread, detail);
    report::nothing_ran(&summary);
    Ok(status::of_hunt(&content, &summary, is_cut, options.fail_on_finding, options.strict))
}

async fn explain(
    content: &Content,
    options: &HuntOptions,
    cancel: CancellationToken,
) -> Result<ExitCode> {
    let without_effect = [
        ("--format", options.format.is_some()),
        ("--summary", options.summary),
        ("--costs", options.costs),
        ("--all", options.all),
        ("--strict", options.strict),
        ("--baselines", options.baselines),
        ("--fail-on-finding", options.fail_on_finding),
        ("--run-id", options.run_id.is_some()),
    ];
    if let Some((name, _)) = without_effect.into_iter().find(|(_, is_given)| *is_given) {
        bail!("`--explain-scan` runs no detection, so `{name}` would change nothing; leave it out");
    }
    let plan = explain_scan(content, &options.hunt(cancel)).await?;
    output::print(&explain::render(&plan, screen::text_width()))?;
    Ok(ExitCode::SUCCESS)
}

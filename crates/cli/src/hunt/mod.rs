//! `hunt`: runs detections over logs and prints what they find.

mod costs;
mod explain;
mod findings;
mod printer;
mod text;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use spilltrail_app::{Content, explain_scan};

use crate::arguments::{Format, HuntOptions};
use crate::output::default_format;
use crate::{content, report, status};
use findings::FindingWriter;
use printer::Printer;

pub(crate) async fn run(options: HuntOptions) -> Result<ExitCode> {
    let format = options.format.unwrap_or_else(default_format);
    if format == Format::Csv && options.summary {
        bail!("CSV has no place for the summary; use `--format ndjson` or `--format json`");
    }
    let content = content::load(&options.content)?;
    if options.explain_scan {
        return explain(&content, &options).await;
    }
    let asked = options.hunt();
    let zone = asked.run.time.time_zone()?;
    let mut printer = Printer::new(FindingWriter::new(format, options.all, &zone));
    let summary = spilltrail_app::hunt(&content, &asked, &mut printer).await?;
    printer.finish(&summary, &options)?;
    if options.costs {
        eprint!("{}", costs::render(&summary));
    }
    report::unread(&summary.unread);
    Ok(status::of_hunt(&content, &summary, options.fail_on_finding))
}

async fn explain(content: &Content, options: &HuntOptions) -> Result<ExitCode> {
    let plan = explain_scan(content, &options.hunt()).await?;
    std::io::stdout().write_all(explain::render(&plan).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

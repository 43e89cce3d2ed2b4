//! `expand`: prints a search with its macros expanded.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_diagnostic::Severity;
use spilltrail_spl::expand_macros;

use crate::arguments::ExpandOptions;
use crate::{content, report, status};

pub(crate) fn run(options: &ExpandOptions) -> Result<ExitCode> {
    let content = content::load(&options.content)?;
    let (expansion, diagnostics) = expand_macros(&options.spl, &content.set.macros);
    report::diagnostics(&diagnostics, "<search>", &options.spl);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity > Severity::Warning) {
        return Ok(status::failed());
    }
    println!("{}", expansion.text);
    Ok(status::of_content(&content))
}

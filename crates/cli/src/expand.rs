//! `expand`: prints a search with its macros expanded.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_diagnostic::Severity;
use spilltrail_spl::expand_macros;

use crate::arguments::ExpandOptions;
use crate::{FAILED, PARTIAL, content, report};

pub(crate) fn run(options: &ExpandOptions) -> Result<ExitCode> {
    let loaded = content::load(&options.content)?;
    let (expansion, diagnostics) = expand_macros(&options.spl, &loaded.set.macros);
    report::diagnostics(&diagnostics, "<search>", &options.spl);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity > Severity::Warning) {
        return Ok(ExitCode::from(FAILED));
    }
    println!("{}", expansion.text);
    Ok(if loaded.is_partial { ExitCode::from(PARTIAL) } else { ExitCode::SUCCESS })
}

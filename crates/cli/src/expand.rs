//! The `expand` command: prints a search with its macros expanded.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_diagnostic::{Class, Diagnostic, Severity};
use spilltrail_spl::expand_macros;

use crate::arguments::ExpandOptions;
use crate::{content, output, report, status};

pub(crate) fn run(options: &ExpandOptions) -> Result<ExitCode> {
    let content = content::load(&options.content)?;
    let detection = match &options.detection {
        Some(name) => Some(content.find_detection(name)?),
        None => None,
    };
    let (origin, search) = match detection {
        Some(detection) => (detection.name.as_str(), detection.search.as_str()),
        None => ("<search>", options.spl.as_deref().unwrap_or_default()),
    };
    let (expansion, diagnostics) = expand_macros(search, &content.set.macros);
    report::diagnostics(&diagnostics, origin, search);
    if diagnostics.iter().any(|diagnostic| diagnostic.severity > Severity::Warning) {
        let class = Diagnostic::class_of(&diagnostics).unwrap_or(Class::Internal);
        return Ok(status::of_class(class));
    }
    output::print(&format!("{}\n", expansion.text))?;
    Ok(status::of_content(&content))
}

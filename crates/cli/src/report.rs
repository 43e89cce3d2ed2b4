//! What goes to standard error: diagnostics, and what could not be read.

use std::io::IsTerminal;

use spilltrail_content::ContentProblem;
use spilltrail_decode::SkipKind;
use spilltrail_diagnostic::{Color, Diagnostic, render};
use spilltrail_source::Logs;

/// Damages of one file that are printed; the rest is counted.
const SHOWN_DAMAGES: usize = 3;

/// Returns whether standard error takes colours.
pub(crate) fn color() -> Color {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_wanted && std::io::stderr().is_terminal() { Color::Always } else { Color::Never }
}

/// Prints diagnostics about `source`, which is called `origin`.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic], origin: &str, source: &str) {
    for diagnostic in diagnostics {
        eprintln!("{}", render(diagnostic, origin, source, color()));
    }
}

/// Prints what is wrong with content; returns true if some of it cannot be used.
pub(crate) fn content(problems: &[ContentProblem]) -> bool {
    for problem in problems {
        let path = problem.path.display().to_string();
        diagnostics(std::slice::from_ref(&problem.diagnostic), &path, &problem.source_text);
    }
    problems.iter().any(ContentProblem::is_error)
}

/// Prints what of the logs could not be read; returns true if that is anything.
pub(crate) fn logs(logs: &Logs) -> bool {
    let mut is_partial = false;
    for problem in logs.problems() {
        eprintln!("error: {problem}");
        is_partial = true;
    }
    for file in logs.report().problems {
        let report = &file.report;
        for damage in report.damages.iter().take(SHOWN_DAMAGES) {
            eprintln!("warning: {}: {damage}", file.name);
        }
        let shown = report.damages.len().min(SHOWN_DAMAGES) as u64;
        if report.damage_count > shown {
            eprintln!(
                "warning: {}: {} more damaged places",
                file.name,
                report.damage_count - shown
            );
        }
        if report.damage_count > 0 {
            is_partial = true;
        } else if report.skipped.contains_key(&SkipKind::NotJson) {
            eprintln!("note: {}: holds no JSON, skipped", file.name);
        }
    }
    is_partial
}

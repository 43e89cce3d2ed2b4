//! Words and places that all forms of the report have in common.

use std::path::Path;

use spilltrail_app::check::{CheckReport, CheckStatus, Told};
use spilltrail_diagnostic::{Code, REGISTRY};

use crate::report::{counted, separated};

/// Returns what is written for the file of a detection.
pub(super) fn file_of(file: Option<&Path>) -> String {
    file.map_or_else(|| "built in".to_owned(), |file| file.display().to_string())
}

/// Returns the place of a message: file, line and column, as far as they are known.
pub(super) fn place(told: &Told) -> String {
    let mut place = file_of(told.file.as_deref());
    for number in [told.line, told.column].into_iter().flatten() {
        place = format!("{place}:{number}");
    }
    place
}

/// Returns a message in one line, with its place.
pub(super) fn line(told: &Told) -> String {
    format!("{}: {}", place(told), said(told))
}

/// Returns a message in one line.
pub(super) fn said(told: &Told) -> String {
    let diagnostic = &told.diagnostic;
    let help = diagnostic.help.as_ref().map(|help| format!("; {help}"));
    format!(
        "{}[{}]: {}{}",
        diagnostic.severity.name(),
        diagnostic.code,
        diagnostic.message,
        help.unwrap_or_default()
    )
}

/// Returns messages, each in one line.
pub(super) fn lines(told: &[Told]) -> String {
    told.iter().map(line).collect::<Vec<String>>().join("\n")
}

/// Returns what a code is about.
pub(super) fn title(code: Code) -> &'static str {
    REGISTRY.iter().find(|entry| entry.code == code).map_or("", |entry| entry.title)
}

/// Returns a note about the data models that no event type feeds; `None` if there is none.
pub(super) fn unfed(report: &CheckReport) -> Option<String> {
    let models = report.counts.unfed_data_models.iter();
    let models: Vec<String> =
        models.map(|(model, count)| format!("`{model}` ({})", counted_searches(*count))).collect();
    let noun = if models.len() == 1 { "the data model" } else { "the data models" };
    (!models.is_empty()).then(|| format!("no event type here feeds {noun} {}", models.join(", ")))
}

fn counted_searches(count: u64) -> String {
    if count == 1 { "1 search".to_owned() } else { format!("{} searches", separated(count)) }
}

/// Returns the counts of a report in a line.
pub(super) fn summary(report: &CheckReport) -> String {
    let counts = &report.counts;
    let mut parts = Vec::new();
    for (count, one, many) in [
        (counts.runs, "runs", "run"),
        (counts.unsupported, "is unsupported", "are unsupported"),
        (counts.error, "has errors", "have errors"),
    ] {
        match count {
            0 => {}
            1 if counts.detections == 1 => parts.push(format!("it {one}")),
            1 => parts.push(format!("1 {one}")),
            count => parts.push(format!("{} {many}", separated(count))),
        }
    }
    let warnings = match counts.warnings {
        0 => String::new(),
        warnings => format!("; {}", counted(warnings, "warning")),
    };
    let all = counted(counts.detections, "detection");
    let baselines = report.baselines.len() as u64;
    let warnings = if baselines == 0 {
        warnings
    } else {
        let run = report.baselines.iter().filter(|one| one.status == CheckStatus::Runs).count();
        format!("; of {} {} run{warnings}", counted(baselines, "baseline"), separated(run as u64))
    };
    if parts.is_empty() {
        return format!("{all}{warnings}");
    }
    format!("{all}: {}{warnings}", parts.join(", "))
}

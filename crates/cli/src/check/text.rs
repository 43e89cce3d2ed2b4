//! The report of a check for a terminal.

use std::fmt::Write;

use spilltrail_app::Content;
use spilltrail_app::check::CheckReport;
use spilltrail_diagnostic::visible;

use crate::lines::hang;
use crate::report::counted;

/// Returns the report as text of this width.
pub(super) fn render(report: &CheckReport, _: &Content, width: usize) -> String {
    let mut text = String::new();
    let counts = &report.counts;
    let summary = format!(
        "{}: {} run, {} unsupported, {} with errors",
        counted(counts.detections, "detection"),
        counts.runs,
        counts.unsupported,
        counts.error,
    );
    for detection in &report.detections {
        for told in &detection.diagnostics {
            let line = format!(
                "{}: {}[{}]: {}",
                detection.name,
                told.diagnostic.severity.name(),
                told.diagnostic.code,
                told.diagnostic.message
            );
            for line in hang(&visible(&line), width, 2) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    let _ = writeln!(text, "{summary}");
    text
}

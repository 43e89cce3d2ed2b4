//! The report with every message, and the lines that it is about.

use std::path::Path;

use spilltrail_app::Content;
use spilltrail_app::check::{CheckReport, Told, file_text};
use spilltrail_diagnostic::{Color, Diagnostic, render as rendered};

use super::text::{file_of, summary, unfed};
use crate::excerpt::fit;
use crate::lines::hang;
use crate::paint;

/// Returns the report as text of this width.
pub(super) fn render(report: &CheckReport, content: &Content, width: usize) -> String {
    let mut text = String::new();
    let baselines = content.set.baselines.iter();
    let baseline = |id: &str| baselines.clone().find(|baseline| baseline.id == id);
    for detection in report.detections.iter().chain(&report.baselines) {
        let search = detection.id.as_deref();
        let search = search.and_then(|id| content.set.detection(id).or_else(|| baseline(id)));
        let search = search.map_or("", |detection| detection.search.as_str());
        let origin = match &detection.file {
            Some(_) => format!("the search of {}", detection.name),
            None => detection.name.clone(),
        };
        add(&mut text, &detection.diagnostics, detection.file.as_deref(), (&origin, search), width);
    }
    for file in &report.files {
        add(&mut text, &file.diagnostics, Some(&file.file), ("", ""), width);
    }
    for line in unfed(report).iter().flat_map(|note| hang(&format!("note: {note}"), width, 2)) {
        text.push_str(&line);
        text.push('\n');
    }
    for line in hang(&paint::bold(&summary(report)), width, 2) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn starts_the_file(diagnostic: &Diagnostic) -> bool {
    diagnostic.span().is_none_or(|span| span.start == 0)
}

/// Adds messages. Those whose place in the file is not known show the lines of the search.
fn add(
    text: &mut String,
    told: &[Told],
    file: Option<&Path>,
    (name, search): (&str, &str),
    width: usize,
) {
    if told.is_empty() {
        return;
    }
    let source = file.and_then(file_text);
    for told in told {
        let color = if paint::on_standard_output() { Color::Always } else { Color::Never };
        let cut = Some(width).filter(|width| *width < usize::MAX);
        let shown = match (&told.in_file, &source) {
            (Some(diagnostic), Some(source)) => {
                rendered(diagnostic, &file_of(file), source, color, cut)
            }
            // A file that is not text has no lines, but it has a name.
            (Some(diagnostic), None) if file.is_some() && starts_the_file(diagnostic) => {
                rendered(diagnostic, &file_of(file), "", color, cut)
            }
            _ => rendered(&told.diagnostic, name, search, color, cut),
        };
        text.push_str(&fit(&shown, width));
    }
}

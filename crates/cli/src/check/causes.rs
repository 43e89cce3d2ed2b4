//! The report of many detections for a terminal: causes, each counted, with a few examples.

use std::fmt::Write;

use indexmap::IndexMap;
use spilltrail_app::check::{CheckReport, CheckStatus, Told};
use spilltrail_diagnostic::{Code, Severity, visible};

use super::text::{place, said, summary, title};
use crate::lines::flow;
use crate::paint;
use crate::report::{counted, separated};

/// Most errors that are listed.
const ERRORS: usize = 20;
/// Most causes that are listed of what is not supported.
const CAUSES: usize = 15;
/// Most examples of each kind of warning.
const EXAMPLES: usize = 2;
/// Columns of a count.
const COUNT: usize = 6;

/// Returns the report as text of this width.
pub(super) fn render(report: &CheckReport, width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    page.line("", &paint::bold(&summary(report)), "");
    errors(report, &mut page);
    unsupported(report, &mut page);
    warnings(report, &mut page);
    unfed(report, &mut page);
    page.text.push('\n');
    page.line(
        "",
        "`--all` shows every message with its lines, `--code CODE` those of one code, \
         `--detection NAME` those of a detection; `spilltrail help CODE` explains a code",
        "",
    );
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, head: &str, text: &str, next: &str) {
        for line in flow(head, text, next, self.width) {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line("", &paint::bold(text), "");
    }

    fn counted(&mut self, count: usize, text: &str) {
        let head = format!("{:>COUNT$}  ", separated(count as u64));
        self.line(&head, &visible(text), &" ".repeat(COUNT + 2));
    }
}

fn errors(report: &CheckReport, page: &mut Page) {
    let errors: Vec<&Told> = of(report, Severity::Error).collect();
    if errors.is_empty() {
        return;
    }
    page.heading(&counted(errors.len() as u64, "error"));
    for told in errors.iter().take(ERRORS) {
        page.line("  ", &visible(&place(told)), "    ");
        page.line("    ", &visible(&said(told)), "    ");
    }
    more(errors.len(), ERRORS, "errors", page);
}

/// The causes for which detections are unsupported; a detection may have several.
fn unsupported(report: &CheckReport, page: &mut Page) {
    let mut causes: IndexMap<(Code, &str), usize> = IndexMap::new();
    let is_unsupported = |told: &&Told| told.diagnostic.severity == Severity::Unsupported;
    let searches = report.detections.iter().chain(&report.baselines);
    for detection in searches.filter(|search| search.status != CheckStatus::Runs) {
        let mut own: Vec<(Code, &str)> = Vec::new();
        for told in detection.diagnostics.iter().filter(is_unsupported) {
            let cause = (told.diagnostic.code, told.diagnostic.message.as_str());
            if !own.contains(&cause) {
                own.push(cause);
            }
        }
        own.into_iter().for_each(|cause| *causes.entry(cause).or_default() += 1);
    }
    if causes.is_empty() {
        return;
    }
    page.heading("What is not supported, by detections");
    causes.sort_by(|a, m, b, n| n.cmp(m).then(a.cmp(b)));
    for ((code, message), count) in causes.iter().take(CAUSES) {
        page.counted(*count, &format!("{message} [{code}]"));
    }
    more(causes.len(), CAUSES, "causes", page);
}

/// The warnings by code, the most frequent first.
fn warnings(report: &CheckReport, page: &mut Page) {
    let mut codes: IndexMap<Code, Vec<&Told>> = IndexMap::new();
    for told in of(report, Severity::Warning) {
        codes.entry(told.diagnostic.code).or_default().push(told);
    }
    if codes.is_empty() {
        return;
    }
    page.heading("Warnings");
    codes.sort_by(|a, m, b, n| n.len().cmp(&m.len()).then(a.cmp(b)));
    for (code, all) in codes {
        page.counted(all.len(), &format!("{} [{code}]", title(code)));
        let margin = " ".repeat(COUNT + 4);
        for told in all.iter().take(EXAMPLES) {
            page.line(&margin, &paint::faint(&visible(&place(told))), &margin);
            let message = visible(&told.diagnostic.message);
            page.line(&format!("{margin}  "), &message, &format!("{margin}  "));
        }
    }
}

/// The data models that no event type feeds, the most used first.
fn unfed(report: &CheckReport, page: &mut Page) {
    let mut models: Vec<(&String, &u64)> = report.counts.unfed_data_models.iter().collect();
    if models.is_empty() {
        return;
    }
    page.heading("Searches of data models that no event type here feeds");
    models.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    for (model, count) in models.iter().take(CAUSES) {
        page.counted(usize::try_from(**count).unwrap_or(usize::MAX), model);
    }
    more(models.len(), CAUSES, "data models", page);
}

fn of(report: &CheckReport, severity: Severity) -> impl Iterator<Item = &Told> {
    report.told().filter(move |told| told.diagnostic.severity == severity)
}

fn more(all: usize, shown: usize, noun: &str, page: &mut Page) {
    if let Some(more @ 1..) = all.checked_sub(shown) {
        page.line("  ", &format!("and {} more {noun}", separated(more as u64)), "  ");
    }
}

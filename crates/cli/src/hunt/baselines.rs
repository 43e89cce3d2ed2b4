//! Says which lookups the baselines of a hunt filled, and which they could not fill.

use spilltrail_app::{BaselineReport, BaselineStatus, Content};
use spilltrail_diagnostic::{Diagnostic, Severity};

use crate::report::{self, Detail};

/// Prints a line about each baseline that failed, and one about the others of each kind, which are
/// named with full detail.
pub(super) fn tell(reports: &[BaselineReport], content: &Content, detail: Detail) {
    if reports.is_empty() {
        report::line(format_args!(
            "note: no baseline ran: the detections whose lookups they fill did not run"
        ));
    }
    for one in reports {
        if detail == Detail::Full {
            tell_one(one, content);
        } else if one.status == BaselineStatus::Failed {
            tell_failure(one);
        }
    }
    if detail == Detail::Counted {
        tell_counts(reports);
    }
}

/// Says what became of a baseline, with its warnings.
fn tell_one(one: &BaselineReport, content: &Content) {
    let BaselineReport { name, messages, .. } = one;
    match one.status {
        BaselineStatus::Filled => report::line(format_args!("note: {name}: {}", outcome(one))),
        BaselineStatus::Empty | BaselineStatus::Kept => tell_nothing(one),
        BaselineStatus::Unsupported => report::line(format_args!(
            "note: {name}: did not run: {}; {}",
            worst(messages),
            outcome(one)
        )),
        BaselineStatus::Failed => tell_failure(one),
    }
    let warnings: Vec<Diagnostic> = warnings(one).cloned().collect();
    let is_this = |baseline: &&spilltrail_content::Detection| {
        baseline.id == one.id && baseline.name == one.name
    };
    let search = content.set.baselines.iter().find(is_this);
    report::diagnostics(&warnings, name, search.map_or("", |baseline| &baseline.search));
}

/// Says that a baseline has no row, and what its lookups have then.
fn tell_nothing(one: &BaselineReport) {
    let name = &one.name;
    report::line(format_args!("note: {name}: found nothing before the range; {}", outcome(one)));
}

fn tell_failure(one: &BaselineReport) {
    let (name, reason) = (&one.name, worst(&one.messages));
    report::line(format_args!("error: {name}: failed: {reason}; {}", outcome(one)));
}

/// Returns what became of the lookups of a baseline.
fn outcome(one: &BaselineReport) -> String {
    let with = |is: &dyn Fn(Option<u64>) -> bool| -> Vec<String> {
        let pairs = one.lookups.iter().zip(&one.rows_written);
        pairs.filter(|(_, rows)| is(**rows)).map(|(name, _)| name.clone()).collect()
    };
    let filled = with(&|rows| rows.is_some_and(|rows| rows > 0));
    let kept = with(&|rows| rows.is_none());
    let empty = with(&|rows| rows == Some(0));
    let into = format!("{} into {}", report::counted(one.rows, "row"), listed(&filled));
    let keep = if kept.len() == 1 { "keeps its rows" } else { "keep their rows" };
    let are = if empty.len() == 1 { "is not filled" } else { "are not filled" };
    let parts = [
        (filled.len(), into),
        (kept.len(), format!("{} {keep}", listed(&kept))),
        (empty.len(), format!("{} {are}", listed(&empty))),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, part)| part);
    parts.collect::<Vec<String>>().join("; ")
}

/// Counts the baselines of each kind, and their warnings.
fn tell_counts(reports: &[BaselineReport]) {
    let of_any = |statuses: &[BaselineStatus]| -> Vec<&BaselineReport> {
        reports.iter().filter(|report| statuses.contains(&report.status)).collect()
    };
    let counted = |all: &[&BaselineReport]| report::counted(all.len() as u64, "baseline");
    let filled = of_any(&[BaselineStatus::Filled]);
    if !filled.is_empty() {
        let lookups = filled.iter().flat_map(|report| {
            let pairs = report.lookups.iter().zip(&report.rows_written);
            pairs
                .filter(|(_, rows)| rows.is_some_and(|rows| rows > 0))
                .map(|(name, _)| name.clone())
        });
        let lookups: Vec<String> = lookups.collect();
        report::line(format_args!("note: {} filled {}", counted(&filled), listed(&lookups)));
    }
    let empty = of_any(&[BaselineStatus::Empty, BaselineStatus::Kept]);
    if let [one] = empty.as_slice() {
        tell_nothing(one);
    } else if !empty.is_empty() {
        report::line(format_args!(
            "note: {} found nothing before the range; --all names them",
            counted(&empty)
        ));
    }
    let unsupported = of_any(&[BaselineStatus::Unsupported]);
    if !unsupported.is_empty() {
        let baselines = counted(&unsupported);
        report::line(format_args!("note: {baselines} did not run (unsupported); --all names them"));
    }
    let warnings = reports.iter().flat_map(warnings).count();
    if warnings > 0 {
        let warnings = report::counted(warnings as u64, "warning");
        report::line(format_args!("note: {warnings} about baselines; --all shows them"));
    }
}

/// Returns the warnings of a baseline.
fn warnings(one: &BaselineReport) -> impl Iterator<Item = &Diagnostic> {
    one.messages.iter().filter(|message| message.severity == Severity::Warning)
}

fn worst(messages: &[Diagnostic]) -> &str {
    let worst = messages.iter().max_by_key(|message| message.severity);
    worst.map_or("", |message| message.message.as_str())
}

fn listed(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

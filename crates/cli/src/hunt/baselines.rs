//! Says which lookups the baselines of a hunt filled, and which they could not fill.

use spilltrail_app::{BaselineReport, BaselineStatus};

use crate::report::{self, Detail};

/// Prints a line about each baseline that filled nothing, and one about the others, which are named
/// with full detail.
pub(super) fn tell(reports: &[BaselineReport], detail: Detail) {
    let filled: Vec<&BaselineReport> =
        reports.iter().filter(|report| report.status == BaselineStatus::Filled).collect();
    for BaselineReport { name, rows, lookups, .. } in &filled {
        if detail == Detail::Full {
            let rows = report::counted(*rows, "row");
            report::line(format_args!("note: {name}: {rows} into {}", listed(lookups)));
        }
    }
    if detail == Detail::Counted && !filled.is_empty() {
        let baselines = report::counted(filled.len() as u64, "baseline");
        let lookups: Vec<String> =
            filled.iter().flat_map(|report| report.lookups.iter().cloned()).collect();
        report::line(format_args!("note: {baselines} filled {}", listed(&lookups)));
    }
    let unsupported = |report: &&BaselineReport| report.status == BaselineStatus::Unsupported;
    let unsupported = reports.iter().filter(unsupported).count() as u64;
    if detail == Detail::Counted && unsupported > 0 {
        let baselines = report::counted(unsupported, "baseline");
        report::line(format_args!("note: {baselines} did not run (unsupported); --all names them"));
    }
    for BaselineReport { name, status, lookups, messages, .. } in reports {
        let (level, what) = match status {
            BaselineStatus::Filled => continue,
            BaselineStatus::Unsupported if detail == Detail::Counted => continue,
            BaselineStatus::Empty => ("note", "found nothing before the range".to_owned()),
            BaselineStatus::Unsupported => ("note", format!("did not run: {}", first(messages))),
            BaselineStatus::Failed => ("error", format!("failed: {}", first(messages))),
        };
        report::line(format_args!("{level}: {name}: {what}; {} is not filled", listed(lookups)));
    }
}

fn first(messages: &[spilltrail_diagnostic::Diagnostic]) -> String {
    let worst = messages.iter().max_by_key(|message| message.severity);
    worst.map(|message| message.message.clone()).unwrap_or_default()
}

fn listed(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

//! Recognizes hunts whose detections had nothing to look at, so that finding nothing means nothing.

use spilltrail_decode::FileReport;
use spilltrail_detect::Status;

use super::held::cloudtrail_events;
use super::summary::Report;
use crate::unread::{Unread, UnreadKind};

/// Returns the problem that a hunt read events, and none of the kind that its detections look for.
/// `is_wanted` says that these events are of a kind that the user or a detection names.
pub(super) fn problem(read: &FileReport, reports: &[Report], is_wanted: bool) -> Option<Unread> {
    if read.events == 0 {
        return None;
    }
    let reason = if cloudtrail_events(read) == 0 && !is_wanted && !has_matched(reports) {
        format!(
            "no CloudTrail event was read, only {}; no finding means nothing here",
            others(read).join(" and ")
        )
    } else if is_blind(reports) {
        "no detection can look at these events; no finding means nothing here".to_owned()
    } else {
        return None;
    };
    Some(no_trail(reason))
}

/// Returns the problem that detections had nothing to look at, for this reason.
pub(super) fn no_trail(reason: String) -> Unread {
    Unread { name: "logs".to_owned(), kind: UnreadKind::NoTrail, reasons: vec![reason], more: 0 }
}

/// Returns true if a detection matched an event, or found something.
pub(super) fn has_matched(reports: &[Report]) -> bool {
    let has_matched = |report: &Report| report.matched_events.is_some_and(|matched| matched > 0);
    reports.iter().any(|report| has_matched(report) || report.findings > 0)
}

/// Returns true if no detection could look at the logs.
pub(super) fn is_blind(reports: &[Report]) -> bool {
    let is_blind = |report: &Report| {
        matches!(report.status, Status::NeedsSource(_) | Status::Unsupported | Status::Failed)
    };
    reports.iter().all(is_blind)
}

/// Returns the events that are not CloudTrail's, counted by what they are.
fn others(read: &FileReport) -> Vec<String> {
    let counts = [
        (read.lake, "event of Security Lake", "events of Security Lake"),
        (read.invocations, "model invocation record", "model invocation records"),
        (read.rows, "other JSON row", "other JSON rows"),
    ];
    let counted = counts.into_iter().filter(|(count, ..)| *count > 0);
    counted
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect()
}

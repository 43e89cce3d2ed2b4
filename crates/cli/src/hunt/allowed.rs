//! Says what an allow-list did in a hunt.

use indexmap::IndexMap;
use spilltrail_app::Summary;

use crate::report;

/// Returns how many findings were hidden and who answers for it; `None` if none was.
pub(super) fn hidden(summary: &Summary) -> Option<String> {
    let mut owners: IndexMap<&str, u64> = IndexMap::new();
    for entry in summary.allow_list.iter().filter(|entry| entry.hidden > 0) {
        *owners.entry(&entry.owner).or_default() += entry.hidden;
    }
    let owners = match owners.as_slice() {
        slice if slice.is_empty() => return None,
        slice if slice.len() == 1 => {
            slice.keys().map(|owner| format!("owner {owner}")).collect::<Vec<_>>()
        }
        slice => slice.iter().map(|(owner, count)| format!("owner {owner}: {count}")).collect(),
    };
    Some(format!("hidden by allow-list: {} ({})", summary.hidden, owners.join(", ")))
}

/// Prints the entries that have expired and, unless the output says so, what was hidden.
pub(super) fn complain(summary: &Summary, is_shown: bool) {
    for entry in summary.allow_list.iter().filter(|entry| entry.is_expired) {
        let expires = entry.expires.as_deref().unwrap_or_default();
        let text = format!(
            "{}: this allow-list entry expired after {expires} and hides nothing (`{}`, owner {})",
            entry.origin, entry.detection, entry.owner
        );
        report::line(format_args!("warning: {text}"));
    }
    if let Some(hidden) = hidden(summary).filter(|_| !is_shown) {
        report::line(format_args!("note: {hidden}"));
    }
}

//! Says what an allow-list did in a hunt.

use indexmap::IndexMap;
use spilltrail_app::{AllowDoubt, AllowEntry, AllowReport, Content, Summary};

use crate::report::{self, Detail};

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

/// Number of entries that are named where the entries of a kind are counted.
const FEW: usize = 2;

/// Prints a warning for each entry that can hide nothing or hides everything, or counts them if they are many: content
/// that is left out of a hunt takes all of its entries with it. Returns them.
pub(crate) fn doubts(entries: &[AllowEntry], content: &Content, detail: Detail) -> Vec<AllowDoubt> {
    let doubts = spilltrail_app::doubts(entries, &content.set);
    if detail == Detail::Full || doubts.len() <= FEW {
        for AllowDoubt { origin, message } in &doubts {
            report::line(format_args!("warning: {origin}: {message}"));
        }
        return doubts;
    }
    let origins: Vec<&str> = doubts.iter().map(|doubt| doubt.origin.as_str()).collect();
    report::line(format_args!(
        "warning: {} allow-list entries hide nothing or everything ({}); `spilltrail config` shows why",
        origins.len(),
        named(&origins)
    ));
    doubts
}

/// Prints the entries that have expired, those that hid nothing and are not among the `doubted`, and,
/// unless the output says so, what was hidden.
pub(super) fn complain(summary: &Summary, doubted: &[AllowDoubt], is_shown: bool) {
    let all = &summary.allow_list;
    let expired: Vec<&AllowReport> = all.iter().filter(|entry| entry.is_expired).collect();
    match expired.as_slice() {
        few if few.len() <= FEW => few.iter().for_each(|entry| {
            let expires = entry.expires.as_deref().unwrap_or_default();
            report::line(format_args!(
                "warning: {}: this allow-list entry expired after {expires} and hides nothing \
                 (`{}`, owner {})",
                entry.origin, entry.detection, entry.owner
            ));
        }),
        many => report::line(format_args!(
            "warning: {} allow-list entries have expired and hide nothing ({})",
            many.len(),
            named(&origins(many))
        )),
    }
    let is_doubted = |entry: &AllowReport| doubted.iter().any(|doubt| doubt.origin == entry.origin);
    let idle: Vec<&AllowReport> =
        all.iter().filter(|entry| entry.is_idle() && !is_doubted(entry)).collect();
    let (lacking, idle): (Vec<&AllowReport>, Vec<&AllowReport>) = idle
        .into_iter()
        .partition(|entry| entry.findings > 0 && entry.findings == entry.without_field);
    for entry in lacking.iter().take(FEW) {
        report::line(format_args!(
            "warning: {}: this allow-list entry hid nothing: no finding of `{}` has {}",
            entry.origin,
            entry.detection,
            has_fields(&entry.fields)
        ));
    }
    let idle: Vec<&AllowReport> = lacking.into_iter().skip(FEW).chain(idle).collect();
    match idle.as_slice() {
        [] => {}
        [entry] => report::line(format_args!(
            "note: {}: this allow-list entry hid nothing (`{}`, owner {})",
            entry.origin, entry.detection, entry.owner
        )),
        many => report::line(format_args!(
            "note: {} allow-list entries hid nothing ({})",
            many.len(),
            named(&origins(many))
        )),
    }
    if let Some(hidden) = hidden(summary).filter(|_| !is_shown) {
        report::line(format_args!("note: {hidden}"));
    }
}

/// Names the fields of an entry.
fn has_fields(fields: &[String]) -> String {
    match fields {
        [field] => format!("the field `{field}`"),
        fields => format!("all of the fields `{}`", fields.join("`, `")),
    }
}

fn origins<'a>(entries: &[&'a AllowReport]) -> Vec<&'a str> {
    entries.iter().map(|entry| entry.origin.as_str()).collect()
}

/// Returns the first places, with the number of the others.
fn named(origins: &[&str]) -> String {
    let shown = origins.iter().take(FEW).copied().collect::<Vec<_>>().join(", ");
    match origins.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

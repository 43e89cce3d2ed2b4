//! Notices that the user gave all events a sourcetype or an index that no detection reads: a
//! misspelled name would make every detection find nothing.

use std::collections::BTreeSet;

use spilltrail_diagnostic::similar;
use spilltrail_event::{CaseRule, Pattern, fields};
use spilltrail_search::analysis::Analysis;
use spilltrail_search::planning::index::is_splunks_own;

use crate::options::ReadOptions;

/// Most names that are listed where none is similar.
const MOST_LISTED: usize = 3;

/// The sourcetypes and the indexes of logs that detections name.
#[derive(Debug, Default)]
pub(super) struct Named {
    sourcetypes: BTreeSet<String>,
    indexes: BTreeSet<String>,
}

impl Named {
    pub(super) fn add(&mut self, analysis: &Analysis) {
        let named = |field: &str| analysis.facts.origins.get(field).into_iter().flatten();
        self.sourcetypes.extend(named(fields::SOURCETYPE).cloned());
        let indexes = named(fields::INDEX).filter(|name| !is_splunks_own(name));
        self.indexes.extend(indexes.cloned());
    }

    /// Returns the problem that no detection names the sourcetype, or that none names the index and
    /// none has matched an event.
    pub(super) fn problem(&self, read: &ReadOptions, has_matched: bool) -> Option<String> {
        let sourcetype = read.sourcetype.as_deref();
        let index = read.index.as_deref().filter(|_| !has_matched);
        unread("sourcetype", sourcetype, &self.sourcetypes)
            .or_else(|| unread("index", index, &self.indexes))
    }
}

/// Returns the problem that none of the names that detections read is the given one.
fn unread(what: &str, given: Option<&str>, known: &BTreeSet<String>) -> Option<String> {
    let given = given?;
    let is_read = |name: &String| Pattern::new(name.as_str(), CaseRule::Ignore).matches(given);
    if known.is_empty() || known.iter().any(is_read) {
        return None;
    }
    let help = match similar(given, known.iter().map(String::as_str)) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => {
            let listed: Vec<String> =
                known.iter().take(MOST_LISTED).map(|name| format!("`{name}`")).collect();
            let more = match known.len().saturating_sub(MOST_LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("they read {}{more}", listed.join(", "))
        }
    };
    Some(format!(
        "no detection reads the {what} `{given}`, which `--{what}` gives all events; {help}"
    ))
}

#[cfg(test)]
mod tests {
    use spilltrail_search::analysis::analyze;
    use spilltrail_spl::MacroSet;

    use super::*;

    #[test]
    fn names_that_no_detection_reads() {
        let mut named = Named::default();
        for search in [
            "sourcetype=aws:cloudtrail index=aws eventName=A",
            "sourcetype=wineventlog* | stats count",
            "index=_internal | stats count",
            "eventName=B",
        ] {
            named.add(&analyze(search, &MacroSet::default()));
        }
        let end = "gives all events; ";
        for (sourcetype, index, has_matched, expected) in [
            (Some("aws:cloudtrial"), None, true, Some("did you mean `aws:cloudtrail`?")),
            (Some("json"), None, false, Some("they read `aws:cloudtrail`, `wineventlog*`")),
            (Some("AWS:CloudTrail"), None, false, None),
            (Some("wineventlog:security"), None, false, None),
            (None, Some("asw"), false, Some("did you mean `aws`?")),
            (None, Some("main"), true, None),
            (None, Some("aws"), false, None),
            (None, None, false, None),
        ] {
            let text = |name: Option<&str>| name.map(str::to_owned);
            let read = ReadOptions {
                sourcetype: text(sourcetype),
                index: text(index),
                ..ReadOptions::default()
            };
            let problem = named.problem(&read, has_matched);
            let help = problem.as_ref().and_then(|problem| problem.split_once(end));
            assert_eq!(help.map(|(_, help)| help), expected, "{sourcetype:?} {index:?}");
        }
    }
}

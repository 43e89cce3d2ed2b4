//! Commands of Splunk's search language that Spilltrail does not have, so that messages can tell a
//! misspelled name from a command that is merely not supported.

use super::COMMANDS;

/// Names of Splunk's commands that are not supported, each with what to use instead; empty if nothing
/// here does the same.
const OTHERS: &[(&str, &str)] = &[
    ("abstract", ""),
    ("analyzefields", ""),
    ("arules", ""),
    ("bucketdir", ""),
    ("dbinspect", ""),
    ("delete", ""),
    ("dump", ""),
    ("erex", "`rex`"),
    ("findtypes", ""),
    ("folderize", ""),
    ("geom", ""),
    ("geomfilter", ""),
    ("history", ""),
    ("inputintelligence", "`inputlookup`"),
    ("kvform", "`rex`"),
    ("loadjob", ""),
    ("mcatalog", ""),
    ("mcollect", ""),
    ("meventcollect", ""),
    ("mpreview", ""),
    ("msearch", ""),
    ("overlap", ""),
    ("pivot", ""),
    ("relevancy", ""),
    ("rest", ""),
    ("rtorder", "`sort`"),
    ("run", ""),
    ("script", ""),
    ("scrub", ""),
    ("searchtxn", ""),
    ("sendalert", ""),
    ("sendemail", ""),
    ("tscollect", ""),
    ("typeahead", ""),
    ("typelearner", ""),
    ("walklex", ""),
    ("x11", ""),
];

/// Commands that need what there is not here, each with what that is and what to do.
const REASONS: &[(&str, &str)] = &[
    (
        "abstract",
        "Splunk does not document how it chooses lines; shorten texts with `eval`, as in `_raw=substr(_raw, 1, 1000)`",
    ),
    (
        "analyzefields",
        "Splunk does not document its predictions; `contingency` and `associate` compare the values of fields",
    ),
    ("apply", MODELS),
    (
        "arules",
        "Splunk documents neither its measures nor its columns; `associate` finds values that occur together",
    ),
    (
        "bucketdir",
        "Splunk does not document how it chooses folders; take them from paths with `rex`, and count with `stats`",
    ),
    (
        "dbinspect",
        "there are no indexes with buckets; `metadata` and `eventcount` describe the events",
    ),
    (
        "delete",
        "logs are read where they are and never changed; leave events out with `search NOT …`",
    ),
    ("deletemodel", MODELS),
    ("dump", "`outputcsv` writes rows to a file"),
    ("findtypes", "Splunk does not document how it finds them; `cluster` groups similar events"),
    ("fit", MODELS),
    (
        "folderize",
        "Splunk does not document how it chooses folders; take them from paths with `rex`, and count with `stats`",
    ),
    ("geom", "there are no shapes of regions; `geostats` computes statistics of places"),
    ("geomfilter", "there are no shapes of regions; compare latitudes and longitudes with `where`"),
    ("history", "searches are not recorded"),
    ("listmodels", MODELS),
    (
        "loadjob",
        "searches leave no jobs behind; run the search itself, or keep its rows with `outputlookup`",
    ),
    ("mcatalog", "there is no index for metrics; `stats` computes them from events"),
    ("mcollect", "there is no index for metrics; `outputlookup` keeps rows in a lookup"),
    ("meventcollect", "there is no index for metrics; `outputlookup` keeps rows in a lookup"),
    ("mpreview", "there is no index for metrics; `stats` computes them from events"),
    ("msearch", "there is no index for metrics; `stats` computes them from events"),
    ("overlap", "there is no summary index whose gaps it could find"),
    (
        "pivot",
        "`tstats` computes statistics of a data model, as in `tstats count from datamodel=Change by All_Changes.user`",
    ),
    (
        "relevancy",
        "Splunk does not document how it is computed; count what matters with `eval`, and use `sort`",
    ),
    ("rest", "there is no server with endpoints; `inputlookup` reads tables that you provide"),
    ("rtorder", "there are no searches in real time; use `sort _time`"),
    ("run", "a search runs no programs"),
    ("score", MODELS),
    ("script", "a search runs no programs"),
    ("scrub", "replace what is to be hidden with `eval` or `rex mode=sed`"),
    ("searchtxn", "there are no named transaction types; use `search` and then `transaction`"),
    ("sendalert", "a search sends nothing; other programs can read its results as JSON"),
    ("sendemail", "a search sends nothing; other programs can read its results as JSON"),
    ("summary", MODELS),
    ("tscollect", "there are no summaries; `outputlookup` keeps rows in a lookup"),
    ("typeahead", "there is no index of terms; `fieldsummary` lists the values of fields"),
    ("typelearner", "Splunk does not document how it finds types; `cluster` groups similar events"),
    (
        "walklex",
        "there is no index of terms; `tstats count by PREFIX(user=)` counts the terms that begin with a text",
    ),
    ("x11", "`trendline` smooths a series, and `predict` follows its seasons"),
];

/// Why the commands of Splunk's Machine Learning Toolkit are not supported.
const MODELS: &str = "models of the Machine Learning Toolkit are neither trained nor applied here; `anomalydetection` and `eventstats` find what is unusual";

/// Returns why a command is not supported and what to do, if there is more to say than
/// [`instead_of`] does.
#[must_use]
pub fn reason_of(name: &str) -> Option<&'static str> {
    REASONS.iter().find(|(other, _)| *other == name).map(|(_, reason)| *reason)
}

/// Returns what to use instead of a command of Splunk that is not supported; `None` if Splunk has no
/// such command or it is supported, and an empty text if nothing here does the same.
#[must_use]
pub fn instead_of(name: &str) -> Option<&'static str> {
    OTHERS.iter().find(|(other, _)| *other == name).map(|(_, instead)| *instead)
}

/// Returns the names of Splunk's commands that are not supported, each with what to use instead; empty
/// if nothing here does the same.
pub fn unsupported() -> impl Iterator<Item = (&'static str, &'static str)> {
    OTHERS.iter().copied()
}

/// Returns the names of Splunk's commands, supported or not.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let own = COMMANDS
        .iter()
        .flat_map(|entry| std::iter::once(entry.doc.name).chain(entry.doc.aliases.iter().copied()));
    own.chain(OTHERS.iter().map(|(name, _)| *name))
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::{Severity, Span};

    use super::*;
    use crate::commands::{command, unknown};

    #[test]
    fn the_other_commands_are_sorted_and_not_supported() {
        assert!(OTHERS.is_sorted_by(|one, next| one.0 < next.0));
        assert!(REASONS.is_sorted_by(|one, next| one.0 < next.0));
        assert!(REASONS.iter().all(|(name, _)| command(name).is_none()));
        for (name, instead) in OTHERS {
            assert!(command(name).is_none(), "{name} is supported");
            // What is used instead begins with a command that exists, or with plain words.
            let first = instead.strip_prefix('`').and_then(|text| text.split([' ', '`']).next());
            if let Some(first) = first.filter(|first| *first != "spilltrail") {
                assert!(command(first).is_some(), "{name}: {first}");
            }
        }
    }

    #[test]
    fn a_misspelled_command_is_an_error_and_another_one_is_not_supported() {
        for (name, severity, help) in [
            ("statz", Severity::Error, "did you mean `stats`?"),
            ("serch", Severity::Error, "did you mean `search`?"),
            ("timechrat", Severity::Error, "did you mean `timechart`?"),
            ("x11", Severity::Unsupported, "`trendline` smooths a series"),
            ("inputintelligence", Severity::Unsupported, "use `inputlookup`"),
            ("rtorder", Severity::Unsupported, "there are no searches in real time"),
            ("apply", Severity::Unsupported, "models of the Machine Learning Toolkit"),
            ("loadjob", Severity::Unsupported, "searches leave no jobs behind"),
            ("delete", Severity::Unsupported, "logs are read where they are"),
            ("rest", Severity::Unsupported, "there is no server"),
            // Commands of apps.
            ("frobnicate", Severity::Unsupported, "`spilltrail help` lists the commands"),
        ] {
            let diagnostic = unknown(name, Span::new(0, 1));
            assert_eq!(diagnostic.severity, severity, "{name}");
            let is_said = diagnostic.help.as_ref().is_some_and(|text| text.starts_with(help));
            assert!(is_said, "{name}: {:?}", diagnostic.help);
        }
    }
}

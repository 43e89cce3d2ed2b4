//! Commands of Splunk's search language that Spilltrail does not have, so that messages can tell a
//! misspelled name from a command that is merely not supported.

use super::COMMANDS;

/// Splunk's commands that are not supported, each with the reason and what to do.
const OTHERS: &[(&str, &str)] = &[
    (
        "abstract",
        "Splunk describes only roughly how it scores lines; shorten texts with `eval`, as in `_raw=substr(_raw, 1, 1000)`",
    ),
    ("af", PREDICTIONS),
    ("analyzefields", PREDICTIONS),
    (
        "arules",
        "Splunk does not document how its strength of an implication is computed; `associate` finds values that occur together",
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
    ("dump", "there is no Hadoop to write to; `outputcsv` writes rows to a file"),
    ("erex", "expressions are not made from examples; write one with `rex`"),
    ("findtypes", "Splunk does not document how it finds them; `cluster` groups similar events"),
    (
        "folderize",
        "Splunk does not document how it chooses folders; take them from paths with `rex`, and count with `stats`",
    ),
    ("geom", "there are no shapes of regions; `geostats` computes statistics of places"),
    ("geomfilter", "there are no shapes of regions; compare latitudes and longitudes with `where`"),
    ("history", "searches are not recorded"),
    ("inputintelligence", "there is no store of threat intelligence; use `inputlookup`"),
    ("kvform", "there are no configured forms; use `rex`"),
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
        "there are no objects of a pivot; `tstats` computes statistics of a data model, as in `tstats count from datamodel=Change by All_Changes.user`",
    ),
    (
        "relevancy",
        "Splunk does not document how it is computed; count what matters with `eval`, and use `sort`",
    ),
    ("rest", "there is no server with endpoints; `inputlookup` reads tables that you provide"),
    ("rtorder", "there are no searches in real time; use `sort _time`"),
    ("run", "a search runs no programs"),
    ("script", "a search runs no programs"),
    (
        "scrub",
        "there are no configured rules; replace what is to be hidden with `eval` or `rex mode=sed`",
    ),
    ("searchtxn", "there are no named transaction types; use `search` and then `transaction`"),
    ("sendalert", "a search sends nothing; other programs can read its results as JSON"),
    ("sendemail", "a search sends nothing; other programs can read its results as JSON"),
    ("tscollect", "there are no summaries; `outputlookup` keeps rows in a lookup"),
    ("typeahead", "there is no index of terms; `fieldsummary` lists the values of fields"),
    ("typelearner", "Splunk does not document how it finds types; `cluster` groups similar events"),
    (
        "walklex",
        "there is no index of terms; `tstats count by PREFIX(user=)` counts the terms that begin with a text",
    ),
    (
        "x11",
        "the X11 method is not implemented; `trendline` smooths a series, and `predict` follows its seasons",
    ),
];

/// Why `analyzefields`, in short `af`, is not supported.
const PREDICTIONS: &str = "Splunk does not document its predictions; `contingency` and `associate` compare the values of fields";

/// Commands of Splunk's Machine Learning Toolkit.
const OF_MODELS: &[&str] = &["apply", "deletemodel", "fit", "listmodels", "score", "summary"];

/// Why they are not supported.
const MODELS: &str = "models of the Machine Learning Toolkit are neither trained nor applied here; `anomalydetection` and `eventstats` find what is unusual";

/// Returns why a command of Splunk is not supported and what to do; `None` if Splunk has no such command
/// or it is supported.
#[must_use]
pub fn reason_of(name: &str) -> Option<&'static str> {
    if OF_MODELS.contains(&name) {
        return Some(MODELS);
    }
    OTHERS.iter().find(|(other, _)| *other == name).map(|(_, reason)| *reason)
}

/// Returns the names of the commands in Splunk's reference that are not supported.
pub fn unsupported() -> impl Iterator<Item = &'static str> {
    OTHERS.iter().map(|(name, _)| *name)
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
        let names = OTHERS.iter().map(|(name, _)| name).chain(OF_MODELS);
        for name in names {
            assert!(command(name).is_none(), "{name} is supported");
        }
        // What is used instead exists.
        for (name, reason) in OTHERS {
            let quoted = reason.split('`').skip(1).step_by(2);
            for word in quoted.filter(|text| text.chars().all(|c| c.is_ascii_lowercase())) {
                assert!(command(word).is_some(), "{name}: {word}");
            }
        }
    }

    #[test]
    fn a_misspelled_command_is_an_error_and_another_one_is_not_supported() {
        for (name, severity, help) in [
            ("statz", Severity::Error, "did you mean `stats`?"),
            ("serch", Severity::Error, "did you mean `search`?"),
            ("timechrat", Severity::Error, "did you mean `timechart`?"),
            ("x11", Severity::Unsupported, "the X11 method is not implemented"),
            ("inputintelligence", Severity::Unsupported, "there is no store of threat"),
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

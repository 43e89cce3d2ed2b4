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
    ("apply", MODELS),
    (
        "delete",
        "logs are read where they are and never changed; leave events out with `search NOT …`",
    ),
    ("deletemodel", MODELS),
    ("fit", MODELS),
    ("listmodels", MODELS),
    (
        "loadjob",
        "searches leave no jobs behind; run the search itself, or keep its rows with `outputlookup`",
    ),
    ("mcollect", "there is no index for metrics; `outputlookup` keeps rows in a lookup"),
    ("meventcollect", "there is no index for metrics; `outputlookup` keeps rows in a lookup"),
    ("rest", "there is no server with endpoints; `inputlookup` reads tables that you provide"),
    ("score", MODELS),
    ("summary", MODELS),
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
            ("erex", Severity::Unsupported, "use `rex`"),
            ("x11", Severity::Unsupported, "`spilltrail help` lists the commands"),
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

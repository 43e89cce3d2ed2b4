//! Warns of keys that no content file of a kind has, which are usually misspelled.

use serde::de::DeserializeOwned;
use spilltrail_diagnostic::{Code, Diagnostic, Few, similar};

use crate::yaml;

/// The keys of a kind of content file, by level.
pub(crate) type KnownKeys = &'static [Level];

/// The keys of one level of a content file. A key that is listed in neither list is unknown.
pub(crate) struct Level {
    /// The path of the level; `*` stands for the items of a list.
    path: &'static [&'static str],
    /// Keys that are read. They are listed for suggestions only.
    read: &'static [&'static str],
    /// Keys that Splunk's content has, now or formerly, and that are not read.
    unread: &'static [&'static str],
}

const fn level(
    path: &'static [&'static str],
    read: &'static [&'static str],
    unread: &'static [&'static str],
) -> Level {
    Level { path, read, unread }
}

const OBJECT: &[&str] = &["field", "type", "score", "message"];
const FINDING: &[&str] = &["title", "entity", "entities"];
const SCHEDULE: &[&str] = &["cron_schedule", "earliest_time", "latest_time", "schedule_window"];

/// Keys of detections and baselines, in all three schemas.
pub(crate) const DETECTION: KnownKeys = &[
    level(
        &[],
        &[
            "name",
            "id",
            "version",
            "author",
            "date",
            "creation_date",
            "modification_date",
            "type",
            "status",
            "description",
            "search",
            "how_to_implement",
            "known_false_positives",
            "references",
            "data_source",
            "rba",
            "finding",
            "intermediate_findings",
            "threat_objects",
            "drilldown_searches",
            "tests",
            "deployment",
            "tags",
            "analytic_story",
            "mitre_attack_id",
            "asset_type",
            "security_domain",
            "throttling",
            "manual_test",
            "cve",
            "schedule",
            "custom_schedule",
            "baselines",
        ],
        &[
            "MANUAL_REVIEW",
            "atomic_guid",
            "category",
            "cis20",
            "datamodel",
            "deployments",
            "deprecation_info",
            "enabled_by_default",
            "explanation",
            "group",
            "kill_chain_phases",
            "macros",
            "lookups",
            "migration_content",
            "nist",
            "notable",
            "product",
            "required_fields",
            "source",
            "supported_tas",
        ],
    ),
    level(
        &["tags"],
        &[
            "analytic_story",
            "mitre_attack_id",
            "asset_type",
            "security_domain",
            "throttling",
            "message",
            "impact",
            "confidence",
            "risk_score",
            "observable",
            "manual_test",
            "cve",
        ],
        &[
            "atomic_guid",
            "automated_detection_testing",
            "cis20",
            "context",
            "dataset",
            "deployments",
            "detections",
            "group",
            "kill_chain_phases",
            "mappings",
            "nist",
            "product",
            "required_fields",
            "risk_object",
            "risk_object_type",
            "risk_severity",
            "supported_tas",
            "threat_objects",
        ],
    ),
    level(&["tags", "observable", "*"], &["name", "type", "role"], &[]),
    level(&["tags", "throttling"], &["fields", "period"], &["conf"]),
    level(&["throttling"], &["fields", "period"], &["conf"]),
    level(&["rba"], &["message", "risk_objects", "threat_objects"], &["risk_score"]),
    level(&["rba", "risk_objects", "*"], OBJECT, &[]),
    level(&["rba", "threat_objects", "*"], OBJECT, &[]),
    level(&["threat_objects", "*"], OBJECT, &[]),
    level(&["finding"], FINDING, &[]),
    level(&["finding", "entity"], OBJECT, &[]),
    level(&["finding", "entities", "*"], OBJECT, &[]),
    level(&["intermediate_findings"], FINDING, &[]),
    level(&["intermediate_findings", "entity"], OBJECT, &[]),
    level(&["intermediate_findings", "entities", "*"], OBJECT, &[]),
    level(
        &["drilldown_searches", "*"],
        &["name", "search", "earliest_offset", "latest_offset"],
        &[],
    ),
    level(
        &["tests", "*"],
        &["name", "attack_data", "expect", "expected_results", "test_type", "description"],
        &["baselines", "earliest_time", "file", "latest_time", "pass_condition"],
    ),
    level(
        &["tests", "*", "attack_data", "*"],
        &["data", "source", "sourcetype", "custom_index", "index", "host", "update_timestamp"],
        &["file_name"],
    ),
    level(&["deployment"], &["name", "type", "scheduling", "alert_action"], DEPLOYMENT_UNREAD),
    level(&["deployment", "scheduling"], SCHEDULE, &[]),
    level(&["custom_schedule"], SCHEDULE, &["name"]),
    level(&["deployment", "alert_action"], ACTIONS, OTHER_ACTIONS),
    level(&["deployment", "alert_action", "notable"], NOTABLE, &[]),
    level(&["deployment", "alert_action", "rba"], &["enabled"], &[]),
];

const DEPLOYMENT_UNREAD: &[&str] = &[
    "author",
    "creation_date",
    "date",
    "description",
    "id",
    "modification_date",
    "tags",
    "version",
];
const ACTIONS: &[&str] = &["notable", "rba"];
const OTHER_ACTIONS: &[&str] = &["email", "index", "phantom", "slack"];
const NOTABLE: &[&str] = &["rule_title", "rule_description", "nes_fields"];

/// Keys of deployments.
pub(crate) const DEPLOYMENT: KnownKeys = &[
    level(&[], &["name", "type", "scheduling", "alert_action"], DEPLOYMENT_UNREAD),
    level(&["scheduling"], SCHEDULE, &[]),
    level(&["alert_action"], ACTIONS, OTHER_ACTIONS),
    level(&["alert_action", "notable"], NOTABLE, &[]),
    level(&["alert_action", "rba"], &["enabled"], &[]),
];

/// Keys of schedules.
pub(crate) const SCHEDULE_FILE: KnownKeys = &[level(
    &[],
    &["name", "cron_schedule", "earliest_time", "latest_time", "schedule_window"],
    ABOUT,
)];

/// Keys that describe any kind of content and that only people read.
const ABOUT: &[&str] = &[
    "author",
    "category",
    "creation_date",
    "date",
    "description",
    "id",
    "modification_date",
    "product",
    "references",
    "status",
    "tags",
    "type",
    "version",
];

/// Keys of macros.
pub(crate) const MACRO: KnownKeys = &[level(
    &[],
    &["name", "definition", "arguments", "iseval", "validation", "errormsg", "error_message"],
    ABOUT,
)];

/// Keys of lookups.
pub(crate) const LOOKUP: KnownKeys = &[
    level(
        &[],
        &[
            "name",
            "description",
            "filename",
            "collection",
            "lookup_type",
            "fields_list",
            "fields",
            "match_type",
            "case_sensitive_match",
            "min_matches",
            "max_matches",
            "default_match",
        ],
        ABOUT,
    ),
    // Options of `transforms.conf` and `collections.conf` that some lookups carry along.
    level(&["options"], &[], &[]),
];

/// Keys of stories.
pub(crate) const STORY: KnownKeys = &[
    level(
        &[],
        &["name", "id", "description", "narrative", "references", "tags", "category", "usecase"],
        ABOUT,
    ),
    level(
        &["tags"],
        &["category", "usecase"],
        &["analytic_story", "cve", "group", "mitre_attack_id", "product", "security_domain"],
    ),
];

/// Keys of data models.
pub(crate) const DATA_MODEL: KnownKeys = &[
    level(&[], &["data_model", "description", "datasets"], &[]),
    level(
        &["datasets", "*"],
        &[
            "name",
            "parent",
            "search",
            "fields",
            "unknown",
            "blanks",
            "defaults",
            "vendor_product",
            "calculated",
        ],
        &[],
    ),
];

/// Keys of files with event types.
pub(crate) const EVENT_TYPES: KnownKeys = &[
    level(&[], &["event_types", "tags"], &[]),
    level(&["event_types", "*"], &["name", "search", "tags"], &[]),
    level(&["tags", "*"], &["field", "value", "tags"], &[]),
];

/// Parses a content file, and adds a warning for each key that its kind does not have; those after the
/// first ones are counted.
///
/// The warnings are added even if the file cannot be used, because a misspelled key is often the
/// reason.
pub(crate) fn read<T: DeserializeOwned>(
    text: &str,
    known: KnownKeys,
    warnings: &mut Vec<Diagnostic>,
) -> Result<T, Diagnostic> {
    let mut unknown = Few::new("unknown keys");
    let outcome = yaml::read_noting(text, |path| {
        if let Some(level) = unknown_in(known, path) {
            unknown.add(|| warning(text, level, path));
        }
    });
    warnings.extend(unknown.into_vec());
    outcome
}

/// Returns the level whose keys do not include the last key of a path.
fn unknown_in(known: KnownKeys, path: &[&str]) -> Option<&'static Level> {
    let (key, level) = path.split_last()?;
    let level = known.iter().find(|known| known.path == level)?;
    (!level.read.contains(key) && !level.unread.contains(key)).then_some(level)
}

fn warning(text: &str, level: &Level, path: &[&str]) -> Diagnostic {
    let key = path.last().copied().unwrap_or_default();
    let message = match path.len() {
        1 => format!("unknown key `{key}`"),
        _ => format!("unknown key `{key}` in `{}`", path[..path.len() - 1].join(".")),
    };
    let candidates = level.read.iter().chain(level.unread).copied();
    let help = match similar(key, candidates) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => "nothing reads it; correct its name or remove it".to_owned(),
    };
    Diagnostic::warning(Code::UNKNOWN_KEY, message).help(help).at(yaml::path_span(text, path))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IgnoredAny;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[expect(dead_code, reason = "only its key matters")]
        tags: Option<Tags>,
    }

    #[derive(Debug, Deserialize)]
    struct Tags {
        #[expect(dead_code, reason = "only its key matters")]
        message: Option<IgnoredAny>,
    }

    fn warnings(text: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        let _: Sample = read(text, DETECTION, &mut warnings).unwrap();
        let place = |warning: &Diagnostic| {
            let span = warning.span().unwrap();
            text[span.start..span.end].to_owned()
        };
        warnings
            .iter()
            .map(|warning| {
                let help = warning.help.as_deref().unwrap_or_default();
                format!("{} [{}] {help}", warning.message, place(warning))
            })
            .collect()
    }

    #[test]
    fn a_misspelled_key_is_named_with_its_place_and_the_nearest() {
        let cases = [
            ("serach: x\n", "unknown key `serach` [serach: x] did you mean `search`?"),
            ("name: n\nrab:\n  message: m\n", "unknown key `rab` [rab:] did you mean `rba`?"),
            (
                "name: m\ntags:\n  mesage: m\n",
                "unknown key `mesage` in `tags` [mesage: m] did you mean `message`?",
            ),
            (
                "tags: {mesage: m}\n",
                "unknown key `mesage` in `tags` [mesage: m}] did you mean `message`?",
            ),
            (
                "weather: x\n",
                "unknown key `weather` [weather: x] nothing reads it; correct its name or remove it",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(warnings(text), [expected], "{text}");
        }
    }

    #[test]
    fn many_unknown_keys_are_counted() {
        let text: String = (0..1000).map(|n| format!("x{n}: 1\n")).collect();
        let mut warnings = Vec::new();
        let _: Sample = read(&text, DETECTION, &mut warnings).unwrap();
        assert_eq!(warnings.len(), Few::MOST + 1);
        let last = &warnings[Few::MOST];
        assert_eq!(last.message, "980 more unknown keys");
        assert_eq!(last.span().map(|span| &text[span.start..span.end]), Some("x20: 1"));
    }

    #[test]
    fn known_keys_and_all_below_them_are_no_mistakes() {
        assert_eq!(warnings("product: [a]\ntags:\n  product: [b]\n"), Vec::<String>::new());
        assert_eq!(warnings("MANUAL_REVIEW:\n  anything: 1\n"), Vec::<String>::new());
    }
}

//! The kinds of content, and how the kind of a file is told: by its folder, or by its keys.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use spilltrail_diagnostic::Diagnostic;

use crate::detection::DetectionType;
use crate::yaml;

/// The kind of content in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Detection,
    Baseline,
    Macro,
    Lookup,
    Story,
    Deployment,
    DataModel,
    EventTypes,
    DataSource,
    Schedule,
}

/// The subfolders of the `security_content` layout, with the kind of their files.
pub(crate) const LAYOUT: &[(&str, Kind)] = &[
    ("detections", Kind::Detection),
    ("baselines", Kind::Baseline),
    ("macros", Kind::Macro),
    ("lookups", Kind::Lookup),
    ("stories", Kind::Story),
    ("deployments", Kind::Deployment),
    ("data_models", Kind::DataModel),
    ("event_types", Kind::EventTypes),
    ("data_sources", Kind::DataSource),
    ("schedules", Kind::Schedule),
];

/// What the files of a subfolder of content are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderUse {
    /// Searches: detections or baselines.
    Searches,
    /// What any search may use: macros, lookups, event types and data models.
    Definitions,
    /// What says for all detections of a type whether they raise risk and notables.
    Deployments,
    /// What no search uses.
    Others,
}

/// Returns what the files of a subfolder with this name are for; `None` if content has no such folder.
#[must_use]
pub fn folder_use(name: &str) -> Option<FolderUse> {
    let (_, kind) = LAYOUT.iter().find(|(known, _)| *known == name)?;
    Some(match kind {
        Kind::Detection | Kind::Baseline => FolderUse::Searches,
        Kind::Macro | Kind::Lookup | Kind::DataModel | Kind::EventTypes => FolderUse::Definitions,
        Kind::Deployment => FolderUse::Deployments,
        Kind::Story | Kind::DataSource | Kind::Schedule => FolderUse::Others,
    })
}

/// Returns the names of the subfolders of content.
pub fn folder_names() -> impl Iterator<Item = &'static str> {
    LAYOUT.iter().map(|(name, _)| *name)
}

/// Returns the kind of a file in a folder with the usual layout, by its path in it; `None` for others.
pub(crate) fn layout_kind(inside: &Path) -> Option<Kind> {
    let first = inside.components().next()?.as_os_str();
    LAYOUT.iter().find(|(name, _)| first == *name).map(|(_, kind)| *kind)
}

/// Returns the kind of a file according to its keys; `None` if the YAML is not content.
pub(crate) fn kind_by_keys(text: &str) -> Result<Option<Kind>, Diagnostic> {
    #[derive(Deserialize)]
    #[serde(expecting = "a map of keys")]
    struct Keys {
        name: Option<IgnoredAny>,
        search: Option<IgnoredAny>,
        definition: Option<IgnoredAny>,
        narrative: Option<IgnoredAny>,
        scheduling: Option<IgnoredAny>,
        filename: Option<IgnoredAny>,
        collection: Option<IgnoredAny>,
        data_model: Option<IgnoredAny>,
        event_types: Option<IgnoredAny>,
        tags: Option<IgnoredAny>,
        lookup_type: Option<IgnoredAny>,
        cron_schedule: Option<IgnoredAny>,
        how_to_implement: Option<IgnoredAny>,
        #[serde(rename = "type")]
        detection_type: Option<yaml::Text>,
    }
    let keys: Keys = yaml::read(text)?;
    let detection_type = keys.detection_type.as_ref().map(|text| DetectionType::parse(&text.0));
    let is_baseline = detection_type == Some(DetectionType::Baseline);
    // A detection whose `search` is misspelled is still one, so that the mistake is reported.
    let has_known_type =
        detection_type.is_some_and(|known| !matches!(known, DetectionType::Other(_)));
    Ok(if keys.search.is_some() || (keys.name.is_some() && keys.how_to_implement.is_some()) {
        Some(if is_baseline { Kind::Baseline } else { Kind::Detection })
    } else if keys.data_model.is_some() {
        Some(Kind::DataModel)
    } else if keys.event_types.is_some() {
        Some(Kind::EventTypes)
    } else if keys.definition.is_some() {
        Some(Kind::Macro)
    } else if keys.narrative.is_some() {
        Some(Kind::Story)
    } else if keys.scheduling.is_some() {
        Some(Kind::Deployment)
    } else if keys.cron_schedule.is_some() {
        Some(Kind::Schedule)
    } else if keys.filename.or(keys.collection).or(keys.lookup_type).is_some() {
        Some(Kind::Lookup)
    } else if keys.name.is_some() && has_known_type {
        Some(if is_baseline { Kind::Baseline } else { Kind::Detection })
    } else if keys.name.is_none() && keys.tags.is_some() && has_tags_of_values(text) {
        // A file of event types may have tags of values alone.
        Some(Kind::EventTypes)
    } else {
        None
    })
}

/// Returns true if a file has a list of tags for values of fields. Others have `tags`, too, such as
/// descriptions of interfaces.
fn has_tags_of_values(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Keys {
        tags: Vec<Tag>,
    }
    #[derive(Deserialize)]
    struct Tag {
        field: Option<IgnoredAny>,
        value: Option<IgnoredAny>,
    }
    yaml::read::<Keys>(text)
        .is_ok_and(|keys| keys.tags.iter().any(|tag| tag.field.is_some() && tag.value.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_the_kind() {
        for (text, expected) in [
            ("tags: [{field: host, value: a, tags: [b]}]\n", Some(Kind::EventTypes)),
            ("tags: [{feild: x, tags: [y]}, {field: host, value: a}]\n", Some(Kind::EventTypes)),
            ("openapi: 3.1.0\ntags: [{name: a, description: b}]\npaths: {}\n", None),
            ("tags: [{Key: field, Value: value}]\n", None),
            ("tags: {field: a, value: b}\n", None),
            ("tags: [field, value]\n", None),
            ("tags: !Ref field\n", None),
            ("event_types: []\n", Some(Kind::EventTypes)),
            ("name: a\ntags: {}\n", None),
            ("name: a\nsearch: b\ntags: {}\n", Some(Kind::Detection)),
            ("data_model: a\ntags: []\n", Some(Kind::DataModel)),
            ("a: b\n", None),
        ] {
            assert_eq!(kind_by_keys(text).unwrap(), expected, "{text}");
        }
    }
}

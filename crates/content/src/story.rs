//! Analytic stories, which group detections by topic.

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;

use crate::keys;
use crate::yaml::{self, Text, Texts};

/// An analytic story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// The UUID; empty if the file has none.
    pub id: String,
    /// The name that detections use to refer to the story.
    pub name: String,
    /// The short description.
    pub description: String,
    /// The long description.
    pub narrative: String,
    /// Links to more information.
    pub references: Vec<String>,
    /// The categories, such as `Adversary Tactics`.
    pub category: Vec<String>,
    /// The use case, such as `Advanced Threat Detection`.
    pub usecase: String,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a story")]
struct RawStory {
    name: Option<Text>,
    #[serde(default)]
    id: Text,
    #[serde(default)]
    description: Text,
    #[serde(default)]
    narrative: Text,
    #[serde(default)]
    references: Texts,
    tags: Option<RawTags>,
    #[serde(default)]
    category: Texts,
    #[serde(default)]
    usecase: Text,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`category` and `usecase`")]
struct RawTags {
    #[serde(default)]
    category: Texts,
    #[serde(default)]
    usecase: Text,
}

/// Reads a story file, and adds warnings about it.
pub(crate) fn read(text: &str, warnings: &mut Vec<Diagnostic>) -> Result<Story, Diagnostic> {
    let raw: RawStory = keys::read(text, keys::STORY, warnings)?;
    let Some(name) = raw.name.filter(|name| !name.0.is_empty()) else {
        return Err(yaml::missing_key(text, "name", "name the story"));
    };
    let (mut category, mut usecase) = (raw.category.0, raw.usecase.0);
    if let Some(tags) = raw.tags {
        category.extend(tags.category.0);
        if usecase.is_empty() {
            usecase = tags.usecase.0;
        }
    }
    Ok(Story {
        id: raw.id.0.to_lowercase(),
        name: name.0,
        description: raw.description.0,
        narrative: raw.narrative.0,
        references: raw.references.0,
        category,
        usecase,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_needs_only_a_name() {
        let story = read("name: S\ntags: {category: [A], usecase: U}\n", &mut Vec::new()).unwrap();
        assert_eq!(
            (story.category.as_slice(), story.usecase.as_str()),
            (&["A".to_owned()][..], "U")
        );
        assert!(read("id: x\n", &mut Vec::new()).unwrap_err().message.contains("`name`"));
    }
}

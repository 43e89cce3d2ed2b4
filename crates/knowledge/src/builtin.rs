//! The data models, event types and tags that are embedded in the program.

use std::sync::LazyLock;

use spilltrail_diagnostic::Diagnostic;

use crate::Knowledge;
use crate::file::{EventTypesFile, ModelFile};

/// Embeds files of `builtin/` at compile time.
macro_rules! files {
    ($folder:literal: $($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../builtin/", $folder, "/", $name, ".yml"))),)*]
    };
}

static MODELS: &[(&str, &str)] = files!["data_models":
    "alerts",
    "authentication",
    "certificates",
    "change",
    "change_analysis",
    "email",
    "endpoint",
    "identity_management",
    "intrusion_detection",
    "malware",
    "network_resolution",
    "network_sessions",
    "network_traffic",
    "risk",
    "ueba",
    "updates",
    "vulnerabilities",
    "web",
];

static EVENT_TYPES: &[(&str, &str)] = files!["event_types":
    "aws_cloudtrail",
];

static BUILTIN: LazyLock<Result<Knowledge, String>> = LazyLock::new(read);

impl Knowledge {
    /// Returns the data models of Splunk's Common Information Model that published detections use,
    /// and the event types of its add-on for AWS for CloudTrail.
    #[must_use]
    pub fn builtin() -> Self {
        // A test reads all files, so that none of them is wrong in a program that was tested.
        BUILTIN.clone().unwrap_or_default()
    }
}

fn read() -> Result<Knowledge, String> {
    let mut knowledge = Knowledge::default();
    for (name, text) in MODELS {
        let file: ModelFile = parsed(name, text)?;
        knowledge.add_model(file.build(text).map_err(|error| refused(name, &error))?);
    }
    for (name, text) in EVENT_TYPES {
        let file: EventTypesFile = parsed(name, text)?;
        let (types, _) = file.build(text).map_err(|error| refused(name, &error))?;
        types.into_iter().for_each(|event_type| knowledge.add_event_type(event_type));
    }
    Ok(knowledge)
}

fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_yaml_ng::from_str(text).map_err(|error| format!("{name}: {error}"))
}

fn refused(name: &str, error: &Diagnostic) -> String {
    format!("{name}: {}", error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read() {
        assert_eq!(BUILTIN.as_ref().err(), None);
        assert_eq!(Knowledge::builtin().models().count(), MODELS.len());
    }
}

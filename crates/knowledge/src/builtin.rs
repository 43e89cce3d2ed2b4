//! The data models, event types and tags that are embedded in the program.

use std::sync::{Arc, LazyLock};

use crate::Knowledge;
use crate::file::{EventTypesFile, ModelFile};
use crate::model::DataModel;

/// A data model that is embedded, by its name.
pub(crate) type Embedded = (&'static str, LazyLock<DataModel>);

/// Embeds data models, each by its name and its file, at compile time. Most runs read none of them,
/// so that each is parsed when it is asked for.
macro_rules! models {
    ($($name:literal = $file:literal,)*) => {
        [$(($name, LazyLock::new(|| {
            model(include_str!(concat!("../builtin/data_models/", $file, ".yml")))
        })),)*]
    };
}

static MODELS: [Embedded; 18] = models![
    "Alerts" = "alerts",
    "Authentication" = "authentication",
    "Certificates" = "certificates",
    "Change" = "change",
    "Change_Analysis" = "change_analysis",
    "Email" = "email",
    "Endpoint" = "endpoint",
    "Identity_Management" = "identity_management",
    "Intrusion_Detection" = "intrusion_detection",
    "Malware" = "malware",
    "Network_Resolution" = "network_resolution",
    "Network_Sessions" = "network_sessions",
    "Network_Traffic" = "network_traffic",
    "Risk" = "risk",
    "UEBA" = "ueba",
    "Updates" = "updates",
    "Vulnerabilities" = "vulnerabilities",
    "Web" = "web",
];

static AWS_CLOUDTRAIL: &str = include_str!("../builtin/event_types/aws_cloudtrail.yml");

static BUILTIN: LazyLock<Arc<Knowledge>> = LazyLock::new(|| Arc::new(read()));

impl Knowledge {
    /// Returns the data models of Splunk's Common Information Model that published detections use,
    /// and the event types of its add-on for AWS for CloudTrail.
    #[must_use]
    pub fn builtin() -> Arc<Self> {
        BUILTIN.clone()
    }
}

fn read() -> Knowledge {
    let mut knowledge = Knowledge::default();
    MODELS.iter().for_each(|model| knowledge.add_embedded(model));
    let file: EventTypesFile = serde_yaml_ng::from_str(AWS_CLOUDTRAIL).expect(TESTED);
    let found = file.build(AWS_CLOUDTRAIL);
    debug_assert!(found.problems.is_empty(), "{:?}", found.problems);
    found.types.into_iter().for_each(|event_type| knowledge.add_event_type(event_type));
    knowledge
}

fn model(text: &str) -> DataModel {
    let file: ModelFile = serde_yaml_ng::from_str(text).expect(TESTED);
    file.build(text).expect(TESTED)
}

/// Why no embedded file can be wrong.
const TESTED: &str = "a test reads every embedded file";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read() {
        let knowledge = Knowledge::builtin();
        let names: Vec<&str> = knowledge.models().map(|model| model.name.as_str()).collect();
        assert_eq!(names, MODELS.each_ref().map(|(name, _)| *name));
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/builtin/data_models");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), MODELS.len());
        assert!(!knowledge.event_types().is_empty());
    }
}

//! The facts of a message that people read, in the order in which every output shows them.

use crate::Message;

/// The most values that are shown of a list.
const MOST_LISTED: usize = 10;

/// The most characters of a value in a list.
const MOST_VALUE: usize = 200;

/// Returns labels and values. The labels are ours; a value may have any text of a log. None is empty.
pub(crate) fn facts(message: &Message) -> Vec<(&'static str, String)> {
    let detection = &message.detection;
    let objects = message.risk_objects.iter().map(|object| {
        let (kind, value) = (short(&object.object_type), short(&object.value));
        format!("{value} ({kind}, {})", object.score)
    });
    let entities = message.entities.iter().map(|entity| {
        let (field, value) = (short(&entity.field), short(&entity.value));
        format!("{field}={value}")
    });
    let facts = [
        ("State", message.state.name().to_owned()),
        ("Severity", message.severity.name().to_owned()),
        ("Detection", format!("{} ({})", detection.name, detection.detection_type)),
        ("Time", message.time_text().unwrap_or_default()),
        ("Risk score", message.risk_score.map(|score| score.to_string()).unwrap_or_default()),
        ("Risk objects", list(objects, message.risk_objects.len())),
        ("Entities", list(entities, message.entities.len())),
        ("ATT&CK", list(message.techniques.iter().map(|id| short(id)), message.techniques.len())),
        ("Finding", message.id.clone()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn short(value: &str) -> String {
    let mut short: String = value.chars().take(MOST_VALUE).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

fn list(values: impl Iterator<Item = String>, count: usize) -> String {
    let mut listed = values.take(MOST_LISTED).collect::<Vec<_>>().join(", ");
    if count > MOST_LISTED {
        listed.push_str(&format!(", … ({} more)", count - MOST_LISTED));
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::example;

    fn fact(message: &Message, label: &str) -> Option<String> {
        facts(message).into_iter().find(|(found, _)| *found == label).map(|(_, value)| value)
    }

    #[test]
    fn lists_are_short() {
        let techniques = (1..=12).map(|number| format!("T{number}")).collect();
        let message = Message { techniques, ..example() };
        let expected = "T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, … (2 more)";
        assert_eq!(fact(&message, "ATT&CK").as_deref(), Some(expected));
        let message = Message { techniques: vec!["é".repeat(201)], ..example() };
        assert_eq!(fact(&message, "ATT&CK"), Some(format!("{}…", "é".repeat(200))));
    }

    #[test]
    fn what_is_not_there_is_not_shown() {
        let message = Message {
            risk_objects: vec![],
            entities: vec![],
            techniques: vec![],
            risk_score: None,
            time: None,
            ..example()
        };
        let labels: Vec<&str> = facts(&message).into_iter().map(|(label, _)| label).collect();
        assert_eq!(labels, ["State", "Severity", "Detection", "Finding"]);
    }
}

//! What is said about a finding, for outputs.

use spilltrail_deliver::{Detection as Named, Entity, Message, RiskObject, Severity, State};
use spilltrail_detect::Finding;
use spilltrail_store::{FindingState, Level, OutboxEntry};

/// Returns what is said about an entry.
///
/// # Errors
/// Fails if the finding is not one.
pub(super) fn message(entry: &OutboxEntry) -> Result<Message, serde_json::Error> {
    let finding: Finding = serde_json::from_str(&entry.finding.body)?;
    let record = &entry.finding;
    let notable = finding.notable_text.as_ref();
    let description = match (notable, &finding.risk_message) {
        (_, Some(message)) => message.clone(),
        (Some(text), None) => text.rule_description.clone(),
        (None, None) => String::new(),
    };
    let entities = notable.map(|text| text.entities.as_slice()).unwrap_or_default();
    let entities = if entities.is_empty() { &finding.risk_objects[..] } else { entities };
    Ok(Message {
        delivery: format!("{}-{}", entry.seq, entry.id),
        id: entry.id.clone(),
        state: match entry.state {
            FindingState::New => State::New,
            FindingState::Changed => State::Changed,
            FindingState::Withdrawn => State::Withdrawn,
        },
        title: record.title.clone(),
        description,
        severity: match record.severity {
            Level::Unknown | Level::Informational => Severity::Informational,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        },
        notable: record.is_notable,
        risk_score: finding.risk_score,
        risk_objects: finding
            .risk_objects
            .iter()
            .map(|object| RiskObject {
                object_type: object.object_type.clone(),
                value: object.value.clone(),
                score: object.score,
            })
            .collect(),
        entities: entities
            .iter()
            .map(|entity| Entity { field: entity.field.clone(), value: entity.value.clone() })
            .collect(),
        detection: Named {
            id: finding.detection.id.clone(),
            name: finding.detection.name.clone(),
            detection_type: finding.detection.detection_type.to_string(),
        },
        time: record.time,
        techniques: finding.annotations.mitre_attack.clone(),
        finding: serde_json::from_str(&record.body)?,
    })
}

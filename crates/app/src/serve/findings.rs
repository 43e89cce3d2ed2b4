//! Findings as the store keeps them.

use std::collections::BTreeSet;

use spilltrail_content::attack;
use spilltrail_detect::{Finding, SCHEMA_VERSION};
use spilltrail_schedule::{Throttle, ThrottleKey};
use spilltrail_search::rows::json;
use spilltrail_store::{FindingRecord, Level, RiskRecord};

use super::priority::Priorities;
use crate::hash;

/// Returns the record of a finding, which an entry of the allow-list may hide.
///
/// Its hash is that of what it says: not of the run that found it, nor of the events behind it, of which
/// copies may arrive later.
pub(super) fn record(
    finding: &Finding,
    priorities: &Priorities,
    suppressed_by: Option<i64>,
) -> FindingRecord {
    let body = serde_json::to_string(finding).expect("a finding can be written");
    let said = (
        SCHEMA_VERSION,
        json::object(&finding.result),
        &finding.risk_message,
        &finding.risk_objects,
        &finding.threat_objects,
        finding.notable,
        finding.notable_text.as_ref().map(|text| (&text.rule_title, text.severity)),
    );
    let said = serde_json::to_string(&said).expect("a finding can be written");
    let notable = finding.notable_text.as_ref();
    let title = match (notable, &finding.risk_message) {
        (Some(text), _) => text.rule_title.clone(),
        (None, Some(message)) => message.clone(),
        (None, None) => finding.detection.name.clone(),
    };
    let severity = notable.and_then(|text| Level::parse(&text.severity.to_string()));
    let techniques = &finding.annotations.mitre_attack;
    let tactics: BTreeSet<&str> = techniques
        .iter()
        .flat_map(|technique| attack::tactics(technique))
        .map(|tactic| tactic.id())
        .collect();
    let risks = finding.risk_objects.iter().map(|object| RiskRecord {
        object: object.value.clone(),
        object_type: object.object_type.clone(),
        score: f64::from(object.score),
        tactics: tactics.iter().map(|tactic| (*tactic).to_owned()).collect(),
        techniques: techniques.clone(),
    });
    FindingRecord {
        id: finding.id.clone(),
        name: finding.detection.name.clone(),
        title,
        is_notable: finding.notable,
        time: finding.time,
        entity: entity_of(finding),
        score: finding.risk_score.map(f64::from),
        severity: severity.unwrap_or_default(),
        priority: priorities.of(&finding.result, &finding.risk_objects),
        suppressed_by,
        hash: hash::of(&said),
        body,
        risks: risks.collect(),
    }
}

/// Returns what a finding is about: what it gives risk to first, or else what its notable or its row name.
fn entity_of(finding: &Finding) -> Option<String> {
    let of_notable = finding.notable_text.iter().flat_map(|text| &text.entities);
    let object = finding.risk_objects.iter().chain(of_notable).next();
    let of_row = || finding.result.get("risk_object")?.members().into_iter().next();
    object.map(|object| object.value.clone()).or_else(|| of_row().map(std::borrow::Cow::into_owned))
}

/// Returns what a finding is the same as another one by, to a throttle.
pub(super) fn key(throttle: &Throttle, finding: &Finding) -> ThrottleKey {
    let value = |field: &String| {
        let value = finding.result.get(field).filter(|value| !value.is_null())?;
        Some(value.members())
    };
    let values: Vec<_> = throttle.fields.iter().map(value).collect();
    let texts: Vec<Option<Vec<&str>>> = values
        .iter()
        .map(|members| Some(members.as_ref()?.iter().map(AsRef::as_ref).collect()))
        .collect();
    throttle.key(texts.iter().map(Option::as_deref))
}

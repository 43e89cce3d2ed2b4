//! Findings: rows of a detection's search, with risk, notable and evidence.

use serde::{Deserialize, Serialize};
use spilltrail_content::{
    Annotations, Detection, DetectionType, DrilldownTimes, FilledDrilldown, NotableSeverity,
    NotableText, RiskObject,
};
use spilltrail_event::Value;
use spilltrail_search::context::SearchContext;
use spilltrail_search::rows::Row;

use crate::evidence::Gathered;
use crate::{Evidence, identity, serial};

/// The version of the serialized [`Finding`] and [`DetectionRun`](crate::DetectionRun). It changes
/// when a field is removed or changes its meaning, not when a field is added.
pub const SCHEMA_VERSION: u32 = 1;

/// One row of a detection's search, with the risk, notable and evidence derived from it.
/// Serialized, it is the object that `hunt` prints, as `docs/schema/finding.schema.json` describes
/// it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The schema version, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The id, which is the same in every run in which the detection finds the same values.
    pub id: String,
    /// The id of the run.
    pub run_id: String,
    /// Time of the first event in seconds since the epoch; `None` if neither events nor row have
    /// it.
    #[serde(with = "serial::time")]
    pub first_seen: Option<f64>,
    /// Time of the last event in seconds since the epoch; `None` if neither events nor row have it.
    #[serde(with = "serial::time")]
    pub last_seen: Option<f64>,
    /// The detection that found the row.
    pub detection: DetectionRef,
    /// The row of the search.
    #[serde(with = "serial::row")]
    pub result: Row,
    /// Time of the row in seconds since the epoch; `None` if neither the row nor its events have
    /// it.
    #[serde(with = "serial::time")]
    pub time: Option<f64>,
    /// The highest score of the risk objects; `None` if the type of detection raises no risk.
    pub risk_score: Option<u32>,
    /// The risk message with the row's values; `None` if the detection has none.
    pub risk_message: Option<String>,
    /// The entities that receive risk: one for each value of each risk field.
    pub risk_objects: Vec<RiskObjectValue>,
    /// The threat objects, such as IP addresses: one for each value of each threat field.
    pub threat_objects: Vec<ThreatObjectValue>,
    /// Annotations, such as techniques and stories.
    pub annotations: Annotations,
    /// True if the finding is a notable.
    pub notable: bool,
    /// The text of the notable.
    #[serde(flatten)]
    pub notable_text: Option<Notable>,
    /// The events behind the row.
    pub evidence: Evidence,
}

/// A reference to the detection of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionRef {
    /// The id of the detection.
    pub id: String,
    /// The name of the detection.
    pub name: String,
    /// The type, such as TTP or Anomaly.
    #[serde(rename = "type")]
    pub detection_type: DetectionType,
    /// The version of the detection.
    pub version: u64,
}

/// A value that receives risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskObjectValue {
    /// The field of the value.
    pub field: String,
    /// The type: `user`, `system` or `other`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The value of the field.
    pub value: String,
    /// The score that is added.
    pub score: u32,
    /// The message of this object with the row's values, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A value that indicates a threat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreatObjectValue {
    /// The field of the value.
    pub field: String,
    /// The type, such as `ip_address`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The value of the field.
    pub value: String,
}

/// The text of a notable, with the row's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notable {
    /// The title.
    pub rule_title: String,
    /// The description.
    pub rule_description: String,
    /// The security domain.
    pub security_domain: String,
    /// The severity.
    pub severity: NotableSeverity,
    /// Drilldown searches with the row's values.
    pub drilldowns: Vec<FilledDrilldown>,
    /// Fields by which an analyst can suppress similar notables.
    pub nes_fields: Vec<String>,
    /// The entities that the notable is about: one for each value of each field. Only content of the
    /// 2026 schema names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<RiskObjectValue>,
}

impl DetectionRef {
    /// Returns the reference to a detection.
    #[must_use]
    pub fn of(detection: &Detection) -> Self {
        Self {
            id: detection.id.clone(),
            name: detection.name.clone(),
            detection_type: detection.detection_type.clone(),
            version: detection.version,
        }
    }
}

/// The parts that all findings of a detection share, prepared once.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    detection: &'a Detection,
    run_id: String,
    reference: DetectionRef,
    annotations: Annotations,
    raises_risk: bool,
    notable: Option<NotableText>,
}

impl<'a> Form<'a> {
    pub(crate) fn new(
        detection: &'a Detection,
        deployments: &spilltrail_content::Deployments,
        run_id: &str,
    ) -> Self {
        Self {
            detection,
            run_id: run_id.to_owned(),
            reference: DetectionRef::of(detection),
            annotations: detection.annotations(),
            raises_risk: detection.outcome(deployments).risk,
            notable: detection.notable(deployments),
        }
    }

    /// Returns the risk and threat fields that the row lacks.
    pub(crate) fn absent_fields(&self, row: &Row) -> Vec<&'a str> {
        let Some(risk) = self.detection.risk.as_ref().filter(|_| self.raises_risk) else {
            return Vec::new();
        };
        let risk_fields = risk.risk_objects.iter().map(|object| object.field.as_str());
        let threat_fields = risk.threat_objects.iter().map(|object| object.field.as_str());
        risk_fields.chain(threat_fields).filter(|field| values(row, field).is_empty()).collect()
    }

    /// Creates the finding of a row from the events behind it.
    pub(crate) fn fill(
        &self,
        id: String,
        row: Row,
        events: Gathered,
        context: &SearchContext,
    ) -> Finding {
        let value = |field: &str| Some(values(&row, field)).filter(|values| !values.is_empty());
        let risk = self.detection.risk.as_ref();
        let raised = risk.filter(|_| self.raises_risk);
        let risk_objects = raised.iter().flat_map(|risk| &risk.risk_objects);
        let risk_objects = risk_objects.flat_map(|object| object_values(&row, object));
        let threat_objects =
            raised.iter().flat_map(|risk| &risk.threat_objects).flat_map(|object| {
                values(&row, &object.field).into_iter().map(|value| ThreatObjectValue {
                    field: object.field.clone(),
                    object_type: object.object_type.clone(),
                    value,
                })
            });
        let message = risk.map(|risk| risk.message.render(value));
        let first_seen = events.oldest.or_else(|| identity::first_time(&row, context));
        let last_seen = events.newest.or_else(|| identity::last_time(&row, context));
        let time = identity::time(&row, context).or(events.newest);
        let times = DrilldownTimes {
            earliest: context.range.earliest,
            latest: context.range.latest,
            finding: last_seen.or(time),
        };
        let notable = self.notable.as_ref().map(|text| Notable {
            rule_title: text.rule_title.render(value),
            rule_description: text.rule_description.render(value),
            security_domain: text.security_domain.clone(),
            severity: text.severity,
            drilldowns: self
                .detection
                .drilldowns
                .iter()
                .map(|drilldown| drilldown.fill(&self.detection.search, times, value))
                .collect(),
            nes_fields: text.nes_fields.clone(),
            entities: text.entities.iter().flat_map(|entity| object_values(&row, entity)).collect(),
        });
        Finding {
            schema_version: SCHEMA_VERSION,
            id,
            run_id: self.run_id.clone(),
            first_seen,
            last_seen,
            detection: self.reference.clone(),
            time,
            risk_score: raised.and_then(spilltrail_content::Risk::score),
            risk_message: message.filter(|message| !message.is_empty()),
            risk_objects: risk_objects.collect(),
            threat_objects: threat_objects.collect(),
            annotations: self.annotations.clone(),
            notable: notable.is_some(),
            notable_text: notable,
            evidence: events.evidence,
            result: row,
        }
    }
}

/// Returns the values of a row that an object stands for.
fn object_values(row: &Row, object: &RiskObject) -> Vec<RiskObjectValue> {
    let filled = |field: &str| Some(values(row, field)).filter(|values| !values.is_empty());
    let message = object.message.as_ref().map(|message| message.render(filled));
    let with = |value| RiskObjectValue {
        field: object.field.clone(),
        object_type: object.object_type.clone(),
        value,
        score: object.score,
        message: message.clone(),
    };
    values(row, &object.field).into_iter().map(with).collect()
}

/// Returns the values of a field; an absent field has none.
fn values(row: &Row, field: &str) -> Vec<String> {
    let members = row.get(field).map(Value::members).unwrap_or_default();
    members.into_iter().map(std::borrow::Cow::into_owned).collect()
}

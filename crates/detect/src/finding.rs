//! A finding: what one row of a detection's search amounts to.

use serde::{Deserialize, Serialize};
use spilltrail_content::{
    Annotations, Detection, DetectionType, FilledDrilldown, NotableSeverity, NotableText,
};
use spilltrail_event::Value;
use spilltrail_search::context::SearchContext;
use spilltrail_search::rows::Row;

use crate::evidence::Gathered;
use crate::{Evidence, identity, serial};

/// The version of [`Finding`] and [`DetectionRun`](crate::DetectionRun) as they are written. It changes
/// when a field goes, or means something else; a field that is added does not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// One row of a detection's search, with what follows from it. Serialized, it is the object that
/// `hunt` prints, as `docs/schema/finding.schema.json` describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The same whenever the same detection finds the same thing, in whatever range of events.
    pub id: String,
    /// The run that found it.
    pub run_id: String,
    /// Time of its first event, epoch seconds; `None` if neither its events nor the row say.
    #[serde(with = "serial::time")]
    pub first_seen: Option<f64>,
    /// Time of its last event, likewise.
    #[serde(with = "serial::time")]
    pub last_seen: Option<f64>,
    /// The detection.
    pub detection: DetectionRef,
    /// The row.
    #[serde(with = "serial::row")]
    pub result: Row,
    /// When it happened, epoch seconds; `None` if neither the row nor its events say.
    #[serde(with = "serial::time")]
    pub time: Option<f64>,
    /// The highest score of the detection's risk objects; `None` where the type raises no risk.
    pub risk_score: Option<u32>,
    /// What happened, with the row's values; `None` if the detection has no message.
    pub risk_message: Option<String>,
    /// Whom or what the risk is counted against: one for each value of each risk field.
    pub risk_objects: Vec<RiskObjectValue>,
    /// What threatens.
    pub threat_objects: Vec<ThreatObjectValue>,
    /// Techniques, stories and so on.
    pub annotations: Annotations,
    /// True if it is a notable.
    pub notable: bool,
    /// What the notable says.
    #[serde(flatten)]
    pub notable_text: Option<Notable>,
    /// The events behind it.
    pub evidence: Evidence,
}

/// Which detection found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionRef {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// TTP, Anomaly and so on.
    #[serde(rename = "type")]
    pub detection_type: DetectionType,
    /// Its version.
    pub version: u64,
}

/// A value that gets risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RiskObjectValue {
    /// The field it is from.
    pub field: String,
    /// `user`, `system` or `other`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The value.
    pub value: String,
    /// The risk it gets.
    pub score: u32,
}

/// A value that is a threat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreatObjectValue {
    /// The field it is from.
    pub field: String,
    /// Such as `ip_address`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The value.
    pub value: String,
}

/// What a notable says, with the row's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notable {
    /// Its title.
    pub rule_title: String,
    /// Its description.
    pub rule_description: String,
    /// Its security domain.
    pub security_domain: String,
    /// Its severity.
    pub severity: NotableSeverity,
    /// Searches to open from it.
    pub drilldowns: Vec<FilledDrilldown>,
    /// Fields that an analyst suppresses by.
    pub nes_fields: Vec<String>,
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

/// What every finding of one detection shares, prepared once.
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

    /// Returns the fields that the risk and threat objects name and the row does not have.
    pub(crate) fn absent_fields(&self, row: &Row) -> Vec<&'a str> {
        let Some(risk) = self.detection.risk.as_ref().filter(|_| self.raises_risk) else {
            return Vec::new();
        };
        let risk_fields = risk.risk_objects.iter().map(|object| object.field.as_str());
        let threat_fields = risk.threat_objects.iter().map(|object| object.field.as_str());
        risk_fields.chain(threat_fields).filter(|field| values(row, field).is_empty()).collect()
    }

    /// Returns the finding of a row with these events behind it.
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
        let risk_objects = raised.iter().flat_map(|risk| &risk.risk_objects).flat_map(|object| {
            values(&row, &object.field).into_iter().map(|value| RiskObjectValue {
                field: object.field.clone(),
                object_type: object.object_type.clone(),
                value,
                score: object.score,
            })
        });
        let threat_objects =
            raised.iter().flat_map(|risk| &risk.threat_objects).flat_map(|object| {
                values(&row, &object.field).into_iter().map(|value| ThreatObjectValue {
                    field: object.field.clone(),
                    object_type: object.object_type.clone(),
                    value,
                })
            });
        let message = risk.map(|risk| risk.message.render(value));
        let notable = self.notable.as_ref().map(|text| Notable {
            rule_title: text.rule_title.render(value),
            rule_description: text.rule_description.render(value),
            security_domain: text.security_domain.clone(),
            severity: text.severity,
            drilldowns: self
                .detection
                .drilldowns
                .iter()
                .map(|drilldown| drilldown.fill(&self.detection.search, value))
                .collect(),
            nes_fields: text.nes_fields.clone(),
        });
        Finding {
            schema_version: SCHEMA_VERSION,
            id,
            run_id: self.run_id.clone(),
            first_seen: events.oldest.or_else(|| identity::first_time(&row, context)),
            last_seen: events.newest.or_else(|| identity::last_time(&row, context)),
            detection: self.reference.clone(),
            time: identity::time(&row, context).or(events.newest),
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

/// Returns a field's values; an absent field has none.
fn values(row: &Row, field: &str) -> Vec<String> {
    let members = row.get(field).map(Value::members).unwrap_or_default();
    members.into_iter().map(std::borrow::Cow::into_owned).collect()
}

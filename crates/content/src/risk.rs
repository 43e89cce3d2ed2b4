//! The risk settings of a detection: message, risk objects, threat objects, and the severity
//! derived from the score.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// The risk settings of a detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// The risk message, with `$field$` tokens.
    pub message: Template,
    /// The fields whose values receive risk; one entry per field and type.
    pub risk_objects: Vec<RiskObject>,
    /// The fields whose values indicate a threat.
    pub threat_objects: Vec<ThreatObject>,
}

/// A field whose values receive risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskObject {
    /// The field of the results.
    pub field: String,
    /// The type: `user`, `system` or `other`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The score, from 0 to 100.
    pub score: u32,
    /// The message of this object, if it is not that of the detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Template>,
}

/// What the 2026 schema says of a detection's notables: their title, and what they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FindingKeys {
    /// The title; `None` if it is that of the deployment.
    pub title: Option<Template>,
    /// The entities, each with the score from which the severity follows.
    pub entities: Vec<RiskObject>,
}

/// A field whose values indicate a threat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThreatObject {
    /// The field of the results.
    pub field: String,
    /// The type, such as `ip_address`.
    #[serde(rename = "type")]
    pub object_type: String,
}

impl Risk {
    /// Returns the highest score of the risk objects; `None` if the detection has no risk object.
    #[must_use]
    pub fn score(&self) -> Option<u32> {
        self.risk_objects.iter().map(|object| object.score).max()
    }
}

/// The severity of a notable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotableSeverity {
    /// Score up to 20.
    Informational,
    /// Score up to 40.
    Low,
    /// Score up to 60.
    Medium,
    /// Score up to 80, or no score.
    High,
    /// Score above 80.
    Critical,
}

impl NotableSeverity {
    /// Returns the severity for a risk score.
    #[must_use]
    pub fn of_score(score: Option<u32>) -> Self {
        match score {
            Some(0..=20) => Self::Informational,
            Some(21..=40) => Self::Low,
            Some(41..=60) => Self::Medium,
            Some(61..=80) | None => Self::High,
            Some(_) => Self::Critical,
        }
    }
}

impl fmt::Display for NotableSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// The object that an observable of the 2024 schema is converted to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ObservableObject {
    /// A risk object of this type.
    Risk(&'static str),
    /// A threat object of this type.
    Threat(String),
}

/// Converts an observable like the table with which contentctl 4 built its searches.
///
/// Only victims that are users or machines have their own types. A victim of type `User Name` is
/// `other`, and so is everything that is neither victim nor attacker.
pub(crate) fn observable_object(observable_type: &str, roles: &[String]) -> ObservableObject {
    let observable_type = observable_type.to_lowercase();
    let is = |role: &str| roles.iter().any(|name| name.eq_ignore_ascii_case(role));
    match observable_type.as_str() {
        "user" | "username" | "email address" if is("Victim") => ObservableObject::Risk("user"),
        "device" | "endpoint" | "hostname" | "ip address" if is("Victim") => {
            ObservableObject::Risk("system")
        }
        _ if !is("Attacker") => ObservableObject::Risk("other"),
        "process" | "process name" => ObservableObject::Threat("process".into()),
        "file" | "file name" | "file hash" => ObservableObject::Threat("file_name".into()),
        "ip address" => ObservableObject::Threat("ip_address".into()),
        "url" | "url string" => ObservableObject::Threat("url".into()),
        _ => ObservableObject::Threat(observable_type),
    }
}

/// Returns the score for an impact and a confidence; ties are rounded to even, as in contentctl.
pub(crate) fn score(impact: u32, confidence: u32) -> u32 {
    let product = impact * confidence;
    let (whole, rest) = (product / 100, product % 100);
    whole + u32::from(rest > 50 || (rest == 50 && whole % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_and_banded() {
        assert_eq!(score(80, 80), 64);
        assert_eq!(score(50, 45), 22);
        assert_eq!(score(50, 47), 24);
        assert_eq!(score(100, 100), 100);
        let bands = [(0, "informational"), (20, "informational"), (21, "low"), (41, "medium")];
        for (score, name) in bands.into_iter().chain([(61, "high"), (80, "high"), (81, "critical")])
        {
            assert_eq!(NotableSeverity::of_score(Some(score)).to_string(), name, "{score}");
        }
        assert_eq!(NotableSeverity::of_score(None), NotableSeverity::High);
    }

    #[test]
    fn observables_are_mapped() {
        let cases = [
            ("User", "Victim", "risk user"),
            ("User Name", "Victim", "risk other"),
            ("IP Address", "Victim", "risk system"),
            ("IP Address", "Attacker", "threat ip_address"),
            ("User", "Attacker", "threat user"),
            ("Process Name", "Attacker", "threat process"),
            ("File Hash", "Attacker", "threat file_name"),
            ("URL String", "Attacker", "threat url"),
            ("Other", "Victim", "risk other"),
            ("IP Address", "Target", "risk other"),
        ];
        for (kind, role, expected) in cases {
            let object = match observable_object(kind, &[role.to_owned()]) {
                ObservableObject::Risk(name) => format!("risk {name}"),
                ObservableObject::Threat(name) => format!("threat {name}"),
            };
            assert_eq!(object, expected, "{kind} {role}");
        }
    }
}

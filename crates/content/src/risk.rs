//! What a detection says about risk: message, risk objects, threat objects, and the severity that
//! follows from the score.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::template::Template;

/// Risk of a detection's results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Risk {
    /// What happened, with `$field$` tokens.
    pub message: Template,
    /// Whom or what the risk is counted against; one entry for a field and type.
    pub risk_objects: Vec<RiskObject>,
    /// What threatens.
    pub threat_objects: Vec<ThreatObject>,
}

/// A field whose values get risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskObject {
    /// The field of the results.
    pub field: String,
    /// `user`, `system` or `other`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// From 0 to 100.
    pub score: u32,
}

/// A field whose values are a threat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThreatObject {
    /// The field of the results.
    pub field: String,
    /// Such as `ip_address`.
    #[serde(rename = "type")]
    pub object_type: String,
}

impl Risk {
    /// Returns the highest score of the risk objects; `None` when there is no risk object.
    #[must_use]
    pub fn score(&self) -> Option<u32> {
        self.risk_objects.iter().map(|object| object.score).max()
    }
}

/// Severity of a notable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotableSeverity {
    /// Score up to 20.
    Informational,
    /// Score up to 40.
    Low,
    /// Score up to 60.
    Medium,
    /// Score up to 80, and detections without a score.
    High,
    /// Score above 80.
    Critical,
}

impl NotableSeverity {
    /// Returns the severity of a risk score.
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

/// What an observable of 2024's schema becomes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ObservableObject {
    /// A risk object of this type.
    Risk(&'static str),
    /// A threat object of this type.
    Threat(String),
}

/// Returns what an observable becomes, by the table that contentctl 4 built its searches with.
///
/// Only victims that are users or machines are told apart; a victim of type `User Name` is `other`,
/// and so is everything that is neither victim nor attacker.
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

/// Returns the score that impact and confidence make, ties rounded to even as contentctl does.
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

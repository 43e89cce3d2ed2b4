//! What an output is told about a finding.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One message about one finding.
///
/// All texts may come from a log, so that whoever wrote an event chose them. The outputs make them
/// inert; a caller passes them as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Identifies the message: the same in every attempt to deliver it, and in no other message.
    /// Receivers drop repeats by it.
    pub delivery: String,
    /// The id of the finding, which all messages about it share.
    pub id: String,
    /// What happened to the finding.
    pub state: State,
    /// The title in one line.
    pub title: String,
    /// The description; empty if there is none.
    pub description: String,
    /// How severe the finding is.
    pub severity: Severity,
    /// True if the finding is a notable.
    pub notable: bool,
    /// The highest score of the risk objects; `None` if the finding raises no risk.
    pub risk_score: Option<u32>,
    /// What receives risk.
    pub risk_objects: Vec<RiskObject>,
    /// What the finding is about.
    pub entities: Vec<Entity>,
    /// The detection.
    pub detection: Detection,
    /// The time of the finding in seconds since the epoch.
    pub time: Option<f64>,
    /// Ids of ATT&CK techniques.
    pub techniques: Vec<String>,
    /// The whole finding, as `docs/schema/finding.schema.json` describes it.
    pub finding: Value,
}

/// What happened to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was found.
    New,
    /// It was found again, with other content.
    Changed,
    /// A later run over the same time did not find it.
    Withdrawn,
}

/// How severe a finding is. A higher severity is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// The detection of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detection {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The type, such as TTP or Anomaly.
    #[serde(rename = "type")]
    pub detection_type: String,
}

/// A value that receives risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RiskObject {
    /// The type: `user`, `system` or `other`.
    #[serde(rename = "type")]
    pub object_type: String,
    /// The value.
    pub value: String,
    /// The score that is added.
    pub score: u32,
}

/// A value that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// The field of the value.
    pub field: String,
    /// The value.
    pub value: String,
}

impl State {
    /// Returns the name, as it is in configuration files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Severity {
    /// All severities, the lowest first.
    pub const ALL: [Self; 5] =
        [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Returns the name, as it is in configuration files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Message {
    /// Returns the time of the finding in RFC 3339, to the millisecond and in UTC; `None` if it has
    /// none, or one outside of the years that RFC 3339 can write.
    pub(crate) fn time_text(&self) -> Option<String> {
        let time = self.time.filter(|time| time.is_finite())?;
        let time = Timestamp::from_millisecond((time * 1000.0).round() as i64).ok()?;
        let text = format!("{time:.3}");
        // Years before 0 have a sign and six digits.
        text.starts_with(|first: char| first.is_ascii_digit()).then_some(text)
    }

    /// Returns the first words of a message in one line, such as `[high] Title`.
    pub(crate) fn headline(&self) -> String {
        match self.state {
            State::New => format!("[{}] {}", self.severity, self.title),
            State::Changed => format!("[{}, changed] {}", self.severity, self.title),
            State::Withdrawn => format!("[withdrawn] {}", self.title),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A message with every part.
    pub(crate) fn example() -> Message {
        Message {
            delivery: "d-1".to_owned(),
            id: "f-1".to_owned(),
            state: State::New,
            title: "Keys made for mallory".to_owned(),
            description: "mallory made access keys for bob".to_owned(),
            severity: Severity::High,
            notable: true,
            risk_score: Some(80),
            risk_objects: vec![RiskObject {
                object_type: "user".to_owned(),
                value: "mallory".to_owned(),
                score: 80,
            }],
            entities: vec![Entity { field: "user".to_owned(), value: "mallory".to_owned() }],
            detection: Detection {
                id: "det-1".to_owned(),
                name: "AWS Keys Made".to_owned(),
                detection_type: "TTP".to_owned(),
            },
            time: Some(1_700_000_000.25),
            techniques: vec!["T1098".to_owned(), "T1136.003".to_owned()],
            finding: serde_json::json!({"id": "f-1", "result": {"count": 3}}),
        }
    }

    #[test]
    fn times() {
        let cases = [
            (Some(1_700_000_000.25), Some("2023-11-14T22:13:20.250Z")),
            (Some(0.0), Some("1970-01-01T00:00:00.000Z")),
            (Some(-62_200_000_000.0), None),
            (Some(f64::NAN), None),
            (Some(1e300), None),
            (None, None),
        ];
        for (time, expected) in cases {
            let message = Message { time, ..example() };
            assert_eq!(message.time_text().as_deref(), expected, "{time:?}");
        }
    }

    #[test]
    fn headlines() {
        for (state, expected) in [
            (State::New, "[high] Keys made for mallory"),
            (State::Changed, "[high, changed] Keys made for mallory"),
            (State::Withdrawn, "[withdrawn] Keys made for mallory"),
        ] {
            assert_eq!(Message { state, ..example() }.headline(), expected);
        }
    }

    #[test]
    fn severities_have_an_order() {
        assert!(Severity::ALL.is_sorted());
    }
}

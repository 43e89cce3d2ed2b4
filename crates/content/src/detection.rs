//! A detection in one shape, whichever schema its file has.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::attack;
use crate::deployment::{Deployment, Deployments};
use crate::drilldown::Drilldown;
use crate::risk::{NotableSeverity, Risk};

/// A detection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// Its UUID in lower case; the file's stem when the file gives none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Who wrote it.
    pub author: String,
    /// The day it was written, where the schema tells it from the day of the last change.
    pub created: Option<String>,
    /// The day of the last change.
    pub modified: Option<String>,
    /// TTP, Anomaly and so on.
    #[serde(rename = "type")]
    pub detection_type: DetectionType,
    /// Production, experimental and so on.
    pub status: Status,
    /// What it finds.
    pub description: String,
    /// Its SPL, as written.
    pub search: String,
    /// What must be in place for it to work.
    pub how_to_implement: String,
    /// When it is wrong.
    pub known_false_positives: String,
    /// Links.
    pub references: Vec<String>,
    /// The data sources it reads.
    pub data_source: Vec<String>,
    /// What it says about risk; `None` when it says nothing.
    pub risk: Option<Risk>,
    /// ATT&CK techniques.
    pub mitre_attack_id: Vec<String>,
    /// Names of its stories.
    pub analytic_story: Vec<String>,
    /// What kind of asset is at risk.
    pub asset_type: String,
    /// `access`, `endpoint`, `network`, `threat`, `identity` or `audit`.
    pub security_domain: String,
    /// Functions of the NIST Cybersecurity Framework.
    pub nist: Vec<String>,
    /// Controls of the Center for Internet Security.
    pub cis20: Vec<String>,
    /// Kill chain phases.
    pub kill_chain_phases: Vec<String>,
    /// Searches to open from a finding.
    pub drilldowns: Vec<Drilldown>,
    /// Its own tests.
    pub tests: Vec<DetectionTest>,
    /// How long, and by which fields, repeated results are held back.
    pub throttling: Option<Throttling>,
    /// The deployment written into the detection itself.
    pub deployment: Option<Deployment>,
    /// Its file; for the built-in pack a path within the pack.
    #[serde(skip)]
    pub path: PathBuf,
    /// The content folder it is from; `None` for the built-in pack.
    #[serde(skip)]
    pub root: Option<PathBuf>,
    /// The file's name without extension; its filter macro is `<file_stem>_filter`.
    #[serde(skip)]
    pub file_stem: String,
}

/// What a detection's results are taken for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DetectionType {
    /// Known attacker behaviour: a notable and risk.
    Ttp,
    /// Something unusual: risk only.
    Anomaly,
    /// A starting point for people: neither.
    Hunting,
    /// A search over other detections' risk: a notable only.
    Correlation,
    /// A search that fills a lookup.
    Baseline,
    /// A type that content names and Splunk does not.
    Other(String),
}

impl DetectionType {
    /// Reads a type in any case.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "ttp" => Self::Ttp,
            "anomaly" => Self::Anomaly,
            "hunting" => Self::Hunting,
            "correlation" => Self::Correlation,
            "baseline" => Self::Baseline,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for DetectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ttp => "TTP",
            Self::Anomaly => "Anomaly",
            Self::Hunting => "Hunting",
            Self::Correlation => "Correlation",
            Self::Baseline => "Baseline",
            Self::Other(name) => name,
        })
    }
}

impl Serialize for DetectionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DetectionType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

/// How far a detection is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// In use.
    Production,
    /// On trial.
    Experimental,
    /// Kept, not to be used.
    Deprecated,
    /// A status that content names and Splunk does not.
    Other(String),
}

impl Status {
    /// Reads a status in any case; none is `production`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "" | "production" => Self::Production,
            "experimental" => Self::Experimental,
            "deprecated" => Self::Deprecated,
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Experimental => "experimental",
            Self::Deprecated => "deprecated",
            Self::Other(name) => name,
        })
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A test that a detection brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetectionTest {
    /// Its name.
    pub name: String,
    /// The logs to run it on.
    pub attack_data: Vec<AttackData>,
    /// What must come out.
    pub expect: Expectation,
}

/// What a test expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// At least one result.
    Results,
    /// No result: the logs look like the attack and are none.
    None,
}

/// Logs for a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttackData {
    /// A URL, or a path within the content folder.
    pub data: String,
    /// The events' `source`.
    pub source: Option<String>,
    /// The events' `sourcetype`.
    pub sourcetype: Option<String>,
    /// The index they go to, when not the default one.
    pub custom_index: Option<String>,
    /// The events' `host`.
    pub host: Option<String>,
}

/// Holding back repeated results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Throttling {
    /// Results with the same values of these fields count as repeated.
    pub fields: Vec<String>,
    /// As written, such as `60m`.
    pub period: String,
    /// The period in seconds.
    pub period_seconds: u64,
}

/// What a detection's results become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Each result is a notable.
    pub notable: bool,
    /// Each result raises risk.
    pub risk: bool,
}

/// Annotations of a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// ATT&CK techniques.
    pub mitre_attack: Vec<String>,
    /// Kill chain phases.
    pub kill_chain_phases: Vec<String>,
    /// Functions of the NIST Cybersecurity Framework.
    pub nist: Vec<String>,
    /// Controls of the Center for Internet Security.
    pub cis20: Vec<String>,
    /// Stories.
    pub analytic_story: Vec<String>,
}

/// What a notable of a detection says, before the row's values are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotableText {
    /// Title with `$field$` tokens.
    pub rule_title: crate::Template,
    /// Description with `$field$` tokens.
    pub rule_description: crate::Template,
    /// Fields that an analyst suppresses by.
    pub nes_fields: Vec<String>,
    /// Security domain, `threat` by default.
    pub security_domain: String,
    /// Severity by the risk score.
    pub severity: NotableSeverity,
}

impl Detection {
    /// Returns the name of the macro that users tune the detection with.
    #[must_use]
    pub fn filter_macro(&self) -> String {
        format!("{}_filter", self.file_stem)
    }

    /// Returns the deployment that applies: the detection's own, else its type's.
    #[must_use]
    pub fn deployment<'a>(&'a self, deployments: &'a Deployments) -> Option<&'a Deployment> {
        self.deployment.as_ref().or_else(|| deployments.get(&self.detection_type))
    }

    /// Returns what results become.
    ///
    /// A detection that names no risk object raises no risk, whatever the deployment says.
    #[must_use]
    pub fn outcome(&self, deployments: &Deployments) -> Outcome {
        let deployment = self.deployment(deployments);
        let has_objects = self.risk.as_ref().is_some_and(|risk| !risk.risk_objects.is_empty());
        Outcome {
            notable: deployment.is_some_and(|deployment| deployment.notable.is_some()),
            risk: has_objects && deployment.is_some_and(|deployment| deployment.risk),
        }
    }

    /// Returns the severity that a notable has.
    #[must_use]
    pub fn severity(&self) -> NotableSeverity {
        NotableSeverity::of_score(self.risk.as_ref().and_then(Risk::score))
    }

    /// Returns what a notable says; `None` when the type raises none.
    ///
    /// Placeholders such as `%name%` are filled in; a correlation's title begins with `RBA: `.
    #[must_use]
    pub fn notable(&self, deployments: &Deployments) -> Option<NotableText> {
        let notable = self.deployment(deployments)?.notable.as_ref()?;
        let title = self.fill_placeholders(&notable.rule_title);
        let title = match self.detection_type {
            DetectionType::Correlation => format!("RBA: {title}"),
            _ => title,
        };
        Some(NotableText {
            rule_title: crate::Template::parse(&title),
            rule_description: crate::Template::parse(
                &self.fill_placeholders(&notable.rule_description),
            ),
            nes_fields: notable.nes_fields.clone(),
            security_domain: self.security_domain.clone(),
            severity: self.severity(),
        })
    }

    /// Returns the annotations as Enterprise Security has them.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        Annotations {
            mitre_attack: self.mitre_attack_id.clone(),
            kill_chain_phases: self.kill_chain_phases.clone(),
            nist: self.nist.clone(),
            cis20: self.cis20.clone(),
            analytic_story: self.analytic_story.clone(),
        }
    }

    /// Fills in `%name%` and the like, once: a value's own `%…%` stays.
    fn fill_placeholders(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once('%') {
            filled.push_str(before);
            let value =
                from.split_once('%').and_then(|(key, after)| Some((self.placeholder(key)?, after)));
            if let Some((value, after)) = value {
                filled.push_str(&value);
                rest = after;
            } else {
                filled.push('%');
                rest = from;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn placeholder(&self, key: &str) -> Option<String> {
        Some(match key {
            "name" => self.name.clone(),
            "id" => self.id.clone(),
            "description" => self.description.clone(),
            "type" => self.detection_type.to_string(),
            "status" => self.status.to_string(),
            "version" => self.version.to_string(),
            "author" => self.author.clone(),
            "date" => self.modified.clone().unwrap_or_default(),
            "how_to_implement" => self.how_to_implement.clone(),
            "known_false_positives" => self.known_false_positives.clone(),
            "security_domain" => self.security_domain.clone(),
            "asset_type" => self.asset_type.clone(),
            "risk_score" => {
                self.risk.as_ref().and_then(Risk::score).unwrap_or_default().to_string()
            }
            "message" => self.risk.as_ref().map(|risk| risk.message.to_string())?,
            _ => return None,
        })
    }
}

/// Returns the NIST, CIS and kill chain annotations that contentctl derives.
pub(crate) fn derived(
    detection_type: &DetectionType,
    security_domain: &str,
    techniques: &[String],
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let nist = if *detection_type == DetectionType::Ttp { "DE.CM" } else { "DE.AE" };
    let cis20 = if security_domain == "network" { "CIS 13" } else { "CIS 10" };
    (vec![nist.to_owned()], vec![cis20.to_owned()], attack::kill_chain_phases(techniques))
}

//! Detections in one form, independent of the schema of the file.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::deployment::{Deployment, Deployments, NotableAction, Scheduling};
use crate::drilldown::Drilldown;
use crate::risk::{FindingKeys, NotableSeverity, Risk, RiskObject};
use crate::set::ContentSet;
use crate::{attack, schedule};

/// A detection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detection {
    /// The UUID in lowercase, or the stem of the file name if the file has none.
    pub id: String,
    /// The name.
    pub name: String,
    /// The version.
    pub version: u64,
    /// The author.
    pub author: String,
    /// The creation date, if the schema distinguishes it from the date of the last change.
    pub created: Option<String>,
    /// The date of the last change.
    pub modified: Option<String>,
    /// The type, such as TTP or Anomaly.
    #[serde(rename = "type")]
    pub detection_type: DetectionType,
    /// The status, such as production or experimental.
    pub status: Status,
    /// The description of the behavior that is detected.
    pub description: String,
    /// The search in SPL, as written.
    pub search: String,
    /// The requirements for using the detection.
    pub how_to_implement: String,
    /// Cases in which a result is a false positive.
    pub known_false_positives: String,
    /// Links to more information.
    pub references: Vec<String>,
    /// The data sources that the search reads.
    pub data_source: Vec<String>,
    /// The risk settings; `None` if the detection has none.
    pub risk: Option<Risk>,
    /// What the file says of notables; only the 2026 schema has it.
    pub finding: Option<FindingKeys>,
    /// Whether the file has intermediate findings, which raise risk, and no finding: then results make
    /// no notable.
    pub only_intermediate: bool,
    /// Ids of ATT&CK techniques.
    pub mitre_attack_id: Vec<String>,
    /// Names of the analytic stories.
    pub analytic_story: Vec<String>,
    /// The kind of asset at risk.
    pub asset_type: String,
    /// The security domain: `access`, `endpoint`, `network`, `threat`, `identity` or `audit`.
    pub security_domain: String,
    /// Functions of the NIST Cybersecurity Framework.
    pub nist: Vec<String>,
    /// Controls of the Center for Internet Security.
    pub cis20: Vec<String>,
    /// Kill chain phases.
    pub kill_chain_phases: Vec<String>,
    /// Ids of vulnerabilities.
    pub cve: Vec<String>,
    /// Drilldown searches for findings.
    pub drilldowns: Vec<Drilldown>,
    /// The tests in the detection file.
    pub tests: Vec<DetectionTest>,
    /// Why its tests cannot run by themselves, if the file says so.
    pub manual_test: Option<String>,
    /// How long repeated results are suppressed, and by which fields.
    pub throttling: Option<Throttling>,
    /// The deployment in the detection file itself.
    pub deployment: Option<Deployment>,
    /// The name of the schedule.
    pub schedule: Option<String>,
    /// The schedule in the detection file itself.
    pub custom_schedule: Option<Scheduling>,
    /// The names of the baselines that fill the lookups of the detection.
    pub baselines: Vec<String>,
    /// The path of the file; for the built-in pack, a path within the pack.
    #[serde(skip)]
    pub path: PathBuf,
    /// The content folder of the file; `None` for the built-in pack.
    #[serde(skip)]
    pub root: Option<PathBuf>,
    /// The file name without extension; the filter macro is `<file_stem>_filter`.
    #[serde(skip)]
    pub file_stem: String,
}

/// The type of a detection, which decides whether results raise risk and notables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DetectionType {
    /// Known attacker behavior: raises a notable and risk.
    Ttp,
    /// Unusual behavior: raises risk only.
    Anomaly,
    /// A starting point for analysts: raises neither.
    Hunting,
    /// A search over the risk of other detections: raises a notable only.
    Correlation,
    /// A search that fills a lookup.
    Baseline,
    /// A type that Splunk does not have.
    Other(String),
}

impl DetectionType {
    /// Parses a type, ignoring case.
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

/// The maturity of a detection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    /// Ready for use.
    Production,
    /// Under trial.
    Experimental,
    /// Retained, but not for use.
    Deprecated,
    /// Taken out of Splunk's content.
    Removed,
    /// Another status, such as `validation`.
    Other(String),
}

impl Status {
    /// Parses a status, ignoring case; an empty text is `production`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "" | "production" => Self::Production,
            "experimental" => Self::Experimental,
            "deprecated" => Self::Deprecated,
            "removed" => Self::Removed,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Returns true if the detection is no longer for use, and needs no more work.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        matches!(self, Self::Deprecated | Self::Removed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Experimental => "experimental",
            Self::Deprecated => "deprecated",
            Self::Removed => "removed",
            Self::Other(name) => name,
        })
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A test in a detection file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetectionTest {
    /// The name.
    pub name: String,
    /// The logs that the test runs on.
    pub attack_data: Vec<AttackData>,
    /// The expected outcome.
    pub expect: Expectation,
    /// The type, such as `unit`.
    #[serde(rename = "test_type")]
    pub test_type: TestType,
    /// What the author says of the test.
    pub description: String,
}

/// The type of a test, which decides whether it runs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TestType {
    /// It runs by itself.
    Unit,
    /// It may not pass, or only under conditions that somebody has to provide.
    Experimental,
    /// Somebody has to run it.
    Manual,
    /// A type that Splunk does not have.
    Other(String),
}

impl TestType {
    /// Parses a type, ignoring case; an empty text is `unit`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "" | "unit" => Self::Unit,
            "experimental" => Self::Experimental,
            "manual" => Self::Manual,
            _ => Self::Other(text.to_owned()),
        }
    }
}

/// The expected outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// The search must return at least one result.
    Results,
    /// No result: the logs resemble the attack but contain none.
    None,
    /// Exactly this many results, at least one.
    Count(u64),
}

/// Logs that a test runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttackData {
    /// A URL, or a path within the content folder.
    pub data: String,
    /// The `source` of the events.
    pub source: Option<String>,
    /// The `sourcetype` of the events.
    pub sourcetype: Option<String>,
    /// The index of the events, if it is not the default.
    pub custom_index: Option<String>,
    /// The `host` of the events.
    pub host: Option<String>,
    /// Whether the events are moved in time, so that the newest is the newest of the test.
    pub update_timestamp: bool,
}

/// Suppression of repeated results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Throttling {
    /// Results with equal values in these fields are repeated.
    pub fields: Vec<String>,
    /// The period as written, such as `60m`.
    pub period: String,
    /// The period in seconds.
    pub period_seconds: u64,
}

/// Whether the results of a detection raise notables and risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether each result raises a notable.
    pub notable: bool,
    /// Whether each result raises risk.
    pub risk: bool,
}

/// Annotations of a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// Ids of ATT&CK techniques.
    pub mitre_attack: Vec<String>,
    /// Kill chain phases.
    pub kill_chain_phases: Vec<String>,
    /// Functions of the NIST Cybersecurity Framework.
    pub nist: Vec<String>,
    /// Controls of the Center for Internet Security.
    pub cis20: Vec<String>,
    /// Names of analytic stories.
    pub analytic_story: Vec<String>,
    /// Ids of vulnerabilities.
    #[serde(default)]
    pub cve: Vec<String>,
    /// The data sources that the search reads.
    #[serde(default)]
    pub data_source: Vec<String>,
}

/// The text of a detection's notables, before the row's values are inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotableText {
    /// The title, with `$field$` tokens.
    pub rule_title: crate::Template,
    /// The description, with `$field$` tokens.
    pub rule_description: crate::Template,
    /// Fields by which an analyst can suppress similar notables.
    pub nes_fields: Vec<String>,
    /// The security domain, by default `threat`.
    pub security_domain: String,
    /// The severity, derived from the score.
    pub severity: NotableSeverity,
    /// The entities that the notable is about; only the 2026 schema has them.
    pub entities: Vec<RiskObject>,
}

impl Detection {
    /// Returns the name of the macro with which users filter the detection's results.
    #[must_use]
    pub fn filter_macro(&self) -> String {
        format!("{}_filter", self.file_stem)
    }

    /// Returns the deployment in the file, if it says what results raise.
    fn own_actions(&self) -> Option<&Deployment> {
        self.deployment.as_ref().filter(|deployment| deployment.has_actions)
    }

    /// Returns the deployment that says what results raise: that in the file, or else that of the type.
    #[must_use]
    pub fn actions<'a>(&'a self, deployments: &'a Deployments) -> Option<&'a Deployment> {
        self.own_actions().or_else(|| deployments.get(&self.detection_type))
    }

    /// Returns when the detection runs: as its own schedule says, or its own deployment, or the
    /// schedule that it names, or the default schedule of its type, or the deployment of its type.
    #[must_use]
    pub fn scheduling<'a>(&'a self, set: &'a ContentSet) -> Option<&'a Scheduling> {
        let own = self.deployment.as_ref().map(|deployment| &deployment.scheduling);
        let named = || set.schedules.get(self.schedule.as_ref()?);
        let default = || {
            let mut schedules = set.schedules.iter();
            let is_default = |(name, _): &(&String, &Scheduling)| {
                schedule::is_default_of(name, &self.detection_type)
            };
            schedules.find(is_default).map(|(_, scheduling)| scheduling)
        };
        let of_type = || {
            let deployment = set.deployments.get(&self.detection_type)?;
            Some(&deployment.scheduling)
        };
        self.custom_schedule.as_ref().or(own).or_else(named).or_else(default).or_else(of_type)
    }

    /// Returns whether results raise notables and risk.
    ///
    /// A finding of the 2026 schema is a notable, and intermediate findings alone make none, unless a
    /// deployment in the file says what results raise. A detection without risk objects raises no risk, even if the deployment
    /// does.
    #[must_use]
    pub fn outcome(&self, deployments: &Deployments) -> Outcome {
        let deployment = self.actions(deployments);
        let has_objects = self.risk.as_ref().is_some_and(|risk| !risk.risk_objects.is_empty());
        let of_deployment = deployment.is_some_and(|deployment| deployment.notable.is_some());
        Outcome {
            notable: match (self.own_actions(), &self.finding) {
                (None, Some(_)) => true,
                (None, None) if self.only_intermediate => false,
                _ => of_deployment,
            },
            risk: has_objects && deployment.is_some_and(|deployment| deployment.risk),
        }
    }

    /// Returns the severity of the detection's notables: that of the score of its finding, or else of
    /// its highest risk score.
    #[must_use]
    pub fn severity(&self) -> NotableSeverity {
        let entities = self.finding.iter().flat_map(|finding| &finding.entities);
        let score = entities.map(|entity| entity.score).max();
        NotableSeverity::of_score(score.or(self.risk.as_ref().and_then(Risk::score)))
    }

    /// Returns the text of the notables; `None` if results make none.
    ///
    /// The title is that of the finding, if the file has one. Else it is that of the deployment, in
    /// which placeholders such as `%name%` are replaced; that of a correlation starts with `RBA: `.
    #[must_use]
    pub fn notable(&self, deployments: &Deployments) -> Option<NotableText> {
        if !self.outcome(deployments).notable {
            return None;
        }
        let default = NotableAction::default();
        let deployment = self.actions(deployments);
        let notable = deployment.and_then(|deployment| deployment.notable.as_ref());
        let notable = notable.unwrap_or(&default);
        let title = || {
            let title = self.fill_placeholders(&notable.rule_title);
            crate::Template::parse(&match self.detection_type {
                DetectionType::Correlation => format!("RBA: {title}"),
                _ => title,
            })
        };
        let own = self.finding.as_ref().and_then(|finding| finding.title.clone());
        let entities = self.finding.as_ref().map(|finding| finding.entities.clone());
        Some(NotableText {
            rule_title: own.unwrap_or_else(title),
            rule_description: crate::Template::parse(
                &self.fill_placeholders(&notable.rule_description),
            ),
            nes_fields: notable.nes_fields.clone(),
            security_domain: self.security_domain.clone(),
            severity: self.severity(),
            entities: entities.unwrap_or_default(),
        })
    }

    /// Returns the annotations in the form of Enterprise Security.
    #[must_use]
    pub fn annotations(&self) -> Annotations {
        Annotations {
            mitre_attack: self.mitre_attack_id.clone(),
            kill_chain_phases: self.kill_chain_phases.clone(),
            nist: self.nist.clone(),
            cis20: self.cis20.clone(),
            analytic_story: self.analytic_story.clone(),
            cve: self.cve.clone(),
            data_source: self.data_source.clone(),
        }
    }

    /// Replaces placeholders such as `%name%` once; a `%…%` inside an inserted value is kept.
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

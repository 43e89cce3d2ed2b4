//! Deployments: when detections of a type run, and whether results raise notables and risk.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;

use crate::detection::DetectionType;
use crate::keys;
use crate::yaml::{self, Flag, Text, Texts};

/// The schedule and the actions for the detections of one type, or for one detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// The name.
    pub name: String,
    /// The schedule and the time range.
    pub scheduling: Scheduling,
    /// The notable that results raise; `None` if they raise none.
    pub notable: Option<NotableAction>,
    /// Whether results raise risk.
    pub risk: bool,
    /// Whether it says what results raise. In a detection, one that only has a schedule leaves that to the
    /// deployment of the type.
    #[serde(skip)]
    pub has_actions: bool,
}

/// The schedule of a search and the time range it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scheduling {
    /// The cron schedule: five fields, without names of months or days.
    pub cron_schedule: String,
    /// Start of the range: a time modifier relative to the scheduled time.
    pub earliest_time: String,
    /// End of the range: a time modifier relative to the scheduled time.
    pub latest_time: String,
    /// The schedule window: minutes, or `auto`.
    pub schedule_window: String,
}

/// The text of a notable; placeholders such as `%name%` are replaced by keys of the detection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotableAction {
    /// The title.
    pub rule_title: String,
    /// The description.
    pub rule_description: String,
    /// Fields by which an analyst can suppress similar notables.
    pub nes_fields: Vec<String>,
}

/// Deployments by type of detection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployments(IndexMap<String, Deployment>);

impl Default for NotableAction {
    fn default() -> Self {
        Self {
            rule_title: "%name%".into(),
            rule_description: "%description%".into(),
            nes_fields: vec!["user".into(), "dest".into()],
        }
    }
}

impl Default for Deployments {
    /// Returns the defaults of Splunk's Enterprise Security Content Update. Detections run hourly
    /// over the hour that ended ten minutes before; baselines run daily. TTP and Correlation raise
    /// a notable, TTP and Anomaly raise risk.
    fn default() -> Self {
        let notable = || Some(NotableAction::default());
        let hourly = ("0 * * * *", "-70m@m");
        let rows = [
            ("TTP", notable(), true, hourly),
            ("Anomaly", None, true, hourly),
            ("Hunting", None, false, hourly),
            ("Correlation", notable(), false, hourly),
            ("Baseline", None, false, ("10 0 * * *", "-1450m@m")),
        ];
        Self(
            rows.into_iter()
                .map(|(name, notable, risk, (cron_schedule, earliest_time))| {
                    let scheduling = Scheduling {
                        cron_schedule: cron_schedule.into(),
                        earliest_time: earliest_time.into(),
                        ..Scheduling::default()
                    };
                    let name = name.to_owned();
                    let deployment =
                        Deployment { name, scheduling, notable, risk, has_actions: true };
                    (deployment.name.to_lowercase(), deployment)
                })
                .collect(),
        )
    }
}

impl Default for Scheduling {
    fn default() -> Self {
        Self {
            cron_schedule: "0 * * * *".into(),
            earliest_time: "-70m@m".into(),
            latest_time: "-10m@m".into(),
            schedule_window: "auto".into(),
        }
    }
}

impl Deployments {
    /// Returns the deployment for a type.
    #[must_use]
    pub fn get(&self, detection_type: &DetectionType) -> Option<&Deployment> {
        self.0.get(&detection_type.to_string().to_lowercase())
    }

    /// Sets the deployment for a type; the case of its name is ignored. Returns the previous one.
    pub fn insert(&mut self, detection_type: &str, deployment: Deployment) -> Option<Deployment> {
        self.0.insert(detection_type.to_lowercase(), deployment)
    }

    /// Iterates over the types, in lowercase, and their deployments.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Deployment)> {
        self.0.iter().map(|(name, deployment)| (name.as_str(), deployment))
    }
}

/// The keys of a deployment as written, in its own file or in a detection.
#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a deployment")]
pub(crate) struct RawDeployment {
    name: Option<Text>,
    #[serde(rename = "type")]
    detection_type: Option<Text>,
    scheduling: Option<RawScheduling>,
    alert_action: Option<RawActions>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`cron_schedule`, `earliest_time` and `latest_time`")]
struct RawScheduling {
    cron_schedule: Option<Text>,
    earliest_time: Option<Text>,
    latest_time: Option<Text>,
    schedule_window: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "`notable` and `rba`")]
struct RawActions {
    notable: Option<RawNotable>,
    rba: Option<RawRba>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`rule_title`, `rule_description` and `nes_fields`")]
struct RawNotable {
    rule_title: Option<Text>,
    rule_description: Option<Text>,
    #[serde(default)]
    nes_fields: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`enabled`")]
struct RawRba {
    enabled: Option<Flag>,
}

impl RawDeployment {
    /// Fills missing keys with the defaults of an hourly search; a missing action is off.
    pub(crate) fn into_deployment(self) -> Deployment {
        let default = Scheduling::default();
        let or = |text: Option<Text>, default: String| text.map_or(default, |text| text.0);
        let scheduling = match self.scheduling {
            Some(raw) => Scheduling {
                cron_schedule: or(raw.cron_schedule, default.cron_schedule),
                earliest_time: or(raw.earliest_time, default.earliest_time),
                latest_time: or(raw.latest_time, default.latest_time),
                schedule_window: or(raw.schedule_window, default.schedule_window),
            },
            None => default,
        };
        let has_actions = self.alert_action.is_some();
        let actions = self.alert_action.unwrap_or_default();
        Deployment {
            name: or(self.name, String::new()),
            scheduling,
            notable: actions.notable.map(|raw| NotableAction {
                rule_title: or(raw.rule_title, "%name%".into()),
                rule_description: or(raw.rule_description, "%description%".into()),
                nes_fields: raw.nes_fields.0,
            }),
            risk: actions.rba.and_then(|rba| rba.enabled).is_some_and(|flag| flag.0),
            has_actions,
        }
    }
}

/// Reads a deployment file and returns the type it applies to, with the deployment. Adds warnings
/// about the file.
pub(crate) fn read(
    text: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(String, Deployment), Diagnostic> {
    let raw: RawDeployment = keys::read(text, keys::DEPLOYMENT, warnings)?;
    let Some(detection_type) = raw.detection_type.clone().filter(|text| !text.0.is_empty()) else {
        return Err(yaml::missing_key(text, "type", "name the type of detection, such as `TTP`"));
    };
    Ok((detection_type.0, raw.into_deployment()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_by_type() {
        let deployments = Deployments::default();
        let ttp = deployments.get(&DetectionType::Ttp).unwrap();
        assert!(ttp.risk && ttp.notable.is_some());
        assert_eq!(ttp.scheduling.latest_time, "-10m@m");
        let baseline = deployments.get(&DetectionType::Baseline).unwrap();
        assert_eq!(baseline.scheduling.cron_schedule, "10 0 * * *");
        assert_eq!(deployments.get(&DetectionType::Other("x".into())), None);
    }

    #[test]
    fn a_file_sets_what_it_says() {
        let text = "name: ours\ntype: Hunting\nscheduling: {cron_schedule: '5 * * * *'}\n\
                    alert_action: {notable: {rule_title: 'Seen: %name%'}, rba: {enabled: 'false'}}\n";
        let (detection_type, deployment) = read(text, &mut Vec::new()).unwrap();
        assert_eq!(detection_type, "Hunting");
        assert_eq!(deployment.scheduling.cron_schedule, "5 * * * *");
        assert_eq!(deployment.scheduling.earliest_time, "-70m@m");
        assert_eq!(deployment.notable.unwrap().rule_title, "Seen: %name%");
        assert!(!deployment.risk);
        assert!(read("name: x\n", &mut Vec::new()).unwrap_err().message.contains("`type`"));
    }
}

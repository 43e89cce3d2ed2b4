//! Schedules of the 2026 schema: files of their own, which detections name.

use serde::Deserialize;
use spilltrail_diagnostic::Diagnostic;

use crate::deployment::Scheduling;
use crate::detection::DetectionType;
use crate::keys;
use crate::yaml::{self, Text};

/// What the name of a schedule begins with that applies to all searches of a type.
const DEFAULT: &str = "default ";

/// A schedule as written, in its own file or in a detection.
#[derive(Debug, Deserialize)]
#[serde(expecting = "`cron_schedule`, `earliest_time` and `latest_time`")]
pub(crate) struct RawSchedule {
    name: Option<Text>,
    cron_schedule: Option<Text>,
    earliest_time: Option<Text>,
    latest_time: Option<Text>,
    schedule_window: Option<Text>,
}

impl RawSchedule {
    /// Fills missing keys with the defaults of an hourly search.
    pub(crate) fn into_scheduling(self) -> Scheduling {
        let default = Scheduling::default();
        let or = |text: Option<Text>, default: String| text.map_or(default, |text| text.0);
        Scheduling {
            cron_schedule: or(self.cron_schedule, default.cron_schedule),
            earliest_time: or(self.earliest_time, default.earliest_time),
            latest_time: or(self.latest_time, default.latest_time),
            schedule_window: or(self.schedule_window, default.schedule_window),
        }
    }
}

/// Reads a schedule file, and adds warnings about it.
pub(crate) fn read(
    text: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<(String, Scheduling), Diagnostic> {
    let mut raw: RawSchedule = keys::read(text, keys::SCHEDULE_FILE, warnings)?;
    let Some(name) = raw.name.take().filter(|name| !name.0.is_empty()) else {
        return Err(yaml::missing_key(text, "name", "name the schedule"));
    };
    Ok((name.0, raw.into_scheduling()))
}

/// Returns true if a schedule of this name applies to all searches of a type: `Default Baseline` to
/// baselines, `Default FindingBasedDetection` to correlations, and `Default EventBasedDetection` to all
/// other detections.
pub(crate) fn is_default_of(name: &str, detection_type: &DetectionType) -> bool {
    let name = name.to_lowercase();
    let Some(kind) = name.strip_prefix(DEFAULT) else { return false };
    match detection_type {
        DetectionType::Baseline => kind == "baseline",
        DetectionType::Correlation => kind == "findingbaseddetection",
        _ => kind == "eventbaseddetection",
    }
}

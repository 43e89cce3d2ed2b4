//! What a server is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use spilltrail_content::Scheduling;
use spilltrail_decode::SOURCETYPES;
use spilltrail_deliver::Output;
use spilltrail_schedule::{Limits, Moment};

use super::inputs::InputOptions;
use super::priority::PriorityEntry;
use crate::allow::AllowEntry;
use crate::lake::TEXT_SOURCETYPE;
use crate::options::ContentOptions;
use crate::select::Selection;

/// How a server works.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The data folder. It is created if it is not there.
    pub data: PathBuf,
    /// The detections.
    pub content: ContentOptions,
    /// Those of them that run on a schedule.
    pub select: Selection,
    /// What detections have in place of what their files say.
    pub overrides: Vec<ScheduleOverride>,
    /// The time zone of schedules.
    pub zone: String,
    /// Findings that are counted and not raised.
    pub allow: Vec<AllowEntry>,
    /// What matters more, or less, than the rest.
    pub priorities: Vec<PriorityEntry>,
    /// How long events are kept.
    pub retention: Retention,
    /// How far runs that were missed are caught up with.
    pub limits: Limits,
    /// How long ago the nominal time of a run can be that runs again because events were late, in seconds.
    pub late_look_back: i64,
    /// Sourcetypes that senders give their events, apart from those that are recognized.
    pub sourcetypes: Vec<String>,
    /// Logs that are looked at again and again.
    pub inputs: Vec<InputOptions>,
    /// Where findings go.
    pub outputs: Vec<Output>,
    /// Path of a MaxMind database for `iplocation`.
    pub geoip: Option<PathBuf>,
    /// Memory limit of each pass over events, in bytes; `None` for that of a hunt.
    pub memory_limit: Option<usize>,
    /// Number of threads that read events; `None` for one per processor, up to four.
    pub threads: Option<usize>,
}

impl ServeOptions {
    /// Returns the sourcetypes that events can have: those that are recognized, and those that inputs and
    /// senders give them.
    #[must_use]
    pub fn offered_sourcetypes(&self) -> BTreeSet<String> {
        let recognized =
            SOURCETYPES.iter().chain([&TEXT_SOURCETYPE]).map(|name| (*name).to_owned());
        let of_inputs = self.inputs.iter().filter_map(|input| input.sourcetype.clone());
        recognized.chain(of_inputs).chain(self.sourcetypes.iter().cloned()).collect()
    }
}

/// What detections have in place of what their files say. What is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleOverride {
    /// Name, id or file name of detections; `*` stands for any text.
    pub detection: String,
    /// Whether they run.
    pub is_enabled: bool,
    /// When they run: a cron expression of five fields.
    pub cron: Option<String>,
    /// Where the events of a run begin, relative to its nominal time.
    pub earliest: Option<String>,
    /// Where they end.
    pub latest: Option<String>,
    /// The schedule window: minutes, or `auto`.
    pub window: Option<String>,
}

impl ScheduleOverride {
    /// Returns a scheduling with what is set here.
    pub(super) fn applied(&self, of_file: Scheduling) -> Scheduling {
        let own = |own: &Option<String>, of_file| own.clone().unwrap_or(of_file);
        Scheduling {
            cron_schedule: own(&self.cron, of_file.cron_schedule),
            earliest_time: own(&self.earliest, of_file.earliest_time),
            latest_time: own(&self.latest, of_file.latest_time),
            schedule_window: own(&self.window, of_file.schedule_window),
        }
    }
}

/// The seconds of a day.
const DAY: i64 = 86_400;

/// How many days events and findings are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The days of indexes that are not named; `None` keeps all.
    pub days: Option<u32>,
    /// The days by index.
    pub by_index: BTreeMap<String, u32>,
    /// The days of findings and of the ledger of runs. Notables that are not closed stay.
    pub findings: i64,
}

impl Default for Retention {
    /// Keeps all events, and findings for 400 days.
    fn default() -> Self {
        Self { days: None, by_index: BTreeMap::new(), findings: 400 }
    }
}

impl Retention {
    /// Returns the moment since which all events are kept, of whichever index.
    #[must_use]
    pub fn kept_since(&self, now: Moment) -> Moment {
        let logs = self.by_index.iter().filter(|(index, _)| !index.starts_with('_'));
        let least = logs.map(|(_, days)| *days).chain(self.days).min();
        // Whole days are dropped, by the day of the event.
        least.map_or(Moment(i64::MIN), |days| {
            let today = now.0.div_euclid(DAY) * DAY;
            Moment(today.saturating_sub(i64::from(days).saturating_mul(DAY)))
        })
    }

    /// Returns the days of an index; `None` keeps all.
    #[must_use]
    pub fn days_of(&self, index: &str) -> Option<u32> {
        self.by_index.get(index).copied().or(self.days)
    }
}

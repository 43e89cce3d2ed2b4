//! What the store keeps, as plain data.

use serde::{Deserialize, Deserializer, Serialize};
use spilltrail_schedule::{Interval, Moment, ScheduleSpec};

use crate::error::StoreError;
use crate::urgency::Level;

/// A schedule as its owner sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// The id, which is that of its detection.
    pub id: String,
    /// When it runs and over which events.
    pub spec: ScheduleSpec,
    /// Whether it runs.
    pub is_enabled: bool,
    /// What its detection states, if a user has set something in place of it.
    pub stated: Option<ScheduleSpec>,
}

impl ScheduleRecord {
    /// Returns when it runs and over which events as its detection states it.
    #[must_use]
    pub fn stated(&self) -> &ScheduleSpec {
        self.stated.as_ref().unwrap_or(&self.spec)
    }
}

/// A schedule and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSchedule {
    /// What was set.
    pub schedule: ScheduleRecord,
    /// The last nominal time that is done or recorded as missed; at first, when it was stored.
    pub done: Moment,
    /// Where the events of its next run begin at the latest, if it took the place of another schedule: see
    /// [`seam`](spilltrail_schedule::seam).
    pub seam: Option<Moment>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It ran.
    Done,
    /// It ran again, because events arrived after it.
    Late,
    /// It did not finish. The schedule stays where it is: the run is due again.
    Failed,
    /// It does not run, for a reason.
    Skipped,
    /// It does not run because it was too long ago: nobody has looked at its events.
    Gap,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Done, Self::Late, Self::Failed, Self::Skipped, Self::Gap];

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Late => "late",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Gap => "gap",
        }
    }

    /// Returns whether the run has findings, even if these are none.
    #[must_use]
    pub fn has_findings(self) -> bool {
        matches!(self, Self::Done | Self::Late)
    }

    /// Returns whether the schedule goes on after the nominal time.
    pub(crate) fn moves_on(self) -> bool {
        self != Self::Failed
    }

    pub(crate) fn parse(name: &str) -> Result<Self, StoreError> {
        let damaged =
            || StoreError::Damaged { what: "status of a run", reason: format!("`{name}` is none") };
        Self::ALL.into_iter().find(|status| status.name() == name).ok_or_else(damaged)
    }
}

/// One attempt at a run. The schedule, the nominal time and the attempt are its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The id of the schedule.
    pub schedule: String,
    /// The nominal time.
    pub nominal: Moment,
    /// Which attempt it is; the first is 1.
    pub attempt: u32,
    /// What became of it.
    pub status: Status,
    /// The events that it covers.
    pub interval: Interval,
    /// The indexes that it reads; empty for all.
    pub indexes: Vec<String>,
    /// The last batch of arriving events that it saw.
    pub seen: u64,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// When it started, by the clock.
    pub started: Moment,
    /// How long it took, in milliseconds.
    pub took: u64,
    /// What it cost, as JSON.
    pub cost: Option<String>,
}

/// An entry of the ledger: a run, or firings that did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRun {
    /// The id of the schedule.
    pub schedule: String,
    /// The nominal time; of several firings that did not run, the last.
    pub nominal: Moment,
    /// Which attempt it is; 0 for firings that did not run.
    pub attempt: u32,
    /// The first nominal time.
    pub first: Moment,
    /// How many firings it stands for.
    pub firings: u64,
    /// What became of it.
    pub status: Status,
    /// The events that it covers, or would have covered.
    pub interval: Option<Interval>,
    /// The indexes that it reads; empty for all.
    pub indexes: Vec<String>,
    /// The last batch of arriving events that it saw; `None` if it did not run.
    pub seen: Option<u64>,
    /// Why it failed, or did not run.
    pub reason: Option<String>,
    /// When it started, by the clock; `None` if it did not run.
    pub started: Option<Moment>,
    /// How long it took, in milliseconds; `None` if it did not run.
    pub took: Option<u64>,
    /// What it cost, as JSON.
    pub cost: Option<String>,
}

/// A finding of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
// The outbox stores it as JSON, in which fields are missing that later versions add.
#[serde(default)]
pub struct FindingRecord {
    /// Its id, which is the same whenever the detection finds the same thing.
    pub id: String,
    /// The name of its detection.
    pub name: String,
    /// What lists show of it: the title of a notable, or the risk message.
    pub title: String,
    /// Whether it is a notable, which somebody should look at; anything else only adds to risk.
    pub is_notable: bool,
    /// When it happened, in seconds since 1970.
    pub time: Option<f64>,
    /// What it is about, such as a user.
    pub entity: Option<String>,
    /// Its risk score.
    pub score: Option<f64>,
    /// The severity that its detection states.
    pub severity: Level,
    /// The priority of what it is about. With the severity, it makes the urgency
    /// ([`urgency()`](crate::urgency())).
    pub priority: Level,
    /// The id of the entry of the allow-list that hides it.
    pub suppressed_by: Option<i64>,
    /// The hash of its content, without what differs each time it is found.
    pub hash: String,
    /// All of it, as JSON.
    pub body: String,
    /// What it adds to the risk of what it is about.
    pub risks: Vec<RiskRecord>,
}

/// A risk event: what a finding adds to the risk of one object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RiskRecord {
    /// The object, such as a name of a user.
    pub object: String,
    /// Its type: `user`, `system` or `other`.
    pub object_type: String,
    /// The score that is added. What is no finite number adds nothing.
    #[serde(deserialize_with = "number_or_zero")]
    pub score: f64,
    /// The ids of the tactics of its detection.
    pub tactics: Vec<String>,
    /// The ids of the techniques of its detection.
    pub techniques: Vec<String>,
}

/// Reads a number; JSON has none that is infinite or no number, and null in its place.
fn number_or_zero<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(0.0))
}

/// What the last attempt of a run said about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingState {
    /// It was found, and has not changed since.
    New,
    /// It was found before with another content.
    Changed,
    /// It was found before, and is no longer.
    Withdrawn,
}

impl FindingState {
    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self, StoreError> {
        [Self::New, Self::Changed, Self::Withdrawn]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| StoreError::Damaged {
                what: "state of a finding",
                reason: format!("`{name}` is none"),
            })
    }
}

/// A finding in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredFinding {
    /// The id of its detection.
    pub detection: String,
    /// The nominal time of the run that found it.
    pub nominal: Moment,
    /// The attempt that found it as it is, or that withdrew it.
    pub attempt: u32,
    /// What the last attempt said about it.
    pub state: FindingState,
    /// The finding.
    pub finding: FindingRecord,
}

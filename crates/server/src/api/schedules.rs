//! Operations on schedules: when detections run, how runs went, what users set in place of what detections
//! state.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use spilltrail_schedule::{Moment, Schedule, ScheduleSpec};
use spilltrail_store::{
    Override, Rows, RunCounts, RunFilter, StoreError, StoredOverride, StoredRun, StoredSchedule,
};
use utoipa::ToSchema;

use super::Api;
use super::errors::{ApiError, Code};
use super::operation::{
    Answer, Answering, Content, Kind, Method, Operation, Parameter, Type, stored_json,
};
use super::request::Asked;
use super::words::{self, RUNS};

/// The seconds over which runs are counted if the request does not say since when: a day.
const SPAN: i64 = 24 * 60 * 60;

/// The runs that are answered if the request does not say how many.
const ROWS: usize = 100;

/// The most runs of an answer.
const MOST: u64 = 1000;

/// The most bytes of a reason.
const MAX_BYTES: usize = 1000;

const ID: Parameter =
    Parameter::path("id", Kind::Text(500), "The id, which is that of the detection.");

/// A schedule, how far it has come, and how its runs went.
#[derive(Debug, Serialize, ToSchema)]
struct ScheduleInfo {
    /// The id, which is that of the detection.
    id: String,
    /// True if it runs.
    is_enabled: bool,
    /// When it fires: a cron expression.
    cron: String,
    /// The time zone of the expression and the modifiers.
    zone: String,
    /// The first moment that a run covers, relative to its nominal time.
    earliest: String,
    /// The first moment after those; empty for the nominal time.
    latest: String,
    /// How long after its nominal time a run may start: `none`, `auto`, or minutes.
    window: String,
    /// The last nominal time that is done or recorded as missed; at first, when it was enabled.
    done: i64,
    /// The next nominal time; none if it does not run, or never fires again.
    next: Option<i64>,
    /// The last run.
    last: Option<Run>,
    /// How firings went.
    counts: Counts,
    /// What a user has set in place of what the detection states.
    set: Option<SetOverride>,
}

/// How many firings of a schedule went how.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Counts {
    /// How many ran.
    done: u64,
    /// How often one ran again, because events arrived after it.
    late: u64,
    /// How often one did not finish.
    failed: u64,
    /// How many did not run, for a reason.
    skipped: u64,
    /// How many did not run because it was too long ago: nobody has looked at their events.
    gap: u64,
}

/// A run, or firings that did not run.
#[derive(Debug, Serialize, ToSchema)]
struct Run {
    /// The nominal time; of several firings that did not run, the last.
    nominal: i64,
    /// Which attempt it is; 0 for firings that did not run.
    attempt: u32,
    /// The first nominal time.
    first: i64,
    /// How many firings it stands for.
    firings: u64,
    /// What became of it.
    status: &'static str,
    /// The first moment that it covers, or would have covered.
    from: Option<i64>,
    /// The first moment after those.
    to: Option<i64>,
    /// The indexes that it reads; none for all.
    indexes: Vec<String>,
    /// The last batch of arriving events that it saw.
    seen: Option<u64>,
    /// Why it failed, or did not run.
    reason: Option<String>,
    /// When it started.
    started: Option<i64>,
    /// How long it took, in milliseconds.
    took: Option<u64>,
    /// What it cost.
    cost: Option<Value>,
}

impl From<StoredRun> for Run {
    fn from(run: StoredRun) -> Self {
        Self {
            nominal: run.nominal.0,
            attempt: run.attempt,
            first: run.first.0,
            firings: run.firings,
            status: run.status.name(),
            from: run.interval.map(|interval| interval.from.0),
            to: run.interval.map(|interval| interval.to.0),
            indexes: run.indexes,
            seen: run.seen,
            reason: run.reason,
            started: run.started.map(|started| started.0),
            took: run.took,
            cost: run.cost.as_deref().map(stored_json),
        }
    }
}

/// Schedules, ordered by id.
#[derive(Debug, Serialize, ToSchema)]
struct Schedules {
    /// The schedules.
    schedules: Vec<ScheduleInfo>,
}

/// A page of the runs of a schedule, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Runs {
    /// The runs.
    runs: Vec<Run>,
    /// The `cursor` of the next page, if there is one.
    next: Option<String>,
}

/// What a user sets in place of what a detection states. What is missing is as the detection states it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOverride {
    /// Whether it runs.
    #[serde(default)]
    is_enabled: Option<bool>,
    /// When it runs: a cron expression.
    #[serde(default)]
    cron: Option<String>,
    /// The first moment that a run covers, such as `-70m@m`.
    #[serde(default)]
    earliest: Option<String>,
    /// The first moment after those.
    #[serde(default)]
    latest: Option<String>,
    /// How long after its time it may start: `none`, `auto`, or minutes up to a week.
    #[serde(default)]
    window: Option<String>,
    /// Why.
    #[schema(min_length = 1)]
    reason: String,
}

/// What a user has set, with who and when.
#[derive(Debug, Serialize, ToSchema)]
struct SetOverride {
    /// Whether it runs.
    is_enabled: Option<bool>,
    /// When it runs.
    cron: Option<String>,
    /// The first moment that a run covers.
    earliest: Option<String>,
    /// The first moment after those.
    latest: Option<String>,
    /// How long after its time it may start.
    window: Option<String>,
    /// Why.
    reason: String,
    /// Who it was.
    who: String,
    /// When it was.
    time: i64,
}

impl From<StoredOverride> for SetOverride {
    fn from(stored: StoredOverride) -> Self {
        let Override { is_enabled, cron, earliest, latest, window, reason } = stored.set;
        let (who, time) = (stored.who, stored.time.0);
        Self { is_enabled, cron, earliest, latest, window, reason, who, time }
    }
}

/// Why a schedule is turned on or off.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Switch {
    /// Why.
    reason: String,
}

const SINCE: Parameter =
    Parameter::query("since", Kind::Time, "Runs are counted from then on; a day ago if missing.");

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "schedules",
        summary: "List schedules, with their last and next runs",
        parameters: &[SINCE],
        ..Operation::get(
            "/api/v1/schedules",
            "list_schedules",
            Content::Json(Type::of::<Schedules>()),
            list,
        )
    },
    Operation {
        tag: "schedules",
        summary: "Read a schedule",
        parameters: &[ID, SINCE],
        ..Operation::get(
            "/api/v1/schedules/{id}",
            "get_schedule",
            Content::Json(Type::of::<ScheduleInfo>()),
            get,
        )
    },
    Operation {
        tag: "schedules",
        summary: "Read the ledger of a schedule, newest first",
        parameters: &[
            ID,
            Parameter::query("since", Kind::Time, "Nominal times from then on; all if missing."),
            Parameter::query(
                "status",
                Kind::Choices(RUNS),
                "What became of them; anything if it is missing.",
            ),
            Parameter::query("limit", Kind::Number(1, MOST), "The most runs; 100 if missing."),
            Parameter::query("cursor", Kind::Text(1000), "`next` of the page before."),
        ],
        ..Operation::get(
            "/api/v1/schedules/{id}/runs",
            "list_runs",
            Content::Json(Type::of::<Runs>()),
            runs,
        )
    },
    Operation {
        method: Method::Post,
        tag: "schedules",
        summary: "Let a detection run, whatever it states",
        parameters: &[ID],
        body: Some(Type::of::<Switch>()),
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/schedules/{id}/enable", "enable_schedule", Content::Empty, enable)
    },
    Operation {
        method: Method::Post,
        tag: "schedules",
        summary: "Let a detection run no more",
        parameters: &[ID],
        body: Some(Type::of::<Switch>()),
        success: (204, Content::Empty),
        ..Operation::get(
            "/api/v1/schedules/{id}/disable",
            "disable_schedule",
            Content::Empty,
            disable,
        )
    },
    Operation {
        method: Method::Put,
        tag: "schedules",
        summary: "Set a schedule in place of what the detection states",
        parameters: &[ID],
        body: Some(Type::of::<NewOverride>()),
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/schedules/{id}/override", "set_override", Content::Empty, set)
    },
    Operation {
        method: Method::Delete,
        tag: "schedules",
        summary: "Let a detection run as it states",
        parameters: &[ID],
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/schedules/{id}/override", "clear_override", Content::Empty, clear)
    },
];

/// Reads schedules: all, or that with an id.
async fn schedules(api: &Api, asked: &Asked) -> Result<Vec<ScheduleInfo>, ApiError> {
    let now = api.now();
    let since = asked.time("since").unwrap_or(now.plus(-SPAN));
    let id = asked.text("id").map(str::to_owned);
    let found = api.readers.read(move |reader| {
        let mut schedules = reader.schedules()?;
        if let Some(id) = id {
            schedules.retain(|found| found.schedule.id == id);
            if schedules.is_empty() {
                return Err(StoreError::NoSchedule { id });
            }
        }
        Ok((schedules, reader.last_runs()?, reader.run_counts(since)?, reader.overrides()?))
    });
    let (schedules, last, counts, set) = found.await?;
    let mut last: HashMap<String, StoredRun> =
        last.into_iter().map(|run| (run.schedule.clone(), run)).collect();
    let mut counts: HashMap<String, RunCounts> =
        counts.into_iter().map(|counts| (counts.schedule.clone(), counts)).collect();
    let mut set: HashMap<String, StoredOverride> =
        set.into_iter().map(|set| (set.detection.clone(), set)).collect();
    let info = |stored: StoredSchedule| {
        let id = stored.schedule.id.as_str();
        let of = (last.remove(id), counts.remove(id), set.remove(id));
        told(stored, of, now)
    };
    Ok(schedules.into_iter().map(info).collect())
}

fn told(
    stored: StoredSchedule,
    (last, counts, set): (Option<StoredRun>, Option<RunCounts>, Option<StoredOverride>),
    now: Moment,
) -> ScheduleInfo {
    let StoredSchedule { schedule, done, .. } = stored;
    let RunCounts { done: ran, late, failed, skipped, gap, .. } = counts.unwrap_or_default();
    let ScheduleSpec { cron, zone, earliest, latest, window, .. } = schedule.spec.clone();
    // One that cannot be read never fires.
    let next = Schedule::new(schedule.spec).ok().filter(|_| schedule.is_enabled);
    ScheduleInfo {
        id: schedule.id,
        is_enabled: schedule.is_enabled,
        cron,
        zone,
        earliest,
        latest,
        window: window.to_string(),
        done: done.0,
        next: next.and_then(|schedule| schedule.next(now)).map(|next| next.0),
        last: last.map(Run::from),
        counts: Counts { done: ran, late, failed, skipped, gap },
        set: set.map(SetOverride::from),
    }
}

fn list(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let schedules = schedules(&api, &asked).await?;
        Answer::json(&Schedules { schedules })
    })
}

fn get(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let found = schedules(&api, &asked).await?.pop();
        Answer::json(&found.ok_or_else(|| ApiError::not_found("schedule", asked.part("id")))?)
    })
}

fn runs(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let id = asked.part("id").to_owned();
        let after = asked.text("cursor").map(|cursor| {
            let parts = cursor.split_once('.');
            let parts = parts.and_then(|(nominal, attempt)| {
                Some((Moment(nominal.parse().ok()?), attempt.parse().ok()?))
            });
            parts.ok_or_else(|| ApiError::parameter("cursor", "`next` of the page before", cursor))
        });
        let filter = RunFilter {
            since: asked.time("since"),
            statuses: asked.words("status").into_iter().filter_map(words::run).collect(),
            after: after.transpose()?,
        };
        let most = asked.number("limit").map_or(ROWS, |limit| limit as usize);
        let found = api.readers.read(move |reader| {
            let runs = reader.runs_of(&id, &filter, most)?;
            // The runs of a schedule that was removed are kept.
            if runs.rows.is_empty()
                && !reader.schedules()?.iter().any(|found| found.schedule.id == id)
            {
                return Err(StoreError::NoSchedule { id });
            }
            Ok(runs)
        });
        let Rows { rows, more } = found.await?;
        let next = rows.last().filter(|_| more);
        let next = next.map(|last| format!("{}.{}", last.nominal.0, last.attempt));
        Answer::json(&Runs { runs: rows.into_iter().map(Run::from).collect(), next })
    })
}

/// Checks that there is a reason.
fn reasoned(reason: &str) -> Result<(), ApiError> {
    if reason.trim().is_empty() || reason.len() > MAX_BYTES {
        let expected = format!("a text of 1 to {MAX_BYTES} bytes");
        return Err(ApiError::parameter("reason", &expected, reason));
    }
    Ok(())
}

fn set(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let NewOverride { is_enabled, cron, earliest, latest, window, reason } = asked.json()?;
        reasoned(&reason)?;
        let set = Override { is_enabled, cron, earliest, latest, window, reason };
        let id = asked.part("id").to_owned();
        let (who, now) = (asked.who, api.now());
        let (wanted, checked) = (id.clone(), set.clone());
        let applied = api.readers.read(move |reader| {
            let mut all = reader.schedules()?.into_iter();
            let found = all.find(|found| found.schedule.id == wanted);
            let found = found.ok_or(StoreError::NoSchedule { id: wanted })?;
            Ok(checked.applied_to(found.schedule.stated(), now))
        });
        if let Err(error) = applied.await? {
            return Err(ApiError::new(Code::BadParameter, error.to_string()));
        }
        api.readers.change(move |desk| desk.set_override(&id, &set, &who, now)).await?;
        Ok(Answer::empty())
    })
}

fn clear(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let id = asked.part("id").to_owned();
        let name = id.clone();
        if api.readers.change(move |desk| desk.clear_override(&name)).await? {
            Ok(Answer::empty())
        } else {
            Err(ApiError::not_found("override of the schedule", &id))
        }
    })
}

fn enable(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(switch(api, asked, true))
}

fn disable(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(switch(api, asked, false))
}

/// Turns a schedule on or off; whatever else is set for it stays.
async fn switch(api: Arc<Api>, asked: Asked, is_enabled: bool) -> Result<Answer, ApiError> {
    let Switch { reason } = asked.json()?;
    reasoned(&reason)?;
    let id = asked.part("id").to_owned();
    let (who, now) = (asked.who, api.now());
    let changed = api.readers.change(move |desk| {
        let reader = desk.reader();
        if !reader.schedules()?.iter().any(|found| found.schedule.id == id) {
            return Err(StoreError::NoSchedule { id });
        }
        let set = reader.overrides()?.into_iter().find(|found| found.detection == id);
        let set = set.map(|found| found.set).unwrap_or_default();
        let set = Override { is_enabled: Some(is_enabled), reason, ..set };
        desk.set_override(&id, &set, &who, now)
    });
    changed.await?;
    Ok(Answer::empty())
}

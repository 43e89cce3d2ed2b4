//! Operations on the allow-list: list it, add to it, turn entries on and off, remove them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;
use spilltrail_store::{AllowCondition, AllowEntry, AllowError, AllowRule};
use utoipa::ToSchema;

use super::Api;
use super::errors::{ApiError, Code};
use super::operation::{Answer, Answering, Content, Kind, Method, Operation, Parameter, Type};
use super::request::Asked;

const ID: Parameter =
    Parameter::path("id", Kind::Number(0, i64::MAX as u64), "The id of the entry.");

/// A field of results with the value that is harmless.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AllowedCondition {
    /// The field.
    #[schema(min_length = 1)]
    field: String,
    /// A pattern of the value, or a network.
    #[schema(min_length = 1)]
    value: String,
}

/// An entry of the allow-list.
#[derive(Debug, Serialize, ToSchema)]
struct Allowed {
    /// The id.
    id: i64,
    /// A pattern of the id or the name of detections.
    detection: String,
    /// What the results of the findings look like: all conditions hold.
    conditions: Vec<AllowedCondition>,
    /// Who answers for it.
    owner: String,
    /// Why it is.
    reason: String,
    /// The time of the first findings that it hides.
    starts: Option<i64>,
    /// The time from which on it hides no finding.
    expires: Option<i64>,
    /// When it was added.
    created: i64,
    /// False if it is turned off.
    is_enabled: bool,
    /// True if it hides findings of the present.
    is_active: bool,
    /// When it was removed.
    removed: Option<i64>,
    /// How many findings it hid, counting each attempt at a run.
    hits: u64,
    /// When the run started in which it last hid one.
    last_hit: Option<i64>,
}

impl Allowed {
    fn new(entry: AllowEntry, now: Moment) -> Self {
        let is_active = entry.is_active(now);
        let AllowEntry { id, rule, created, is_enabled, removed, hits, last_hit } = entry;
        let AllowRule { detection, conditions, owner, reason, starts, expires } = rule;
        let condition = |AllowCondition { field, value }| AllowedCondition { field, value };
        Self {
            id,
            detection,
            conditions: conditions.into_iter().map(condition).collect(),
            owner,
            reason,
            starts: starts.map(|moment| moment.0),
            expires: expires.map(|moment| moment.0),
            created: created.0,
            is_enabled,
            is_active,
            removed: removed.map(|moment| moment.0),
            hits,
            last_hit: last_hit.map(|moment| moment.0),
        }
    }
}

/// The allow-list.
#[derive(Debug, Serialize, ToSchema)]
struct AllowList {
    /// The entries, ordered by id.
    entries: Vec<Allowed>,
}

/// An entry to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewAllowed {
    /// A pattern of the id or the name of detections.
    #[schema(min_length = 1)]
    detection: String,
    /// What the results of the findings look like: all conditions hold.
    #[schema(min_items = 1, max_items = 20)]
    conditions: Vec<AllowedCondition>,
    /// Who answers for it.
    #[schema(min_length = 1)]
    owner: String,
    /// Why it is.
    #[schema(min_length = 1)]
    reason: String,
    /// The time of the first findings that it hides; all before its end if it is left out.
    #[serde(default)]
    starts: Option<i64>,
    /// The time from which on it hides no finding; it does not end if it is left out.
    #[serde(default)]
    expires: Option<i64>,
}

/// The id of an entry that was added.
#[derive(Debug, Serialize, ToSchema)]
struct Added {
    /// The id.
    id: i64,
}

/// A change of an entry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AllowedChange {
    /// Whether it hides anything.
    is_enabled: bool,
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "allow-list",
        summary: "List what is known and meant, and hides findings",
        parameters: &[Parameter::query(
            "removed",
            Kind::Flag,
            "Whether removed entries are listed.",
        )],
        ..Operation::get(
            "/api/v1/allow",
            "list_allowed",
            Content::Json(Type::of::<AllowList>()),
            list,
        )
    },
    Operation {
        method: Method::Post,
        tag: "allow-list",
        summary: "Add an entry, which hides findings of runs from now on",
        body: Some(Type::of::<NewAllowed>()),
        success: (201, Content::Json(Type::of::<Added>())),
        ..Operation::get("/api/v1/allow", "add_allowed", Content::Empty, add)
    },
    Operation {
        method: Method::Patch,
        tag: "allow-list",
        summary: "Turn an entry on or off",
        parameters: &[ID],
        body: Some(Type::of::<AllowedChange>()),
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/allow/{id}", "change_allowed", Content::Empty, change)
    },
    Operation {
        method: Method::Delete,
        tag: "allow-list",
        summary: "Remove an entry; it stays to be read by who wonders what it hid",
        parameters: &[ID],
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/allow/{id}", "remove_allowed", Content::Empty, remove)
    },
];

fn list(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let has_removed = asked.flag("removed").unwrap_or(false);
        let entries = api.readers.read(move |reader| reader.allow_list(has_removed)).await?;
        let now = api.now();
        let entries = entries.into_iter().map(|entry| Allowed::new(entry, now)).collect();
        Answer::json(&AllowList { entries })
    })
}

fn add(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let NewAllowed { detection, conditions, owner, reason, starts, expires } = asked.json()?;
        let now = api.now();
        let condition = |AllowedCondition { field, value }| AllowCondition { field, value };
        let conditions = conditions.into_iter().map(condition).collect();
        let (starts, expires) = (starts.map(Moment), expires.map(Moment));
        let rule = AllowRule { detection, conditions, owner, reason, starts, expires };
        let bad = |error: AllowError| ApiError::new(Code::BadParameter, error.to_string());
        rule.check(now).map_err(bad)?;
        let id = api.readers.change(move |desk| desk.add_allow(&rule, now)).await?;
        Answer::json(&Added { id })
    })
}

/// Returns the id that a path names.
fn id(asked: &Asked) -> i64 {
    asked.number("id").and_then(|id| i64::try_from(id).ok()).unwrap_or_default()
}

fn change(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let AllowedChange { is_enabled } = asked.json()?;
        let id = id(&asked);
        api.readers.change(move |desk| desk.enable_allow(id, is_enabled)).await?;
        Ok(Answer::empty())
    })
}

fn remove(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let (id, now) = (id(&asked), api.now());
        api.readers.change(move |desk| desk.remove_allow(id, now)).await?;
        Ok(Answer::empty())
    })
}

//! Operations on findings: list them, read one, change several, comment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use spilltrail_store::{
    Change, Cursor, Details, Filter, HistoryEntry, Listed, Rows, Span, StoreError, StoreReader,
    Suppressed,
};
use utoipa::ToSchema;

use super::Api;
use super::errors::{ApiError, Code};
use super::operation::{
    Answer, Answering, Content, Kind, Method, Operation, Parameter, Type, stored_json,
};
use super::outputs::Delivery;
use super::request::Asked;
use super::words::{self, DISPOSITIONS, LEVELS, SUPPRESSED, TRIAGE, word};

/// The most bytes of a pattern or a name.
const NAME: Kind = Kind::Text(500);

/// The findings of a page if the request does not say how many.
const FINDINGS: usize = 50;

/// The most findings of a page.
const MOST: u64 = 1000;

/// The most findings that are changed at once.
const MOST_IDS: usize = 1000;

/// The most bytes of a comment.
const MAX_COMMENT_BYTES: usize = 16 << 10;

/// The most bytes of an owner.
const MAX_OWNER_BYTES: usize = 200;

const ID: Parameter = Parameter::path("id", NAME, "The id, or its first characters, at least six.");

/// A finding in a list: its id, with what the newest run that found it says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Finding {
    /// The id.
    id: String,
    /// The id of the detection.
    detection: String,
    /// The name of the detection.
    name: String,
    /// The title, or the risk message.
    title: String,
    /// True if it is a notable.
    is_notable: bool,
    /// The nominal time of the newest run that found it.
    nominal: i64,
    /// The nominal time of the oldest run that found it, of those that are kept.
    first: i64,
    /// How many runs found it, of those that are kept.
    runs: u64,
    /// When it happened.
    time: Option<f64>,
    /// What it is about.
    entity: Option<String>,
    /// The risk score.
    score: Option<f64>,
    /// The severity.
    severity: &'static str,
    /// The priority of what it is about.
    priority: &'static str,
    /// The urgency, as somebody has set it or else as it is computed.
    urgency: &'static str,
    /// True if somebody has set the urgency.
    is_urgency_set: bool,
    /// Whether the newest run that found it found it anew, changed it or withdrew it.
    state: &'static str,
    /// The id of the entry of the allow-list that hides it; 0 for one of the configuration file.
    suppressed_by: Option<i64>,
    /// How far somebody has come with it.
    status: &'static str,
    /// Who looks into it.
    owner: Option<String>,
    /// What it turned out to be.
    disposition: &'static str,
    /// When somebody last changed it, or commented on it.
    changed: Option<i64>,
    /// True if it is resolved or closed, and was found with another content since.
    changed_since: bool,
}

impl From<Listed> for Finding {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            detection: listed.detection,
            name: listed.name,
            title: listed.title,
            is_notable: listed.is_notable,
            nominal: listed.nominal.0,
            first: listed.first.0,
            runs: listed.runs,
            time: listed.time,
            entity: listed.entity,
            score: listed.score,
            severity: listed.severity.name(),
            priority: listed.priority.name(),
            urgency: listed.urgency.name(),
            is_urgency_set: listed.triage.urgency.is_some(),
            state: listed.state.name(),
            suppressed_by: listed.suppressed_by,
            status: listed.triage.status.name(),
            owner: listed.triage.owner,
            disposition: listed.triage.disposition.name(),
            changed: listed.triage.changed.map(|changed| changed.0),
            changed_since: listed.changed_since,
        }
    }
}

/// A page of findings, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct Findings {
    /// The findings.
    findings: Vec<Finding>,
    /// How many findings the list has on all pages.
    total: u64,
    /// The `cursor` of the next page, if there is one.
    next: Option<String>,
}

/// All there is about a finding.
#[derive(Debug, Serialize, ToSchema)]
struct FindingDetails {
    /// The finding, as lists show it.
    finding: Finding,
    /// All that its detection has said about it.
    body: Value,
    /// The runs that found it, newest first, at most 1000.
    sightings: Vec<Sighting>,
    /// What was changed and said, newest first, at most 1000 entries.
    history: Vec<Entry>,
    /// Where it was sent, the newest first, at most 1000 deliveries.
    deliveries: Vec<Delivery>,
    /// Which of these lists go on.
    more: MoreDetails,
}

/// Which lists of a finding are longer than what is told of them.
#[derive(Debug, Serialize, ToSchema)]
struct MoreDetails {
    /// True if more runs found it, earlier.
    sightings: bool,
    /// True if the history has more entries, which are older.
    history: bool,
    /// True if it has more deliveries, which are older.
    deliveries: bool,
}

/// A run that found a finding.
#[derive(Debug, Serialize, ToSchema)]
struct Sighting {
    /// The id of the detection.
    detection: String,
    /// The nominal time of the run.
    nominal: i64,
    /// The attempt that found it as it is, or that withdrew it.
    attempt: u32,
    /// What the last attempt said about it: `new`, `changed` or `withdrawn`.
    state: &'static str,
    /// The id of the entry of the allow-list that hides it; 0 for one of the configuration file.
    suppressed_by: Option<i64>,
}

/// An entry of the history of a finding.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    /// Its number. Later entries have higher ones.
    number: i64,
    /// When it was.
    time: i64,
    /// Who it was.
    who: String,
    /// What has changed.
    #[schema(value_type = Vec<Step>)]
    steps: Vec<spilltrail_store::Step>,
    /// What there was to say.
    comment: Option<String>,
}

/// What has changed.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    /// `status`, `owner`, `urgency` or `disposition`.
    what: String,
    /// What it was.
    from: Option<String>,
    /// What it is.
    to: Option<String>,
}

impl From<HistoryEntry> for Entry {
    fn from(entry: HistoryEntry) -> Self {
        let HistoryEntry { number, time, who, steps, comment } = entry;
        Self { number, time: time.0, who, steps, comment }
    }
}

/// The history of a finding, or its comments.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// The entries, newest first, at most 1000.
    history: Vec<Entry>,
    /// True if there are more, which are older.
    more: bool,
}

/// A change of findings. What is missing stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FindingChange {
    /// The complete ids, at most 1000.
    #[schema(min_items = 1)]
    ids: Vec<String>,
    /// `new`, `in-progress`, `pending`, `resolved` or `closed`.
    #[serde(default)]
    status: Option<String>,
    /// Who looks into them; empty for nobody.
    #[serde(default)]
    owner: Option<String>,
    /// `informational` to `critical`, or `computed` for the one that follows from severity and priority.
    #[serde(default)]
    urgency: Option<String>,
    /// What they turned out to be.
    #[serde(default)]
    disposition: Option<String>,
    /// What there is to say.
    #[serde(default)]
    comment: Option<String>,
}

/// What there is to say about a finding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewComment {
    /// The comment.
    #[schema(min_length = 1)]
    comment: String,
}

/// How much has changed.
#[derive(Debug, Serialize, ToSchema)]
struct Changed {
    /// How many findings are not as they were, or have a new comment.
    changed: usize,
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "findings",
        summary: "List findings, newest first: notables that are not closed, unless it says otherwise",
        parameters: &[
            Parameter::query(
                "all",
                Kind::Flag,
                "Whether findings that are no notables are listed.",
            ),
            Parameter::query("status", Kind::Choices(TRIAGE), "All but `closed` if it is missing."),
            Parameter::query("owner", NAME, "Who looks into them."),
            Parameter::query("unassigned", Kind::Flag, "Only those that nobody looks into."),
            Parameter::query(
                "detection",
                NAME,
                "A pattern of the id or the name of the detection.",
            ),
            Parameter::query("urgency", Kind::Choice(LEVELS), "The lowest urgency."),
            Parameter::query("severity", Kind::Choice(LEVELS), "The lowest severity."),
            Parameter::query("entity", NAME, "A pattern of what they are about."),
            Parameter::query("since", Kind::Time, "They happened then or later."),
            Parameter::query("until", Kind::Time, "They happened before."),
            Parameter::query("found_since", Kind::Time, "The newest run is of then or later."),
            Parameter::query("found_until", Kind::Time, "The newest run is of before."),
            Parameter::query("withdrawn", Kind::Flag, "Whether withdrawn ones are listed."),
            Parameter::query("suppressed", Kind::Choice(SUPPRESSED), "`hide` if it is missing."),
            Parameter::query("text", NAME, "A text in the title."),
            Parameter::query("limit", Kind::Number(1, MOST), "The most findings; 50 if missing."),
            Parameter::query("cursor", Kind::Text(1000), "`next` of the page before."),
        ],
        ..Operation::get(
            "/api/v1/findings",
            "list_findings",
            Content::Json(Type::of::<Findings>()),
            list,
        )
    },
    Operation {
        method: Method::Patch,
        tag: "findings",
        summary: "Change the triage of findings: all of them, or none",
        body: Some(Type::of::<FindingChange>()),
        success: (200, Content::Json(Type::of::<Changed>())),
        errors: &[Code::BadRequest, Code::NotFound],
        ..Operation::get("/api/v1/findings", "change_findings", Content::Empty, change)
    },
    Operation {
        tag: "findings",
        summary: "Read a finding",
        parameters: &[ID],
        errors: &[Code::BadRequest],
        ..Operation::get(
            "/api/v1/findings/{id}",
            "get_finding",
            Content::Json(Type::of::<FindingDetails>()),
            get,
        )
    },
    Operation {
        tag: "findings",
        summary: "Read the history of a finding",
        parameters: &[ID],
        errors: &[Code::BadRequest],
        ..Operation::get(
            "/api/v1/findings/{id}/history",
            "get_finding_history",
            Content::Json(Type::of::<History>()),
            history,
        )
    },
    Operation {
        tag: "findings",
        summary: "Read what was said about a finding",
        parameters: &[ID],
        errors: &[Code::BadRequest],
        ..Operation::get(
            "/api/v1/findings/{id}/comments",
            "get_finding_comments",
            Content::Json(Type::of::<History>()),
            comments,
        )
    },
    Operation {
        method: Method::Post,
        tag: "findings",
        summary: "Say something about a finding",
        parameters: &[ID],
        body: Some(Type::of::<NewComment>()),
        success: (201, Content::Json(Type::of::<Changed>())),
        errors: &[Code::BadRequest],
        ..Operation::get(
            "/api/v1/findings/{id}/comments",
            "comment_finding",
            Content::Empty,
            comment,
        )
    },
];

fn filter(asked: &Asked) -> Result<Filter, ApiError> {
    let text = |name| asked.text(name).map(str::to_owned);
    let is_unassigned = asked.flag("unassigned").unwrap_or(false);
    if is_unassigned && asked.text("owner").is_some() {
        let message = "`owner` and `unassigned` exclude each other";
        return Err(ApiError::new(Code::BadParameter, message));
    }
    Ok(Filter {
        is_all: asked.flag("all").unwrap_or(false),
        statuses: asked.words("status").into_iter().filter_map(words::triage).collect(),
        owner: if is_unassigned { Some(String::new()) } else { text("owner") },
        detection: text("detection"),
        urgency: asked.text("urgency").and_then(words::level),
        severity: asked.text("severity").and_then(words::level),
        entity: text("entity"),
        happened: Span { since: asked.time("since"), until: asked.time("until") },
        found: Span { since: asked.time("found_since"), until: asked.time("found_until") },
        has_withdrawn: asked.flag("withdrawn").unwrap_or(false),
        suppressed: match asked.text("suppressed") {
            Some("show") => Suppressed::Show,
            Some("only") => Suppressed::Only,
            _ => Suppressed::Hide,
        },
        text: text("text"),
    })
}

fn list(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let filter = filter(&asked)?;
        let most = asked.number("limit").map_or(FINDINGS, |limit| limit as usize);
        let cursor = asked.text("cursor").map(|text| {
            let bad = |error: StoreError| ApiError::new(Code::BadParameter, error.to_string());
            text.parse::<Cursor>().map_err(bad)
        });
        let cursor = cursor.transpose()?;
        let page = api.readers.read(move |reader| reader.list(&filter, cursor.as_ref(), most));
        let page = page.await?;
        Answer::json(&Findings {
            findings: page.rows.into_iter().map(Finding::from).collect(),
            total: page.total,
            next: page.next.map(|next| next.to_string()),
        })
    })
}

/// Reads all there is about the finding that a path names.
async fn details(api: &Api, asked: &Asked) -> Result<Details, ApiError> {
    let id = asked.part("id").to_owned();
    let found = api.readers.read(move |reader| {
        let id = reader.resolve(&id)?;
        // It may have been removed meanwhile.
        reader.finding(&id)?.ok_or_else(|| StoreError::NoFinding { ids: vec![id] })
    });
    found.await
}

fn get(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let Details { listed, newest, sightings, history, deliveries, more } =
            details(&api, &asked).await?;
        let sighting = |found: spilltrail_store::Sighting| Sighting {
            detection: found.detection,
            nominal: found.nominal.0,
            attempt: found.attempt,
            state: found.state.name(),
            suppressed_by: found.suppressed_by,
        };
        Answer::json(&FindingDetails {
            finding: listed.into(),
            body: stored_json(&newest.finding.body),
            sightings: sightings.into_iter().map(sighting).collect(),
            history: history.into_iter().map(Entry::from).collect(),
            deliveries: deliveries.into_iter().map(Delivery::from).collect(),
            more: MoreDetails {
                sightings: more.sightings,
                history: more.history,
                deliveries: more.deliveries,
            },
        })
    })
}

/// Reads entries of the history of the finding that a path names.
fn said(
    api: Arc<Api>,
    asked: Asked,
    read: fn(&StoreReader, &str) -> Result<Rows<HistoryEntry>, StoreError>,
) -> Answering {
    Box::pin(async move {
        let id = asked.part("id").to_owned();
        let found = api.readers.read(move |reader| read(reader, &reader.resolve(&id)?));
        let Rows { rows, more } = found.await?;
        Answer::json(&History { history: rows.into_iter().map(Entry::from).collect(), more })
    })
}

fn history(api: Arc<Api>, asked: Asked) -> Answering {
    said(api, asked, StoreReader::history)
}

fn comments(api: Arc<Api>, asked: Asked) -> Answering {
    said(api, asked, StoreReader::comments)
}

fn change(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let FindingChange { ids, status, owner, urgency, disposition, comment } = asked.json()?;
        if ids.is_empty() || ids.len() > MOST_IDS {
            let expected = format!("1 to {MOST_IDS} ids");
            return Err(ApiError::parameter("ids", &expected, &ids.len().to_string()));
        }
        let status = status.map(|text| word("status", TRIAGE, words::triage, &text)).transpose()?;
        let disposition = disposition
            .map(|text| word("disposition", DISPOSITIONS, words::disposition, &text))
            .transpose()?;
        let urgency = urgency.map(|text| match text.as_str() {
            "computed" => Ok(None),
            text => word("urgency", LEVELS, words::level, text).map(Some),
        });
        for (name, text, most) in
            [("owner", &owner, MAX_OWNER_BYTES), ("comment", &comment, MAX_COMMENT_BYTES)]
        {
            if let Some(text) = text.as_ref().filter(|text| text.len() > most) {
                return Err(ApiError::parameter(name, &format!("at most {most} bytes"), text));
            }
        }
        let change = Change { status, owner, urgency: urgency.transpose()?, disposition, comment };
        let (who, now) = (asked.who, api.now());
        let changed = api.readers.change(move |desk| desk.change(&ids, &change, &who, now));
        Answer::json(&Changed { changed: changed.await? })
    })
}

fn comment(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let NewComment { comment } = asked.json()?;
        if comment.trim().is_empty() || comment.len() > MAX_COMMENT_BYTES {
            let expected = format!("a text of 1 to {MAX_COMMENT_BYTES} bytes");
            return Err(ApiError::parameter("comment", &expected, &comment));
        }
        let id = asked.part("id").to_owned();
        let (who, now) = (asked.who, api.now());
        let changed = api.readers.change(move |desk| {
            let id = desk.reader().resolve(&id)?;
            let change = Change { comment: Some(comment), ..Change::default() };
            desk.change(&[id], &change, &who, now)
        });
        Answer::json(&Changed { changed: changed.await? })
    })
}

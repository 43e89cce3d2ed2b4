//! Operations on risk: objects by their score, and what an object's score is made of.

use std::sync::Arc;

use serde::Serialize;
use spilltrail_schedule::Moment;
use spilltrail_store::{RiskFilter, Rows};
use utoipa::ToSchema;

use super::Api;
use super::operation::{Answer, Answering, Content, Kind, Operation, Parameter, Type};
use super::request::Asked;

/// The seconds that are looked at if the request does not say since when: seven days.
const SPAN: i64 = 7 * 24 * 60 * 60;

/// The objects or events that are answered if the request does not say how many.
const ROWS: usize = 100;

/// The most of them.
const MOST: u64 = 1000;

const NAME: Kind = Kind::Text(500);

const SINCE: Parameter =
    Parameter::query("since", Kind::Time, "Events from then on; seven days ago if it is missing.");

/// The risk of an object over some time.
#[derive(Debug, Serialize, ToSchema)]
struct RiskObject {
    /// The object.
    object: String,
    /// Its type, such as `user`.
    object_type: String,
    /// The sum of the scores.
    score: f64,
    /// The number of risk events.
    events: u64,
    /// The number of detections that raised them.
    detections: u64,
    /// The number of tactics that these have.
    tactics: u64,
    /// The time of the first event.
    first: f64,
    /// The time of the last event.
    last: f64,
}

/// The risk of objects, the highest first.
#[derive(Debug, Serialize, ToSchema)]
struct RiskObjects {
    /// The objects.
    objects: Vec<RiskObject>,
    /// True if there are more, with the same risk or less.
    more: bool,
}

/// A risk event.
#[derive(Debug, Serialize, ToSchema)]
struct RiskEvent {
    /// The id of the finding that raised it.
    finding: String,
    /// The id of the detection.
    detection: String,
    /// The name of the detection.
    name: String,
    /// The title of the finding.
    title: String,
    /// The nominal time of the run.
    nominal: i64,
    /// When it happened.
    time: f64,
    /// The type of the object.
    object_type: String,
    /// What it adds to the score.
    score: f64,
    /// The ids of the tactics.
    tactics: Vec<String>,
    /// The ids of the techniques.
    techniques: Vec<String>,
}

/// The risk events of an object, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct RiskEvents {
    /// The object.
    object: String,
    /// The events.
    events: Vec<RiskEvent>,
    /// True if there are more, which are older.
    more: bool,
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "risk",
        summary: "List objects by their risk, the highest first",
        parameters: &[
            SINCE,
            Parameter::query("until", Kind::Time, "Events before; now if it is missing."),
            Parameter::query("object", NAME, "A pattern of the object."),
            Parameter::query("type", NAME, "The type of the object, such as `user`."),
            Parameter::query("detection", NAME, "A pattern of the detections that count."),
            Parameter::query("least", Kind::Score, "The lowest score of an object."),
            Parameter::query("limit", Kind::Number(1, MOST), "The most objects; 100 if missing."),
        ],
        errors: &[super::errors::Code::BadRequest],
        ..Operation::get(
            "/api/v1/risk",
            "list_risk",
            Content::Json(Type::of::<RiskObjects>()),
            list,
        )
    },
    Operation {
        tag: "risk",
        summary: "Read what the risk of an object is made of, newest first",
        parameters: &[
            Parameter::path("object", NAME, "The object."),
            SINCE,
            Parameter::query("limit", Kind::Number(1, MOST), "The most events; 100 if missing."),
        ],
        ..Operation::get(
            "/api/v1/risk/{object}",
            "get_risk",
            Content::Json(Type::of::<RiskEvents>()),
            get,
        )
    },
];

fn list(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let now = api.now();
        let since = asked.time("since").unwrap_or(now.plus(-SPAN));
        let until = asked.time("until").unwrap_or(now.plus(1));
        let text = |name| asked.text(name).map(str::to_owned);
        let filter = RiskFilter {
            object: text("object"),
            object_type: text("type"),
            detection: text("detection"),
            least: asked.score("least"),
        };
        let most = asked.number("limit").map_or(ROWS, |limit| limit as usize);
        let found = api.readers.read(move |reader| reader.risk(since, until, &filter, most));
        let object = |found: spilltrail_store::ObjectRisk| RiskObject {
            object: found.object,
            object_type: found.object_type,
            score: found.score,
            events: found.events,
            detections: found.detections,
            tactics: found.tactics,
            first: found.first,
            last: found.last,
        };
        let Rows { rows, more } = found.await?;
        Answer::json(&RiskObjects { objects: rows.into_iter().map(object).collect(), more })
    })
}

fn get(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let object = asked.part("object").to_owned();
        let since: Moment = asked.time("since").unwrap_or(api.now().plus(-SPAN));
        let most = asked.number("limit").map_or(ROWS, |limit| limit as usize);
        let name = object.clone();
        let found = api.readers.read(move |reader| reader.risk_of(&name, since, most));
        let event = |found: spilltrail_store::RiskEvent| RiskEvent {
            finding: found.finding,
            detection: found.detection,
            name: found.name,
            title: found.title,
            nominal: found.nominal.0,
            time: found.time,
            object_type: found.risk.object_type,
            score: found.risk.score,
            tactics: found.risk.tactics,
            techniques: found.risk.techniques,
        };
        let Rows { rows, more } = found.await?;
        let events = rows.into_iter().map(event).collect();
        Answer::json(&RiskEvents { object, events, more })
    })
}

//! Operations on outputs: how far each is, what was sent, what is to be sent again.

use std::sync::Arc;

use serde::Serialize;
use spilltrail_store::{Delivery as Stored, DeliveryFilter, Rows};
use utoipa::ToSchema;

use super::Api;
use super::errors::ApiError;
use super::operation::{Answer, Answering, Content, Kind, Method, Operation, Parameter, Type};
use super::request::Asked;
use super::words::{self, DELIVERIES};

/// The deliveries of a page if the request does not say how many.
const ROWS: usize = 100;

/// The most deliveries of a page.
const MOST: u64 = 1000;

const NAME: Kind = Kind::Text(500);

/// An output.
#[derive(Debug, Serialize, ToSchema)]
struct Output {
    /// The name.
    name: String,
    /// The number of the last entry of the outbox that was queued for it, or passed over.
    position: u64,
}

/// The outputs.
#[derive(Debug, Serialize, ToSchema)]
struct Outputs {
    /// The outputs, ordered by name.
    outputs: Vec<Output>,
    /// The number of the last entry of the outbox.
    end: u64,
}

/// A delivery of a finding to an output.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Delivery {
    /// The name of the output.
    output: String,
    /// The number of the entry of the outbox.
    seq: u64,
    /// The id of the finding.
    finding: String,
    /// How far it is.
    state: &'static str,
    /// How often it was tried, since it was queued or repeated.
    attempts: u32,
    /// When it is to be tried next, if it waits.
    next: i64,
    /// When it was queued, tried or repeated last.
    changed: i64,
    /// The status of the last response.
    status: Option<u16>,
    /// What went wrong the last time.
    error: Option<String>,
}

impl From<Stored> for Delivery {
    fn from(stored: Stored) -> Self {
        let Stored { output, seq, id, state, attempts, next, changed, status, error } = stored;
        Self {
            output,
            seq,
            finding: id,
            state: state.name(),
            attempts,
            next: next.0,
            changed: changed.0,
            status,
            error,
        }
    }
}

/// A page of deliveries, those of the newest entries first.
#[derive(Debug, Serialize, ToSchema)]
struct Deliveries {
    /// The deliveries.
    deliveries: Vec<Delivery>,
    /// The `cursor` of the next page, if there is one.
    next: Option<String>,
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "outputs",
        summary: "List outputs, and how far they are",
        ..Operation::get(
            "/api/v1/outputs",
            "list_outputs",
            Content::Json(Type::of::<Outputs>()),
            list,
        )
    },
    Operation {
        tag: "outputs",
        summary: "List deliveries, those of the newest findings first",
        parameters: &[
            Parameter::query("output", NAME, "The name of the output."),
            Parameter::query("state", Kind::Choice(DELIVERIES), "How far they are."),
            Parameter::query("finding", NAME, "The complete id of the finding."),
            Parameter::query(
                "limit",
                Kind::Number(1, MOST),
                "The most deliveries; 100 if missing.",
            ),
            Parameter::query("cursor", Kind::Text(1000), "`next` of the page before."),
        ],
        ..Operation::get(
            "/api/v1/deliveries",
            "list_deliveries",
            Content::Json(Type::of::<Deliveries>()),
            deliveries,
        )
    },
    Operation {
        method: Method::Post,
        tag: "outputs",
        summary: "Make a delivery again, or at once if it waits",
        parameters: &[
            Parameter::path("output", NAME, "The name of the output."),
            Parameter::path("seq", Kind::Number(0, i64::MAX as u64), "The number of the entry."),
        ],
        success: (204, Content::Empty),
        ..Operation::get(
            "/api/v1/outputs/{output}/deliveries/{seq}/repeat",
            "repeat_delivery",
            Content::Empty,
            repeat,
        )
    },
];

fn list(api: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async move {
        let found = api.readers.read(|reader| Ok((reader.outputs()?, reader.outbox_end()?)));
        let (outputs, end) = found.await?;
        let outputs = outputs.into_iter().map(|(name, position)| Output { name, position });
        Answer::json(&Outputs { outputs: outputs.collect(), end })
    })
}

fn deliveries(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let text = |name| asked.text(name).map(str::to_owned);
        let after = asked.text("cursor").map(|cursor| {
            let parts = cursor.split_once('.');
            let parts =
                parts.and_then(|(seq, output)| Some((seq.parse().ok()?, output.to_owned())));
            parts.ok_or_else(|| ApiError::parameter("cursor", "`next` of the page before", cursor))
        });
        let filter = DeliveryFilter {
            output: text("output"),
            state: asked.text("state").and_then(words::delivery),
            finding: text("finding"),
            after: after.transpose()?,
        };
        let most = asked.number("limit").map_or(ROWS, |limit| limit as usize);
        let found = api.readers.read(move |reader| reader.deliveries(&filter, most));
        let Rows { rows, more } = found.await?;
        let next = rows.last().filter(|_| more);
        let next = next.map(|last| format!("{}.{}", last.seq, last.output));
        let deliveries = rows.into_iter().map(Delivery::from).collect();
        Answer::json(&Deliveries { deliveries, next })
    })
}

fn repeat(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let output = asked.part("output").to_owned();
        let (seq, now) = (asked.number("seq").unwrap_or_default(), api.now());
        api.readers.change(move |desk| desk.repeat(&output, seq, now)).await?;
        Ok(Answer::empty())
    })
}

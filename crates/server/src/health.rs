//! How the server is, for those who watch it.
//!
//! | Path | Who may ask | What it tells |
//! |---|---|---|
//! | `/healthz` | everybody | that the process answers |
//! | `/readyz` | everybody | whether each part can do its work; 503 if one cannot |
//! | `/metrics` | whoever has the token, and programs of this machine | counters |
//!
//! Probes have no token, and name the server as they like. Why a part is not ready can name files and hosts,
//! so that only those are told who could read the counters. A collector of counters most often runs on the
//! same machine; a request that a proxy has passed on is not one of this machine.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Api;
use crate::api::operation::{Access, Answer, Answering, Body, Content, Operation, Type};
use crate::api::request::Asked;
use crate::metrics::METRICS_TYPE;

/// A part of the server, and whether it can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartState {
    /// The name of the part, such as `log` or `schedules`.
    pub part: String,
    /// True if it can do its work.
    pub ready: bool,
    /// Why it cannot, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// True if the server can do all other work without it, and stays ready.
    #[serde(skip)]
    pub is_beside: bool,
}

impl PartState {
    /// Describes a part by what keeps it from its work, if anything does.
    #[must_use]
    pub fn new(part: impl Into<String>, state: Result<(), String>) -> Self {
        Self { part: part.into(), ready: state.is_ok(), why: state.err(), is_beside: false }
    }

    /// Lets the server be ready without it: whoever asks may send it no events otherwise.
    #[must_use]
    pub fn beside(self) -> Self {
        Self { is_beside: true, ..self }
    }
}

/// Tells whether the server can do its work.
pub trait Readiness: Send + Sync + 'static {
    /// Returns the state of each part, always in the same order. It must not block.
    fn parts(&self) -> Vec<PartState>;
}

/// Whether the server can do its work.
#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    /// True if all parts are ready.
    ready: bool,
    /// The parts.
    parts: Vec<PartState>,
}

/// That the process answers.
#[derive(Debug, Serialize, ToSchema)]
struct Alive {
    /// Always `ok`.
    status: &'static str,
}

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "server",
        summary: "Tell that the process answers",
        access: Access::Open,
        ..Operation::get("/healthz", "health", Content::Json(Type::of::<Alive>()), alive)
    },
    Operation {
        tag: "server",
        summary: "Tell whether each part can do its work",
        access: Access::Open,
        also: Some((503, Type::of::<Ready>())),
        ..Operation::get("/readyz", "ready", Content::Json(Type::of::<Ready>()), ready)
    },
    Operation {
        tag: "server",
        summary: "Show counters, in the text format of Prometheus",
        access: Access::TokenOrLoopback,
        ..Operation::get("/metrics", "metrics", Content::Text, metrics)
    },
];

fn alive(_: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async { Answer::json(&Alive { status: "ok" }) })
}

fn ready(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let mut parts = api.readiness.parts();
        if !asked.is_trusted {
            parts.iter_mut().for_each(|part| part.why = None);
        }
        let ready = parts.iter().all(|part| part.ready || part.is_beside);
        let answer = Answer::json(&Ready { ready, parts })?;
        Ok(Answer { status: (!ready).then_some(503), ..answer })
    })
}

fn metrics(api: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async move {
        Ok(Answer { status: None, body: Body::Text(METRICS_TYPE, api.metrics.text()) })
    })
}

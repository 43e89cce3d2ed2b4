//! Operations on searches: start one, ask how far it is, read its rows, cancel it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::errors::{ApiError, Code};
use super::job::{Job, JobRows, SearchRequest};
use super::operation::{Answer, Answering, Content, Kind, Method, Operation, Parameter, Type};
use super::request::Asked;

/// The most bytes of a search.
const MAX_SEARCH_BYTES: usize = 256 << 10;

/// The most bytes of a time modifier.
const MAX_MODIFIER_BYTES: usize = 200;

/// The rows that are answered if the request does not say how many.
const ROWS: usize = 100;

/// The most rows of an answer.
const MOST_ROWS: u64 = 10_000;

const ID: Parameter = Parameter::path("id", Kind::Text(64), "The id of the search.");

/// A search to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSearch {
    /// The search, in SPL.
    #[schema(min_length = 1)]
    search: String,
    /// The beginning of the time range, such as `-24h@h`; no bound if it is missing.
    #[serde(default)]
    earliest: Option<String>,
    /// The end of the time range, such as `now`.
    #[serde(default)]
    latest: Option<String>,
    /// The most rows that are kept; as many as the server keeps if it is missing.
    #[serde(default)]
    max_rows: Option<usize>,
    /// For how many seconds it may run; as long as the server lets it if it is missing.
    #[serde(default)]
    max_seconds: Option<u32>,
}

/// Searches, the newest first.
#[derive(Debug, Serialize, ToSchema)]
struct JobList {
    /// The searches.
    searches: Vec<Job>,
}

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        tag: "searches",
        summary: "List the searches that wait, run or are kept",
        ..Operation::get(
            "/api/v1/searches",
            "list_searches",
            Content::Json(Type::of::<JobList>()),
            list,
        )
    },
    Operation {
        method: Method::Post,
        tag: "searches",
        summary: "Start a search",
        body: Some(Type::of::<NewSearch>()),
        success: (201, Content::Json(Type::of::<Job>())),
        errors: &[Code::TooManySearches],
        ..Operation::get("/api/v1/searches", "start_search", Content::Empty, start)
    },
    Operation {
        tag: "searches",
        summary: "Tell how far a search is",
        parameters: &[ID],
        ..Operation::get(
            "/api/v1/searches/{id}",
            "get_search",
            Content::Json(Type::of::<Job>()),
            get,
        )
    },
    Operation {
        method: Method::Delete,
        tag: "searches",
        summary: "Cancel a search, and forget its rows",
        parameters: &[ID],
        success: (204, Content::Empty),
        ..Operation::get("/api/v1/searches/{id}", "cancel_search", Content::Empty, cancel)
    },
    Operation {
        tag: "searches",
        summary: "Read the rows that a search has found so far",
        parameters: &[
            ID,
            Parameter::query(
                "offset",
                Kind::Number(0, u32::MAX as u64),
                "The number of the first row, from 0; 0 if it is missing.",
            ),
            Parameter::query(
                "count",
                Kind::Number(0, MOST_ROWS),
                "The most rows of the answer; 100 if it is missing.",
            ),
        ],
        ..Operation::get(
            "/api/v1/searches/{id}/rows",
            "get_search_rows",
            Content::Json(Type::of::<JobRows>()),
            rows,
        )
    },
];

fn list(api: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async move { Answer::json(&JobList { searches: api.jobs.list() }) })
}

fn start(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let NewSearch { search, earliest, latest, max_rows, max_seconds } = asked.json()?;
        if search.trim().is_empty() || search.len() > MAX_SEARCH_BYTES {
            let expected = format!("a search of 1 to {MAX_SEARCH_BYTES} bytes");
            return Err(ApiError::parameter("search", &expected, &search));
        }
        for (name, modifier) in [("earliest", &earliest), ("latest", &latest)] {
            if let Some(found) = modifier.as_ref().filter(|text| text.len() > MAX_MODIFIER_BYTES) {
                let expected = format!("a time modifier of up to {MAX_MODIFIER_BYTES} bytes");
                return Err(ApiError::parameter(name, &expected, found));
            }
        }
        if max_rows == Some(0) {
            return Err(ApiError::parameter("max_rows", "a number from 1", "0"));
        }
        let max_rows = max_rows.unwrap_or(usize::MAX);
        let max_time = max_seconds.map_or(Duration::MAX, |most| Duration::from_secs(most.into()));
        let request = SearchRequest { search, earliest, latest, max_rows, max_time };
        Answer::json(&api.jobs.start(request, asked.who, api.now())?)
    })
}

fn get(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let id = asked.part("id");
        Answer::json(&api.jobs.get(id).ok_or_else(|| ApiError::not_found("search", id))?)
    })
}

fn cancel(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let id = asked.part("id");
        if api.jobs.remove(id) {
            Ok(Answer::empty())
        } else {
            Err(ApiError::not_found("search", id))
        }
    })
}

fn rows(api: Arc<Api>, asked: Asked) -> Answering {
    Box::pin(async move {
        let id = asked.part("id");
        let number = |name| asked.number(name).and_then(|number| usize::try_from(number).ok());
        let (offset, count) = (number("offset").unwrap_or(0), number("count").unwrap_or(ROWS));
        let rows = api.jobs.rows(id, offset, count);
        Answer::json(&rows.ok_or_else(|| ApiError::not_found("search", id))?)
    })
}

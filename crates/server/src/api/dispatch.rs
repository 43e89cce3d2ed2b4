//! The way of a request: who asks, what for, with which parameters; and that of its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::RequestPartsExt;
use axum::extract::{RawPathParams, Request};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use futures::FutureExt;

use super::Api;
use super::errors::{ApiError, Code};
use super::operation::{Access, Answer, Body, Operation};
use super::request::Asked;
use crate::audit::Change;
use crate::hec::{BodyOptions, BodyReader, Reply};
use crate::ids::RequestId;
use crate::serve::ClientAddress;

/// The header with which a client says who asks.
pub(super) const WHO: &str = "x-spilltrail-user";

/// Who asks if the client does not say.
const NOBODY: &str = "api";

/// The most bytes of who asks.
const MAX_WHO_BYTES: usize = 128;

/// The media type of most answers.
const JSON: &str = "application/json";

/// An answer with what is told about it.
struct Told {
    answer: Result<Answer, ApiError>,
    operation: Option<&'static Operation>,
    /// The methods of the path, if the request has another one.
    allowed: Option<String>,
}

impl Told {
    fn failed(error: ApiError, operation: Option<&'static Operation>) -> Self {
        Self { answer: Err(error), operation, allowed: None }
    }
}

/// Answers a request to a path with these operations; to an unknown path if there are none.
pub(super) async fn answer(
    api: Arc<Api>,
    operations: Arc<[&'static Operation]>,
    request: Request,
) -> Response<axum::body::Body> {
    let started = Instant::now();
    let request_id = api.ids.next();
    let id = request_id.0.as_str();
    let (parts, body) = request.into_parts();
    let method = parts.method.clone();
    let path = parts.uri.path().to_owned();
    let client = ClientAddress::of(&parts.extensions);
    // A bug in one request must not end its connection without an answer.
    let told = AssertUnwindSafe(run(&api, id, &operations, parts, body)).catch_unwind().await;
    let told = told.unwrap_or_else(|_| {
        let error = ApiError::internal(&"it ended with a panic, which is a bug");
        Told::failed(error, operations.first().copied())
    });
    let operation = told.operation.map_or("none", |operation| operation.id);
    let is_open = told.operation.is_some_and(|operation| operation.access == Access::Open);
    if let Err(ApiError { cause: Some(cause), .. }) = &told.answer {
        log::error!("{id}: {method} {path:?} failed: {cause}");
    }
    let response = response(&request_id, told);
    let status = response.status().as_u16();
    api.metrics.api_request(operation, status);
    // Probes ask every few seconds.
    let level = if is_open { log::Level::Debug } else { log::Level::Info };
    let took = started.elapsed().as_millis();
    log::log!(level, "{id}: {method} {path:?} from {client:?}: {status} after {took} ms");
    response
}

async fn run(
    api: &Arc<Api>,
    id: &str,
    operations: &[&'static Operation],
    mut parts: Parts,
    body: axum::body::Body,
) -> Told {
    let options = BodyOptions {
        max_bytes: api.max_body,
        max_inflated: api.max_body,
        ..BodyOptions::default()
    };
    let (mut body, unreadable) = BodyReader::new(&parts.headers, body, options);
    let told = run_with(api, id, operations, &mut parts, (&mut body, unreadable)).await;
    body.drain().await;
    told
}

async fn run_with(
    api: &Arc<Api>,
    id: &str,
    operations: &[&'static Operation],
    parts: &mut Parts,
    (body, unreadable): (&mut BodyReader, Option<Reply>),
) -> Told {
    let is_head = parts.method == axum::http::Method::HEAD;
    let method = if is_head { "GET" } else { parts.method.as_str() };
    let operation = operations.iter().find(|operation| operation.method.name() == method).copied();
    // Whoever may not ask is not told what there is.
    let access = operation.or(operations.first().copied()).map_or(Access::Token, |of| of.access);
    let is_trusted = match api.access.admit(access, parts, Instant::now()) {
        Ok(is_trusted) => is_trusted,
        Err(error) => return Told::failed(error, operation),
    };
    let Some(operation) = operation else {
        api.access.invalid(parts, Instant::now());
        if operations.is_empty() {
            let error = ApiError::new(Code::NotFound, "there is no such path");
            return Told::failed(error, None);
        }
        let names: Vec<&str> = operations.iter().map(|found| found.method.name()).collect();
        let allowed = names.join(", ");
        let message = format!("the path has no such method; it has {allowed}");
        let told = Told::failed(ApiError::new(Code::WrongMethod, message), None);
        return Told { allowed: Some(allowed), ..told };
    };
    let answer = of(api, id, operation, is_trusted, parts, (body, unreadable)).await;
    // What is not there, or not any more, is asked for in good faith.
    let is_invalid = |error: &ApiError| matches!(error.code.status(), 400 | 408 | 413 | 415);
    if answer.as_ref().is_err_and(is_invalid) {
        api.access.invalid(parts, Instant::now());
    }
    Told { answer, operation: Some(operation), allowed: None }
}

async fn of(
    api: &Arc<Api>,
    id: &str,
    operation: &'static Operation,
    is_trusted: bool,
    parts: &mut Parts,
    (body, unreadable): (&mut BodyReader, Option<Reply>),
) -> Result<Answer, ApiError> {
    let _place = match operation.access {
        Access::Open => None,
        _ => {
            let place = api.requests.try_acquire();
            Some(place.map_err(|_| ApiError::new(Code::Busy, "too many requests are under way"))?)
        }
    };
    let who = who(parts)?;
    let address = ClientAddress::of(&parts.extensions);
    let mut asked = Asked { who, address, is_trusted, ..Asked::default() };
    let of_path = parts.extract::<RawPathParams>().await;
    let of_path =
        of_path.map_err(|_| ApiError::new(Code::BadParameter, "the path is not UTF-8"))?;
    let of_path = of_path.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    asked.read(operation, of_path.collect::<Vec<_>>(), parts.uri.query())?;
    if operation.body.is_some() {
        if let Some(reply) = unreadable {
            return Err(of_body(&reply));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await.map_err(|reply| of_body(&reply))? {
            bytes.extend_from_slice(&chunk);
        }
        asked.body = bytes.into();
    }
    let change = operation.method.changes().then(|| Change {
        who: asked.who.clone(),
        address: asked.address,
        request: id.to_owned(),
        operation: operation.id,
        path: parts.uri.path().to_owned(),
    });
    let answer = (operation.run)(api.clone(), asked).await?;
    if let Some(change) = change {
        api.audit.changed(change);
    }
    let status = operation.success.0;
    Ok(Answer { status: Some(answer.status.unwrap_or(status)), body: answer.body })
}

/// Returns who asks, as the client says.
fn who(parts: &Parts) -> Result<String, ApiError> {
    let Some(value) = parts.headers.get(WHO) else { return Ok(NOBODY.to_owned()) };
    let name = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim();
    if name.is_empty() || name.len() > MAX_WHO_BYTES || name.chars().any(char::is_control) {
        let message =
            format!("the header `{WHO}`: expected a name of 1 to {MAX_WHO_BYTES} bytes in UTF-8");
        return Err(ApiError::new(Code::BadParameter, message));
    }
    Ok(name.to_owned())
}

/// Returns the error of a body that cannot be read.
fn of_body(reply: &Reply) -> ApiError {
    match reply {
        Reply::Http { status, .. } => ApiError::plain(match status.as_u16() {
            408 => Code::TooSlow,
            413 => Code::TooLarge,
            415 => Code::Encoding,
            _ => Code::BadBody,
        }),
        _ => ApiError::new(Code::BadBody, "the body is cut off, or cannot be inflated"),
    }
}

fn response(id: &RequestId, told: Told) -> Response<axum::body::Body> {
    let (status, content, retry_after) = match told.answer {
        Ok(Answer { status, body }) => {
            let content = match body {
                Body::Empty => None,
                Body::Json(text) => Some((JSON, text)),
                Body::Text(media, text) => Some((media, text)),
            };
            (status.unwrap_or(200), content, None)
        }
        Err(error) => {
            let text = serde_json::to_string(&error.body(&id.0)).unwrap_or_default();
            (error.code.status(), Some((JSON, text)), error.retry_after)
        }
    };
    let media = content.as_ref().map(|(media, _)| *media);
    // The body of an answer to HEAD is left out where HTTP is written.
    let body = content.map(|(_, text)| text.into()).unwrap_or_default();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("the tables have valid statuses");
    let headers = response.headers_mut();
    if let Some(media) = media {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    }
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("x-frame-options"), "DENY"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (HeaderName::from_static("content-security-policy"), "default-src 'none'"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    id.tell(headers);
    if status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let Some(Ok(allowed)) = told.allowed.as_deref().map(HeaderValue::from_str) {
        headers.insert(ALLOW, allowed);
    }
    response
}

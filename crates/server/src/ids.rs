//! Ids of requests, by which whoever has an answer finds in the log why it is what it is.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header of answers that has the id of the request.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, as an extension of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// Adds the id to the headers of an answer.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.0) {
            headers.insert(HEADER, id);
        }
    }
}

/// Gives each request an id of its own.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Random: tells the ids of this process and part from those of others.
    prefix: u32,
    /// The number of requests so far.
    count: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { prefix: RandomState::new().hash_one(0) as u32, count: AtomicU64::new(0) }
    }

    /// Returns an id that no other request has.
    pub(crate) fn next(&self) -> RequestId {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:08x}-{number:x}", self.prefix))
    }
}

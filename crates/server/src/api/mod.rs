//! The API: findings, schedules, searches and how the server is, as JSON over HTTP.
//!
//! [`Api`] has the routes. The application hands it what it needs as [`ApiParts`].
//!
//! - Every operation is a row of a table (`operation`): its path, parameters, types and errors. Requests
//!   are checked by the table, and the document that describes the API is made from it.
//! - Who may ask is decided in `access`; a request that has passed it, and whose parameters are read, is an
//!   `request::Asked`.
//! - An answer that is an error has one shape (`errors`). None has a status of 5xx for what the request says.

mod access;
mod allow;
mod dispatch;
mod errors;
mod findings;
mod indexes;
mod job;
mod jobs;
mod limits;
mod openapi;
pub(crate) mod operation;
mod outputs;
mod readers;
pub(crate) mod request;
mod risk;
mod schedules;
mod searches;
mod token;
mod words;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use spilltrail_schedule::Moment;
use tokio::sync::Semaphore;

use self::access::Access;
pub use self::access::AccessOptions;
pub use self::indexes::{IndexInfo, Indexes};
pub use self::job::{
    JobOptions, JobState, SearchFailure, SearchMessage, SearchProgress, SearchRequest,
    SearchSeverity, Searches,
};
use self::jobs::Jobs;
pub use self::jobs::{More, SearchOutput};
use self::operation::Operation;
pub use self::readers::Readers;
pub use self::token::{ApiToken, ApiTokenError};
use crate::audit::Audit;
use crate::health::{self, Readiness};
use crate::ids::RequestIds;
use crate::metrics::Metrics;
use crate::secret::TokenHash;

/// What the API is made of.
pub struct ApiParts {
    /// Who may ask, and how often.
    pub access: AccessOptions,
    /// Is told of refused requests, and of changes.
    pub audit: Arc<dyn Audit>,
    /// Counts requests, and is shown at `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Tells whether the server can do its work.
    pub readiness: Arc<dyn Readiness>,
    /// Reads the store.
    pub readers: Arc<Readers>,
    /// Knows the indexes.
    pub indexes: Arc<dyn Indexes>,
    /// Runs searches.
    pub searches: Arc<dyn Searches>,
    /// The limits of searches.
    pub jobs: JobOptions,
    /// Returns the time in microseconds since the epoch.
    pub clock: fn() -> i64,
}

impl fmt::Debug for ApiParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiParts").field("access", &self.access).finish_non_exhaustive()
    }
}

/// The API of a server.
pub struct Api {
    access: Access,
    max_body: u64,
    requests: Semaphore,
    audit: Arc<dyn Audit>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<dyn Readiness>,
    readers: Arc<Readers>,
    indexes: Arc<dyn Indexes>,
    jobs: Arc<Jobs>,
    clock: fn() -> i64,
    /// The document that describes the API, as JSON.
    document: String,
    ids: RequestIds,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Api {
    /// Creates the API.
    #[must_use]
    pub fn new(parts: ApiParts) -> Arc<Self> {
        let ApiParts { access, audit, metrics, readiness, readers, indexes, searches, jobs, clock } =
            parts;
        Arc::new(Self {
            max_body: access.max_body,
            requests: Semaphore::new(access.max_requests.min(Semaphore::MAX_PERMITS)),
            access: Access::new(&access, audit.clone(), metrics.clone()),
            jobs: Jobs::new(searches, metrics.clone(), jobs),
            audit,
            metrics,
            readiness,
            readers,
            indexes,
            clock,
            document: openapi::document(&operations()),
            ids: RequestIds::new(),
        })
    }

    /// Replaces the token. Requests that were let in before go on.
    pub fn set_token(&self, token: TokenHash) {
        self.access.set_token(token);
    }

    /// Cancels all searches, and starts no more. Call it before [`crate::serve()`] is stopped, because a runtime
    /// waits for searches when it ends.
    pub fn shut_down(&self) {
        self.jobs.close();
        self.access.flush();
    }

    /// Returns the routes: all below `/api`, and `/healthz`, `/readyz` and `/metrics`. They can be merged
    /// with those of the collector.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for (path, operations) in by_path() {
            let api = self.clone();
            let operations: Arc<[&'static Operation]> = operations.into();
            router = router.route(
                path,
                any(move |request: Request| dispatch::answer(api, operations, request)),
            );
        }
        for path in ["/api", "/api/", "/api/{*rest}"] {
            let api = self.clone();
            let none: Arc<[&'static Operation]> = Arc::default();
            router = router
                .route(path, any(move |request: Request| dispatch::answer(api, none, request)));
        }
        router
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> Moment {
        Moment((self.clock)().div_euclid(1_000_000))
    }
}

/// Returns all operations.
fn operations() -> Vec<&'static Operation> {
    [
        findings::OPERATIONS,
        risk::OPERATIONS,
        schedules::OPERATIONS,
        allow::OPERATIONS,
        searches::OPERATIONS,
        indexes::OPERATIONS,
        outputs::OPERATIONS,
        health::OPERATIONS,
        openapi::OPERATIONS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the operations of each path.
fn by_path() -> Vec<(&'static str, Vec<&'static Operation>)> {
    let mut found: Vec<(&'static str, Vec<&'static Operation>)> = Vec::new();
    for operation in operations() {
        match found.iter_mut().find(|(path, _)| *path == operation.path) {
            Some((_, operations)) => operations.push(operation),
            None => found.push((operation.path, vec![operation])),
        }
    }
    found
}

//! The collector: its state, its settings and its routes.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::any;
use futures::FutureExt;
use spilltrail_lake::MAX_BATCH_BYTES;
use tokio::sync::Semaphore;

use super::body::BodyOptions;
use super::budget::Budget;
use super::channels::{AckOptions, Channels};
use super::handlers;
use super::inbox::Inbox;
use super::reply::{Code, Reply};
use super::tokens::Tokens;
use crate::audit::{Audit, Limited};
use crate::ids::{RequestId, RequestIds};
use crate::metrics::Metrics;

/// How the collector works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The limits of a body.
    pub body: BodyOptions,
    /// The most bytes of the text of an event; longer ones are errors. At most [`MAX_BATCH_BYTES`]. The object
    /// around it may have twice as many bytes, because of escapes, and 64 KB for everything else.
    pub max_event: usize,
    /// The bytes of events after which a part of a request is stored, with what it has so far.
    pub part_bytes: usize,
    /// The most bytes of memory that all requests take together for what they read.
    pub max_memory: usize,
    /// The most requests with events at the same time; more are answered with [`Code::ServerBusy`].
    pub max_requests: usize,
    /// The limits of acknowledgement.
    pub ack: AckOptions,
    /// Returns the time in microseconds since the epoch. It becomes the time of arrival.
    pub clock: fn() -> i64,
}

impl Options {
    /// Returns the defaults, with a clock.
    #[must_use]
    pub fn new(clock: fn() -> i64) -> Self {
        Self {
            body: BodyOptions::default(),
            max_event: 5 << 20,
            part_bytes: 8 << 20,
            max_memory: 256 << 20,
            max_requests: 512,
            ack: AckOptions::default(),
            clock,
        }
    }
}

/// Takes events over HTTP.
pub struct Collector {
    pub(super) inbox: Arc<dyn Inbox>,
    pub(super) audit: Limited,
    pub(super) metrics: Arc<Metrics>,
    pub(super) options: Options,
    pub(super) channels: Arc<Channels>,
    pub(super) budget: Arc<Budget>,
    pub(super) requests: Semaphore,
    tokens: RwLock<Arc<Tokens>>,
    ids: RequestIds,
    is_shutting_down: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Collector {
    /// Creates a collector that gives events to `inbox`, tells of refused tokens, and counts what it does.
    #[must_use]
    pub fn new(
        inbox: Arc<dyn Inbox>,
        tokens: Tokens,
        audit: Arc<dyn Audit>,
        metrics: Arc<Metrics>,
        mut options: Options,
    ) -> Arc<Self> {
        options.max_event = options.max_event.min(MAX_BATCH_BYTES);
        Arc::new(Self {
            inbox,
            audit: Limited::new(audit),
            metrics,
            options,
            channels: Arc::new(Channels::new(options.ack)),
            budget: Arc::new(Budget::new(options.max_memory)),
            requests: Semaphore::new(options.max_requests.min(Semaphore::MAX_PERMITS)),
            tokens: RwLock::new(Arc::new(tokens)),
            ids: RequestIds::new(),
            is_shutting_down: AtomicBool::new(false),
        })
    }

    /// Returns the tokens that are known.
    #[must_use]
    pub fn tokens(&self) -> Arc<Tokens> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the tokens. Requests that were let in before go on.
    pub fn set_tokens(&self, tokens: Tokens) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    /// Refuses every request from now on with [`Code::ShuttingDown`]. Those under way go on. Call it before
    /// [`crate::serve()`] is stopped, so that connections that are used again are told.
    pub fn shut_down(&self) {
        self.is_shutting_down.store(true, Ordering::Relaxed);
        self.audit.flush();
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.is_shutting_down.load(Ordering::Relaxed)
    }

    /// Returns the routes of the collector. Everything below `/services/collector` is its own; any other
    /// path is answered with 404, unless the router is merged into another one.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for (path, route) in ROUTES {
            let handler = move |State(collector): State<Arc<Self>>, request: Request| async move {
                dispatch(&collector, *route, request).await
            };
            router = router.route(path, any(handler));
            router = router.route(&format!("{path}/"), any(handler));
        }
        router
            .fallback(|| async { Reply::NOT_FOUND.response() })
            .layer(from_fn_with_state(self.clone(), isolate))
            .with_state(self.clone())
    }
}

/// What is behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Event,
    Raw,
    Ack,
    Health,
}

const ROUTES: &[(&str, Route)] = &[
    ("/services/collector", Route::Event),
    ("/services/collector/event", Route::Event),
    ("/services/collector/event/1.0", Route::Event),
    ("/services/collector/raw", Route::Raw),
    ("/services/collector/raw/1.0", Route::Raw),
    ("/services/collector/ack", Route::Ack),
    ("/services/collector/health", Route::Health),
    ("/services/collector/health/1.0", Route::Health),
];

/// Answers a request to one of our paths.
async fn dispatch(collector: &Collector, route: Route, request: Request) -> Response<Body> {
    let (is_allowed, allowed) = match route {
        Route::Health => {
            (matches!(*request.method(), Method::GET | Method::HEAD), "GET, HEAD, OPTIONS")
        }
        Route::Event | Route::Raw | Route::Ack => {
            (*request.method() == Method::POST, "POST, OPTIONS")
        }
    };
    if !is_allowed {
        let mut response = if *request.method() == Method::OPTIONS {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        } else {
            collector.metrics.hec_request(Reply::WRONG_METHOD.number());
            Reply::WRONG_METHOD.response()
        };
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    let reply = match route {
        Route::Event => handlers::take(collector, handlers::Form::Event, request).await,
        Route::Raw => handlers::take(collector, handlers::Form::Raw, request).await,
        Route::Ack => handlers::ack(collector, request).await,
        Route::Health => handlers::health(collector, &request),
    };
    collector.metrics.hec_request(reply.number());
    reply.response()
}

/// Gives a request an id, which its answer has, and keeps a bug in it from ending its connection without an
/// answer.
async fn isolate(
    State(collector): State<Arc<Collector>>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let id = collector.ids.next();
    request.extensions_mut().insert(id.clone());
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut answer = answer.unwrap_or_else(|_| {
        let RequestId(id) = &id;
        log::error!("{id}: the request ended with a panic, which is a bug");
        let reply = Reply::from(Code::InternalServerError);
        collector.metrics.hec_request(reply.number());
        reply.response()
    });
    id.tell(answer.headers_mut());
    answer
}

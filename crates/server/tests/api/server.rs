//! An API with a store that has something of everything, and a client for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use futures::executor::block_on;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Map, Value, json};
use spilltrail_schedule::{Interval, Missed, Mode, Moment, Priority, Reason, ScheduleSpec, Window};
use spilltrail_server::api::{
    AccessOptions, Api, ApiParts, IndexInfo, Indexes, JobOptions, More, Readers, SearchFailure,
    SearchMessage, SearchOutput, SearchProgress, SearchRequest, SearchSeverity, Searches,
};
use spilltrail_server::{
    Audit, Change, ClientAddress, Metrics, PartState, Readiness, Refusal, TokenHash,
};
use spilltrail_store::{
    AllowCondition, AllowRule, Desk, FindingRecord, Level, Outcome, RiskRecord, RunRecord,
    ScheduleRecord, Status, Store,
};
use tokio::sync::Semaphore;

/// The time of all requests, in seconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000;

/// The token of all tests.
pub(crate) const TOKEN: &str = "secret";

/// Remembers what it is told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) refusals: Mutex<Vec<Refusal>>,
    pub(crate) changes: Mutex<Vec<Change>>,
}

impl Audit for Told {
    fn refused(&self, refusal: Refusal) {
        self.refusals.lock().unwrap().push(refusal);
    }

    fn changed(&self, change: Change) {
        self.changes.lock().unwrap().push(change);
    }
}

/// Parts that are ready, or not.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) failing: Mutex<Option<String>>,
}

impl Readiness for Parts {
    fn parts(&self) -> Vec<PartState> {
        let failing = self.failing.lock().unwrap().clone();
        vec![PartState::new("store", Ok(())), PartState::new("log", failing.map_or(Ok(()), Err))]
    }
}

struct TestIndexes;

impl Indexes for TestIndexes {
    fn list(&self) -> Result<Vec<IndexInfo>, String> {
        Ok(vec![IndexInfo {
            name: "main".into(),
            events: 3,
            bytes: 100,
            files: 1,
            waiting: 2,
            first: Some(1.5),
            last: None,
        }])
    }
}

/// Searches that do what their text says, one word after the other.
#[derive(Debug)]
pub(crate) struct TestSearches {
    /// Lets searches go on that wait.
    pub(crate) gate: Arc<Semaphore>,
    /// Gets a place for each search that waits, or that was told to end.
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) cancelled: Arc<Semaphore>,
}

impl Searches for TestSearches {
    fn run(&self, request: &SearchRequest, output: &SearchOutput) -> Result<(), SearchFailure> {
        let mut number = 0;
        for word in request.search.split_whitespace() {
            match word {
                "row" => {
                    number += 1;
                    let row: Map<String, Value> =
                        [("n".to_owned(), json!(number)), ("user".to_owned(), json!(["a", "b"]))]
                            .into_iter()
                            .collect();
                    output.fields(["n".to_owned(), "user".to_owned()]);
                    output.progress(SearchProgress { events: number, ..Default::default() });
                    if output.row(&row) == More::Enough {
                        return Ok(());
                    }
                }
                "say" => output.message(SearchMessage {
                    severity: SearchSeverity::Warning,
                    code: Some("SPL2001".into()),
                    text: "ä".repeat(10_000),
                }),
                "wait" => {
                    self.waiting.add_permits(1);
                    block_on(self.gate.acquire()).unwrap().forget();
                }
                "forever" => {
                    self.waiting.add_permits(1);
                    block_on(output.cancelled());
                    assert!(output.is_cancelled());
                    self.cancelled.add_permits(1);
                    return Err(SearchFailure { message: "it was cancelled".into() });
                }
                "panic" => panic!("as it was told"),
                _ => return Err(SearchFailure { message: format!("there is no `{word}`") }),
            }
        }
        Ok(())
    }
}

/// An API and what is around it.
pub(crate) struct Server {
    pub(crate) api: Arc<Api>,
    pub(crate) told: Arc<Told>,
    pub(crate) parts: Arc<Parts>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) searches: Arc<TestSearches>,
    service: TowerToHyperService<Router>,
    pub(crate) folder: tempfile::TempDir,
}

static CLOCK: AtomicI64 = AtomicI64::new(NOW);

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut AccessOptions, &mut JobOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        fill(&path);
        let told = Arc::new(Told::default());
        let parts = Arc::new(Parts::default());
        let metrics = Arc::new(Metrics::new());
        let none = || Arc::new(Semaphore::new(0));
        let searches = Arc::new(TestSearches { gate: none(), waiting: none(), cancelled: none() });
        let mut access = AccessOptions::new(TokenHash::of(TOKEN));
        access.max_per_second = 1_000_000;
        let mut jobs = JobOptions::default();
        change(&mut access, &mut jobs);
        let api = Api::new(ApiParts {
            access,
            audit: told.clone(),
            metrics: metrics.clone(),
            readiness: parts.clone(),
            readers: Readers::new(path),
            indexes: Arc::new(TestIndexes),
            searches: searches.clone(),
            jobs,
            clock: || CLOCK.load(Ordering::Relaxed) * 1_000_000,
        });
        let service = TowerToHyperService::new(api.router());
        Self { api, told, parts, metrics, searches, service, folder }
    }

    /// Sends a request as it is, from an address.
    pub(crate) async fn send(&self, from: &str, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let address: SocketAddr = format!("{from}:1").parse().unwrap();
        parts.extensions.insert(ClientAddress(address));
        let response = self.service.call(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Sends a request with the token.
    pub(crate) async fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Body::from(body.to_owned()))
            .unwrap();
        self.send("10.0.0.1", request).await
    }

    /// Returns the JSON of an answer with a status.
    pub(crate) async fn json(
        &self,
        method: &str,
        target: &str,
        body: &Value,
        status: u16,
    ) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.ask(method, target, &body).await;
        assert_eq!(answer.status, status, "{method} {target} {body}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) async fn get(&self, target: &str) -> Value {
        self.json("GET", target, &Value::Null, 200).await
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Returns the beginning of a request with a token and a host.
pub(crate) fn request(method: &str, target: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(target).header("host", "localhost")
}

fn finding(id: &str, user: &str, time: f64, score: f64) -> FindingRecord {
    FindingRecord {
        id: id.into(),
        name: "Copying Buckets".into(),
        title: format!("{user} copied a bucket"),
        is_notable: true,
        time: Some(time),
        entity: Some(user.into()),
        score: Some(score),
        severity: Level::High,
        hash: "1".into(),
        body: r#"{"rows":[1]}"#.into(),
        risks: vec![RiskRecord {
            object: user.into(),
            object_type: "user".into(),
            score,
            tactics: vec!["TA0010".into()],
            techniques: vec!["T1537".into()],
        }],
        ..FindingRecord::default()
    }
}

/// Puts a schedule with runs, findings, an entry of the allow-list and an output into a store.
fn fill(path: &std::path::Path) {
    let mut store = Store::open(path).unwrap();
    let spec = ScheduleSpec {
        cron: "0 * * * *".into(),
        zone: "UTC".into(),
        earliest: "-70m@m".into(),
        latest: "-10m@m".into(),
        window: Window::Minutes(5),
        mode: Mode::Continuous,
        priority: Priority::Default,
    };
    for (id, is_enabled) in [("copies", true), ("off", false)] {
        let record = ScheduleRecord { id: id.into(), spec: spec.clone(), is_enabled, stated: None };
        store.set_schedule(&record, None, Moment(NOW - 20_000)).unwrap();
    }
    // The server runs it as somebody has set it before.
    let set = ScheduleSpec { earliest: "-5h".into(), ..spec.clone() };
    let record =
        ScheduleRecord { id: "set".into(), spec: set, is_enabled: true, stated: Some(spec) };
    store.set_schedule(&record, None, Moment(NOW - 20_000)).unwrap();
    let run = |nominal: i64, status| RunRecord {
        schedule: "copies".into(),
        nominal: Moment(nominal),
        attempt: 1,
        status,
        interval: Interval { from: Moment(nominal - 4200), to: Moment(nominal - 600) },
        indexes: vec!["main".into()],
        seen: 7,
        reason: None,
        started: Moment(nominal + 3),
        took: 1500,
        cost: Some(r#"{"cpu":1}"#.into()),
    };
    let missed = Missed {
        schedule: "copies".into(),
        first: Moment(NOW - 18_000),
        last: Moment(NOW - 14_400),
        firings: 2,
        interval: None,
        reason: Reason::BeyondLookBack,
    };
    store.record_missed(&missed).unwrap();
    let found = [
        finding("aaaaaaaa1", "alice", (NOW - 5000) as f64, 80.0),
        finding("bbbbbbbb1", "bob", (NOW - 4000) as f64, 40.0),
    ];
    let first = run(NOW - 3600, Status::Done);
    let outcome = Outcome { run: &first, findings: &found, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
    let late = [finding("cccccccc1", "alice", (NOW - 100) as f64, 20.0)];
    let second = run(NOW, Status::Done);
    let outcome = Outcome { run: &second, findings: &late, throttle: None, hits: &[] };
    store.finish_run(&outcome).unwrap();
    let end = store.reader().outbox_end().unwrap();
    let entries: Vec<u64> =
        store.reader().outbox_after(0, 10).unwrap().iter().map(|entry| entry.seq).collect();
    store.queue("siem", end, &entries, Moment(NOW)).unwrap();
    drop(store);
    let mut desk = Desk::open(path).unwrap();
    let rule = AllowRule {
        detection: "*".into(),
        conditions: vec![AllowCondition { field: "user".into(), value: "backup".into() }],
        owner: "ops".into(),
        reason: "it copies".into(),
        ..AllowRule::default()
    };
    desk.add_allow(&rule, Moment(NOW - 10)).unwrap();
}

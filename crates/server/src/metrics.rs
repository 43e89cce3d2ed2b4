//! Counters of what the server does, in the format of Prometheus.
//!
//! The parts of the server and the application count by the methods of [`Metrics`]. The values of labels are
//! those of enums and of tables in this program, so that their number is bounded.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The media type of [`Metrics::text`].
pub const METRICS_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The upper bounds of the buckets for the seconds of a run.
const RUN_SECONDS: [f64; 10] = [0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

type Label = [(&'static str, &'static str); 1];
type Code = [(&'static str, u16); 1];

/// A task whose last success is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Storing events that arrive.
    Receive,
    /// Moving events from the log to the table.
    Move,
    /// Running detections.
    Run,
    /// Sending findings.
    Deliver,
    /// Rewriting small files, and removing old ones.
    Maintain,
}

impl Task {
    const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Move => "move",
            Self::Run => "run",
            Self::Deliver => "deliver",
            Self::Maintain => "maintain",
        }
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivered {
    /// The receiver took it.
    Sent,
    /// It failed, and is tried again.
    Retried,
    /// It failed, and is not tried again.
    Failed,
}

impl Delivered {
    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Retried => "retried",
            Self::Failed => "failed",
        }
    }
}

/// The counters of a server.
pub struct Metrics {
    registry: Registry,
    hec_requests: Family<Code, Counter>,
    hec_events: Counter,
    hec_bytes: Counter,
    hec_commits: Counter,
    hec_refused_commits: Counter,
    api_requests: Family<(Label, Code), Counter>,
    api_refused: Family<Label, Counter>,
    searches: Counter,
    searches_running: Gauge,
    batches_moved: Counter,
    events_moved: Counter,
    lake_bytes: Gauge,
    log_bytes: Gauge,
    runs: Family<Label, Counter>,
    run_seconds: Histogram,
    missed_firings: Family<Label, Counter>,
    findings: Family<Label, Counter>,
    deliveries: Family<Label, Counter>,
    last_success: Family<Label, Gauge<f64, AtomicU64>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Creates counters that are zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("spilltrail");
        let metrics = Self {
            hec_requests: Family::default(),
            hec_events: Counter::default(),
            hec_bytes: Counter::default(),
            hec_commits: Counter::default(),
            hec_refused_commits: Counter::default(),
            api_requests: Family::default(),
            api_refused: Family::default(),
            searches: Counter::default(),
            searches_running: Gauge::default(),
            batches_moved: Counter::default(),
            events_moved: Counter::default(),
            lake_bytes: Gauge::default(),
            log_bytes: Gauge::default(),
            runs: Family::default(),
            run_seconds: Histogram::new(RUN_SECONDS),
            missed_firings: Family::default(),
            findings: Family::default(),
            deliveries: Family::default(),
            last_success: Family::default(),
            registry: Registry::default(),
        };
        // The names of counters get the suffix `_total` when they are written.
        let r = &mut registry;
        let m = &metrics;
        r.register("hec_requests", "Requests to the collector, by code", m.hec_requests.clone());
        r.register(
            "hec_events",
            "Events that the log has taken from the collector",
            m.hec_events.clone(),
        );
        r.register("hec_event_bytes", "Bytes of those events", m.hec_bytes.clone());
        r.register("hec_commits", "Commits that the log has taken", m.hec_commits.clone());
        let help = "Commits that the log has refused, or could not store";
        r.register("hec_commits_refused", help, m.hec_refused_commits.clone());
        let help = "Requests to the API, by operation and status";
        r.register("api_requests", help, m.api_requests.clone());
        let help = "Requests to the API that were refused for who sends them, by reason";
        r.register("api_requests_refused", help, m.api_refused.clone());
        r.register("searches", "Searches that were started", m.searches.clone());
        r.register("searches_running", "Searches that run", m.searches_running.clone());
        let help = "Batches of events that were moved from the log to the table";
        r.register("lake_batches_moved", help, m.batches_moved.clone());
        r.register("lake_events_moved", "Events of those batches", m.events_moved.clone());
        r.register("lake_table_bytes", "Bytes of the files of the table", m.lake_bytes.clone());
        let help = "Bytes of the log of arriving events";
        r.register("lake_log_bytes", help, m.log_bytes.clone());
        r.register("runs", "Runs of detections, by status", m.runs.clone());
        r.register("run_seconds", "Seconds that runs took", m.run_seconds.clone());
        let help = "Firings of schedules that did not run, by status";
        r.register("firings_missed", help, m.missed_firings.clone());
        r.register("findings", "Findings of runs, by state", m.findings.clone());
        r.register("deliveries", "Attempts to send findings, by outcome", m.deliveries.clone());
        let help = "When a task last succeeded, in seconds since 1970";
        r.register("last_success_timestamp_seconds", help, m.last_success.clone());
        Self { registry, ..metrics }
    }

    /// Returns all counters as text, of the type [`METRICS_TYPE`].
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("a string takes any text");
        text
    }

    /// Counts a request to the collector by the code of its answer.
    pub(crate) fn hec_request(&self, code: u16) {
        self.hec_requests.get_or_create(&[("code", code)]).inc();
    }

    /// Counts a commit that is on its way to the disk.
    pub(crate) fn hec_taken(&self, events: u64, bytes: u64) {
        self.hec_commits.inc();
        self.hec_events.inc_by(events);
        self.hec_bytes.inc_by(bytes);
    }

    /// Counts a commit that was refused, or could not be stored.
    pub(crate) fn hec_refused(&self) {
        self.hec_refused_commits.inc();
    }

    /// Counts a request to the API.
    pub(crate) fn api_request(&self, operation: &'static str, status: u16) {
        let labels = ([("operation", operation)], [("status", status)]);
        self.api_requests.get_or_create(&labels).inc();
    }

    /// Counts a request to the API that was refused for who sends it.
    pub(crate) fn api_refused(&self, reason: &'static str) {
        self.api_refused.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a search that begins.
    pub(crate) fn search_started(&self) {
        self.searches.inc();
        self.searches_running.inc();
    }

    /// Counts a search that ends.
    pub(crate) fn search_ended(&self) {
        self.searches_running.dec();
    }

    /// Counts batches that were moved from the log to the table.
    pub fn moved(&self, batches: u64, events: u64) {
        self.batches_moved.inc_by(batches);
        self.events_moved.inc_by(events);
    }

    /// Tells how many bytes the table of events has.
    pub fn set_lake_bytes(&self, bytes: u64) {
        self.lake_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Tells how many bytes the log of arriving events has.
    pub fn set_log_bytes(&self, bytes: u64) {
        self.log_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts a run by its status, which is late for one that ran again, and by how long it took.
    pub fn run(&self, status: spilltrail_store::Status, took: Duration) {
        self.runs.get_or_create(&[("status", status.name())]).inc();
        self.run_seconds.observe(took.as_secs_f64());
    }

    /// Counts firings that did not run: those that are skipped, and those in a gap.
    pub fn missed(&self, status: spilltrail_store::Status, firings: u64) {
        self.missed_firings.get_or_create(&[("status", status.name())]).inc_by(firings);
    }

    /// Counts findings that a run changed.
    pub fn findings(&self, state: spilltrail_store::FindingState, count: u64) {
        self.findings.get_or_create(&[("state", state.name())]).inc_by(count);
    }

    /// Counts an attempt to send findings.
    pub fn delivery(&self, outcome: Delivered) {
        self.deliveries.get_or_create(&[("outcome", outcome.name())]).inc();
    }

    /// Tells that a task succeeded at a time in seconds since 1970.
    pub fn succeeded(&self, task: Task, at: f64) {
        self.last_success.get_or_create(&[("task", task.name())]).set(at);
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_store::{FindingState, Status};

    use super::*;

    #[test]
    fn what_is_counted_is_written() {
        let metrics = Metrics::new();
        metrics.hec_request(0);
        metrics.hec_request(0);
        metrics.hec_request(4);
        metrics.hec_taken(3, 100);
        metrics.hec_refused();
        metrics.api_request("list_findings", 200);
        metrics.api_refused("unknown");
        metrics.search_started();
        metrics.search_started();
        metrics.search_ended();
        metrics.moved(2, 30);
        metrics.set_lake_bytes(5);
        metrics.set_log_bytes(u64::MAX);
        metrics.run(Status::Done, Duration::from_millis(700));
        metrics.run(Status::Late, Duration::from_secs(2));
        metrics.missed(Status::Gap, 4);
        metrics.findings(FindingState::New, 6);
        metrics.delivery(Delivered::Sent);
        metrics.succeeded(Task::Move, 1.8e9);
        let text = metrics.text();
        for line in [
            "spilltrail_hec_requests_total{code=\"0\"} 2",
            "spilltrail_hec_requests_total{code=\"4\"} 1",
            "spilltrail_hec_events_total 3",
            "spilltrail_hec_event_bytes_total 100",
            "spilltrail_hec_commits_total 1",
            "spilltrail_hec_commits_refused_total 1",
            "spilltrail_api_requests_total{operation=\"list_findings\",status=\"200\"} 1",
            "spilltrail_api_requests_refused_total{reason=\"unknown\"} 1",
            "spilltrail_searches_total 2",
            "spilltrail_searches_running 1",
            "spilltrail_lake_batches_moved_total 2",
            "spilltrail_lake_events_moved_total 30",
            "spilltrail_lake_table_bytes 5",
            "spilltrail_lake_log_bytes 9223372036854775807",
            "spilltrail_runs_total{status=\"late\"} 1",
            "spilltrail_run_seconds_bucket{le=\"1\"} 1",
            "spilltrail_run_seconds_count 2",
            "spilltrail_firings_missed_total{status=\"gap\"} 4",
            "spilltrail_findings_total{state=\"new\"} 6",
            "spilltrail_deliveries_total{outcome=\"sent\"} 1",
            "spilltrail_last_success_timestamp_seconds{task=\"move\"} 1800000000.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        // A line of each counter says what it is.
        let helps = text.lines().filter(|line| line.starts_with("# HELP")).count();
        assert_eq!(helps, 19, "{text}");
    }
}

//! The outcome of tests.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};
use spilltrail_content::{Detection, Expectation};
use spilltrail_detect::DetectionRef;
use spilltrail_diagnostic::Diagnostic;

/// The outcome of all tests.
#[derive(Debug, Clone)]
pub struct TestSummary {
    /// The outcome of each test, in the order of the detections.
    pub tests: Vec<TestReport>,
    /// Number of detections that were selected.
    pub detections: u64,
    /// The names of selected detections without any test.
    pub untested: Vec<String>,
    /// The number of tests of each status.
    pub counts: TestCounts,
    /// The elapsed time.
    pub elapsed: Duration,
}

/// The number of tests of each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TestCounts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests whose logs are not there.
    pub no_data: u64,
    /// Tests of detections that use what is not supported.
    pub unsupported: u64,
    /// Tests that could not run for another reason.
    pub error: u64,
    /// Tests that are not meant to run by themselves.
    pub skipped: u64,
}

/// The outcome of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// The detection returned what it should.
    Passed,
    /// It did not, or its search is wrong.
    Failed,
    /// The logs are not there, so the test did not run.
    NoData,
    /// The detection uses what this version does not support, so the test did not run.
    Unsupported,
    /// The test could not run for another reason.
    Error,
    /// The test is not meant to run by itself.
    Skipped,
}

impl TestStatus {
    /// Returns the name of the status in text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NoData => "no data",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for TestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The outcome of one test.
#[derive(Debug, Clone, Serialize)]
pub struct TestReport {
    /// The detection that was tested.
    pub detection: DetectionRef,
    /// The path of the detection's file; for the built-in pack, a path within the pack.
    pub file: PathBuf,
    /// The name of the test.
    pub test: String,
    /// Whether it passed, and if not, in which way.
    pub status: TestStatus,
    /// Why it has this status; empty if it passed.
    pub reasons: Vec<String>,
    /// What is doubtful, and what is missing, which does not change whether it passed.
    pub warnings: Vec<String>,
    /// What the test expects.
    #[serde(serialize_with = "expected")]
    pub expected: Expectation,
    /// Number of results; `None` if the search did not run.
    pub results: Option<u64>,
    /// Number of events in the logs; `None` if they were not read.
    pub events: Option<u64>,
    /// Number of events that the first search matched; `None` if it did not run, or starts in another
    /// way.
    pub matched_events: Option<u64>,
    /// The elapsed time.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub elapsed: Duration,
    /// The diagnostics of the search; their spans refer to the detection's search as written.
    #[serde(skip_serializing_if = "<[Diagnostic]>::is_empty")]
    pub messages: Vec<Diagnostic>,
    /// Whether results may be missing: part of the logs could not be read, a limit cut rows of the
    /// search, or it lacks a lookup, an event type or rows of a table.
    #[serde(skip)]
    pub is_partial: bool,
}

impl TestReport {
    /// Creates the report of a test that has not run yet.
    pub(super) fn new(detection: &Detection, test: usize) -> Self {
        let test = &detection.tests[test];
        Self {
            detection: DetectionRef::of(detection),
            file: detection.path.clone(),
            test: test.name.clone(),
            status: TestStatus::Error,
            reasons: Vec::new(),
            warnings: Vec::new(),
            expected: test.expect,
            results: None,
            events: None,
            matched_events: None,
            elapsed: Duration::ZERO,
            messages: Vec::new(),
            is_partial: false,
        }
    }

    pub(super) fn conclude(&mut self, status: TestStatus, reasons: Vec<String>) {
        self.status = status;
        self.reasons = reasons;
    }
}

impl TestSummary {
    pub(super) fn new(
        tests: Vec<TestReport>,
        detections: u64,
        untested: Vec<String>,
        elapsed: Duration,
    ) -> Self {
        let mut counts = TestCounts::default();
        for test in &tests {
            *match test.status {
                TestStatus::Passed => &mut counts.passed,
                TestStatus::Failed => &mut counts.failed,
                TestStatus::NoData => &mut counts.no_data,
                TestStatus::Unsupported => &mut counts.unsupported,
                TestStatus::Error => &mut counts.error,
                TestStatus::Skipped => &mut counts.skipped,
            } += 1;
        }
        Self { tests, detections, untested, counts, elapsed }
    }

    /// Returns true if part of the logs of a test could not be read, or a limit cut rows.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.tests.iter().any(|test| test.is_partial)
    }
}

impl TestCounts {
    /// Returns the number of tests that should have run and did not.
    #[must_use]
    pub fn not_run(&self) -> u64 {
        self.no_data + self.unsupported + self.error
    }

    /// Returns the number of tests that ran.
    #[must_use]
    pub fn ran(&self) -> u64 {
        self.passed + self.failed
    }
}

/// Writes what is expected: a number, or `null` for any results.
fn expected<S: Serializer>(expected: &Expectation, serializer: S) -> Result<S::Ok, S::Error> {
    match expected {
        Expectation::Results => serializer.serialize_none(),
        Expectation::None => serializer.serialize_u64(0),
        Expectation::Count(count) => serializer.serialize_u64(*count),
    }
}

fn seconds<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((elapsed.as_secs_f64() * 1e3).round() / 1e3)
}

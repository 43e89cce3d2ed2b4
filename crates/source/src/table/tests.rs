//! A scan streams, stops when no more rows are needed, and can be described.

use datafusion::arrow::array::{AsArray, RecordBatch};
use futures::StreamExt;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{CaseRule, Comparison, Field, Kind, Pattern, Predicate, fields};

use super::*;
use crate::logs::ReadOptions;

/// Creates files with one event each, so large that each file is a run.
fn folder(files: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..files {
        let padding = " ".repeat(3 << 20);
        let event = format!(
            "{{\"eventVersion\":\"1\",\"eventSource\":\"s\",\"eventName\":\"E{}\",\"n\":\"{file}\"}}{padding}",
            file % 2,
        );
        std::fs::write(folder.path().join(format!("{file:03}")), event).unwrap();
    }
    folder
}

fn open(folder: &tempfile::TempDir, options: ReadOptions) -> Arc<Logs> {
    let names = [folder.path().display().to_string()];
    Arc::new(Logs::open(&names, Box::new(std::io::empty()), options))
}

fn request(predicate: Predicate) -> ScanRequest {
    ScanRequest { predicate, fields: vec![Field::new("n", Kind::Text)] }
}

fn scan(logs: &Arc<Logs>, predicate: Predicate) -> Arc<LogScan> {
    Arc::new(LogScan::new(logs.clone(), request(predicate)))
}

fn texts(batch: &RecordBatch) -> Vec<String> {
    batch.column(0).as_string_view().iter().flatten().map(str::to_owned).collect()
}

async fn all(scan: &LogScan) -> Vec<String> {
    let mut stream = scan.execute(0, Arc::default()).unwrap();
    let mut found = Vec::new();
    while let Some(batch) = stream.next().await {
        found.extend(texts(&batch.unwrap()));
    }
    found
}

#[tokio::test]
async fn rows_come_in_order_and_what_was_done_is_counted() {
    let folder = folder(20);
    let logs = open(&folder, ReadOptions { threads: Some(3), ..ReadOptions::default() });
    let named = Predicate::Compare {
        field: "eventName".to_owned(),
        op: Comparison::Eq,
        value: Pattern::new("e1", CaseRule::Ignore),
    };
    let scan = scan(&logs, named);
    let expected: Vec<String> = (0..20).filter(|n| n % 2 == 1).map(|n| n.to_string()).collect();
    assert_eq!(all(&scan).await, expected);
    let metrics = scan.metrics().unwrap();
    let count = |name: &str| metrics.sum_by_name(name).map(|metric| metric.as_usize());
    assert_eq!((count("events_matched"), count("events_ruled_out_by_name")), (Some(10), Some(10)));
    assert_eq!(logs.report().total.events, 20);
    // The scan can be executed again.
    assert_eq!(all(&scan).await, expected);
}

#[tokio::test]
async fn a_stream_reads_ahead_a_little_and_stops_when_it_is_dropped() {
    let folder = folder(60);
    let logs = open(&folder, ReadOptions { threads: Some(2), ..ReadOptions::default() });
    let scan = scan(&logs, Predicate::All);
    let mut stream = scan.execute(0, Arc::default()).unwrap();
    assert_eq!(texts(&stream.next().await.unwrap().unwrap()), ["0"]);
    drop(stream);
    // Threads that still hold a file, or wait with a finished run, hold the logs until they end.
    while Arc::strong_count(&logs) > 2 {
        std::thread::yield_now();
    }
    assert!(logs.report().files < 20, "{}", logs.report().files);
}

#[tokio::test]
async fn a_stop_ends_a_stream_with_an_error() {
    let folder = folder(3);
    let options = ReadOptions::default();
    let stop = options.stop.clone();
    let logs = open(&folder, options);
    stop.set();
    let mut stream = scan(&logs, Predicate::All).execute(0, Arc::default()).unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    let datafusion::common::DataFusionError::External(error) = error else { panic!("{error}") };
    let diagnostic = error.downcast_ref::<Diagnostic>().map(|diagnostic| diagnostic.code);
    assert_eq!(diagnostic, Some(Code::CANCELED));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_scan_that_is_described_reads_the_same() {
    let folder = folder(4);
    let options = ReadOptions { index: Some("aws".to_owned()), ..ReadOptions::default() };
    let logs = open(&folder, options);
    let mut wanted = request(Predicate::All);
    wanted.fields.extend([fields::INDEX, fields::SOURCE].map(|name| Field::new(name, Kind::Text)));
    let scan = LogScan::new(logs, wanted);
    let text = serde_json::to_string(&scan.describe().unwrap()).unwrap();
    let other = LogScan::of_description(serde_json::from_str(&text).unwrap()).unwrap();
    let (mut one, mut two) =
        (scan.execute(0, Arc::default()).unwrap(), other.execute(0, Arc::default()).unwrap());
    let mut numbers = Vec::new();
    while let Some(batch) = one.next().await {
        let batch = batch.unwrap();
        numbers.extend(texts(&batch));
        assert_eq!(batch.column(1).as_string_view().value(0), "aws");
        assert_eq!(two.next().await.unwrap().unwrap(), batch);
    }
    assert_eq!(numbers, ["0", "1", "2", "3"]);
    assert!(two.next().await.is_none());
    assert_eq!(other.logs().report().files, 4);
    let piped = ["-".to_owned()];
    let piped = Logs::open(&piped, Box::new(std::io::empty()), ReadOptions::default());
    assert!(LogScan::new(Arc::new(piped), request(Predicate::All)).describe().is_err());
}

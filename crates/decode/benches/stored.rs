//! What an event costs in delivered files, and in a table of stored events: processor time of the same
//! requests over both, with the ratio of the two.
//!
//! `cargo bench -p spilltrail-decode --bench stored -- LOGS [LAKE]` reads the files of CloudTrail in the
//! folder LOGS, which `spilltrail-bench generate` writes. The table is written here, as a lake writes
//! it; with LAKE, a folder with tables that `spilltrail ingest` has made, theirs are read instead.
//! Rounds alternate between files and table, and the fastest one of each counts, so that other work on
//! the machine disturbs both alike.

#![expect(clippy::print_stdout, reason = "the figures are what the program is for")]
#![expect(clippy::unwrap_used, reason = "a figure of half of the data would be wrong")]

use std::fs;
use std::hint::black_box;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{Field as Column, Schema};
use cpu_time::ProcessTime;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use spilltrail_decode::{
    DecodeOptions, Decoder, FileReport, Input, Item, Origin, Profile, Splitter, first_time, kind_of,
};
use spilltrail_event::{
    CaseRule, Comparison, Field, Keyword, KeywordKind, Pattern, Predicate, ScanRequest, stored,
};

const ROUNDS: usize = 7;

fn equals(field: &str, value: &str) -> Predicate {
    Predicate::Compare {
        field: field.to_owned(),
        op: Comparison::Eq,
        value: Pattern::new(value, CaseRule::Ignore),
    }
}

fn request(predicate: Predicate, names: &str) -> ScanRequest {
    let fields = names.split(' ').map(|name| Field::new(name, kind_of(name, Profile::Superset)));
    ScanRequest { predicate, fields: fields.collect() }
}

fn word(text: &str) -> Predicate {
    Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore))
}

/// The requests that are measured, each as in one search or one hunt.
fn cases() -> Vec<(&'static str, Vec<ScanRequest>)> {
    const COMMON: &str = "_time src_ip aws_account_id user_arn userIdentity.principalId eventName";
    let cloudtrail = |name, more: Vec<Predicate>| {
        let parts = [equals("sourcetype", "aws:cloudtrail"), equals("eventName", name)];
        Predicate::And(parts.into_iter().chain(more).collect())
    };
    let rare = || {
        let more = vec![equals("eventSource", "datasync.amazonaws.com")];
        request(cloudtrail("CreateTask", more), &format!("{COMMON} awsRegion errorCode"))
    };
    let shared = || {
        let items = "requestParameters.launchPermission.add.items{}";
        let everyone = equals(&format!("{items}.group"), "all");
        let more =
            vec![Predicate::Or(vec![Predicate::Exists(format!("{items}.userId")), everyone])];
        let names = format!("{COMMON} {items}.group {items}.userId requestParameters.imageId");
        request(cloudtrail("ModifyImageAttribute", more), &names)
    };
    let reads = || {
        let names = format!("{COMMON} user_type requestParameters.bucketName");
        request(cloudtrail("GetObject", Vec::new()), &names)
    };
    let all = "_time _raw eventName eventSource user src_ip action errorCode userAgent \
               requestParameters.bucketName userIdentity.sessionContext.sessionIssuer.arn";
    vec![
        ("rare call", vec![rare()]),
        ("three detections", vec![rare(), shared(), reads()]),
        ("failures", vec![request(equals("errorCode", "*AccessDenied*"), COMMON)]),
        ("word", vec![request(word("zebrafish"), all)]),
        ("everything", vec![request(Predicate::All, all)]),
    ]
}

/// Files of one kind, all in memory.
struct Logs {
    files: Vec<Vec<u8>>,
    are_tables: bool,
}

impl Logs {
    /// Reads all files once; returns the processor time and what was found.
    fn read(&self, requests: &[ScanRequest]) -> (Duration, FileReport) {
        let mut decoder = Decoder::new(&DecodeOptions::new(requests));
        let origin = Origin { is_stored: self.are_tables, ..Origin::new("logs") };
        let mut sink = |_, rows| {
            black_box(rows);
            ControlFlow::Continue(())
        };
        let (mut spent, mut report, mut bytes) =
            (Duration::ZERO, FileReport::default(), Vec::new());
        for file in &self.files {
            bytes.clone_from(file);
            let start = ProcessTime::now();
            let found = if self.are_tables {
                let input = Input::Seekable(Box::new(Cursor::new(std::mem::take(&mut bytes))));
                decoder.decode(input, &origin, &mut sink)
            } else {
                decoder.decode_whole(&mut bytes, &origin, &mut sink)
            };
            spent += start.elapsed();
            report.merge(&found);
        }
        let start = ProcessTime::now();
        let _ = decoder.finish(&mut sink);
        (spent + start.elapsed(), report)
    }
}

fn files_in(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path, end));
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn contents(paths: &[PathBuf]) -> Vec<Vec<u8>> {
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn inflated(file: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).unwrap();
    text
}

/// Returns a table of the records of files, sorted as a lake sorts them.
fn table_of(files: &[Vec<u8>]) -> Vec<u8> {
    let mut rows: Vec<([Option<String>; stored::LEADS.len()], i64, String, String)> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let source = format!("s3://logs/AWSLogs/o-1/CloudTrail/{number:05}.json.gz");
        let mut splitter = Splitter::new(&**file);
        while let Some(item) = splitter.next_item() {
            let Item::Record(record) = item else { continue };
            let event: serde_json::Value = serde_json::from_str(record.text).unwrap();
            let leads = stored::LEADS.map(|name| Some(event.get(name)?.as_str()?.to_owned()));
            let time = event.get("eventTime").and_then(|time| first_time(time.as_str()?));
            let time = time.map_or(0, |time| (time * 1e6) as i64);
            rows.push((leads, time, source.clone(), record.text.to_owned()));
        }
    }
    rows.sort_by(|(a, at, ..), (b, bt, ..)| (&a[1], &a[0], at).cmp(&(&b[1], &b[0], bt)));
    let texts = |text: &dyn Fn(usize) -> Option<String>| -> ArrayRef {
        Arc::new((0..rows.len()).map(text).collect::<StringArray>())
    };
    let times = |time: &dyn Fn(usize) -> i64| -> ArrayRef {
        let times = (0..rows.len()).map(time);
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
    };
    let mut columns = vec![
        (stored::TIME, times(&|row| rows[row].1)),
        (stored::INDEX_TIME, times(&|_| 0)),
        (stored::SOURCE, texts(&|row| Some(rows[row].2.clone()))),
        (stored::SOURCETYPE, texts(&|_| None)),
        (stored::HOST, texts(&|_| Some("localhost".to_owned()))),
        (stored::FORMAT, texts(&|_| Some(stored::WITH_LEADS.to_owned()))),
        (stored::RAW, texts(&|row| Some(rows[row].3.clone()))),
    ];
    for (place, name) in stored::LEADS.into_iter().enumerate() {
        columns.push((name, texts(&|row| rows[row].0[place].clone())));
    }
    let field =
        |(name, array): &(&str, ArrayRef)| Column::new(*name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let raw = || ColumnPath::from(stored::RAW);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_column_dictionary_enabled(raw(), false)
        .set_column_statistics_enabled(raw(), EnabledStatistics::None)
        .set_data_page_size_limit(4 << 20)
        .set_max_row_group_row_count(Some(40_000))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let Some(logs) = arguments.first() else {
        println!("usage: cargo bench -p spilltrail-decode --bench stored -- LOGS [LAKE]");
        return;
    };
    let packed = contents(&files_in(Path::new(logs), ".json.gz"));
    let texts: Vec<Vec<u8>> = packed.iter().map(|file| inflated(file)).collect();
    let tables = match arguments.get(1) {
        Some(lake) => contents(&files_in(Path::new(lake), ".parquet")),
        None => vec![table_of(&texts)],
    };
    let all = [(texts, false), (packed, false), (tables, true)];
    let all = all.map(|(files, are_tables)| Logs { files, are_tables });
    println!("nanoseconds an event    text  gzip  table   table:gzip  events   matched");
    for (name, requests) in cases() {
        let mut least = [Duration::MAX; 3];
        let mut found = [(0, 0); 3];
        for _ in 0..ROUNDS {
            for (place, logs) in all.iter().enumerate() {
                let (spent, report) = logs.read(&requests);
                least[place] = least[place].min(spent);
                found[place] = (report.events, report.matched);
            }
        }
        assert!(found.iter().all(|one| *one == found[0]), "{name}: {found:?}");
        let (events, matched) = found[0];
        let each = least.map(|spent| spent.as_nanos() as f64 / events as f64);
        println!(
            "{name:20} {:7.0} {:5.0} {:6.0} {:12.2} {events:7} {matched:9}",
            each[0],
            each[1],
            each[2],
            each[2] / each[1],
        );
    }
}

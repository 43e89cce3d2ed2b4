//! Compares what is read of single events with what the decoder gives.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use spilltrail_event::{Field, Kind, Predicate, ScanRequest, fields};

use super::*;
use crate::{DecodeOptions, Decoder, Input, Item, Origin, RawRecord, Rows, Splitter};

/// An event as the decoder gives it: the texts that were asked for, its time in microseconds, and its leads.
pub(crate) type Row = (Vec<String>, Option<i64>, Vec<Option<String>>);

/// Asks for all events with these texts, their leads and their times.
pub(crate) fn request(texts: &[&str]) -> ScanRequest {
    let names = texts.iter().copied().chain(LEADS);
    let mut columns: Vec<Field> = names.map(|name| Field::new(name, Kind::Text)).collect();
    columns.push(Field::new(fields::TIME, Kind::Number));
    ScanRequest { predicate: Predicate::All, fields: columns }
}

/// Both ways of reading an event.
struct Ways {
    reader: LeadReader,
    decoder: Decoder,
    origin: Origin,
}

impl Ways {
    fn new(sourcetype: Option<&str>) -> Self {
        let request = request(&[fields::EVENT_TEXT, fields::EVENT_FORMAT]);
        Self {
            reader: LeadReader::new(sourcetype),
            decoder: Decoder::new(&DecodeOptions::new([request])),
            origin: Origin { sourcetype: sourcetype.map(Into::into), ..Origin::new("f") },
        }
    }

    fn decoded(&mut self, text: &str, is_event: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut keep = |_: usize, found: Rows| {
            rows.extend(rows_of(&found.into_batch().unwrap()));
            ControlFlow::Continue(())
        };
        if is_event {
            let record = RawRecord { text, offset: 0, format: Format::CloudTrail };
            let _ = self.decoder.decode_event(&record, &self.origin, &mut keep);
        } else {
            let file = Input::Seekable(Box::new(Cursor::new(text.as_bytes().to_vec())));
            self.decoder.decode(file, &self.origin, &mut keep);
        }
        let _ = self.decoder.finish(&mut keep);
        rows
    }

    /// Returns whether the text is read, and checks that both ways of decoding it give the same.
    fn is_read(&mut self, text: &str) -> bool {
        let Some(Leads { time, values }) = self.reader.read(text) else { return false };
        let values = values.into_iter().map(|value| value.map(Cow::into_owned)).collect();
        let row = (vec![text.to_owned(), "cloudtrail".to_owned()], time, values);
        for is_event in [false, true] {
            assert_eq!(
                self.decoded(text, is_event),
                std::slice::from_ref(&row),
                "{is_event} {text}"
            );
        }
        true
    }
}

/// Returns the rows of a batch of a [`request`].
pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let time = batch.num_columns() - 1;
    let texts = time - LEADS.len();
    let times = batch.column(time).as_primitive::<Float64Type>();
    let row = |row: usize| {
        let cell = |column: usize| {
            let texts = batch.column(column).as_string_view();
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let seconds = times.is_valid(row).then(|| (times.value(row) * 1e6).round() as i64);
        (
            (0..texts).map(|text| cell(text).unwrap()).collect(),
            seconds,
            (texts..time).map(cell).collect(),
        )
    };
    (0..batch.num_rows()).map(row).collect()
}

const EVENT: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"Root","arn":"a","eventName":"x"},"eventTime":"2026-03-17T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-central-1","sourceIPAddress":"1.2.3.4","requestParameters":{"eventID":"no","Records":[{}]},"responseElements":null,"eventID":"e","readOnly":true,"recipientAccountId":"1"}"#;

#[test]
fn an_event_and_its_leads() {
    let mut reader = LeadReader::new(None);
    let leads = reader.read(EVENT).unwrap();
    assert_eq!(leads.time, Some(1_773_741_600_000_000));
    let values = ["GetObject", "s3.amazonaws.com", "eu-central-1", "1", "1.2.3.4", "e"];
    assert_eq!(leads.values, values.map(|value| Some(value.into())));
    assert!(leads.values.iter().all(|value| matches!(value, Some(Cow::Borrowed(_)))));
}

#[test]
fn what_is_read_is_what_the_decoder_gives() {
    let mut ways = Ways::new(None);
    for (from, to, expected) in [
        ("", "", true),
        // Values of all kinds.
        ("\"eu-central-1\"", "\"a\\\"\\u00e9\\ud83d\\ude00\\n\"", true),
        ("\"eu-central-1\"", "-1.50e3", true),
        ("\"eu-central-1\"", "null", true),
        ("\"eu-central-1\"", "true", true),
        ("\"eu-central-1\"", "\"\"", true),
        ("\"eu-central-1\"", "{\"awsRegion\":\"x\"}", true),
        ("\"eu-central-1\"", "[\"x\"]", true),
        ("\"e\"", "\"é\u{1f600}\"", true),
        ("\"GetObject\"", "null", true),
        ("\"GetObject\"", "\"\\u0041\"", true),
        ("\"GetObject\"", "5", false),
        ("\"GetObject\"", "{}", false),
        // Members that are repeated or left out.
        ("\"readOnly\":true", "\"eventID\":\"f\"", true),
        ("\"readOnly\":true", "\"eventID\":null", true),
        ("\"readOnly\":true", "\"eventID\":{}", true),
        ("\"readOnly\":true", "\"eventID\":[\"f\"]", true),
        ("\"readOnly\":true", "\"eventName\":\"Put\"", true),
        ("\"readOnly\":true", "\"eventTime\":\"2020-01-01T00:00:00Z\"", true),
        ("\"readOnly\":true", "\"eventTime\":{}", true),
        ("\"eventName\":\"GetObject\",", "", true),
        ("\"awsRegion\":\"eu-central-1\",", "", true),
        ("\"eventTime\":\"2026-03-17T10:00:00Z\",", "", true),
        // Times.
        ("2026-03-17T10:00:00Z", "2026-03-17T10:00:00.123456789+01:00", true),
        ("2026-03-17T10:00:00Z", "2026-03-17\\u002010:00", true),
        ("2026-03-17T10:00:00Z", "Mar 17, 2026, 10:00:00 AM", true),
        ("2026-03-17T10:00:00Z", "1969-12-31T23:59:59.9Z", true),
        ("2026-03-17T10:00:00Z", "no time", true),
        ("\"2026-03-17T10:00:00Z\"", "1773741600123", true),
        ("\"2026-03-17T10:00:00Z\"", "1e300", true),
        ("\"2026-03-17T10:00:00Z\"", "null", true),
        ("\"eventTime\":\"2026-03-17T10:00:00Z\"", "\"@timestamp\":\"2020-01-01T00:00:00Z\"", true),
        ("\"eventTime\":\"2026-03-17T10:00:00Z\"", "\"time\":5,\"_time\":1e9", true),
        ("\"eventTime\":\"2026-03-17T10:00:00Z\"", "\"timestamp\":{\"time\":1}", true),
        // White space.
        (",", " ,\n\t ", true),
        (":", " : ", true),
        ("{\"eventVersion\"", " {\"eventVersion\"", false),
        ("\"1\"}", "\"1\"}\n", false),
        // Members of others.
        ("\"readOnly\":true", "\"sourcetype\":\"json\",\"source\":\"x\",\"host\":\"h\"", true),
        ("\"readOnly\":true", "\"vpcEndpointAccountId\":\"1\",\"a.b\":1,\"eventID{}\":2", true),
        ("\"readOnly\":true", "\"_raw\":\"x\",\"class_uid\":1,\"category_uid\":2", true),
        (
            "\"readOnly\":true",
            "\"detail\":{\"eventName\":\"B\",\"eventSource\":\"s\",\"x\":\"................................\"}",
            false,
        ),
        (
            "\"readOnly\":true",
            "\"message\":\"{\\\"eventName\\\":\\\"B\\\",\\\"eventSource\\\":\\\"s\\\",\\\"eventVersion\\\":\\\"1\\\"}\"",
            false,
        ),
        (
            "\"eventVersion\":\"1.08\"",
            "\"Records\":[{\"eventName\":\"B\",\"eventSource\":\"s\"}],\"eventVersion\":\"1\"",
            false,
        ),
        ("\"eventVersion\":\"1.08\"", "\"Records\":[{\"a\":1}],\"eventVersion\":\"1\"", false),
        ("\"eventVersion\":\"1.08\"", "\"Events\":[],\"eventVersion\":\"1\"", false),
        ("\"eventVersion\":\"1.08\"", "\"results\":[ {} ],\"eventVersion\":\"1\"", false),
        ("\"eventVersion\":\"1.08\"", "\"logEvents\" : [{}],\"eventVersion\":\"1\"", false),
        ("\"eventVersion\":\"1.08\"", "\"NextToken\":\"t\",\"eventVersion\":\"1\"", true),
        // What others write in another way.
        ("\"arn\"", "\"ARN\"", false),
        ("\"arn\"", "\"user_name\"", false),
        ("\"arn\":\"a\"", "\"sessionContext\":{\"ATTRIBUTES\":{}}", true),
        ("\"readOnly\":true", "\"tlsDetails\":{\"tlsVersion\":\"1\"}", true),
        ("\"readOnly\":true", "\"tlsDetails\" : {\"tlsversion\":\"1\"}", false),
        ("\"readOnly\":true", "\"userIdentity\":{\"Arn\":\"1\"}", false),
        ("\"eventName\"", "\"event\\u004eame\"", false),
        ("\"eventName\":\"GetObject\"", "\"EventName\":\"GetObject\"", false),
        ("\"readOnly\":true", "\"event\\u0049D\":\"f\"", false),
        ("\"readOnly\":true", "\"requestParameters\":\"{'a': 1}\"", false),
        ("\"responseElements\":null", "\"responseElements\":\"{\\\"a\\\":1}\"", false),
        ("s3.amazonaws.com", "aws:s3", false),
        // What is not valid.
        ("\"Records\":[{}]", "\"Records\":[{]}", false),
        ("\"Records\":[{}]", "\"Records\":[1 2]", false),
        ("\"Records\":[{}]", "\"Records\":[tru]", false),
        ("\"eventID\":\"no\"", "\"eventID\":\"\\x\"", false),
        ("\"eventID\":\"e\"", "\"eventID\":\"\\x\"", false),
        ("\"eventID\":\"e\"", "\"eventID\":\"\\u00g0\"", false),
        ("\"eventID\":\"e\"", "\"eventID\":\"\\ud800\"", true),
        ("\"eventID\":\"e\"", "\"eventID\":\"a\nb\"", false),
        ("\"1\"}", "\"1\",}", false),
        ("\"1\"}", "\"1\"", false),
        ("\"1\"}", "\"1\"}}", false),
        ("\"1\"}", "\"1\"}{}", false),
    ] {
        let text = if from.is_empty() { EVENT.to_owned() } else { EVENT.replace(from, to) };
        assert!(from.is_empty() || text != EVENT, "{from}");
        assert_eq!(ways.is_read(&text), expected, "{text}");
    }
    for text in ["", "{}", "[]", "{", "\"", "null", "\u{feff}", &format!("[{EVENT}]")] {
        assert!(!ways.is_read(text), "{text}");
    }
    // Numbers whose length the grammar of files does not allow, and values that are too deep.
    for (count, expected) in [(1000, true), (2000, false)] {
        let number = EVENT.replace("true", &"1".repeat(count));
        assert_eq!(ways.is_read(&number), expected, "{count}");
    }
    for (depth, expected) in [(255, true), (256, false)] {
        let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(ways.is_read(&EVENT.replace("true", &deep)), expected, "{depth}");
    }
}

#[test]
fn a_sourcetype_of_another_format_is_left_to_the_decoder() {
    for (sourcetype, expected) in
        [("aws:cloudtrail", true), ("aws:cloudtrail:lake", false), ("json", false), ("mine", false)]
    {
        assert_eq!(Ways::new(Some(sourcetype)).is_read(EVENT), expected, "{sourcetype}");
    }
}

/// Returns the paths of the files in a folder and all folders below.
pub(crate) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_in(&path)) } else { found.push(path) }
    }
    found
}

/// Returns the events of CloudTrail in a file, as it has them.
fn events_of(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let is_gzip = bytes.starts_with(b"\x1f\x8b");
    let mut text = Vec::new();
    if is_gzip {
        let mut reader = flate2::read::MultiGzDecoder::new(&*bytes);
        std::io::Read::read_to_end(&mut reader, &mut text).unwrap();
    } else {
        text = bytes;
    }
    let mut splitter = Splitter::new(&*text);
    let mut events = Vec::new();
    while let Some(item) = splitter.next_item() {
        if let Item::Record(RawRecord { text, format: Format::CloudTrail, .. }) = item {
            events.push(text.to_owned());
        }
    }
    events
}

#[test]
fn the_events_of_samples_and_packs_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut ways = Ways::new(None);
    let mut events = 0;
    for path in ["samples", "packs"].iter().flat_map(|folder| files_in(&root.join(folder))) {
        for event in events_of(&path) {
            events += 1;
            assert!(ways.is_read(&event), "{} {event}", path.display());
        }
    }
    assert!(events > 1000, "{events}");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z.:]{0,12}",
        "[a-zé\"\\\\\n\u{1f600}{}\\[\\],:]{0,8}",
        Just("2026-03-17T10:00:00Z".to_owned()),
        Just("2026-03-17T10:00:00.25+02:00".to_owned()),
        Just("1773741600".to_owned()),
    ]
    .prop_map(|text| serde_json::Value::from(text).to_string())
}

fn key() -> impl Strategy<Value = String> {
    let known = LEADS.into_iter().chain(ENVELOPES).chain([
        "eventTime",
        "eventVersion",
        "userIdentity",
        "tlsDetails",
        "requestParameters",
        "responseElements",
        "@timestamp",
        "_time",
        "time",
        "readOnly",
        "type",
        "arn",
        "ARN",
        "event_name",
        "sourcetype",
        "_raw",
        "message",
        "a.b",
        "eventID{}",
    ]);
    let known: Vec<String> = known.map(|key| format!("\"{key}\"")).collect();
    prop_oneof![8 => prop::sample::select(known), 1 => text()]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just(""), 1 => Just(" "), 1 => Just("\n\t")]
}

fn object(
    value: impl Strategy<Value = String>,
    keys: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let member = (keys, space(), space(), value, space());
    let member = member
        .prop_map(|(key, before, after, value, end)| format!("{key}{before}:{after}{value}{end}"));
    (space(), prop::collection::vec(member, 0..9))
        .prop_map(|(start, members)| format!("{{{start}{}}}", members.join(",")))
}

/// What is no text: values, the first ones valid.
const WORDS: &[&str] =
    &["null", "true", "5", "-1.50", "1e9", "1773741600.5", "{}", "[]", "nul", "01", "\"\\x\""];

/// Returns JSON, and now and then something that is nearly JSON.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        12 => text(),
        6 => prop::sample::select(&WORDS[..8]).prop_map(str::to_owned),
        1 => prop::sample::select(WORDS).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![object(inner, key()), list.prop_map(|list| format!("[{}]", list.join(",")))]
    })
}

/// Returns an object that has what events have, in any order.
fn event() -> impl Strategy<Value = String> {
    let member = |key: &'static str| text().prop_map(move |value| format!("\"{key}\":{value}"));
    let others = prop::collection::vec((key(), value()), 0..8);
    let usual = ("eventVersion", "eventSource", "eventName", "eventTime");
    (member(usual.0), member(usual.1), member(usual.2), member(usual.3), others, any::<u8>())
        .prop_map(|(version, source, name, time, others, left_out)| {
            let mut members: Vec<String> =
                others.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            for (place, member) in [version, source, name, time].into_iter().enumerate() {
                if left_out >> (2 * place) & 3 != 0 {
                    members.push(member);
                }
            }
            members
        })
        .prop_shuffle()
        .prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is read is what the decoder gives, whichever way.
    #[test]
    fn any_event(event in event()) {
        Ways::new(None).is_read(&event);
    }
}

#[test]
fn most_made_up_events_are_read() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut ways = Ways::new(None);
    let read = (0..1000).filter(|_| {
        let event = event().new_tree(&mut runner).unwrap().current();
        ways.is_read(&event)
    });
    assert!(read.count() > 200);
}

//! Tests Parquet files, which are written here as Athena, Firehose and Security Lake write them.

mod damaged;
mod from_files;
mod given;
mod pruned;
mod stored;

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float64Array, Int64Array, ListArray, StringArray, StructArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::Fields;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::archives::tar_of;
use super::*;
use crate::left_out::Member;

type Columns<'a> = Vec<(&'a str, ArrayRef)>;

fn texts<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn text(value: &str) -> ArrayRef {
    texts([Some(value)])
}

fn structs(members: Columns<'_>) -> ArrayRef {
    let fields: Vec<_> = members
        .iter()
        .map(|(name, array)| arrow_schema::Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = members.into_iter().map(|(_, array)| array).collect();
    Arc::new(StructArray::new(Fields::from(fields), arrays, None))
}

/// A list of all values in one row.
fn list(values: ArrayRef) -> ArrayRef {
    let field = arrow_schema::Field::new("element", values.data_type().clone(), true);
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Arc::new(ListArray::new(Arc::new(field), offsets, values, None))
}

fn map(pairs: &[(&str, &str)]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in pairs {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    builder.append(true).unwrap();
    Arc::new(builder.finish())
}

fn table_with(columns: Columns<'_>, properties: WriterProperties) -> Vec<u8> {
    let fields: Vec<_> = columns
        .iter()
        .map(|(name, array)| arrow_schema::Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(arrow_schema::Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

fn table(columns: Columns<'_>) -> Vec<u8> {
    table_with(columns, WriterProperties::new())
}

/// Returns the `_raw` and `sourcetype` of the events in a file, and its report.
fn raw(bytes: Vec<u8>) -> (Vec<String>, FileReport) {
    let options = DecodeOptions::new([request(Predicate::All, &["_raw", "sourcetype"])]);
    decode(&options, seekable(bytes))
}

fn athena() -> Columns<'static> {
    vec![
        ("eventversion", text("1.08")),
        (
            "useridentity",
            structs(vec![
                ("type", text("AssumedRole")),
                ("principalid", texts([None])),
                (
                    "sessioncontext",
                    structs(vec![(
                        "sessionissuer",
                        structs(vec![("username", text("builder")), ("accountid", texts([None]))]),
                    )]),
                ),
            ]),
        ),
        ("eventtime", text("2026-03-17T10:00:00Z")),
        ("eventsource", text("ec2.amazonaws.com")),
        ("eventname", text("RunInstances")),
        ("sourceipaddress", text("192.0.2.7")),
        ("requestparameters", text(r#"{"instancesSet":{"items":[{"minCount":1.0}]}}"#)),
        ("responseelements", text("null")),
        ("additionaleventdata", map(&[("vpc", "v-1"), ("nested", r#"{"a":[1]}"#)])),
        (
            "resources",
            list(structs(vec![("arn", text("arn:aws:s3:::b")), ("accountid", text("1"))])),
        ),
        ("readonly", text("false")),
        ("managementevent", Arc::new(BooleanArray::from(vec![true]))),
        ("tlsdetails", structs(vec![("tlsversion", texts([None]))])),
        ("recipientaccountid", Arc::new(Int64Array::from(vec![111_122_223_333]))),
    ]
}

/// What the columns of [`athena`] are, by hand.
const ATHENA: &str = concat!(
    r#"{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","sessionContext":"#,
    r#"{"sessionIssuer":{"userName":"builder"}}},"eventTime":"2026-03-17T10:00:00Z","#,
    r#""eventSource":"ec2.amazonaws.com","eventName":"RunInstances","#,
    r#""sourceIPAddress":"192.0.2.7","requestParameters":{"instancesSet":{"items":"#,
    r#"[{"minCount":1.0}]}},"additionalEventData":{"vpc":"v-1","nested":{"a":[1]}},"#,
    r#""resources":[{"ARN":"arn:aws:s3:::b","accountId":"1"}],"readOnly":false,"#,
    r#""managementEvent":true,"recipientAccountId":"111122223333"}"#,
);

#[test]
fn columns_with_names_of_cloudtrail_are_records() {
    let (rows, report) = raw(table(athena()));
    assert_eq!(rows, [format!("{ATHENA},aws:cloudtrail")]);
    assert_eq!((report.events, report.rows, report.damage_count), (1, 0, 0));
    assert_eq!(report.oldest, Some(1_773_741_600.0));

    // Firehose keeps the names, and may have typed times; dates with a fraction keep it.
    for (time, expected) in [
        (Arc::new(TimestampMillisecondArray::from(vec![1_773_741_600_000])) as ArrayRef, ""),
        (Arc::new(TimestampMicrosecondArray::from(vec![1_773_741_600_250_000])), ".250"),
        (text("2026-03-17 10:00:00.250"), ".250"),
    ] {
        let columns = vec![
            ("eventName", text("ListUsers")),
            ("eventSource", text("iam.amazonaws.com")),
            ("eventTime", time),
            ("errorCode", texts([None])),
            ("userIdentity.arn", text("arn")),
        ];
        let expected = format!(
            r#"{{"eventName":"ListUsers","eventSource":"iam.amazonaws.com","eventTime":"2026-03-17T10:00:00{expected}Z","userIdentity":{{"arn":"arn"}}}},aws:cloudtrail"#
        );
        assert_eq!(raw(table(columns)).0, [expected]);
    }
}

#[test]
fn lists_of_pairs_in_documents_are_objects() {
    let pairs = || list(structs(vec![("key", text("bucketName")), ("value", text("b"))]));
    let columns = vec![
        ("eventname", text("GetObject")),
        ("eventsource", text("s3.amazonaws.com")),
        ("requestparameters", pairs()),
        ("resources", pairs()),
    ];
    let expected = r#"{"eventName":"GetObject","eventSource":"s3.amazonaws.com","requestParameters":{"bucketName":"b"},"resources":[{"key":"bucketName","value":"b"}]},aws:cloudtrail"#;
    assert_eq!(raw(table(columns)).0, [expected]);
}

#[test]
fn events_of_security_lake_answer_to_their_sourcetypes() {
    let columns = || {
        vec![
            (
                "metadata",
                structs(vec![
                    ("uid", text("u")),
                    ("product", structs(vec![("name", text("CloudTrail"))])),
                ]),
            ),
            ("time", Arc::new(Int64Array::from(vec![1_773_741_600_000])) as ArrayRef),
            ("time_dt", Arc::new(TimestampMicrosecondArray::from(vec![1_773_741_600_000_000]))),
            ("class_uid", Arc::new(arrow_array::Int32Array::from(vec![6003]))),
            ("api", structs(vec![("operation", text("RunInstances"))])),
            ("unmapped", map(&[("eventType", "AwsApiCall")])),
            ("observables", list(structs(vec![("name", text("ip")), ("value", text("x"))]))),
        ]
    };
    let expected = r#"{"metadata":{"uid":"u","product":{"name":"CloudTrail"}},"time":1773741600000,"time_dt":"2026-03-17T10:00:00Z","class_uid":6003,"api":{"operation":"RunInstances"},"unmapped":{"eventType":"AwsApiCall"},"observables":[{"name":"ip","value":"x"}]},aws:cloudtrail:lake"#;
    assert_eq!(raw(table(columns())).0, [expected]);
    for sourcetype in ["aws:asl", "aws:cloudtrail:lake"] {
        let predicate = Predicate::And(vec![
            equals("sourcetype", sourcetype),
            equals("api.operation", "RunInstances"),
        ]);
        let options = DecodeOptions::new([request(predicate, &["observables{}.value", "_time"])]);
        assert_eq!(decode(&options, seekable(table(columns()))).0, ["x,1773741600"]);
    }
}

#[test]
fn other_rows_keep_their_fields() {
    let mut numbers = ListBuilder::new(Int32Builder::new());
    numbers.append_value([Some(1), None, Some(3)]);
    let uuid = FixedSizeBinaryArray::try_from_iter(std::iter::once([0xab; 16])).unwrap();
    let decimal = Decimal128Array::from(vec![-12_345]).with_precision_and_scale(10, 2).unwrap();
    let columns = vec![
        ("user", text("a\"b\u{e9}")),
        ("n", Arc::new(numbers.finish()) as ArrayRef),
        ("pi", Arc::new(Float64Array::from(vec![3.5]))),
        ("infinite", Arc::new(Float64Array::from(vec![f64::INFINITY]))),
        ("price", Arc::new(decimal)),
        ("day", Arc::new(Date32Array::from(vec![20_529]))),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![36_000_000_001]))),
        ("blob", Arc::new(BinaryArray::from(vec![&[0xff, 0][..]]))),
        ("blob_text", Arc::new(BinaryArray::from(vec![&b"text"[..]]))),
        ("id", Arc::new(uuid)),
        ("nothing", texts([None])),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(vec![1_773_741_600_001]))),
        ("source", text("elsewhere")),
    ];
    let expected = concat!(
        r#"{"user":"a\"bé","n":[1,null,3],"pi":3.5,"infinite":"inf","price":-123.45,"#,
        r#""day":"2026-03-17","clock":"10:00:00.000001","blob":"/wA=","blob_text":"text","#,
        r#""id":"q6urq6urq6urq6urq6urqw==","timestamp":"2026-03-17T10:00:00.001Z","#,
        r#""source":"elsewhere"},parquet"#,
    );
    let bytes = table(columns);
    let (rows, report) = raw(bytes.clone());
    assert_eq!(rows, [expected]);
    assert_eq!((report.events, report.rows, report.own_names.is_empty()), (1, 1, false));
    let options = DecodeOptions::new([request(equals("user", "a*"), &["source", "_time", "n"])]);
    assert_eq!(decode(&options, seekable(bytes.clone())).0, ["elsewhere,1773741600.001,3"]);
    assert!(crate::holds_rows(seekable(bytes), crate::Look::AtFirst, in_memory));
    assert!(!crate::holds_rows(seekable(table(athena())), crate::Look::AtAll, in_memory));
}

#[test]
fn events_inside_rows_are_unwrapped() {
    let record = event("A");
    for (name, place) in
        [("_raw", "_raw"), ("eventJson", "eventJson"), ("message", "message"), ("body", "body")]
    {
        let columns = vec![("id", text("1")), (name, text(&record)), ("other", text("x"))];
        let (rows, report) = raw(table(columns));
        assert_eq!(rows, [format!("{record},aws:cloudtrail")], "{name}");
        assert_eq!(report.unwrapped.get(place), Some(&1), "{name}: {:?}", report.unwrapped);
    }
}

#[test]
fn all_forms_of_pages_are_read() {
    let names: Vec<String> = (0..5000).map(|index| format!("Name{}", index % 700)).collect();
    let columns = || {
        let names = Arc::new(StringArray::from_iter_values(&names)) as ArrayRef;
        let ids = (0..5000).map(|index| format!("{index:032}"));
        let ids = Arc::new(StringArray::from_iter_values(ids)) as ArrayRef;
        let sources = Arc::new(StringArray::from_iter_values(names_of_sources())) as ArrayRef;
        vec![("eventName", names), ("eventSource", sources), ("eventID", ids)]
    };
    fn names_of_sources() -> impl Iterator<Item = &'static str> {
        std::iter::repeat_n("s3.amazonaws.com", 5000)
    }
    let codecs = [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::GZIP(GzipLevel::default()),
        Codec::ZSTD(ZstdLevel::default()),
        Codec::LZ4,
        Codec::LZ4_RAW,
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for has_dictionary in [true, false] {
                let properties = WriterProperties::builder()
                    .set_compression(codec)
                    .set_writer_version(version)
                    .set_dictionary_enabled(has_dictionary)
                    .set_data_page_size_limit(4096)
                    .set_max_row_group_row_count(Some(2000))
                    .build();
                let bytes = table_with(columns(), properties);
                let options =
                    DecodeOptions::new([request(Predicate::All, &["eventName", "eventID"])]);
                let (rows, report) = decode(&options, seekable(bytes));
                assert_eq!(report.damages, [], "{codec:?} {version:?} {has_dictionary}");
                assert_eq!((rows.len(), report.events), (5000, 5000));
                assert_eq!(rows[4321], format!("Name{},{:032}", 4321 % 700, 4321));
            }
        }
    }
}

#[test]
fn tables_are_found_wherever_they_are() {
    let bytes = table(athena());
    let expected = [format!("{ATHENA},aws:cloudtrail")];
    for (input, place) in [
        (seekable(bytes.clone()), "a plain file"),
        (stream(bytes.clone()), "a stream"),
        (seekable(gzip(&bytes)), "gzip"),
        (seekable(zip_of(&[("a/b.parquet", &bytes)])), "zip"),
        (stream(gzip(&tar_of(&[("a/b.parquet", &bytes)]))), "a stream of tar.gz"),
    ] {
        let options = DecodeOptions::new([request(Predicate::All, &["_raw", "sourcetype"])]);
        let (rows, report) = decode(&options, input);
        assert_eq!((rows.as_slice(), report.damage_count), (expected.as_slice(), 0), "{place}");
        assert!(report.bytes_read > 0, "{place}");
    }
    let mixed = tar_of(&[("a.parquet", &bytes), ("b.json", event("B").as_bytes())]);
    let options = DecodeOptions::new([request(Predicate::All, &["eventName", "source"])]);
    let (rows, _) = decode(&options, seekable(mixed.clone()));
    assert_eq!(rows, ["RunInstances,f:a.parquet", "B,f:b.json"]);
    // Duplicates are told by ids that no search reads.
    let twice = tar_of(&[
        ("a", &table(vec![("eventName", text("A")), ("eventID", text("1"))])),
        ("b", &table(vec![("eventName", text("A")), ("eventID", text("1"))])),
    ]);
    let options = DecodeOptions { seen: Some(Arc::default()), ..options };
    let (rows, report) = decode(&options, seekable(twice));
    assert_eq!((rows.len(), report.skipped[&SkipKind::Duplicate]), (1, 1));
}

#[test]
fn names_of_fields_are_discovered() {
    let demand = Demand::all();
    let mut found = discovery(&Predicate::All, &demand);
    found.read(seekable(table(athena())), &Origin::new("f"));
    let fields: Vec<String> = found.fields().into_iter().map(|field| field.name).collect();
    for name in ["requestParameters.instancesSet.items{}.minCount", "resources{}.ARN", "user_name"]
    {
        assert!(fields.iter().any(|field| field == name), "{name}: {fields:?}");
    }
    let demand = Demand::of(["eventName"]);
    let mut found = discovery(&equals("eventName", "other"), &demand);
    let report = found.read(seekable(table(athena())), &Origin::new("f"));
    assert_eq!((report.events, found.fields().len()), (1, 0));
}

/// Returns the number of events of sources that leave out `requestParameters`.
fn without(report: &FileReport) -> u64 {
    report.left_out.events.get(&Member::RequestParameters).copied().unwrap_or_default()
}

/// Tables without a column of `requestParameters` are known by their names alone.
#[test]
fn sources_without_parameters_are_counted() {
    let options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
    let call = r#"{"eventVersion":"1","eventName":"A","eventSource":"s","eventType":"AwsApiCall""#;
    let whole = call.replace('"', "\"\"");
    for (text, thin) in [
        ("Event name,Event time,Event source\nA,1,s\nB,2,s\n".to_owned(), 2),
        ("eventname,eventtime,eventtype\nA,1,AwsConsoleSignIn\nB,2,AwsApiCall\n".to_owned(), 2),
        ("eventname,eventtime,requestparameters\nA,1,\n".to_owned(), 0),
        ("eventName,eventTime,requestParameters.bucketName\nA,1,\n".to_owned(), 0),
        (format!("_raw,eventName\n\"{whole},\"\"requestParameters\"\":null}}\",A\n"), 0),
        (format!("_raw,eventName\n\"{whole}}}\",A\n"), 1),
        (format!("{call}}}\n{call}}}"), 2),
        (format!("{{\"Records\":[{call}}},{call}}}]}}"), 2),
        (format!("{{\"Records\":[{call},\"requestParameters\":{{}}}},{call}}}]}}"), 1),
        ("user,count\nann,1\n".to_owned(), 0),
    ] {
        let (_, report) = decode(&options, stream(text.clone().into_bytes()));
        assert_eq!(without(&report), thin, "{text}");
        let (_, report) = decode_whole(&options, text.clone().into_bytes());
        assert_eq!(without(&report), thin, "{text}");
    }
    let table = zip_of(&[
        ("a.csv", b"Event name,Event time\nA,1\n"),
        ("b.json", format!("{call},\"requestParameters\":null}}").as_bytes()),
    ]);
    let (_, report) = decode(&options, seekable(table));
    assert_eq!((report.events, without(&report)), (2, 1));
}

/// A table whose names join keys in an unknown way is told once, and its rows are read.
#[test]
fn columns_that_are_joined_in_an_unknown_way_are_told() {
    for (column, count) in [("userIdentity arn", 1), ("userIdentity_arn", 0), ("user", 0)] {
        let columns = vec![
            ("eventName", texts([Some("A"), Some("B")])),
            ("eventSource", texts([Some("s"), Some("s")])),
            (column, texts([Some("x"), Some("y")])),
        ];
        let (_, report) = raw(table(columns));
        assert_eq!((report.events, report.rows, report.damage_count), (2, 0, count), "{column}");
    }
}

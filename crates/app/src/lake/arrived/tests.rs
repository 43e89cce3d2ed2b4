//! Texts that arrive become the rows that files would give.

use std::io::Cursor;
use std::ops::ControlFlow;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use spilltrail_decode::{DecodeOptions, Decoder, Input, Origin, Rows};
use spilltrail_event::{
    CaseRule, Comparison, Field, Keyword, KeywordKind, Kind, Pattern, Predicate, ScanRequest,
    TimeBounds, fields,
};
use spilltrail_lake::{BatchBuilder, Event, Origin as LakeOrigin, file_of};

use super::found::{MOST_FOUND, is_a_line};
use super::*;

fn rows(format: &str, events: &[(&str, Option<i64>)]) -> RecordBatch {
    let origin = LakeOrigin {
        index: "main".into(),
        source: Some("s".into()),
        format: format.into(),
        ..LakeOrigin::default()
    };
    let mut builder = BatchBuilder::new(origin);
    for (raw, time) in events {
        builder.push(Event { raw: raw.as_bytes(), time: *time, fields: None }).unwrap();
    }
    let batch = builder.finish().unwrap();
    let mut rows = RowsBuilder::new();
    rows_of(&StoredBatch { number: 1, received: 7, batch }, &mut rows, &mut |_| ()).unwrap();
    rows.finish()
}

#[test]
fn each_event_is_a_row_with_its_leads() {
    let event = |n: u32| {
        format!(
            r#"{{"eventSource":"s3.amazonaws.com","eventName":"E{n}","eventTime":"2026-03-17T10:00:00.{:03}Z"}}"#,
            n % 1000
        )
    };
    let many: Vec<String> = (0..20_000).map(event).collect();
    let given: Vec<(&str, Option<i64>)> = many.iter().map(|text| (&**text, Some(5))).collect();
    let found = rows("cloudtrail", &given);
    assert_eq!(found.num_rows(), many.len());
    let column = |name: &str| found.column_by_name(name).unwrap().clone();
    let (names, texts) = (column("eventName"), column("_raw"));
    let regions = column("awsRegion");
    for (row, text) in many.iter().enumerate() {
        assert_eq!(names.as_string_view().value(row), format!("E{row}"));
        assert_eq!(texts.as_string_view().value(row), text);
        assert!(regions.is_null(row));
    }
    let times = column("_time");
    let times = times.as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(1), 1_773_741_600_001_000);
}

#[test]
fn what_is_no_event_of_aws_has_no_leads_and_the_time_of_its_sender() {
    let found = rows(
        "json",
        &[
            (r#"{"eventName":"x"}"#, Some(5)),
            (r#"{"_time":1e9}"#, Some(5)),
            (r#"{"_time":1e9}"#, None),
            (r#"{"a":1}"#, None),
        ],
    );
    assert!(found.column_by_name("eventName").unwrap().is_null(0));
    let times = found.column_by_name("_time").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    assert_eq!((times.value(0), times.value(1)), (5, 5));
    assert_eq!(times.value(2), 1_000_000_000_000_000);
    assert!(times.is_null(3));
}

/// What a batch with these texts gives: the format of each row with its text, and what is told of it.
fn arrived(texts: &[&str]) -> (Vec<(String, String)>, Option<String>) {
    let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
    let mut builder = BatchBuilder::new(origin);
    for text in texts {
        builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
    }
    let (batch, mut rows) = (builder.finish().unwrap(), RowsBuilder::new());
    let mut moved = MovedRows::default();
    moved.add(&StoredBatch { number: 1, received: 7, batch }, &mut rows).unwrap();
    let rows = rows.finish();
    let column = |name: &str| rows.column_by_name(name).unwrap().clone();
    let (formats, raws) = (column(stored::FORMAT), column(stored::RAW));
    let of = |row| {
        let text = raws.as_string_view().value(row);
        (formats.as_string_view().value(row).to_owned(), text.to_owned())
    };
    let found = (0..rows.num_rows()).map(of).collect();
    (found, moved.take_partly().map(|partly| partly.to_string()))
}

/// What looks like CloudTrail's and cannot be read is told: no detection finds it.
#[test]
fn texts_that_may_have_been_events_are_told() {
    let whole =
        r#"{"eventVersion":"1.1","eventSource":"s3.amazonaws.com","eventName":"A","x":"y"}"#;
    let deep = whole.replace("\"y\"", &("[".repeat(300) + &"]".repeat(300)));
    for (text, is_told) in [
        (whole, false),
        (&whole[..60], true),
        (&*whole.replace('y', "\t"), true),
        (&*whole.replace("\"y\"", "NaN"), true),
        (&*deep, true),
        ("  \"eventSource\": \"s3.amazonaws.com\",", true),
        (&*format!("<5>Nov 30 host app: {}", &whole[..60]), true),
        (r#"{"a":"#, false),
        ("eventSource is a name", false),
        (r#"{"message":"the \"eventSource\" is missing"}"#, false),
    ] {
        let (found, told) = arrived(&[text]);
        assert_eq!(told.is_some(), is_told, "{text}: {found:?} {told:?}");
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].1, text);
    }
}

/// Some bytes of a text may be a row of half a kilobyte.
#[test]
fn texts_with_very_many_records_are_kept_as_they_are() {
    let record = r#"{"a":1}"#;
    let many = format!("[{}]", vec![record; MOST_FOUND + 10_000].join(","));
    let (found, told) = arrived(&[record, &many, record]);
    let told = told.unwrap();
    assert!(told.contains("2 texts") && told.contains("more than 250000 records"), "{told}");
    let lengths: Vec<_> = found.iter().map(|(_, text)| text.len()).collect();
    assert_eq!(lengths, [record.len(), many.len(), record.len()]);
}

#[test]
fn texts_that_nobody_has_looked_at_are_read_as_files() {
    let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
    let records = format!("{{\"Records\":[{event},{event}]}}");
    let found = rows(
        "",
        &[
            (&records, None),
            ("plain words", Some(70)),
            (event, None),
            (r#"{"a":1}"#, None),
            (r#"Nov 29 host app: {"a":1}"#, None),
            (r#"{"a":1} and more"#, None),
            (r#"{"user":"ann","results":[{"id":1},{"id":2}]}"#, None),
        ],
    );
    let texts = |name: &str| -> Vec<String> {
        let column = found.column_by_name(name).unwrap().clone();
        let texts = column.as_string_view();
        texts.iter().map(|text| text.unwrap_or("-").to_owned()).collect()
    };
    let list = r#"{"user":"ann","results":[{"id":1},{"id":2}]}"#;
    let lines = [r#"Nov 29 host app: {"a":1}"#, r#"{"a":1} and more"#];
    assert_eq!(
        texts("_raw"),
        [event, event, "plain words", event, r#"{"a":1}"#, lines[0], lines[1], list]
    );
    let formats =
        ["cloudtrail", "cloudtrail", "other", "cloudtrail", "json", "other", "other", "json"];
    assert_eq!(texts("format"), formats);
    assert_eq!(texts("eventName"), ["A", "A", "-", "A", "-", "-", "-", "-"]);
    let sourcetypes = ["-", "-", "httpevent", "-", "-", "httpevent", "httpevent", "-"];
    assert_eq!(texts("sourcetype"), sourcetypes);
    let times = found.column_by_name("_time").unwrap();
    let times = times.as_primitive::<TimestampMicrosecondType>().values();
    // What has no time at all has that of its arrival.
    let happened = 1_773_741_600_000_000;
    assert_eq!(*times, [happened, happened, 70, happened, 7, 7, 7, 7]);
}

/// Of a list with a record that cannot be read, the others are events, and nothing of it is lost.
#[test]
fn a_list_that_is_read_in_part_is_kept_as_a_whole() {
    let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
    let cut = format!("{{\"Records\":[{event},{{\"eventSource\":\"s\",\"eventName\":]}}");
    let whole = format!("{{\"Records\":[{event}]}}");
    // A value that looks packed and cannot be unpacked is in its event as it is.
    let packed = format!("UEsDBA{}", "cHBw".repeat(100));
    let packed =
        event.replace('}', &format!(",\"eventVersion\":\"1.08\",\"pad\":\"{packed}==\"}}"));
    for (text, expected, told) in [
        (&cut, &[event, &cut][..], true),
        (&whole, &[event], false),
        (&packed, &[&packed], false),
        (&"no event".to_owned(), &["no event"], false),
    ] {
        let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
        let mut builder = BatchBuilder::new(origin);
        builder.push(Event { raw: text.as_bytes(), time: None, fields: None }).unwrap();
        let batch = StoredBatch { number: 1, received: 7, batch: builder.finish().unwrap() };
        let (mut moved, mut rows) = (MovedRows::default(), RowsBuilder::new());
        moved.add(&batch, &mut rows).unwrap();
        let rows = rows.finish();
        let texts = rows.column_by_name("_raw").unwrap().as_string_view();
        assert_eq!(texts.iter().flatten().collect::<Vec<_>>(), expected);
        let partly = moved.take_partly().map(|partly| partly.to_string());
        assert_eq!(partly.is_some(), told, "{partly:?}");
        if let Some(partly) = partly {
            assert!(partly.starts_with("1 text that was sent has records that"), "{partly}");
            assert!(partly.contains("index main, at byte "), "{partly}");
        }
    }
}

/// Returns what searches find of a batch of events that nobody has looked at: some of their fields.
fn found(events: &[Event<'_>], predicate: Predicate) -> Vec<[String; 6]> {
    let origin = LakeOrigin { index: "main".into(), ..LakeOrigin::default() };
    let mut builder = BatchBuilder::new(origin);
    events.iter().for_each(|event| builder.push(*event).unwrap());
    let batch = StoredBatch { number: 1, received: 9_000_000, batch: builder.finish().unwrap() };
    let mut rows = RowsBuilder::new();
    rows_of(&batch, &mut rows, &mut |_| ()).unwrap();
    let names = [fields::TIME, "user", "region", "eventName", fields::SOURCETYPE, fields::RAW];
    let request =
        ScanRequest { predicate, fields: names.map(|name| Field::new(name, Kind::Text)).into() };
    let mut decoder = Decoder::new(&DecodeOptions::new([request]));
    let mut shown = Vec::new();
    let mut keep = |_: usize, rows: Rows| {
        let batch = rows.into_batch().unwrap();
        shown.extend((0..batch.num_rows()).map(|row| {
            std::array::from_fn(|column| {
                let column = batch.column(column).as_string_view();
                if column.is_null(row) { "-" } else { column.value(row) }.to_owned()
            })
        }));
        ControlFlow::Continue(())
    };
    let file = Cursor::new(file_of(&rows.finish()).unwrap());
    let table = Origin { is_stored: true, ..Origin::new("t") };
    let report = decoder.decode(Input::Seekable(Box::new(file)), &table, &mut keep);
    assert!(decoder.finish(&mut keep).is_continue());
    assert_eq!(report.damage_count, 0, "{report:?}");
    shown
}

#[test]
fn what_arrives_is_found_as_its_sender_says() {
    let event = r#"{"eventSource":"s","eventName":"A","eventTime":"2026-03-17T10:00:00Z"}"#;
    let plain = r#"{"user":"ann","_time":5}"#;
    let line = "Nov 29 10:00:00 host sshd: Failed password";
    let given = Some(r#"{"region":"europe"}"#);
    let time = Some(7_000_000);
    let one = |raw: &'static str, time, fields| Event { raw: raw.as_bytes(), time, fields };
    let events = [
        one(plain, time, given),
        one(plain, None, None),
        one(r#"{"user":"bob"}"#, None, None),
        one(line, time, given),
        one(line, None, None),
        one(event, time, given),
        one(r#"{"eventSource":"s","eventName":"B","requestID":"r","awsRegion":"x"}"#, time, None),
        Event { raw: b"caf\xe9 closed", time, fields: None },
    ];
    let all = found(&events, Predicate::All);
    let shown: Vec<String> = all.iter().map(|row| row[..5].join(",")).collect();
    assert_eq!(
        shown,
        [
            "7,ann,europe,-,json",
            "5,ann,-,-,json",
            "9,bob,-,-,json",
            "7,-,europe,-,httpevent",
            "9,-,-,-,httpevent",
            "1773741600,-,europe,A,aws:cloudtrail",
            "7,-,x,B,aws:cloudtrail",
            "7,-,-,-,httpevent",
        ]
    );
    let word = |text| Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore));
    let equals = |field: &str, value| Predicate::Compare {
        field: field.to_owned(),
        op: Comparison::Eq,
        value: Pattern::new(value, CaseRule::Ignore),
    };
    let until = |latest| Predicate::Time(TimeBounds { earliest: Some(6.0), latest: Some(latest) });
    for (predicate, expected) in [
        (word("failed"), &[3, 4][..]),
        (word("closed"), &[7]),
        (word("europe"), &[]),
        (equals("region", "europe"), &[0, 3, 5]),
        (Predicate::And(vec![equals("eventName", "a"), equals("region", "europe")]), &[5]),
        (until(8.0), &[0, 3, 6, 7]),
        (until(10.0), &[0, 2, 3, 4, 6, 7]),
    ] {
        let expected: Vec<_> = expected.iter().map(|place| all[*place].clone()).collect();
        assert_eq!(found(&events, predicate.clone()), expected, "{predicate:?}");
    }
}

/// What is not decoded holds no event that a decoder would find.
#[test]
fn lines_of_words_hold_no_events() {
    let mut random = fastrand::Rng::with_seed(5);
    let pieces = [
        "a",
        "GET /x HTTP/1.1",
        " ",
        "eventName=A",
        ",",
        "\"",
        "\\u007b",
        ":",
        "H4sIAAAA",
        "é",
        "\t",
        "=",
        "PAR1",
    ];
    let mut lines = 0;
    for _ in 0..20_000 {
        let count = random.usize(1..8);
        let text: String = (0..count).map(|_| pieces[random.usize(..pieces.len())]).collect();
        if !is_a_line(&text) {
            continue;
        }
        lines += 1;
        let request = ScanRequest { predicate: Predicate::All, fields: Vec::new() };
        let mut decoder = Decoder::new(&DecodeOptions::new([request]));
        let input = Input::Seekable(Box::new(Cursor::new(text.clone().into_bytes())));
        let report =
            decoder.decode(input, &Origin::new("t"), &mut |_, _| ControlFlow::Continue(()));
        assert_eq!(Arrived::of(text.as_bytes(), &report), Arrived::Text, "{text:?}");
    }
    assert!(lines > 10_000, "{lines}");
    for text in [
        r#"{"a":1}"#,
        "a\nb",
        "see [1]",
        "H4sIAAAAAAAAA6tWKkktLlGyUlAqSMzMU6oFAMY8",
        "a b\0",
        " eyJldmVudE5hbWUiOiJBIn0=",
        "%7B\"a\": 1}",
        "%5b 1, 2",
    ] {
        assert!(!is_a_line(text), "{text}");
    }
}

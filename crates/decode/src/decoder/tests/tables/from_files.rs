//! Tests that a table of stored events gives the rows of the files that its events came from, whatever
//! their texts look like.

use spilltrail_event::{Keyword, KeywordKind, fields};

use super::stored::{Row, decode_stored, table_of};
use super::*;

/// Searches that find some of the events of [`records`].
fn searches() -> Vec<ScanRequest> {
    let word =
        |text: &str| Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore));
    let not = |part: Predicate| Predicate::Not(Box::new(part));
    let names =
        ["_time", "_raw", "eventName", "user", "src_ip", "requestParameters.a", "a{}.b", "a.b"];
    vec![
        request(Predicate::All, &names),
        request(equals("eventName", "a"), &names[..4]),
        request(equals("eventName", "A*"), &["requestParameters.a{}", "requestParameters.a.b"]),
        request(Predicate::And(vec![word("deep"), not(equals("eventName", "B"))]), &names[1..3]),
        request(word("*dee*p"), &names[..2]),
        request(Predicate::Exists("a.b".to_owned()), &["a.b", "date_hour", "errorCode", "action"]),
        request(equals("requestParameters.a", "*"), &["eventID", "awsRegion", "linecount"]),
    ]
}

/// Returns JSON values, of which some are nested, escaped or long.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        4 => "[a-z\\\\\"{}\\[\\]:,\u{e9}\n]{0,20}".boxed(),
        1 => "[a-z ]{60,70}".boxed(),
        1 => (1000..20_000usize).prop_map(|length| "deep }".repeat(length / 6)).boxed(),
    ];
    let leaf = prop_oneof![
        text.prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        let key = prop_oneof![Just("a".to_owned()), Just("b".to_owned()), "[a-z.\"\\\\{}]{0,9}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::vec((key, inner), 0..3)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Returns the texts of records, as different programs may write them.
fn record() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(vec![r#""A""#, r#""Ab""#, r#""B""#, r#""\u0041""#, "null", "1"]);
    let time = prop::sample::select(vec![
        r#""2026-03-17T10:00:00Z""#,
        r#""2026-03-17T10:00:00.25+01:00""#,
        r#""never""#,
        "1773741600",
    ]);
    let more = prop::sample::select(vec![
        r#""eventName":"B","#,
        r#""sourceIPAddress":"203.0.113.5","#,
        r#""awsRegion":"eu-central-1","#,
        r#""awsRegion":["eu"],"#,
        r#""userIdentity":{"type":"IAMUser","userName":"u","arn":"a:\u0062"},"#,
        r#""requestParameters":"{\"a\":1}","#,
        r#""requestParameters":"{'a': 1}","#,
        r#""errorCode":"AccessDenied","#,
        r#""tag":"x","#,
    ]);
    let more = prop::collection::vec(more, 0..4);
    let blank = prop::sample::select(vec!["", "", "", " ", "\n  "]);
    let damage = (0..12usize, any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\a1 \u{e9}]{0,2}");
    (name, time, more, [value(), value()], blank, damage).prop_map(
        |(name, time, more, [a, b], blank, (chance, at, piece))| {
            let more = more.concat();
            let mut text = format!(
                r#"{{"eventVersion":"1.08",{more}"eventSource":"s3.amazonaws.com","eventName":{name},"eventTime":{time},"requestParameters":{{"a":{a}}},"a":{b}}}"#
            );
            if !blank.is_empty() {
                text = text.replace("\":", &format!("\"{blank}:{blank}"));
            }
            if chance == 0 {
                let mut at = at.index(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
                text.replace_range(at..end, &piece);
            }
            text
        },
    )
}

/// Returns the events of a file as the rows that a lake has of them.
fn rows_of(file: &[u8]) -> Vec<Row> {
    let whole = [fields::EVENT_TEXT, fields::EVENT_FORMAT];
    let fields = whole.map(|name| Field::new(name, Kind::Text)).to_vec();
    let all = ScanRequest { predicate: Predicate::All, fields };
    let mut rows = Vec::new();
    let mut sink = |_, found: Rows| {
        let batch = found.into_batch().unwrap();
        rows.extend((0..batch.num_rows()).map(|row| Row {
            text: cell(batch.column(0), row),
            format: Format::named(&cell(batch.column(1), row)).unwrap().name(),
            source: Some("f"),
            host: Some("localhost"),
            ..Row::default()
        }));
        ControlFlow::Continue(())
    };
    let mut decoder = Decoder::new(&DecodeOptions::new([all]));
    decoder.decode_whole(&mut file.to_vec(), &Origin::new("f"), &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    rows
}

/// What is said of events, wherever they are.
fn told(report: &FileReport) -> impl PartialEq + std::fmt::Debug {
    let FileReport { events, matched, oldest, newest, .. } = report;
    (*events, *matched, *oldest, *newest, report.untimed.events)
}

/// Checks that each search finds the same in the file and in the table of its events.
fn check(file: &[u8], rows: &[Row], group: usize) -> Result<(), TestCaseError> {
    if rows.is_empty() {
        return Ok(());
    }
    let table = table_of(rows, group);
    for one in searches() {
        let options = DecodeOptions::new([one]);
        let (expected, of_file) = decode_whole(&options, file.to_vec());
        let (found, of_table) = decode_stored(&options, table.clone());
        prop_assert_eq!(&found, &expected[0], "{:?}", &options.requests);
        prop_assert_eq!(told(&of_table), told(&of_file), "{:?}", &options.requests);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_table_gives_the_rows_of_the_file_that_it_came_from(
        records in prop::collection::vec(record(), 1..8),
        is_delivered in any::<bool>(),
        group in 1..4usize,
    ) {
        let file = if is_delivered {
            format!("{{\"Records\":[{}]}}", records.join(","))
        } else {
            records.join("\n")
        };
        check(file.as_bytes(), &rows_of(file.as_bytes()), group)?;
    }

    /// What is JSON gives the row that the text alone gives. What a file or a table gives of other
    /// texts is the same, and more than the text alone: brackets tell where damage ends.
    #[test]
    fn a_stored_text_gives_the_row_of_the_text_alone(texts in prop::collection::vec(record(), 1..8)) {
        let is_json = |text: &String| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let texts: Vec<String> = texts.into_iter().filter(is_json).collect();
        prop_assume!(!texts.is_empty());
        let row = |text: &String| Row {
            text: text.clone(),
            format: "cloudtrail",
            source: Some("f"),
            host: Some("localhost"),
            ..Row::default()
        };
        let table = table_of(&texts.iter().map(row).collect::<Vec<_>>(), 3);
        for one in searches() {
            let options = DecodeOptions::new([one]);
            let mut decoder = Decoder::new(&options);
            let mut expected = Vec::new();
            let mut sink = |_, found: Rows| {
                expected.extend(printed(&found.into_batch().unwrap()));
                ControlFlow::Continue(())
            };
            for text in &texts {
                let record = RawRecord { text, offset: 0, format: Format::CloudTrail };
                prop_assert!(decoder.decode_event(&record, &Origin::new("f"), &mut sink).is_continue());
            }
            prop_assert!(decoder.finish(&mut sink).is_continue());
            let (found, _) = decode_stored(&options, table.clone());
            prop_assert_eq!(found, expected, "{:?}", &options.requests);
        }
    }
}

#[test]
fn texts_of_any_length_are_read() {
    let long = |length: usize| {
        let text = "deep ".repeat(length / 5);
        event("A").replace("\"s\"", &format!("\"s\",\"requestParameters\":{{\"a\":\"{text}\"}}"))
    };
    let texts = [long(5), long(3 << 20), event("B"), long(5 << 20), long(63)];
    let file = texts.join("\n").into_bytes();
    let rows = rows_of(&file);
    assert_eq!(rows.len(), texts.len());
    check(&file, &rows, 10).unwrap();
}

//! Tests the sourcetypes and times of all kinds of events, and where they were found.

use super::*;

/// CloudTrail Lake and Security Lake deliver the same events under two sourcetypes.
#[test]
fn ocsf_events_answer_to_both_sourcetypes() {
    let lake = r#"{"class_uid":6003,"metadata":{},"time":1714979289500,"api":{"operation":"A"}}"#;
    let not = |part: Predicate| Predicate::Not(Box::new(part));
    let differs = |value: &str| Predicate::Compare {
        field: "sourcetype".to_owned(),
        op: Comparison::Ne,
        value: Pattern::new(value, CaseRule::Ignore),
    };
    let named = |value: &str| equals("sourcetype", value);
    for (predicate, matches) in [
        (named("aws:asl"), true),
        (named("aws:cloudtrail:lake"), true),
        (named("aws:*"), true),
        (named("aws:cloudtrail"), false),
        (named("json"), false),
        (not(named("aws:asl")), false),
        (not(named("aws:cloudtrail:lake")), false),
        (not(named("json")), true),
        (differs("aws:asl"), false),
        (differs("aws:cloudtrail:lake"), false),
        (differs("aws:cloudtrail"), true),
        (Predicate::any(vec![named("a"), named("aws:asl"), named("b")]), true),
        (
            Predicate::any(
                (0..9).map(|n| named(&format!("x{n}"))).chain([named("aws:asl")]).collect(),
            ),
            true,
        ),
        (Predicate::And(vec![named("aws:asl"), equals("api.operation", "A")]), true),
        (Predicate::And(vec![named("aws:asl"), equals("api.operation", "B")]), false),
    ] {
        for sourcetype in [None, Some("aws:asl"), Some("aws:cloudtrail:lake")] {
            let mut options =
                DecodeOptions::new([request(predicate.clone(), &["_time", "sourcetype"])]);
            options.sourcetype = sourcetype.map(str::to_owned);
            let (found, _) = decode(&options, seekable(lake.into()));
            let shown = sourcetype.unwrap_or("aws:cloudtrail:lake");
            let row = format!("1714979289.5,{shown}");
            assert_eq!(found, if matches { vec![row] } else { vec![] }, "{predicate:?}");
        }
    }
}

#[test]
fn model_invocations_have_their_sourcetype_and_time() {
    let log = r#"{"timestamp":"2024-05-06T07:08:09Z","schemaType":"ModelInvocationLog","modelId":"m","input":{"l":[{"t":"x"}]}}"#;
    let wanted = ["_time", "sourcetype", "input.l{}.t"];
    for (sourcetype, count) in [("json_no_timestamp", 1), ("json", 0), ("aws:cloudtrail", 0)] {
        let options = DecodeOptions::new([request(equals("sourcetype", sourcetype), &wanted)]);
        let (found, report) = decode(&options, seekable(log.into()));
        assert_eq!(found, vec!["1714979289,json_no_timestamp,x"; count]);
        assert_eq!(report.newest, Some(1_714_979_289.0));
    }
}

#[test]
fn records_without_event_time_have_another_one() {
    let epoch = Some(1_714_979_289.0);
    for (time, found) in [
        (r#""eventTime":"2024-05-06T07:08:09Z","timestamp":1"#, epoch),
        (r#""@timestamp":"2024-05-06T07:08:09.000Z","time":"x""#, epoch),
        (r#""timestamp":1714979289000"#, epoch),
        (r#""time":1714979289"#, epoch),
        (r#""_time":"2024-05-06T07:08:09Z""#, epoch),
        (r#""eventTime":"soon","_time":"1714979289""#, epoch),
        (r#""timestamp":"noon","time":5"#, None),
    ] {
        for first in [r#""eventVersion":"1","eventSource":"s""#, r#""userIdentity":{}"#] {
            let text = format!(r#"{{{first},"eventName":"A",{time}}}"#);
            let options = DecodeOptions::new([request(Predicate::All, &["_time", "sourcetype"])]);
            let row = found.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let row = format!("{row},aws:cloudtrail");
            let (rows, report) = decode(&options, seekable(text.clone().into()));
            assert_eq!((rows, report.newest), (vec![row.clone()], found), "{text}");
            let (rows, report) = decode_whole(&options, text.clone().into());
            assert_eq!((rows, report.newest), (vec![vec![row]], found), "{text}");
        }
    }
}

#[test]
fn the_report_says_where_events_were() {
    let quoted = serde_json::Value::from(event("A")).to_string();
    let lines = format!("{{\"message\":{quoted}}}\n").repeat(3) + &event("B");
    let (names, report) = names_in(seekable(lines.into()));
    assert_eq!((names.as_str(), report.damage_count), ("A A A B", 0));
    assert_eq!(report.unwrapped, [("message".to_owned(), 3)].into());
    let places = (0..20).map(|n| format!("{{\"k{n}\":{quoted}}}\n")).collect::<String>();
    let (_, report) = names_in(seekable(places.into()));
    assert_eq!((report.unwrapped.len(), report.unwrapped["other members"]), (9, 12));
}

/// Columns without a value in any row of a batch are one column, however many they are.
#[test]
fn keys_of_their_own_take_no_memory_in_other_rows() {
    const ROWS: usize = 1500;
    let text: String = (0..ROWS).map(|n| format!("{{\"k{n}\":\"v{n}\"}}\n")).collect();
    let fields = (0..ROWS).map(|n| Field::new(format!("k{n}"), Kind::Text)).collect();
    let asked = ScanRequest { predicate: Predicate::All, fields };
    let mut decoder = Decoder::new(&DecodeOptions::new([asked]));
    let mut row = 0;
    let mut sink = |_, found: Rows| {
        let batch = found.into_batch().unwrap();
        let full: Vec<usize> =
            (0..ROWS).filter(|n| batch.column(*n).null_count() < batch.num_rows()).collect();
        assert_eq!(full, (row..row + batch.num_rows()).collect::<Vec<_>>());
        for at in 0..batch.num_rows() {
            let column = batch.column(row + at).as_string_view();
            assert_eq!(
                (column.value(at), column.null_count()),
                (&*format!("v{}", row + at), batch.num_rows() - 1)
            );
        }
        let absent: Vec<_> = batch.columns().iter().filter(|c| c.null_count() == c.len()).collect();
        assert!(absent.iter().all(|column| std::sync::Arc::ptr_eq(column, absent[0])));
        row += batch.num_rows();
        ControlFlow::Continue(())
    };
    decoder.decode(seekable(text.into_bytes()), &Origin::new("f"), &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    assert_eq!(row, ROWS);
}

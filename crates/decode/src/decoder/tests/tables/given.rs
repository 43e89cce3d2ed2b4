//! Tests what the senders of stored events give beside the texts.

use spilltrail_event::{Keyword, KeywordKind, ValueSet, fields, stored};

use super::stored::{Row, decode_stored, table_of, without_column};
use super::*;

/// The seventeenth of March 2026, 10:00:00 in UTC, in seconds and in microseconds.
const TEN: f64 = 1_773_741_600.0;
const TEN_MICROS: i64 = 1_773_741_600_000_000;

fn row(format: &'static str, text: &str, time: Option<i64>) -> Row {
    Row { text: text.to_owned(), format, source: Some("s"), time, ..Row::default() }
}

/// Returns the values of these fields in all events that a search finds, read from the table and again
/// from the events that it keeps whole.
fn found(rows: &[Row], group: usize, predicate: &Predicate, names: &[&str]) -> Vec<String> {
    let options = DecodeOptions::new([request(predicate.clone(), names)]);
    let (found, report) = decode_stored(&options, table_of(rows, group));
    assert_eq!(report.events, rows.len() as u64);
    let again = kept_whole(rows, group, predicate, names);
    assert_eq!(found, again, "{predicate:?}");
    found
}

/// Keeps the events that a search finds whole, and reads them again.
fn kept_whole(rows: &[Row], group: usize, predicate: &Predicate, names: &[&str]) -> Vec<String> {
    let whole = [fields::EVENT_TEXT, fields::EVENT_FORMAT, fields::EVENT_SOURCE];
    let table =
        Origin { index: Some("aws".into()), is_stored: true, ..Origin::new("table.parquet") };
    let mut kept = Vec::new();
    let mut decoder = Decoder::new(&DecodeOptions::new([request(predicate.clone(), &whole)]));
    let mut sink = |_, found: Rows| {
        let batch = found.into_batch().unwrap();
        for row in 0..batch.num_rows() {
            kept.push([0, 1, 2].map(|column| cell(batch.column(column), row)));
        }
        ControlFlow::Continue(())
    };
    decoder.decode(seekable(table_of(rows, group)), &table, &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    let mut again = Decoder::new(&DecodeOptions::new([request(predicate.clone(), names)]));
    let mut found = Vec::new();
    let mut sink = |_, rows: Rows| {
        found.extend(printed(&rows.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    for [text, format, key] in &kept {
        let (of_table, own) = Origin::parts_of_key(key).unwrap();
        assert_eq!(of_table, "table.parquet");
        let record = RawRecord { text, offset: 0, format: Format::named(format).unwrap() };
        assert!(again.decode_event(&record, &table.of_event(own), &mut sink).is_continue());
    }
    assert!(again.finish(&mut sink).is_continue());
    found
}

#[test]
fn the_time_of_an_event_is_the_one_in_its_column() {
    let at = |seconds: f64| Some((seconds * 1e6) as i64);
    let later = |time: &str| format!(r#"{{"eventName":"A","eventTime":"{time}","eventID":"i"}}"#);
    let usual = later("2026-03-17T10:00:00Z");
    let cases = [
        // The sender's time counts, whether or not the text has another one.
        ("json", r#"{"user":"ann"}"#, at(TEN + 0.25), TEN + 0.25, "-"),
        ("json", r#"{"_time":"2026-03-17T10:00:00Z"}"#, at(TEN + 5.0), TEN + 5.0, "-"),
        ("other", r#"{"timestamp":"2026-03-17T10:00:00Z"}"#, at(TEN + 5.0), TEN + 5.0, "-"),
        ("other", "Nov 29 10:00:00 host sshd: Failed", at(TEN), TEN, "-"),
        ("lake", r#"{"time":1773741601000}"#, at(TEN), TEN, "-"),
        // Where it says the same as the text, it is as the text has it.
        ("json", r#"{"_time":"2026-03-17T10:00:00Z"}"#, None, TEN, "10"),
        ("json", r#"{"_time":"2026-03-17T12:00:00+02:00"}"#, at(TEN), TEN, "12"),
        ("json", r#"{"_time":1773741600.123456789}"#, None, 1_773_741_600.123_456_8, "-"),
        // A CloudTrail record has its own, unless nobody can read it.
        ("cloudtrail", &usual, at(TEN + 5.0), TEN, "10"),
        ("cloudtrail", &later("2026-03-17T10:00:00.5Z"), at(TEN + 5.0), TEN + 0.5, "10"),
        ("cloudtrail", &later("never"), at(TEN + 5.0), TEN + 5.0, "-"),
        ("cloudtrail", r#"{"eventName":"A","timestamp":1773741600}"#, at(TEN + 5.0), TEN, "-"),
        ("cloudtrail", r#"{"eventName":"A"}"#, at(TEN + 5.0), TEN + 5.0, "-"),
    ];
    let rows: Vec<Row> = cases.iter().map(|case| row(case.0, case.1, case.2)).collect();
    let shown: Vec<String> =
        cases.iter().map(|(.., time, hour)| format!("{time},{hour}")).collect();
    for group in [1, 4, 100] {
        assert_eq!(found(&rows, group, &Predicate::All, &["_time", "date_hour"]), shown);
        for (place, case) in cases.iter().enumerate() {
            let bounds = |earliest: f64, latest: f64| {
                Predicate::Time(TimeBounds { earliest: Some(earliest), latest: Some(latest) })
            };
            let exactly = bounds(case.3, case.3 + 0.001);
            let of_time = found(&rows, group, &exactly, &["_time"]);
            let expected = cases.iter().filter(|other| other.3 == case.3).count();
            assert_eq!(of_time.len(), expected, "{place}");
            assert!(found(&rows, group, &bounds(case.3 - 0.05, case.3), &["_time"]).is_empty());
        }
    }
    let options = DecodeOptions::new([request(Predicate::All, &["_time"])]);
    let (_, report) = decode_stored(&options, table_of(&rows, 4));
    assert_eq!(
        (report.untimed.events, report.oldest, report.newest),
        (0, Some(TEN), Some(TEN + 5.0))
    );
}

#[test]
fn an_event_without_any_time_has_none() {
    let rows =
        [row("json", r#"{"user":"ann"}"#, None), row("cloudtrail", r#"{"eventName":"A"}"#, None)];
    assert_eq!(found(&rows, 4, &Predicate::All, &["_time", "eventName"]), ["-,-", "-,A"]);
    let options = DecodeOptions::new([request(Predicate::All, &["_time"])]);
    // Rows often have none, and are not counted.
    assert_eq!(decode_stored(&options, table_of(&rows, 4)).1.untimed.events, 1);
}

/// What is not given is not kept either: keys of events are as short as they can be.
#[test]
fn the_time_is_kept_only_where_the_text_lacks_it() {
    let key = |row: Row| {
        let options = DecodeOptions::new([request(Predicate::All, &[fields::EVENT_SOURCE])]);
        decode_stored(&options, table_of(&[row], 4)).0.remove(0)
    };
    let short = "table.parquet\u{1}1:s--";
    assert_eq!(key(row("json", r#"{"_time":1773741600}"#, None)), short);
    assert_eq!(key(row("json", r#"{"a":1}"#, None)), short);
    assert_eq!(key(row("cloudtrail", &event("A"), Some(5))), short);
    assert_eq!(
        key(row("json", r#"{"a":1}"#, Some(TEN_MICROS))),
        format!("{short}16:{TEN_MICROS}-")
    );
}

#[test]
fn a_given_time_is_discovered() {
    for (format, text, time, expected) in [
        ("json", r#"{"_time":"2026-03-17T10:00:00Z"}"#, None, "_time date_hour"),
        ("json", r#"{"_time":"2026-03-17T10:00:00Z"}"#, Some(5), "_time"),
        ("other", "words", Some(5), "_time"),
        ("other", "words", None, ""),
    ] {
        let demand =
            Demand { names: ["_time", "date_hour"].map(str::to_owned).into(), ..Demand::default() };
        let mut discovery = discovery(&Predicate::All, &demand);
        let origin = Origin { is_stored: true, ..Origin::new("t") };
        discovery.read(seekable(table_of(&[row(format, text, time)], 4)), &origin);
        let names: Vec<String> = discovery.fields().into_iter().map(|one| one.name).collect();
        assert_eq!(names.join(" "), expected, "{text} {time:?}");
    }
}

fn with(fields: &'static str, row: Row) -> Row {
    Row { fields: Some(fields), ..row }
}

fn word(text: &str) -> Predicate {
    Predicate::Keyword(Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore))
}

fn not(part: Predicate) -> Predicate {
    Predicate::Not(Box::new(part))
}

#[test]
fn given_fields_are_fields_of_the_event() {
    let given =
        r#"{"region":"europe","tags":["alpha","beta"],"n":7,"user":"eve","on":true,"no":null}"#;
    let login = r#"{"user":"ann","action":"login","n":1}"#;
    let rows = [
        row("json", r#"{"user":"bob"}"#, None),
        with(given, row("json", login, None)),
        with(given, row("other", "Nov 29 host sshd: Failed", None)),
        with(given, row("cloudtrail", &event("GetObject"), None)),
        with(r#"{"eventName":"Given"}"#, row("cloudtrail", &event("GetObject"), None)),
        row("cloudtrail", &event("GetObject"), None),
    ];
    let compared = |field: &str, op, value: &str| Predicate::Compare {
        field: field.to_owned(),
        op,
        value: Pattern::new(value, CaseRule::Ignore),
    };
    let both = |a, b| Predicate::And(vec![a, b]);
    let either = |a, b| Predicate::Or(vec![a, b]);
    let in_any = |field: &str, values: &[&str]| Predicate::In {
        field: field.to_owned(),
        values: ValueSet::new(
            values.iter().map(|value| Pattern::new(*value, CaseRule::Ignore)).collect(),
        ),
    };
    for (predicate, expected) in [
        (Predicate::All, "012345"),
        (equals("region", "europe"), "123"),
        (equals("region", "EURO*"), "123"),
        (equals("region", "asia"), ""),
        (not(equals("region", "europe")), "045"),
        (compared("region", Comparison::Ne, "asia"), "123"),
        (Predicate::Exists("region".to_owned()), "123"),
        (in_any("region", &["asia", "europe"]), "123"),
        (equals("tags", "alpha"), "123"),
        (equals("tags", "beta"), "123"),
        (equals("on", "true"), "123"),
        (compared("n", Comparison::Gt, "6"), "123"),
        (Predicate::Exists("no".to_owned()), ""),
        // The given value counts instead of the text's.
        (equals("user", "eve"), "123"),
        (equals("user", "ann"), ""),
        (equals("n", "1"), ""),
        (equals("action", "login"), "1"),
        (both(equals("action", "login"), equals("region", "europe")), "1"),
        (both(word("failed"), equals("tags", "alpha")), "2"),
        (either(equals("tags", "alpha"), equals("user", "bob")), "0123"),
        // Words are looked for in the text alone.
        (word("europe"), ""),
        (word("ann"), "1"),
        (word("GetObject"), "345"),
        (word("GetObjekt"), ""),
        (equals("eventName", "GetObject"), "35"),
        (equals("eventName", "Given"), "4"),
        (both(equals("eventName", "GetObject"), equals("region", "europe")), "3"),
        (both(equals("eventSource", "s"), equals("eventName", "Give*")), "4"),
        (equals("eventID", "GetObject"), "345"),
    ] {
        for group in [1, 2, 6] {
            let all = found(&rows, group, &Predicate::All, &["_raw", "eventName", "region"]);
            let some = found(&rows, group, &predicate, &["_raw", "eventName", "region"]);
            let places = expected.bytes().map(|digit| usize::from(digit - b'0'));
            let expected: Vec<String> = places.map(|place| all[place].clone()).collect();
            assert_eq!(some, expected, "{predicate:?} {group}");
        }
    }
    let mut all = request(Predicate::All, &["region", "user", "n", "tags", "on", "no"]);
    all.fields[3].kind = Kind::Multi;
    let (shown, _) = decode_stored(&DecodeOptions::new([all]), table_of(&rows, 4));
    let given = "europe,eve,7,alpha|beta,true,-";
    assert_eq!(shown, ["-,bob,-,-,-,-", given, given, given, "-,-,-,-,-,-", "-,-,-,-,-,-"]);
    // A search that asks for one value of several is told.
    let mut decoder = Decoder::new(&DecodeOptions::new([request(Predicate::All, &["tags"])]));
    let origin = Origin { is_stored: true, ..Origin::new("t") };
    decoder.decode(seekable(table_of(&rows, 4)), &origin, &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(decoder.counts().values_left_out, 3);
}

#[test]
fn what_every_event_has_is_not_given() {
    let fields = r#"{"_time":"1","_raw":"r","host":"h","source":"x","sourcetype":"t","index":"i",
        "linecount":"9","date_hour":"3","punct":"p"}"#;
    let names = [
        "_time",
        "_raw",
        "host",
        "source",
        "sourcetype",
        "index",
        "linecount",
        "date_hour",
        "punct",
    ];
    for (text, format) in [("words", "other"), (r#"{"a":1}"#, "json"), ("{}", "cloudtrail")] {
        let sourcetype = if format == "cloudtrail" { "aws:cloudtrail" } else { "json" };
        let rows = [with(fields, row(format, text, Some(TEN_MICROS)))];
        let expected = format!("{TEN},{text},localhost,s,{sourcetype},aws,1,-,p");
        assert_eq!(found(&rows, 4, &Predicate::All, &names), [expected]);
        assert_eq!(found(&rows, 4, &equals("host", "h"), &names), [""; 0]);
    }
}

#[test]
fn given_fields_are_discovered() {
    let given = r#"{"area":"eu","tags":["a","b"],"one":["a"],"n":7,"host":"x","no":null}"#;
    for (row, expected) in [
        (with(given, row("json", r#"{"n":[1,2]}"#, None)), "n=Multi area=Text tags=Multi one=Text"),
        (with(given, row("other", "words", None)), "area=Text tags=Multi one=Text n=Text"),
        (
            with(given, row("cloudtrail", r#"{"n":[1]}"#, None)),
            "n{}=Multi area=Text tags=Multi one=Text n=Text",
        ),
        (row("json", r#"{"n":[1]}"#, None), "n=Text"),
    ] {
        let mut discovery = discovery(&Predicate::All, &Demand::all());
        let origin = Origin { is_stored: true, ..Origin::new("t") };
        discovery.read(seekable(table_of(std::slice::from_ref(&row), 4)), &origin);
        let known = |name: &str| {
            crate::event_view::BUILTINS.iter().any(|(builtin, _)| *builtin == name)
                || crate::cloudtrail::derived_fields(Profile::Superset)
                    .iter()
                    .any(|one| one.name == name)
        };
        let fields = discovery.fields().into_iter().filter(|one| !known(&one.name));
        let shown: Vec<String> = fields.map(|one| format!("{}={:?}", one.name, one.kind)).collect();
        assert_eq!(shown.join(" "), expected, "{} {:?}", row.format, row.text);
    }
}

#[test]
fn damaged_fields_cost_the_fields() {
    let rows = [
        with(r#"{"region":"eu"}"#, row("json", r#"{"a":1}"#, None)),
        with(r#"{"region":"#, row("json", r#"{"a":2}"#, None)),
        with(r#"{"region":{"b":1}}"#, row("cloudtrail", &event("A"), None)),
        with(r#"{"region":"eu"}"#, row("json", r#"{"a":3}"#, None)),
    ];
    let options = DecodeOptions::new([request(Predicate::All, &["a", "region"])]);
    let (shown, report) = decode_stored(&options, table_of(&rows, 2));
    assert_eq!(shown, ["1,eu", "2,-", "-,-", "3,eu"]);
    assert_eq!((report.events, report.damage_count), (4, 2));
    assert!(
        report.damages[0]
            .message
            .ends_with("the fields beside an event are damaged; it is read without them")
    );
}

#[test]
fn duplicates_are_told_by_the_text() {
    let one = || row("cloudtrail", &event("A"), None);
    let rows = [with(r#"{"region":"eu"}"#, one()), with(r#"{"region":"us"}"#, one()), one()];
    for group in [1, 4] {
        let options = DecodeOptions {
            seen: Some(Arc::default()),
            ..DecodeOptions::new([request(Predicate::All, &["region"])])
        };
        let (shown, report) = decode_stored(&options, table_of(&rows, group));
        assert_eq!((shown, report.events), (vec!["eu".to_owned()], 1));
    }
}

#[test]
fn fields_that_nobody_gave_are_not_read() {
    let texts: Vec<String> = (0..60).map(|n| event(&format!("Name{n}"))).collect();
    let mut rows: Vec<Row> = texts.iter().map(|text| row("cloudtrail", text, None)).collect();
    let read = |rows: &[Row], predicate: &Predicate| {
        let options = DecodeOptions::new([request(predicate.clone(), &["eventName"])]);
        let (shown, report) =
            decode_stored(&options, without_column(&table_of(rows, 30), stored::FIELDS));
        (shown.len(), report.damage_count)
    };
    let some = equals("eventName", "Name5*");
    assert_eq!((read(&rows, &Predicate::All), read(&rows, &some)), ((60, 0), (11, 0)));
    rows[40].fields = Some("{}");
    assert_eq!(read(&rows, &Predicate::All), (30, 1));
}

proptest! {
    /// Rows whose columns say what their texts say are read as if there were no such columns.
    #[test]
    fn what_a_column_repeats_changes_nothing(
        times in prop::collection::vec(prop::sample::select(vec![
            r#""2026-03-17T10:00:00Z""#,
            r#""2026-03-17T10:00:00.25+01:00""#,
            r#""2026-03-17 10:00:00.1234567""#,
            r#""never""#,
            "1773741600.123456789",
            "1773741600123",
            "0.1",
            "-5",
            "null",
        ]), 1..12),
        format in prop::sample::select(vec![Format::Json, Format::Other, Format::Csv]),
        group in 1..12_usize,
    ) {
        let text = |(place, time): (usize, &&str)| format!("{{\"a\":{place},\"_time\":{time}}}");
        let texts: Vec<String> = times.iter().enumerate().map(text).collect();
        let rows: Vec<Row> = texts.iter().map(|text| row(format.name(), text, None)).collect();
        let names = ["_time", "a", "date_hour", "date_zone", "_raw"];
        let bounds = TimeBounds { earliest: Some(TEN), latest: None };
        for predicate in [Predicate::All, Predicate::Time(bounds)] {
            let mut decoder = Decoder::new(&DecodeOptions::new([request(predicate.clone(), &names)]));
            let mut expected = Vec::new();
            let mut sink = |_, rows: Rows| {
                expected.extend(printed(&rows.into_batch().unwrap()));
                ControlFlow::Continue(())
            };
            for text in &texts {
                let record = RawRecord { text, offset: 0, format };
                prop_assert!(decoder.decode_event(&record, &Origin::new("s"), &mut sink).is_continue());
            }
            prop_assert!(decoder.finish(&mut sink).is_continue());
            prop_assert_eq!(found(&rows, group, &predicate, &names), expected);
        }
    }
}

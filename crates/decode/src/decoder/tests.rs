//! Tests whole files: compression, formats, damage.

use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use flate2::Compression;
use flate2::write::GzEncoder;
use spilltrail_event::{
    CaseRule, Comparison, Demand, Field, Kind, Pattern, Predicate, StopToken, TimeBounds,
};

use proptest::prelude::*;

pub(crate) mod archives;
mod compressions;
mod dresses;
mod files;
mod kinds;
mod lost;
mod rows;
mod tables;
mod times;
mod unread;

use super::*;
use crate::discover::Discovery;
use crate::report::DamageKind;

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in entries {
        let options: zip::write::SimpleFileOptions = zip::write::FileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(text).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn seekable(bytes: Vec<u8>) -> Input {
    Input::Seekable(Box::new(Cursor::new(bytes)))
}

fn stream(bytes: Vec<u8>) -> Input {
    Input::Stream(Box::new(Cursor::new(bytes)))
}

fn event(name: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.08","eventTime":"2024-05-06T07:08:09Z","eventName":"{name}","eventSource":"s","eventID":"{name}"}}"#
    )
}

fn events(names: &[&str]) -> String {
    names.iter().map(|name| event(name) + "\n").collect()
}

fn equals(field: &str, value: &str) -> Predicate {
    Predicate::Compare {
        field: field.to_owned(),
        op: Comparison::Eq,
        value: Pattern::new(value, CaseRule::Ignore),
    }
}

fn request(predicate: Predicate, names: &[&str]) -> ScanRequest {
    let field = |name: &&str| Field::new(*name, crate::kind_of(name, Profile::Superset));
    ScanRequest { predicate, fields: names.iter().map(field).collect() }
}

fn discovery(predicate: &Predicate, demand: &Demand) -> Discovery {
    Discovery::new(predicate, demand, Profile::Superset, None, StopToken::default(), in_memory)
}

/// Decodes an input; returns its rows as `a,b|c`, with `-` for null, and its report.
fn decode(options: &DecodeOptions, input: Input) -> (Vec<String>, FileReport) {
    let mut decoder = Decoder::new(options);
    let mut rows = Vec::new();
    let origin = Origin::new("f");
    let mut sink = |_, found: Rows| {
        rows.extend(printed(&found.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    let report = decoder.decode(input, &origin, &mut sink);
    assert!(report.stopped || decoder.finish(&mut sink).is_continue());
    (rows, report)
}

fn printed(batch: &RecordBatch) -> Vec<String> {
    let row = |row| batch.columns().iter().map(|c| cell(c, row)).collect::<Vec<_>>().join(",");
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        "-".to_owned()
    } else if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        numbers.value(row).to_string()
    } else if let Some(texts) = column.as_string_view_opt() {
        texts.value(row).to_owned()
    } else {
        let list = column.as_list::<i32>().value(row);
        list.as_string_view().iter().flatten().collect::<Vec<_>>().join("|")
    }
}

fn names_in(input: Input) -> (String, FileReport) {
    let options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
    let (rows, report) = decode(&options, input);
    (rows.join(" "), report)
}

#[test]
fn events_that_say_what_they_are_are_reported() {
    for (text, expected) in [
        (events(&["A"]).replace("\"s\"", "\"tag\""), ""),
        (r#"{"user":"sourcetype","x":"a tag"}"#.to_owned(), ""),
        (r#"{"user":"a","sourcetype":"linux"}"#.to_owned(), "sourcetype"),
        (r#"{"user":"a","EventCode":1}"#.to_owned(), "EventCode"),
        (r#"{"user":"a","t\u0061g":"x"}"#.to_owned(), "tag"),
        (events(&["A"]) + r#"{"source":"WinEventLog:Security"}"#, "source"),
        // Events of CloudTrail and of Security Lake may have them, too, however they are read.
        (r#"{"Records":[{"eventSource":"s","eventName":"A","tag":"x"}]}"#.to_owned(), "tag"),
        (r#"{"eventSource":"s","eventName":"A","x":{"tag":1},"source":"x"}"#.to_owned(), ""),
        (r#"{"eventSource":"s","eventName":"A","Event\u0043ode":1}"#.to_owned(), "EventCode"),
        (r#"x {"eventSource":"s","eventName":"A","Channel":"x"}"#.to_owned(), "Channel"),
        (r#"{"class_uid":1,"metadata":{},"eventtype":"x"}"#.to_owned(), "eventtype"),
    ] {
        let (_, report) = names_in(seekable(text.clone().into_bytes()));
        let names: Vec<&str> = report.own_names.names().collect();
        assert_eq!(names.join(" "), expected, "{text}");
    }
}

#[test]
fn predicates_on_members_derived_fields_and_time() {
    let text = events(&["GetObject", "DeleteRole", "PutObject"]);
    let time = |earliest| {
        let bounds = TimeBounds { earliest: Some(earliest), latest: None };
        Predicate::Time(bounds)
    };
    for (predicate, names) in [
        (equals("eventName", "getobject"), "GetObject"),
        (equals("eventName", "*Object"), "GetObject PutObject"),
        (equals("action", "deleted"), "DeleteRole"),
        (equals("index", "*"), ""),
        (
            Predicate::Not(Box::new(Predicate::Exists("index".into()))),
            "GetObject DeleteRole PutObject",
        ),
        (equals("date_hour", "7"), "GetObject DeleteRole PutObject"),
        (Predicate::Not(Box::new(Predicate::Exists("errorCode".into()))), ""),
        (time(1_714_979_289.0), "GetObject DeleteRole PutObject"),
        (time(1_714_979_290.0), ""),
    ] {
        let options = DecodeOptions::new([request(predicate.clone(), &["eventName"])]);
        let (rows, report) = decode(&options, seekable(text.clone().into_bytes()));
        assert_eq!(rows.join(" "), names, "{predicate:?}");
        assert_eq!((report.events, report.matched), (3, rows.len() as u64));
        assert_eq!(report.newest, Some(1_714_979_289.0));
    }
}

/// An index that the user names belongs to all events; otherwise only rows may have one.
#[test]
fn the_index_of_an_origin() {
    let text = format!("{}\n{}\n{}", event("A"), r#"{"a":1,"index":"web"}"#, r#"{"a":2}"#);
    let no_index = Predicate::Not(Box::new(Predicate::Exists("index".into())));
    for (index, predicate, values) in [
        (None, Predicate::All, "- web -"),
        (None, equals("index", "web"), "web"),
        (None, no_index, "- -"),
        (Some("aws"), Predicate::All, "aws aws aws"),
        (Some("aws"), equals("index", "web"), ""),
    ] {
        let options = DecodeOptions::new([request(predicate.clone(), &["index"])]);
        let mut decoder = Decoder::new(&options);
        let origin = Origin { index: index.map(Into::into), ..Origin::new("f") };
        let mut rows = Vec::new();
        let mut sink = |_, found: Rows| {
            rows.extend(printed(&found.into_batch().unwrap()));
            ControlFlow::Continue(())
        };
        decoder.decode(seekable(text.clone().into_bytes()), &origin, &mut sink);
        assert!(decoder.finish(&mut sink).is_continue());
        assert_eq!(rows.join(" "), values, "{index:?} {predicate:?}");
    }
}

#[test]
fn values_keep_their_text() {
    let record = r#"{"eventVersion":"1","eventName":"RunInstances","eventTime":"2024-05-06T07:08:09Z",
      "n":1.0,"big":12345678901234567890,"t":true,"z":null,"o":{},"l":[],"e":"","q":"a\"b\u00e9",
      "i":[{"v":"1"},{"v":null}],"d":"first","d":"last",
      "responseElements":{"instancesSet":{"items":[{"instanceId":"i-1"},{"instanceId":"i-2"}]}}}"#;
    let names =
        ["_time", "n", "big", "t", "z", "o", "l", "e", "q", "i{}.v", "d", "dest", "date_wday"];
    let options = DecodeOptions::new([request(Predicate::All, &names)]);
    let (rows, _) = decode(&options, seekable(record.into()));
    let row = "1714979289,1.0,12345678901234567890,true,null,-,-,,a\"bé,1|null,last,i-1|i-2,monday";
    assert_eq!(rows, [row]);
    let options = DecodeOptions::new([request(Predicate::All, &["_raw"])]);
    let (rows, _) = decode(&options, seekable(format!("[{record}]").into_bytes()));
    assert_eq!(rows, [record]);
}

#[test]
fn rows_of_other_sourcetypes() {
    let rows = concat!(
        r#"{"_time":"1714979289.5","a":["1","2"],"o":{"l":[1]},"source":"own"}"#,
        "\n",
        r#"{"_time":"2024-05-06T07:08:09+00:00","a":"x"}"#,
        "\n",
        r#"{"a":1,"_time":0.25}"#
    );
    let multi = ["_time", "a", "o.l{}", "source", "sourcetype"].map(|name| {
        let kind = if name == "a" { Kind::Multi } else { crate::kind_of(name, Profile::Superset) };
        Field::new(name, kind)
    });
    let scan = ScanRequest { predicate: Predicate::All, fields: multi.to_vec() };
    let mut options = DecodeOptions::new([scan]);
    let (found, _) = decode(&options, seekable(rows.into()));
    assert_eq!(found, ["1714979289.5,1|2,1,own,json", "1714979289,x,-,f,json", "0.25,1,-,f,json"]);
    options.sourcetype = Some("my:own".to_owned());
    options.requests = [request(Predicate::All, &["a{}", "a", "source", "sourcetype"])].into();
    let (found, _) = decode(&options, seekable(rows.into()));
    assert_eq!(found[0], "1|2,-,f,my:own");
    let lake = r#"{"class_uid":1,"metadata":{"product":{"name":"x"}},"time":1714979289500}"#;
    let options = DecodeOptions::new([request(Predicate::All, &["_time", "sourcetype"])]);
    let (found, _) = decode(&options, seekable(lake.into()));
    assert_eq!(found, ["1714979289.5,aws:cloudtrail:lake"]);
}

#[test]
fn discovery_follows_the_demand_and_the_predicate() {
    let text = concat!(
        r#"{"eventVersion":"1","eventName":"A","requestParameters":{"x":1,"l":[{"y":2}]}}"#,
        "\n",
        r#"{"eventVersion":"1","eventName":"B","requestParameters":{"never":1}}"#,
        "\n",
        r#"{"eventName":"A","m":[1,2],"s":[1]}"#
    );
    let mut demand = Demand::of(["requestParameters.*", "action", "msg", "m", "s", "_time"]);
    let mut found = discovery(&equals("eventName", "A"), &demand);
    let report = found.read(seekable(text.into()), &Origin::new("f"));
    assert_eq!((report.events, report.matched), (3, 2));
    let expected = [
        ("requestParameters.x", Kind::Text),
        ("requestParameters.l{}.y", Kind::Multi),
        ("msg", Kind::Text),
        ("m", Kind::Multi),
        ("s", Kind::Text),
    ];
    assert_eq!(found.fields(), expected.map(|(name, kind)| Field::new(name, kind)));
    demand = Demand::all();
    let mut all = discovery(&Predicate::All, &demand);
    all.read(seekable(events(&["A"]).into()), &Origin::new("f"));
    let fields = all.fields();
    for (name, kind) in [("_time", Kind::Number), ("_raw", Kind::Text), ("dest", Kind::Multi)] {
        assert!(fields.contains(&Field::new(name, kind)), "{name}");
    }
    assert!(!fields.iter().any(|field| field.name == "result_id"));
}

#[test]
fn what_parts_of_the_logs_have_is_put_together_in_order() {
    let parts = [r#"{"b":1,"a":1}"#, r#"{"c":1,"a":[1,2],"b":1}"#, r#"{"a":1,"d":1}"#];
    let demand = Demand::of(["*"]);
    let mut whole = discovery(&Predicate::All, &demand);
    let mut total = discovery(&Predicate::All, &demand);
    let mut part = discovery(&Predicate::All, &demand);
    for text in parts {
        whole.read(seekable(text.into()), &Origin::new("f"));
        part.read_whole(&mut text.into(), &Origin::new("f"));
        total.add(part.take());
    }
    assert!(part.fields().is_empty());
    assert_eq!(total.fields(), whole.fields());
    assert!(total.fields().contains(&Field::new("a", Kind::Multi)));
}

#[test]
fn an_archive_in_an_archive_is_put_where_the_caller_says() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let inner = zip_of(&[("x", events(&["A", "B"]).as_bytes())]);
    let mut options = DecodeOptions::new([request(Predicate::All, &["eventName", "source"])]);
    options.scratch = || {
        MADE.fetch_add(1, Ordering::Relaxed);
        Box::new(Cursor::new(Vec::new()))
    };
    for input in [seekable(zip_of(&[("in.zip", &inner)])), stream(inner)] {
        let (rows, report) = decode(&options, input);
        assert_eq!((rows.len(), report.events, report.damage_count), (2, 2, 0), "{rows:?}");
    }
    assert_eq!(MADE.load(Ordering::Relaxed), 2);
}

#[test]
fn a_stop_ends_a_file_between_two_events() {
    for text in [events(&["A", "B", "C"]), "{\"x\":1}\n{\"x\":2}\n".to_owned()] {
        let mut options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
        options.stop.set();
        let (rows, report) = decode(&options, seekable(text.clone().into()));
        assert!(rows.is_empty() && report.stopped && report.events == 0, "{text}");
        options.stop = StopToken::new();
        assert!(!decode(&options, seekable(text.into())).1.stopped);
    }
}

#[test]
fn duplicates_are_left_out_on_request() {
    let mut options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
    let text = events(&["A", "B", "A"]);
    assert_eq!(decode(&options, seekable(text.clone().into())).0.join(""), "ABA");
    options.seen = Some(Arc::default());
    let (rows, report) = decode(&options, seekable(text.into()));
    assert_eq!((rows.join("").as_str(), report.skipped[&SkipKind::Duplicate]), ("AB", 1));
}

#[test]
fn a_consumer_can_stop() {
    let many: Vec<_> = (0..20_000).map(|n| format!("N{n}")).collect();
    let text = many.iter().map(|name| event(name) + "\n").collect::<String>();
    let options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
    let mut rows = 0;
    let report =
        Decoder::new(&options).decode(seekable(text.into()), &Origin::new("f"), &mut |_, b| {
            rows += b.count();
            ControlFlow::Break(())
        });
    assert!(report.stopped && rows == crate::BATCH_ROWS, "{rows}");
    let none = DecodeOptions::new([request(Predicate::All, &[])]);
    let (rows, report) = decode(&none, seekable(events(&["A", "B"]).into()));
    assert_eq!((rows.len(), report.matched), (2, 2));
}

/// Decodes several requests in one pass over a whole file; returns the rows by request.
fn decode_whole(options: &DecodeOptions, bytes: Vec<u8>) -> (Vec<Vec<String>>, FileReport) {
    let mut rows = vec![Vec::new(); options.requests.len()];
    let mut decoder = Decoder::new(options);
    let mut sink = |request: usize, found: Rows| {
        rows[request].extend(printed(&found.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    let mut file = bytes;
    let report = decoder.decode_whole(&mut file, &Origin::new("f"), &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    (rows, report)
}

/// Decodes one event after another, all of them through the splitter.
fn decode_events(options: &DecodeOptions, text: &str) -> Vec<String> {
    let mut decoder = Decoder::new(options);
    let mut rows = Vec::new();
    let mut sink = |_, found: Rows| {
        rows.extend(printed(&found.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    let mut splitter = Splitter::new(text.as_bytes());
    while let Some(item) = splitter.next_item() {
        if let Item::Record(event) = item {
            assert!(decoder.decode_event(&event, &Origin::new("f"), &mut sink).is_continue());
        }
    }
    assert!(decoder.finish(&mut sink).is_continue());
    rows
}

/// Returns searches of every kind, some with comparisons in common.
fn requests() -> Vec<ScanRequest> {
    let and = |parts: Vec<Predicate>| Predicate::And(parts);
    let or = |parts: Vec<Predicate>| Predicate::Or(parts);
    let not = |part: Predicate| Predicate::Not(Box::new(part));
    let cloudtrail = || equals("sourcetype", "aws:cloudtrail");
    let keyword = |text: &str| {
        Predicate::Keyword(spilltrail_event::Keyword::new(
            text,
            spilltrail_event::KeywordKind::Plain,
            CaseRule::Ignore,
        ))
    };
    let bounds = TimeBounds { earliest: Some(1_714_979_289.0), latest: None };
    // These are enough alternatives for a lookup.
    let others = |field: &'static str| (0..9).map(move |n| equals(field, &format!("none{n}")));
    let among = |field: &'static str, texts: &[&str]| {
        let wanted = texts.iter().map(|text| equals(field, text));
        Predicate::any(wanted.chain(others(field)).collect())
    };
    let rows = |wanted: Vec<Predicate>| {
        let other = |(name, code)| and(vec![name, code, keyword("none")]);
        let others = others("eventName").zip(others("errorCode")).map(other);
        Predicate::any(wanted.into_iter().chain(others).collect())
    };
    vec![
        request(and(vec![cloudtrail(), equals("eventName", "A")]), &["eventName", "_time"]),
        request(equals("eventName", "a*"), &["src_ip", "user_arn", "c.d", "x{}"]),
        request(and(vec![cloudtrail(), equals("errorCode", "success")]), &["eventName", "_raw"]),
        request(or(vec![equals("eventName", "B"), equals("x{}", "2")]), &["x{}", "eventName"]),
        request(not(equals("eventName", "A")), &["eventName", "userIdentity.type"]),
        request(and(vec![Predicate::Time(bounds), keyword("eu-central-1")]), &["date_hour"]),
        request(equals("index", "other"), &["eventName"]),
        request(Predicate::All, &[]),
        request(equals("userIdentity.sessionContext.b", "deep"), &["eventName"]),
        request(among("eventName", &["b"]), &["eventName", "_time"]),
        request(not(among("x{}", &["1*", "2"])), &["x{}"]),
        request(
            rows(vec![
                and(vec![equals("eventName", "A"), equals("errorCode", "accessdenied")]),
                and(vec![
                    equals("eventName", "B"),
                    equals("errorCode", "success"),
                    Predicate::Time(bounds),
                    keyword("eu-central-1"),
                ]),
                and(vec![equals("errorCode", "success"), equals("x{}", "2")]),
            ]),
            &["eventName", "errorCode"],
        ),
    ]
}

/// Returns records, some of which are slightly malformed.
fn record() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        r#""eventName":"A""#,
        r#""eventName":"B""#,
        r#""eventName" : "aB""#,
        r#""eventName":null"#,
        r#""eventName":"A""#,
        r#""eventSource":"s3.amazonaws.com""#,
        r#""eventSource":"aws:s3""#,
        r#""eventTime":"2024-05-06T07:08:09Z""#,
        r#""eventTime":"2024-05-06T07:08:08.5+01:00""#,
        r#""awsRegion":"eu-central-1""#,
        r#""sourceIPAddress":"203.0.113.5""#,
        r#""userIdentity":{"type":"Root","arn":"arn:é","sessionContext":{"b":"deep","q":""]}"}}"#,
        r#""x":[1,"2",{"y":[]}]"#,
        r#""c.d":"dotted""#,
        r#""c":{"d":1.50}"#,
        r#""errorCode":"AccessDenied""#,
        r#""empty":{}"#,
        r#""n":-1.5e3"#,
    ]);
    let blank = prop::sample::select(vec![
        "", "", "", " ", "
",
    ]);
    (prop::collection::vec(member, 0..9), blank, any::<bool>()).prop_map(
        |(members, blank, sound)| {
            let head = if sound { r#""eventVersion":"1.08","eventID":"e","# } else { "" };
            let text = format!("{{{head}{}}}", members.join(&format!("{blank},{blank}")));
            text.replace(",}", "}")
        },
    )
}

proptest! {
    /// One pass for all requests finds the same rows for each as a pass for it alone: for a whole
    /// file, by parts, and event by event, for every frame around the records.
    #[test]
    fn together_as_alone(
        records in prop::collection::vec(record(), 0..6),
        frame in 0..4usize,
        is_packed in any::<bool>(),
    ) {
        let text = match frame {
            0 => format!("{{\"Records\":[{}]}}", records.join(",")),
            1 => format!("[{}]", records.join(" ,
")),
            2 => records.join("
"),
            _ => format!("{{\"Records\":[{}]", records.join(",")),
        };
        let bytes = if is_packed { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
        let (together, report) = decode_whole(&DecodeOptions::new(requests()), bytes.clone());
        for (number, request) in requests().into_iter().enumerate() {
            let options = DecodeOptions::new([request]);
            let (alone, slow) = decode(&options, seekable(bytes.clone()));
            prop_assert_eq!(&together[number], &alone, "{} {}", number, &text);
            prop_assert_eq!(&alone, &decode_events(&options, &text), "{} {}", number, &text);
            prop_assert_eq!(report.events, slow.events, "{}", &text);
            prop_assert_eq!(report.newest, slow.newest, "{}", &text);
            prop_assert_eq!(&report.damages, &slow.damages, "{}", &text);
            prop_assert_eq!(&report.skipped, &slow.skipped, "{}", &text);
        }
    }
}

#[test]
fn the_short_way_is_taken() {
    let text = format!("{{\"Records\":[{},{}]}}", event("A"), event("B"));
    let request = request(equals("eventName", "A"), &["eventName"]);
    let mut decoder = Decoder::new(&DecodeOptions::new([request]));
    let mut file = gzip(text.as_bytes());
    let room = file.capacity();
    decoder.decode_whole(&mut file, &Origin::new("f"), &mut |_, _| ControlFlow::Continue(()));
    assert!(file.is_empty() && file.capacity() == room, "the long way takes the bytes away");
    let counts = decoder.counts();
    assert_eq!((counts.by_name, counts.read, counts.rows), (1, 1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Changed bytes never cause a panic, and decoding and discovery see the same events.
    #[test]
    fn changed_bytes_never_panic(
        form in 0..4usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        keep in any::<prop::sample::Index>(),
    ) {
        let text = format!(
            r#"{{"Records":[{},{{"eventVersion":"1","eventName":"x","a":[{{"b":"\ud83d\ude00"}},[1,[null]]],"c.d":{{"":1e5}}}},{}]}}"#,
            event("A"),
            event("B"),
        );
        let mut bytes = match form {
            0 => text.into_bytes(),
            1 => gzip(text.as_bytes()),
            2 => zip_of(&[("x", text.as_bytes())]),
            _ => zstd::encode_all(text.as_bytes(), 1).unwrap(),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if keep.index(4) == 0 {
            bytes.truncate(keep.index(bytes.len()));
        }
        let mut all =
            discovery(&Predicate::All, &Demand::all());
        let seen = all.read(seekable(bytes.clone()), &Origin::new("f"));
        let scan = ScanRequest { predicate: Predicate::All, fields: all.fields() };
        let (rows, report) = decode(&DecodeOptions::new([scan]), seekable(bytes));
        prop_assert_eq!((rows.len() as u64, report.damages), (seen.events, seen.damages));
    }
}

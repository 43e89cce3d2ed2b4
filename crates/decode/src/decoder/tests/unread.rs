//! Tests that whatever an input holds, its events are counted, or the report names it.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use flate2::write::ZlibEncoder;

use super::*;

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Returns a text in base64, in lines of 76 characters.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn base64(text: &[u8]) -> Vec<u8> {
    let encoded = BASE64_STANDARD.encode(text).into_bytes();
    encoded.chunks(76).flat_map(|line| [line, b"\n"].concat()).collect()
}

fn utf32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|c| bytes(u32::from(c))).collect()
}

#[test]
fn more_encodings_are_read() {
    let text = events(&["A", "B"]);
    let plain = text.as_bytes();
    let marked = format!("\u{feff}{text}");
    for (what, bytes, names) in [
        ("zlib", zlib(plain), "A B"),
        ("two zlib streams", [zlib(plain), zlib(plain)].concat(), "A B A B"),
        ("gzip of zlib", gzip(&zlib(plain)), "A B"),
        ("UTF-32LE", utf32(&text, u32::to_le_bytes), "A B"),
        ("UTF-32BE", utf32(&text, u32::to_be_bytes), "A B"),
        ("UTF-32LE with a mark", utf32(&marked, u32::to_le_bytes), "A B"),
        ("UTF-32BE with a mark", utf32(&marked, u32::to_be_bytes), "A B"),
        ("base64", base64(plain), "A B"),
        ("base64 in one line", BASE64_STANDARD.encode(plain).into_bytes(), "A B"),
        ("base64 for addresses", BASE64_URL_SAFE_NO_PAD.encode(plain).into_bytes(), "A B"),
        ("base64 of an array", base64(format!("[\n {}]", event("A")).as_bytes()), "A"),
        ("base64 of gzip", base64(&gzip(plain)), "A B"),
        ("base64 of a zip", base64(&zip_of(&[("x", plain)])), "A B"),
        ("base64 in gzip", gzip(&base64(plain)), "A B"),
        (
            "lines of base64",
            [base64(event("A").as_bytes()), base64(event("B").as_bytes())].concat(),
            "A B",
        ),
    ] {
        for input in [seekable(bytes.clone()), stream(bytes.clone())] {
            let (found, report) = names_in(input);
            assert_eq!((found.as_str(), report.damage_count), (names, 0), "{what}: {report:?}");
        }
    }
    for (bytes, message) in [
        (zlib(plain)[..40].to_vec(), "the zlib data ends early"),
        ([zlib(plain), b"more".to_vec()].concat(), "there is something else after the zlib data"),
        ([&base64(plain)[..60], b"*"].concat(), "the base64 is damaged: there is a character"),
    ] {
        let (_, report) = names_in(seekable(bytes));
        let is_told = report.damages.iter().any(|damage| damage.message.starts_with(message));
        assert!(is_told, "{message} {report:?}");
    }
}

#[test]
fn what_may_hold_events_is_named() {
    let yaml = b"Records:\n- eventVersion: '1.08'\n  eventName: CreateUser\n";
    let noise: Vec<u8> = (0..300_u32).map(|n| (n * n * 31 % 251) as u8 | 1).collect();
    let office = zip_of(&[("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>")]);
    let open = zip_of(&[("mimetype", b"application/vnd.oasis"), ("content.xml", b"<x/>")]);
    let row = "EVENTS\t1b0f4c5e-0d0a-4f0e-9a51-2f6f0b1c9d11\tCreateUser\tiam.amazonaws.com\t1773741600.0\n";
    let record = "{\"eventName\":\"CreateUser\",\"eventTime\":\"2026-03-17T10:00:00Z\",\
                  \"awsRegion\":\"us-east-1\",\"readOnly\":false}";
    let yaml_of_text = format!("Events:\n- CloudTrailEvent: {}\n  EventId: a\n", quoted(record));
    let note = format!("A note\n\n{}", String::from_utf8_lossy(&base64(record.as_bytes())));
    let bytes = record.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    for (bytes, name) in [
        (yaml_of_text.as_bytes(), "the text seems to hold events of CloudTrail in a form"),
        (note.as_bytes(), "the text seems to hold events of CloudTrail in a form"),
        (format!("data = ({bytes})").as_bytes(), "the text seems to hold events of CloudTrail"),
        (row.repeat(3).as_bytes(), "the text seems to hold events of CloudTrail in a form"),
        (b"CEF:0|AWS|CloudTrail|1|CreateUser|x|5|src=203.0.113.7", "the text seems to hold events"),
        (
            b"From: a@example.com\nTo: b@example.com\nContent-Transfer-Encoding: base64\n\neyJhIjo=",
            "this is an e-mail message; save its attachments",
        ),
        (b"%PDF-1.7\n\x80\x81", "this is a PDF document; export its events as JSON or CSV"),
        (&yaml[..], "the text has the fields of CloudTrail"),
        (&noise, "this is binary data in no format"),
        (&[0; 2000], "this is binary data in no format"),
        (&office, "this is an Office document (.xlsx, .docx); export its events as JSON or CSV"),
        (&open, "this is an OpenDocument file"),
        (b"PK\x07\x08PK\x03\x04", "this is a part of a split zip archive; join its parts first"),
        (b"Salted__\x01\x02\x03", "this is encrypted by OpenSSL; decrypt it first"),
        (b"\x1f\x9d\x90\x01\x02", "this is compressed with compress; unpack it first"),
    ] {
        for bytes in [bytes.to_vec(), gzip(bytes), zip_of(&[("x", bytes)])] {
            let (_, report) = names_in(seekable(bytes));
            let damage = report.damages.first().expect(name);
            assert!(damage.message.contains(&format!("nothing was read: {name}")), "{damage}");
            let is_of_kind =
                matches!(damage.kind, DamageKind::UnknownArchive | DamageKind::UnknownText);
            assert!(is_of_kind && report.damage_count == 1, "{damage}");
            assert!(report.skipped.is_empty() && report.foreign_entries == 0, "{report:?}");
        }
    }
}

#[test]
fn an_input_without_an_event_has_a_reason() {
    let digest = r#"{"awsAccountId":"1","digestStartTime":"x","logFiles":[]}"#;
    for (text, in_a_folder, named) in [
        ("notes", Some("holds no JSON"), Some("holds no JSON")),
        ("", Some("is empty"), Some("is empty")),
        (" \r\n", Some("is empty"), Some("is empty")),
        ("[1,2,\"x\"]", Some("its JSON"), Some("its JSON")),
        ("{\"Records\":[]}", None, Some("holds no event")),
        (digest, None, Some("holds a digest of CloudTrail")),
        ("{\"a\":1}", None, None),
        ("{\"a\":", None, None),
    ] {
        let (_, report) = names_in(seekable(text.as_bytes().to_vec()));
        for (is_named, expected) in [(false, in_a_folder), (true, named)] {
            let reason = report.why_no_event(is_named);
            assert_eq!(reason.is_some(), expected.is_some(), "{text} {reason:?}");
            assert!(
                reason.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{reason:?}"
            );
        }
    }
    let archive = zip_of(&[("a.json", event("A").as_bytes()), ("b.json", b"[1,2]")]);
    let (_, report) = names_in(seekable(archive));
    assert_eq!((report.events, report.foreign_names), (1, vec!["b.json".to_owned()]));
    // What macOS adds to archives is known by its name, whatever is in it.
    let archive =
        zip_of(&[("a.json", event("A").as_bytes()), ("__MACOSX/._a.json", b"\0\x05\x16")]);
    let (_, report) = names_in(seekable(archive));
    assert_eq!((report.events, report.damage_count, report.foreign_entries), (1, 0, 1));
}

/// Copies of a file are told by their first event, whatever is around it.
#[test]
fn copies_have_the_same_first_event() {
    let first = |bytes: Vec<u8>| names_in(seekable(bytes)).1.first_event;
    let text = events(&["A", "B"]);
    let known = first(text.clone().into());
    assert!(known.is_some());
    for copy in [gzip(text.as_bytes()), zip_of(&[("x", text.as_bytes())])] {
        assert_eq!(first(copy), known);
    }
    let options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
    assert_eq!(decode_whole(&options, text.into()).1.first_event, known);
    assert_ne!(first(events(&["B", "A"]).into()), known);
    assert_eq!(first(r#"{"a":1}"#.into()), None);
}

/// Records whose spelling or nesting is another program's have the fields of CloudTrail, whichever
/// way their file is read.
#[test]
fn records_in_other_dress_have_the_same_fields() {
    let usual = r#"{"eventVersion":"1.08","eventTime":"2026-03-17T10:00:00Z","eventName":"A","eventSource":"s","userIdentity":{"type":"Root","arn":"x"},"requestParameters":{"bucketName":"b","k":{"l":"m"}}}"#;
    let fields = [
        "_time",
        "sourcetype",
        "eventName",
        "user_arn",
        "userIdentity.type",
        "requestParameters.bucketName",
        "requestParameters.k.l",
    ];
    let options = DecodeOptions::new([request(Predicate::All, &fields)]);
    let texts = r#""requestParameters":"{\"bucketName\":\"b\",\"k\":{\"l\":\"m\"}}"}"#;
    let head = r#"{"eventVersion":"1.08","eventTime":"2026-03-17T10:00:00Z","eventName":"A","eventSource":"s","#;
    for record in [
        format!(r#"{head}"userIdentity":{{"type":"Root","arn":"x"}},{texts}"#),
        format!(r#"{head}"userIdentity":"{{\"type\":\"Root\",\"arn\":\"x\"}}",{texts}"#),
        format!(r#"{head}"userIdentity_type":"Root","userIdentity_arn":"x",{texts}"#),
        format!(r#"{head}"userIdentity.type":"Root","userIdentity.arn":"x","requestParameters.bucketName":"b","requestParameters.k.l":"m"}}"#),
        r#"{"eventversion":"1.08","eventtime":"2026-03-17T10:00:00Z","eventname":"A","eventsource":"s","useridentity":{"type":"Root","arn":"x"},"requestparameters":"{\"bucketName\":\"b\",\"k\":{\"l\":\"m\"}}"}"#.to_owned(),
        r#"{"event_version":"1.08","event_time":"2026-03-17 10:00:00.000","event_name":"A","event_source":"s","user_identity":"{type=Root, arn=x}","request_parameters":{"bucketName":"b","k":{"l":"m"}}}"#.to_owned(),
    ] {
        let (expected, _) = decode(&options, seekable(usual.into()));
        let quoted = serde_json::Value::from(record.as_str());
        for (text, count) in [
            (record.clone(), 1),
            (format!("{record}\n{record}"), 2),
            (format!("{{\"Records\":[{record},{usual},{record}]}}"), 3),
            (format!("{usual}\n{record}\n{usual}\n"), 3),
            (format!("{{\"hits\":[{{\"_source\":{record}}}]}}"), 1),
            (format!("{{\"message\":{quoted}}}"), 1),
        ] {
            let wanted = vec![expected[0].clone(); count];
            let (rows, report) = decode(&options, stream(text.clone().into()));
            assert_eq!((rows, report.damage_count, report.rows), (wanted.clone(), 0, 0), "{text}");
            let (batches, report) = decode_whole(&options, text.clone().into());
            assert_eq!((batches.concat(), report.damage_count), (wanted, 0), "{text}");
        }
    }
}

/// Returns the events `E0`, `E1`, … inside a wrapper that is read.
fn wrapped(wrapper: usize, count: usize) -> Vec<u8> {
    let events: Vec<String> = (0..count).map(|n| event(&format!("E{n}"))).collect();
    let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let strings: Vec<String> = events.iter().map(quoted).collect();
    let lines = |line: &dyn Fn(&String) -> String| -> String {
        events.iter().map(|event| line(event) + "\n").collect()
    };
    let cells = |event: &String| format!("\"{}\",x", event.replace('"', "\"\""));
    let text = match wrapper {
        0 => lines(&|event| event.clone()),
        1 => format!("{{\"Records\":[{}]}}", events.join(",")),
        2 => format!("[\n{}\n]", events.join(",\n")),
        3 => format!("[{}]", strings.join(",")),
        4 => lines(&|event| format!("{{\"message\":{}}}", quoted(event))),
        5 => lines(&|event| format!("2026-03-17T10:00:00Z host app: {event}")),
        6 => lines(&|event| format!("{{\"_source\":{event}}}")),
        7 => lines(&|event| format!("{{\"data\":\"{}\"}}", BASE64_STANDARD.encode(event))),
        8 => lines(&|event| {
            format!("{{\"data\":\"{}\"}}", BASE64_STANDARD.encode(gzip(event.as_bytes())))
        }),
        9 => format!("_raw,host\n{}", lines(&cells)),
        10 => lines(&|event| {
            event
                .replace("eventName", "eventname")
                .replace("eventSource", "eventsource")
                .replace("eventVersion", "eventversion")
        }),
        11 => lines(&|event| format!("{event} and more")),
        _ => format!(
            "{{\"a\":{},\"Records\":[{}],\"b\":{}}}",
            events[0],
            events[1..count - 1].join(","),
            events[count - 1]
        ),
    };
    text.into_bytes()
}

const WRAPPERS: usize = 13;

fn packed(packing: usize, bytes: &[u8]) -> Vec<u8> {
    match packing {
        0 => bytes.to_vec(),
        1 => gzip(bytes),
        2 => zlib(bytes),
        3 => ::zstd::encode_all(bytes, 1).unwrap(),
        4 => base64(bytes),
        5 => zip_of(&[("x", bytes)]),
        _ => gzip(&zip_of(&[("x", &gzip(bytes))])),
    }
}

const PACKINGS: usize = 7;

#[test]
fn every_wrapper_is_read() {
    for wrapper in 0..WRAPPERS {
        for packing in 0..PACKINGS {
            let (_, report) = names_in(seekable(packed(packing, &wrapped(wrapper, 4))));
            let found = (report.events - report.rows, report.damage_count);
            assert_eq!(found, (4, 0), "{wrapper} {packing} {report:?}");
        }
    }
}

/// Returns true if a report has so many events, or says that something is no event.
fn accounts_for(report: &FileReport, count: usize) -> bool {
    let is_named = report.damage_count > 0
        || report.why_no_event(true).is_some()
        || report.rows > 0
        || report.foreign_entries > 0
        || !report.skipped.is_empty();
    report.events - report.rows >= count as u64 || is_named
}

/// Returns the number of events that are left of a text of lines that is cut between two lines, where
/// nothing tells that there were more; [`COUNT`] for any other text.
fn lines_before(wrapper: usize, text: &[u8], cut: usize) -> usize {
    let is_lines = matches!(wrapper, 0 | 4..=11);
    let is_end = |at: usize| text.get(at).is_none_or(|byte| *byte == b'\n');
    let rest = text[cut..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_between = is_end(cut) || (cut > 0 && is_end(cut - 1)) || b" and more".ends_with(rest);
    let header = usize::from(wrapper == 9);
    let lines = text[..cut].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    if is_lines && is_between { lines.saturating_sub(header) } else { COUNT }
}

const COUNT: usize = 4;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever becomes of an input on its way, an event is lost only with a report: it is cut off,
    /// garbage stands before or after it, or it is packed once more.
    #[test]
    fn what_is_lost_is_reported(
        wrapper in 0..WRAPPERS,
        packing in 0..PACKINGS,
        repacking in 0..PACKINGS,
        cut in prop::option::of(any::<prop::sample::Index>()),
        cut_packed in prop::option::of(any::<prop::sample::Index>()),
        before in prop::collection::vec(any::<u8>(), 0..6),
        after in prop::collection::vec(any::<u8>(), 0..40),
        is_stream in any::<bool>(),
    ) {
        let mut text = wrapped(wrapper, COUNT);
        let mut expected = COUNT;
        if let Some(cut) = cut {
            let cut = cut.index(text.len());
            expected = expected.min(lines_before(wrapper, &text, cut));
            text.truncate(cut);
        }
        let mut bytes = packed(packing, &text);
        // A text is cut above.
        if let Some(cut) = cut_packed.filter(|_| !matches!(packing, 0 | 4)) {
            bytes.truncate(cut.index(bytes.len()));
        }
        let bytes = packed(repacking, &[before, bytes, after].concat());
        let (_, report) = names_in(if is_stream { stream(bytes) } else { seekable(bytes) });
        prop_assert!(accounts_for(&report, expected), "{report:?}");
    }

    /// A changed byte costs no event in silence. Base64 is left out, since it is a key with a quote in
    /// the wrong place, and so are members beside an envelope's events, of which only events are read.
    #[test]
    fn changed_bytes_are_reported(
        wrapper in (0..WRAPPERS).prop_filter("no loss", |wrapper| !matches!(wrapper, 7 | 8 | 12)),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
        is_stream in any::<bool>(),
    ) {
        let mut bytes = wrapped(wrapper, COUNT);
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        let (_, report) = names_in(if is_stream { stream(bytes) } else { seekable(bytes) });
        prop_assert!(accounts_for(&report, COUNT), "{report:?}");
    }
}

/// YAML with events in it is called YAML once, however much stands between the events.
#[test]
fn yaml_is_reported_once() {
    let event = event("A");
    let item = format!("- CloudTrailEvent: '{event}'\n  EventId: a\n  EventName: A\n");
    for text in [format!("Events:\n{item}{item}{item}"), item.repeat(3)] {
        let options = DecodeOptions::new([request(Predicate::All, &["eventName"])]);
        let (_, report) = decode(&options, stream(text.clone().into_bytes()));
        assert_eq!((report.events, report.damage_count), (3, 1), "{text}: {report:?}");
        let message = &report.damages[0].message;
        assert!(message.starts_with("this is YAML"), "{message}");
    }
}

/// Records that are delivered as usual, except for a member that should be an object.
#[test]
fn members_in_another_form_are_told_on_every_way() {
    let usual = event("A");
    for (member, count) in [
        (r#""requestParameters":{"a":1}"#, 0),
        (r#""requestParameters":[{"key":"a","value":1}]"#, 1),
        (r#""userIdentity":[["arn","x"]]"#, 1),
        (r#""userIdentity~arn":"x""#, 1),
        (r#""requestParameters":null"#, 0),
    ] {
        let odd = format!(
            r#"{{"eventVersion":"1","eventTime":"2026-03-17T10:00:00Z","eventSource":"s","eventName":"B",{member}}}"#
        );
        for text in [format!(r#"{{"Records":[{usual},{odd}]}}"#), format!("{usual}\n{odd}\n")] {
            let (found, report) = names_in(stream(text.clone().into_bytes()));
            assert_eq!((found.as_str(), report.damage_count), ("A B", count), "{text}");
        }
    }
}

/// A table whose names join keys in an unknown way is told once, and its rows are read.
#[test]
fn columns_that_are_joined_in_an_unknown_way_are_told() {
    for (column, count) in [("userIdentity arn", 1), ("userIdentity.arn", 0), ("user", 0)] {
        let text = format!("eventName,eventTime,{column}\nA,2026-03-17T10:00:00Z,x\nB,,y\n");
        let (found, report) = names_in(stream(text.into_bytes()));
        assert_eq!((found.as_str(), report.damage_count), ("A B", count), "{column}");
    }
}

/// What is named like a log and holds none is reported, whatever it is.
#[test]
fn names_of_logs_promise_events() {
    let page = b"<html><title>403 Forbidden</title></html>";
    let trail = "1_CloudTrail_us-east-1_20260317T1510Z_a.json.gz";
    for (name, bytes, what) in [
        (trail, &page[..], Some("it holds no JSON")),
        (trail, b"", Some("it is empty")),
        ("out.json", b"An error occurred: Rate exceeded\n", Some("it holds no JSON")),
        ("out.jsonl", b" \n", Some("it is empty")),
        ("out.json", b"\x89PNG\r\n\x1a\n\0", Some("it holds no JSON")),
        ("out.json", b"{\"Records\":[]}", None),
        ("out.json", b"[1,2]", None),
        ("page.html", page, None),
        ("out.txt", b"", None),
        ("__MACOSX/._out.json", b"\0\x05\x16\x07", None),
    ] {
        let (_, report) = names_in(seekable(zip_of(&[(name, bytes)])));
        let told = report.damages.first().map(|damage| damage.message.as_str());
        assert_eq!(told.is_some(), what.is_some(), "{name} {told:?}");
        assert!(told.unwrap_or_default().contains(what.unwrap_or_default()), "{name} {told:?}");
        assert!(report.damage_count < 2, "{report:?}");
    }
}

/// A row in which an event is written as another text looks like one.
#[test]
fn rows_with_events_in_disguise_look_like_events() {
    let record = "{\"eventName\":\"CreateUser\",\"eventTime\":\"2026-03-17T10:00:00Z\",\
                  \"awsRegion\":\"us-east-1\",\"readOnly\":false}";
    let escaped = record.replace('"', "%22");
    let bytes = serde_json::to_string(record.as_bytes()).unwrap();
    for (row, is_alike) in [
        (format!("{{\"a\":\"{escaped}\"}}"), true),
        (format!("{{\"type\":\"Buffer\",\"data\":{bytes}}}"), true),
        ("{\"a\":\"CEF:0|AWS|CloudTrail|1|CreateUser|x|5|src=203.0.113.7\"}".to_owned(), true),
        ("{\"eventName\":\"eventTime\",\"awsRegion\":\"us-east-1\"}".to_owned(), false),
        ("{\"a\":\"b\"}".to_owned(), false),
    ] {
        let (_, report) = names_in(stream(row.clone().into_bytes()));
        assert_eq!((report.rows, report.has_lookalikes), (1, is_alike), "{row}");
    }
}

/// Texts whose escapes are undone as they are read.
#[test]
fn texts_with_escapes_are_read() {
    let text = events(&["A", "B\u{e9}"]);
    let quotes = |quote: &str| {
        let text = text.replace('&', "&amp;").replace('"', quote).replace('<', "&lt;");
        format!("<html><body>\n<pre>{text}</pre></body></html>\n")
    };
    let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    for text in [
        quotes("&quot;"),
        quotes("&#34;"),
        quotes("&#x22;").replace('\u{e9}', "&#233;"),
        format!("<log><e>{}</e></log>", text.replace('"', "&quot;")),
        text.replace('"', "&quot;"),
        percent.clone(),
        format!("\n{}", percent.to_lowercase()),
        text.replace('"', "%22").replace('{', "%7B").replace('}', "%7d"),
    ] {
        for bytes in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let (found, report) = names_in(stream(bytes));
            assert_eq!(
                (found.as_str(), report.damage_count),
                ("A B\u{e9}", 0),
                "{text} {report:?}"
            );
        }
    }
}

/// Archives behind a program that unpacks them.
#[test]
fn archives_that_unpack_themselves_are_read() {
    let archive = zip_of(&[("a.json", event("A").as_bytes())]);
    for (stub, archive, events, message) in [
        (&b"MZ\x90\0"[..], &archive[..], 1, None),
        (b"\x7fELF\x02\x01", &archive, 1, None),
        (b"#!/bin/sh\nexec unzip \"$0\"\n", &archive, 1, None),
        (b"MZ\x90\0", b"7z\xbc\xaf\x27\x1c\0\x04", 0, Some("a program with an archive behind it")),
        (b"MZ\x90\0", b"Rar!\x1a\x07\x01\0", 0, Some("a program with an archive behind it")),
        (
            b"#!/bin/sh\nexit 0\n",
            b"\x1f\x8b\x08\0\0",
            0,
            Some("a program with an archive behind it"),
        ),
        (b"MZ\x90\0", b"\0\0PK\x05\x06", 0, None),
        (b"#!/bin/sh\n", b"exit 0\n", 0, None),
    ] {
        let bytes = [stub, &vec![b' '; 5000], archive].concat();
        for bytes in [bytes.clone(), zip_of(&[("x", &bytes)]), gzip(&bytes)] {
            for input in [seekable(bytes.clone()), stream(bytes)] {
                let (_, report) = names_in(input);
                let told = report.damages.first().map(ToString::to_string);
                assert_eq!(
                    (report.events, told.is_some()),
                    (events, message.is_some()),
                    "{told:?}"
                );
                assert!(told.unwrap_or_default().contains(message.unwrap_or_default()));
            }
        }
    }
}

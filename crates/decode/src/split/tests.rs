//! Tests cutting text into records, intact and damaged.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::delivered::Records;

mod wrapped;

/// Lists the items that a splitter returns, one per line; `chunk` is the size of its reads.
fn split_in(text: &[u8], chunk: usize) -> String {
    list(text, chunk, None).0
}

/// Works like [`split_in`], by parts where possible; also returns the number of records in parts.
fn split_by_parts(text: &[u8], chunk: usize) -> (String, usize) {
    list(text, chunk, Some(Records::default()))
}

fn list(text: &[u8], chunk: usize, mut records: Option<Records>) -> (String, usize) {
    let mut splitter = Splitter::new(text).with_chunk(chunk);
    let mut list = String::new();
    let mut in_parts = 0;
    loop {
        if let Some(records) = &mut records
            && let Some(part) = splitter.next_part(records)
        {
            for record in records.iter(part.text) {
                let RawRecord { text, offset, format } = record.raw(part.offset);
                let _ = writeln!(list, "{offset} {format:?} {text}");
                in_parts += 1;
            }
            continue;
        }
        let Some(item) = splitter.next_item() else { return (list, in_parts) };
        let _ = match item {
            Item::Record(record) => {
                let bytes = record.text;
                let format = format!("{:?}", record.format);
                writeln!(list, "{} {format} {bytes}", record.offset)
            }
            Item::Damage(damage) => {
                writeln!(list, "{} damage {:?}: {}", damage.offset, damage.kind, damage.message)
            }
            Item::Skipped(kind) => writeln!(list, "skipped {kind:?}"),
        };
    }
}

/// Checks the items found, and that they do not depend on the size of the reads.
fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
    let text = text.as_ref();
    let found = split_in(text, 1 << 16);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{}", String::from_utf8_lossy(text));
    for chunk in [1, 2, 3, 7, 16] {
        assert_eq!(split_in(text, chunk), found, "in chunks of {chunk}");
        assert_eq!(split_by_parts(text, chunk).0, found, "by parts, in chunks of {chunk}");
    }
    assert_eq!(split_by_parts(text, 1 << 16).0, found, "by parts");
}

const A: &str = r#"{"eventVersion":"1.08","eventName":"A"}"#;
const B: &str = r#"{"eventVersion":"1.08","eventName":"B"}"#;

#[test]
fn plain_forms() {
    let (a, b) = (format!("CloudTrail {A}"), format!("CloudTrail {B}"));
    let at = |offset: usize, record: &str| format!("{offset} {record}");
    let at_b = 1 + A.len();
    for (text, places) in [
        (format!(r#"{{"Records":[{A},{B}]}}"#), [12, 12 + at_b]),
        (format!(r#"{{"x":{{"y":[]}},"Records" : [ {A},{B}]}}"#), [28, 28 + at_b]),
        (format!(r#"{{"Records":[{A},{B}],"more":[1,{{}}]}}"#), [12, 12 + at_b]),
        (format!("{A}\n{B}\n"), [0, at_b]),
        (format!("{A} {B}"), [0, at_b]),
        (format!("[{A},{B}]"), [1, 1 + at_b]),
        (format!("\u{feff}{A}\n{B}"), [3, 3 + at_b]),
    ] {
        check(&text, &[&at(places[0], &a), &at(places[1], &b)]);
    }
    check(format!("{A}{B}"), &[&at(0, &a), &at(A.len(), &b)]);
    check(r#"{"Records":[]}"#, &[]);
    check("", &[]);
}

#[test]
fn one_pretty_printed_object_is_kept_as_it_is() {
    let text = "{\n  \"eventName\": \"A\",\n  \"eventSource\": \"x\"\n}";
    let found = split_in(text.as_bytes(), 1 << 16);
    assert_eq!(found, format!("0 CloudTrail {text}\n"));
}

#[test]
fn envelopes() {
    let quoted = A.replace('"', "\\\"");
    let plain = format!("CloudTrail {A}");
    for (text, offset) in [
        (format!(r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":"{quoted}"}}]}}"#), 11),
        (format!(r#"{{"detail-type":"x","source":"y","detail":{A}}}"#), 41),
        (
            format!(
                r#"{{"messageType":"DATA_MESSAGE","logEvents":[{{"id":"1","timestamp":1,"message":"{quoted}"}}]}}"#
            ),
            43,
        ),
        (format!(r#"{{"preview":false,"result":{{"_time":"1","_raw":"{quoted}"}}}}"#), 26),
        (format!(r#"{{"preview":false,"results":[{{"_raw":"{quoted}"}}]}}"#), 28),
    ] {
        check(&text, &[&format!("{offset} {plain}")]);
    }
    check(
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"hi"}]}"#,
        &["skipped LogMessage"],
    );
    check(r#"{"preview":false,"result":{"a":"1"}}"#, &[r#"26 Json {"a":"1"}"#]);
}

#[test]
fn rows_and_what_is_left_out() {
    check(r#"{"a":1}"#, &[r#"0 Json {"a":1}"#]);
    check(r#"{"Records":[1,2]}"#, &[r#"0 Json {"Records":[1,2]}"#]);
    check(
        r#"{"class_uid":6003,"metadata":{},"time":1}"#,
        &[r#"0 Lake {"class_uid":6003,"metadata":{},"time":1}"#],
    );
    check(r#"[1,"x",{"a":1}]"#, &["skipped Scalar", "skipped Scalar", r#"7 Json {"a":1}"#]);
    check(
        r#"{"awsAccountId":"1","digestStartTime":"x","logFiles":[{"s3Bucket":"b"}]}"#,
        &["skipped Digest"],
    );
    check(
        r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"x"}]}"#,
        &["skipped S3Notification"],
    );
    check(r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#, &["skipped S3Notification"]);
    check(r#"{"fileVersion":"1.0","configurationItems":[{"a":1}]}"#, &["skipped OtherService"]);
    check("version account-id eni-1 10.0.0.1\n2 1 eni-1\n", &["skipped NotJson"]);
    check([0xff, 0xd8, 0xff, 0xe0, 0x00, b'{'], &["skipped NotJson"]);
}

#[test]
fn damage_costs_only_itself() {
    let at =
        |text: &str, record: &str| format!("{} CloudTrail {record}", text.rfind(record).unwrap());
    // One bracket, quote or comma is missing; or the text is not JSON at all.
    for (wrong, message) in [
        (r#"{"eventVersion":"1.08","x":{"y":1}"#, "a key, found `{`"),
        (r#"{"eventVersion":"1.08","x":"y}"#, "a comma or the end of the value, found `e`"),
        (r#"{"eventVersion":"1.08" "x":1}"#, "a comma or the end of the value, found `\"`"),
        (r#"{"eventVersion":nope}"#, "a value, found `n`"),
    ] {
        let text = format!(r#"{{"Records":[{A},{wrong},{B}]}}"#);
        let found = split_in(text.as_bytes(), 1 << 16);
        let lines: Vec<_> = found.lines().collect();
        assert_eq!(lines.len(), 3, "{found}");
        assert_eq!(lines[0], at(&text, A));
        assert!(lines[1].contains("damage InvalidJson"), "{found}");
        assert!(lines[1].ends_with(message), "{found}");
        assert_eq!(lines[2], at(&text, B));
        check(&text, &lines);
    }
    for wrong in [r#"{"eventVersion":"1.0"#, "garbage", r#"{"a":}"#, "}", "\0\0"] {
        let text = format!("{A}\n{wrong}\n{B}\n");
        let found = split_in(text.as_bytes(), 1 << 16);
        let lines: Vec<_> = found.lines().collect();
        assert_eq!(
            (lines.len(), lines[0], lines[2]),
            (3, &*at(&text, A), &*at(&text, B)),
            "{found}"
        );
        check(&text, &lines);
    }
}

#[test]
fn records_whose_first_key_is_another_one_are_found_again() {
    let record =
        |name: &str| format!(r#"{{"awsRegion":"r","eventName":"{name}","eventSource":"s"}}"#);
    let (a, b) = (record("A"), record("B"));
    let text = format!(r#"{{"Records":[{a},{{"awsRegion":oops}},{b}]}}"#);
    let found = split_in(text.as_bytes(), 1 << 16);
    assert!(found.ends_with(&format!("CloudTrail {b}\n")), "{found}");
    assert_eq!(found.lines().count(), 3, "{found}");
}

#[test]
fn half_a_document_at_the_end() {
    let text = format!(r#"{{"Records":[{A},{{"eventVersion":"1"#);
    check(
        &text,
        &[
            &format!("12 CloudTrail {A}"),
            &format!(
                "{} damage TruncatedDocument: the text ends in the middle of a value",
                13 + A.len()
            ),
        ],
    );
    let text = format!(r#"{{"Records":[{A}"#);
    check(
        &text,
        &[
            &format!("12 CloudTrail {A}"),
            &format!(
                "{} damage TruncatedDocument: the text ends before its last bracket",
                12 + A.len()
            ),
        ],
    );
    // A log that begins in the middle of a record.
    let text = format!("ntName\":\"x\"}}\n{A}\n");
    check(
        &text,
        &["0 damage InvalidJson: expected an event, found `n`", &format!("13 CloudTrail {A}")],
    );
}

#[test]
fn wrong_utf8_keeps_the_event() {
    let mut text = br#"{"a":"x"}"#.to_vec();
    text[6] = 0xff;
    check(
        &text,
        &[
            "0 Json {\"a\":\"\u{fffd}\"}",
            "6 damage InvalidUtf8: the text is not UTF-8; the event is kept",
        ],
    );
}

#[test]
fn a_record_that_is_too_large_is_passed_over() {
    let large = format!(r#"{{"eventVersion":"1","x":"{}"}}"#, "y".repeat(MAX_RECORD));
    let text = format!("{{\"Records\":[{A},{large},{B}]}}");
    let found = split_in(text.as_bytes(), CHUNK);
    let kinds: Vec<_> = found.lines().map(|line| &line[..line.len().min(60)]).collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(kinds[1].contains("damage RecordTooLarge"), "{kinds:?}");
    assert!(found.ends_with(&format!("CloudTrail {B}\n")), "{kinds:?}");
    let mut splitter = Splitter::new(text.as_bytes());
    while splitter.next_item().is_some() {}
    assert!(splitter.window.bytes().len() < MAX_RECORD + 4 * CHUNK);
}

const CHUNK: usize = 1 << 18;

#[test]
fn hostile_text_takes_time_in_proportion() {
    for piece in [
        "{\"a\":\n",
        "\n{",
        "[",
        "{\"Records\":[{",
        "{\"eventVersion\":",
        "\"",
        "\\u",
        "{\"a\":\"\n",
    ] {
        let text = piece.repeat((1 << 19) / piece.len());
        let started = std::time::Instant::now();
        let mut splitter = Splitter::new(text.as_bytes());
        while splitter.next_item().is_some() {}
        assert!(started.elapsed().as_secs() < 20, "{piece:?} took {:?}", started.elapsed());
    }
}

/// Returns records in CloudTrail's form, or nearly so.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let member = prop::sample::select(vec![
        r#""eventName":"A""#,
        r#""eventName" : "B""#,
        r#""eventTime":"2024-05-06T07:08:09Z""#,
        r#""eventSource":"aws:s3""#,
        r#""x":{"y":[1,{"z":"}\"]"}],"\u00e9":"é"}"#,
        r#""Records":[{"a":1}]"#,
        r#""n":-1.5e3"#,
        r#""n":01"#,
        r#""n":"#,
        r#"oops"#,
    ]);
    let first =
        prop::sample::select(vec![A, r#"{"awsRegion":"r","eventSource":"s","eventName":"C"}"#]);
    (first, prop::collection::vec(member, 0..4)).prop_map(|(first, members)| {
        let rest = members.iter().flat_map(|member| [",", member]);
        let body = first.strip_suffix('}').unwrap_or(first);
        format!("{body}{}}}", rest.collect::<String>()).into_bytes()
    })
}

#[test]
fn records_come_by_the_part() {
    let many = vec![A; 1000].join(",");
    let text = format!("{{\"Records\":[{many}],\"more\":1}}");
    for chunk in [100, 1 << 16] {
        assert_eq!(split_by_parts(text.as_bytes(), chunk).1, 999, "all but the first");
    }
    // The splitter reads a value that is not a record; parts are cut again after it.
    let text = format!("{A}\n{A}\n{{\"a\":1}}\n{A}\n{A}\n{{\"Records\":[{many}]}}{A}");
    assert_eq!(split_by_parts(text.as_bytes(), 1 << 16).1, 1001);
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            A,
            B,
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\n",
            "{\"Records\":[",
            "]}",
            "{\"a\":1}",
            "\\u00",
            "\"eventVersion\"",
            "{\"detail-type\":1,\"detail\":",
            "1e",
            "-",
            "tru",
            "null",
            "\u{feff}",
            "{\"result\":",
            "{\"_raw\":\"{\\\"a\\\":1}\"}",
            "\n{",
            " ",
            "{\"m\":",
            "\"{\\\"eventVersion\\\":1,\\\"eventName\\\":2}\"",
            "2026 ",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn splitting_never_panics_and_does_not_depend_on_chunks(
        pieces in prop::collection::vec(piece(), 0..40),
        chunk in 1usize..40,
    ) {
        let text = pieces.concat();
        prop_assert_eq!(split_in(&text, chunk), split_in(&text, 1 << 16));
    }

    /// Records cut by parts equal the records read one by one, whatever separates them.
    #[test]
    fn parts_are_what_is_in_them(
        pieces in prop::collection::vec(prop_oneof![3 => record(), 1 => piece()], 0..30),
        separator in prop::sample::select(vec![",", "\n", " ,\n"]),
        is_enclosed in any::<bool>(),
        chunk in 1usize..2000,
    ) {
        let mut text = pieces.join(separator.as_bytes());
        if is_enclosed {
            text.splice(0..0, *b"{\"Records\":[");
            text.extend_from_slice(b"]}");
        }
        let (found, _) = split_by_parts(&text, chunk);
        prop_assert_eq!(found, split_in(&text, 1 << 16), "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn good_records_survive_whatever_stands_on_lines_between(
        lines in prop::collection::vec(prop::option::of("[a-z{}\\[\\]\",0-9]{0,20}"), 0..12),
    ) {
        // A text that begins like another service's log would be skipped entirely.
        let lines: Vec<_> = std::iter::once(None).chain(lines).collect();
        let text: String = lines.iter().map(|line| format!("{}\n", line.as_deref().unwrap_or(A))).collect();
        let good = lines.iter().filter(|line| line.is_none()).count();
        let found = split_in(text.as_bytes(), 1 << 16);
        let kept = found.lines().filter(|line| line.ends_with(A)).count();
        prop_assert_eq!(kept, good, "{}", found);
    }
}

#[test]
fn a_stream_that_never_shows_records_ends() {
    for text in [&b"\n"[..], b" \t\r\n", b"a line of text\n"] {
        let mut splitter = Splitter::new(Endless(text, 0));
        let Some(Item::Damage(damage)) = splitter.next_item() else { panic!("{text:?}") };
        assert_eq!(damage.message, "there is no JSON before this place; the rest is not read");
        assert_eq!(splitter.next_item(), None, "{text:?}");
        assert!(splitter.bytes() < 3 * MAX_SNIFF, "{text:?}");
    }
    // What begins late is read.
    let late = "\n".repeat(1 << 20) + r#"{"eventVersion":"1","eventName":"A"}"#;
    assert!(split_in(late.as_bytes(), 4096).contains("1048576 CloudTrail"));
}

/// Repeats a text without end.
struct Endless(&'static [u8], usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
        Ok(buffer.len())
    }
}

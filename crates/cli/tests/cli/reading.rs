//! Tests of reading events from folders, pipes and many files, and of searching them.

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Whether a field is a multivalue is decided from all files, not from the first one.
#[test]
fn a_folder_of_cloudtrail_and_of_rows() {
    let fixture = Fixture::new();
    fixture
        .write("logs/b.ndjson", "{\"id\":\"z\",\"tags\":[\"b\",\"c\"],\"user\":[\"u1\",\"u2\"]}\n");
    for (search, expected) in [
        ("tags=* | where tags=\"b\" | stats count", json!([{"count": 1}])),
        ("tags=b | table tags", json!([{"tags": ["b", "c"]}])),
        ("user=u1 OR user=ann | stats count", json!([{"count": 3}])),
        ("* | stats count", json!([{"count": 5}])),
    ] {
        let run = fixture.run(&["search", search, "logs"]);
        assert_eq!(Value::from(run.lines()), expected, "{search}\n{}", run.err);
    }
}

/// Rows after CloudTrail events have all of their values. A file of the form that CloudTrail delivers
/// is not looked at for multivalues; the run says so if that costs a value.
#[test]
fn values_of_rows_after_events() {
    let fixture = Fixture::new();
    let row = r#"{"id":"z","tags":["b","c"]}"#;
    let event = r#"{"eventVersion":"1.08","eventSource":"s","eventName":"E"}"#;
    fixture.write("mixed.ndjson", &format!("{event}\n{event}\n{row}\n"));
    fixture.write("delivered.json", &format!("{{\"Records\":[{event}]}}\n{row}\n"));
    let run = fixture.run(&["search", "id=z | table tags", "mixed.ndjson"]);
    assert_eq!((run.lines(), run.status), (vec![json!({"tags": ["b", "c"]})], 0), "{}", run.err);
    for (search, status) in
        [("id=z | table tags", 1), ("id=z tags=b | table id", 0), ("id=z | table *", 0)]
    {
        let run = fixture.run(&["search", search, "delivered.json"]);
        let is_reported = run.err.contains("delivered.json: events have several values of a field");
        assert_eq!((run.status, is_reported), (status, status == 1), "{search} {}", run.err);
    }
}

/// Records that another program has spelled or nested its own way are found by detections.
#[test]
fn records_in_other_dress() {
    let fixture = Fixture::new();
    let rows = concat!(
        r#"{"eventversion":"1.08","eventname":"E","eventsource":"s","useridentity":"{\"arn\":\"x\"}"}"#,
        "\n",
        r#"{"eventVersion":"1.08","eventName":"E","eventSource":"s","userIdentity_arn":"x"}"#,
    );
    fixture.write("rows.ndjson", rows);
    let run = fixture.run(&[
        "search",
        "sourcetype=aws:cloudtrail eventName=E user_arn=x | stats count",
        "rows.ndjson",
    ]);
    assert_eq!((run.lines(), run.status), (vec![json!({"count": 2})], 0), "{}", run.err);
}

/// Events inside something else are read without a warning, and the run says where they were.
#[test]
fn events_inside_something_else() {
    let fixture = Fixture::new();
    let event = r#"{\"eventVersion\":\"1.08\",\"eventSource\":\"s\",\"eventName\":\"E\"}"#;
    let lookup = format!(r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":"{event}"}}]}}"#);
    fixture.write("lookup.json", &lookup);
    fixture.write("query.json", &format!("[\n  \"{event}\",\n  \"{event}\"\n]\n"));
    fixture.write("tail.txt", &format!("2026 stream {}\n", event.replace('\\', "")));
    let places = "1 event was inside `Events[].CloudTrailEvent`, 1 inside lines after another text, \
                  2 inside strings of JSON";
    let logs = ["lookup.json", "query.json", "tail.txt"];
    let run = fixture.run(
        &[&["search", "sourcetype=aws:cloudtrail eventName=E | stats count"], &logs[..]].concat(),
    );
    assert_eq!(run.lines(), [json!({"count": 4})], "{}", run.err);
    assert_eq!((run.status, run.err), (0, format!("note: {places}\n")));
    let run = fixture.run(&[&["hunt", "--format", "table"], &logs[..]].concat());
    let out = run.out.replace('\n', " ");
    assert!(out.contains(&format!("Unwrapped: {places} ")), "{}", run.out);
}

/// Many files that are no logs are counted, and all are named if everything is asked for.
#[test]
fn many_files_that_are_no_logs_are_counted() {
    let fixture = Fixture::new();
    let notes: Vec<String> = (1..=5).map(|number| format!("folder/{number}.txt")).collect();
    notes.iter().for_each(|name| fixture.write(name, "no log\n"));
    fixture.write("folder/list.json", "[1,2]");
    let counted =
        "note: folder/1.txt, folder/2.txt, folder/3.txt and 2 more hold no JSON, skipped\n";
    let list = "note: folder/list.json: holds no event: its JSON has texts, numbers or lists alone, \
                skipped\n";
    for command in [&["hunt"][..], &["search", "* | stats count"], &["fields"]] {
        let run = fixture.run(&[command, &["logs", "folder"]].concat());
        assert!(run.err.contains(counted) && run.err.contains(list), "{}", run.err);
        assert_eq!(run.err.matches("folder/").count(), 4, "{}", run.err);
    }
    let run = fixture.run(&["hunt", "--all", "logs", "folder"]);
    for name in notes {
        assert!(
            run.err.contains(&format!("note: {name}: holds no JSON, skipped\n")),
            "{}",
            run.err
        );
    }
}

/// Nothing that was not read looks like logs in which nothing was found.
#[test]
fn what_is_no_log_is_never_an_all_clear() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("logs.7z"), b"7z\xbc\xaf\x27\x1c and more").unwrap();
    fixture.write("notes.txt", "no log\n");
    fixture.write("folder/notes.txt", "no log\n");
    fixture.write("none.json", "{\"Records\":[]}");
    fixture.write("empty.json", "");
    fixture.write("empty.txt", "");
    fixture.write("empty/a.txt", "");
    fixture.write("page/1_CloudTrail_x.json.gz", "<html><title>403 Forbidden</title></html>");
    let record = r#""{\"eventName\":\"CreateKey\",\"eventTime\":\"2026-03-17T10:00:00Z\",\
                    \"awsRegion\":\"us-east-1\",\"readOnly\":false}""#;
    fixture.write("escaped/a.yaml", &format!("Events:\n- CloudTrailEvent: {record}\n"));
    fixture.write("list.json", "[1,2]");
    fixture.write("digest.json", r#"{"awsAccountId":"1","digestStartTime":"x","logFiles":[]}"#);
    fixture.write("yaml/a.yaml", "- eventVersion: '1.08'\n  eventName: CreateKey\n");
    fixture.write("lists/a.json", "[1,2]");
    std::fs::create_dir(fixture.path("unknown")).unwrap();
    std::fs::write(fixture.path("unknown/a.bin"), b"\x8b\x02\x80\0\x01\x02").unwrap();
    let nothing = "error[SPL5006]: logs: no event was read";
    for (logs, status, message) in [
        (&["logs.7z"][..], 2, "logs.7z: byte 0: nothing was read: this is a 7-Zip archive"),
        (&["logs", "logs.7z"], 1, "logs.7z: byte 0: nothing was read: this is a 7-Zip archive"),
        (&["notes.txt"], 2, "error[SPL5006]: notes.txt: holds no JSON"),
        (&["logs", "notes.txt"], 1, "error[SPL5006]: notes.txt: holds no JSON"),
        (&["folder"], 2, "note: folder/notes.txt: holds no JSON, skipped"),
        (&["logs", "folder"], 1, "error[SPL5006]: folder: holds no event in its one file"),
        (&["none.json"], 2, nothing),
        (&["logs", "none.json"], 1, "error[SPL5006]: none.json: holds no event"),
        (&["logs", "empty.json"], 1, "warning[SPL5005]: empty.json: byte 0: nothing was read"),
        (&["logs", "empty.txt"], 1, "error[SPL5006]: empty.txt: is empty"),
        (&["logs", "empty"], 1, "error[SPL5006]: empty: holds no event in its one file"),
        (&["logs", "page"], 1, "page/1_CloudTrail_x.json.gz: byte 0: nothing was read: its name"),
        (&["logs", "escaped"], 1, "escaped/a.yaml: byte 0: nothing was read: the text seems"),
        (&["logs", "list.json"], 1, "error[SPL5006]: list.json: holds no event"),
        (&["logs", "digest.json"], 1, "error[SPL5006]: digest.json: holds a digest of CloudTrail"),
        (&["logs", "lists"], 1, "error[SPL5006]: lists: holds no event in its one file"),
        (&["logs", "yaml"], 1, "yaml/a.yaml: byte 0: nothing was read: the text has the fields"),
        (&["logs", "unknown"], 1, "unknown/a.bin: byte 0: nothing was read: this is binary data"),
        (&["-"], 2, nothing),
    ] {
        for command in [&["hunt"][..], &["search", "* | stats count"]] {
            let run = fixture.run(&[command, logs].concat());
            assert_eq!(run.status, status, "{command:?} {logs:?} {}", run.err);
            assert!(run.err.contains(message), "{command:?} {logs:?} {}", run.err);
            assert_eq!(run.err.contains(nothing), status == 2, "{command:?} {logs:?} {}", run.err);
        }
    }
    for (range, status) in [(["2026-03-18", "2026-03-19"], 1), (["2026-03-19", "2026-03-18"], 2)] {
        for command in [&["hunt"][..], &["search", "*"]] {
            let range = ["logs", "--earliest", range[0], "--latest", range[1]];
            let run = fixture.run(&[command, &range].concat());
            assert_eq!(run.status, status, "{command:?} {range:?} {}", run.err);
        }
    }
}

/// Files that look like copies of others are noted, once, unless their events are counted once.
#[test]
fn copies_of_files() {
    let fixture = Fixture::new();
    let events = std::fs::read_to_string(fixture.path("logs/a.json")).unwrap();
    fixture.write("copies/b.json", &events);
    fixture.write("copies/c.json", &events);
    let note = "files, the first of them this one, begin with the same event as another file";
    for (arguments, count) in
        [(&["logs"][..], 0), (&["logs", "copies"], 1), (&["logs", "copies", "--dedup"], 0)]
    {
        let run = fixture.run(&[&["search", "* | stats count"], arguments].concat());
        assert_eq!((run.status, run.err.matches(note).count()), (0, count), "{}", run.err);
    }
}

/// Returns a tar archive.
fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, text) in entries {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// Entries of an archive are reported as files are: by name if damaged, counted if they hold no JSON.
#[test]
fn entries_of_archives() {
    let fixture = Fixture::new();
    let event = r#"{"eventVersion":"1.08","eventSource":"s","eventName":"E"}"#;
    let notes = ["1.md", "2.md", "3.md", "4.md"].map(|name| (name, "no log"));
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], i32, &'a str);
    let cases: [Case<'_>; 4] = [
        (
            "sound.tar",
            &[("a.json", event), ("._a.json", "\0\u{5}")],
            0,
            "1 entry holds no JSON, skipped",
        ),
        ("one.tar", &[("a.json", event), notes[0]], 0, "1 entry holds no JSON (1.md), skipped"),
        (
            "four.tar",
            &[("a.json", event), notes[0], notes[1], notes[2], notes[3]],
            0,
            "4 entries hold no JSON (1.md, 2.md, 3.md, …), skipped",
        ),
        (
            "hostile.tar",
            &[("a.json", event), ("\u{1b}[2J\nerror: forged", "Rar!\u{1a}\u{7}")],
            1,
            r"byte 0: \u{1b}[2J\u{a}error: forged: nothing was read: this is a RAR archive",
        ),
    ];
    for (name, entries, status, message) in cases {
        std::fs::write(fixture.path(name), tar(entries)).unwrap();
        let run = fixture.run(&["search", "eventName=E | table source", name]);
        assert_eq!(run.lines(), [json!({ "source": format!("{name}:a.json") })], "{}", run.err);
        let severity = if status == 0 { "note" } else { "warning[SPL5005]" };
        let expected = format!("{severity}: {name}: {message}");
        assert!(run.err.contains(&expected), "{expected}\n{}", run.err);
        assert_eq!(run.status, status, "{}", run.err);
    }
    std::fs::write(fixture.path("folder.tar"), tar(cases[1].1)).unwrap();
    let run = fixture.run(&["search", "eventName=E", "*.tar"]);
    assert!(run.err.contains("note: logs: 7 entries of 4 archives hold no JSON"), "{}", run.err);
}

/// A search without rows, or without values in a column, says which field no event has.
#[test]
fn a_field_that_no_event_has_is_named() {
    let fixture = Fixture::new();
    for (search, notes) in [
        (
            "eventname=*",
            &["no rows; ", "no event has the field `eventname`; did you mean `eventName`?"][..],
        ),
        ("* | stats count by nosuch", &["no rows; ", "no event has the field `nosuch`"]),
        ("* | table eventName nosuch", &["no event has the field `nosuch`"]),
        ("eventName=NoSuchEvent", &["no rows; "]),
        ("* | stats count by eventName", &[]),
    ] {
        let run = fixture.run(&["search", search, "logs"]);
        let said: Vec<&str> =
            run.err.lines().filter(|line| line.starts_with("note: no ")).collect();
        assert_eq!((run.status, said.len()), (0, notes.len()), "{search} {}", run.err);
        assert!(
            said.iter().zip(notes).all(|(said, note)| said.contains(note)),
            "{search} {said:?}"
        );
    }
}

/// A search that finds nothing says what it names and the logs do not have, and what they have.
#[test]
fn a_value_that_no_event_has_is_named() {
    let fixture = Fixture::new();
    let here = |value: &str| format!("these logs have `{value}` (4 events)");
    let (sourcetype, host) = (here("aws:cloudtrail"), here("localhost"));
    let source = here(&["logs", "a.json"].join(std::path::MAIN_SEPARATOR_STR));
    for (search, notes) in [
        ("sourcetype=aws:cloudtrial | stats count by user", vec!["`aws:cloudtrial`", &*sourcetype]),
        ("sourcetype=nosuch | stats count", vec!["no events; 4 events were read", &*sourcetype]),
        ("sourcetype IN (a, b)", vec!["sourcetype `a`", "sourcetype `b`"]),
        ("source=*.gz", vec!["no event has the source `*.gz`", &*source]),
        ("host=web", vec![&*host]),
        ("eventtype=aws_errors", vec!["nothing defines the event type `aws_errors`"]),
        ("tag=nosuch", vec!["no event type has the tag `nosuch`"]),
        ("index=risk", vec!["no event is in `index=risk`: "]),
        ("* | where nosuch=1 | stats count by user", vec!["no event has the field `nosuch`"]),
        ("* | where nosuch=1 | stats count", vec!["no event has the field `nosuch`"]),
        ("* | eval a=nosuch | table a", vec!["no event has the field `nosuch`"]),
    ] {
        let run = fixture.run(&["search", search, "logs"]);
        let is_undefined = search.starts_with("eventtype") || search.starts_with("tag");
        assert_eq!(run.status, i32::from(is_undefined), "{search} {}", run.err);
        for note in notes {
            assert!(run.err.contains(note), "{search}: {note}\n{}", run.err);
        }
    }
    let run = fixture.run(&["search", "sourcetype=aws:cloudtrail eventName=None", "logs"]);
    assert!(!run.err.contains("these logs have"), "{}", run.err);
}

/// A dotted name without quotes joins two fields. The warning does not depend on what later
/// commands keep.
#[test]
fn dotted_names_in_expressions() {
    let fixture = Fixture::new();
    fixture.write("rows.ndjson", "{\"user\":{\"name\":\"ann\"}}\n");
    for (logs, name) in [("logs", "userIdentity.arn"), ("rows.ndjson", "user.name")] {
        for search in ["where NAME=\"ann\"", "eval u=NAME | table u", "stats count(eval(NAME=1))"] {
            for end in ["", " | stats count", " | table eventName"] {
                let search = format!("* | {}{end}", search.replace("NAME", name));
                let run = fixture.run(&["search", &search, logs]);
                let count = run.err.matches("SPL2008").count();
                assert_eq!((run.status, count), (0, 1), "{search} {}", run.err);
            }
        }
    }
    for search in ["where 'user.name'=\"ann\"", "eval x=a.b | table x", "eval x=user.\":\".name"] {
        let run = fixture.run(&["search", &format!("* | {search}"), "rows.ndjson"]);
        assert!(!run.err.contains("SPL2008"), "{search} {}", run.err);
    }
}

/// A hunt over rows that are not CloudTrail ends with an error instead of "No findings" alone.
#[test]
fn a_hunt_without_a_cloudtrail_event() {
    let fixture = Fixture::new();
    let wrapper = "{\"Events\":[{\"EventId\":\"1\",\"EventName\":\"CreateKey\"}]}\n";
    fixture.write("rows/a.ndjson", "{\"a\":1}\n{\"b\":2}\n");
    fixture.write("wrapper/a.ndjson", wrapper);
    let message = "no CloudTrail event was read";
    for (arguments, status) in [
        (&["rows"][..], 1),
        (&["wrapper"], 1),
        (&["rows", "wrapper", "--fail-on-finding"], 1),
        (&["rows", "logs"], 0),
        (&["rows", "--sourcetype", "json"], 0),
    ] {
        let run = fixture.run(&[&["hunt", "--detection", "Key Gone"], arguments].concat());
        assert_eq!(run.status, status, "{arguments:?} {}", run.err);
        let last = run.err.lines().last().unwrap_or_default();
        assert_eq!(last.contains(message), status == 1, "{arguments:?} {}", run.err);
    }
}

#[test]
fn rows_and_logs_are_not_searched_together() {
    let fixture = Fixture::new();
    fixture.write("rows.ndjson", "{\"a\":1}\n");
    let run = fixture.run(&["search", "*", "logs", "--rows", "rows.ndjson"]);
    assert_eq!((run.status, run.out.as_str()), (2, ""), "{}", run.err);
    assert!(run.err.contains("`--rows`") && run.err.contains("`logs`"), "{}", run.err);
}

/// Input that can be read only once is read once, however many searches need its events.
#[cfg(unix)]
#[test]
fn pipes() {
    let fixture = Fixture::new();
    let rows = "{\"_time\":1,\"a\":[\"x\",\"y\"]}\n{\"_time\":2,\"a\":\"x\"}\n";
    let events = std::fs::read_to_string(fixture.path("logs/a.json")).unwrap();
    let fifo = fixture.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    // Rows are read for the kinds of their fields, too; all fields are learnt before they are read.
    for (command, input, count) in [
        (vec!["search", "a=x | stats count by a"], rows, 2),
        (vec!["search", "*"], rows, 2),
        (vec!["search", "[search a=y | table a] OR _time=2"], rows, 2),
        (vec!["search", "eventName=CreateKey | table user_arn"], &*events, 3),
        (vec!["hunt", "--detection", "Key Made"], &*events, 2),
    ] {
        for name in ["-", "/dev/stdin"] {
            let run = fixture.run_piped(&[command.clone(), vec![name]].concat(), input);
            assert_eq!((run.status, run.lines().len()), (0, count), "{command:?} {}", run.err);
        }
        let run = std::thread::scope(|scope| {
            scope.spawn(|| std::fs::write(&fifo, input).unwrap());
            fixture.run(&[command.clone(), vec!["fifo"]].concat())
        });
        assert_eq!((run.status, run.lines().len()), (0, count), "{command:?} {}", run.err);
    }
}

/// Long lists in `IN` and from subsearches return the same rows as comparing with each value.
#[test]
fn long_lists_of_values() {
    let fixture = Fixture::empty();
    let rows: String =
        (0..3000).map(|n| format!("{{\"n\":\"N{n}\",\"m\":\"{}\"}}\n", n % 7)).collect();
    fixture.write("rows.ndjson", &rows);
    let wanted: String = (0..2000).map(|n| format!("{{\"n\":\"n{}\"}}\n", n * 2)).collect();
    fixture.write("logs/wanted.ndjson", &wanted);
    let values: Vec<String> = (0..2000).map(|n| format!("n{}", n * 2)).collect();
    let list = format!("n IN ({})", values.join(","));
    let texts: Vec<String> = values.iter().map(|value| format!("\"N{}\"", &value[1..])).collect();
    let both = "[search m=* | eval n=lower(n) | where m<3 | table n m]";
    for (search, count) in [
        (format!("{list} | stats count"), 1500),
        (format!("NOT {list} m=* | stats count"), 1500),
        (format!("m=* | search {list} | stats count"), 1500),
        (format!("m=* | where n IN ({}) | stats count", texts.join(",")), 1500),
        (format!("{both} | stats count"), 1287),
        (format!("m=* NOT {both} | stats count"), 3000 - 1287),
        (format!("{list} {both} | stats count"), 644),
    ] {
        let run = fixture.run_builtin(&["search", &search, "rows.ndjson"]);
        assert_eq!(run.lines(), [json!({ "count": count })], "{:.60} {}", search, run.err);
    }
}

/// All of many files are read, in order.
#[test]
fn many_files() {
    let fixture = Fixture::empty();
    for file in 0..700 {
        fixture.write(
            &format!("logs/{:03}/{file:04}.json", file % 9),
            &format!("{{\"n\":\"{file}\"}}"),
        );
    }
    let run =
        fixture.run_builtin(&["search", "n=* | stats count first(n) as a last(n) as z", "logs"]);
    assert_eq!(run.lines(), [json!({"count": 700, "a": "0", "z": "692"})], "{}", run.err);
}

#[test]
fn fields_are_counted() {
    let fixture = Fixture::new();
    let run = fixture.run(&["fields", "logs", "--format", "ndjson"]);
    let fields = run.lines();
    let named = |name: &str| fields.iter().find(|field| field["field"] == name);
    let expected = json!({
        "field": "eventName", "events": 4, "values": 2,
        "top": [{"value": "CreateKey", "events": 3}, {"value": "ListKeys", "events": 1}],
    });
    assert_eq!(named("eventName"), Some(&expected));
    assert_eq!(named("_raw"), None);

    let some =
        fixture.run(&["fields", "logs", "--search", "eventName=ListKeys", "--format", "csv"]);
    assert!(some.out.contains("\neventName,1,1,ListKeys\n"), "{}", some.out);
    let table = fixture.run(&["fields", "logs", "--format", "table"]).out;
    assert!(table.contains("CreateKey (3), ListKeys (1)\n"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let wrong = fixture.run(&["fields", "logs", "--search", "a=("]);
    assert_eq!(wrong.status, 2);
    assert_eq!(fixture.run(&["fields", "nosuch"]).status, 2);
}

/// Events that no range of time can contain are named when there is a range.
#[test]
fn events_without_a_time_are_named_when_there_is_a_range() {
    let fixture = Fixture::new();
    let record = |time: &str| {
        format!(
            r#"{{"eventVersion":"1.08","eventSource":"s","eventName":"E","eventTime":"{time}"}}"#
        )
    };
    fixture.write("bad.ndjson", &format!("{}\n", record("not a time")));
    fixture.write("good.ndjson", &format!("{}\n", record("20260317T100000Z")));
    fixture.write("rows/rows.ndjson", "{\"user\":\"ann\"}\n");
    let bad = "warning[SPL5008]: bad.ndjson: 1 event has no time that can be read (first: \"not a time\")";
    let rows = "note: rows/rows.ndjson: 1 event has no time and so";
    for (arguments, status, message) in [
        (&["bad.ndjson"][..], 0, ""),
        (&["bad.ndjson", "--earliest", "2020-01-01"], 1, bad),
        (&["good.ndjson", "--earliest", "2026-03-17 10:00:00 UTC"], 0, ""),
        (&["good.ndjson", "rows", "--latest", "2027-01-01"], 0, rows),
    ] {
        let run = fixture.run(&[&["search", "* | stats count"], arguments].concat());
        assert_eq!((run.status, run.err.contains(message)), (status, true), "{}", run.err);
    }
}

#[test]
fn an_export_as_csv_is_searched_as_cloudtrail() {
    let fixture = Fixture::new();
    fixture.write(
        "history.csv",
        "Event name,Event time,User name,Event source\r\n\
         ListBuckets,\"March 17, 2026, 10:00:00 (UTC)\",ann,s3.amazonaws.com\r\n\
         GetObject,\"March 17, 2026, 10:01:00 (UTC)\",bob\r\n",
    );
    fixture.write("users.csv", "name,team\nann,red\nbob,blue\n");
    let ragged = "history.csv: byte 113: line 3: expected 4 cells as in the header, found 3";
    for (search, file, status, message, expected) in [
        (
            "sourcetype=aws:cloudtrail | table _time userIdentity.userName",
            "history.csv",
            1,
            ragged,
            json!([
                {"_time": 1_773_741_660, "userIdentity.userName": "bob"},
                {"_time": 1_773_741_600, "userIdentity.userName": "ann"},
            ]),
        ),
        ("sourcetype=csv team=red | table name", "users.csv", 0, "", json!([{"name": "ann"}])),
    ] {
        let run = fixture.run(&["search", search, file]);
        assert_eq!(Value::from(run.lines()), expected, "{search}\n{}", run.err);
        assert_eq!((run.status, run.err.contains(message)), (status, true), "{}", run.err);
    }
}

/// Records after a long text are read, and the text is reported.
#[test]
fn records_after_a_long_text() {
    let fixture = Fixture::new();
    let event = r#"{"eventVersion":"1.08","eventSource":"s","eventName":"E"}"#;
    let text = "a line of the log of another program\n".repeat(3_000);
    fixture.write("late.log", &format!("{text}{event}\n{event}\n"));
    let run = fixture.run(&["search", "eventName=E | stats count", "late.log"]);
    assert_eq!((run.lines(), run.status), (vec![json!({"count": 2})], 1), "{}", run.err);
    assert!(run.err.contains("late.log: byte "), "{}", run.err);
}

/// Members that are written although the record lacks them do not hide a success.
#[test]
fn an_error_code_without_a_value_is_a_success() {
    let fixture = Fixture::new();
    let record = |code: &str| {
        format!(r#"{{"eventVersion":"1","eventSource":"s","eventName":"E"{code}}}"#) + "\n"
    };
    let codes = ["", r#","errorCode":null"#, r#","errorCode":"""#, r#","errorCode":"Denied""#];
    fixture.write("codes.ndjson", &codes.map(record).concat());
    let run = fixture.run(&["search", "errorCode=success | stats count", "codes.ndjson"]);
    assert_eq!(run.lines(), [json!({"count": 3})], "{}", run.err);
}

/// A hunt that could not find anything says so, whatever its format.
#[test]
fn a_hunt_beside_the_logs_says_so() {
    let fixture = Fixture::new();
    fixture.write("rows.ndjson", "{\"user\":\"ann\"}\n");
    for name in ["a", "b", "c", "d", "e"] {
        fixture.write(&format!("many/{name}.ndjson"), "{\"user\":\"ann\"}\n");
    }
    let rows = "note: logs: 1 of 5 events are other JSON rows, which no detection of CloudTrail \
                matches; they are in rows.ndjson\n";
    let many = "they are in many/a.ndjson, many/b.ndjson, many/c.ndjson and 2 more files\n";
    for (arguments, message) in
        [(&["hunt", "logs", "rows.ndjson"][..], rows), (&["hunt", "logs", "many"], many)]
    {
        let run = fixture.run(arguments);
        assert!(run.err.contains(message), "{}", run.err);
    }
    let one = ["--detection", "Key Made"];
    let run = fixture.run(&[&["hunt", "logs", "--earliest", "2026-01-01"], &one[..]].concat());
    assert_eq!(run.err, "");
}

/// An event that is cut off inside something else is reported like one that is cut off in a file.
#[test]
fn an_event_that_is_cut_off_inside_something_else() {
    let fixture = Fixture::new();
    let event = r#"{\"eventVersion\":\"1.08\",\"eventSource\":\"s\",\"eventName\":\"E\"}"#;
    let message = |text: &str| format!(r#"{{"id":"1","timestamp":1,"message":"{text}"}}"#);
    let cut = event.trim_end_matches('}');
    let text = format!(r#"{{"logEvents":[{},{}]}}"#, message(event), message(cut));
    fixture.write("cut.json", &text);
    let run = fixture.run(&["search", "eventName=E | stats count", "cut.json"]);
    assert_eq!((run.lines(), run.status), (vec![json!({"count": 1})], 1), "{}", run.err);
    assert!(
        run.err.contains("the event in `logEvents[].message` is damaged or cut off"),
        "{}",
        run.err
    );
}

/// Columns of a table that say where its rows come from are compared like those of JSON rows.
#[test]
fn a_table_names_its_own_origin() {
    let fixture = Fixture::new();
    fixture.write("rows.csv", "x,sourcetype,index\n1,linux:audit,web\n2,other,web\n");
    for (search, count) in
        [("sourcetype=linux:audit", 1), ("NOT sourcetype=other", 1), ("index=nosuch", 0)]
    {
        let run = fixture.run(&["search", &format!("{search} | stats count"), "rows.csv"]);
        assert_eq!(run.lines(), [json!({ "count": count })], "{search} {}", run.err);
    }
}

/// Options that rows do not honor are refused.
#[test]
fn rows_take_no_options_of_logs() {
    let fixture = Fixture::new();
    fixture.write("rows.ndjson", "{\"a\":1}\n");
    for option in [&["--index", "a"][..], &["--sourcetype", "a"], &["--dedup"]] {
        let run = fixture.run(&[&["search", "*", "--rows", "rows.ndjson"], option].concat());
        let refused = format!("so `{}` would change nothing", option[0]);
        assert!(run.status == 2 && run.err.contains(&refused), "{}", run.err);
    }
}

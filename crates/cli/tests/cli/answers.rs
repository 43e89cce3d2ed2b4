//! Tests that finding nothing is explained, and is never mistaken for an all-clear.

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Returns a record of CloudTrail with further members.
fn record(name: &str, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.10",
        "eventTime": "2026-03-10T09:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": name,
    });
    if let (Value::Object(record), Value::Object(more)) = (&mut record, more) {
        record.extend(more);
    }
    record
}

fn ocsf(name: &str) -> Value {
    json!({
        "class_uid": 6003,
        "category_uid": 6,
        "time": 1_773_133_200_000_u64,
        "metadata": {"product": {"name": "CloudTrail"}},
        "api": {"operation": name},
    })
}

/// A CloudTrail event may have a member by which searches pick the events of other products.
#[test]
fn a_member_of_any_event_brings_a_detection_back() {
    let fixture = Fixture::empty();
    for (number, search) in [
        (1, "tag=audit | stats count"),
        (2, "EventCode=4625 | stats count"),
        (3, "Channel=Security | stats count"),
    ] {
        fixture.detection(number, &format!("Own {number}"), "TTP", search, "");
    }
    for (name, events) in [
        ("delivered", json!({"Records": [record("A", json!({"tag": "audit"}))]}).to_string()),
        ("lines", format!("{}\n{}", record("A", json!({})), record("B", json!({"tag": "audit"})))),
        ("prefixed", format!("x {}", record("A", json!({"tag": "audit"})))),
    ] {
        fixture.write(name, &events);
        let run = fixture.run(&["hunt", name, "--summary"]);
        let lines = run.lines();
        // Events that an event type with this tag would match are missing.
        assert_eq!(run.status, 1, "{name}: {}", run.err);
        assert_eq!(lines[0]["detection"]["name"], "Own 1", "{name}: {}", run.err);
        let summary = &lines[1]["summary"];
        let statuses: Vec<&Value> = summary["detections"]
            .as_array()
            .unwrap()
            .iter()
            .map(|detection| &detection["status"])
            .collect();
        // What no event has still holds a detection back.
        assert_eq!(statuses, ["fired", "needs another source", "needs another source"], "{name}");
        // The costs of both readings are told.
        assert_eq!(summary["passes"].as_array().unwrap().len(), 2, "{name}");
    }
    // A nested member of this name is another field.
    fixture
        .write("nested", &record("A", json!({"requestParameters": {"tag": "audit"}})).to_string());
    let run = fixture.run(&["hunt", "nested", "--summary"]);
    assert_eq!(run.lines()[0]["summary"]["passes"].as_array().unwrap().len(), 1, "{}", run.err);
}

/// A hunt that reads no event of the kind that its detections look for says so.
#[test]
fn events_of_another_kind_are_no_all_clear() {
    let fixture = Fixture::empty();
    let cloudtrail = "sourcetype=aws:cloudtrail eventName=CreateKey | stats count by user_arn";
    fixture.detection(1, "Trail", "TTP", cloudtrail, "");
    fixture.detection(2, "Lake", "TTP", "sourcetype=aws:asl api.operation=X | stats count", "");
    fixture.write("ocsf.json", &ocsf("Y").to_string());
    let trail = json!({"userIdentity": {"arn": "arn:aws:iam::111122223333:user/ann"}});
    fixture.write("trail.json", &record("ListKeys", trail).to_string());
    fixture.write("rows.json", &json!({"user": "ann"}).to_string());
    let problem = "error[SPL5006]: logs: no CloudTrail event was read, only ";
    for (file, detection, status, error) in [
        ("ocsf.json", "Trail", 1, "1 event of Security Lake; no finding"),
        ("rows.json", "Trail", 1, "1 other JSON row; no finding"),
        ("ocsf.json", "Lake", 0, ""),
        ("trail.json", "Trail", 0, ""),
    ] {
        let run = fixture.run(&["hunt", file, "--detection", detection]);
        assert_eq!((run.status, run.out.as_str()), (status, ""), "{file} {detection}: {}", run.err);
        let told = run.err.contains(&format!("{problem}{error}"));
        assert_eq!(told, !error.is_empty(), "{file} {detection}: {}", run.err);
    }
    fixture.detection(3, "Any", "TTP", "eventName=CreateKey | stats count by user_arn", "");
    let run = fixture.run(&["hunt", "ocsf.json", "--detection", "Any", "--format", "table"]);
    let headline = "Nothing was looked at: no event is of the kind that the detection looks for\n";
    assert!(run.status == 1 && run.out.starts_with(headline), "{}", run.out);
    // The other detection had events to look at.
    let both = ["--detection", "Trail", "--detection", "Lake"];
    let run = fixture.run(&[&["hunt", "ocsf.json", "--summary"], &both[..]].concat());
    let summary = &run.lines()[0]["summary"];
    assert_eq!(run.status, 0, "{}", run.err);
    let causes = json!([{
        "status": "needs another source",
        "cause": "need the sourcetype `aws:cloudtrail`",
        "detections": 1,
    }]);
    assert_eq!(summary["causes"], causes);
    // Events of CloudTrail are of no use to a detection of another kind.
    let run = fixture.run(&["hunt", "trail.json", "--detection", "Lake", "--format", "table"]);
    assert!(run.out.starts_with("Nothing was looked for: "), "{}", run.out);
    assert_eq!(run.status, 1, "{}", run.err);
    assert!(run.err.contains("no detection can look at these events"), "{}", run.err);
}

/// A detection that looked at events and could not tell is named, whatever the format is.
#[test]
fn detections_that_cannot_tell_are_named() {
    let fixture = Fixture::new();
    let note = "note: 1 detection cannot tell (cannot fire): Key Shared: none of the 3 events that \
                it groups has `grantee`\n";
    for format in ["ndjson", "json", "csv"] {
        let run = fixture.run(&["hunt", "logs", "--format", format]);
        assert_eq!((run.status, run.err.as_str()), (0, note), "{format}");
    }
    let run = fixture.run(&["hunt", "logs", "--all"]);
    let line =
        "note: Key Shared: none of the 3 events that it groups has `grantee` (cannot fire)\n";
    assert_eq!(run.err, line);
    let run = fixture.run(&["hunt", "logs", "--format", "json", "--summary"]);
    let output: Value = serde_json::from_str(&run.out).unwrap();
    let reports = output.as_array().unwrap().last().unwrap()["summary"]["detections"].clone();
    let report = reports.as_array().unwrap().iter().find(|report| report["name"] == "Key Shared");
    let report = report.unwrap();
    assert_eq!(report["status"], "cannot fire");
    assert_eq!(
        (&report["missing_fields"], &report["missing_in"]),
        (&json!(["grantee"]), &json!(3))
    );
}

/// A range of time that a search sets itself leaves out events without a time, as `--earliest` does.
#[test]
fn a_range_of_the_search_itself_leaves_out_events_without_a_time() {
    let fixture = Fixture::empty();
    let untimed = json!({"eventVersion": "1", "eventSource": "s", "eventName": "E"});
    let timed = record("E", json!({}));
    fixture.write("x.json", &format!("{timed}\n{untimed}"));
    let note = "x.json: 1 event has no time and so has no place in the time range";
    let search = "eventName=E earliest=1 latest=2000000000 | stats count";
    fixture.detection(1, "Own", "TTP", search, "");
    fixture.detection(2, "All", "TTP", "eventName=E | stats count", "");
    for (arguments, is_told) in [
        (vec!["hunt", "x.json", "--detection", "Own"], true),
        (vec!["search", "eventName=E | stats count", "x.json", "--earliest", "1"], true),
        (vec!["search", search, "x.json"], true),
        (vec!["search", "eventName=E | stats count", "x.json"], false),
    ] {
        let run = fixture.run(&arguments);
        assert_eq!(run.err.contains(note), is_told, "{arguments:?}: {}", run.err);
        assert_eq!(run.status, i32::from(is_told), "{arguments:?}: {}", run.err);
    }
}

/// Detections read the times of events, also without a range.
#[test]
fn a_hunt_names_events_without_a_time() {
    let fixture = Fixture::empty();
    let untimed = json!({
        "eventVersion": "1", "eventSource": "s", "eventName": "E", "eventTime": "17.03.2026 10:00"
    });
    fixture.write("bad.json", &untimed.to_string());
    fixture.write("good.json", &record("E", json!({})).to_string());
    fixture.write("rows.json", "{\"user\":\"ann\",\"_time\":\"soon\"}");
    fixture.write("a_list.json", "{\"user\":\"ann\"}");
    fixture.detection(1, "All", "TTP", "eventName=E | stats count", "");
    let note = "warning[SPL5008]: bad.json: 1 event has no time that can be read (first: \"17.03.2026 \
                10:00\") and so what is found by time may be missing";
    for (arguments, is_told) in [
        (vec!["hunt", "bad.json"], true),
        (vec!["hunt", "bad.json", "good.json"], true),
        // What is told of an event does not name a file of rows.
        (vec!["hunt", "a_list.json", "bad.json"], true),
        (vec!["hunt", "a_list.json", "bad.json", "rows.json"], true),
        (vec!["hunt", "good.json", "rows.json"], false),
        (vec!["search", "* | stats count", "bad.json"], false),
        (vec!["search", "* | stats min(_time) as first", "bad.json"], true),
    ] {
        let run = fixture.run(&arguments);
        assert_eq!(run.err.contains(note), is_told, "{arguments:?}: {}", run.err);
        assert_eq!(run.err.contains("SPL5008"), is_told, "{arguments:?}: {}", run.err);
        assert_eq!(run.status, i32::from(is_told), "{arguments:?}: {}", run.err);
    }
}

/// Events of sources that leave out members are no verdict for what reads these.
#[test]
fn events_that_lack_members_cannot_tell() {
    let fixture = Fixture::empty();
    fixture.write(
        "history.csv",
        "Event name,Event time,User name,Event source\n\
         PutKey,2026-03-10T09:00:00Z,ann,kms.amazonaws.com\n\
         GetKey,2026-03-10T09:01:00Z,ann,kms.amazonaws.com\n",
    );
    let call = json!({
        "eventVersion": "1.10", "eventTime": "2026-03-10T09:00:00Z", "eventName": "PutKey",
        "eventSource": "kms.amazonaws.com", "eventType": "AwsApiCall",
    });
    fixture.write("stripped.json", &json!({ "Records": [call, call] }).to_string());
    let mut whole = call.clone();
    whole["requestParameters"] = Value::Null;
    whole["userIdentity"] = json!({ "arn": "arn:aws:iam::111122223333:user/ann" });
    fixture.write("good.json", &json!({ "Records": [whole, whole] }).to_string());
    fixture.write("mixed.json", &json!({ "Records": [whole, call] }).to_string());
    let search = "eventName=PutKey requestParameters.grantee=* | stats count";
    fixture.detection(1, "Shared", "TTP", search, "");
    let read = "eventName=PutKey | where 'requestParameters.public'=\"true\" | stats count by user";
    fixture.detection(2, "Public", "TTP", read, "");
    fixture.detection(3, "Named", "TTP", "eventName=DeleteKey | stats count by eventSource", "");
    let history = "warning[SPL5007]: history.csv: 2 events of CloudTrail lack `userIdentity` and \
         `requestParameters`, because their source leaves them out";
    let both = "warning[SPL5007]: logs: 4 events of CloudTrail lack `userIdentity` and \
                `requestParameters` (in history.csv, stripped.json)";
    let mixed = "mixed.json: 1 event of CloudTrail lacks `userIdentity` and `requestParameters`";
    let [unknown, clean] = [["cannot fire"; 2], ["no such events", "clean"]];
    for (logs, message, statuses) in [
        (&["history.csv"][..], Some(history), unknown),
        (&["stripped.json"], Some("stripped.json: 2 events of CloudTrail lack"), unknown),
        (&["history.csv", "stripped.json"], Some(both), unknown),
        (&["history.csv", "good.json"], Some(history), clean),
        (&["good.json"], None, clean),
        (&["mixed.json"], Some(mixed), clean),
    ] {
        let run = fixture.run(&[&["hunt", "--summary"], logs].concat());
        let lines = run.lines();
        let summary = &lines.last().unwrap()["summary"];
        let reports = summary["detections"].as_array().unwrap();
        let status = |name: &str| {
            let report = reports.iter().find(|report| report["name"] == name).unwrap();
            report["status"].as_str().unwrap().to_owned()
        };
        assert_eq!([status("Shared"), status("Public")], statuses, "{logs:?}: {}", run.err);
        assert_eq!(status("Named"), "no such events");
        assert_eq!(run.err.contains("SPL5007"), message.is_some(), "{logs:?}: {}", run.err);
        assert!(run.err.contains(message.unwrap_or_default()), "{logs:?}: {}", run.err);
        assert_eq!(run.status, i32::from(message.is_some()), "{logs:?}: {}", run.err);
        let without = &summary["events_without"]["requestParameters"];
        assert_eq!(without.is_u64(), message.is_some(), "{logs:?}");
        // What reads nothing of it is told nothing.
        let run = fixture.run(&[&["hunt", "--detection", "Named"], logs].concat());
        assert_eq!((run.status, run.err.contains("SPL5007")), (0, false), "{}", run.err);
        let run = fixture.run(&[&["search", search], logs].concat());
        assert_eq!(run.err.contains("SPL5007"), message.is_some(), "{logs:?}: {}", run.err);
    }
}

/// What is left of events beside logs is named: nothing looks at it. Other rows are only a note.
#[test]
fn a_hunt_names_rows_that_look_like_events() {
    let fixture = Fixture::empty();
    fixture.write("good.json", &record("E", json!({})).to_string());
    fixture.write("query.json", r#"[{"EventName":"E","EventTime":"2026-03-10T09:00:00Z"}]"#);
    let renamed = r#"{"event_time":"2026-03-10T09:00:00Z","event_name":"E","user":"ann"}"#;
    fixture.write("renamed.json", renamed);
    fixture.write("rows.json", r#"{"user":"ann","event":"E"}"#);
    fixture.detection(1, "All", "TTP", "eventName=E | stats count", "");
    for (log, is_alike) in [("query.json", true), ("renamed.json", true), ("rows.json", false)] {
        let run = fixture.run(&["hunt", "good.json", log]);
        let told = format!("warning[SPL5007]: logs: rows in {log} look like CloudTrail events");
        assert_eq!(run.err.contains(&told), is_alike, "{log}: {}", run.err);
        assert!(run.err.contains(&format!("they are in {log}")), "{log}: {}", run.err);
        assert_eq!(run.status, i32::from(is_alike), "{log}: {}", run.err);
    }
}

/// A search without results says which range it searched, and what relative times count from.
#[test]
fn a_search_without_results_says_what_it_searched() {
    let fixture = Fixture::new();
    let path = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/10/\
                111122223333_CloudTrail_eu-central-1_20260310T0905Z_aaaaaaaaaaaaaaaa.json";
    fixture.write(path, &json!({"Records": [record("CreateKey", json!({}))]}).to_string());
    let now = "--now \"2026-03-10 09:03:01 UTC\"";
    for (arguments, expected) in [
        (
            vec!["*", "logs", "--earliest", "-1h"],
            vec![
                "note: no rows; 4 events were read from 2026-03-10 09:00:00 UTC to 2026-03-10 \
                 09:03:00 UTC, 0 of them matched\n",
                "note: searched from 20",
                " to any time\n",
                "note: relative times count from the time of this run, 20",
                now,
            ],
        ),
        (
            vec!["earliest=-1h eventName=CreateKey", "logs"],
            vec!["note: the search sets its own range: earliest=-1h\n", now],
        ),
        (
            vec!["*", "AWSLogs", "--earliest", "-1h"],
            vec![
                "note: no rows; no file is of the time, account or region looked for\n",
                "`--now TIME` counts them from another",
            ],
        ),
        (
            vec!["* | stats count as n | where count>3", "logs"],
            vec!["no command before `where` produces the field `count`\n", "did you mean `n`?\n"],
        ),
        (vec!["* | stats count by eventName | where 1=2", "logs"], vec!["note: no rows; "]),
    ] {
        let run = fixture.run(&[&["search"], &arguments[..]].concat());
        let status = i32::from(arguments.contains(&"--earliest"));
        assert_eq!((run.status, run.out.as_str()), (status, ""), "{arguments:?} {}", run.err);
        for expected in expected {
            assert!(run.err.contains(expected), "{arguments:?} {expected}: {}", run.err);
        }
    }
    // The time that is suggested can be pasted, and finds the events.
    let pasted = ["--earliest", "-1h", "--now", "2026-03-10 09:03:01 UTC"];
    let run = fixture.run(&[&["search", "*", "logs"], &pasted[..]].concat());
    assert_eq!((run.lines().len(), run.err.as_str()), (4, ""));
}

/// Rows that may be others than those that were meant are explained, too.
#[test]
fn a_field_that_no_command_produces_is_named_beside_the_rows() {
    let fixture = Fixture::new();
    fixture.write("rows", "{\"user\":\"ann\"}\n");
    for (search, expected) in [
        ("sort - count", "`sort` produces the field `count`\n let `stats` keep `count`, or read"),
        ("sort - m", "`sort` produces the field `m`\n did you mean `n`?\n"),
        ("table usr n", "`table` produces the field `usr`\n did you mean `user`?\n"),
        ("fields - usr", "`fields` produces the field `usr`\n did you mean `user`?\n"),
        ("sort - n | table user n other", ""),
    ] {
        let search = format!("* | stats count as n by user | {search} | head 3");
        for input in [vec!["logs"], vec!["--rows", "rows"]] {
            let run = fixture.run(&[&["search", search.as_str()], &input[..]].concat());
            assert_eq!(run.status, 0, "{search} {}", run.err);
            let is_silent = expected.is_empty();
            assert_eq!(run.err.is_empty(), is_silent, "{search} {input:?} {}", run.err);
            for part in expected.lines() {
                assert!(run.err.contains(part), "{search} {input:?} {}", run.err);
            }
        }
    }
}

/// A series that ends at its limit is not taken for the whole.
#[test]
fn a_series_that_is_cut_off_is_warned_of() {
    let fixture = Fixture::new();
    for (end, is_cut) in [("100000", false), ("100001", true), ("1e12", true)] {
        let search = format!("| makeresults | eval n=mvcount(mvrange(0,{end})) | table n");
        let run = fixture.run(&["search", &search]);
        let expected = (i32::from(is_cut), vec![json!({"n": 100_000})]);
        assert_eq!((run.status, run.lines()), expected, "{end}");
        let warning = "warning: `mvrange` stopped at 100,000 values";
        assert_eq!(run.err.contains(warning), is_cut, "{end} {}", run.err);
    }
}

/// `fields` explains nothing found as `search` does, and says where events were.
#[test]
fn a_list_of_no_fields_is_explained() {
    let fixture = Fixture::new();
    let run = fixture.run(&["fields", "logs", "--search", "eventNmae=CreateKey"]);
    assert!(run.err.contains("no rows; 4 events were read"), "{}", run.err);
    assert!(run.err.contains("did you mean `eventName`?"), "{}", run.err);
    let inner = record("E", json!({})).to_string();
    fixture.write("wrapped.json", &json!({"message": inner}).to_string());
    let run = fixture.run(&["fields", "wrapped.json"]);
    assert_eq!((run.status, run.err.as_str()), (0, "note: 1 event was inside `message`\n"));
}

/// The present of a hunt is named for what it is.
#[test]
fn what_now_is() {
    let fixture = Fixture::empty();
    fixture.detection(1, "Any", "TTP", "eventName=E | stats count", "");
    fixture.detection(2, "Recent", "TTP", "eventName=E earliest=-1d | stats count", "");
    let at = |time: &str| record("E", json!({"eventTime": time})).to_string();
    fixture.write("now/a.json", &at("2026-03-10T09:00:00Z"));
    fixture.write("both/a.json", &at("2026-03-10T09:00:00Z"));
    fixture.write("both/b.json", &at("2999-01-01T00:00:00Z"));
    fixture.write("late/a.json", &at("2999-01-01T00:00:00Z"));
    let possible = "Now is 2026-03-10 09:00:01 UTC, just after the newest event that is not dated";
    for (folder, detection, expected) in [
        ("now", "Any", "Now is 2026-03-10 09:00:01 UTC, just after the newest event\n"),
        ("both", "Any", ", the time of this run: events are dated later"),
        ("both", "Recent", possible),
        ("late", "Recent", "Now is 2999-01-01 00:00:01 UTC, just after the newest event\n"),
    ] {
        let run = fixture.run(&["hunt", folder, "--detection", detection, "--format", "table"]);
        let text = run.out.replace("\nlater", " later").replace("\ndated", " dated");
        assert!(text.contains(expected), "{folder} {detection}: {}", run.out);
    }
}

/// A row keeps its own text and format, whatever it says that its `sourcetype` and `_raw` are.
#[test]
fn rows_that_call_themselves_cloudtrail_are_read_as_rows() {
    let fixture = Fixture::empty();
    // All fields are needed, so that the events are kept whole and taken apart later.
    let search = "user=ann | fields *";
    fixture.detection(1, "Rows", "TTP", search, "");
    let row = json!({
        "_time": 1_773_133_200,
        "sourcetype": "aws:cloudtrail",
        "source": "mine",
        "_raw": "a line",
        "user": "ann",
        "tags": ["a", "b"],
    });
    fixture.write("rows.json", &row.to_string());
    let found = fixture.run(&["search", search, "rows.json"]).lines();
    let hunted = fixture.run(&["hunt", "rows.json"]);
    let result = &hunted.lines()[0]["result"];
    assert_eq!(result["tags"], json!(["a", "b"]), "{}", hunted.err);
    for field in ["user", "sourcetype", "source", "tags"] {
        assert_eq!(result[field], found[0][field], "{field}");
    }
}

/// A plan of the scan names the detections that are held back, and refuses what it cannot show.
#[test]
fn a_plan_of_the_scan_is_complete() {
    let fixture = Fixture::new();
    fixture.detection(5, "Other", "TTP", "sourcetype=xmlwineventlog | stats count", "");
    let run = fixture.run(&["hunt", "logs", "--explain-scan"]);
    let held = "1 detection held back, for want of what these logs cannot have:\n  \
                Other: the sourcetype `xmlwineventlog`\n";
    assert!(run.status == 0 && run.out.ends_with(held), "{}{}", run.out, run.err);
    for option in [
        &["--format", "json"][..],
        &["--summary"],
        &["--costs"],
        &["--all"],
        &["--strict"],
        &["--fail-on-finding"],
        &["--run-id", "x"],
    ] {
        let run = fixture.run(&[&["hunt", "logs", "--explain-scan"], option].concat());
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{option:?}");
        assert!(run.err.contains(&format!("`{}` would change nothing", option[0])), "{}", run.err);
    }
}

/// Rows that a limit cuts may be those that matter.
#[test]
fn a_limit_that_cuts_rows_is_in_the_status() {
    let fixture = Fixture::new();
    for (search, status) in [
        ("| makeresults count=10001 | sort _time | stats count", 1),
        ("| makeresults count=10001 | sort 0 _time | stats count", 0),
        ("| makeresults count=10001 | sort 5 _time | stats count", 0),
        ("| makeresults | append maxout=2 [| makeresults count=3] | stats count", 1),
    ] {
        let run = fixture.run(&["search", search]);
        assert_eq!(run.status, status, "{search}: {}", run.err);
        fixture.detection(9, "Cut", "TTP", search, "");
        let run = fixture.run(&["hunt", "logs", "--detection", "Cut"]);
        assert_eq!(run.status, status, "hunt: {search}: {}", run.err);
    }
}

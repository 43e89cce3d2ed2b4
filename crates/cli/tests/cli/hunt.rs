//! Tests of the `hunt` command.

use serde_json::json;

use crate::fixture::Fixture;

#[expect(clippy::unwrap_used, reason = "a schema that is not one fails the test")]
#[path = "../../../detect/src/tests/checker.rs"]
mod checker;

#[test]
fn text_for_a_person() {
    let run = Fixture::new().run(&["hunt", "logs", "--format", "table"]);
    let expected = " 56  2026-03-10 09:00:00 UTC  Key Made
     arn:aws:iam::111122223333:user/ann from 192.0.2.1
     arn:aws:iam::111122223333:user/ann made 2 keys from 192.0.2.1
     TTP; T1098 Account Manipulation (Persistence, Privilege Escalation); until
     09:01:00

 56  2026-03-10 09:02:00 UTC  Key Made
     arn:aws:iam::111122223333:user/bob from 192.0.2.2
     arn:aws:iam::111122223333:user/bob made 1 keys from 192.0.2.2
     TTP; T1098 Account Manipulation (Persistence, Privilege Escalation)

2 findings; 1 of 4 detections fired
   56       2  Key Made
    1  clean: events seen, nothing found
         Many Lists
    1  no such events in the logs
    1  cannot fire on these logs
         Key Shared: none of the 3 events that it groups has `grantee`

";
    assert!(run.out.starts_with(expected), "{}", run.out);
    assert!(
        run.out
            .contains("4 events\nEvents from 2026-03-10 09:00:00 UTC to 2026-03-10 09:03:00 UTC\n")
    );
    assert!(
        run.out.ends_with("Now is 2026-03-10 09:03:01 UTC, just after the newest event\n"),
        "{}",
        run.out
    );
    assert_eq!((run.status, run.err.as_str()), (0, ""));
}

#[test]
fn objects_for_programs() {
    let fixture = Fixture::new();
    let run = fixture.run(&["hunt", "logs", "--summary"]);
    let lines = run.lines();
    assert_eq!(lines.len(), 3, "{}", run.out);
    let finding = &lines[0];
    assert_eq!(finding["detection"]["name"], "Key Made");
    assert_eq!(finding["result"]["count"], 2);
    assert_eq!(finding["time"], 1_773_133_260);
    assert_eq!(finding["risk_score"], 56);
    assert_eq!(finding["risk_objects"].as_array().unwrap().len(), 1);
    assert_eq!(finding["threat_objects"][0]["value"], "192.0.2.1");
    assert_eq!(finding["evidence"]["event_ids"], json!(["event-0", "event-1"]));
    let summary = &lines[2]["summary"];
    assert_eq!((&summary["files"], &summary["events"]), (&json!(1), &json!(4)));
    let statuses: Vec<&str> = summary["detections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|detection| detection["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["fired", "clean", "no such events", "cannot fire"]);

    let again = fixture.run(&["hunt", "logs"]).lines();
    assert_eq!(again[0]["id"], finding["id"]);
    let again = fixture.run(&["hunt", "logs", "--run-id", "x"]).lines();
    let array = fixture.run(&["hunt", "logs", "--format", "json", "--run-id", "x"]).out;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&array).unwrap(), json!(again));
}

#[test]
fn evidence_can_be_searched_for() {
    let fixture = Fixture::new();
    let findings = fixture.run(&["hunt", "logs"]).lines();
    let search = findings[0]["evidence"]["search"].as_str().unwrap();
    let found =
        fixture.run(&["search", &format!("{search} | sort eventID | table eventID"), "logs"]);
    assert_eq!(
        found.lines(),
        [json!({"eventID": "event-0"}), json!({"eventID": "event-1"})],
        "{search}"
    );
}

#[test]
fn findings_and_summary_are_as_their_schemas_say() {
    let schema = include_str!("../../../../docs/schema/finding.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    let of_summary = include_str!("../../../../docs/schema/summary.schema.json");
    let of_summary = serde_json::from_str(of_summary).unwrap();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples");
    let fixture = Fixture::new();
    for (id, more) in [(None, &[][..]), (Some("night-7"), &["--run-id", "night-7"])] {
        let arguments = [&["hunt", samples, "--summary"], more].concat();
        let lines = fixture.run_builtin(&arguments).lines();
        let (summary, findings) = lines.split_last().unwrap();
        assert!(findings.len() > 3);
        let run_id = &summary["summary"]["run_id"];
        assert!(id.is_none_or(|id| run_id == id), "{run_id}");
        assert_eq!(checker::problems(&of_summary, &summary["summary"]), [""; 0], "{summary}");
        for finding in findings {
            assert_eq!(checker::problems(&schema, finding), [""; 0], "{finding}");
            assert_eq!(&finding["run_id"], run_id);
        }
    }
    let run = |_| fixture.run(&["hunt", "logs", "--summary"]).lines().pop().unwrap();
    let [one, other] = [0, 1].map(run);
    assert_ne!(one["summary"]["run_id"], other["summary"]["run_id"]);
}

#[test]
fn csv_has_a_header_even_without_findings() {
    let fixture = Fixture::new();
    let run = fixture.run(&["hunt", "logs", "--format", "csv"]);
    assert_eq!(run.out.lines().count(), 3, "{}", run.out);
    assert!(run.out.starts_with("id,time,detection,type,risk_score,"));
    let run = fixture.run(&["hunt", "logs", "--format", "csv", "--detection", "key gone"]);
    assert_eq!(run.out.lines().count(), 1, "{}", run.out);
}

#[test]
fn exit_statuses() {
    let fixture = Fixture::new();
    for (arguments, status) in [
        (&["hunt", "logs"][..], 0),
        (&["hunt", "logs", "--fail-on-finding"], 3),
        (&["hunt", "logs", "--fail-on-finding", "--detection", "Key Gone"], 0),
        (&["hunt", "logs", "--detection", "Kei Made"], 2),
        (&["hunt", "nowhere"], 2),
        (&["hunt", "logs", "--earliest", "soon"], 2),
        (&["hunt"], 2),
    ] {
        let run = fixture.run(arguments);
        assert_eq!(run.status, status, "{arguments:?}: {}", run.err);
    }
    let run = fixture.run(&["hunt", "logs", "--detection", "Kei Made"]);
    assert!(run.err.contains("did you mean `Key Made`"), "{}", run.err);
}

#[test]
fn damage_is_named_and_the_rest_is_read() {
    let fixture = Fixture::new();
    fixture.write("logs/b.json", "{\"Records\":[{\"eventName\":\"CreateKey\",\"eventTi");
    let run = fixture.run(&["hunt", "logs"]);
    assert_eq!((run.status, run.lines().len()), (1, 2), "{}", run.err);
    assert!(run.err.contains("b.json"), "{}", run.err);
    assert_eq!(fixture.run(&["hunt", "logs", "--fail-on-finding"]).status, 3);
    let text = fixture.run(&["hunt", "logs", "--format", "table"]).out;
    assert!(text.contains("Damaged or unreadable: 1 input"), "{text}");
}

#[test]
fn a_detection_that_cannot_run_is_named_with_its_reason() {
    let fixture = Fixture::new();
    fixture.detection(5, "Odd", "TTP", "eventName=CreateKey | frobnicate", "");
    let run = fixture.run(&["hunt", "logs", "--format", "table"]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let line = "    1  unsupported\n         1 uses the command `frobnicate`\n";
    assert!(run.out.contains(line), "{}", run.out);
    let run = fixture.run(&["hunt", "logs", "--format", "table", "--all", "--strict"]);
    assert_eq!(run.status, 1);
    assert!(run.err.contains("Odd: the command `frobnicate` is not supported"), "{}", run.err);
    assert!(run.out.contains("unsupported\n         Odd: the command `frobnicate`"), "{}", run.out);
}

/// A hunt of which no detection can run looked for nothing, so it is no all-clear.
#[test]
fn a_hunt_in_which_nothing_can_run_fails() {
    let fixture = Fixture::new();
    fixture.detection(5, "Typo", "TTP", "eventName=CreateKey | statz count by user", "");
    fixture.detection(6, "Odd", "TTP", "eventName=CreateKey | frobnicate", "");
    let none = "error: nothing was looked for: none of ";
    for (names, status, said) in [
        (&["Typo"][..], 2, "error[SPL2014]: there is no command `statz`"),
        (&["Typo"], 2, " --> content/detections/d5.yml:9:32\n"),
        (&["Odd"], 2, "note: 1 detection was not run (unsupported)"),
        (&["Typo", "Odd"], 2, "none of 2 detections can run\n"),
        (&["Typo", "Key Made"], 1, "error[SPL2014]: there is no command `statz`"),
        (&["Odd", "Key Made"], 0, "note: 1 detection was not run (unsupported)"),
    ] {
        let chosen = names.iter().flat_map(|name| ["--detection", *name]);
        let options: Vec<&str> = ["hunt", "logs"].into_iter().chain(chosen).collect();
        let run = fixture.run(&options);
        assert_eq!(run.status, status, "{names:?}: {}", run.err);
        assert!(run.err.contains(said), "{names:?}: {}", run.err);
        assert_eq!(run.err.contains(none), status == 2, "{names:?}: {}", run.err);
        let shown = fixture.run(&[&options[..], &["--format", "table"]].concat());
        let reads = shown.out.contains("Read nothing of ");
        assert_eq!((shown.status, reads), (status, status == 2), "{names:?}: {}", shown.out);
    }
    fixture.detection(7, "Open", "TTP", "eventName=CreateKey | where (", "");
    let several = fixture.run(&["hunt", "logs"]);
    let typo =
        "error[SPL2014]: content/detections/d5.yml:9:32: Typo: there is no command `statz`\n";
    assert!(several.err.contains(typo), "{}", several.err);
    let macros = ["--macro", "broken=serch x", "--detection", "Broken"];
    fixture.detection(7, "Broken", "TTP", "eventName=CreateKey | `broken`", "");
    let run = fixture.run(&[&["hunt", "logs", "--fail-on-finding"], &macros[..]].concat());
    assert_eq!(run.status, 2, "{}", run.err);
}

/// A content folder in which most detections look for the events of other products.
fn mixed_content() -> Fixture {
    let fixture = Fixture::new();
    for (number, search) in [
        (5, "sourcetype=xmlwineventlog EventID=1 | stats count"),
        (6, "(eventtype=logins OR Channel=security) EventCode=4625 | stats count by user"),
        (7, "| tstats count from datamodel=Endpoint.Processes by Processes.user"),
        (8, "| tstats count from datamodel=Endpoint.Registry by Registry.user"),
        (9, "eventName=CreateKey | apply model"),
    ] {
        fixture.detection(number, &format!("Other {number}"), "TTP", search, "");
    }
    fixture
}

#[test]
fn only_what_can_find_something_is_told() {
    let fixture = mixed_content();
    let run = fixture.run(&["hunt", "logs", "--format", "table"]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    let causes = "    4  need what these logs do not have
         2 need the data model `Endpoint`
         1 needs the event type `logins`
         1 needs the sourcetype `xmlwineventlog`
    1  unsupported
         1 uses the command `apply`
";
    assert!(run.out.contains(causes), "{}", run.out);

    let run = fixture.run(&["hunt", "logs", "--summary"]);
    let notes = "note: 4 detections were not run (needs another source): \
                 2 need the data model `Endpoint`, 1 needs the event type `logins`, \
                 1 needs the sourcetype `xmlwineventlog`; --all names them\n\
                 note: 1 detection was not run (unsupported): 1 uses the command `apply`; \
                 --all names them\n\
                 note: 1 detection cannot tell (cannot fire): Key Shared: none of the 3 events that \
                 it groups has `grantee`\n";
    assert_eq!((run.status, run.err.as_str()), (0, notes));
    let summary = &run.lines().pop().unwrap()["summary"];
    let causes = json!([
        {"status": "needs another source", "cause": "need the data model `Endpoint`", "detections": 2},
        {"status": "needs another source", "cause": "need the event type `logins`", "detections": 1},
        {"status": "needs another source", "cause": "need the sourcetype `xmlwineventlog`", "detections": 1},
        {"status": "unsupported", "cause": "use the command `apply`", "detections": 1},
    ]);
    assert_eq!(summary["causes"], causes);
    let reports = summary["detections"].as_array().unwrap();
    let held = reports.iter().find(|report| report["name"] == "Other 7").unwrap();
    assert_eq!(held["needs"], json!({"kind": "data_model", "name": "Endpoint"}));

    let run = fixture.run(&["hunt", "logs", "--all"]);
    assert!(run.err.contains("Other 5: needs the sourcetype `xmlwineventlog`\n"), "{}", run.err);
    assert_eq!(fixture.run(&["hunt", "logs", "--strict"]).status, 1);
    let run = fixture.run(&["hunt", "logs", "--format", "table", "--detection", "Other 5"]);
    assert!(
        run.out.starts_with("Nothing was looked for: none of 1 detection can run"),
        "{}",
        run.out
    );
    assert!(run.out.contains("4 events"), "{}", run.out);
}

/// A row of plain JSON may say itself that it is of another product.
#[test]
fn rows_that_name_their_own_source_are_looked_at() {
    let fixture = mixed_content();
    let row = json!({"_time": 1_773_133_200, "sourcetype": "xmlwineventlog", "EventID": 1});
    fixture.write("logs/windows.json", &row.to_string());
    let run = fixture.run(&["hunt", "logs", "--detection", "Other 5", "--detection", "Key Made"]);
    let names: Vec<_> = run.lines().iter().map(|line| line["detection"]["name"].clone()).collect();
    assert_eq!(names, ["Other 5", "Key Made", "Key Made"], "{}", run.err);
    let run = fixture.run(&["hunt", "logs", "--detection", "Other 5"]);
    assert_eq!(run.lines().len(), 1, "{}", run.err);
    // What rows of a sourcetype that the user names have is not known.
    fixture.write(
        "named.json",
        &json!({"EventCode": 4625, "Channel": "security", "user": "ann"}).to_string(),
    );
    let search = "sourcetype=xmlwineventlog Channel=security EventCode=4625 | stats count by user";
    fixture.detection(11, "Other 11", "TTP", search, "");
    let named = ["--sourcetype", "xmlwineventlog", "--detection", "Other 11"];
    let run = fixture.run(&[&["hunt", "named.json"], &named[..]].concat());
    assert_eq!(run.lines().len(), 1, "{}", run.err);
}

/// A hunt that holds all detections back still reads the logs, whatever their paths say.
#[test]
fn logs_are_read_even_if_no_detection_can_run() {
    let fixture = mixed_content();
    let path = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/10/\
                111122223333_CloudTrail_eu-central-1_20260310T0905Z_aaaaaaaaaaaaaaaa.json";
    let event = json!({"eventVersion": "1", "eventSource": "s", "eventName": "E"});
    fixture.write(path, &json!({ "Records": [event] }).to_string());
    let run = fixture.run(&["hunt", "AWSLogs", "--detection", "Other 5", "--summary"]);
    let summary = &run.lines().pop().unwrap()["summary"];
    assert_eq!((&summary["events"], &summary["skipped_by_path"]), (&json!(1), &json!({})));
}

#[test]
fn filters_choose_detections() {
    let fixture = Fixture::new();
    for (filters, expected) in [
        (&["--type", "anomaly"][..], &["Key Gone", "Key Shared"][..]),
        (&["--min-score", "50"], &["Key Made"]),
        (&["--detection", "key*", "--exclude", "*shared"], &["Key Gone", "Key Made"]),
        (&["--story", "k*", "--technique", "T1098", "--type", "Hunting"], &["Many Lists"]),
    ] {
        let listed = fixture.run(&[&["detections", "list"], filters].concat()).lines();
        let names: Vec<_> = listed.iter().map(|line| line["name"].clone()).collect();
        assert_eq!(names, expected, "{filters:?}");
        let run = fixture.run(&[&["hunt", "logs", "--summary"], filters].concat());
        let summary = &run.lines().pop().unwrap()["summary"];
        assert_eq!(summary["detections"].as_array().unwrap().len(), expected.len(), "{filters:?}");
    }
    let run = fixture.run(&["hunt", "logs", "--type", "TTPs"]);
    let message = "error: no detection has the type `TTPs`; did you mean `TTP`?\n";
    assert_eq!((run.status, run.err.as_str()), (2, message));
}

#[test]
fn the_most_improbable_comes_first_and_folds_hide_no_message() {
    let fixture = Fixture::empty();
    let records: Vec<_> = (0..6)
        .map(|number| {
            json!({
                "eventVersion": "1.10",
                "eventTime": format!("2026-03-10T09:0{number}:00Z"),
                "eventSource": "s3.amazonaws.com",
                "eventName": "GetObject",
                "eventID": format!("event-{number}"),
                "userIdentity": {"type": "IAMUser", "arn": format!("arn:user/{}", number % 2)},
                "requestParameters": {"bucketName": format!("b{number}")},
            })
        })
        .collect();
    fixture.write("logs/a.json", &json!({ "Records": records }).to_string());
    let rba = "rba:\n  message: $user_arn$ read $kind$\n  risk_objects:\n  \
               - {field: user_arn, type: user, score: 40}\n  threat_objects: []\n";
    let by = "eventName=GetObject | rename requestParameters.bucketName as bucket \
              | stats count by bucket user_arn | eval log_event_prob=0-len(bucket)-tonumber(substr(bucket,2)), \
              kind=if(bucket=\"b3\",\"three\",\"much\")";
    fixture.detection(1, "Much Read", "Anomaly", by, rba);
    fixture.detection(2, "Looked", "Hunting", "eventName=GetObject | stats count by user_arn", "");
    let run = fixture.run(&["hunt", "logs", "--format", "table"]);
    let expected = " 40  2026-03-10 09:05:00 UTC  Much Read
     arn:user/1  + 1 more, which differ in bucket, log_event_prob
     arn:user/1 read much
     Anomaly; T1098 Account Manipulation (Persistence, Privilege Escalation)

 40  2026-03-10 09:04:00 UTC  Much Read
     arn:user/0  + 2 more, which differ in bucket, log_event_prob
     arn:user/0 read much
     Anomaly; T1098 Account Manipulation (Persistence, Privilege Escalation)

 40  2026-03-10 09:03:00 UTC  Much Read
     arn:user/1
     arn:user/1 read three
     Anomaly; T1098 Account Manipulation (Persistence, Privilege Escalation)

  -  2026-03-10 09:00:00 UTC  Looked: arn:user/0  + 1 more

";
    assert!(run.out.starts_with(expected), "{}", run.out);
}

#[test]
fn time_bounds_are_relative_to_the_newest_event() {
    let fixture = Fixture::new();
    let run = fixture.run(&["hunt", "logs", "--earliest", "-70s"]);
    let users: Vec<String> =
        run.lines().iter().map(|finding| finding["result"]["src_ip"].to_string()).collect();
    assert_eq!(users, ["\"192.0.2.2\""]);
}

/// An event dated later than it can have happened does not move the present.
#[test]
fn an_event_of_the_far_future_hides_nothing() {
    let fixture = Fixture::new();
    for (time, shown) in [
        ("9999-12-31T23:59:59Z", "at the end of the year 9999 or later"),
        ("2099-01-01T00:00:00Z", "2099-01-01 00:00:00 UTC"),
    ] {
        let event = json!({
            "eventVersion": "1.08", "eventSource": "s", "eventName": "Other", "eventTime": time,
        });
        fixture.write("future.json", &event.to_string());
        let run = fixture.run(&["hunt", "logs", "future.json", "--earliest", "-70s"]);
        let found: Vec<String> =
            run.lines().iter().map(|finding| finding["result"]["src_ip"].to_string()).collect();
        assert_eq!(found, ["\"192.0.2.2\""], "{}", run.err);
        let note = format!("note: future.json: an event is dated {shown}, which cannot be");
        assert!(run.err.contains(&note), "{}", run.err);
    }
}

/// The shared pass of a hunt must return the same findings for each detection as a hunt that runs
/// only this detection.
#[test]
fn each_detection_finds_what_it_finds_alone() {
    let fixture = Fixture::empty();
    let users = ["ann", "bob", "cyd"];
    let events: String = (0..300)
        .map(|number| {
            let name = ["GetObject", "CreateTask", "ListBuckets"][number % 3];
            let user = users[number / 3 % 3];
            let event = json!({
                "eventVersion": "1.08",
                "eventID": format!("event-{number}"),
                "eventTime": format!("2026-03-10T09:{:02}:{:02}Z", number / 60, number % 60),
                "eventName": name,
                "eventSource": "s3.amazonaws.com",
                "userIdentity": {"type": "IAMUser", "arn": format!("arn:user/{user}")},
                "requestParameters": {"bucketName": format!("b{}", number % 7), "n": number},
            });
            format!("{event}\n")
        })
        .collect();
    fixture.write("logs/events.json", &events);
    let searches = [
        "eventName=GetObject | stats count values(requestParameters.bucketName) as b by user_arn",
        "eventName=Create* | rename requestParameters.* as * | stats count by bucketName user_arn",
        // Reads all fields of whole events.
        "eventName=CreateTask requestParameters.n<20",
        // A subsearch over the same logs: in the first search, and in a later command.
        "eventSource=s3.amazonaws.com [search eventName=CreateTask requestParameters.bucketName=b1 \
         | table user_arn] | stats count by eventName user_arn",
        "eventName=ListBuckets | search NOT [search eventName=GetObject requestParameters.n=0 \
         | fields user_arn] | stats count by user_arn",
        // A subsearch whose fields are known only when it runs.
        "eventName=GetObject [search eventName=CreateTask requestParameters.n=1 | stats values(user_arn) \
         as user_arn] | stats count by user_arn",
        "eventName=* | spath output=arn path=userIdentity.arn | stats count by arn",
        "eventName=* | eval a=1 | spath output=arn path=userIdentity.arn | stats count by arn",
        "eventName=List* | stats count",
        "eventName=GetObject | append [search eventName=CreateTask | head 2] | stats count by eventName",
        "eventName=GetObject | sort - requestParameters.n | head 3 | table requestParameters.n user_arn",
    ];
    for (number, search) in (0..).zip(searches) {
        fixture.detection(number, &format!("Number {number}"), "TTP", search, "");
    }
    let hunt = fixture.run(&["hunt", "logs"]);
    assert_eq!((hunt.status, hunt.err.as_str()), (0, ""));
    let findings = hunt.lines();
    for (number, search) in searches.iter().enumerate() {
        let name = format!("Number {number}");
        let own = findings.iter().filter(|finding| finding["detection"]["name"] == *name);
        let together: Vec<_> = own.clone().map(|finding| finding["result"].clone()).collect();
        let alone = fixture.run(&["search", "--detection", &name, "logs"]).lines();
        assert!(!alone.is_empty(), "{search}");
        assert_eq!(together, alone, "{search}");
        // Rows that are grouped by a field report the events that they came from.
        if search.contains(" by user_arn") {
            let has_ids = |finding: &serde_json::Value| {
                !finding["evidence"]["event_ids"].as_array().unwrap().is_empty()
            };
            assert!(own.clone().all(has_ids), "{search}");
        }
    }
}

#[test]
fn the_status_says_how_a_hunt_ended() {
    let fixture = Fixture::new();
    fixture.write("empty/a.json", "{\"Records\":[]}");
    fixture.write("damaged/a.json", "{\"Records\":[{\"eventTime\":");
    let quiet = ["--detection", "Many Lists"];
    for (logs, filters, plain, failing) in [
        (&["logs"][..], &[][..], 0, 3),
        (&["logs"], &quiet, 0, 0),
        (&["logs", "missing"], &[], 1, 3),
        (&["logs", "missing"], &quiet, 1, 1),
        (&["logs", "damaged"], &[], 1, 3),
        (&["logs", "damaged"], &quiet, 1, 1),
        (&["empty"], &[], 2, 2),
        (&["missing"], &[], 2, 2),
    ] {
        for (option, expected) in [(&[][..], plain), (&["--fail-on-finding"], failing)] {
            let run = fixture.run(&[&["hunt"], logs, filters, option].concat());
            assert_eq!(run.status, expected, "{logs:?} {filters:?} {option:?}: {}", run.err);
            let is_whole = matches!(expected, 0 | 3) && logs.len() == 1;
            assert!(is_whole || !run.err.is_empty(), "{logs:?}: nothing is said");
        }
    }
}

/// Results are missing, whatever runs first, if they depend on a lookup that nothing defines or fills.
#[test]
fn a_lookup_that_nothing_defines_is_in_the_status() {
    let fixture = Fixture::new();
    let search = |lookup: &str, name: &str| {
        format!(
            "eventName={name} | lookup {lookup} user OUTPUT known | where isnull(known) | stats count by user"
        )
    };
    for (lookup, name, status, told) in [
        ("nosuch", "CreateKey", 1, Some("empty lookup `nosuch` (there is no lookup `nosuch`)")),
        ("empty_coll", "CreateKey", 0, Some("empty lookup `empty_coll`")),
        // Splunk's own apps have it, and no content.
        (
            "identity_lookup_expanded",
            "CreateKey",
            0,
            Some("empty lookup `identity_lookup_expanded`"),
        ),
        ("identity_lookup_expandd", "CreateKey", 1, Some("there is no lookup")),
        ("nosuch", "None", 0, None),
    ] {
        fixture.write(
            "content/lookups/c.yml",
            "name: empty_coll\nlookup_type: kvstore\nfields: [user, known]\n",
        );
        fixture.detection(1, "Held", "TTP", &search(lookup, name), "");
        let run = fixture.run(&["hunt", "logs", "--detection", "Held", "--all"]);
        assert_eq!(run.status, status, "{lookup} {name} {run:?}");
        let said = format!("{}{}", run.out, run.err).replace('\n', " ");
        assert_eq!(said.contains("held back"), told.is_some(), "{said}");
        assert!(told.is_none_or(|told| said.contains(told)), "{said}");
    }
}

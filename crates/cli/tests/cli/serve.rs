//! A server takes events, runs detections, and loses nothing that it acknowledged.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::served::{PATIENCE, Served, request};

pub(crate) fn event(id: &str) -> Value {
    json!({
        "eventVersion": "1.10",
        "eventTime": "2026-03-10T09:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "eventID": id,
        "userIdentity": { "type": "IAMUser", "userName": "ann" },
    })
}

fn token(fixture: &Fixture) -> String {
    let made = fixture.run_builtin(&["token", "add", "test", "--data", "data"]);
    assert_eq!(made.status, 0, "{}", made.err);
    format!("Splunk {}", made.out.trim())
}

fn counts(fixture: &Fixture) -> BTreeMap<String, u64> {
    let search = "index=main | stats count by eventID";
    let found = fixture.run_builtin(&["search", search, "--lake", "data"]);
    assert!(found.status == 0 || found.lines().is_empty(), "{}", found.err);
    let of = |row: Value| {
        (row["eventID"].as_str().unwrap_or_default().to_owned(), row["count"].as_u64().unwrap())
    };
    found.lines().into_iter().map(of).collect()
}

/// What was acknowledged is there, once, however often the server is killed meanwhile.
///
/// `SPILLTRAIL_KILL_ROUNDS` sets how often that is.
#[test]
fn what_was_acknowledged_survives_kills() {
    let rounds = std::env::var("SPILLTRAIL_KILL_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds: u64 = rounds.unwrap_or(3);
    let fixture = Fixture::empty();
    let token = token(&fixture);
    let mut acknowledged: Vec<String> = Vec::new();
    let mut number = 0_u64;
    for round in 0..rounds {
        let mut served = Served::start(&fixture, &[]);
        let address = served.hec();
        let ends = Instant::now() + Duration::from_millis(50 + round * 337 % 750);
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..2)
                .map(|sender| {
                    let (address, token) = (&address, &token);
                    let first = number + sender * 1_000_000;
                    scope.spawn(move || {
                        let mut stored = Vec::new();
                        for batch in 0.. {
                            let ids: Vec<String> = (0..5)
                                .map(|event| format!("{}", first + batch * 5 + event))
                                .collect();
                            let body: String = ids
                                .iter()
                                .map(|id| json!({ "event": event(id) }).to_string())
                                .collect();
                            let head = "POST /services/collector/event";
                            match request(address, head, token, &body) {
                                Some((200, _)) => stored.extend(ids),
                                Some((503, _)) => {}
                                Some((status, body)) => panic!("{status}: {body}"),
                                None => break,
                            }
                        }
                        stored
                    })
                })
                .collect();
            std::thread::sleep(ends.saturating_duration_since(Instant::now()));
            served.child.kill().unwrap();
            served.child.wait().unwrap();
            for sender in senders {
                acknowledged.extend(sender.join().unwrap());
            }
        });
        number += 10_000_000;
    }
    assert!(!acknowledged.is_empty());
    // With a server that works on it again, and without one.
    let mut served = Served::start(&fixture, &[]);
    served.hec();
    let while_it_runs = counts(&fixture);
    served.signal(15);
    served.wait_for("the server has stopped");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    // It closes its files: what SQLite writes beside one goes into it.
    let beside =
        |file: &str| fixture.path(&format!("data/{file}.sqlite-wal")).try_exists().unwrap();
    assert!(!beside("arriving") && !beside("findings"));
    let after = counts(&fixture);
    for found in [&while_it_runs, &after] {
        let missing: Vec<&String> =
            acknowledged.iter().filter(|id| !found.contains_key(*id)).collect();
        assert!(missing.is_empty(), "{missing:?} of {}", acknowledged.len());
        let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

#[test]
fn the_api_tells_who_may_ask() {
    let fixture = Fixture::empty();
    let mut served = Served::start(&fixture, &[]);
    let secret = served.wait_for("the token of the API is ");
    let secret = format!("Bearer {}", secret.split(';').next().unwrap());
    let address = served.wait_for("the API answers at http://");
    served.wait_for("on schedules");
    let get = |path: &str, token: &str| request(&address, &format!("GET {path}"), token, "");
    assert_eq!(get("/healthz", "none").unwrap().0, 200);
    assert_eq!(get("/api/v1/findings", "Bearer wrong").unwrap().0, 401);
    let (status, body) = get("/api/v1/findings", &secret).unwrap();
    assert_eq!((status, body.contains("\"total\":0")), (200, true), "{body}");
    let (status, body) = get("/api/v1/schedules", &secret).unwrap();
    assert_eq!(status, 200, "{body}");
    let search = json!({ "search": "index=_internal | stats count by sourcetype" }).to_string();
    let (status, body) = request(&address, "POST /api/v1/searches", &secret, &search).unwrap();
    assert_eq!(status, 201, "{body}");
    let job: Value = serde_json::from_str(&body).unwrap();
    let rows = format!("/api/v1/searches/{}/rows", job["id"].as_str().unwrap());
    let begun = Instant::now();
    loop {
        let (_, body) = get(&rows, &secret).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(begun.elapsed() < PATIENCE && body["state"] != "failed", "{body}");
        if body["state"] == "done" {
            assert_eq!(body["rows"][0]["sourcetype"], "spilltrail:content", "{body}");
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // The refusal is in the lake.
    let audit = "index=_audit action=refused | table part reason";
    let found = fixture.run_builtin(&["search", audit, "--lake", "data"]);
    assert_eq!(found.lines()[0]["part"], "api", "{}", found.err);
}

#[test]
fn a_second_server_is_refused_and_a_lake_of_one_cannot_be_ingested_into() {
    let fixture = Fixture::new();
    let mut served = Served::start(&fixture, &[]);
    served.hec();
    let second = fixture.run_builtin(&["serve", "--data", "data", "--hec", "off", "--api", "off"]);
    assert_eq!(second.status, 2, "{}", second.err);
    assert!(second.err.contains("another process writes to"), "{}", second.err);
    let ingested = fixture.run_builtin(&["ingest", "logs", "--lake", "data"]);
    assert_eq!(ingested.status, 2, "{}", ingested.err);
}

/// An entry of the allow-list that can hide nothing is told when it is added.
#[test]
fn what_an_entry_cannot_hide_is_told() {
    const DATASYNC: &str = "AWS Exfiltration via DataSync Task";
    let fixture = Fixture::new();
    let mut served = Served::start(&fixture, &[]);
    served.hec();
    for (detection, field, doubted) in [
        (DATASYNC, "user_arn", None),
        ("AWS Exfil*", "user_arn", None),
        ("AWS Exfiltration via DataSink Task", "user_arn", Some("there is no detection")),
        (DATASYNC, "usr_arn", Some("did you mean `user_arn`?")),
    ] {
        let entry =
            ["--detection", detection, "--field", field, "--value", "x", "--reason", "a test"];
        let run = fixture.run_builtin(&[&["allow", "add", "--data", "data"][..], &entry].concat());
        assert_eq!(run.status, 0, "{}", run.err);
        assert_eq!(run.err.contains("warning: entry"), doubted.is_some(), "{}", run.err);
        assert!(run.err.contains(doubted.unwrap_or("hides findings")), "{}", run.err);
    }
}

#[test]
fn commands_say_what_is_missing() {
    let fixture = Fixture::empty();
    for (arguments, expected) in [
        (&["findings", "list"][..], "name the data folder of the server"),
        (&["findings", "list", "--data", "none"], "no server has worked in none"),
        (&["risk", "--data", "none"], "no server has worked in none"),
        (&["index", "--data", "none"], "there is no lake in this folder"),
        (&["serve", "--data", "data", "--hec", "nowhere"], "an address with a port"),
        (&["serve", "--data", "data", "--geoip", "none.mmdb"], "none.mmdb"),
        (&["serve", "--data", "data", "--geoip", "none.mmdb", "--check-config"], "none.mmdb"),
        (&["token", "remove", "x", "--data", "data"], "there is no token `x`"),
        (&["findings", "list", "--data", "none", "--status", "done"], "expected one of new"),
    ] {
        let run = fixture.run_builtin(arguments);
        assert_eq!(run.status, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.contains(expected), "{arguments:?}: {}", run.err);
    }
}

/// All mistakes of a configuration are told, and not only the first.
#[test]
fn a_check_tells_all_mistakes() {
    let fixture = Fixture::empty();
    let config = "[[serve.input]]\nname = 'a'\n\n[[serve.input]]\nname = 'a'\nlogs = ['logs']\n\n\
                  [serve]\ntls_certificate = 'none.pem'\ntls_key = 'none.key'\n";
    fixture.write("c.toml", config);
    let run =
        fixture.run_builtin(&["--config", "c.toml", "serve", "--data", "d", "--check-config"]);
    let expected = ["input `a` needs `logs`", "two inputs have the name `a`", "none.pem`: "];
    let told: Vec<_> = run.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((run.status, told.len()), (2, expected.len()), "{}", run.err);
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
    }
    // A cause is told once.
    let cause = told[2].rsplit(": ").next().unwrap();
    assert_eq!(told[2].matches(cause).count(), 1, "{}", told[2]);
}

/// A copy that is made while the server works has what it acknowledged before, and a server goes on with it.
#[test]
fn a_copy_of_a_working_server_goes_on() {
    let fixture = Fixture::empty();
    let token = token(&fixture);
    // One event is in the table, and the others are in the log.
    fixture.write("logs/one.json", &event("in the table").to_string());
    let ingested = fixture.run_builtin(&["ingest", "logs", "--lake", "data"]);
    assert_eq!(ingested.status, 0, "{}", ingested.err);
    let mut served = Served::start(&fixture, &[]);
    let address = served.hec();
    for number in 0..20 {
        let body = json!({ "event": event(&format!("{number}")) }).to_string();
        let sent = request(&address, "POST /services/collector/event", &token, &body);
        assert_eq!(sent.unwrap().0, 200);
    }
    let copied = fixture.run_builtin(&["backup", "--data", "data", "--to", "copy"]);
    assert_eq!(copied.status, 0, "{}", copied.err);
    let again = fixture.run_builtin(&["backup", "--data", "data", "--to", "copy"]);
    assert_eq!(again.status, 2, "{}", again.err);
    assert!(again.err.contains("there is something in it"), "{}", again.err);
    drop(served);
    std::fs::remove_dir_all(fixture.path("data")).unwrap();
    // Of a damaged copy, nothing is left that looks like a data folder.
    let file = walkdir::WalkDir::new(fixture.path("copy/events"))
        .into_iter()
        .map(Result::unwrap)
        .find(|entry| entry.path().extension().is_some_and(|kind| kind == "parquet"))
        .unwrap();
    let bytes = std::fs::read(file.path()).unwrap();
    std::fs::write(file.path(), "").unwrap();
    let damaged = fixture.run_builtin(&["restore", "--from", "copy", "--data", "data"]);
    assert_eq!(damaged.status, 2, "{}", damaged.err);
    assert!(damaged.err.contains("it is not what was written"), "{}", damaged.err);
    assert_eq!(std::fs::read_dir(fixture.path("data")).unwrap().count(), 0);
    std::fs::write(file.path(), bytes).unwrap();
    let restored = fixture.run_builtin(&["restore", "--from", "copy", "--data", "data"]);
    assert_eq!(restored.status, 0, "{}", restored.err);
    let mut served = Served::start(&fixture, &[]);
    let address = served.hec();
    let body = json!({ "event": event("20") }).to_string();
    let sent = request(&address, "POST /services/collector/event", &token, &body);
    assert_eq!(sent.unwrap().0, 200, "the token is in the copy");
    let found = counts(&fixture);
    assert_eq!((found.len(), found.values().all(|count| *count == 1)), (22, true), "{found:?}");
}

/// What somebody set and cannot work is a mistake, and no reason to run fewer detections.
#[test]
fn a_schedule_that_cannot_work_is_refused() {
    let fixture = Fixture::empty();
    for (set, expected) in [
        ("cron = '0 26 * * *'", "the schedule that the configuration sets for `AWS"),
        ("earliest = '-1h'\nlatest = '-2h'", "cannot work"),
        ("cron = '*/30 * * * *'\nenabled = false\n", ""),
    ] {
        let config = format!("[[serve.schedule]]\ndetection = 'AWS*'\n{set}\n");
        fixture.write("c.toml", &config);
        let check = ["--config", "c.toml", "serve", "--data", "d", "--check-config"];
        let run = fixture.run_builtin(&check);
        assert_eq!(run.status, if expected.is_empty() { 0 } else { 2 }, "{set}: {}", run.err);
        assert!(run.err.contains(expected), "{set}: {}", run.err);
    }
}

/// Who looks at what a server found learns that it has stopped.
#[test]
fn lists_say_that_no_server_works() {
    let fixture = Fixture::empty();
    let mut served = Served::start(&fixture, &[]);
    served.wait_for("on schedules");
    let lists =
        [&["findings", "list"][..], &["risk"], &["schedule", "list"], &["schedule", "runs"]];
    let told = |list: &[&str]| {
        let run = fixture.run_builtin(&[list, &["--data", "data"]].concat());
        assert_eq!(run.status, 0, "{}", run.err);
        run.err.contains("no server works in data now")
    };
    assert_eq!(lists.map(told), [false; 4]);
    drop(served);
    assert_eq!(lists.map(told), [true; 4]);
}

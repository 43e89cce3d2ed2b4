//! The command `replay`: events move in time and go to a file, to standard output, or to a collector.

#![expect(clippy::unwrap_used, reason = "a server that cannot answer fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Two events in the wrong order, ten minutes apart.
fn logs() -> Fixture {
    let fixture = Fixture::empty();
    let record = |minute: u32| {
        json!({
            "eventVersion": "1.10",
            "eventTime": format!("2026-03-10T09:{minute:02}:00Z"),
            "eventName": "CreateKey",
            "userIdentity": {"sessionContext": {"attributes": {
                "creationDate": format!("2026-03-10T08:{minute:02}:00Z"),
            }}},
        })
    };
    fixture.write("logs/a.json", &json!({ "Records": [record(10), record(0)] }).to_string());
    fixture
}

#[test]
fn the_newest_event_is_moved_to_the_present() {
    let fixture = logs();
    let run = fixture.run_builtin(&["replay", "logs", "--now", "2027-01-01T00:00:00Z"]);
    assert_eq!(run.status, 0, "{run:?}");
    let times: Vec<(Value, Value)> = run
        .lines()
        .into_iter()
        .map(|event| {
            let session = &event["userIdentity"]["sessionContext"]["attributes"]["creationDate"];
            (event["eventTime"].clone(), session.clone())
        })
        .collect();
    assert_eq!(
        times,
        [
            (json!("2026-12-31T23:50:00Z"), json!("2026-12-31T22:50:00Z")),
            (json!("2027-01-01T00:00:00Z"), json!("2026-12-31T23:00:00Z")),
        ]
    );
    assert_eq!(run.err, "note: 2 events, moved forward by 25,627,800 seconds\n");
    let kept = fixture.run_builtin(&["replay", "logs", "--keep-times"]);
    assert_eq!(kept.lines()[0]["eventTime"], "2026-03-10T09:00:00Z");
}

#[test]
fn what_is_replayed_can_be_hunted_in() {
    let fixture = logs();
    let output = ["replay", "logs", "--output", "now.json"];
    assert_eq!(fixture.run_builtin(&output).status, 0);
    // A file that is there is not replaced.
    let again = fixture.run_builtin(&output);
    assert!(again.status == 2 && again.err.contains("cannot create `now.json`"), "{again:?}");
    assert!(again.err.contains("it exists already"), "{again:?}");
    let search = ["search", "eventName=CreateKey earliest=-1h | stats count", "now.json"];
    assert_eq!(fixture.run_builtin(&search).lines(), [json!({"count": 2})]);
}

#[test]
fn a_replay_that_fails_leaves_no_file() {
    let fixture = logs();
    fixture.write("empty.json", "");
    for input in ["gone", "empty.json"] {
        let run = fixture.run_builtin(&["replay", input, "--output", "out.json"]);
        assert_eq!(run.status, 2, "{run:?}");
        let entries = std::fs::read_dir(fixture.path("")).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains(".json.")), "{names:?}");
        assert!(!names.iter().any(|name| name.to_string_lossy().starts_with('.')), "{names:?}");
        assert!(!names.iter().any(|name| name == "out.json"), "{names:?}");
    }
    let run = fixture.run_builtin(&["replay", "logs", "--output", "out.json"]);
    assert_eq!(run.status, 0, "{run:?}");
    let written = std::fs::read_to_string(fixture.path("out.json")).unwrap();
    assert_eq!(written.lines().count(), 2, "{written}");
    let nowhere = fixture.run_builtin(&["replay", "logs", "--output", "none/out.json"]);
    assert!(
        nowhere.status == 2 && nowhere.err.contains("cannot create `none/out.json`"),
        "{nowhere:?}"
    );
}

#[test]
fn labels_are_for_a_collector() {
    let fixture = logs();
    for option in ["--source", "--host", "--index"] {
        let run = fixture.run_builtin(&["replay", "logs", option, "x"]);
        assert!(run.status == 2 && run.err.contains("--hec"), "{run:?}");
    }
    // This one says what in an event is a time.
    let run = fixture.run_builtin(&["replay", "logs", "--sourcetype", "json"]);
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn texts_are_replayed_from_wherever_logs_are() {
    let fixture = logs();
    let line = |day: u32| format!("2026-03-{day:02}T09:00:00Z logged in");
    fixture.write("logs/a.log", &line(11));
    fixture.write("logs/README.md", "what this is");
    let gzip = fixture.path("logs/b.xml.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(line(12).as_bytes()).unwrap();
    std::fs::write(&gzip, encoder.finish().unwrap()).unwrap();
    let now = ["--now", "2026-03-22T09:00:00Z"];
    let folder = fixture.run_builtin(&[&["replay", "logs"], &now[..]].concat());
    assert_eq!(folder.status, 0, "{folder:?}");
    let texts: Vec<&str> = folder.out.lines().skip(2).collect();
    assert_eq!(texts, [line(21), line(22)], "{folder:?}");
    assert!(folder.err.contains("logs/README.md") && !folder.err.contains("a.log"), "{folder:?}");

    // A name of its own, and standard input.
    let named = fixture.run_builtin(&[&["replay", "logs/b.xml.gz"], &now[..]].concat());
    assert_eq!((named.status, named.out), (0, line(22) + "\n"));
    let piped = fixture.run_piped(&[&["replay", "-"], &now[..]].concat(), &line(1));
    assert_eq!((piped.status, piped.out), (0, line(22) + "\n"), "{}", piped.err);

    // A folder of nothing else has events, too.
    fixture.write("texts/a.log", &line(11));
    let texts = fixture.run_builtin(&[&["replay", "texts", "logs/a.json"], &now[..]].concat());
    assert_eq!((texts.status, texts.out.lines().count()), (0, 3), "{}", texts.err);
    assert_eq!(texts.err.lines().count(), 1, "{}", texts.err);
    fixture.write("notes/README.md", "what this is");
    let none = fixture.run_builtin(&["replay", "notes"]);
    assert_eq!((none.status, none.out.as_str()), (2, ""), "{none:?}");
}

#[test]
fn each_line_of_a_file_without_json_is_an_event() {
    let fixture = Fixture::empty();
    let line = |second: u32| {
        format!("<Event><T SystemTime='2026-03-10T09:00:0{second}.5Z'/><Data>x</Data></Event>\r\n")
    };
    fixture.write("sysmon.log", &format!("{}\n{}", line(5), line(1)));
    let run = fixture.run_builtin(&["replay", "sysmon.log", "--now", "2026-03-11T09:00:05Z"]);
    assert_eq!(run.status, 0, "{run:?}");
    let moved = |second: u32| line(second).replace("03-10", "03-11").replace('\r', "");
    assert_eq!(run.out, moved(5) + &moved(1));
    let none = Fixture::empty();
    none.write("notes.txt", "nothing that has a time\n");
    let timeless = none.run_builtin(&["replay", "notes.txt"]);
    assert_eq!((timeless.status, timeless.out.as_str()), (0, "nothing that has a time\n"));
    assert!(timeless.err.contains("no time in them that could be moved"), "{timeless:?}");
    let nothing = none.run_builtin(&["replay", "gone.json"]);
    assert_eq!(nothing.status, 2, "{nothing:?}");
}

#[test]
fn a_damaged_text_does_not_stop_the_others() {
    let fixture = logs();
    let line = "2026-03-10T09:30:00Z logged in\n";
    fixture.write("logs/b.log", &format!("{line}{}\n{line}", "x".repeat(9 << 20)));
    fixture.write("logs/c.log", line);
    for more in [&["--keep-times"][..], &["--now", "2026-03-10T09:30:00Z"]] {
        let run = fixture.run_builtin(&[&["replay", "logs"], more].concat());
        assert_eq!((run.status, run.out.lines().count()), (1, 4), "{run:?}");
        assert_eq!(run.out.lines().filter(|text| *text == line.trim()).count(), 2);
        assert!(run.err.contains("logs/b.log") && run.err.contains("SPL5"), "{}", run.err);
    }
}

/// Answers requests with these replies in turn, and hands on the requests. A redirection leads back to
/// the same server.
fn collector(replies: Vec<(u32, &'static str)>) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for (status, reply) in replies {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let mut stream = reader.into_inner();
            write!(
                stream,
                "HTTP/1.1 {status} X\r\nConnection: close\r\nLocation: /elsewhere\r\n\
                 Content-Length: {}\r\n\r\n{reply}",
                reply.len()
            )
            .unwrap();
            sender.send((head, String::from_utf8(body).unwrap())).unwrap();
        }
    });
    (url, receiver)
}

const TOKEN: &str = "SPILLTRAIL_HEC_TOKEN";

#[test]
fn events_are_sent_to_a_collector() {
    let fixture = logs();
    let (url, requests) = collector(vec![(503, ""), (200, r#"{"text":"Success","code":0}"#)]);
    let arguments =
        ["replay", "logs", "--hec", &url, "--now", "2026-03-10T09:10:00Z", "--index", "test"];
    let run = fixture.run_with(&arguments, &[(TOKEN, "secret")]);
    assert_eq!(run.status, 0, "{run:?}");
    let (busy, taken) = (requests.recv().unwrap(), requests.recv().unwrap());
    assert_eq!(busy.1, taken.1);
    let (head, body) = taken;
    assert!(head.starts_with("POST /services/collector/event HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("authorization: splunk secret\r\n"), "{head}");
    let events: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["time"], json!(1_773_133_200.0));
    assert_eq!(events[0]["sourcetype"], "aws:cloudtrail");
    assert_eq!(events[0]["index"], "test");
    assert_eq!(events[0]["source"], "logs/a.json");
    assert!(events[0]["event"].as_str().unwrap().contains("2026-03-10T09:00:00Z"), "{events:?}");
}

#[test]
fn what_a_collector_refuses_is_told() {
    let fixture = logs();
    let cases = [
        (
            403,
            r#"{"text":"Invalid token","code":4}"#,
            "it replied 403 Forbidden: Invalid token (code 4); SPILLTRAIL_HEC_TOKEN has the token",
        ),
        (400, r#"{"text":"Incorrect index","code":7}"#, "the token does not allow this index"),
        (404, "<html>", "it replied 404 Not Found"),
        // What a redirection leads to replies to anything.
        (302, "", "it replied 302 Found: it redirects to /elsewhere; name that with `--hec`"),
        (307, "", "it redirects to /elsewhere"),
        (200, "<html>", "it replied 200 OK, and not that it took the events"),
        (200, r#"{"text":"No data","code":5}"#, "it replied 200 OK: No data (code 5)"),
    ];
    for (status, reply, expected) in cases {
        let taken = r#"{"text":"Success","code":0}"#;
        let (url, _requests) = collector(vec![(status, reply), (200, taken)]);
        let run = fixture.run_with(&["replay", "logs", "--hec", &url], &[(TOKEN, "x")]);
        assert!(run.status == 2 && run.err.contains(expected), "{run:?}");
    }
    let no_token = fixture.run_with(&["replay", "logs", "--hec", "http://127.0.0.1:1"], &[]);
    assert!(
        no_token.status == 2 && no_token.err.contains("set the environment variable"),
        "{no_token:?}"
    );
    for wrong in ["splunk:8088", "ftp://splunk", "http://"] {
        let run = fixture.run_with(&["replay", "logs", "--hec", wrong], &[(TOKEN, "x")]);
        assert_eq!(run.status, 2, "{run:?}");
    }
}

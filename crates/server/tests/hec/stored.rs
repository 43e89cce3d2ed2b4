//! What is stored: texts, times, names and fields, in order, a request at once.

use futures::FutureExt;
use spilltrail_lake::Origin;
use spilltrail_server::hec::InboxError;

use crate::client::{CHANNEL, Server, gzip, options};
use crate::log;
use crate::store::{Kept, Step, TestInbox};

fn origin(index: &str, names: [Option<&str>; 3]) -> Origin {
    let [sourcetype, source, host] = names.map(|name| name.map(str::to_owned));
    Origin { index: index.to_owned(), sourcetype, source, host, format: String::new() }
}

fn kept(origin: Origin, raw: &str, time: Option<i64>, fields: Option<&str>) -> Kept {
    Kept { origin, raw: raw.as_bytes().to_vec(), time, fields: fields.map(str::to_owned) }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_the_names_of_the_sender_over_those_of_the_token() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let body = r#"
        {"event":"one","time":1680000000.5}
        {"event":{"a" : 1.0},"host":"web","index":"main","fields":{"k":"v"}}
        [{"event":"three","source":"","sourcetype":null,"time":"1680000001"},
         {"event":[4],"sourcetype":"x","source":"y","host":"z"}]"#;
    let answer = server.post("aws", "/services/collector", body).await;
    assert_eq!(answer.status, 200);
    let token = || origin("aws", [Some("aws:cloudtrail"), Some("s3"), Some("h")]);
    let second = origin("main", [Some("aws:cloudtrail"), Some("s3"), Some("web")]);
    let fourth = origin("aws", [Some("x"), Some("y"), Some("z")]);
    // One commit; the first and the third event are of one origin.
    assert_eq!(
        inbox.commits(),
        [vec![
            kept(token(), "one", Some(1_680_000_000_500_000), None),
            kept(token(), "three", Some(1_680_000_001_000_000), None),
            kept(second, r#"{"a" : 1.0}"#, None, Some(r#"{"k":"v"}"#)),
            kept(fourth, "[4]", None, None),
        ]]
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_have_the_names_of_the_query() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let target =
        "/services/collector/raw?host=web%201&sourcetype=t&source=s%2Fx&index=i-1&time=5.5";
    let records = r#"{"Records":[{"a":1},{"b":2}]}"#;
    let body = [b"one \r\n\n\xff\xfe\n", records.as_bytes()].concat();
    assert_eq!(server.post("good", target, body).await.status, 200);
    let origin = origin("i-1", [Some("t"), Some("s/x"), Some("web 1")]);
    let line = |raw: &[u8]| Kept {
        origin: origin.clone(),
        raw: raw.to_vec(),
        time: Some(5_500_000),
        fields: None,
    };
    assert_eq!(inbox.kept(), [line(b"one "), line(b"\xff\xfe"), line(records.as_bytes())]);
    server.stop().await;
}

/// Events before the wrong one are stored, those after it are not, as in Splunk.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_wrong_event_ends_a_request() {
    let long = "x".repeat(200);
    let mut options = options();
    options.max_event = 100;
    for (target, body, expected, stored) in [
        ("event", r#"{"event":1}{"event":2}{}{"event":4}"#.to_owned(), (12, 2), vec!["1", "2"]),
        ("event", r#"{"event":1}{"event":""}{"event":3}"#.to_owned(), (13, 1), vec!["1"]),
        ("event", r#"[{"event":1},{"event":2},3]"#.to_owned(), (6, 2), vec!["1", "2"]),
        ("event", r#"{"event":1}{"event":2,"index":"_x"}"#.to_owned(), (7, 1), vec!["1"]),
        ("event", r#"{"event":1}{"event":2"#.to_owned(), (6, 1), vec!["1"]),
        ("event", r#"{"event":1},"#.to_owned(), (6, 1), vec!["1"]),
        ("event", format!(r#"{{"event":1}}{{"event":"{long}"}}"#), (6, 1), vec!["1"]),
        ("raw", format!("a\nb\n{long}\nc\n"), (6, 2), vec!["a", "b"]),
        ("raw", format!("a\n{long}"), (6, 1), vec!["a"]),
    ] {
        let inbox = TestInbox::new(&[]);
        let server = Server::start(inbox.clone(), options).await;
        for token in ["good", "ack"] {
            let answer = server.post(token, &format!("/services/collector/{target}"), &body).await;
            let (code, number) = expected;
            let end = format!(r#","code":{code},"invalid-event-number":{number}}}"#);
            assert_eq!(answer.status, 400, "{body}");
            assert!(answer.body.ends_with(&end), "{body}: {}", answer.body);
        }
        assert_eq!(inbox.texts(), stored.repeat(2), "{body}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_inflated() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let members = [gzip(r#"{"event":"on"#), gzip(""), gzip(r#"e"}{"event":2}"#)].concat();
    let damaged = {
        let mut bytes = gzip(r#"{"event":"x"}"#);
        let at = bytes.len() - 6;
        bytes[at] ^= 1;
        bytes
    };
    let format = 6;
    let cases: [(&str, Vec<u8>, u16, Option<u16>); 12] = [
        ("gzip", gzip(r#"{"event":"one"}"#), 200, Some(0)),
        ("GZIP", members.clone(), 200, Some(0)),
        ("x-gzip", members.clone(), 200, Some(0)),
        ("identity", r#"{"event":"one"}"#.into(), 200, Some(0)),
        ("gzip", Vec::new(), 400, Some(5)),
        ("gzip", gzip(""), 400, Some(5)),
        ("gzip", damaged, 400, Some(format)),
        ("gzip", members[..members.len() - 3].to_vec(), 400, Some(format)),
        ("gzip", [&members[..], b"rest"].concat(), 400, Some(format)),
        ("gzip", r#"{"event":"one"}"#.into(), 400, Some(format)),
        ("identity", gzip(r#"{"event":"one"}"#), 400, Some(format)),
        ("br", r#"{"event":"one"}"#.into(), 415, None),
    ];
    for (encoding, body, status, code) in cases {
        let headers = [("Authorization", "Splunk good"), ("Content-Encoding", encoding)];
        let answer = server.ask("POST", "/services/collector", &headers, body).await;
        assert_eq!(answer.status, status, "{encoding} {}", answer.body);
        let end = format!(r#""code":{}"#, code.unwrap_or(status));
        assert!(answer.body.contains(&end), "{encoding} {}", answer.body);
    }
    // Nothing of a damaged body is stored.
    assert_eq!(inbox.texts(), ["one", "one", "2", "one", "2", "one"]);
    server.stop().await;
}

/// A large request is stored in parts, each before more is read.
#[tokio::test(flavor = "multi_thread")]
async fn large_requests_are_stored_in_parts() {
    let mut options = options();
    options.part_bytes = 10_000;
    options.max_memory = 400_000;
    let lines: Vec<String> =
        (0..1000).map(|number| format!("{number} {}", "x".repeat(number % 90))).collect();
    let body = gzip(lines.join("\n"));
    let headers = [
        ("Authorization", "Splunk ack"),
        ("X-Splunk-Request-Channel", CHANNEL),
        ("Content-Encoding", "gzip"),
    ];
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let answer = server.ask("POST", "/services/collector/raw", &headers, &body).await;
    assert_eq!(answer.parts(), (200, r#"{"text":"Success","code":0,"ackId":0}"#));
    assert_eq!(inbox.texts(), lines);
    assert!((4..=6).contains(&inbox.commits().len()), "{}", inbox.commits().len());
    server.stop().await;

    // The third part fails: the answer tells what is stored.
    for step in [Step::Refuse(InboxError::Busy), Step::Fail(InboxError::Busy)] {
        let inbox = TestInbox::new(&[Step::Store, Step::Store, step]);
        let server = Server::start(inbox.clone(), options).await;
        let answer = server.ask("POST", "/services/collector/raw", &headers, &body).await;
        let stored = inbox.texts();
        assert_eq!((inbox.commits().len(), inbox.appended()), (2, 3));
        assert_eq!(stored, lines[..stored.len()]);
        let expected = format!(
            r#"{{"text":"Server is busy","code":9,"invalid-event-number":{}}}"#,
            stored.len()
        );
        assert_eq!(answer.parts(), (503, expected.as_str()));
        // No acknowledgement is left behind.
        let target = "/services/collector/ack";
        let answer = server.ask("POST", target, &headers[..2], r#"{"acks":[0]}"#).await;
        assert_eq!(answer.body, r#"{"acks":{"0":false}}"#);
        server.stop().await;
    }
}

/// A batch has a limit of its own; what does not fit it comes into the next part.
#[tokio::test(flavor = "multi_thread")]
async fn large_events() {
    let mut options = options();
    options.part_bytes = usize::MAX;
    options.max_event = usize::MAX;
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let most = spilltrail_lake::MAX_BATCH_BYTES;
    let lines = [most / 2, most / 2, 1, most - 4].map(|length| "x".repeat(length));
    let raw = "/services/collector/raw";
    assert_eq!(server.post("good", raw, lines.join("\n")).await.status, 200);
    let lengths = |commit: Vec<Kept>| commit.iter().map(|kept| kept.raw.len()).collect::<Vec<_>>();
    let commits: Vec<_> = inbox.commits().into_iter().map(lengths).collect();
    assert_eq!(commits, [vec![most / 2], vec![most / 2, 1], vec![most - 4]]);
    // With its head, it is longer than a batch.
    let answer = server.post("good", raw, format!("x\n{}", "x".repeat(most))).await;
    let expected = r#"{"text":"Invalid data format","code":6,"invalid-event-number":1}"#;
    assert_eq!(answer.parts(), (400, expected));
    assert_eq!(inbox.commits().len(), 4);
    server.stop().await;
}

/// Each origin is a batch; a request with very many is stored in parts.
#[tokio::test(flavor = "multi_thread")]
async fn many_origins() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let body: String =
        (0..2500).map(|n| format!(r#"{{"event":{n},"host":"h{}"}}"#, n % 1250)).collect();
    assert_eq!(server.post("good", "/services/collector", body).await.status, 200);
    let mut numbers: Vec<u64> = inbox.texts().iter().map(|text| text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2500).collect::<Vec<u64>>());
    assert_eq!(inbox.commits().len(), 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_stored() {
    let inbox = TestInbox::new(&[Step::Hold, Step::Fail(InboxError::Full)]);
    let server = Server::start(inbox.clone(), options()).await;
    let event = r#"{"event":1}"#;
    let post = async |target: &str| server.post("ack", target, event).await.body;
    let ask = async |ids: &str| {
        let body = format!(r#"{{"acks":[{ids}]}}"#);
        server.post("ack", "/services/collector/ack", body).await.body
    };
    for number in 0..3 {
        let target = ["/services/collector", "/services/collector/raw"][number % 2];
        let expected = format!(r#"{{"text":"Success","code":0,"ackId":{number}}}"#);
        assert_eq!(post(target).await, expected);
    }
    // The first waits, the second failed, the third is stored.
    assert_eq!(ask("0,1,2").await, r#"{"acks":{"0":false,"1":false,"2":true}}"#);
    inbox.release();
    // Whoever else waits for the answer may get it first.
    while ask("0,0").await != r#"{"acks":{"0":true}}"# {}
    assert_eq!(ask("0,1,2,77").await, r#"{"acks":{"0":false,"1":false,"2":false,"77":false}}"#);
    assert_eq!(ask("").await, r#"{"acks":{}}"#);
    // Another channel, named in the query, counts from 0.
    let target = "/services/collector?channel=00000000-0000-0000-0000-000000000001";
    let headers = [("Authorization", "Splunk ack")];
    let answer = server.ask("POST", target, &headers, event).await;
    assert_eq!(answer.body, r#"{"text":"Success","code":0,"ackId":0}"#);
    server.stop().await;
}

/// Without acknowledgement, the answer waits for the disk.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_waits_for_the_disk() {
    let inbox = TestInbox::new(&[Step::Hold]);
    let server = Server::start(inbox.clone(), options()).await;
    let mut asked = Box::pin(server.post("good", "/services/collector", r#"{"event":1}"#));
    while inbox.appended() == 0 {
        assert!((&mut asked).now_or_never().is_none(), "nothing is stored yet");
        tokio::task::yield_now().await;
    }
    assert!((&mut asked).now_or_never().is_none(), "the answer came before the disk");
    inbox.release();
    assert_eq!(asked.await.status, 200);
    assert_eq!(inbox.texts(), ["1"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_and_refused_is_counted() {
    let inbox = TestInbox::new(&[Step::Store, Step::Refuse(InboxError::Busy)]);
    let server = Server::start(inbox.clone(), options()).await;
    for (token, body, code) in
        [("good", "a\nb\nc", 200), ("good", "d", 503), ("bad", "e", 403), ("ack", "f", 200)]
    {
        let answer = server.post(token, "/services/collector/raw", body).await;
        assert_eq!(answer.status, code, "{body}");
    }
    let metrics = server.metrics.clone();
    server.stop().await;
    let text = metrics.text();
    for line in [
        "spilltrail_hec_requests_total{code=\"0\"} 2",
        "spilltrail_hec_requests_total{code=\"9\"} 1",
        "spilltrail_hec_requests_total{code=\"4\"} 1",
        "spilltrail_hec_events_total 4",
        "spilltrail_hec_commits_total 2",
        "spilltrail_hec_commits_refused_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

/// Also if nobody asks whether it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_success_is_told() {
    const TOLD: &str = "spilltrail_last_success_timestamp_seconds{task=\"receive\"} 1700000000.0";
    const REFUSED: &str = "spilltrail_hec_commits_refused_total 1";
    for (token, steps, expected) in [
        ("good", vec![Step::Store], &[TOLD][..]),
        ("good", vec![Step::Fail(InboxError::Full)], &[REFUSED]),
        ("good", vec![Step::Refuse(InboxError::Full)], &[REFUSED]),
        ("ack", vec![Step::Store], &[TOLD]),
        ("ack", vec![Step::Hold], &[TOLD]),
        ("ack", vec![Step::Fail(InboxError::Full), Step::Store], &[REFUSED, TOLD]),
    ] {
        let inbox = TestInbox::new(&steps);
        let server = Server::start(inbox.clone(), options()).await;
        let has = |line| server.metrics.text().lines().any(|found| found == line);
        for step in &steps {
            assert!(!has(TOLD), "{step:?}");
            server.post(token, "/services/collector/raw", "a").await;
        }
        inbox.release();
        let told = async {
            while !expected.iter().all(|line| has(line)) {
                tokio::task::yield_now().await;
            }
        };
        let told = tokio::time::timeout(std::time::Duration::from_mins(1), told).await;
        assert!(told.is_ok(), "{token} {steps:?}\n{}", server.metrics.text());
        assert_eq!(has(TOLD), expected.contains(&TOLD), "{token} {steps:?}");
        server.stop().await;
    }
}

/// A failure of the server is in the log, under the id that the answer has.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_found_by_its_id() {
    log::keep();
    let broken = || InboxError::Failed("the disk is broken".to_owned());
    for (step, expected) in [
        (Step::Refuse(broken()), "the disk is broken"),
        (Step::Fail(broken()), "the disk is broken"),
        (Step::Panic, "a panic"),
    ] {
        let server = Server::start(TestInbox::new(std::slice::from_ref(&step)), options()).await;
        let answer = server.post("good", "/services/collector/raw", "a").await;
        assert_eq!(answer.status, 500, "{step:?}");
        let lines = log::lines(answer.header("x-request-id").unwrap());
        assert_eq!(lines.len(), 1, "{step:?} {lines:?}");
        assert!(lines[0].starts_with("ERROR: ") && lines[0].contains(expected), "{lines:?}");
        let text = server.metrics.text();
        assert!(text.contains("spilltrail_hec_requests_total{code=\"8\"} 1"), "{text}");
        server.stop().await;
    }
}

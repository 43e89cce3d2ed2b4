//! The requests that known senders make, in the forms that they make them.

use crate::client::{CHANNEL, Server, gzip, options};
use crate::store::TestInbox;

/// A request of a sender, and the answer that it needs.
struct Step<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Vec<u8>,
    expected: (u16, &'a str),
}

async fn check(steps: &[Step<'_>], stored: &[&str]) {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    for Step { method, target, headers, body, expected } in steps {
        let answer = server.ask(method, target, headers, body).await;
        assert_eq!(answer.parts(), *expected, "{method} {target}");
    }
    assert_eq!(inbox.texts(), stored);
    server.stop().await;
}

const ACK: (&str, &str) = ("Authorization", "Splunk ack");
const GOOD: (&str, &str) = ("Authorization", "Splunk good");
const CHANNEL_HEADER: (&str, &str) = ("X-Splunk-Request-Channel", CHANNEL);
const SUCCESS: (u16, &str) = (200, r#"{"text":"Success","code":0}"#);

/// Health first, then batches with gzip, and a question about each until it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn vector() {
    let json = ("Content-Type", "application/json");
    let batch = |first| {
        gzip(format!(
            r#"{{"event":"{first}","fields":{{}},"time":1680000000.123,"host":"h"}}{{"event":{{"message":"b"}},"time":1680000001,"sourcetype":"s"}}"#
        ))
    };
    let post = [ACK, CHANNEL_HEADER, json, ("Content-Encoding", "gzip")];
    let ask = [ACK, CHANNEL_HEADER, json];
    let step = |target, headers, body, expected| Step {
        method: "POST",
        target,
        headers,
        body,
        expected: (200, expected),
    };
    let event = "/services/collector/event";
    let ack = "/services/collector/ack";
    check(
        &[
            Step {
                method: "GET",
                target: "/services/collector/health/1.0",
                headers: &[ACK],
                body: vec![],
                expected: (200, r#"{"text":"HEC is healthy","code":17}"#),
            },
            step(event, &post, batch("a"), r#"{"text":"Success","code":0,"ackId":0}"#),
            step(event, &post, batch("c"), r#"{"text":"Success","code":0,"ackId":1}"#),
            step(ack, &ask, br#"{"acks":[0,1]}"#.into(), r#"{"acks":{"0":true,"1":true}}"#),
        ],
        &["a", r#"{"message":"b"}"#, "c", r#"{"message":"b"}"#],
    )
    .await;
}

/// Stacked objects with gzip, or lines with a channel; a token as a header or as a password.
#[tokio::test(flavor = "multi_thread")]
async fn fluent_bit() {
    let agent = ("User-Agent", "Fluent-Bit");
    let encoding = ("Content-Encoding", "gzip");
    // The word is `splunk:good`.
    let basic = ("Authorization", "Basic c3BsdW5rOmdvb2Q=");
    let events = br#"{"time":1680000000.5,"event":{"log":"one"}}{"time":1680000000.6,"event":{"log":"two"}}"#;
    let step =
        |target, headers, body| Step { method: "POST", target, headers, body, expected: SUCCESS };
    check(
        &[
            step("/services/collector/event", &[agent, GOOD, encoding], gzip(events)),
            step("/services/collector/event", &[agent, basic], events.to_vec()),
            step("/services/collector/raw", &[agent, GOOD, CHANNEL_HEADER], b"a\nb\n".into()),
        ],
        &[r#"{"log":"one"}"#, r#"{"log":"two"}"#, r#"{"log":"one"}"#, r#"{"log":"two"}"#, "a", "b"],
    )
    .await;
}

/// Objects with sorted keys, one after the other, under the content type of a form or none.
#[tokio::test(flavor = "multi_thread")]
async fn splunk_handler() {
    let body = br#"{"event": "one", "host": "h", "index": "main", "source": "s.py", "sourcetype": "text", "time": "1680000000.25"}{"event": "two", "host": "h", "index": "main", "source": "s.py", "sourcetype": "text", "time": "1680000000.5"}"#;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let step = |headers| Step {
        method: "POST",
        target: "/services/collector/event",
        headers,
        body: body.to_vec(),
        expected: SUCCESS,
    };
    check(&[step(&[GOOD]), step(&[GOOD, form])], &["one", "two", "one", "two"]).await;
}

/// An empty probe that must be told so, then lines with a channel in the query and in the header.
#[tokio::test(flavor = "multi_thread")]
async fn firehose() {
    let step = |target, body: &str, expected| Step {
        method: "POST",
        target,
        headers: &[ACK, CHANNEL_HEADER],
        body: body.into(),
        expected,
    };
    let raw = "/services/collector/raw?channel=FE0ECFAD-13D5-401B-847D-77833BD77131";
    let ack = "/services/collector/ack?channel=FE0ECFAD-13D5-401B-847D-77833BD77131";
    let records = r#"{"Records":[{"eventName":"A"},{"eventName":"B"}]}"#;
    check(
        &[
            step("/services/collector/event", "", (400, r#"{"text":"No data","code":5}"#)),
            step(raw, records, (200, r#"{"text":"Success","code":0,"ackId":0}"#)),
            step(ack, r#"{"acks":[0]}"#, (200, r#"{"acks":{"0":true}}"#)),
            step(ack, r#"{"acks":[0]}"#, (200, r#"{"acks":{"0":false}}"#)),
        ],
        &[records],
    )
    .await;
}

/// The path without an end, with gzip; it asks for health first, without a token.
#[tokio::test(flavor = "multi_thread")]
async fn open_telemetry() {
    let headers =
        [GOOD, ("Content-Encoding", "gzip"), ("__splunk_app_name", "OpenTelemetry Collector")];
    let body = "{\"time\":1680000000.5,\"host\":\"h\",\"source\":\"otel\",\"event\":\"one\",\"fields\":{\"a\":[\"b\"]}}\r\n\r\n{\"event\":true}\r\n\r\n";
    check(
        &[
            Step {
                method: "GET",
                target: "/services/collector/health",
                headers: &[],
                body: vec![],
                expected: (200, r#"{"text":"HEC is healthy","code":17}"#),
            },
            Step {
                method: "POST",
                target: "/services/collector",
                headers: &headers,
                body: gzip(body),
                expected: SUCCESS,
            },
        ],
        &["one", "true"],
    )
    .await;
}

/// A whole file in one request to a test server, and a question about it.
#[tokio::test(flavor = "multi_thread")]
async fn contentctl_and_attack_data() {
    let target = "/services/collector/raw?index=test&source=aws_cloudtrail&sourcetype=aws%3Acloudtrail&host=CONTENTCTL_HOST";
    let step = |target, body: &str, expected| Step {
        method: "POST",
        target,
        headers: &[ACK, CHANNEL_HEADER],
        body: body.into(),
        expected: (200, expected),
    };
    check(
        &[
            step(target, "{\"a\":1}\n{\"a\":2}\n", r#"{"text":"Success","code":0,"ackId":0}"#),
            step("/services/collector/ack", r#"{"acks": [0]}"#, r#"{"acks":{"0":true}}"#),
        ],
        &[r#"{"a":1}"#, r#"{"a":2}"#],
    )
    .await;
}

//! Whatever comes, the server answers that it is wrong or closes the connection: never that it failed
//! itself, and nothing of it is stored.

use fastrand::Rng;

use crate::client::{CHANNEL, Server, gzip, options};
use crate::store::TestInbox;

/// The number of requests; each is made from its own seed, which a failure names.
const REQUESTS: u64 = 10_000;

/// The requests that are sent at the same time.
const TOGETHER: u64 = 16;

fn pick<'a>(random: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[random.usize(0..choices.len())]
}

fn noise(random: &mut Rng, most: usize) -> Vec<u8> {
    let length = random.usize(0..most);
    (0..length).map(|_| random.u8(..)).collect()
}

/// Changes some bytes.
fn damaged(random: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.usize(1..6) {
        let at = random.usize(0..=bytes.len());
        match random.u8(0..4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.u8(..)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// A request to take events from someone who may send, whose first event is wrong.
fn wrong_events(random: &mut Rng) -> Vec<u8> {
    let object = [
        "{}",
        "{\"event\":}",
        "{\"event\":null}",
        "{\"event\":\"\"}",
        "{\"event\":1,\"time\":\"x\"}",
        "{\"event\":1,\"index\":\"A\"}",
        "{\"event\":1,\"fields\":{\"a\":{}}}",
        "[1]",
        "[}",
        "{",
        "]",
        "\"",
        "{\"event\":\"\\ud800\"}",
        "nul",
        "\u{feff}{\"event\":1}",
        "{\"event\":1,\"host\":{}}",
        "",
    ];
    let mut body = pick(random, &object).as_bytes().to_vec();
    if random.bool() {
        body.extend_from_slice(b"{\"event\":\"later\"}");
        if body == b"{\"event\":\"later\"}" {
            body.insert(0, b',');
        }
    }
    let mut encoding = "identity";
    if random.bool() {
        (body, encoding) = (gzip(&body), "gzip");
        if random.bool() {
            body.truncate(random.usize(0..body.len()));
        }
    }
    request(random, "/services/collector/event", encoding, &body)
}

/// A request from someone who may not send, or to a wrong place, whose head may be anything.
fn wrong_request(random: &mut Rng) -> Vec<u8> {
    let method =
        pick(random, &["POST", "GET", "PUT", "post", "", "\0", "OPTIONS", "CONNECT", "PRI"]);
    let path = pick(
        random,
        &[
            "/services/collector",
            "/services/collector/raw",
            "/services/collector/ack",
            "/",
            "*",
            "",
            "/services/collector/%ff",
            "//services//collector",
            "/services/collector/../x",
            "http://x/y",
            "/services/collector/health",
            "/services/collector?token=%",
            "/services/collector?\u{e9}",
        ],
    );
    let version = pick(random, &["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "", "HTTP/1.1\0"]);
    let mut head = format!("{method} {path} {version}\r\n").into_bytes();
    for _ in 0..random.usize(0..6) {
        let line = pick(
            random,
            &[
                "Host: x",
                "Authorization: Splunk bad",
                "Authorization: Basic",
                "Authorization:",
                "Authorization: Basic Og==",
                "Authorization: \u{e9}",
                "Content-Length: -1",
                "Content-Length: 99999999999999999999",
                "Content-Length: 5",
                "Transfer-Encoding: chunked",
                "Transfer-Encoding: gzip",
                "Content-Encoding: gzip, gzip",
                "Content-Encoding: \u{e9}",
                "X-Splunk-Request-Channel: \u{e9}",
                "Expect: 100-continue",
                "Connection: upgrade",
                "Upgrade: h2c",
                ": x",
                "no colon",
                " folded",
                "X: \0",
            ],
        );
        head.extend_from_slice(line.as_bytes());
        head.extend_from_slice(pick(random, &["\r\n", "\r\n", "\r\n", "\n", "\r"]).as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head.extend(noise(random, 50));
    head
}

fn request(random: &mut Rng, target: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let token = pick(random, &["good", "ack", "aws"]);
    let mut bytes = format!(
        "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Splunk {token}\r\n\
         X-Splunk-Request-Channel: {CHANNEL}\r\nContent-Encoding: {encoding}\r\n"
    )
    .into_bytes();
    if random.bool() {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
    } else {
        bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        for chunk in body.chunks(random.usize(1..20)) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(
            pick(random, &["0\r\n\r\n", "0\r\n\r\n", "x\r\n", "-1\r\n"]).as_bytes(),
        );
    }
    bytes
}

/// A request that takes no events, but asks for acknowledgements, with anything as its body.
fn wrong_ack(random: &mut Rng) -> Vec<u8> {
    let bodies = [
        "{",
        "[]",
        "{\"acks\":{}}",
        "{\"acks\":[-1]}",
        "{\"acks\":[1e99]}",
        "{\"acks\":[\"0\"]}",
        "null",
        "{\"acks\":[18446744073709551616]}",
        "{\"acks\":null}",
        "{\"acks\":[[0]]}",
        "{\"acks\":[0]}x",
        "0",
    ];
    let body = pick(random, &bodies).as_bytes().to_vec();
    request(random, "/services/collector/ack", "identity", &body)
}

fn make(seed: u64) -> Vec<u8> {
    let random = &mut Rng::with_seed(seed);
    match random.u8(0..8) {
        0 => noise(random, 200),
        1 | 2 => wrong_request(random),
        3 => {
            let request = wrong_request(random);
            damaged(random, request)
        }
        4 => wrong_ack(random),
        _ => wrong_events(random),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let (mut answered, mut told) = (0, 0);
    for first in (0..REQUESTS).step_by(TOGETHER as usize) {
        let sent = (first..first + TOGETHER).map(async |seed| {
            let request = make(seed);
            (seed, ended(&server, &request).await)
        });
        for (seed, answer) in futures::future::join_all(sent).await {
            let Some(answer) = answer else { continue };
            answered += 1;
            told += u64::from(answer.body.starts_with("{\"text\""));
            // Asking for health, or for what may be asked for, is nothing wrong.
            let is_fine = answer.status < 500;
            assert!(is_fine, "seed {seed}: {answer:?} to {:?}", text(&make(seed)));
        }
    }
    assert_eq!(inbox.texts(), [""; 0]);
    // Most of them reached the collector.
    assert!(answered > REQUESTS * 6 / 10 && told > REQUESTS / 2, "{answered} {told}");
    assert_eq!(server.post("good", "/services/collector", "{\"event\":1}").await.status, 200);
    server.stop().await;
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Sends a request, and ends it there, so that nobody waits for more.
async fn ended(server: &Server, request: &[u8]) -> Option<crate::client::Answer> {
    use tokio::io::AsyncWriteExt;
    let mut stream = server.connect().await;
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    crate::client::answer(&mut stream).await
}

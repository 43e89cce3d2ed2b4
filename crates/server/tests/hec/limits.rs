//! Limits: sizes, bombs, slow senders, many of them, and the end of the server.

use std::time::Duration;

use futures::FutureExt;
use spilltrail_server::ServeOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Server, answer, gzip, head, options, parsed};
use crate::store::{Step, TestInbox};

const RAW: &str = "/services/collector/raw";
const GOOD: (&str, &str) = ("Authorization", "Splunk good");

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_largest_size() {
    let mut options = options();
    options.body.max_bytes = 1000;
    options.body.max_inflated = 100_000;
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let large = (413, r#"{"text":"The request is too large","code":413}"#);
    let ask = async |body: &[u8], encoding: &str| {
        server.ask("POST", RAW, &[GOOD, ("Content-Encoding", encoding)], body).await
    };
    assert_eq!(ask(&[b'x'; 1000], "identity").await.status, 200);
    assert_eq!(ask(&[b'x'; 1001], "identity").await.parts(), large);
    assert_eq!(ask(&gzip("x\n".repeat(50_000)), "gzip").await.status, 200);
    assert_eq!(ask(&gzip("x\n".repeat(50_001)), "gzip").await.parts(), large);
    // A file of a bucket that is sent as it is.
    let untold = async |body: &[u8]| server.ask("POST", RAW, &[GOOD], body).await;
    assert_eq!(untold(&gzip("x\n".repeat(50_000))).await.status, 200);
    assert_eq!(untold(&gzip("x\n".repeat(50_001))).await.parts(), large);
    // Without a length in front.
    let chunk = format!("200\r\n{}\r\n", "x".repeat(0x200));
    let chunked = |chunks| {
        let head = head("POST", RAW, &[GOOD, ("Transfer-Encoding", "chunked")]);
        format!("{head}\r\n{}0\r\n\r\n", chunk.repeat(chunks))
    };
    assert_eq!(server.send(chunked(1).as_bytes()).await.unwrap().status, 200);
    assert_eq!(server.send(chunked(2).as_bytes()).await.unwrap().parts(), large);
    // Whoever may not send is told that, however large the body is.
    let target = "/services/collector";
    assert_eq!(server.ask("POST", target, &[], [b'x'; 2000]).await.status, 401);
    assert_eq!(inbox.appended(), 4);
    server.stop().await;
}

/// A megabyte that inflates to a gigabyte ends early, whatever it inflates to, and takes little memory.
#[tokio::test(flavor = "multi_thread")]
async fn bombs() {
    let mut options = options();
    options.body.max_inflated = 8 << 20;
    options.max_event = 1 << 20;
    options.part_bytes = 1 << 20;
    options.max_memory = 8 << 20;
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let headers = [GOOD, ("Content-Encoding", "gzip")];
    let many = |text: &str| gzip(text.repeat((16 << 20) / text.len()));
    for (target, body, status, code) in [
        (RAW, many("\n"), 413, 413),
        (RAW, many("0"), 400, 6),
        ("/services/collector", many(" "), 413, 413),
        ("/services/collector", many("["), 400, 6),
        ("/services/collector", many("{"), 400, 6),
        ("/services/collector", many(r#"{"a":"#), 400, 6),
        ("/services/collector", many("{}"), 400, 12),
    ] {
        let answer = server.ask("POST", target, &headers, body).await;
        let code = format!(r#""code":{code}"#);
        assert!(answer.status == status && answer.body.contains(&code), "{target} {}", answer.body);
    }
    assert_eq!(inbox.appended(), 0);
    server.stop().await;
}

/// All requests share the memory for what they read.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_shared() {
    let mut options = options();
    options.max_memory = 100_000;
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let busy = (503, r#"{"text":"Server is busy","code":9}"#);
    assert_eq!(server.post("good", RAW, "x\n".repeat(20_000)).await.status, 200);
    assert_eq!(server.post("good", RAW, "x\n".repeat(80_000)).await.parts(), busy);
    // It is given back.
    assert_eq!(server.post("good", RAW, "x\n".repeat(20_000)).await.status, 200);
    assert_eq!(inbox.appended(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders() {
    let mut options = options();
    options.body.patience = Duration::from_millis(50);
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options).await;
    let slow = (408, r#"{"text":"The request came too slowly","code":408}"#);
    for body in ["", "one\n", "one\ntwo\nthr"] {
        let head = head("POST", RAW, &[GOOD, ("Content-Length", "100")]);
        let answer = server.send(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        assert_eq!(answer.parts(), slow);
    }
    assert_eq!(inbox.appended(), 0);
    server.stop().await;
}

/// A head that does not come ends the connection.
#[tokio::test(flavor = "multi_thread")]
async fn slow_heads() {
    let serving =
        ServeOptions { head_patience: Duration::from_millis(50), ..ServeOptions::default() };
    let server = Server::start_with(TestInbox::new(&[]), options(), serving).await;
    for head in ["", "POST /services/coll", "POST /services/collector HTTP/1.1\r\nHost: x\r\n"] {
        let answer = server.send(head.as_bytes()).await;
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 408), "{head:?} {answer:?}");
    }
    server.stop().await;
}

/// So does one that is used again, and has nothing to say.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections() {
    let serving =
        ServeOptions { head_patience: Duration::from_millis(50), ..ServeOptions::default() };
    let server = Server::start_with(TestInbox::new(&[]), options(), serving).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /services/collector/health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = answer(&mut stream).await.unwrap();
    assert_eq!(answer.status, 200);
    server.stop().await;
}

/// A client that reads nothing of its answer loses its connection, and another one gets the place.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_nothing() {
    const BYTES: usize = 64 << 20;
    let serving = ServeOptions {
        max_connections: 1,
        write_patience: Duration::from_millis(50),
        ..ServeOptions::default()
    };
    let large = || async { axum::body::Body::from(vec![b'x'; BYTES]) };
    let router = spilltrail_server::Router::new().route("/large", axum::routing::get(large));
    let server = Server::of(router, serving).await;
    let request = b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut silent = server.connect().await;
    silent.write_all(request).await.unwrap();
    let mut next = server.connect().await;
    next.write_all(request).await.unwrap();
    let answer = tokio::time::timeout(Duration::from_mins(1), answer(&mut next));
    let answer = answer.await.expect("the first connection ends").unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, BYTES));
    drop(silent);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_are_limited() {
    let mut options = options();
    options.max_requests = 1;
    let inbox = TestInbox::new(&[Step::Hold]);
    let server = Server::start(inbox.clone(), options).await;
    let mut first = Box::pin(server.post("good", RAW, "one"));
    while inbox.appended() == 0 {
        assert!((&mut first).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let busy = (503, r#"{"text":"Server is busy","code":9}"#);
    assert_eq!(server.post("good", RAW, "two").await.parts(), busy);
    // Health is told at any time, and who is refused is told so.
    let health = server.ask("GET", "/services/collector/health", &[], "").await;
    assert_eq!(health.status, 200);
    assert_eq!(server.post("bad", RAW, "x").await.status, 403);
    inbox.release();
    assert_eq!(first.await.status, 200);
    assert_eq!(server.post("good", RAW, "two").await.status, 200);
    assert_eq!(inbox.texts(), ["one", "two"]);
    server.stop().await;
}

/// Further connections wait until one ends.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_limited() {
    let serving = ServeOptions { max_connections: 1, ..ServeOptions::default() };
    let server = Server::start_with(TestInbox::new(&[]), options(), serving).await;
    let ask = async |stream: &mut TcpStream| {
        let request = b"GET /services/collector/health HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut bytes = [0; 12];
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"HTTP/1.1 200");
    };
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    // It has an answer, so that it has the only place.
    ask(&mut first).await;
    let mut waits = Box::pin(ask(&mut second));
    for _ in 0..100 {
        assert!((&mut waits).now_or_never().is_none(), "two are served");
        tokio::task::yield_now().await;
    }
    drop(first);
    waits.await;
    server.stop().await;
}

/// An address that opens many connections and says nothing has others beside it.
#[tokio::test(flavor = "multi_thread")]
async fn connections_of_an_address_are_limited() {
    let serving = ServeOptions { max_of_address: 1, ..ServeOptions::default() };
    let server = Server::start_with(TestInbox::new(&[]), options(), serving).await;
    let request = b"GET /services/collector/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = server.connect().await;
    first.write_all(request).await.unwrap();
    let mut bytes = [0; 12];
    first.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 200");
    let mut second = server.connect().await;
    let _ = second.write_all(request).await;
    let mut answer = Vec::new();
    let _ = second.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "a second one is closed");
    server.stop().await;
}

/// A request under way ends before the server does, and nothing new is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_its_requests() {
    let inbox = TestInbox::new(&[Step::Hold]);
    let server = Server::start(inbox.clone(), options()).await;
    let mut stream = server.connect().await;
    let head = head("POST", RAW, &[GOOD, ("Content-Length", "3")]);
    stream.write_all(format!("{head}\r\none").as_bytes()).await.unwrap();
    while inbox.appended() == 0 {
        tokio::task::yield_now().await;
    }
    let address = server.address;
    let mut stopped = Box::pin(server.stop());
    while TcpStream::connect(address).await.is_ok() {
        assert!((&mut stopped).now_or_never().is_none(), "a request is under way");
    }
    inbox.release();
    assert_eq!(answer(&mut stream).await.unwrap().status, 200);
    stopped.await;
    assert_eq!(inbox.texts(), ["one"]);
}

/// A connection is used again after answers of every kind.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again() {
    let server = Server::start(TestInbox::new(&[]), options()).await;
    let mut stream = server.connect().await;
    for (authorization, target, body, status) in [
        ("Splunk good", RAW, "x", 200),
        ("Splunk bad", RAW, "xxxxxxxxxxxxxxxxx", 403),
        ("Splunk good", "/services/collector", "x{}{}{}{}", 400),
        ("Splunk good", "/nothing", "", 404),
        ("Splunk good", RAW, "", 400),
        ("Splunk good", RAW, "x", 200),
    ] {
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let found = loop {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "{target} {body}");
            let Some(found) = parsed(&bytes) else { continue };
            let length: usize = found.header("Content-Length").unwrap().parse().unwrap();
            if found.body.len() == length {
                break found;
            }
        };
        assert_eq!(found.status, status, "{target} {body}");
    }
    server.stop().await;
}

/// Whoever asks before it sends a body is told to go on, or that it need not.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_asked_for() {
    let server = Server::start(TestInbox::new(&[]), options()).await;
    let request = |authorization| {
        let headers = [("Authorization", authorization), ("Expect", "100-continue")];
        format!("{}Content-Length: 3\r\n\r\n", head("POST", RAW, &headers))
    };
    let mut stream = server.connect().await;
    stream.write_all(request("Splunk good").as_bytes()).await.unwrap();
    let mut bytes = [0; 25];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"one").await.unwrap();
    assert_eq!(answer(&mut stream).await.unwrap().status, 200);
    let mut stream = server.connect().await;
    stream.write_all(request("Splunk bad").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.unwrap().status, 403);
    server.stop().await;
}

//! Every code of the protocol, with its status and text. The table is that of Splunk's page
//! "Troubleshoot HTTP Event Collector".

use axum::body::Body;
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use spilltrail_server::hec::InboxError;
use spilltrail_server::{ClientAddress, RefusalReason};

use crate::client::{CHANNEL, Server, options};
use crate::store::{Step, TestInbox};

const SUCCESS: &str = r#"{"text":"Success","code":0}"#;
const NO_DATA: &str = r#"{"text":"No data","code":5}"#;
const NOT_FOUND: &str = r#"{"text":"The requested URL was not found on this server.","code":404}"#;

/// A request that fails, and with what.
struct Case<'a> {
    method: &'a str,
    target: &'a str,
    authorization: &'a str,
    channel: &'a str,
    body: &'a str,
    expected: (u16, &'a str),
}

/// Something good to post.
const POST: Case<'static> = Case {
    method: "POST",
    target: "/services/collector",
    authorization: "Splunk good",
    channel: "",
    body: r#"{"event":"e"}"#,
    expected: (200, SUCCESS),
};

async fn check(server: &Server, case: &Case<'_>) {
    let mut headers = Vec::new();
    if !case.authorization.is_empty() {
        headers.push(("Authorization", case.authorization));
    }
    if !case.channel.is_empty() {
        headers.push(("X-Splunk-Request-Channel", case.channel));
    }
    let answer = server.ask(case.method, case.target, &headers, case.body).await;
    let Case { method, target, authorization, channel, body, .. } = case;
    let shown = format!("{method} {target} {authorization:?} {channel:?} {body:?}");
    assert_eq!(answer.parts(), case.expected, "{shown}");
    let content_type = answer.header("Content-Type");
    assert_eq!(content_type, Some("application/json; charset=UTF-8"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_wrong() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let raw = "/services/collector/raw";
    let ack = "/services/collector/ack";
    let health = "/services/collector/health";
    let required = r#"{"text":"Token is required","code":2}"#;
    let invalid = r#"{"text":"Invalid authorization","code":3}"#;
    let unknown = r#"{"text":"Invalid token","code":4}"#;
    let in_query = r#"{"text":"Query string authorization is not enabled","code":16}"#;
    let no_channel = r#"{"text":"Data channel is missing","code":10}"#;
    let bad_channel = r#"{"text":"Invalid data channel","code":11}"#;
    let healthy = r#"{"text":"HEC is healthy","code":17}"#;
    let of_event = |text: &str, code: u16, number: u64| {
        format!(r#"{{"text":"{text}","code":{code},"invalid-event-number":{number}}}"#)
    };
    let format = of_event("Invalid data format", 6, 0);
    let index = of_event("Incorrect index", 7, 0);
    let missing = of_event("Event field is required", 12, 0);
    let blank = of_event("Event field cannot be blank", 13, 0);
    let fields = of_event("Error in handling indexed fields", 15, 0);
    let body = |body, expected| Case { body, expected: (400, expected), ..POST };
    let auth = |authorization, status, expected| Case {
        authorization,
        expected: (status, expected),
        ..POST
    };
    let cases = [
        // 1 to 4, and 16.
        auth("Splunk off", 403, r#"{"text":"Token disabled","code":1}"#),
        auth("", 401, required),
        auth("Bearer good", 401, invalid),
        auth("splunk good", 401, invalid),
        auth("Basic bad", 401, invalid),
        auth("Splunk bad", 403, unknown),
        // The word is `x:bad`.
        auth("Basic eDpiYWQ=", 403, unknown),
        Case { target: "/services/collector?token=good", ..auth("", 400, in_query) },
        Case { target: "/services/collector?token=good", ..auth("Splunk good", 400, in_query) },
        Case { target: "/services/collector?token=bad", ..auth("", 403, unknown) },
        Case { target: raw, ..auth("", 401, required) },
        Case { target: ack, ..auth("", 401, required) },
        Case { target: ack, ..auth("Splunk bad", 403, unknown) },
        // 5.
        body("", NO_DATA),
        body(" \n ", NO_DATA),
        body("[]", NO_DATA),
        Case { target: raw, ..body("", NO_DATA) },
        Case { target: raw, ..body("\r\n \n", NO_DATA) },
        Case { target: ack, authorization: "Splunk ack", channel: CHANNEL, ..body("", NO_DATA) },
        // 6.
        body("x", &format),
        body("{", &format),
        body(r#"{"event":"#, &format),
        body(r#"{"event":1,"time":"soon"}"#, &format),
        body(r#"{"event":1,"time":1680000000000}"#, &format),
        body(r#"{"event":1,"fields":[1]}"#, &format),
        Case {
            target: "/services/collector/raw?time=soon",
            ..body("x", r#"{"text":"Invalid data format","code":6}"#)
        },
        Case {
            target: ack,
            authorization: "Splunk ack",
            channel: CHANNEL,
            ..body(r#"{"acks":0}"#, r#"{"text":"Invalid data format","code":6}"#)
        },
        // 7.
        body(r#"{"event":1,"index":"_internal"}"#, &index),
        body(r#"{"event":1,"index":"../x"}"#, &index),
        Case { authorization: "Splunk aws", ..body(r#"{"event":1,"index":"other"}"#, &index) },
        Case {
            target: "/services/collector/raw?index=Main",
            ..body("x", r#"{"text":"Incorrect index","code":7}"#)
        },
        // 10 and 11.
        Case { authorization: "Splunk ack", ..body(POST.body, no_channel) },
        Case { authorization: "Splunk ack", target: raw, ..body("x", no_channel) },
        Case { authorization: "Splunk ack", target: ack, ..body("x", no_channel) },
        Case { authorization: "Splunk ack", channel: "mine", ..body(POST.body, bad_channel) },
        Case {
            authorization: "Splunk ack",
            target: "/services/collector/raw?channel=1",
            ..body("x", bad_channel)
        },
        Case { authorization: "Splunk ack", target: ack, channel: "0", ..body("x", bad_channel) },
        // 12 and 13, 15.
        body("{}", &missing),
        body(r#"{"event":null}"#, &missing),
        body(r#"{"event":""}"#, &blank),
        body(r#"{"event":1,"fields":{"a":{"b":1}}}"#, &fields),
        // 14.
        Case { target: ack, ..body(r#"{"acks":[0]}"#, r#"{"text":"ACK is disabled","code":14}"#) },
        // 17, 21 and 22.
        Case { method: "GET", target: health, authorization: "", expected: (200, healthy), ..POST },
        Case {
            method: "GET",
            target: "/services/collector/health/1.0?ack=true&token=good",
            authorization: "",
            expected: (200, healthy),
            ..POST
        },
        Case {
            method: "GET",
            target: health,
            authorization: "Splunk bad",
            ..body("", r#"{"text":"Invalid token","code":21}"#)
        },
        Case {
            method: "GET",
            target: "/services/collector/health?token=bad",
            authorization: "",
            ..body("", r#"{"text":"Invalid token","code":21}"#)
        },
        Case {
            method: "GET",
            target: health,
            authorization: "Splunk off",
            ..body("", r#"{"text":"Token disabled","code":22}"#)
        },
        // Outside of the protocol.
        Case { target: "/services/collector/none", expected: (404, NOT_FOUND), ..POST },
        Case { target: "/services/collector/event/2.0", expected: (404, NOT_FOUND), ..POST },
        Case { target: "/", expected: (404, NOT_FOUND), ..POST },
        Case { method: "GET", target: "/Services/Collector", expected: (404, NOT_FOUND), ..POST },
    ];
    for case in cases {
        check(&server, &case).await;
    }
    assert_eq!(inbox.appended(), 0, "nothing was stored");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_right() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    let cases = [
        POST,
        Case { target: "/services/collector/", ..POST },
        Case { target: "/services/collector/event", ..POST },
        Case { target: "/services/collector/event/1.0", ..POST },
        Case { target: "/services/collector/event?auto_extract_timestamp=true", ..POST },
        Case { target: "/services/collector/raw", ..POST },
        Case { target: "/services/collector/raw/1.0?channel=x", ..POST },
        // The word is `x:good`.
        Case { authorization: "Basic eDpnb29k", ..POST },
        Case { target: "/services/collector?token=query", authorization: "", ..POST },
        // Without acknowledgement, nobody looks at the channel.
        Case { channel: "mine", ..POST },
        Case { authorization: "Splunk aws", body: r#"{"event":1,"index":"main"}"#, ..POST },
    ];
    let count = cases.len();
    for case in cases {
        check(&server, &case).await;
    }
    assert_eq!(inbox.kept().len(), count);
    let first = r#"{"text":"Success","code":0,"ackId":0}"#;
    let case = Case { authorization: "Splunk ack", expected: (200, first), ..POST };
    check(&server, &Case { channel: CHANNEL, ..case }).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods() {
    let inbox = TestInbox::new(&[]);
    let server = Server::start(inbox.clone(), options()).await;
    for (method, target, status, allow) in [
        ("GET", "/services/collector", 405, Some("POST, OPTIONS")),
        ("PUT", "/services/collector/event", 405, Some("POST, OPTIONS")),
        ("DELETE", "/services/collector/raw", 405, Some("POST, OPTIONS")),
        ("HEAD", "/services/collector/ack", 405, Some("POST, OPTIONS")),
        ("FANCY", "/services/collector/ack", 405, Some("POST, OPTIONS")),
        ("OPTIONS", "/services/collector/raw/1.0", 204, Some("POST, OPTIONS")),
        ("POST", "/services/collector/health", 405, Some("GET, HEAD, OPTIONS")),
        ("OPTIONS", "/services/collector/health", 204, Some("GET, HEAD, OPTIONS")),
        ("HEAD", "/services/collector/health", 200, None),
        ("OPTIONS", "/nothing", 404, None),
    ] {
        let answer = server.ask(method, target, &[("Authorization", "Splunk good")], "").await;
        assert_eq!((answer.status, answer.header("Allow")), (status, allow), "{method} {target}");
        let has_no_body = method == "HEAD" || status == 204;
        assert_eq!(answer.body.is_empty(), has_no_body, "{method} {target}");
    }
    assert_eq!(inbox.appended(), 0);
    server.stop().await;
}

/// What a store can do wrong: 8, 9, 18 and 23, at once or later. Nothing is acknowledged then.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails() {
    let failed = || InboxError::Failed("broken".into());
    let busy = (503, r#"{"text":"Server is busy","code":9}"#);
    let full = (503, r#"{"text":"HEC is unhealthy, queues are full","code":18}"#);
    let closed = (503, r#"{"text":"Server is shutting down","code":23}"#);
    let internal = (500, r#"{"text":"Internal server error","code":8}"#);
    for (step, expected) in [
        (Step::Refuse(InboxError::Busy), busy),
        (Step::Refuse(InboxError::Full), full),
        (Step::Refuse(InboxError::Closed), closed),
        (Step::Refuse(failed()), internal),
        (Step::Fail(InboxError::Full), full),
        (Step::Fail(InboxError::Closed), closed),
        (Step::Fail(failed()), internal),
        (Step::Panic, internal),
    ] {
        let inbox = TestInbox::new(&[step.clone(), step.clone(), step.clone()]);
        let server = Server::start(inbox.clone(), options()).await;
        check(&server, &Case { expected, ..POST }).await;
        check(&server, &Case { target: "/services/collector/raw", expected, ..POST }).await;
        // Earlier events cannot be kept either, so that this is the answer, and not the one to the event.
        check(&server, &Case { body: r#"{"event":1}{"event":""}"#, expected, ..POST }).await;
        assert_eq!(inbox.texts(), [""; 0], "{step:?}");
        // The sender tries again.
        check(&server, &POST).await;
        assert_eq!(inbox.texts(), ["e"], "{step:?}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health() {
    let inbox = TestInbox::new(&[Step::Hold]);
    let mut options = options();
    options.ack.max_pending = 1;
    let server = Server::start(inbox.clone(), options).await;
    let get = |target, status, text| Case {
        method: "GET",
        target,
        authorization: "",
        body: "",
        expected: (status, text),
        ..POST
    };
    let (plain, with_ack) = ("/services/collector/health", "/services/collector/health/1.0?ack=1");
    let full = r#"{"text":"HEC is unhealthy, queues are full","code":18}"#;
    let no_ack = r#"{"text":"HEC is unhealthy, ack service unavailable","code":19}"#;
    let neither =
        r#"{"text":"HEC is unhealthy, queues are full, ack service unavailable","code":20}"#;
    let healthy = r#"{"text":"HEC is healthy","code":17}"#;
    let shutting_down = r#"{"text":"Server is shutting down","code":23}"#;
    check(&server, &get(with_ack, 200, healthy)).await;
    inbox.set_full(true);
    check(&server, &get(plain, 503, full)).await;
    check(&server, &get(with_ack, 503, full)).await;
    inbox.set_full(false);
    // One acknowledgement waits, and there is no place for a second one.
    let answer = server.post("ack", "/services/collector", POST.body).await;
    assert_eq!(answer.parts(), (200, r#"{"text":"Success","code":0,"ackId":0}"#));
    check(&server, &get(plain, 200, healthy)).await;
    check(&server, &get(with_ack, 503, no_ack)).await;
    inbox.set_full(true);
    check(&server, &get(with_ack, 503, neither)).await;
    // Nobody waits for an acknowledgement that would not come.
    let answer = server.post("ack", "/services/collector/raw", "x").await;
    assert_eq!(answer.parts(), (503, full));
    inbox.set_full(false);
    // 27.
    let at_capacity = (429, r#"{"text":"HEC ack channel at capacity","code":27}"#);
    let answer = server.post("ack", "/services/collector/raw", "x").await;
    assert_eq!(answer.parts(), at_capacity);
    assert_eq!(inbox.appended(), 1);
    server.collector.shut_down();
    check(&server, &get(with_ack, 503, shutting_down)).await;
    check(&server, &Case { expected: (503, shutting_down), ..POST }).await;
    check(&server, &Case { authorization: "", expected: (503, shutting_down), ..POST }).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_with_little_room() {
    let inbox = TestInbox::new(&[]);
    let mut options = options();
    options.ack.max_pending = 20;
    let server = Server::start(inbox.clone(), options).await;
    let queue = r#"{"text":"HEC is healthy, queue approaching capacity","code":24}"#;
    let ack = r#"{"text":"HEC is healthy, ack approaching capacity","code":25}"#;
    let healthy = r#"{"text":"HEC is healthy","code":17}"#;
    // Nobody asks for the acknowledgements.
    for (more, is_nearly_full, plain, with_ack) in [
        (18, false, healthy, healthy),
        (0, true, queue, queue),
        (1, true, queue, queue),
        (0, false, healthy, ack),
    ] {
        for _ in 0..more {
            server.post("ack", "/services/collector", POST.body).await;
        }
        inbox.set_nearly_full(is_nearly_full);
        for (target, text) in [("health", plain), ("health?ack=true", with_ack)] {
            let target = &format!("/services/collector/{target}");
            let get = Case { method: "GET", target, authorization: "", body: "", ..POST };
            check(&server, &Case { expected: (200, text), ..get }).await;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_tokens_are_told() {
    let server = Server::start(TestInbox::new(&[]), options()).await;
    for authorization in ["Splunk off", "Splunk bad", ""] {
        server.ask("POST", POST.target, &[("Authorization", authorization)], POST.body).await;
    }
    check(&server, &POST).await;
    let told = server.refusals.lock().unwrap().clone();
    // One address is told of once a second; all of this may take longer than that.
    assert!((1..=3).contains(&told.len()), "{told:?}");
    assert_eq!(told[0].address.map(|address| address.to_string()).as_deref(), Some("127.0.0.1"));
    assert_eq!((told[0].reason, told[0].token.as_deref()), (RefusalReason::Disabled, Some("off")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_understood_are_told() {
    for (case, is_told) in [
        (Case { body: "{\"event\":", ..POST }, true),
        (Case { body: "", ..POST }, true),
        (POST, false),
    ] {
        let server = Server::start(TestInbox::new(&[]), options()).await;
        let headers = [("Authorization", case.authorization)];
        server.ask("POST", case.target, &headers, case.body).await;
        let told = server.refusals.lock().unwrap().clone();
        let reasons: Vec<_> = told.iter().map(|refusal| refusal.reason).collect();
        assert_eq!(reasons, if is_told { vec![RefusalReason::Invalid] } else { Vec::new() });
        server.stop().await;
    }
}

/// An address of IPv4 is told as one, also where the listener has IPv6.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_have_one_form() {
    let server = Server::start(TestInbox::new(&[]), options()).await;
    let service = TowerToHyperService::new(server.collector.router());
    for (from, expected) in [
        ("[::ffff:10.0.0.1]:1", "10.0.0.1"),
        ("10.0.0.2:1", "10.0.0.2"),
        ("[2001:db8::1]:1", "2001:db8::1"),
    ] {
        let address = ClientAddress(from.parse().unwrap());
        let request = Request::post("/services/collector").extension(address);
        service.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let told = server.refusals.lock().unwrap().pop().unwrap();
        assert_eq!(told.address, Some(expected.parse().unwrap()), "{from}");
    }
    server.stop().await;
}

//! Who may ask, and what each answer has.

use axum::body::Body;
use spilltrail_server::{RefusalReason, TokenHash};

use crate::log;
use crate::server::{Server, TOKEN, request};

#[tokio::test]
async fn each_answer_has_headers_and_an_id() {
    let server = Server::new();
    let mut ids = std::collections::BTreeSet::new();
    for (target, status) in [
        ("/api/v1/findings", 200),
        ("/api/v1/nothing", 404),
        ("/api/v1/findings?x=1", 400),
        ("/healthz", 200),
        ("/metrics", 200),
    ] {
        let answer = server.ask("GET", target, "").await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()), "{target}");
    }
    let answer = server.ask("PUT", "/api/v1/findings", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, PATCH")));
    assert_eq!(answer.code(), "wrong_method");
    let head = server.ask("HEAD", "/api/v1/findings", "").await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn who_has_no_token_is_told_and_learns_nothing() {
    let server = Server::new();
    for (target, status) in [
        ("/api/v1/findings", 401),
        ("/api/v1/nothing", 401),
        ("/api", 401),
        ("/api/v1/openapi.json", 401),
        ("/metrics", 401),
        ("/healthz", 200),
        ("/readyz", 200),
    ] {
        let request = request("GET", target).body(Body::empty()).unwrap();
        let answer = server.send("10.0.0.1", request).await;
        assert_eq!(answer.status, status, "{target}");
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{target}");
            assert_eq!(answer.code(), "unauthorized", "{target}");
        }
    }
    let told = server.told.refusals.lock().unwrap().clone();
    assert_eq!(told[0].reason, RefusalReason::Missing);
    // Each from an address of its own, because one is told of once a second.
    for (address, target, status) in [
        ("10.0.0.2", "/api/v1/findings?nosuch=1", 400),
        ("10.0.0.3", "/api/v1/nowhere", 404),
        ("10.0.0.4", "/api/v1/findings/abcdef0123456789", 404),
    ] {
        let request = request("GET", target).header("authorization", "Bearer secret");
        let answer = server.send(address, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{target}");
        let told = server.told.refusals.lock().unwrap().clone();
        let is_told = told.iter().any(|refusal| {
            refusal.reason == RefusalReason::Invalid
                && refusal.address.is_some_and(|known| known.to_string() == address)
        });
        assert_eq!(is_told, address != "10.0.0.4", "{target}: {told:?}");
    }
    // Rebinding: a page that reaches this machine by a name of its own.
    let evil = axum::http::Request::get("/metrics").header("host", "evil.example");
    let answer = server.send("127.0.0.1", evil.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "wrong_host"));
    let local = request("GET", "/metrics").body(Body::empty()).unwrap();
    let answer = server.send("127.0.0.1", local).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("spilltrail_api_requests_refused_total{reason=\"wrong_host\"} 1"));
    server.api.set_token(TokenHash::of("other"));
    assert_eq!(server.ask("GET", "/api/v1/findings", "").await.status, 401);
}

#[tokio::test]
async fn readiness_tells_why_only_to_who_is_trusted() {
    let server = Server::new();
    assert_eq!(server.get("/readyz").await["ready"], true);
    *server.parts.failing.lock().unwrap() = Some("the disk is full".to_owned());
    let answer = server.ask("GET", "/readyz", "").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["parts"][1]["why"], "the disk is full");
    let request = axum::http::Request::get("/readyz").body(Body::empty()).unwrap();
    let answer = server.send("10.0.0.1", request).await;
    let expected =
        r#"{"ready":false,"parts":[{"part":"store","ready":true},{"part":"log","ready":false}]}"#;
    assert_eq!((answer.status, answer.text.as_str()), (503, expected));
    assert_eq!(server.get("/healthz").await["status"], "ok");
}

#[tokio::test]
async fn there_is_a_limit_of_requests() {
    let server = Server::with(|access, _| {
        access.max_per_second = 1;
        access.max_failures = 2;
        access.max_body = 100;
    });
    let post = |token: &'static str, body: String| {
        let request = request("POST", "/api/v1/searches").header("authorization", token);
        server.send("10.0.0.1", request.body(Body::from(body)).unwrap())
    };
    let good = "Splunk secret";
    assert_eq!(TOKEN, "secret");
    let large = post(good, "x".repeat(101)).await;
    assert_eq!((large.status, large.code().as_str()), (413, "too_large"));
    assert_eq!(post(good, "x".repeat(100)).await.status, 400);
    let many = post(good, String::new()).await;
    assert_eq!((many.status, many.header("retry-after")), (429, Some("1")));
    for _ in 0..2 {
        assert_eq!(post("Bearer bad", String::new()).await.status, 401);
    }
    let tried = post("Bearer bad", String::new()).await;
    assert_eq!((tried.status, tried.code().as_str()), (429, "too_many_requests"));
}

/// Several programs can be behind one address.
#[tokio::test]
async fn who_tries_bad_tokens_locks_out_nobody_else() {
    let server = Server::with(|access, _| access.max_failures = 2);
    let get = |token: &'static str| {
        let request = request("GET", "/api/v1/indexes").header("authorization", token);
        server.send("10.0.0.1", request.body(Body::empty()).unwrap())
    };
    for expected in [401, 401, 429, 429] {
        assert_eq!(get("Bearer bad").await.status, expected);
    }
    assert_eq!(get("Bearer secret").await.status, 200);
    assert_eq!(get("Bearer bad").await.status, 429);
}

#[tokio::test]
async fn who_asks_is_believed_and_told() {
    let server = Server::new();
    let body = r#"{"comment":"seen"}"#;
    let post = |who: &[u8]| {
        request("POST", "/api/v1/findings/aaaaaaaa1/comments")
            .header("authorization", "Bearer secret")
            .header("x-spilltrail-user", who)
            .body(Body::from(body))
            .unwrap()
    };
    let answer = server.send("10.0.0.1", post("Zoë".as_bytes())).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    for bad in [&b""[..], b"\xff", &[b'x'; 129]] {
        let answer = server.send("10.0.0.1", post(bad)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_parameter"));
    }
    let history = server.get("/api/v1/findings/aaaaaaaa1/history").await;
    assert_eq!(history["history"][0]["who"], "Zoë");
    let changes = server.told.changes.lock().unwrap().clone();
    assert_eq!(changes.len(), 1);
    let change = &changes[0];
    assert_eq!((change.who.as_str(), change.operation), ("Zoë", "comment_finding"));
    assert_eq!(Some(change.request.as_str()), answer.header("x-request-id"));
    let text = server.metrics.text();
    let line = r#"spilltrail_api_requests_total{operation="comment_finding",status="201"} 1"#;
    assert!(text.contains(line), "{text}");
}

/// A failure of the server is told in the log alone, under the id that the answer has.
#[tokio::test]
async fn what_failed_is_found_by_its_id() {
    log::keep();
    let server = Server::new();
    std::fs::write(server.folder.path().join("store.sqlite"), "no database").unwrap();
    let answer = server.ask("GET", "/api/v1/findings", "").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(answer.json()["error"]["request"], id);
    assert!(!answer.text.contains("sqlite"), "{}", answer.text);
    let lines = log::lines(id);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("ERROR: ") && lines[0].contains("store.sqlite"), "{lines:?}");
}

/// What may be tried again says when, and the document that describes the API says so.
#[tokio::test]
async fn the_document_tells_what_may_be_tried_again() {
    let server = Server::new();
    let document = server.get("/api/v1/openapi.json").await;
    let responses = &document["paths"]["/api/v1/findings"]["get"]["responses"];
    for (status, code, is_retried) in [
        ("503", "`busy`", true),
        ("429", "`too_many_requests`", true),
        ("500", "`internal`", false),
    ] {
        let response = &responses[status];
        assert!(response["description"].as_str().unwrap().contains(code), "{response}");
        assert_eq!(response["headers"]["Retry-After"].is_object(), is_retried, "{response}");
    }
}

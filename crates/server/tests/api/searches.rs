//! Searches as jobs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::reads::members;
use crate::server::Server;

/// Asks for a job until it is over. Each question lets other tasks run, so that nothing is waited for by
/// the clock.
async fn ended(server: &Server, id: &str) -> Value {
    loop {
        let job = server.get(&format!("/api/v1/searches/{id}")).await;
        if !matches!(job["state"].as_str(), Some("queued" | "running")) {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

async fn start(server: &Server, search: &str) -> String {
    let body = json!({"search": search, "earliest": "-1h", "latest": "now"});
    let job = server.json("POST", "/api/v1/searches", &body, 201).await;
    job["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_while_they_come() {
    let server = Server::new();
    let id = start(&server, "row row say wait row").await;
    server.searches.waiting.acquire().await.unwrap().forget();
    let job = server.get(&format!("/api/v1/searches/{id}")).await;
    assert_eq!((&job["state"], &job["rows"]), (&json!("running"), &json!(2)));
    assert_eq!((&job["started_by"], &job["earliest"]), (&json!("api"), &json!("-1h")));
    assert_eq!(job["progress"]["events"], 2);
    let rows = server.get(&format!("/api/v1/searches/{id}/rows?offset=1&count=5")).await;
    let expected = json!({
        "state": "running", "fields": ["n", "user"], "offset": 1, "total": 2,
        "rows": [{"n": 2, "user": ["a", "b"]}],
    });
    assert_eq!(rows, expected);
    server.searches.gate.add_permits(1);
    let job = ended(&server, &id).await;
    assert_eq!((&job["state"], &job["rows"]), (&json!("done"), &json!(3)));
    // A message is cut between characters.
    let text = job["messages"][0]["text"].as_str().unwrap();
    assert!((4000..=4096).contains(&text.len()), "{}", text.len());
    let list = server.get("/api/v1/searches").await;
    assert_eq!(list["searches"][0]["id"], id.as_str());
    server.json("DELETE", &format!("/api/v1/searches/{id}"), &Value::Null, 204).await;
    server.json("GET", &format!("/api/v1/searches/{id}"), &Value::Null, 404).await;
    server.json("GET", &format!("/api/v1/searches/{id}/rows"), &Value::Null, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_that_fail_harm_nobody() {
    let server = Server::new();
    for (search, message) in
        [("row nonsense", "there is no `nonsense`"), ("panic", "there is a bug in this program")]
    {
        let id = start(&server, search).await;
        let job = ended(&server, &id).await;
        assert_eq!(job["state"], "failed", "{search}");
        assert_eq!(job["messages"][0]["text"], message, "{search}");
        assert_eq!(job["messages"][0]["severity"], "error", "{search}");
    }
    let id = start(&server, &format!("{} nonsense", "say ".repeat(102))).await;
    let job = ended(&server, &id).await;
    let texts: Vec<_> = members(&job["messages"], "text");
    assert_eq!(texts[100..], ["2 more messages are left out", "there is no `nonsense`"]);
    let id = start(&server, "row").await;
    assert_eq!(ended(&server, &id).await["state"], "done");
    let text = server.metrics.text();
    assert!(text.contains("spilltrail_searches_total 4"), "{text}");
    assert!(text.contains("spilltrail_searches_running 0"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_wait_for_their_turn_and_are_cancelled() {
    let server = Server::with(|_, jobs| {
        jobs.max_running = 1;
        jobs.max_jobs = 3;
    });
    let first = start(&server, "forever").await;
    server.searches.waiting.acquire().await.unwrap().forget();
    let second = start(&server, "row").await;
    let third = start(&server, "row row").await;
    let job = server.get(&format!("/api/v1/searches/{second}")).await;
    assert_eq!(job["state"], "queued");
    // None has ended, so that there is no place for one more.
    let body = json!({"search": "row"});
    let refused = server.ask("POST", "/api/v1/searches", &body.to_string()).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_searches"));
    // One that waits is forgotten before it begins, and one that runs ends.
    server.json("DELETE", &format!("/api/v1/searches/{second}"), &Value::Null, 204).await;
    server.json("DELETE", &format!("/api/v1/searches/{first}"), &Value::Null, 204).await;
    server.searches.cancelled.acquire().await.unwrap().forget();
    assert_eq!(ended(&server, &third).await["rows"], 2);
    let list = server.get("/api/v1/searches").await;
    assert_eq!(list["searches"].as_array().unwrap().len(), 1);
    // Those that have ended make place for new ones.
    for _ in 0..5 {
        let id = start(&server, "row").await;
        ended(&server, &id).await;
    }
    let list = server.get("/api/v1/searches").await;
    assert_eq!(list["searches"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_bounded() {
    let server = Server::with(|_, jobs| {
        jobs.max_rows = 3;
        jobs.max_bytes = 1000;
        jobs.max_all_bytes = 250;
    });
    let many = "row ".repeat(10);
    let id = start(&server, &many).await;
    let job = ended(&server, &id).await;
    assert_eq!((&job["rows"], &job["is_truncated"]), (&json!(3), &json!(true)));
    let body = json!({"search": many, "max_rows": 1});
    let job = server.json("POST", "/api/v1/searches", &body, 201).await;
    let job = ended(&server, job["id"].as_str().unwrap()).await;
    assert_eq!((&job["rows"], &job["is_truncated"]), (&json!(1), &json!(true)));
    // Each row takes 53 bytes, and the two searches before have four of them.
    let third = start(&server, &many).await;
    assert_eq!(ended(&server, &third).await["rows"], 0);
    server.json("DELETE", &format!("/api/v1/searches/{id}"), &Value::Null, 204).await;
    let fourth = start(&server, &many).await;
    assert_eq!(ended(&server, &fourth).await["rows"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_takes_too_long_is_ended() {
    let server = Server::with(|_, jobs| jobs.max_time = Duration::ZERO);
    let id = start(&server, "forever").await;
    let job = ended(&server, &id).await;
    assert_eq!(job["state"], "failed");
    assert_eq!(job["messages"][0]["text"], "it took longer than 0 s");
    // A request may ask for less than the server allows.
    let server = Server::new();
    let body = json!({"search": "forever", "max_seconds": 0});
    let job = server.json("POST", "/api/v1/searches", &body, 201).await;
    let job = ended(&server, job["id"].as_str().unwrap()).await;
    assert_eq!(job["messages"][0]["text"], "it took longer than 0 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_nobody_asks_for_is_forgotten() {
    let server = Server::with(|_, jobs| jobs.keep = Duration::ZERO);
    let id = start(&server, "row wait").await;
    server.searches.waiting.acquire().await.unwrap().forget();
    assert_eq!(server.get(&format!("/api/v1/searches/{id}")).await["state"], "running");
    server.searches.gate.add_permits(1);
    while server.ask("GET", &format!("/api/v1/searches/{id}"), "").await.status != 404 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn searches_that_cannot_be_started() {
    let server = Server::new();
    for (body, expected) in [
        (json!({}), "missing field `search`"),
        (json!({"search": " "}), "`search`: expected a search of 1 to"),
        (json!({"search": "row", "earlest": "-1h"}), "unknown field `earlest`"),
        (json!({"search": "row", "max_rows": 0}), "`max_rows`: expected a number from 1"),
        (json!({"search": "row", "max_rows": -1}), "invalid value: integer `-1`"),
        (json!({"search": "row", "latest": "x".repeat(300)}), "`latest`: expected a time modifier"),
        (json!(["row"]), "the body is no object of JSON"),
    ] {
        let answer = server.ask("POST", "/api/v1/searches", &body.to_string()).await;
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{body}");
        assert!(message.contains(expected), "{body}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_end_with_the_server() {
    let server = Server::with(|_, jobs| jobs.max_running = 1);
    let first = start(&server, "forever").await;
    start(&server, "forever").await;
    server.searches.waiting.acquire().await.unwrap().forget();
    server.api.shut_down();
    server.searches.cancelled.acquire().await.unwrap().forget();
    server.json("GET", &format!("/api/v1/searches/{first}"), &Value::Null, 404).await;
    server.json("POST", "/api/v1/searches", &json!({"search": "row"}), 503).await;
}

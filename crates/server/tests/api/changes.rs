//! What users change.

use serde_json::{Value, json};

use crate::server::{NOW, Server};

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_changed_together_or_not_at_all() {
    let server = Server::new();
    let body = json!({
        "ids": ["aaaaaaaa1", "bbbbbbbb1"], "status": "in-progress", "owner": "me",
        "urgency": "critical", "disposition": "benign-positive", "comment": "on it",
    });
    let changed = server.json("PATCH", "/api/v1/findings", &body, 200).await;
    assert_eq!(changed, json!({"changed": 2}));
    let found = server.get("/api/v1/findings/aaaaaaaa1").await;
    for (name, expected) in [
        ("status", json!("in-progress")),
        ("owner", json!("me")),
        ("urgency", json!("critical")),
        ("is_urgency_set", json!(true)),
        ("disposition", json!("benign-positive")),
        ("changed", json!(NOW)),
    ] {
        assert_eq!(found["finding"][name], expected, "{name}");
    }
    let entry = &found["history"][0];
    assert_eq!((&entry["who"], &entry["comment"]), (&json!("api"), &json!("on it")));
    assert_eq!(entry["steps"][0], json!({"what": "status", "from": "new", "to": "in-progress"}));
    let computed = json!({"ids": ["aaaaaaaa1"], "urgency": "computed", "owner": ""});
    server.json("PATCH", "/api/v1/findings", &computed, 200).await;
    let found = server.get("/api/v1/findings/aaaaaaaa1").await;
    assert_eq!(found["finding"]["is_urgency_set"], false);
    assert_eq!(found["finding"]["owner"], Value::Null);
    let said = server.get("/api/v1/findings/aaaaaaaa1/comments").await;
    assert_eq!(said["history"].as_array().unwrap().len(), 1);
    for (body, status, expected) in [
        (
            json!({"ids": ["aaaaaaaa1", "none"], "status": "closed"}),
            404,
            "no finding has the id `none`",
        ),
        (json!({"ids": ["aaaaaaaa1"]}), 400, "the change says nothing"),
        (json!({"ids": [], "status": "closed"}), 400, "`ids`: expected 1 to 1000 ids"),
        (json!({"ids": ["aaaaaaaa1"], "status": "In Progress"}), 400, "expected one of new"),
        (json!({"ids": ["aaaaaaaa1"], "urgency": "unknown"}), 400, "expected one of informational"),
        (json!({"ids": ["aaaaaaaa1"], "owner": "x".repeat(300)}), 400, "`owner`: expected at most"),
        (json!({"ids": ["aaaaaaaa1"], "stats": "new"}), 400, "unknown field `stats`"),
        (json!({"ids": "aaaaaaaa1"}), 400, "expected a sequence"),
        (json!(5), 400, "the body is no object of JSON"),
    ] {
        let answer = server.ask("PATCH", "/api/v1/findings", &body.to_string()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(expected), "{body}: {message}");
    }
    let found = server.get("/api/v1/findings/aaaaaaaa1").await;
    assert_eq!(found["finding"]["status"], "in-progress");
}

#[tokio::test(flavor = "multi_thread")]
async fn comments() {
    let server = Server::new();
    let target = "/api/v1/findings/bbbbbb/comments";
    server.json("POST", target, &json!({"comment": "seen"}), 201).await;
    server.json("POST", target, &json!({"comment": " "}), 400).await;
    let none = "/api/v1/findings/zzzzzz/comments";
    server.json("POST", none, &json!({"comment": "seen"}), 404).await;
    let said = server.get(target).await;
    assert_eq!(said["history"][0]["comment"], "seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_are_overridden() {
    let server = Server::new();
    let target = "/api/v1/schedules/copies";
    let set = json!({"cron": "*/5 * * * *", "window": "auto", "reason": "sooner"});
    server.json("PUT", &format!("{target}/override"), &set, 204).await;
    let reason = json!({"reason": "noisy"});
    server.json("POST", &format!("{target}/disable"), &reason, 204).await;
    let found = server.get(target).await["set"].clone();
    assert_eq!((&found["cron"], &found["window"]), (&json!("*/5 * * * *"), &json!("auto")));
    assert_eq!((&found["is_enabled"], &found["reason"]), (&json!(false), &json!("noisy")));
    assert_eq!((&found["who"], &found["time"]), (&json!("api"), &json!(NOW)));
    server.json("POST", &format!("{target}/enable"), &reason, 204).await;
    assert_eq!(server.get(target).await["set"]["is_enabled"], true);
    for (method, target, body, status) in [
        ("PUT", "copies/override", json!({"cron": "never", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"earliest": "soon", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"window": "-1", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"window": "99999999", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"window": "60", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"latest": "+1h", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"cron": "0 0 31 2 *", "reason": "x"}), 400),
        ("PUT", "copies/override", json!({"window": "", "latest": "", "reason": "x"}), 204),
        ("PUT", "copies/override", json!({"window": "none", "reason": "x"}), 204),
        // What is set takes the place of what was set before as a whole.
        ("PUT", "set/override", json!({"latest": "-2h", "reason": "x"}), 400),
        ("PUT", "set/override", json!({"latest": "-5m@m", "reason": "x"}), 204),
        ("PUT", "copies/override", json!({"reason": ""}), 400),
        ("PUT", "none/override", json!({"reason": "x"}), 404),
        ("POST", "none/enable", json!({"reason": "x"}), 404),
        ("POST", "copies/enable", json!({}), 400),
        ("DELETE", "none/override", Value::Null, 404),
    ] {
        let target = format!("/api/v1/schedules/{target}");
        server.json(method, &target, &body, status).await;
    }
    server.json("DELETE", &format!("{target}/override"), &Value::Null, 204).await;
    assert_eq!(server.get(target).await["set"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_allow_list_is_changed() {
    let server = Server::new();
    let new = |value: &str, expires: Option<i64>| {
        json!({"detection": "copies", "conditions": [{"field": "user", "value": value}],
               "owner": "ops", "reason": "known", "expires": expires})
    };
    let added = server.json("POST", "/api/v1/allow", &new("x", Some(NOW + 1)), 201).await;
    let target = format!("/api/v1/allow/{}", added["id"]);
    server.json("POST", "/api/v1/allow", &new(" ", None), 400).await;
    server.json("POST", "/api/v1/allow", &new("x", Some(NOW)), 400).await;
    let told = server.json("POST", "/api/v1/allow", &new(&"x".repeat(1001), None), 400).await;
    let expected = "the value of an entry of the allow-list has 1001 bytes: expected 1 to 1000";
    assert_eq!(told["error"]["message"], expected);
    let mut wrong = new("x", Some(NOW + 1));
    wrong["starts"] = (NOW + 1).into();
    server.json("POST", "/api/v1/allow", &wrong, 400).await;
    wrong["conditions"] = json!([]);
    let told = server.json("POST", "/api/v1/allow", &wrong, 400).await;
    assert!(told["error"]["message"].as_str().unwrap().contains("has 0 conditions"), "{told}");
    server.json("PATCH", &target, &json!({"is_enabled": false}), 204).await;
    let list = server.get("/api/v1/allow").await;
    assert_eq!(list["entries"][1]["is_active"], false);
    server.json("DELETE", &target, &Value::Null, 204).await;
    server.json("DELETE", &target, &Value::Null, 404).await;
    server.json("PATCH", &target, &json!({"is_enabled": true}), 404).await;
    assert_eq!(server.get("/api/v1/allow").await["entries"].as_array().unwrap().len(), 1);
    let all = server.get("/api/v1/allow?removed=true").await;
    assert_eq!(all["entries"][1]["removed"], NOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_repeated() {
    let server = Server::new();
    let repeat = |seq: &str| format!("/api/v1/outputs/siem/deliveries/{seq}/repeat");
    server.json("POST", &repeat("1"), &Value::Null, 204).await;
    server.json("POST", &repeat("99"), &Value::Null, 404).await;
    server.json("POST", &repeat("9223372036854775807"), &Value::Null, 404).await;
    server.json("POST", &repeat("9223372036854775808"), &Value::Null, 400).await;
    let changes = server.told.changes.lock().unwrap().clone();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path, repeat("1"));
}

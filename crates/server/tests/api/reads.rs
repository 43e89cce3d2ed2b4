//! What is read from the store.

use serde_json::{Value, json};

use crate::server::{NOW, Server};

/// Returns the members of the objects of a list.
pub(crate) fn members(list: &Value, name: &str) -> Vec<Value> {
    list.as_array().unwrap().iter().map(|found| found[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_listed_in_pages() {
    let server = Server::new();
    for (query, expected) in [
        ("", &["cccccccc1", "bbbbbbbb1", "aaaaaaaa1"][..]),
        ("?entity=AL*", &["cccccccc1", "aaaaaaaa1"]),
        ("?detection=copies&all=true", &["cccccccc1", "bbbbbbbb1", "aaaaaaaa1"]),
        ("?detection=nothing", &[]),
        ("?status=closed,resolved", &[]),
        ("?status=new", &["cccccccc1", "bbbbbbbb1", "aaaaaaaa1"]),
        ("?severity=critical", &[]),
        ("?severity=high&text=bob", &["bbbbbbbb1"]),
        (
            "?unassigned=true&suppressed=show&withdrawn=true",
            &["cccccccc1", "bbbbbbbb1", "aaaaaaaa1"],
        ),
        ("?owner=me", &[]),
        (&format!("?since={}&until={NOW}", NOW - 4500), &["cccccccc1", "bbbbbbbb1"]),
        (&format!("?found_until={NOW}"), &["bbbbbbbb1", "aaaaaaaa1"]),
    ] {
        let page = server.get(&format!("/api/v1/findings{query}")).await;
        assert_eq!(members(&page["findings"], "id"), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
        assert_eq!(page["next"], Value::Null, "{query}");
    }
    let (mut found, mut target) = (Vec::new(), "/api/v1/findings?limit=2".to_owned());
    loop {
        let page = server.get(&target).await;
        assert_eq!(page["total"], 3);
        found.extend(members(&page["findings"], "id"));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/findings?limit=2&cursor={next}");
    }
    assert_eq!(found, ["cccccccc1", "bbbbbbbb1", "aaaaaaaa1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_read_by_the_beginning_of_its_id() {
    let server = Server::new();
    let found = server.get("/api/v1/findings/aaaaaa").await;
    assert_eq!(found["finding"]["id"], "aaaaaaaa1");
    assert_eq!(found["finding"]["severity"], "high");
    assert_eq!(found["finding"]["status"], "new");
    assert_eq!(found["body"], json!({"rows": [1]}));
    assert_eq!(found["sightings"][0]["nominal"], NOW - 3600);
    assert_eq!(found["history"], json!([]));
    assert_eq!(found["more"], json!({"sightings": false, "history": false, "deliveries": false}));
    assert_eq!(found["deliveries"][0]["output"], "siem");
    for (id, status, code) in [
        ("dddddddd", 404, "not_found"),
        ("aaaa", 400, "bad_request"),
        ("%ff", 400, "bad_parameter"),
    ] {
        let answer = server.ask("GET", &format!("/api/v1/findings/{id}"), "").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn risk_is_added_up() {
    let server = Server::new();
    let list = server.get("/api/v1/risk").await;
    assert_eq!(members(&list["objects"], "object"), ["alice", "bob"]);
    assert_eq!(members(&list["objects"], "score"), [json!(100.0), json!(40.0)]);
    assert_eq!(list["more"], false);
    let list = server.get("/api/v1/risk?least=41&type=user&limit=1").await;
    assert_eq!(
        (members(&list["objects"], "events"), &list["more"]),
        (vec![json!(2)], &json!(false))
    );
    assert_eq!(server.get("/api/v1/risk?limit=1").await["more"], true);
    for (limit, more) in [(1, true), (2, false)] {
        let events = server.get(&format!("/api/v1/risk/alice?limit={limit}")).await;
        assert_eq!(
            (members(&events["events"], "score").len(), &events["more"]),
            (limit, &json!(more))
        );
    }
    let events = server.get("/api/v1/risk/alice").await;
    assert_eq!(members(&events["events"], "finding"), ["cccccccc1", "aaaaaaaa1"]);
    assert_eq!(events["events"][0]["techniques"], json!(["T1537"]));
    assert_eq!(server.get("/api/v1/risk/nobody").await["events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn schedules_tell_how_their_runs_went() {
    let server = Server::new();
    let list = server.get("/api/v1/schedules").await;
    assert_eq!(members(&list["schedules"], "id"), ["copies", "off", "set"]);
    let copies = &list["schedules"][0];
    assert_eq!(
        copies["counts"],
        json!({"done": 2, "late": 0, "failed": 0, "skipped": 0, "gap": 2})
    );
    assert_eq!(copies["last"]["nominal"], NOW);
    assert_eq!(copies["last"]["cost"], json!({"cpu": 1}));
    assert_eq!((&copies["window"], &copies["done"]), (&json!("5"), &json!(NOW)));
    // The next full hour.
    assert_eq!(copies["next"], NOW - NOW % 3600 + 3600);
    assert_eq!(list["schedules"][1]["next"], Value::Null);
    let one = server.get(&format!("/api/v1/schedules/copies?since={NOW}")).await;
    assert_eq!(one["counts"]["done"], 1);
    let runs = server.get("/api/v1/schedules/copies/runs").await;
    assert_eq!(members(&runs["runs"], "status"), ["done", "done", "gap"]);
    let gaps = server.get("/api/v1/schedules/copies/runs?status=gap,failed").await;
    assert_eq!(members(&gaps["runs"], "firings"), [2]);
    assert_eq!((&runs["next"], &gaps["next"]), (&Value::Null, &Value::Null));
    let (mut found, mut target) = (Vec::new(), "/api/v1/schedules/copies/runs?limit=1".to_owned());
    loop {
        let page = server.get(&target).await;
        found.extend(members(&page["runs"], "nominal"));
        let Some(next) = page["next"].as_str() else { break };
        target = format!("/api/v1/schedules/copies/runs?limit=1&cursor={next}");
    }
    assert_eq!(found, [NOW, NOW - 3600, NOW - 14_400]);
    // A page has as many as it may, however few of all runs have the status.
    let target = "/api/v1/schedules/copies/runs?limit=1&status=gap";
    assert_eq!(members(&server.get(target).await["runs"], "nominal"), [NOW - 14_400]);
    assert_eq!(server.get("/api/v1/schedules/off/runs").await["runs"], json!([]));
    for target in ["/api/v1/schedules/none", "/api/v1/schedules/none/runs"] {
        assert_eq!(server.ask("GET", target, "").await.code(), "not_found", "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_outputs_and_the_allow_list() {
    let server = Server::new();
    let indexes = server.get("/api/v1/indexes").await;
    assert_eq!(
        (&indexes["indexes"][0]["name"], &indexes["indexes"][0]["waiting"]),
        (&json!("main"), &json!(2))
    );
    let outputs = server.get("/api/v1/outputs").await;
    assert_eq!(outputs["outputs"], json!([{"name": "siem", "position": 3}]));
    assert_eq!(outputs["end"], 3);
    let all = server.get("/api/v1/deliveries?output=siem&state=waiting").await;
    assert_eq!(members(&all["deliveries"], "seq"), [3, 2, 1]);
    assert_eq!(server.get("/api/v1/deliveries?limit=3").await["next"], Value::Null);
    let page = server.get("/api/v1/deliveries?limit=2").await;
    assert_eq!(page["next"], "2.siem");
    let rest = server.get("/api/v1/deliveries?limit=2&cursor=2.siem").await;
    assert_eq!(
        (members(&rest["deliveries"], "seq"), &rest["next"]),
        (vec![json!(1)], &Value::Null)
    );
    let allowed = server.get("/api/v1/allow").await;
    let conditions = json!([{"field": "user", "value": "backup"}]);
    assert_eq!(allowed["entries"][0]["conditions"], conditions);
    assert_eq!(allowed["entries"][0]["is_active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_cannot_be_read_are_named() {
    let server = Server::new();
    for (target, code, expected) in [
        ("findings?limt=1", "unknown_parameter", "there is no parameter `limt`; there are `all`"),
        ("indexes?x=1", "unknown_parameter", "there is no parameter `x`; this path has none"),
        ("findings?limit=1&limit=2", "unknown_parameter", "the parameter `limit` comes twice"),
        ("findings?limit=0", "bad_parameter", "`limit`: expected a whole number from 1 to 1000"),
        ("findings?limit=ten", "bad_parameter", "found `ten`"),
        ("findings?since=-1h", "bad_parameter", "`since`: expected a time in whole seconds"),
        ("findings?status=new,open", "bad_parameter", "expected some of new, in-progress"),
        ("findings?status=", "bad_parameter", "expected some of new"),
        ("findings?all=1", "bad_parameter", "`all`: expected true or false"),
        ("findings?urgency=unknown", "bad_parameter", "expected one of informational, low"),
        ("findings?owner=", "bad_parameter", "`owner`: expected a text of 1 to 500 bytes"),
        ("findings?owner=a&unassigned=true", "bad_parameter", "exclude each other"),
        ("findings?cursor=x", "bad_parameter", "is no place in a list"),
        ("deliveries?cursor=x", "bad_parameter", "`cursor`: expected `next`"),
        ("schedules/copies/runs?cursor=1", "bad_parameter", "`cursor`: expected `next`"),
        ("risk?least=nan", "bad_parameter", "`least`: expected a number"),
        (
            "risk?object=%2A%2A%2A%2A%2Aa%2A%2A%2A%2A%2A%2A%2A%2A%2A%2A%2Ax%2A%2A%2Ax%2Ax%2Ax%2Ax%2Ax%2Ax%2Ax",
            "bad_request",
            "wildcards",
        ),
    ] {
        let answer = server.ask("GET", &format!("/api/v1/{target}"), "").await;
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{target}: {message}");
        assert!(message.contains(expected), "{target}: {message}");
    }
}

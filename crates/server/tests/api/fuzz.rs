//! Whatever is asked, no answer is a failure of the server, and each is one that the document names.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use fastrand::Rng;
use serde_json::{Value, json};

use crate::server::{Answer, NOW, Server, TOKEN};

/// The statuses that the document names, by path and method.
type Named = BTreeMap<String, BTreeMap<String, Vec<u16>>>;

async fn document(server: &Server) -> Value {
    server.get("/api/v1/openapi.json").await
}

fn named(document: &Value) -> Named {
    let mut named = Named::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap().keys();
            let statuses = statuses.map(|status| status.parse().unwrap()).collect();
            named.entry(path.clone()).or_default().insert(method.to_uppercase(), statuses);
        }
    }
    named
}

/// Returns the methods of the path that a target has; none if it is unknown.
fn of_target<'a>(named: &'a Named, target: &str) -> Option<&'a BTreeMap<String, Vec<u16>>> {
    let path = target.split('?').next().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    // A part at the end that is empty is none.
    let is_whole = parts.last().is_some_and(|part| !part.is_empty());
    let matches = |known: &str| {
        let known: Vec<&str> = known.split('/').collect();
        known.len() == parts.len()
            && known
                .iter()
                .zip(&parts)
                .all(|(known, part)| known == part || known.starts_with('{') && is_whole)
    };
    named
        .get(path)
        .or_else(|| named.iter().find(|(known, _)| matches(known)).map(|(_, methods)| methods))
}

fn check(named: &Named, method: &str, target: &str, body: &[u8], answer: &Answer) {
    let told = format!("{method} {target} {:?}: {answer:?}", String::from_utf8_lossy(body));
    assert!(answer.status < 500, "{told}");
    let is_head = method == "HEAD";
    let method = if is_head { "GET" } else { method };
    let expected: &[u16] = match of_target(named, target) {
        Some(methods) => methods.get(method).map_or(&[405], Vec::as_slice),
        None => &[404],
    };
    assert!(expected.contains(&answer.status), "expected {expected:?}: {told}");
    if is_head {
        assert!(answer.text.is_empty(), "{told}");
    } else if answer.status >= 400 {
        assert!(!answer.code().is_empty(), "{told}");
    } else if answer.status == 204 {
        assert!(answer.text.is_empty(), "{told}");
    }
}

async fn send(server: &Server, method: &str, target: &str, body: &[u8]) -> Option<Answer> {
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(Body::from(body.to_vec()));
    // Not every text is a target of HTTP.
    let request = request.ok()?;
    Some(server.send("10.0.0.1", request).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_complete() {
    let server = Server::new();
    let document = document(&server).await;
    assert_eq!(document["info"]["title"], "Spilltrail");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut ids = std::collections::BTreeSet::new();
    let mut wanted = Vec::new();
    references(&document, &mut wanted);
    assert!(wanted.len() > 50, "{}", wanted.len());
    for reference in wanted {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference}");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let told = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{told}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{told}");
            assert!(!operation["tags"][0].as_str().unwrap().is_empty(), "{told}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let named: Vec<&str> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let braces: Vec<&str> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(named, braces, "{told}");
            let is_open = ["/healthz", "/readyz"].contains(&path.as_str());
            assert_eq!(operation.get("security").is_none(), is_open, "{told}");
        }
    }
    // The collector of a type's members finds those of members, too.
    assert!(schemas.contains_key("ErrorDetail") && schemas.contains_key("SearchMessage"));
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "$ref" => found.push(text.clone()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_requests() {
    let server = Server::new();
    let named = named(&document(&server).await);
    let deep = "[".repeat(100_000);
    let long = format!("/api/v1/findings?text={}", "a".repeat(5000));
    let stars = format!("/api/v1/findings?entity={}", "*a".repeat(200));
    for (method, target, body) in [
        ("GET", "/", ""),
        ("GET", "/api", ""),
        ("GET", "/api/", ""),
        ("GET", "/api/v1", ""),
        ("GET", "/api/v2/findings", ""),
        ("GET", "/api/v1/findings/", ""),
        ("GET", "/api/v1//findings", ""),
        ("GET", "/api/v1/findings/%00%00%00%00%00%00%00", ""),
        ("GET", "/api/v1/findings/aaaaaaaa1%2F..", ""),
        ("GET", "/api/v1/findings/%f0%9f%98%80%f0%9f%98%80aaaaaa", ""),
        ("GET", "/api/v1/findings?text=%00&entity=%25_%5C", ""),
        ("GET", "/api/v1/findings?since=9223372036854775807&until=-9223372036854775808", ""),
        ("GET", "/api/v1/findings?since=9223372036854775808", ""),
        ("GET", "/api/v1/findings?cursor=1.7ff0000000000000.x", ""),
        ("GET", "/api/v1/findings?cursor=1.7ff8000000000000.x", ""),
        ("GET", "/api/v1/findings?cursor=-1..", ""),
        ("GET", &long, ""),
        ("GET", &stars, ""),
        ("GET", "/api/v1/risk?least=1e308&since=-9223372036854775808", ""),
        ("GET", "/api/v1/risk?until=9223372036854775807", ""),
        ("GET", "/api/v1/risk/%27%3B--", ""),
        ("GET", "/api/v1/schedules?since=-9223372036854775808", ""),
        ("GET", "/api/v1/schedules/copies/runs?since=9223372036854775807", ""),
        ("GET", "/api/v1/deliveries?cursor=18446744073709551615.x", ""),
        ("GET", "/api/v1/deliveries?cursor=18446744073709551616.x", ""),
        ("GET", "/api/v1/searches/x/rows?offset=4294967295&count=10000", ""),
        ("DELETE", "/api/v1/allow/9223372036854775807", ""),
        ("DELETE", "/api/v1/allow/-1", ""),
        (
            "POST",
            "/api/v1/allow",
            r#"{"detection":"\u0000","conditions":[{"field":"a","value":"b"}],"owner":"c","reason":"d","expires":9223372036854775807}"#,
        ),
        (
            "POST",
            "/api/v1/allow",
            r#"{"detection":"a","conditions":[{"field":"a","value":"b"}],"owner":"c","reason":"d","expires":1e400}"#,
        ),
        ("POST", "/api/v1/searches", &deep),
        ("POST", "/api/v1/searches", "\u{feff}{}"),
        ("PUT", "/api/v1/schedules/copies/override", r#"{"cron":"* * * * * * * *","reason":"x"}"#),
        ("PUT", "/api/v1/schedules/copies/override", r#"{"cron":"99 99 99 99 99","reason":"x"}"#),
        (
            "PUT",
            "/api/v1/schedules/copies/override",
            r#"{"earliest":"-99999999999999999999y","reason":"x"}"#,
        ),
        ("PATCH", "/api/v1/findings", r#"{"ids":["\u0000"],"comment":"\u0000"}"#),
        ("HEAD", "/api/v1/findings", ""),
        ("OPTIONS", "/api/v1/findings", ""),
        ("TRACE", "/healthz", ""),
        ("BREW", "/readyz", ""),
        ("GET", "/metrics?x=1", ""),
        ("POST", "/metrics", "x"),
    ] {
        let answer = send(&server, method, target, body.as_bytes()).await.unwrap();
        if target == "/" {
            // Not a path of the API; whoever serves it has its own.
            assert_eq!(answer.status, 404);
            continue;
        }
        check(&named, method, target, body.as_bytes(), &answer);
    }
    // A body that is not what its encoding says.
    for (encoding, status) in [("gzip", 400), ("br", 415)] {
        let request = crate::server::request("POST", "/api/v1/searches")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-encoding", encoding)
            .body(Body::from("no gzip"))
            .unwrap();
        assert_eq!(server.send("10.0.0.1", request).await.status, status, "{encoding}");
    }
}

const METHODS: &[&str] = &["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];

const TEXTS: &[&str] = &[
    "aaaaaaaa1",
    "aaaaaa",
    "copies",
    "siem",
    "alice",
    "",
    "*",
    "%",
    "_",
    "\\",
    "'",
    "\"",
    "a b",
    "\0",
    "\u{1f600}",
    "../..",
    "-1",
    "0",
    "1",
    "2",
    "1000",
    "1800000000",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "1e400",
    "NaN",
    "inf",
    "true",
    "false",
    "new",
    "closed,new",
    "high",
    "computed",
    "only",
    "gap",
    "done,late",
    "dead",
    "1.5",
    "null",
    "1.3ff0000000000000.aaaaaaaa1",
    "3.siem",
    "* * * * *",
    "-70m@m",
    "auto",
    "row row",
    "now",
];

fn text(rng: &mut Rng) -> String {
    match rng.u8(..10) {
        0 => (0..rng.usize(..40)).map(|_| rng.char(..)).collect(),
        1 => TEXTS[rng.usize(..TEXTS.len())].repeat(rng.usize(1..30)),
        _ => TEXTS[rng.usize(..TEXTS.len())].to_owned(),
    }
}

fn encoded(rng: &mut Rng, text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*,".contains(&byte);
    let byte = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }
    };
    let mut text: String = text.bytes().map(byte).collect();
    if rng.u8(..20) == 0 {
        text.push_str(["%", "%f", "%ff", "%zz", "+", "&", "&&=", ";"][rng.usize(..8)]);
    }
    text
}

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 => json!(NOW + rng.i64(-10_000..10_000)),
        4 => json!(rng.f64() * 1e300),
        5 | 6 => json!(text(rng)),
        7 => (0..rng.usize(..4)).map(|_| value(rng, depth - 1)).collect(),
        _ => {
            let members = (0..rng.usize(..4)).map(|_| (text(rng), value(rng, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

/// Returns a body: most often an object with members that the operation knows.
fn body(rng: &mut Rng, document: &Value, operation: &Value) -> Vec<u8> {
    let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let schema = reference
        .as_str()
        .and_then(|name| document.pointer(name.trim_start_matches('#')))
        .cloned()
        .unwrap_or_default();
    let mut members = serde_json::Map::new();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        if rng.u8(..5) == 0 {
            continue;
        }
        let found = match member["type"].as_str() {
            _ if rng.u8(..8) == 0 => value(rng, 2),
            Some("array") => json!([text(rng), "aaaaaaaa1"]),
            Some("boolean") => json!(rng.bool()),
            Some("integer") => json!(NOW + rng.i64(-10..1_000_000)),
            _ => json!(text(rng)),
        };
        members.insert(name.clone(), found);
    }
    if rng.u8(..10) == 0 {
        members.insert(text(rng), value(rng, 2));
    }
    let mut bytes = match rng.u8(..10) {
        0 => value(rng, 3).to_string().into_bytes(),
        _ => Value::Object(members).to_string().into_bytes(),
    };
    if rng.u8(..10) == 0 && !bytes.is_empty() {
        let at = rng.usize(..bytes.len());
        bytes[at] = rng.u8(..);
        bytes.truncate(rng.usize(..=bytes.len()));
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn random_requests() {
    let server = Server::with(|_, jobs| jobs.max_jobs = 5);
    let document = document(&server).await;
    let named = named(&document);
    let paths: Vec<&String> = named.keys().collect();
    let mut rng = Rng::with_seed(20_261_129);
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for _ in 0..8000 {
        let path = paths[rng.usize(..paths.len())];
        let methods: Vec<&String> = named[path].keys().collect();
        let method = match rng.u8(..10) {
            0 => METHODS[rng.usize(..METHODS.len())],
            _ => methods[rng.usize(..methods.len())].as_str(),
        };
        let mut target = String::new();
        for part in path.split('/').skip(1) {
            target.push('/');
            if part.starts_with('{') {
                let known = match part {
                    "{object}" => "alice",
                    "{output}" => "siem",
                    "{seq}" => "1",
                    _ if path.contains("schedules") => "copies",
                    _ if path.contains("allow") => "1",
                    _ => "aaaaaaaa1",
                };
                let text = if rng.bool() { known.to_owned() } else { text(&mut rng) };
                target.push_str(&encoded(&mut rng, &text));
            } else {
                target.push_str(part);
            }
        }
        let operation = &document["paths"][path][method.to_lowercase()];
        let mut separator = '?';
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] != "query" || rng.u8(..3) > 0 {
                continue;
            }
            let words = parameter["schema"]["enum"].as_array();
            let text = match words {
                Some(words) if rng.u8(..4) > 0 => {
                    words[rng.usize(..words.len())].as_str().unwrap().to_owned()
                }
                _ => text(&mut rng),
            };
            let value = encoded(&mut rng, &text);
            target.push_str(&format!("{separator}{}={value}", parameter["name"].as_str().unwrap()));
            separator = '&';
        }
        if rng.u8(..20) == 0 {
            let text = text(&mut rng);
            target.push_str(&format!("{separator}{}=1", encoded(&mut rng, &text)));
        }
        let body = body(&mut rng, &document, operation);
        let Some(answer) = send(&server, method, &target, &body).await else { continue };
        check(&named, method, &target, &body, &answer);
        *statuses.entry(answer.status).or_default() += 1;
    }
    // It got through to the operations, and not only to the checks before them.
    for status in [200, 201, 204, 400, 404, 405] {
        assert!(statuses.get(&status).is_some_and(|count| *count >= 10), "{statuses:?}");
    }
}

//! Tests with generated events and searches that a pass shared by all detections returns the same
//! findings for each detection as a run of its own.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Terms of the first search and of later ones.
const TERMS: &[&str] = &[
    "eventName=GetObject",
    "eventName=Create*",
    "eventName!=ListBuckets",
    "eventName IN (GetObject, DeleteTrail)",
    "user=ann",
    "user_type=AssumedRole",
    "errorCode=success",
    "errorCode=*",
    "NOT errorCode=AccessDenied",
    "requestParameters.n<20",
    "requestParameters.n=1*",
    "tags{}=blue",
    "bucket",
    "\"b\\\"3\"",
    "src_ip=192.0.2.0/28",
    "eventSource=s3.amazonaws.com",
    "sourcetype=aws:cloudtrail",
    "_time>1773133300",
    "[search eventName=CreateTask | fields user_arn | head 2]",
    "[search user=bob requestParameters.n<9 | table eventName user_arn]",
];

/// What may follow, each by itself.
const STEPS: &[&str] = &[
    "search NOT user=bob",
    "search NOT [search eventName=CreateTask requestParameters.n<5 | fields user_arn]",
    "where 'requestParameters.n'>7",
    "eval x='requestParameters.n'*2, y=coalesce(errorCode, \"none\")",
    "eval user=upper(user)",
    "rename requestParameters.* as *",
    "spath output=arn path=userIdentity.arn",
    "fillnull value=nothing errorCode",
    "bin _time span=2m",
    "dedup user eventName",
    "sort - requestParameters.n eventID",
    "head 7",
    "tail 3",
    "eventstats count as all by user",
    "streamstats count as so_far by eventName",
    "mvexpand tags{}",
    "fields eventName user user_arn requestParameters.n _time errorCode",
    "append [search eventName=DeleteTrail | head 2]",
];

/// Where a search ends.
const ENDS: &[&str] = &[
    "stats count by user_arn",
    "stats count values(eventName) as names dc(src_ip) as places min(_time) max(_time) by user",
    "stats latest(eventName) as last first(eventID) as id list(requestParameters.n) by user_type",
    "stats sum(requestParameters.n) as n count by _time eventName",
    "stats count",
    "table eventName user_arn requestParameters.bucketName tags{}",
    "table *",
    "stats values(*) as * by user",
    "where eventName=\"GetObject\"",
];

fn search() -> impl Strategy<Value = String> {
    let terms = prop::collection::vec((select(TERMS), any::<bool>()), 1..4);
    let steps = prop::collection::vec(select(STEPS), 0..3);
    (terms, steps, select(ENDS)).prop_map(|(terms, steps, end)| {
        let mut leading = String::new();
        for (number, (term, is_or)) in terms.into_iter().enumerate() {
            let joined = if is_or && number > 0 { " OR " } else { " " };
            leading = format!("{leading}{joined}{term}");
        }
        let steps = steps.iter().copied().chain([end]).collect::<Vec<_>>();
        format!("{} | {}", leading.trim(), steps.join(" | "))
    })
}

fn event() -> impl Strategy<Value = Value> {
    let names = select(&["GetObject", "CreateTask", "ListBuckets", "DeleteTrail", "CreateKey"][..]);
    let users = select(&["ann", "bob", "c\"yd", "d\u{e9}a"][..]);
    let tags = prop::collection::vec(select(&["red", "blue", ""][..]), 0..3);
    let rest = (0..40u32, any::<[bool; 4]>(), tags);
    (names, users, rest).prop_map(|(name, user, (n, has, tags))| {
        let mut event = json!({
            "eventVersion": "1.08",
            "eventTime": format!("2026-03-10T09:{:02}:{:02}Z", n / 8, n % 60),
            "eventName": name,
            "eventSource": "s3.amazonaws.com",
            "sourceIPAddress": format!("192.0.2.{n}"),
            "requestParameters": {"bucketName": format!("bucket-b\"{}", n % 7), "n": n},
            "tags": tags,
        });
        let role = json!({"type": "AssumedRole", "principalId": format!("A:{user}"),
            "arn": format!("arn:role/{user}/s"), "sessionContext": {"sessionIssuer":
            {"type": "Role", "userName": user}}});
        let person =
            json!({"type": "IAMUser", "userName": user, "arn": format!("arn:user/{user}")});
        let service = json!({"type": "AWSService", "invokedBy": "s3.amazonaws.com"});
        event["userIdentity"] = match n % 3 {
            0 => role,
            1 => person,
            _ => service,
        };
        for (is_there, key, value) in [
            (has[0], "errorCode", json!("AccessDenied")),
            (has[1], "requestParameters", Value::Null),
            (has[2], "userIdentity.arn", json!("a key with a point")),
            (has[3] && has[2], "userIdentity", json!("no object")),
        ] {
            if is_there {
                event[key] = value;
            }
        }
        event
    })
}

/// Writes the events into several files, in the formats in which they are delivered.
fn write(fixture: &Fixture, events: &[Value]) {
    for (number, events) in events.chunks(17).enumerate() {
        let events: Vec<Value> = events
            .iter()
            .enumerate()
            .map(|(row, event)| {
                let mut event = event.clone();
                event["eventID"] = json!(format!("id-{number}-{row}"));
                event
            })
            .collect();
        let text = match number % 3 {
            0 => json!({ "Records": events }).to_string(),
            1 => events.iter().map(|event| format!("{event}\n")).collect(),
            // CloudTrail does not write this form, so the strict parser reads it.
            _ => format!("{{\"Records\":{},\"more\":1}}", json!(events)),
        };
        fixture.write(&format!("logs/{number:02}.json"), &text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn together_as_alone(
        events in prop::collection::vec(event(), 1..120),
        searches in prop::collection::vec(search(), 2..8),
    ) {
        let fixture = Fixture::empty();
        write(&fixture, &events);
        for (number, search) in (0..).zip(&searches) {
            fixture.detection(number, &format!("Number {number}"), "TTP", search, "");
        }
        let findings = fixture.run(&["hunt", "logs", "--format", "ndjson"]).lines();
        for (number, search) in searches.iter().enumerate() {
            let name = format!("Number {number}");
            let own = findings.iter().filter(|finding| finding["detection"]["name"] == *name);
            let together: Vec<_> = own.map(|finding| finding["result"].clone()).collect();
            let alone = fixture.run(&["search", "--detection", &name, "logs"]);
            // Where one of them cannot run, neither can.
            let mut rows = if alone.status <= 1 { alone.lines() } else { Vec::new() };
            // The row that `stats` makes from no events is a result, but not a finding.
            rows.retain(|row| row["count"] != json!(0));
            prop_assert_eq!(together, rows, "{}\n{}", search, alone.err);
        }
    }
}

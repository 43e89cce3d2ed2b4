//! Messages of all senders, made up from the names of their fields.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const KEY: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/17/\
                   111122223333_CloudTrail_eu-west-1_20260317T1510Z_Ab3dE6gH9jK2mN5p.json.gz";

fn record(event: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-03-17T15:12:01.000Z", "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "logs",
            "bucket": {"name": "trail-logs", "arn": "arn:aws:s3:::trail-logs"},
            "object": {
                "key": key, "size": 4711, "eTag": "9b2cf535f27731c974343645a3985328",
                "versionId": "v1", "sequencer": "0065F70A1B2C3D4E5F",
            },
        },
    })
}

fn created(key: &str) -> Value {
    json!({"Records": [record("ObjectCreated:Put", key)]})
}

fn bridge(kind: &str, key: &str) -> Value {
    json!({
        "version": "0", "id": "1", "detail-type": kind, "source": "aws.s3",
        "account": "111122223333", "region": "eu-west-1", "resources": [],
        "detail": {
            "version": "0", "bucket": {"name": "trail-logs"}, "reason": "PutObject",
            "object": {"key": key, "size": 4711, "etag": "9b", "sequencer": "0065F7"},
        },
    })
}

fn wrapped(message: &Value) -> Value {
    let text = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    json!({
        "Type": "Notification", "MessageId": "1", "Message": text,
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:trail", "Signature": "x",
    })
}

fn object(key: &str) -> ObjectRef {
    ObjectRef {
        bucket: "trail-logs".into(),
        key: key.into(),
        size: Some(4711),
        etag: Some("9b2cf535f27731c974343645a3985328".into()),
        sequencer: Sequencer::parse("0065F70A1B2C3D4E5F"),
    }
}

fn keys(notice: &Notice) -> Vec<&str> {
    notice.objects.iter().map(|object| object.key.as_str()).collect()
}

#[test]
fn what_a_record_says() {
    let notice = read(&created("a+b%2Bc").to_string()).unwrap();
    assert_eq!(notice, Notice { objects: vec![object("a b+c")], ..Notice::default() });
}

#[test]
fn objects_of_all_senders() {
    let several = json!({"Records": [
        record("ObjectCreated:CompleteMultipartUpload", "a"),
        record("s3:ObjectCreated:Copy", "b"),
        record("ObjectCreated:Put", "a"),
    ]});
    let trail = json!({"s3Bucket": "trail-logs", "s3ObjectKey": [KEY, "a+b%2B"]});
    for (message, expected) in [
        (created(KEY), vec![KEY]),
        (several.clone(), vec!["a", "b", "a"]),
        (trail.clone(), vec![KEY, "a+b%2B"]),
        (json!({"s3Bucket": "trail-logs", "s3ObjectKey": "a"}), vec!["a"]),
        (bridge("Object Created", "a+b%2B"), vec!["a+b%2B"]),
        (json!({"Records": []}), vec![]),
    ] {
        for body in [
            message.to_string(),
            wrapped(&message).to_string(),
            wrapped(&wrapped(&message)).to_string(),
            serde_json::to_string_pretty(&message).unwrap(),
        ] {
            let notice = read(&body).unwrap();
            assert_eq!(keys(&notice), expected, "{body}");
            assert!(notice.skipped.is_empty() && notice.damaged.is_empty(), "{notice:?}");
        }
    }
}

#[test]
fn what_is_skipped_has_a_reason() {
    let digest = KEY.replace("CloudTrail", "CloudTrail-Digest");
    let arn = "arn:aws:sns:eu-west-1:111122223333:trail";
    let of_topic = |kind: &str| {
        json!({
            "Type": kind, "TopicArn": arn, "Message": "You have chosen to subscribe",
            "Token": "t", "SubscribeURL": "https://sns.example/?Token=t",
        })
    };
    let test = json!({
        "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-17T15:00:00Z",
        "Bucket": "trail-logs", "RequestId": "1", "HostId": "2",
    });
    for (message, reason, what) in [
        (test.clone(), SkipReason::TestEvent, "trail-logs"),
        (wrapped(&test), SkipReason::TestEvent, "trail-logs"),
        (of_topic("SubscriptionConfirmation"), SkipReason::Subscription, arn),
        (of_topic("UnsubscribeConfirmation"), SkipReason::Unsubscription, arn),
        (
            json!({"Records": [record("ObjectRemoved:Delete", "a")]}),
            SkipReason::NotCreated,
            "ObjectRemoved:Delete",
        ),
        (bridge("Object Deleted", "a"), SkipReason::NotCreated, "Object Deleted"),
        (created("a/"), SkipReason::Folder, "s3://trail-logs/a/"),
    ] {
        let notice = read(&message.to_string()).unwrap();
        let skipped = vec![Skipped { reason, what: what.to_owned() }];
        assert_eq!(notice, Notice { skipped, ..Notice::default() }, "{message}");
    }
    let mixed = json!({"s3Bucket": "b", "s3ObjectKey": [digest, KEY]});
    let notice = read(&mixed.to_string()).unwrap();
    assert_eq!(keys(&notice), [KEY]);
    assert_eq!(notice.skipped[0].reason, SkipReason::Digest);
}

#[test]
fn a_damaged_record_leaves_the_others() {
    let mut nameless = record("ObjectCreated:Put", "b");
    nameless["s3"]["bucket"]["name"] = json!(7);
    let mut keyless = record("ObjectCreated:Put", "c");
    keyless["s3"]["object"] = json!([]);
    let message = json!({"Records": [
        record("ObjectCreated:Put", "a%2"), nameless, keyless, 5, {"s3": {}},
        record("ObjectCreated:Put", "good"),
    ]});
    let notice = read(&message.to_string()).unwrap();
    assert_eq!(keys(&notice), ["good"]);
    let errors: Vec<String> = notice.damaged.iter().map(ToString::to_string).collect();
    for (error, expected) in errors.iter().zip([
        "record 1: expected two hexadecimal digits after each % of the key: `a%2`",
        "record 2: expected a text as `s3.bucket.name`: `{",
        "record 3: expected a text as `s3.object.key`: `{",
        "record 4: expected a text as `eventName`: `5`",
        "record 5: expected a text as `eventName`: `{\"s3\":{}}`",
    ]) {
        assert!(error.starts_with(expected), "{error}");
    }
    assert_eq!(errors.len(), 5);
    let message = json!({"s3Bucket": "b", "s3ObjectKey": ["a", null, ""]});
    let notice = read(&message.to_string()).unwrap();
    assert_eq!((keys(&notice), notice.damaged.len()), (vec!["a"], 2));
}

#[test]
fn unknown_messages_are_named() {
    let nested = (0..6).fold(created("a"), |inner, _| wrapped(&inner)).to_string();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let many: Vec<Value> = (0..=MOST_OBJECTS).map(|_| json!("a")).collect();
    for (body, expected) in [
        (String::new(), "the message is not JSON (EOF while parsing"),
        ("hello\u{1b}[2J\n".to_owned(), "at line 1 column 1): `hello\\u{1b}[2J\\n`"),
        ("7".to_owned(), "but a number: `7`"),
        ("\"a\"".to_owned(), "but a text"),
        ("[]".to_owned(), "but an array"),
        ("{}".to_owned(), "but an object without keys: `{}`"),
        (r#"{"a\n":1,"b":2}"#.to_owned(), "but an object with the keys `a\\n`, `b`: `{"),
        (r#"{"Records":[{"eventVersion":"1.1"}]}"#.to_owned(), "`Records` that are not of S3"),
        (r#"{"Records":7}"#.to_owned(), "an object with the key `Records`"),
        (r#"{"Type":"Alarm","Message":"x"}"#.to_owned(), "an object with `Type` = `Alarm`"),
        (
            json!({"source": "aws.s3x", "detail-type": "Object Created"}).to_string(),
            "an object with `detail-type` = `Object Created`",
        ),
        (wrapped(&json!("plain words")).to_string(), "is not JSON (expected value"),
        (nested, "more than 4 envelopes around each other: `{"),
        (deep, "is not JSON (recursion limit exceeded"),
        (json!({"s3Bucket": "b", "s3ObjectKey": many}).to_string(), "more than 10000 objects"),
        (json!({"Records": many}).to_string(), "more than 10000 objects"),
        (" ".repeat(MOST_BODY + 1), "the message has 2097153 bytes"),
    ] {
        let error = read(&body).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.chars().count() < 400, "{error}");
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}

/// JSON that is often near to a message.
fn messages() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        "[a-z%+2F/\\PC]{0,12}".prop_map(Value::from),
        Just(json!("ObjectCreated:Put")),
        Just(json!("Notification")),
        Just(json!("aws.s3")),
        Just(json!("Object Created")),
        Just(created("a%2").to_string().into()),
    ];
    let name = prop_oneof![
        Just("Records"),
        Just("Message"),
        Just("Type"),
        Just("TopicArn"),
        Just("s3"),
        Just("bucket"),
        Just("name"),
        Just("object"),
        Just("key"),
        Just("eventName"),
        Just("s3Bucket"),
        Just("s3ObjectKey"),
        Just("source"),
        Just("detail-type"),
        Just("detail"),
        Just("size"),
        Just("sequencer"),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// Checks what holds for any text.
fn check(body: &str) {
    match read(body) {
        Ok(notice) => {
            for object in &notice.objects {
                assert!((1..=1024).contains(&object.key.len()) && !object.bucket.is_empty());
            }
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC*|(?s:.{0,64})") {
        check(&text);
    }

    #[test]
    fn no_message_is_a_panic(message in messages()) {
        check(&message.to_string());
        check(&wrapped(&message).to_string());
    }

    #[test]
    fn no_change_of_a_message_is_a_panic(at in 0_usize..400, text in "[\\[\\]{}\",:%0a]{0,4}") {
        let body = wrapped(&created(KEY)).to_string();
        let at = at.min(body.len());
        check(&format!("{}{text}{}", &body[..at], &body[at..]));
        check(&body[..at]);
    }

    #[test]
    fn keys_come_back(key in "[\\PC&&[^/]]{1,40}/a") {
        let encoded: String = key
            .bytes()
            .map(|byte| match byte {
                b' ' => "+".to_owned(),
                b'a'..=b'z' | b'/' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let notice = read(&created(&encoded).to_string()).unwrap();
        prop_assert_eq!(keys(&notice), [key.as_str()]);
    }
}

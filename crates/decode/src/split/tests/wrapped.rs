//! Tests events inside something else, partial records, and exports that are too large or damaged.

use proptest::prelude::*;

use super::super::inside;
use super::*;

/// Returns a text as JSON.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the formats of the events of a text, the other items, and where the events were.
fn unwrapped(text: &str) -> (String, String) {
    let mut splitter = Splitter::new(text.as_bytes());
    let mut items = Vec::new();
    while let Some(item) = splitter.next_item() {
        items.push(match item {
            Item::Record(record) => format!("{:?}", record.format),
            Item::Damage(damage) => format!("{:?}", damage.kind),
            Item::Skipped(kind) => format!("{kind:?}"),
        });
    }
    let places = splitter.unwrapped().iter().map(|(place, count)| format!("{count} {place}"));
    (items.join(" "), places.collect::<Vec<_>>().join(", "))
}

#[test]
fn events_inside_something_else() {
    let (qa, qb) = (quote(A), quote(B));
    let sns = quote(&format!(r#"{{"Type":"Notification","Message":{qa}}}"#));
    let hit = |source: &str| format!(r#"{{"_index":"i","_source":{source}}}"#);
    let two = "CloudTrail CloudTrail";
    for (text, items, places) in [
        // What the AWS command line prints, with and without `--query`, `jq` and its aliases.
        (format!("[\n    {qa},\n    {qb}\n]\n"), two, "2 strings of JSON"),
        (format!("{qa}\n{qb}\n"), two, "2 strings of JSON"),
        (format!("{}\n", quote(&qa)), "CloudTrail", "1 strings of JSON"),
        (format!(r#"[{{"e":{qa},"t":"x"}},{{"e":{qb}}}]"#), two, "2 [].e"),
        (
            format!(r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":{qa}}}]}}"#),
            "CloudTrail",
            "1 Events[].CloudTrailEvent",
        ),
        (
            format!(
                r#"{{"events":[{{"timestamp":1,"message":{qa}}},{{"message":"START"}}],"searchedLogStreams":[]}}"#
            ),
            "CloudTrail LogMessage",
            "1 events[].message",
        ),
        (
            format!(
                r#"{{"results":[[{{"field":"@message","value":{qa}}},{{"field":"@ptr","value":"x"}}]],"status":"Complete"}}"#
            ),
            "CloudTrail",
            "1 results[][].value",
        ),
        (
            format!(r#"{{"QueryResultRows":[[{{"eventJson":{qa}}}],[{{"eventJson":{qb}}}]]}}"#),
            two,
            "2 QueryResultRows[][].eventJson",
        ),
        (
            r#"{"QueryResultRows":[[{"eventName":"A"},{"eventSource":"s"}]]}"#.to_owned(),
            "CloudTrail",
            "1 QueryResultRows[][]",
        ),
        (
            r#"[[{"eventName":"A"},{"eventSource":"s"}]]"#.to_owned(),
            "CloudTrail",
            "1 strings of JSON",
        ),
        (format!("[[{A}],[{B}]]"), two, ""),
        // Queues and notifications.
        (
            format!(r#"{{"Messages":[{{"MessageId":"1","Body":{sns}}}]}}"#),
            "CloudTrail",
            "1 Messages[].Body.Message",
        ),
        (
            format!(r#"{{"Records":[{{"eventSource":"aws:sqs","awsRegion":"r","body":{qa}}}]}}"#),
            "CloudTrail",
            "1 Records[].body",
        ),
        (
            format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":{qa}}}}}]}}"#),
            "CloudTrail",
            "1 Records[].Sns.Message",
        ),
        (
            r#"{"Records":[{"Data":"eyJldmVudE5hbWUiOiJBIiwiZXZlbnRTb3VyY2UiOiJzIn0=","PartitionKey":"1"}]}"#.to_owned(),
            "CloudTrail",
            "1 Records[].Data",
        ),
        (r#"{"token":"eyJhIjoiZXZlbnROYW1lIn0=","a":1}"#.to_owned(), "Json", ""),
        // Other collectors.
        (format!(r#"{{"records":[{A},{B}]}}"#), two, "2 records[]"),
        (
            format!(r#"{{"took":1,"hits":{{"total":2,"hits":[{},{}]}}}}"#, hit(A), hit(B)),
            two,
            "2 hits.hits[]._source",
        ),
        (
            format!("{}\n{}\n", hit(&format!(r#"{{"event":{{"original":{qa}}}}}"#)), hit(B)),
            two,
            "1 _source, 1 _source.event.original",
        ),
        (
            format!(
                r#"{{"@timestamp":"2026-03-17T10:00:00Z","host":{{"name":"h"}},"message":{qa}}}"#
            ),
            "CloudTrail",
            "1 message",
        ),
        (
            format!(r#"{{"message":{}}}"#, quote(&format!("<13>Mar 17 10:00:00 h app[1]: {A}"))),
            "CloudTrail",
            "1 message",
        ),
        (r#"{"event":{"class_uid":6003,"metadata":{},"time":1}}"#.to_owned(), "Lake", "1 event"),
        // Lines with a text before their JSON.
        (
            format!("2026-03-17T10:00:00.123Z {A}\n2026-03-17T10:00:01Z stream {B}\n"),
            two,
            "2 lines after another text",
        ),
        (
            format!("<13>Mar 17 10:00:00 host app[12]: {A}\n"),
            "CloudTrail",
            "1 lines after another text",
        ),
        (format!("[2026-03-17 10:00:00] INFO {A}\n[x] {B}"), two, "2 lines after another text"),
        (format!("{A}\n2026 {B}\n"), two, "1 lines after another text"),
        (format!("host: {{\"message\":{qa}}}\n"), "CloudTrail", "1 message"),
        (
            format!("h {A}\nan ordinary line\nh {B}"),
            "CloudTrail InvalidJson CloudTrail",
            "1 lines after another text",
        ),
        (
            format!("h {A}\nh {{\"a\":1}}\nh {B}"),
            "CloudTrail InvalidJson Json CloudTrail",
            "2 lines after another text",
        ),
        // Nothing that is an event by its keys.
        (r#"{"user":"x","detail":{"eventName":"login"}}"#.to_owned(), "Json", ""),
        (r#"{"note":"eventName and eventSource {","a":1}"#.to_owned(), "Json", ""),
        (
            r#"{"Body":"{\"Records\":[{\"eventVersion\":\"2\",\"eventSource\":\"aws:s3\"}]}"}"#
                .to_owned(),
            "Json",
            "",
        ),
    ] {
        let found = unwrapped(&text);
        assert_eq!((found.0.as_str(), found.1.as_str()), (items, places), "{text}");
        for chunk in [1, 7, 64] {
            assert_eq!(
                split_in(text.as_bytes(), chunk),
                split_in(text.as_bytes(), 1 << 16),
                "{text}"
            );
        }
    }
}

#[test]
fn partial_records_are_events() {
    for (text, format) in [
        (r#"{"@timestamp":"x","eventName":"A","userIdentity":{}}"#, "CloudTrail"),
        (r#"{"eventName":"A","awsRegion":"r","sourceIPAddress":"i"}"#, "CloudTrail"),
        (
            r#"{"eventVersion":"1","eventType":"AwsCloudTrailInsight","insightDetails":{"eventName":"A","eventSource":"s"}}"#,
            "CloudTrail",
        ),
        (
            r#"{"eventVersion":"1","eventCategory":"NetworkActivity","eventName":"A","eventSource":"s"}"#,
            "CloudTrail",
        ),
        (r#"{"schemaType":"ModelInvocationLog","modelId":"m"}"#, "ModelInvocation"),
        (r#"{"schemaType":"Other","modelId":"m"}"#, "Json"),
        (r#"{"eventName":"A","_time":1,"count":2}"#, "Json"),
    ] {
        assert_eq!(unwrapped(text), (format.to_owned(), String::new()), "{text}");
    }
}

/// Objects that are too large for memory, damaged or cut off are read member by member.
#[test]
fn large_and_damaged_exports_keep_their_events() {
    let message = format!(r#"{{"timestamp":1,"message":{}}}"#, quote(A));
    let many = vec![message.as_str(); 2 + MAX_RECORD / message.len()];
    let large = format!(r#"{{"next":"x","events":[{}],"more":{{"a":1}}}}"#, many.join(","));
    let hits = format!(
        r#"{{"hits":{{"total":3,"hits":[{}]}}}}"#,
        vec![A; 2 + MAX_RECORD / A.len()].join(",")
    );
    for (text, place) in [(&large, "events[].message"), (&hits, "hits.hits[]")] {
        let (items, places) = unwrapped(text);
        let count = items.split(' ').count();
        assert!(items.split(' ').all(|item| item == "CloudTrail"), "{place}");
        assert_eq!(places, format!("{count} {place}"));
        assert!(count > MAX_RECORD / text.len().max(message.len()));
    }
    let barren = format!(r#"{{"a":"eventName","b":"{}"}}{A}"#, "x".repeat(MAX_RECORD));
    assert_eq!(unwrapped(&barren).0, "RecordTooLarge CloudTrail");

    let cut = format!(r#"{{"events":[{message},{message},{{"message":"{{\"eventVersion"#);
    assert_eq!(unwrapped(&cut).0, "CloudTrail CloudTrail TruncatedDocument");
    let wrong =
        format!("{{\"events\":[{message},{{\"timestamp\":oops}},{message}]}}\n{{\"a\":1}}\n");
    assert_eq!(unwrapped(&wrong).0, "CloudTrail InvalidJson CloudTrail Json");
}

/// Wraps a text in one of the known ways, given as the record itself or as a string.
fn wrap(text: &str, way: usize) -> String {
    let quoted = quote(text);
    match way {
        0 => format!(r#"{{"detail-type":"x","detail":{text}}}"#),
        1 => format!(r#"{{"message":{quoted}}}"#),
        2 => format!(r#"{{"Messages":[{{"Body":{quoted}}}]}}"#),
        3 => format!(r#"{{"Message":{quoted},"Type":"Notification"}}"#),
        4 => format!(r#"{{"events":[{{"a":1,"message":{quoted}}}]}}"#),
        5 => format!(r#"{{"_source":{text}}}"#),
        6 => quoted,
        7 => format!("[{text}]"),
        8 => format!(r#"{{"records":[{text}]}}"#),
        _ => format!(r#"{{"message":{}}}"#, quote(&format!("<13>host app[1]: {text}"))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any record comes back unchanged from any nesting of the known ways within the limit.
    #[test]
    fn wrapped_records_come_back(
        name in "[A-Za-z\"\\\\{}é\n]{0,12}",
        ways in prop::collection::vec(0usize..9, 0..4),
        is_on_line in any::<bool>(),
    ) {
        let record = format!(r#"{{"eventVersion":"1.08","eventName":{},"o":[{{"a":"]}}"}}]}}"#, quote(&name));
        let levels = |way: &usize| match way {
            0 | 5 | 6 | 8 => 1,
            7 => 0,
            2 | 4 => 3,
            _ => 2,
        };
        prop_assume!(ways.iter().map(levels).sum::<usize>() <= inside::MAX_LEVELS);
        let mut text = ways.iter().fold(record.clone(), |text, way| wrap(&text, *way));
        if is_on_line && text.starts_with('{') {
            text = format!("2026-03-17T10:00:00Z stream {text}\n");
        }
        let found = split_in(text.as_bytes(), 1 << 16);
        let (_, event) = found.split_once(' ').unwrap_or_default();
        prop_assert_eq!(event, format!("CloudTrail {record}\n"), "{}", text);
    }
}

/// Events beside an envelope's own array are read, before and after it.
#[test]
fn events_beside_an_envelope() {
    let (qa, two) = (quote(A), "CloudTrail CloudTrail");
    for (text, items, places) in [
        (format!(r#"{{"Records":[{A}],"Events":[{B}]}}"#), two, "1 Events[]"),
        (format!(r#"{{"Records":[{A}],"event":{B},"n":1}}"#), two, "1 event"),
        (format!(r#"{{"event":{A},"Records":[{B}]}}"#), two, "1 Records[], 1 event"),
        (format!(r#"{{"message":{qa},"Records":[{B}]}}"#), two, "1 Records[], 1 message"),
        (format!(r#"{{"Records":[{A}],"x":[1,"s",{{"y":null}}],"next":"t"}} {B}"#), two, ""),
        (format!(r#"[{{"Records":[{A}],"n":1}},{{"Records":[{B}]}}]"#), two, ""),
        (format!(r#"{{"Records":[{A}],"n":1"#), "CloudTrail TruncatedDocument", ""),
        (format!(r#"{{"Records":[{A}],"n":{{"#), "CloudTrail TruncatedDocument", ""),
        (format!(r#"{{"Records":[{A}]"#), "CloudTrail TruncatedDocument", ""),
    ] {
        let expected = (items.to_owned(), places.to_owned());
        assert_eq!(unwrapped(&text), expected, "{text}");
    }
}

/// What is inside other values and is not read is reported, and the row around it is kept.
#[test]
fn what_is_not_unwrapped_is_reported() {
    let cut = quote(&A[..A.len() - 3]);
    let deep = |inner: &str| format!("{}{inner}{}", r#"{"a":"#.repeat(7), "}".repeat(7));
    for (text, items) in [
        (deep(A), "Json TooDeep"),
        (format!(r#"{{"x":{A},"y":{}}}"#, deep(B)), "CloudTrail TooDeep"),
        (deep("\"plain\""), "Json"),
        (format!(r#"{{"m":{cut}}}"#), "Json TruncatedDocument"),
        (format!(r#"{{"id":"1","timestamp":1,"message":{cut}}}"#), "TruncatedDocument"),
        (format!(r#"{{"_raw":{cut},"host":"h"}}"#), "Json TruncatedDocument"),
        (
            r#"{"data":"eyJldmVudE5hbWUiOiJBIiwiZXZlbnRTb3VyY2Ui"}"#.to_owned(),
            "Json TruncatedDocument",
        ),
    ] {
        assert_eq!(unwrapped(&text).0, items, "{text}");
    }
}

/// A text after an event on its line is no damage.
#[test]
fn texts_after_events() {
    let a = format!("0 CloudTrail {A}");
    let b = |at: usize| format!("{at} CloudTrail {B}");
    for (between, is_damage) in [
        (" trailing\n", false),
        (" (3 ms)\r\n", false),
        ("\t# done\n\n", false),
        (" x:\"y\"\n", true),
    ] {
        let text = format!("{A}{between}{B}{between}");
        let second = b(A.len() + between.len());
        let found = split_in(text.as_bytes(), 7);
        let events: Vec<&str> = found.lines().filter(|line| !line.contains("damage")).collect();
        assert_eq!(events, [&a, &second], "{text}");
        assert_eq!(found.contains("damage"), is_damage, "{found}");
        if !is_damage {
            check(&text, &[&a, &second]);
        }
    }
}

//! Tests texts that lack events: items that stand in the place of one, and incomplete answers.

use super::*;

#[test]
fn what_stands_in_the_place_of_an_event_is_damage() {
    let a = event("A");
    let quoted = serde_json::Value::from(a.as_str()).to_string();
    let hidden = a.replace("\"s\"", "\"s\",\"requestParameters\":\"***\"");
    let delivered = r#"{"eventVersion":"1","userIdentity":{"type":"Root"},"eventTime":"2024-05-06T07:08:09Z","eventSource":"s","eventName":"A","requestParameters":"***","eventID":"B"}"#;
    let lost = &[DamageKind::LostEvent][..];
    for (text, kinds) in [
        (format!(r#"{{"Records":[{a},null,{a}]}}"#), lost),
        (format!(r#"{{"Records":[{a},"[truncated]",{a}]}}"#), lost),
        (format!("[{a},null,{a}]"), lost),
        (format!("{a}\n[\"t\",\"GetKey\",1]\n{a}\n"), lost),
        (format!("{a}\n{{}}\n{a}\n"), lost),
        (format!(r#"{{"hits":{{"hits":[{{"_source":{a}}},{{"_source":null}}]}}}}"#), lost),
        (
            format!(r#"{{"Events":[{{"CloudTrailEvent":{quoted}}},{{"CloudTrailEvent":null}}]}}"#),
            lost,
        ),
        (format!(r#"{{"Events":[{{"CloudTrailEvent":{quoted}}},{{"EventId":"1"}}]}}"#), lost),
        (format!("{{\"MESSAGE\":{quoted}}}\n{{\"MESSAGE\":null}}\n"), lost),
        (format!("_time,_raw\n1,\"{}\"\n2,\n", a.replace('"', "\"\"")), lost),
        (format!("{a}\n2026-03-17T10:00:00Z WARN dropped: ModifyKey 1\n{a}\n"), lost),
        (format!("{hidden}\n"), &[DamageKind::UnreadableCell]),
        (format!(r#"{{"Records":[{hidden}]}}"#), &[DamageKind::UnreadableCell]),
        (format!("{a}\n{delivered}\n"), &[DamageKind::UnreadableCell]),
        (format!(r#"{{"Events":[{a}],"NextToken":"t"}}"#), &[DamageKind::Incomplete]),
        // Other programs' lines and rows.
        (format!("[\"tag\",1700000000,{a}]\n[\"tag\",1700000000,{a}]\n"), &[]),
        ("{}\n{}\n".to_owned(), &[]),
        (r#"{"Events":[null,{"a":1}]}"#.to_owned(), &[]),
        (format!("2026-03-17T10:00:00Z stream\n{a}\n"), &[]),
    ] {
        let (_, report) = names_in(seekable(text.clone().into_bytes()));
        let found: Vec<_> = report.damages.iter().map(|damage| damage.kind).collect();
        assert_eq!(found, kinds, "{text}: {report:?}");
    }
}

#[test]
fn a_document_after_the_lines_of_a_command_is_read() {
    let quoted = serde_json::Value::from(event("A")).to_string();
    let entry = format!("{{\n \"EventName\": \"A\",\n \"CloudTrailEvent\": {quoted}\n}}");
    for text in [
        format!("$ aws cloudtrail lookup-events\n{{\n\"Events\": [\n{entry}\n]\n}}\n"),
        format!("Script started\n$ aws cloudtrail\r\n{{\r\n\"Events\": [\n{entry}\n]\n}}\n"),
        format!("$ jq .Events x\n[\n{entry}\n]\n"),
    ] {
        let (names, report) = names_in(seekable(text.clone().into_bytes()));
        assert_eq!((names.as_str(), report.damage_count), ("A", 0), "{text}: {report:?}");
    }
}

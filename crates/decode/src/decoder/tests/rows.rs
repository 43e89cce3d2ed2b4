//! Tests rows that hold events in another form than as objects with CloudTrail's names.

use super::*;
use crate::json::value_end;
use crate::left_out::Member;

const RECORD: &str = r#"{"eventVersion":"1.08","userIdentity":{"arn":"arn:aws:iam::111122223333:user/ann"},"eventTime":"2024-05-06T07:08:09Z","eventSource":"s","eventName":"GetKey","awsRegion":"r","requestParameters":{"key":"k"}}"#;

/// The fields of [`RECORD`] as `decode` prints them.
const ROW: &str = "GetKey,arn:aws:iam::111122223333:user/ann,k";

fn read(text: &str) -> (Vec<String>, FileReport) {
    let fields = ["eventName", "userIdentity.arn", "requestParameters.key"];
    let options = DecodeOptions::new([request(equals("sourcetype", "aws:cloudtrail"), &fields)]);
    let (rows, report) = decode(&options, stream(text.into()));
    // A file in memory goes another way.
    let mut decoder = Decoder::new(&options);
    let mut ignore = |_, _| ControlFlow::Continue(());
    let whole = decoder.decode_whole(&mut text.into(), &Origin::new("f"), &mut ignore);
    assert_eq!(whole.events, report.events, "{text}");
    (rows, report)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn cell(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn the_events_are_read() {
    let row = r#""2024-05-06T07:08:09Z","GetKey","s","r",{"arn":"arn:aws:iam::111122223333:user/ann"},{"key":"k"}"#;
    let columns =
        r#""eventTime","eventName","eventSource","awsRegion","userIdentity","requestParameters""#;
    let objects: Vec<String> =
        columns.split(',').map(|name| format!(r#"{{"name":{name},"type":"string"}}"#)).collect();
    let objects = objects.join(",");
    let joined =
        r#""eventName","eventSource","userIdentity.arn","requestParameters.key","errorCode""#;
    let joined_row = r#""GetKey","s","arn:aws:iam::111122223333:user/ann","k",null"#;
    let bytes = format!("{:?}", RECORD.as_bytes());
    let uri: String = RECORD
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let mut entries = Vec::new();
    crate::json::for_each_member(RECORD.as_bytes(), |key, value| {
        let end = value_end(RECORD.as_bytes(), value);
        entries.push(format!(r#"{{"key":"{}","value":{}}}"#, &RECORD[key], &RECORD[value..end]));
        Some(end)
    });
    let entries = format!("[{}]", entries.join(","));
    for text in [
        // Tables as columns and rows.
        format!(r#"{{"columns":[{columns}],"index":[0,1],"data":[[{row}],[{row}]]}}"#),
        format!(r#"{{"tables":[{{"name":"T","columns":[{objects}],"rows":[[{row}],[{row}]]}}]}}"#),
        format!(r#"{{"preview":false,"fields":[{joined}],"rows":[[{joined_row}],[{joined_row}]]}}"#),
        format!(
            r#"{{"fields":[{joined}],"columns":[["GetKey","GetKey"],["s","s"],["arn:aws:iam::111122223333:user/ann","arn:aws:iam::111122223333:user/ann"],["k","k"],[null,null]]}}"#
        ),
        r#"{"eventName":{"0":"GetKey","1":"GetKey"},"eventSource":{"0":"s","1":"s"},"userIdentity":{"0":{"arn":"arn:aws:iam::111122223333:user/ann"},"1":{"arn":"arn:aws:iam::111122223333:user/ann"}},"requestParameters":{"0":{"key":"k"},"1":{"key":"k"}}}"#
            .to_owned(),
        // One object for each member.
        format!("{entries}\n{entries}\n"),
        format!("[{entries},{entries}]"),
        // Other ways to write a text.
        format!("time,payload\nt,{}\nt,{}\n", base64(RECORD), base64(RECORD)),
        format!("Event Name,Time,payload\nGetKey,t,{0}\nGetKey,t,{0}\n", base64(RECORD)),
        format!("eventName,eventTime,payload\nGetKey,t,{0}\nGetKey,t,{0}\n", base64(RECORD)),
        format!("time,payload\nt,{0}\nt,{0}\n", cell(&format!("{{\"Records\":[{RECORD}]}}"))),
        format!("{{\"MESSAGE\":{bytes}}}\n{{\"MESSAGE\":{bytes}}}\n"),
        format!("{{\"p\":{{\"type\":\"Buffer\",\"data\":{bytes}}}}}\n").repeat(2),
        format!("{{\"payload\":\"{uri}\"}}\n").repeat(2),
        // The whole event beside some of its members.
        format!("eventTime;eventName;eventSource;raw\nt;GetKey;s;{0}\nt;GetKey;s;{0}\n", cell(RECORD)),
        format!(r#"{{"eventTime":"t","eventName":"GetKey","eventSource":"s","event":{RECORD}}}"#)
            .repeat(2),
        format!(r#"{{"eventName":"GetKey","eventSource":"s","raw":{}}}"#, quoted(RECORD)).repeat(2),
        format!(r#"{{"EventName":"GetKey","EventSource":"s","raw":{}}}"#, quoted(RECORD)).repeat(2),
        format!(r#"{{"eventName":"GetKey","eventSource":"s","raw":"{}"}}"#, base64(RECORD)).repeat(2),
        format!(r#"{RECORD}{{"eventName":"GetKey","eventSource":"s","event":{{"x":{RECORD}}}}}"#),
        format!(r#"{{"Records":[{RECORD},{{"eventName":"GetKey","eventSource":"s","x":{RECORD}}}]}}"#),
        // A long name in the header, and types after the names.
        format!("@timestamp,{},event.original\nt,-,{1}\nt,-,{1}\n", "a.b".repeat(30), cell(RECORD)),
        r#"{"eventName_s":"GetKey","eventSource_s":"s","userIdentity_s":"{\"arn\":\"arn:aws:iam::111122223333:user/ann\"}","requestParameters_s":"{\"key\":\"k\"}"}"#
            .repeat(2),
        "eventName_s,eventSource_s,userIdentity_arn_s,requestParameters_key_s\nGetKey,s,arn:aws:iam::111122223333:user/ann,k\nGetKey,s,arn:aws:iam::111122223333:user/ann,k\n"
            .to_owned(),
    ] {
        let (rows, report) = read(&text);
        assert_eq!(rows, [ROW; 2], "{text}");
        assert_eq!((report.events, report.rows, report.damage_count), (2, 0, 0), "{text}");
        assert!(!report.left_out.members().has(Member::RequestParameters), "{text}");
    }
}

/// A record stays what it is if another member holds some other event, or less of its own.
#[test]
fn records_with_other_events_inside() {
    let other = RECORD.replace("GetKey", "ListKeys");
    for extra in [
        format!(r#""cause":{other}"#),
        format!(r#""causes":[{RECORD},{other}]"#),
        r#""short":{"eventName":"GetKey","eventSource":"s","note":"a text of some more length than others"}"#
            .to_owned(),
        r#""note":"the eventName is GetKey, and this is a text of some length, but no event"}"#
            .trim_end_matches('}')
            .to_owned(),
    ] {
        let text = format!("{},{extra}}}", &RECORD[..RECORD.len() - 1]);
        let (rows, report) = read(&text.repeat(3));
        assert_eq!(rows, [ROW; 3], "{text}");
        assert_eq!((report.events, report.damage_count), (3, 0), "{text}");
    }
}

#[test]
fn no_events_are_invented() {
    let statistics = r#"{\"numRecords\":2,\"minValues\":{\"eventName\":\"A\",\"eventSource\":\"s\",\"userIdentity\":\"x\"},\"maxValues\":{\"eventName\":\"B\",\"eventSource\":\"s\"},\"nullCount\":{\"eventName\":0,\"eventSource\":0}}"#;
    for (text, rows, has_lookalikes) in [
        (
            format!(
                r#"{{"commitInfo":{{"operation":"WRITE"}}}}{{"protocol":{{"minReaderVersion":1}}}}{{"metaData":{{"schemaString":"{{\"fields\":[{{\"name\":\"eventName\"}},{{\"name\":\"userIdentity\"}}]}}"}}}}{{"add":{{"path":"p","dataChange":true,"stats":"{statistics}"}}}}"#
            ),
            0,
            false,
        ),
        (format!(r#"{{"file":"p","stats":"{statistics}"}}"#), 1, true),
        (r#"{"eventName":0,"eventSource":0,"userIdentity":0}"#.to_owned(), 1, true),
        ("eventName\teventTime\teventSource\nGetKey\nt\ns\n".to_owned(), 0, false),
        (r#"{"add":{"dataChange":true},"user":"ann"}"#.to_owned(), 1, false),
        // Patterns, alone and as text below many levels; schemas, rules and findings.
        (
            r#"{"source":["aws.iam"],"detail-type":["x"],"detail":{"eventSource":["iam.amazonaws.com"],"eventName":["CreateUser","DeleteUser"]}}"#
                .to_owned(),
            1,
            false,
        ),
        (r#"{"detail":{"eventName":["A"],"userIdentity":{"type":["Root"]}}}"#.to_owned(), 1, false),
        (
            r#"{"eventName":[{"prefix":"Create"}],"userIdentity":{"type":["Root"]}}"#.to_owned(),
            1,
            false,
        ),
        (
            r#"{"a":[{"b":[{"c":{"d":[{"pattern":"{\"detail\":{\"eventName\":[\"CreateUser\"],\"eventSource\":[\"s\"]}}"}]}}]}]}"#
                .to_owned(),
            1,
            false,
        ),
        (
            r#"{"type":"object","properties":{"eventName":{"type":"string"},"eventTime":{"type":"string"},"eventSource":{"type":"string"},"userIdentity":{"type":"object"}}}"#
                .to_owned(),
            1,
            false,
        ),
        (
            r#"{"title":"x","logsource":{"product":"aws","service":"cloudtrail"},"detection":{"selection":{"eventSource":"iam.amazonaws.com","eventName":"CreateUser"},"condition":"selection"}}"#
                .to_owned(),
            1,
            false,
        ),
        (
            r#"{"schema_version":1,"run_id":"r","detection":{},"result":{"eventName":"GetKey","eventSource":"s","userIdentity.arn":"arn:aws:iam::111122223333:user/ann","eventTime":"2026-03-17T10:00:00Z","sourceIPAddress":"192.0.2.1","awsRegion":"eu-west-1","eventID":"0b0f5a4e-6f0e-4f53-9c52-2f1b0a6f7d11"}}"#
                .to_owned(),
            1,
            false,
        ),
    ] {
        let (found, report) = read(&text);
        assert_eq!(found, [""; 0], "{text}");
        assert_eq!((report.events, report.rows), (rows, rows), "{text}");
        assert_eq!(report.has_lookalikes, has_lookalikes, "{text}");
        assert!(report.damage_count == 0 || !text.starts_with('{'), "{text}");
    }
}

#[test]
fn rows_that_cannot_be_events_are_told() {
    for (text, has_lookalikes) in [
        ("_time,eventName,user_arn,src_ip\nt,GetKey,u,192.0.2.1\n", true),
        (r#"[{"EventName":"GetKey"},{"EventName":"ListKeys"}]"#, true),
        (r#"[["GetKey"],["ListKeys"]]"#, true),
        (r#"["GetKey","ListKeys"]"#, false),
        (r#"[["GetKey","ListKeys"],["ModifyKey"]]"#, false),
        (r#"["1.10",{"type":"Root"},"s3.amazonaws.com","GetKey"]"#, true),
        (r#"[["GetKey","2026-03-17T10:00:00Z","ann"]]"#, true),
        (r#"[["1.10",{"type":"Root"},"2026-03-17T10:00:00Z","s3.amazonaws.com","GetKey"]]"#, true),
        (
            "[[\"Records\",0,\"eventName\"],\"A\"]\n[[\"Records\",0,\"userIdentity\",\"arn\"],\"x\"]\n",
            true,
        ),
        (r#"{"columns":["eventName","user"],"data":[["GetKey","u"]]}"#, true),
        (r#"{"eventName":["GetKey"],"user":["u"]}"#, true),
        ("eventName,count\nGetKey,5\nListKeys,6\n", false),
        (r#"[["ann",1],["bob",2]]"#, false),
        (r#"{"columns":["eventName","count"],"data":[["GetKey",5]]}"#, false),
    ] {
        let (found, report) = read(text);
        assert_eq!(found, [""; 0], "{text}");
        assert_eq!(report.has_lookalikes, has_lookalikes, "{text}");
    }
}

/// Each row repeats the names of its table, which must not take more memory than a limit.
#[test]
fn a_table_with_long_names_is_limited() {
    let names = format!(r#""eventName","eventSource","{}""#, "x".repeat(200_000));
    let rows = vec![r#"["A","s",1]"#; 1_000].join(",");
    let (_, report) = read(&format!(r#"{{"columns":[{names}],"data":[{rows}]}}"#));
    assert!(report.events < 1_000, "{}", report.events);
    assert_eq!(report.damages.first().map(|damage| damage.kind), Some(DamageKind::RecordTooLarge));
}

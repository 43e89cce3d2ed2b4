//! Records of the samples, written as other programs do, have the fields that they have.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::*;

fn sample_records() -> Vec<Value> {
    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/AWSLogs"), &mut found);
    let mut records: BTreeMap<String, Value> = BTreeMap::new();
    for path in found {
        let bytes = std::fs::read(&path).unwrap();
        let mut text = Vec::new();
        let inflated = crate::gzip::GzipReader::new(&bytes[..]).read_to_end(&mut text);
        if inflated.is_err() {
            continue;
        }
        let Ok(file) = serde_json::from_slice::<Value>(&text) else { continue };
        for record in file["Records"].as_array().into_iter().flatten() {
            records.entry(record["eventName"].to_string()).or_insert_with(|| record.clone());
        }
    }
    records.into_values().collect()
}

fn keys(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let changed = members.iter().map(|(key, value)| (change(key), keys(value, change)));
            Value::Object(changed.collect())
        }
        Value::Array(items) => items.iter().map(|item| keys(item, change)).collect(),
        other => other.clone(),
    }
}

fn joined(value: &Value, joint: &str, prefix: &str, found: &mut Map<String, Value>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                joined(value, joint, &format!("{prefix}{key}{joint}"), found);
            }
            _ => drop(found.insert(format!("{prefix}{key}"), value.clone())),
        }
    }
}

fn strings(record: &Value, change: &dyn Fn(&Value) -> String) -> Value {
    let is_nested = |value: &Value| value.is_object() || value.is_array();
    let members = record.as_object().unwrap().iter().map(|(key, value)| {
        let value = if is_nested(value) { change(value).into() } else { value.clone() };
        (key.clone(), value)
    });
    Value::Object(members.collect())
}

fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => {
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                format!("{}: {}", python(&Value::from(key.as_str())), python(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        number => number.to_string(),
    }
}

fn snake(key: &str) -> String {
    let mut text = String::new();
    let mut was_capital = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && !was_capital {
            text.push('_');
        }
        was_capital = c.is_ascii_uppercase();
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn pascal(key: &str) -> String {
    key[..1].to_ascii_uppercase() + &key[1..]
}

fn dresses(record: &Value) -> Vec<(String, String)> {
    let usual = record.to_string();
    let mut found: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: Value| found.push((name.to_owned(), value.to_string()));
    add("lower", keys(record, &|key| key.to_ascii_lowercase()));
    add("upper", keys(record, &|key| key.to_ascii_uppercase()));
    add("snake", keys(record, &snake));
    add("Pascal", keys(record, &pascal));
    add("strings", strings(record, &Value::to_string));
    add("strings twice", strings(record, &|value| Value::from(value.to_string()).to_string()));
    add("Python", strings(record, &python));
    for joint in [".", "_", "/", "-", ":", "__", "::"] {
        let mut members = Map::new();
        joined(record, joint, "", &mut members);
        let members = Value::Object(members);
        add(&format!("lower joined by {joint}"), keys(&members, &|key| key.to_ascii_lowercase()));
        add(&format!("joined by {joint}"), members);
    }
    for member in record.as_object().unwrap().keys() {
        let others = [member.to_ascii_lowercase(), pascal(member), snake(member)];
        let letter = u32::from(member.as_bytes()[2]);
        let escaped = format!("{}\\u{letter:04x}{}", &member[..2], &member[3..]);
        for other in others.into_iter().chain([escaped]) {
            let text = usual.replacen(&format!("\"{member}\":"), &format!("\"{other}\":"), 1);
            found.push((format!("with {other}"), text));
        }
    }
    found
}

#[test]
fn samples_in_any_dress_have_the_same_fields() {
    let fields = [
        "_time",
        "sourcetype",
        "eventName",
        "eventSource",
        "errorCode",
        "awsRegion",
        "aws_account_id",
        "src_ip",
        "user_arn",
        "user",
        "user_agent",
        "userIdentity.sessionContext.sessionIssuer.arn",
        "requestParameters.bucketName",
        "requestParameters.Host",
        "requestParameters.imageId",
        "requestParameters.snapshotId",
        "requestParameters.launchPermission.add.items{}.userId",
        "requestParameters.createVolumePermission.add.items{}.group",
        "requestParameters.destinationLocationArn",
        "requestParameters.ReplicationConfiguration.Rule.Destination.Bucket",
        "requestParameters.secretId",
        "requestParameters.functionName",
        "resources{}.ARN",
        "responseElements.ConsoleLogin",
        "responseElements.assumedRoleUser.arn",
    ];
    let options = DecodeOptions::new([request(Predicate::All, &fields)]);
    let records = sample_records();
    assert!(records.len() > 10);
    for record in records {
        let (expected, _) = decode(&options, seekable(record.to_string().into()));
        assert_eq!(expected.len(), 1);
        for (name, text) in dresses(&record) {
            let (rows, report) = decode(&options, seekable(text.clone().into()));
            assert_eq!((&rows, report.damage_count), (&expected, 0), "{name}: {text}");
        }
    }
}

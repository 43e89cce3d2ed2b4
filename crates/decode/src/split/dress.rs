//! Recognizes CloudTrail records that another program has written its own way, and writes them as
//! CloudTrail does.
//!
//! Athena and Glue write keys in lower case, other programs join the keys of nested objects
//! (`userIdentity_arn`), and many write nested objects as strings of JSON. Without this, the events
//! would be counted, and no detection would match them.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::inside::event_format;
use super::scan::is_valid;
use super::shape::{Shape, outer_keys, prefix_of_name};
use crate::csv::{Kind, canonical, inner_value, place_of, struct_to_json};
use crate::event_view::EventTime;
use crate::json::{for_each_element, for_each_member, unescape, value_end};
use crate::members::{Members, quoted};
use crate::record::Format;
use crate::time;

/// The most members of a record that is rewritten; CloudTrail has a few dozen, and each member is
/// compared with all before it.
const MAX_MEMBERS: usize = 256;
/// The depth to which keys of structs are spelled anew.
const MAX_DEPTH: usize = 8;

static IDENTITY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"userIdentity\""));

/// An object that is an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundEvent {
    pub(crate) format: Format,
    /// The record as CloudTrail writes it, if the object is written in another way.
    pub(crate) rewritten: Option<String>,
}

/// Returns the event that an object of this shape is, or `None` for any other object.
pub(crate) fn event_of(shape: Shape, object: &[u8]) -> Option<FoundEvent> {
    if shape == Shape::Dressed {
        let rewritten = Some(rewrite(object)?);
        return Some(FoundEvent { format: Format::CloudTrail, rewritten });
    }
    let format = event_format(shape, object)?;
    let is_dressed = format == Format::CloudTrail && (has_texts(object) || is_flat(object));
    Some(FoundEvent { format, rewritten: if is_dressed { rewrite(object) } else { None } })
}

/// Returns true if a member that holds an object is written as a string of JSON.
fn has_texts(record: &[u8]) -> bool {
    let mut found = false;
    if memchr::memchr(b'\\', record).is_some() {
        for_each_member(record, |name, value| {
            let end = value_end(record, value);
            let is_escaped = memchr::memchr(b'\\', &record[value..end]).is_some();
            found |= is_escaped && is_text_of_object(&record[name], &record[value..end]);
            (!found).then_some(end)
        });
    }
    found
}

/// Returns true if the value of a key, which has escapes, is a string of JSON instead of an object.
pub(crate) fn is_text_of_object(key: &[u8], value: &[u8]) -> bool {
    matches!(value, [b'"', b'{' | b'[', ..])
        && matches!(
            key,
            b"userIdentity"
                | b"requestParameters"
                | b"responseElements"
                | b"additionalEventData"
                | b"serviceEventDetails"
                | b"resources"
                | b"tlsDetails"
                | b"insightDetails"
        )
}

/// Returns true if a record has the members of `userIdentity` as its own, under joined keys.
pub(crate) fn is_flat(record: &[u8]) -> bool {
    if IDENTITY.find(record).is_some() {
        return false;
    }
    let mut found = false;
    for_each_member(record, |name, value| {
        let rest = record[name].strip_prefix(b"userIdentity");
        found |= matches!(rest, Some([b'.' | b'_' | b'/', _, ..]));
        (!found).then(|| value_end(record, value))
    });
    found
}

/// Writes an object as CloudTrail writes its records; `None` if it is no record then either.
fn rewrite(object: &[u8]) -> Option<String> {
    let mut found = Vec::new();
    for_each_member(object, |name, value| {
        let end = value_end(object, value);
        found.push((&object[name], &object[value..end]));
        (found.len() <= MAX_MEMBERS).then_some(end)
    });
    if found.len() > MAX_MEMBERS {
        return None;
    }
    // The keys of an envelope may be joined with those of its record, as in `detail.eventName`.
    let prefix = found.iter().find_map(|(key, _)| prefix_of_name(key)).unwrap_or_default();
    let mut members = Members::default();
    for (key, value) in found {
        let key = key.strip_prefix(prefix).unwrap_or(key);
        let key = unescape(std::str::from_utf8(key).ok()?);
        let value = std::str::from_utf8(value).ok()?;
        match place_of(&key) {
            Some((path, kind)) => {
                if let Some(json) = written(value, kind, &path) {
                    members.insert(&path, json.into_owned());
                }
            }
            None => members.insert(&[key.into_owned()], value.to_owned()),
        }
    }
    let mut text = String::new();
    members.write(&mut text);
    let is_record = outer_keys(text.as_bytes()).shape() == Shape::CloudTrail;
    is_record.then_some(text)
}

/// Returns the value of a member as CloudTrail writes it; `None` if there is none.
fn written<'a>(value: &'a str, kind: Kind, path: &[String]) -> Option<Cow<'a, str>> {
    let inner = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(unescape);
    match (kind, inner) {
        (Kind::Flag, Some(text)) => {
            let flag = text.to_ascii_lowercase();
            let is_flag = matches!(flag.as_str(), "true" | "false");
            Some(if is_flag { flag.into() } else { value.into() })
        }
        (Kind::Time, text) => {
            let epoch = EventTime::read(text.as_deref().unwrap_or(value)).epoch;
            Some(epoch.map_or(value.into(), |epoch| quoted(&time::written(epoch)).into()))
        }
        (Kind::Struct | Kind::Document, Some(text)) => {
            let text = text.trim();
            if matches!(text, "" | "null") {
                return None;
            }
            if text.starts_with(['{', '[']) && is_valid(text.as_bytes()) {
                return Some(respelled(text, kind, &path[0]).into());
            }
            let parsed = (kind == Kind::Struct).then(|| struct_to_json(text, &path[0])).flatten();
            Some(parsed.map_or(value.into(), Cow::from))
        }
        (Kind::Struct, None) => Some(respelled(value, kind, &path[0]).into()),
        // A nested list or object below a joined key.
        (Kind::Inner, Some(text)) => Some(inner_value(&text, path).map_or(value.into(), Cow::from)),
        _ => Some(value.into()),
    }
}

/// Returns a valid JSON value with the keys of a struct in CloudTrail's spelling.
fn respelled(json: &str, kind: Kind, member: &str) -> String {
    if kind != Kind::Struct {
        return json.to_owned();
    }
    let mut text = String::with_capacity(json.len());
    respell(json.as_bytes(), member, &mut text, MAX_DEPTH);
    text
}

fn respell(json: &[u8], member: &str, text: &mut String, depth: usize) {
    let raw = |bytes: &[u8], text: &mut String| text.push_str(&String::from_utf8_lossy(bytes));
    let mut is_first = true;
    match json.first() {
        Some(b'{') if depth > 0 => {
            text.push('{');
            for_each_member(json, |name, value| {
                let end = value_end(json, value);
                text.push_str(if is_first { "\"" } else { ",\"" });
                is_first = false;
                let key = std::str::from_utf8(&json[name.clone()]).ok();
                match key.and_then(|key| canonical(key, member)) {
                    Some(key) => text.push_str(key),
                    None => raw(&json[name], text),
                }
                text.push_str("\":");
                respell(&json[value..end], member, text, depth - 1);
                Some(end)
            });
            text.push('}');
        }
        Some(b'[') if depth > 0 => {
            text.push('[');
            for_each_element(json, |at| {
                let end = value_end(json, at);
                if !std::mem::take(&mut is_first) {
                    text.push(',');
                }
                respell(&json[at..end], member, text, depth - 1);
                end
            });
            text.push(']');
        }
        _ => raw(json, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_in_other_dress() {
        for (object, record) in [
            (
                r#"{"eventversion":"1.08","eventname":"A","eventsource":"s","useridentity":{"type":"Root","sessioncontext":{"sessionissuer":{"username":"r"}}},"readonly":"true","resources":[{"arn":"x","accountid":"1"}],"day":17}"#,
                r#"{"eventVersion":"1.08","eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"readOnly":true,"resources":[{"ARN":"x","accountId":"1"}],"day":17}"#,
            ),
            (
                r#"{"event_name":"A","event_source":"s","event_time":"2026-03-17 10:00:00.000","user_identity":"{type=Root, arn=x}","request_parameters":"{\"n\":12345678901234567890.10}","response_elements":"null"}"#,
                r#"{"eventName":"A","eventSource":"s","eventTime":"2026-03-17T10:00:00Z","userIdentity":{"type":"Root","arn":"x"},"requestParameters":{"n":12345678901234567890.10}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity.type":"Root","userIdentity.sessionContext.sessionIssuer.userName":"r","requestParameters.bucketName":"b"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"requestParameters":{"bucketName":"b"}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity_type":"Root","userIdentity_sessionContext_sessionIssuer_userName":"r","requestParameters_bucketName":"b","resources_0_ARN":"x","resources_1_ARN":"y"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"requestParameters":{"bucketName":"b"},"resources":[{"ARN":"x"},{"ARN":"y"}]}"#,
            ),
            (
                r#"{"eventname":"A","eventsource":"s","useridentity/arn":"x","user_identity_session_context_attributes_mfa_authenticated":"true"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}}}"#,
            ),
            (
                r#"{"source":"aws.iam","detail.eventName":"A","detail.eventSource":"s","detail.userIdentity.arn":"x"}"#,
                r#"{"source":"aws.iam","eventName":"A","eventSource":"s","userIdentity":{"arn":"x"}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity.arn":"x","requestParameters":null,"requestParameters.items":"[{\"a\":1}]","requestParameters.policyDocument":"{\"a\":1}","requestParameters.note":"[x]"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"},"requestParameters":{"items":[{"a":1}],"policyDocument":"{\"a\":1}","note":"[x]"}}"#,
            ),
            (
                r#"{"eventVersion":"1.08","eventName":"A","userIdentity":{"arn":"x"},"requestParameters":"{\"a\":{\"b\":1}}"}"#,
                r#"{"eventVersion":"1.08","eventName":"A","userIdentity":{"arn":"x"},"requestParameters":{"a":{"b":1}}}"#,
            ),
        ] {
            let shape = outer_keys(object.as_bytes()).shape();
            let found = event_of(shape, object.as_bytes());
            let expected =
                FoundEvent { format: Format::CloudTrail, rewritten: Some(record.to_owned()) };
            assert_eq!(found, Some(expected), "{object}");
        }
    }

    #[test]
    fn records_as_delivered_and_other_rows_stay() {
        for (object, is_event) in [
            (r#"{"eventVersion":"1","eventName":"A","userIdentity":{"x_y":"{\"a\":1}"}}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","note":"{\"a\":1}"}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","userIdentityX":1}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","requestParameters":"{}"}"#, true),
            (r#"{"eventname":"click","user":"ann"}"#, false),
            (r#"{"event_name":"click","event_id":"1"}"#, false),
            (r#"{"EventName":"A","EventId":"1"}"#, false),
        ] {
            let shape = outer_keys(object.as_bytes()).shape();
            let found = event_of(shape, object.as_bytes());
            assert_eq!(found.as_ref().map(|found| &found.rewritten), is_event.then_some(&None));
        }
    }
}

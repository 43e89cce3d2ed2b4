//! Recognizes objects that speak of events and hold none: the patterns, rules and schemas that tools
//! keep about CloudTrail, and the findings of this program.

use crate::json::{for_each_member, member, value_end};

/// The members of a finding that this program writes, which together no other program has.
const FINDING: [&[u8]; 3] = [b"schema_version", b"run_id", b"detection"];

/// Words with which the description of a member in a schema or mapping begins.
const WORDS: [&[u8]; 14] = [
    b"type",
    b"$ref",
    b"$id",
    b"properties",
    b"enum",
    b"const",
    b"items",
    b"anyOf",
    b"oneOf",
    b"allOf",
    b"description",
    b"title",
    b"format",
    b"pattern",
];

/// The members by which patterns pick events; a table of events has others, too.
const PICKED: [&str; 7] = [
    "eventName",
    "eventSource",
    "eventType",
    "eventCategory",
    "errorCode",
    "readOnly",
    "managementEvent",
];

/// The members of an event by whose values a text is told from a pattern, and those that no pattern has.
const TEXTS: [&[u8]; 2] = [b"eventName", b"eventSource"];
const OF_EVENTS: [&[u8]; 3] = [b"eventTime", b"eventVersion", b"class_uid"];

/// Returns true for an object under the keys of `path` that is a finding, a schema, or the conditions of
/// a rule. What these hold is no event, even where it has the names of one.
pub(crate) fn is_about_events(object: &[u8], path: &str) -> bool {
    is_finding(object) || ((is_schema(object) || is_rule(object, path)) && !may_be_event(object))
}

/// Returns true if a text has the time or the version of an event: whoever hides an event in a schema
/// or a rule cannot do without.
fn may_be_event(text: &[u8]) -> bool {
    OF_EVENTS.iter().any(|name| {
        memchr::memmem::find_iter(text, name).any(|at| {
            let value = value_after(&text[at + name.len()..]).unwrap_or_default();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            value.first().is_some_and(u8::is_ascii_digit)
        })
    })
}

fn is_finding(object: &[u8]) -> bool {
    FINDING.iter().all(|key| member(object, key).is_some())
}

/// Returns true for an object whose `properties` are all described by the words of schemas.
fn is_schema(object: &[u8]) -> bool {
    let Some(properties) = member(object, b"properties") else { return false };
    let properties = &object[properties];
    let (mut count, mut is_schema) = (0, true);
    for_each_member(properties, |_, start| {
        let end = value_end(properties, start);
        count += 1;
        is_schema = is_description(&properties[start..end]);
        is_schema.then_some(end)
    });
    count > 0 && is_schema
}

/// Returns true for an object that begins with a word of schemas.
fn is_description(value: &[u8]) -> bool {
    let mut is_known = false;
    if value.first() == Some(&b'{') {
        for_each_member(value, |key, _| {
            is_known = is_word(&value[key]);
            None
        });
    }
    is_known
}

/// Returns true for a word with which descriptions in schemas begin.
pub(super) fn is_word(key: &[u8]) -> bool {
    WORDS.contains(&key)
}

/// Returns true for the conditions of a Sigma rule: what they select, and how that is combined.
fn is_rule(object: &[u8], path: &str) -> bool {
    let is_text = |value: std::ops::Range<usize>| object[value.start] == b'"';
    (path == "detection" || path.ends_with(".detection") || path.ends_with("[].detection"))
        && member(object, b"condition").is_some_and(is_text)
}

/// Returns true if names that each have a list of values are those of a pattern, and of no table.
pub(super) fn are_picked(names: &[String]) -> bool {
    names.iter().all(|name| PICKED.contains(&name.as_str()))
}

/// Returns true for a text, escaped any number of times, in which the members of events have lists and
/// objects as values: a pattern.
pub(super) fn is_pattern(text: &[u8]) -> bool {
    let mut has_list = false;
    for name in TEXTS {
        for at in memchr::memmem::find_iter(text, name) {
            match value_after(&text[at + name.len()..]) {
                Some([b'[' | b'{', ..]) => has_list = true,
                _ => return false,
            }
        }
    }
    has_list && OF_EVENTS.iter().all(|name| memchr::memmem::find(text, name).is_none())
}

/// Returns what follows a name and its colon; `None` if the name is no key.
pub(crate) fn value_after(rest: &[u8]) -> Option<&[u8]> {
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'\\' | b'"');
    let colon = rest.iter().position(|byte| !is_gap(byte))?;
    let value = rest[colon..].strip_prefix(b":")?;
    let is_gap = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\\';
    let start = value.iter().position(|byte| !is_gap(byte))?;
    Some(&value[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_events() {
        for (object, path, expected) in [
            (r#"{"schema_version":1,"id":"a","run_id":"b","detection":{}}"#, "", true),
            (r#"{"schema_version":1,"detection":{}}"#, "", false),
            (r#"{"type":"object","properties":{"eventName":{"type":"string"}}}"#, "", true),
            (r##"{"properties":{"a":{"$ref":"#/b"},"b":{"properties":{}}}}"##, "mappings", true),
            (r#"{"properties":{"a":{"type":"string"},"b":{"eventName":"A"}}}"#, "", false),
            (r#"{"properties":{"a":{"type":"x","b":{"eventTime":"2026-03-17"}}}}"#, "", false),
            (r#"{"condition":"x","b":"{\"eventVersion\":\"1.08\"}"}"#, "detection", false),
            (r#"{"properties":{}}"#, "", false),
            (r#"{"properties":"x"}"#, "", false),
            (r#"{"selection":{"eventName":"A"},"condition":"selection"}"#, "detection", true),
            (r#"{"selection":{"eventName":"A"},"condition":"selection"}"#, "[].detection", true),
            (r#"{"selection":{"eventName":"A"},"condition":"selection"}"#, "event", false),
            (r#"{"selection":{"eventName":"A"},"condition":["x"]}"#, "detection", false),
        ] {
            assert_eq!(is_about_events(object.as_bytes(), path), expected, "{object} {path}");
        }
    }

    #[test]
    fn patterns() {
        for (text, expected) in [
            (r#"{"detail":{"eventName":["A"],"eventSource":["s"]}}"#, true),
            (r#"{\"detail\" : {\"eventName\" : [\"A\"]}}"#, true),
            (r#"{"eventSource":[{"prefix":"iam"}]}"#, true),
            (r#"{"eventName":["A"],"eventSource":"s"}"#, false),
            (r#"{"eventName":["A"],"eventTime":["t"]}"#, false),
            (r#"["eventName","eventSource"]"#, false),
            (r#"{"eventName"#, false),
            (r#"{"user":"ann"}"#, false),
        ] {
            assert_eq!(is_pattern(text.as_bytes()), expected, "{text}");
        }
    }
}

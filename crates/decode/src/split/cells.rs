//! Makes a record of a row that an export writes as one object for each column.
//!
//! CloudTrail Lake writes a row as `[{"eventName":"A"},{"eventTime":"…"}]`, Logs Insights as
//! `[{"field":"eventName","value":"A"},…]`, jq's `to_entries` with `key` in place of `field`. If the
//! columns suffice, they are a record.

use std::borrow::Cow;
use std::io::Read;

use super::Splitter;
use super::inside::event_format;
use super::scan;
use super::shape::outer_keys;
use crate::csv::{inner_value, member_named, place_of};
use crate::json::{for_each_element, for_each_member, skip_space, string_end, unescape, value_end};
use crate::members::Members;
use crate::nulls::{is_code, is_null};
use crate::record::Format;

impl<R: Read> Splitter<R> {
    /// Returns true if the array that comes next begins like a row of cells.
    pub(super) fn begins_row_of_cells(&mut self) -> bool {
        while self.window.bytes().len() - self.at < LOOKED_AT && self.refill() {}
        let rest = &self.window.bytes()[self.at..];
        may_begin_row(&rest[..rest.len().min(LOOKED_AT)])
    }
}

/// The keys under which a cell has the name of its column.
const NAME_KEYS: [&[u8]; 5] = [b"field", b"key", b"Key", b"name", b"Name"];
/// The bytes at the start of an array that are looked at to tell cells from other objects.
const LOOKED_AT: usize = 256;

/// Returns true if an array begins like a row of cells, one object for each member of a record.
fn may_begin_row(array: &[u8]) -> bool {
    let object = skip_space(array, 1);
    let key = skip_space(array, object + 1);
    if array.get(object) != Some(&b'{') || array.get(key) != Some(&b'"') {
        return false;
    }
    let end = string_end(array, key + 1).0;
    let colon = skip_space(array, end + 1);
    let value = skip_space(array, colon + 1);
    let name = array.get(value + 1..string_end(array, value + 1).0).unwrap_or_default();
    array.get(key + 1..end).is_some_and(|key| NAME_KEYS.contains(&key))
        && array.get(value) == Some(&b'"')
        && std::str::from_utf8(name).is_ok_and(|name| place_of(name).is_some())
}

/// Returns the record that an array of cells makes, with its format; `None` if it is no event.
///
/// The array must be valid JSON.
pub(super) fn record(array: &[u8]) -> Option<(String, Format)> {
    let mut members = Members::default();
    let mut is_row = array.first() == Some(&b'[');
    for_each_element(array, |at| {
        let end = value_end(array, at);
        is_row = is_row && add(&mut members, &array[at..end]).is_some();
        // Nothing after the first element that is no cell is looked at.
        if is_row { end } else { array.len() }
    });
    if !is_row {
        return None;
    }
    let mut text = String::new();
    members.write(&mut text);
    let format = event_format(outer_keys(text.as_bytes()).shape(), text.as_bytes())?;
    Some((text, format))
}

/// Adds a cell; `None` if the element is none. The dots of a column's name separate the keys of
/// nested objects.
fn add(members: &mut Members, cell: &[u8]) -> Option<()> {
    let (name, value) = column(cell)?;
    let path: Vec<String> = name.split('.').map(str::to_owned).collect();
    // A member that is null says something else than one that is missing.
    if value == "null" && member_named(&name).is_some() {
        members.insert(&path, value.to_owned());
        return Some(());
    }
    if let Some(json) = json_of(value, &path).filter(|json| !is_missing_code(json, &path)) {
        members.insert(&path, json.into_owned());
    }
    Some(())
}

/// Returns the name of a cell, and its value as written.
fn column(cell: &[u8]) -> Option<(String, &str)> {
    if cell.first() != Some(&b'{') {
        return None;
    }
    let mut found: Vec<(&[u8], &[u8])> = Vec::new();
    for_each_member(cell, |name, value| {
        let end = value_end(cell, value);
        found.push((&cell[name], &cell[value..end]));
        (found.len() <= 2).then_some(end)
    });
    let (name, value) = match *found.as_slice() {
        [(name, value)] => (name, value),
        [(key, name), (b"value" | b"Value", value)]
        | [(b"value" | b"Value", value), (key, name)]
            if NAME_KEYS.contains(&key) =>
        {
            (name.strip_prefix(b"\"")?.strip_suffix(b"\"")?, value)
        }
        _ => return None,
    };
    let name = unescape(std::str::from_utf8(name).ok()?).into_owned();
    Some((name, std::str::from_utf8(value).ok()?))
}

/// Returns the JSON of a cell, or `None` if it is empty: exports write all values as text, nested
/// ones as the JSON that they were.
fn json_of<'a>(value: &'a str, path: &[String]) -> Option<Cow<'a, str>> {
    let Some(text) = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return (value != "null").then_some(Cow::Borrowed(value));
    };
    if text.is_empty() {
        return None;
    }
    let inner = unescape(text);
    if path.len() > 1 {
        return Some(inner_value(&inner, path).map_or(Cow::Borrowed(value), Cow::from));
    }
    let is_nested = inner.starts_with(['{', '[']) && scan::is_valid(inner.as_bytes());
    Some(if is_nested { inner } else { Cow::Borrowed(value) })
}

/// Returns true for a code of a record that is written as a text that says that there is none.
fn is_missing_code(json: &str, path: &[String]) -> bool {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let is_member = place_of(&path.join(".")).is_some_and(|(known, _)| known == path);
    text.is_some_and(|text| is_null(&unescape(text))) && is_member && is_code(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_columns() {
        for (cells, found) in [
            (
                r#"[{"eventName":"A"},{"eventSource":"s"},{"errorCode":""},{"userIdentity":"{\"arn\":\"x\"}"}]"#,
                Some(r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"}}"#),
            ),
            (
                r#"[{"key":"eventName","value":"A"},{"key":"userIdentity","value":{"arn":"x"}},{"key":"responseElements","value":null},{"key":"n","value":null}]"#,
                Some(r#"{"eventName":"A","userIdentity":{"arn":"x"},"responseElements":null}"#),
            ),
            (
                r#"[{"Name":"eventName","Value":"A"},{"Value":"s","Name":"eventSource"}]"#,
                Some(r#"{"eventName":"A","eventSource":"s"}"#),
            ),
            (r#"[{"key":"eventName","other":"A"},{"key":"eventSource","other":"s"}]"#, None),
            (
                r#"[{"field":"eventName","value":"A"},{"field":"userIdentity.arn","value":"x"}]"#,
                Some(r#"{"eventName":"A","userIdentity":{"arn":"x"}}"#),
            ),
            (
                r#"[{"eventName":"A"},{"eventSource":"s"},{"errorCode":"NULL"},{"userAgent":"-"}]"#,
                Some(r#"{"eventName":"A","eventSource":"s","userAgent":"-"}"#),
            ),
            (
                r#"[{"eventName":"A"},{"eventSource":"s"},{"requestParameters.policyDocument":"{\"a\":1}"},{"requestParameters.tags":"{\"a\":1}"}]"#,
                Some(
                    r#"{"eventName":"A","eventSource":"s","requestParameters":{"policyDocument":"{\"a\":1}","tags":{"a":1}}}"#,
                ),
            ),
            (r#"[{"eventName":"A"},{"count":"5"}]"#, None),
            (r#"[{"eventName":"A","eventID":"1"},{"eventSource":"s"}]"#, None),
            (r#"["eventName","eventSource"]"#, None),
            (
                r#"[{"eventName":"A"},{"eventSource":"s"},{"requestParameters":"{\"n\":123456789012345678901234.10}"}]"#,
                Some(
                    r#"{"eventName":"A","eventSource":"s","requestParameters":{"n":123456789012345678901234.10}}"#,
                ),
            ),
            ("[]", None),
        ] {
            let record = record(cells.as_bytes());
            assert_eq!(record.as_ref().map(|(text, _)| text.as_str()), found, "{cells}");
        }
    }
}

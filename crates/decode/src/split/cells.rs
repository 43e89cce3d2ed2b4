//! Makes a record of a row that an export writes as one object for each column.
//!
//! CloudTrail Lake writes a row as `[{"eventName":"A"},{"eventTime":"…"}]`, Logs Insights as
//! `[{"field":"eventName","value":"A"},…]`. If the columns suffice, they are a record.

use serde_json::{Map, Value};

use super::inside::event_format;
use super::shape::outer_keys;
use crate::record::Format;

/// Returns the record that an array of cells makes, with its format; `None` if it is no event.
pub(super) fn record(array: &[u8]) -> Option<(String, Format)> {
    let Ok(Value::Array(cells)) = serde_json::from_slice(array) else { return None };
    let mut record = Map::new();
    for cell in cells {
        let (name, value) = column(cell)?;
        if !value.is_null() {
            insert(&mut record, &name, value);
        }
    }
    let text = Value::Object(record).to_string();
    let format = event_format(outer_keys(text.as_bytes()).shape(), text.as_bytes())?;
    Some((text, format))
}

/// Returns the name and value of a cell.
fn column(cell: Value) -> Option<(String, Value)> {
    let Value::Object(mut members) = cell else { return None };
    let named = match (members.len(), members.get("field"), members.contains_key("value")) {
        (2, Some(Value::String(name)), true) => {
            let name = name.clone();
            (name, members.remove("value")?)
        }
        (1, ..) => members.into_iter().next()?,
        _ => return None,
    };
    Some((named.0, value_of(named.1)))
}

/// Returns the value of a cell: all are written as text, nested ones as the JSON that they were.
fn value_of(value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        value => value,
    }
}

/// Adds a column; the dots of its name separate the keys of nested objects.
fn insert(record: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        Some((first, rest)) => {
            let nested = record.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(nested) = nested {
                insert(nested, rest, value);
            }
        }
        None => {
            record.insert(name.to_owned(), value);
        }
    }
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
                r#"[{"field":"eventName","value":"A"},{"field":"userIdentity.arn","value":"x"}]"#,
                Some(r#"{"eventName":"A","userIdentity":{"arn":"x"}}"#),
            ),
            (r#"[{"eventName":"A"},{"count":"5"}]"#, None),
            (r#"[{"eventName":"A","eventID":"1"},{"eventSource":"s"}]"#, None),
            (r#"["eventName","eventSource"]"#, None),
            ("[]", None),
        ] {
            let record = record(cells.as_bytes());
            assert_eq!(record.as_ref().map(|(text, _)| text.as_str()), found, "{cells}");
        }
    }
}

//! JSON functions. Between calls, a JSON document is text. Functions return compact JSON that keeps
//! the order of keys, and the digits of numbers: within a function, documents have the marks of
//! [`digits`].

pub(super) mod build;
pub(super) mod change;
pub(super) mod convert;
pub mod digits;
pub(super) mod extract;
pub(super) mod inspect;
pub mod path;

use serde_json::{Number, Value as Json};
use spilltrail_event::{Value, format_number};

/// Parses a value as a JSON document; returns `None` if it is not JSON.
fn parse(value: &Value<'_>) -> Option<Json> {
    match value {
        Value::Text(text) => digits::parsed(text),
        Value::Number(number) => from_number(*number),
        Value::Bool(truth) => Some(Json::Bool(*truth)),
        Value::Null | Value::Multi(_) => None,
    }
}

/// Returns the document as compact text.
fn to_text<'a>(json: &Json) -> Value<'a> {
    Value::text(digits::written(json))
}

/// Returns a JSON value as a field value: strings without quotes, arrays and objects as text, and
/// null as null.
fn native<'a>(json: &Json) -> Value<'a> {
    digits::native(json).map_or(Value::Null, Value::text)
}

/// Returns an argument as JSON. Text that is a JSON object or array is nested as such. Field text
/// that is a JSON number becomes that number. String literals stay strings.
fn element(value: &Value<'_>, is_string: bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => from_number(*number).unwrap_or(Json::Null),
        Value::Multi(members) => members.iter().map(|member| digits::text(member)).collect(),
        Value::Text(text) => {
            let nested = text.trim_start().starts_with(['{', '[']);
            let numeric = !is_string && spilltrail_event::parse_number(text).is_some();
            let parsed = (nested || numeric).then(|| digits::parsed(text)).flatten();
            parsed.unwrap_or_else(|| digits::text(text))
        }
    }
}

fn from_number(number: f64) -> Option<Json> {
    // Whole numbers are printed without a decimal point, as everywhere in SPL.
    let text = format_number(number);
    text.parse::<i64>()
        .map(Number::from)
        .ok()
        .or_else(|| Number::from_f64(number))
        .map(Json::Number)
}

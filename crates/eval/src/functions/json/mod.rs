//! JSON functions. JSON is text between calls; what a function returns is compact, keys in order.

pub(super) mod build;
pub(super) mod change;
pub(super) mod convert;
pub(super) mod extract;
pub(super) mod inspect;
pub mod path;

use serde_json::{Number, Value as Json};
use spilltrail_event::{Value, format_number};

/// Returns the document that a value is.
fn parse(value: &Value<'_>) -> Option<Json> {
    match value {
        Value::Text(text) => serde_json::from_str(text).ok(),
        Value::Number(number) => from_number(*number),
        Value::Bool(truth) => Some(Json::Bool(*truth)),
        Value::Null | Value::Multi(_) => None,
    }
}

/// Returns the document as text.
fn to_text<'a>(json: &Json) -> Value<'a> {
    Value::text(json.to_string())
}

/// Returns a JSON value as a field holds it: a string without quotes, null as no value, arrays and
/// objects as text.
fn native<'a>(json: Json) -> Value<'a> {
    match json {
        Json::Null => Value::Null,
        Json::String(text) => Value::text(text),
        other => to_text(&other),
    }
}

/// Returns the JSON form of an argument. Text that is an object or array is nested as such; other
/// text of a field that is a JSON number is that number; string literals stay strings.
fn element(value: &Value<'_>, is_string: bool) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Number(number) => from_number(*number).unwrap_or(Json::Null),
        Value::Multi(members) => members.iter().map(|member| member.as_ref()).collect(),
        Value::Text(text) => {
            let nested = text.trim_start().starts_with(['{', '[']);
            let numeric = !is_string && spilltrail_event::parse_number(text).is_some();
            let parsed = (nested || numeric).then(|| serde_json::from_str(text).ok()).flatten();
            parsed.unwrap_or_else(|| Json::String(text.to_string()))
        }
    }
}

fn from_number(number: f64) -> Option<Json> {
    // Printed without a point if it is whole, as everywhere in SPL.
    let text = format_number(number);
    text.parse::<i64>()
        .map(Number::from)
        .ok()
        .or_else(|| Number::from_f64(number))
        .map(Json::Number)
}

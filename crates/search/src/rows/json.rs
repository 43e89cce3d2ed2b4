//! Converts rows to JSON and back.

use serde_json::{Map, Value as Json};
use spilltrail_event::{Value, format_number};

use crate::rows::Row;

/// Returns a row as a JSON object.
///
/// Single values become strings or numbers, multivalues become arrays, and nulls are omitted.
#[must_use]
pub fn object(row: &Row) -> Json {
    object_with(row, number)
}

/// Works like [`object`], with another form of numbers.
#[must_use]
pub(crate) fn object_with(row: &Row, number: impl Fn(f64) -> Json) -> Json {
    let mut object = Map::new();
    for (name, value) in row {
        if let Some(json) = json(value, &number) {
            object.insert(name.clone(), json);
        }
    }
    Json::Object(object)
}

fn json(value: &Value<'_>, number: &impl Fn(f64) -> Json) -> Option<Json> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => Json::String(if *value { "True" } else { "False" }.to_owned()),
        Value::Number(value) => number(*value),
        Value::Text(text) => Json::String(text.to_string()),
        Value::Multi(members) => {
            Json::Array(members.iter().map(|member| Json::String(member.to_string())).collect())
        }
    })
}

/// Returns the row of a JSON object written by [`object`].
///
/// Strings stay text even if they look like numbers. Array members that are not strings become
/// their JSON text.
#[must_use]
pub fn row(object: Map<String, Json>) -> Row {
    let text = |json: Json| match json {
        Json::String(text) => text,
        other => other.to_string(),
    };
    let value = |json: Json| match json {
        Json::Null => Value::Null,
        Json::Number(number) => number.as_f64().map_or(Value::Null, Value::Number),
        Json::Array(members) => {
            Value::multi(members.into_iter().map(|member| text(member).into()).collect())
        }
        other => Value::text(text(other)),
    };
    object.into_iter().map(|(name, json)| (name, value(json))).collect()
}

/// Returns a number as JSON.
///
/// NaN and infinity, which JSON cannot write, and numbers of 2^53 or more in magnitude, which a
/// double may not hold exactly, become strings.
pub fn number(number: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "the number is a small integer")]
        return Json::from(number as i64);
    }
    match serde_json::Number::from_f64(number) {
        Some(json) if number.abs() < EXACT => Json::Number(json),
        _ => Json::String(format_number(number)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_that_json_would_change_are_strings() {
        for (number, json) in [(3.0, "3"), (0.5, "0.5"), (1e17, "\"100000000000000000\"")] {
            assert_eq!(super::number(number).to_string(), json);
        }
        assert_eq!(super::number(f64::NAN).to_string(), "\"nan\"");
    }
}

//! Whether a content of a finding says anything that another one of it does not.
//!
//! Runs over windows that slide find the same again, with fewer and fewer of its events. What is closed stays
//! closed then. Events that arrive late, and are earlier than the last one, make it more: then somebody has
//! to look at it again.

use serde_json::Value;

/// Parts of the names of fields that count. A search may give them any name; these are the usual ones.
const COUNTS: &[&str] =
    &["count", "sum", "total", "dc(", "distinct", "unique", "events", "bytes", "calls", "requests"];

/// Returns whether a finding says nothing that the one before does not: it begins no earlier, no count of its
/// result is higher, and no list or text has another value. Both are given as JSON. What cannot be read says
/// something.
///
/// A number that is no count, such as an age or an average, and a time change with a window that slides.
pub(crate) fn adds_nothing(before: &str, after: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let Some((before, after)) = parsed(before).zip(parsed(after)) else { return false };
    let begin = |body: &Value| body["first_seen"].as_f64();
    if begin(&after) < begin(&before) {
        return false;
    }
    let Some((before, after)) = before["result"].as_object().zip(after["result"].as_object())
    else {
        return false;
    };
    after.iter().all(|(field, value)| match (before.get(field), value) {
        (None, _) => false,
        (Some(known), Value::Array(values)) => {
            let known = members(known);
            values.iter().all(|value| known.contains(&value))
        }
        (Some(known), value) if members(known).contains(&value) => true,
        (Some(known), value) => match number(known).zip(number(value)) {
            Some((known, value)) if is_count(field) => value <= known,
            Some(_) => !is_name(value),
            None => is_time(known) && is_time(value),
        },
    })
}

/// Returns the values of a field.
fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(members) => members.iter().collect(),
        value => vec![value],
    }
}

fn is_count(field: &str) -> bool {
    let field = field.to_ascii_lowercase().replace("account", "");
    COUNTS.iter().any(|part| field.contains(part))
}

fn number(value: &Value) -> Option<f64> {
    let of_text = || {
        let text = value.as_str()?;
        let is_written = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        text.parse().ok().filter(|_| is_written)
    };
    value.as_f64().or_else(of_text)
}

/// Returns true for a text of digits, as accounts and ports are: what was computed is a number, or has a fraction.
fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns true for a time as people read it.
fn is_time(value: &Value) -> bool {
    let time = || {
        let text = value.as_str()?.get(..19)?.replacen(' ', "T", 1);
        text.parse::<jiff::civil::DateTime>().ok()
    };
    time().is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_more_and_what_is_less() {
        let body = |first: i64, result: Value| {
            json!({"first_seen": first, "last_seen": 1000, "result": result}).to_string()
        };
        let before = json!({
            "count": 5, "ips": ["1.1.1.1", "2.2.2.2"], "ports": "22", "user": "ann", "firstTime": 900,
            "first": "2026-11-30T12:00:00", "avg": "1.5", "sum(bytes)": "100", "age": 3,
            "aws_account_id": "222222222222",
        });
        for (first, field, value, expected) in [
            (900, "count", json!(5), true),
            (950, "count", json!(4), true),
            (900, "count", json!(6), false),
            (890, "count", json!(5), false),
            (900, "ips", json!("2.2.2.2"), true),
            (900, "ips", json!(["1.1.1.1", "3.3.3.3"]), false),
            // A list of numbers counts nothing.
            (900, "ports", json!(["21", "22"]), false),
            (900, "user", json!("bob"), false),
            (950, "firstTime", json!(950), true),
            (950, "first", json!("2026-11-30T12:10:00"), true),
            (950, "first", json!("nan"), false),
            (950, "avg", json!("1.75"), true),
            (950, "age", json!(4), true),
            (950, "sum(bytes)", json!("90"), true),
            (950, "sum(bytes)", json!("101"), false),
            (950, "aws_account_id", json!("111111111111"), false),
            (950, "new", json!(1), false),
        ] {
            let mut after = before.clone();
            after[field] = value;
            let found = adds_nothing(&body(900, before.clone()), &body(first, after.clone()));
            assert_eq!(found, expected, "{first} {after}");
        }
        assert!(!adds_nothing("{}", "{}"));
        assert!(!adds_nothing("x", "x"));
    }
}

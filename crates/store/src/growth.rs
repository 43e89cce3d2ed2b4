//! Whether a content of a finding says anything that another one of it does not.
//!
//! Runs over windows that slide find the same again, with fewer and fewer of its events. What is closed stays
//! closed then. Events that arrive late, and are earlier than the last one, make it more: then somebody has
//! to look at it again.

use serde_json::Value;

/// Returns whether a finding says nothing that the one before does not: it begins no earlier, no count of its
/// result is higher, and no value is new. Both are given as JSON. What cannot be read says something.
///
/// Averages and the like may rise because events are gone; only whole numbers are counts.
pub(crate) fn adds_nothing(before: &str, after: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    let Some((before, after)) = parsed(before).zip(parsed(after)) else { return false };
    let time = |body: &Value, name: &str| body[name].as_f64();
    let (first, last) = (time(&before, "first_seen"), time(&before, "last_seen"));
    if time(&after, "first_seen") < first {
        return false;
    }
    let Some(rows) = before["result"].as_object().zip(after["result"].as_object()) else {
        return false;
    };
    let is_within = |number: f64| {
        first.is_some_and(|first| first.floor() <= number)
            && last.is_some_and(|last| number <= last.ceil())
    };
    rows.1.iter().all(|(field, value)| {
        let known = rows.0.get(field).map(members).unwrap_or_default();
        members(value).into_iter().all(|value| {
            known.contains(&value)
                || match (number(value), known.as_slice()) {
                    (Some(number), _) if number.fract() != 0.0 || is_within(number) => true,
                    (Some(new), [old]) => self::number(old).is_some_and(|old| new <= old),
                    (None, [old]) => is_later(old, value),
                    _ => false,
                }
        })
    })
}

/// Returns the values of a field.
fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(members) => members.iter().collect(),
        value => vec![value],
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns true if both are times as people read them, and the second one is the later one: the first event of
/// a window that slides.
fn is_later(before: &Value, after: &Value) -> bool {
    let time = |value: &Value| {
        let text = value.as_str()?.get(..19)?.replacen(' ', "T", 1);
        text.parse::<jiff::civil::DateTime>().ok()
    };
    time(before).zip(time(after)).is_some_and(|(before, after)| before <= after)
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
            "count": 5, "ips": ["1.1.1.1", "2.2.2.2"], "user": "ann", "firstTime": 900,
            "first": "2026-11-30T12:00:00", "avg": "1.5", "bytes": "100",
        });
        for (first, field, value, expected) in [
            (900, "count", json!(5), true),
            (950, "count", json!(4), true),
            (900, "count", json!(6), false),
            (890, "count", json!(5), false),
            (900, "ips", json!("2.2.2.2"), true),
            (900, "ips", json!(["1.1.1.1", "3.3.3.3"]), false),
            (900, "user", json!("bob"), false),
            (950, "firstTime", json!(950), true),
            (950, "first", json!("2026-11-30T12:10:00"), true),
            (950, "first", json!("2026-11-30 11:59:00"), false),
            (950, "avg", json!("1.75"), true),
            (950, "bytes", json!("90"), true),
            (950, "bytes", json!("101"), false),
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

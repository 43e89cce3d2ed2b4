//! The operators of eval on values. This module implements SPL's type coercions.
//!
//! An operator returns null if an operand is null. Text that looks like a number counts as a
//! number; see [`number`].

use std::borrow::Cow;
use std::cmp::Ordering;

use spilltrail_event::{Value, compare_numbers};
use spilltrail_spl::CompareOp;

use crate::limits;

/// An arithmetic operator that accepts only numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

impl Arithmetic {
    /// Returns the result. Division by zero and `%` by zero return null.
    pub(crate) fn apply(self, left: &Value<'_>, right: &Value<'_>) -> Value<'static> {
        let (Some(left), Some(right)) = (number(left), number(right)) else { return Value::Null };
        match self {
            Self::Subtract => Value::Number(left - right),
            Self::Multiply => Value::Number(left * right),
            Self::Divide | Self::Modulo if right == 0.0 => Value::Null,
            Self::Divide => Value::Number(left / right),
            Self::Modulo => Value::Number(left % right),
        }
    }
}

/// Returns the value as a number, if it is one or looks like one. The text `NaN` counts as a
/// number, as Splunk documents for fields that contain it (`isnum`).
pub(crate) fn number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Text(text) if text == "NaN" => Some(f64::NAN),
        other => other.as_number(),
    }
}

/// Returns the truth of a condition; `None` for null and for text that is not a number.
pub(crate) fn truth(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        other => other.as_number().map(|number| number != 0.0),
    }
}

/// Returns `left + right`: the sum of two numbers, or the concatenation of two strings. A number
/// plus text that is not a number is null, unless the text always has type string (`*_string`), as
/// a literal does.
pub(crate) fn add<'a>(
    left: Value<'a>,
    right: Value<'a>,
    left_string: bool,
    right_string: bool,
) -> Value<'a> {
    if left.is_null() || right.is_null() {
        return Value::Null;
    }
    if left_string || right_string {
        return concat(&[left, right]);
    }
    match (number(&left), number(&right)) {
        (Some(left), Some(right)) => Value::Number(left + right),
        (None, None) if is_text(&left) && is_text(&right) => concat(&[left, right]),
        _ => Value::Null,
    }
}

fn is_text(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(_))
}

/// Returns the concatenation of the values as text; null if any value is null.
pub(crate) fn concat<'a>(parts: &[Value<'_>]) -> Value<'a> {
    let texts: Option<Vec<_>> = parts.iter().map(Value::to_text).collect();
    let Some(texts) = texts else { return Value::Null };
    let bytes = texts.iter().map(|text| text.len()).sum();
    if limits::allows(".", bytes) { Value::text(texts.concat()) } else { Value::Null }
}

/// Compares two values: as numbers if both look like numbers, otherwise by bytes. A multivalue
/// satisfies a comparison if any of its members does.
pub(crate) fn compare(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Multi(members), other) => {
            any(members, |member| compare(op, &Value::Text(Cow::Borrowed(member)), other))
        }
        (other, Value::Multi(members)) => {
            any(members, |member| compare(op, other, &Value::Text(Cow::Borrowed(member))))
        }
        // A Boolean equals the number 1 or 0, or the words that `tostring` returns for it.
        (Value::Bool(truth), Value::Text(text)) | (Value::Text(text), Value::Bool(truth)) => {
            let spelled = match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            };
            Some(holds(op, spelled.as_ref().map_or(Ordering::Less, |spelled| spelled.cmp(truth))))
        }
        (Value::Text(left), Value::Text(right)) => {
            let numbers = if left == right { None } else { compare_numbers(left, right) };
            Some(holds(op, numbers.unwrap_or_else(|| left.as_bytes().cmp(right.as_bytes()))))
        }
        _ => match (comparable(left), comparable(right)) {
            (Some(left), Some(right)) => Some(match left.partial_cmp(&right) {
                Some(order) => holds(op, order),
                None => op == CompareOp::Ne,
            }),
            _ => Some(holds(op, left.to_text()?.as_bytes().cmp(right.to_text()?.as_bytes()))),
        },
    }
}

/// Compares a value with a quoted literal by bytes. A quoted literal is text, so that `001` does
/// not equal `"1"`; a number is compared by its printed form. A multivalue satisfies a comparison if
/// any of its members does.
pub(crate) fn compare_text(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match (left, right) {
        // A Boolean has no printed form of its own.
        (Value::Bool(_), _) | (_, Value::Bool(_)) => compare(op, left, right),
        (Value::Multi(members), other) => {
            any(members, |member| compare_text(op, &Value::Text(Cow::Borrowed(member)), other))
        }
        (other, Value::Multi(members)) => {
            any(members, |member| compare_text(op, other, &Value::Text(Cow::Borrowed(member))))
        }
        _ => Some(holds(op, left.to_text()?.as_bytes().cmp(right.to_text()?.as_bytes()))),
    }
}

fn comparable(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        other => other.as_number(),
    }
}

fn any(members: &[Cow<'_, str>], mut test: impl FnMut(&str) -> Option<bool>) -> Option<bool> {
    let mut known = None;
    for member in members {
        match test(member) {
            Some(true) => return Some(true),
            Some(false) => known = Some(false),
            None => {}
        }
    }
    known
}

fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
    }
}

/// Calls `test` with the text of the value, or with each member until one passes. Returns `None`
/// for null.
pub(crate) fn any_text(value: &Value<'_>, test: impl Fn(&str) -> bool) -> Option<bool> {
    match value {
        Value::Null => None,
        Value::Multi(members) => Some(members.iter().any(|member| test(member))),
        single => single.to_text().map(|text| test(&text)),
    }
}

/// Returns true if the whole `text` matches the `LIKE` pattern: `%` matches any run of characters,
/// `_` matches one character, and everything else, including a backslash, matches itself.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    if pattern.contains('_') {
        return like_by_characters(pattern, text);
    }
    let Some((head, tail)) = pattern.split_once('%') else { return pattern == text };
    let (middle, end) = tail.rsplit_once('%').unwrap_or(("", tail));
    let inner = text.strip_prefix(head).and_then(|rest| rest.strip_suffix(end));
    let Some(mut rest) = inner else { return false };
    for part in middle.split('%') {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Implements [`like`] for patterns with `_`. After a mismatch, it backtracks to the last `%` and
/// lets it match one more character.
fn like_by_characters(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut retry = None;
    loop {
        let (mut after, mut left) = (pattern.clone(), text.clone());
        match (after.next(), left.next()) {
            (Some('%'), _) => {
                pattern = after;
                retry = Some((pattern.clone(), text.clone()));
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '_' || wanted == found => {
                (pattern, text) = (after, left);
            }
            _ => {
                let Some((after_run, run)) = &mut retry else { return false };
                if run.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_run.clone(), run.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn multi(members: &[&'static str]) -> Value<'static> {
        Value::Multi(members.iter().map(|member| Cow::Borrowed(*member)).collect())
    }

    #[test]
    fn sums_and_concatenations() {
        let (two, three, word) = (Value::text("2"), Value::Number(3.0), Value::text("x"));
        for (left, right, strings, sum) in [
            (&two, &three, (false, false), Value::Number(5.0)),
            (&two, &two, (false, false), Value::Number(4.0)),
            (&two, &two, (true, false), Value::text("22")),
            (&three, &word, (false, false), Value::Null),
            (&three, &word, (false, true), Value::text("3x")),
            (&word, &word, (false, false), Value::text("xx")),
            (&word, &Value::Null, (true, true), Value::Null),
            (&multi(&["1", "2"]), &three, (false, false), Value::Null),
        ] {
            assert_eq!(add(left.clone(), right.clone(), strings.0, strings.1), sum);
        }
    }

    #[test]
    fn comparisons() {
        for (left, op, right, holds) in [
            (Value::text("10"), CompareOp::Gt, Value::text("9"), Some(true)),
            (Value::text("10"), CompareOp::Gt, Value::text("9x"), Some(false)),
            (Value::text("1.0"), CompareOp::Eq, Value::Number(1.0), Some(true)),
            (Value::text("1.0"), CompareOp::Eq, Value::text("+1"), Some(true)),
            (
                Value::text("12345678901234567890"),
                CompareOp::Eq,
                Value::text("12345678901234567891"),
                Some(false),
            ),
            (Value::text("A"), CompareOp::Eq, Value::text("a"), Some(false)),
            (Value::Null, CompareOp::Ne, Value::text("a"), None),
            (multi(&["a", "b"]), CompareOp::Eq, Value::text("b"), Some(true)),
            (multi(&["a", "b"]), CompareOp::Ne, Value::text("b"), Some(true)),
            (Value::Bool(true), CompareOp::Eq, Value::text("True"), Some(true)),
            (Value::Bool(true), CompareOp::Eq, Value::text("x"), Some(false)),
            (Value::Bool(false), CompareOp::Eq, Value::Number(0.0), Some(true)),
            (Value::Number(f64::NAN), CompareOp::Ne, Value::Number(1.0), Some(true)),
            (Value::Number(f64::NAN), CompareOp::Le, Value::Number(1.0), Some(false)),
        ] {
            assert_eq!(compare(op, &left, &right), holds, "{left:?} {op:?} {right:?}");
        }
    }

    #[test]
    fn comparisons_with_quoted_literals() {
        let one = Value::text("1");
        for (left, op, right, holds) in [
            (Value::text("1"), CompareOp::Eq, &one, Some(true)),
            (Value::Number(1.0), CompareOp::Eq, &one, Some(true)),
            (Value::text("001"), CompareOp::Eq, &one, Some(false)),
            (Value::text("+1"), CompareOp::Ne, &one, Some(true)),
            (Value::text("1."), CompareOp::Eq, &one, Some(false)),
            (multi(&["01", "1"]), CompareOp::Eq, &one, Some(true)),
            (multi(&["01", "+1"]), CompareOp::Eq, &one, Some(false)),
            (Value::Bool(true), CompareOp::Eq, &Value::text("True"), Some(true)),
            (Value::Null, CompareOp::Eq, &one, None),
        ] {
            assert_eq!(compare_text(op, &left, right), holds, "{left:?} {op:?} {right:?}");
        }
    }

    #[test]
    fn like_patterns() {
        for (pattern, text, hit) in [
            ("%\\system32\\%", "C:\\windows\\system32\\x.exe", true),
            ("a%b_", "axxbc", true),
            ("a%b_", "axxb", false),
            ("%", "", true),
            ("_", "ä", true),
            ("%ab", "aab", true),
            ("%ab%ab%", "xabyabz", true),
            ("ab%ab", "ab", false),
            ("_%b%_", "abbc", true),
            ("_%b%_", "abb", true),
            ("_%b%_", "ab", false),
            ("10.%", "100.1", false),
            ("", "a", false),
        ] {
            assert_eq!(like(pattern, text), hit, "{pattern} {text}");
        }
    }

    #[test]
    fn arithmetic_needs_numbers() {
        let seven = Value::text("7");
        assert_eq!(Arithmetic::Modulo.apply(&seven, &Value::Number(4.0)), Value::Number(3.0));
        assert_eq!(Arithmetic::Divide.apply(&seven, &Value::Number(0.0)), Value::Null);
        assert_eq!(Arithmetic::Modulo.apply(&seven, &Value::Number(0.0)), Value::Null);
        assert_eq!(Arithmetic::Multiply.apply(&seven, &Value::text("x")), Value::Null);
    }
}

//! Text functions: case, length, substrings, replacement, decoding.
//!
//! Where Splunk does not document multivalues, these functions apply to each value, except `len`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;

use super::Category::Text;
use super::{Arity, EvalFunction, doc, each_member, returns, take};
use crate::operators::number;
use crate::regex::Regex;
use crate::{CallContext, Constants, Preparation};

pub(super) static LEN: EvalFunction = EvalFunction::row(
    doc(
        "len",
        Text,
        "Count the characters of a text.",
        "len(<text>)",
        &[(r#"len("trail")"#, "5"), (r#"len("né")"#, "2"), (r#"len(split("a,b", ","))"#, "null")],
    ),
    Arity::Exactly(1),
    returns::number,
    |_, arguments| match &arguments[0] {
        Value::Multi(_) => Value::Null,
        single => crate::number(single.to_text().map(|text| text.chars().count() as f64)),
    },
);

pub(super) static LOWER: EvalFunction = EvalFunction::row(
    doc(
        "lower",
        Text,
        "Return the text in lower case.",
        "lower(<text>)",
        &[(r#"lower("RunInstances")"#, "runinstances"), (r#"lower(split("A,B", ","))"#, "a | b")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), |text| Some(lower(text))),
);

fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return text;
    }
    Cow::Owned(text.to_lowercase())
}

pub(super) static UPPER: EvalFunction = EvalFunction::row(
    doc(
        "upper",
        Text,
        "Return the text in upper case.",
        "upper(<text>)",
        &[(r#"upper("root")"#, "ROOT")],
    ),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| each_member(take(arguments, 0), |text| Some(Cow::Owned(text.to_uppercase()))),
);

pub(super) static LTRIM: EvalFunction = EvalFunction::row(
    doc(
        "ltrim",
        Text,
        "Remove a set of characters from the beginning; by default blanks and tabs.",
        "ltrim(<text>[, <characters>])",
        &[(r#"ltrim("  a ")"#, "a "), (r#"ltrim("xyxa", "xy")"#, "a")],
    ),
    Arity::Between(1, 2),
    returns::string_per_member,
    |_, arguments| trim(arguments, Side::Left),
);

pub(super) static RTRIM: EvalFunction = EvalFunction::row(
    doc(
        "rtrim",
        Text,
        "Remove a set of characters from the end; by default blanks and tabs.",
        "rtrim(<text>[, <characters>])",
        &[(r#"rtrim("a/b//", "/")"#, "a/b")],
    ),
    Arity::Between(1, 2),
    returns::string_per_member,
    |_, arguments| trim(arguments, Side::Right),
);

pub(super) static TRIM: EvalFunction = EvalFunction::row(
    doc(
        "trim",
        Text,
        "Remove a set of characters from both ends; by default blanks and tabs.",
        "trim(<text>[, <characters>])",
        &[(r#"trim("  a b ")"#, "a b"), (r#"trim("[a]", "[]")"#, "a")],
    ),
    Arity::Between(1, 2),
    returns::string_per_member,
    |_, arguments| trim(arguments, Side::Both),
);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Both,
}

fn trim<'a>(arguments: &mut [Value<'a>], side: Side) -> Value<'a> {
    let characters = match arguments.get(1) {
        Some(characters) => match characters.to_text() {
            Some(characters) => characters.into_owned(),
            None => return Value::Null,
        },
        None => " \t".to_owned(),
    };
    let unwanted = |c: char| characters.contains(c);
    each_member(take(arguments, 0), |text| {
        let start = match side {
            Side::Right => 0,
            _ => text.len() - text.trim_start_matches(unwanted).len(),
        };
        let end = match side {
            Side::Left => text.len(),
            _ => text.trim_end_matches(unwanted).len().max(start),
        };
        Some(slice(text, start, end))
    })
}

/// Returns a slice of the text, borrowed if the text is borrowed.
fn slice(text: Cow<'_, str>, start: usize, end: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
    }
}

pub(super) static REPLACE: EvalFunction = EvalFunction::row(
    doc(
        "replace",
        Text,
        "Replace every match of a regular expression; `\\1` to `\\9` are its groups.",
        "replace(<text>, <regex>, <replacement>)",
        &[
            (r#"replace("i-0abc", "^i-(.*)$", "instance \1")"#, "instance 0abc"),
            (r#"replace("a.b.c", "\.", "/")"#, "a/b/c"),
        ],
    ),
    Arity::Exactly(3),
    returns::string_per_member,
    replace,
)
.prepared(|preparation| literal_regex(preparation, 1));

fn replace<'a>(context: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let (pattern, replacement) = (take(arguments, 1), take(arguments, 2));
    let (Some(pattern), Some(replacement)) = (pattern.to_text(), replacement.to_text()) else {
        return Value::Null;
    };
    let text = take(arguments, 0);
    let replaced = context.with_regex(&pattern, |regex| {
        each_member(text, |text| match regex.replace_all("replace", &text, &replacement) {
            Some(replaced) => Some(Cow::Owned(replaced)),
            None => Some(text),
        })
    });
    replaced.unwrap_or(Value::Null)
}

/// Compiles the argument as a regular expression if it is a string literal.
pub(super) fn literal_regex(
    preparation: &mut Preparation<'_>,
    argument: usize,
) -> Result<Constants, Diagnostic> {
    match preparation.literal_text(argument) {
        Some((pattern, span)) => Regex::compile(pattern, span).map(Constants::Regex),
        None => Ok(Constants::Nothing),
    }
}

pub(super) static SUBSTR: EvalFunction = EvalFunction::row(
    doc(
        "substr",
        Text,
        "Return a part of a text; the first character is 1, the last is -1.",
        "substr(<text>, <start>[, <length>])",
        &[
            (r#"substr("spilltrail", 1, 5)"#, "spill"),
            (r#"substr("spilltrail", -5)"#, "trail"),
            (r#"substr("abc", 0, 2)"#, "a"),
        ],
    )
    .differs(&["A start of 0 is the position before the first character, as in SQLite."]),
    Arity::Between(2, 3),
    returns::string_per_member,
    substr,
);

fn substr<'a>(_: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let Some(start) = number(&arguments[1]) else { return Value::Null };
    let length = match arguments.get(2) {
        Some(length) => match number(length) {
            Some(length) => length as i64,
            None => return Value::Null,
        },
        None => i64::from(u32::MAX),
    };
    each_member(take(arguments, 0), |text| {
        let count = text.chars().count() as i64;
        let (from, to) = sqlite_range(start as i64, length, count);
        let offset = |index: i64| {
            let place = text.char_indices().nth(usize::try_from(index).unwrap_or(0));
            place.map_or(text.len(), |(offset, _)| offset)
        };
        let (start, end) = (offset(from), offset(to));
        Some(slice(text, start, end))
    })
}

/// Returns the character range by the rules of SQLite, which Splunk names as its model.
fn sqlite_range(start: i64, length: i64, count: i64) -> (i64, i64) {
    let limit = i64::from(u32::MAX);
    let (start, length) = (start.clamp(-limit, limit), length.clamp(-limit, limit));
    let first = if start < 0 { count + start } else { start - 1 };
    let (from, to) = if length < 0 { (first + length, first) } else { (first, first + length) };
    let from = from.clamp(0, count);
    (from, to.clamp(from, count))
}

pub(super) static URLDECODE: EvalFunction = EvalFunction::row(
    doc(
        "urldecode",
        Text,
        "Decode the `%` escapes of a URL.",
        "urldecode(<text>)",
        &[(r#"urldecode("a%20b%2Fc")"#, "a b/c")],
    )
    .differs(&["A `+` does not become a blank; bytes that are not UTF-8 become U+FFFD."]),
    Arity::Exactly(1),
    returns::string_per_member,
    |_, arguments| {
        each_member(take(arguments, 0), |text| {
            Some(Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned()))
        })
    },
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_by_sqlite_rules() {
        for (start, length, part) in [
            (1, 10, "abc"),
            (2, 1, "b"),
            (0, 1, ""),
            (-2, 1, "b"),
            (-9, 8, "ab"),
            (9, 1, ""),
            (3, -2, "ab"),
            (i64::MIN, i64::MAX, "abc"),
            (i64::MAX, 1, ""),
        ] {
            let (from, to) = sqlite_range(start, length, 3);
            assert_eq!(&"abc"[from as usize..to as usize], part, "{start} {length}");
        }
    }

    #[test]
    fn trimming_everything_leaves_nothing() {
        assert_eq!(trim(&mut [Value::text("xx"), Value::text("x")], Side::Both), Value::text(""));
    }
}

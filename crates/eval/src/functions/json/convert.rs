//! Conversions between JSON and multivalues: json_array_to_mv, mv_to_json_array, toarray, tomv,
//! toobject.

use std::borrow::Cow;

use serde_json::Value as Json;
use spilltrail_event::Value;

use super::{digits, native, parse, to_text};
use crate::functions::Category;
use crate::functions::{Arity, EvalFunction, doc, returns, take};
use crate::operators::truth;

pub(in super::super) static JSON_ARRAY_TO_MV: EvalFunction = EvalFunction::row(
    doc(
        "json_array_to_mv",
        Category::Json,
        "Return the elements of a JSON array as a multivalue; strings lose their quotes unless you ask to keep them.",
        "json_array_to_mv(<json>[, <keep quotes>])",
        &[
            (r#"json_array_to_mv("[\"a\", 1]")"#, "a | 1"),
            (r#"json_array_to_mv("[\"a\", 1]", true())"#, "\"a\" | 1"),
            (r#"json_array_to_mv("{}")"#, "null"),
        ],
    ),
    Arity::Between(1, 2),
    returns::multi,
    |_, arguments| {
        let keep_quotes = arguments.get(1).and_then(truth) == Some(true);
        match parse(&arguments[0]) {
            Some(Json::Array(elements)) => members(&elements, keep_quotes),
            _ => Value::Null,
        }
    },
);

fn members<'a>(elements: &[Json], keep_quotes: bool) -> Value<'a> {
    let text = |element: &Json| match element {
        Json::String(text) if !keep_quotes => digits::unmarked(text).to_owned(),
        other => digits::written(other),
    };
    Value::multi(elements.iter().map(|element| Cow::Owned(text(element))).collect())
}

pub(in super::super) static MV_TO_JSON_ARRAY: EvalFunction = EvalFunction::row(
    doc(
        "mv_to_json_array",
        Category::Multivalue,
        "Return the values as a JSON array of strings, or of JSON values if you ask for it.",
        "mv_to_json_array(<multivalue>[, <infer types>])",
        &[
            (r#"mv_to_json_array(split("a,1", ","))"#, r#"["a","1"]"#),
            (r#"mv_to_json_array(split("a,1,true", ","), true())"#, r#"["a",1,true]"#),
        ],
    ),
    Arity::Between(1, 2),
    returns::string,
    |_, arguments| {
        let infer = arguments.get(1).and_then(truth) == Some(true);
        match take(arguments, 0) {
            Value::Null => Value::Null,
            value => array(value, infer),
        }
    },
);

fn array<'a>(value: Value<'_>, infer: bool) -> Value<'a> {
    let element = |member: Cow<'_, str>| {
        let inferred = infer.then(|| digits::parsed(member.trim())).flatten();
        inferred.unwrap_or_else(|| digits::text(&member))
    };
    to_text(&value.into_members().into_iter().map(element).collect())
}

pub(in super::super) static TOARRAY: EvalFunction = EvalFunction::row(
    doc(
        "toarray",
        Category::Conversion,
        "Return several values as a JSON array, or a text that is a JSON array unchanged; otherwise null.",
        "toarray(<value>)",
        &[
            (r#"toarray(split("a,1", ","))"#, r#"["a",1]"#),
            (r#"toarray("[1, 2.50]")"#, "[1,2.50]"),
            (r#"toarray("a")"#, "null"),
        ],
    ),
    Arity::Exactly(1),
    returns::string,
    |_, arguments| match take(arguments, 0) {
        multi @ Value::Multi(_) => array(multi, true),
        single => match parse(&single) {
            Some(json @ Json::Array(_)) => to_text(&json),
            _ => Value::Null,
        },
    },
);

pub(in super::super) static TOMV: EvalFunction = EvalFunction::row(
    doc(
        "tomv",
        Category::Conversion,
        "Return the elements of a JSON array as a multivalue, and any other value unchanged.",
        "tomv(<value>)",
        &[(r#"tomv("[\"a\", 1]")"#, "a | 1"), (r#"tomv("a")"#, "a")],
    ),
    Arity::Exactly(1),
    returns::multi,
    |_, arguments| match parse(&arguments[0]) {
        Some(Json::Array(elements)) => members(&elements, false),
        _ => take(arguments, 0),
    },
);

pub(in super::super) static TOOBJECT: EvalFunction = EvalFunction::row(
    doc(
        "toobject",
        Category::Conversion,
        "Return the value if it is a JSON object, otherwise null.",
        "toobject(<value>)",
        &[(r#"toobject("{\"a\": 1}")"#, r#"{"a":1}"#), (r#"toobject("[]")"#, "null")],
    ),
    Arity::Exactly(1),
    returns::string,
    |_, arguments| match parse(&arguments[0]) {
        Some(json @ Json::Object(_)) => native(&json),
        _ => Value::Null,
    },
);

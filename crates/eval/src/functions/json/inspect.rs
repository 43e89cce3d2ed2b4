//! Functions that inspect JSON documents: json, json_entries, json_has_key_exact, json_keys,
//! json_valid.

use serde_json::{Value as Json, json};
use spilltrail_event::Value;

use super::{digits, parse, to_text};
use crate::functions::Category;
use crate::functions::{Arity, EvalFunction, doc, returns, take};

pub(in super::super) static JSON: EvalFunction = EvalFunction::row(
    doc(
        "json",
        Category::Json,
        "Return the value if it is JSON, otherwise null.",
        "json(<value>)",
        &[(r#"json("[1]")"#, "[1]"), (r#"json("[1")"#, "null")],
    ),
    Arity::Exactly(1),
    returns::untyped,
    |_, arguments| {
        if parse(&arguments[0]).is_some() { take(arguments, 0) } else { Value::Null }
    },
);

pub(in super::super) static JSON_ENTRIES: EvalFunction = EvalFunction::row(
    doc(
        "json_entries",
        Category::Json,
        "Return a JSON array with one object, of key and value, for each key of an object.",
        "json_entries(<json>)",
        &[(r#"json_entries("{\"a\":1}")"#, r#"[{"key":"a","value":1}]"#)],
    ),
    Arity::Exactly(1),
    returns::string,
    |_, arguments| match parse(&arguments[0]) {
        Some(Json::Object(object)) => to_text(
            &object
                .into_iter()
                .map(|(key, value)| json!({"key": digits::text(&key), "value": value}))
                .collect(),
        ),
        _ => Value::Null,
    },
);

pub(in super::super) static JSON_HAS_KEY_EXACT: EvalFunction = EvalFunction::row(
    doc(
        "json_has_key_exact",
        Category::Json,
        "Return true if an object has all of the keys. Dots are part of a key.",
        "json_has_key_exact(<json>, <key>, …)",
        &[
            (r#"tostring(json_has_key_exact("{\"a.b\":1}", "a.b"))"#, "True"),
            (r#"tostring(json_has_key_exact("{\"a\":1}", "b"))"#, "False"),
        ],
    ),
    Arity::AtLeast(2),
    returns::boolean,
    |_, arguments| {
        let Some(document) = parse(&arguments[0]) else { return Value::Null };
        let has = |key: &Value<'_>| key.to_text().is_some_and(|key| document.get(&*key).is_some());
        Value::Bool(arguments[1..].iter().all(has))
    },
);

pub(in super::super) static JSON_KEYS: EvalFunction = EvalFunction::row(
    doc(
        "json_keys",
        Category::Json,
        "Return a JSON array of the keys of an object.",
        "json_keys(<json>)",
        &[(r#"json_keys("{\"b\":1,\"a\":2}")"#, r#"["b","a"]"#), (r#"json_keys("[1]")"#, "null")],
    ),
    Arity::Exactly(1),
    returns::string,
    |_, arguments| match parse(&arguments[0]) {
        Some(Json::Object(object)) => {
            to_text(&object.into_iter().map(|(key, _)| digits::text(&key)).collect())
        }
        _ => Value::Null,
    },
);

pub(in super::super) static JSON_VALID: EvalFunction = EvalFunction::row(
    doc(
        "json_valid",
        Category::Json,
        "Return true if the value is JSON.",
        "json_valid(<value>)",
        &[(r#"if(json_valid("{}"), 1, 0)"#, "1"), (r#"if(json_valid("{a}"), 1, 0)"#, "0")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| match &arguments[0] {
        Value::Null => Value::Null,
        value => Value::Bool(parse(value).is_some()),
    },
);

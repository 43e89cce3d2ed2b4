//! Functions that return a changed JSON document: json_append, json_delete, json_extend, json_set,
//! json_set_exact.

use serde_json::Value as Json;
use spilltrail_event::Value;

use super::path::{self, Step};
use super::{element, parse, to_text};
use crate::functions::Category;
use crate::functions::{Arity, EvalFunction, doc, returns};
use crate::{CallContext, limits};

pub(in super::super) static JSON_APPEND: EvalFunction = EvalFunction::row(
    doc(
        "json_append",
        Category::Json,
        "Append one element to the array at each path. A scalar becomes an array first.",
        "json_append(<json>, <path>, <value>, …)",
        &[
            (r#"json_append("{\"a\":[1]}", "a", 2)"#, r#"{"a":[1,2]}"#),
            (r#"json_append("[1]", "", json_array(2))"#, "[1,[2]]"),
            (r#"json_append("{\"a\":1}", "b", 2)"#, r#"{"a":1}"#),
        ],
    ),
    Arity::OddAtLeast(3),
    returns::string,
    |context, arguments| append(context, arguments, |array, value| array.push(value)),
);

pub(in super::super) static JSON_EXTEND: EvalFunction = EvalFunction::row(
    doc(
        "json_extend",
        Category::Json,
        "Append values to the array at each path. The elements of an array are appended one by one.",
        "json_extend(<json>, <path>, <value>, …)",
        &[(r#"json_extend("{\"a\":1}", "a", json_array(2, 3))"#, r#"{"a":[1,2,3]}"#)],
    ),
    Arity::OddAtLeast(3),
    returns::string,
    |context, arguments| {
        append(context, arguments, |array, value| match value {
            Json::Array(elements) => array.extend(elements),
            other => array.push(other),
        })
    },
);

fn append<'a>(
    context: &CallContext<'_>,
    arguments: &[Value<'_>],
    add: fn(&mut Vec<Json>, Json),
) -> Value<'a> {
    change(context, arguments, |document, path, value| {
        path::each_mut(document, &path::parse(path), &mut |target| {
            if !matches!(target, Json::Array(_) | Json::Object(_)) {
                *target = Json::Array(vec![target.take()]);
            }
            if let Json::Array(array) = target {
                add(array, value.clone());
            }
        });
    })
}

pub(in super::super) static JSON_DELETE: EvalFunction = EvalFunction::row(
    doc(
        "json_delete",
        Category::Json,
        "Remove keys from an object. Dots separate the keys of nested objects.",
        "json_delete(<json>, <key>, …)",
        &[(r#"json_delete("{\"a\":{\"b\":1,\"c\":2},\"d\":3}", "a.b", "d")"#, r#"{"a":{"c":2}}"#)],
    ),
    Arity::AtLeast(2),
    returns::string,
    |_, arguments| {
        let Some(mut document) = parse(&arguments[0]) else { return Value::Null };
        for key in &arguments[1..] {
            let Some(key) = key.to_text() else { return Value::Null };
            path::delete(&mut document, &path::parse(&key));
        }
        to_text(&document)
    },
);

pub(in super::super) static JSON_SET: EvalFunction = EvalFunction::row(
    doc(
        "json_set",
        Category::Json,
        "Set the value at each path, and create missing keys. A path through a scalar is skipped.",
        "json_set(<json>, <path>, <value>, …)",
        &[
            (r#"json_set("{\"a\":1}", "b.c", "x")"#, r#"{"a":1,"b":{"c":"x"}}"#),
            (r#"json_set("{\"a\":[1,2]}", "a{1}", 3)"#, r#"{"a":[1,3]}"#),
        ],
    ),
    Arity::OddAtLeast(3),
    returns::string,
    |context, arguments| {
        change(context, arguments, |document, path, value| {
            path::set(document, &path::parse(path), value);
        })
    },
);

pub(in super::super) static JSON_SET_EXACT: EvalFunction = EvalFunction::row(
    doc(
        "json_set_exact",
        Category::Json,
        "Set the value of each key. Dots and braces are part of the key.",
        "json_set_exact(<json>, <key>, <value>, …)",
        &[(r#"json_set_exact("{}", "a.b", 1)"#, r#"{"a.b":1}"#)],
    ),
    Arity::OddAtLeast(3),
    returns::string,
    |context, arguments| {
        change(context, arguments, |document, key, value| {
            path::set(document, &[Step::Key(key.to_owned())], value);
        })
    },
);

/// Applies `apply` to the document with each pair of path and value. Returns null if the first
/// argument is not JSON.
fn change<'a>(
    context: &CallContext<'_>,
    arguments: &[Value<'_>],
    mut apply: impl FnMut(&mut Json, &str, &Json),
) -> Value<'a> {
    let Some(mut document) = parse(&arguments[0]) else { return Value::Null };
    let mut bytes = limits::size(&arguments[0]);
    for (index, pair) in arguments[1..].chunks_exact(2).enumerate() {
        let Some(path) = pair[0].to_text() else { return Value::Null };
        // A path that selects every element of an array inserts the value once per element.
        bytes += limits::size(&pair[1]) * targets(&document, &path);
        if !limits::allows("json_set", bytes) {
            return Value::Null;
        }
        let value = element(&pair[1], context.is_string(2 * index + 2));
        apply(&mut document, &path, &value);
    }
    to_text(&document)
}

/// Returns an upper bound of the number of values in the document that a path selects.
fn targets(document: &Json, path: &str) -> usize {
    let steps = path::parse(path);
    match steps.iter().rposition(|step| *step == Step::Each) {
        Some(last) => path::find_in_document(document, &steps[..=last]).len(),
        None => 1,
    }
}

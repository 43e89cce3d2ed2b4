//! Functions that extract values from JSON documents: json_extract, json_extract_exact, spath.

use serde_json::Value as Json;
use spilltrail_event::Value;

use super::path::{self, Step};
use super::{native, parse, to_text};
use crate::functions::Category;
use crate::functions::{Arity, EvalFunction, doc, returns};

pub(in super::super) static JSON_EXTRACT: EvalFunction = EvalFunction::row(
    doc(
        "json_extract",
        Category::Json,
        "Return the value at a path, or a JSON array for several paths or a path with `{}`.",
        "json_extract(<json>[, <path>, …])",
        &[
            (r#"json_extract("{\"a\":{\"b\":\"x\"}}", "a.b")"#, "x"),
            (r#"json_extract("[{\"a\":1},{\"a\":2}]", "{}.a")"#, "[1,2]"),
            (r#"json_extract("{\"id\":123456789012345678901}", "id")"#, "123456789012345678901"),
            (r#"json_extract("{\"a\":1}", "b")"#, "null"),
        ],
    )
    .differs(&[
        "If you name several paths, a path that is not found is null in the resulting array.",
    ]),
    Arity::AtLeast(1),
    returns::untyped,
    |_, arguments| {
        extract(arguments, |document, path| {
            let steps = path::parse(path);
            let mut found = path::find(document, &steps);
            if steps.contains(&Step::Each) {
                let all: Json = found.into_iter().cloned().collect();
                return Some(all).filter(|all| all != &Json::Array(Vec::new()));
            }
            found.pop().cloned()
        })
    },
);

pub(in super::super) static JSON_EXTRACT_EXACT: EvalFunction = EvalFunction::row(
    doc(
        "json_extract_exact",
        Category::Json,
        "Return the value of a key. Dots and braces are part of the key.",
        "json_extract_exact(<json>[, <key>, …])",
        &[(r#"json_extract_exact("{\"a.b\":1}", "a.b")"#, "1")],
    ),
    Arity::AtLeast(1),
    returns::untyped,
    |_, arguments| extract(arguments, |document, key| document.get(key).cloned()),
);

fn extract<'a>(arguments: &[Value<'_>], find: impl Fn(&Json, &str) -> Option<Json>) -> Value<'a> {
    let Some(document) = parse(&arguments[0]) else { return Value::Null };
    let find = |path: &Value<'_>| path.to_text().and_then(|path| find(&document, &path));
    match &arguments[1..] {
        [] => native(&document),
        [path] => find(path).map_or(Value::Null, |found| native(&found)),
        paths => to_text(&paths.iter().map(|path| find(path).unwrap_or(Json::Null)).collect()),
    }
}

pub(in super::super) static SPATH: EvalFunction = EvalFunction::row(
    doc(
        "spath",
        Category::Text,
        "Return the values at a path in a JSON text.",
        "spath(<text>, <path>)",
        &[
            (r#"spath("{\"a\":[{\"b\":1},{\"b\":2}]}", "a{}.b")"#, "1 | 2"),
            (r#"spath("{\"a\":[5,6]}", "a{1}")"#, "6"),
        ],
    )
    .differs(&["XML is not supported."]),
    Arity::Exactly(2),
    returns::multi,
    |_, arguments| {
        let Some(document) = parse(&arguments[0]) else { return Value::Null };
        let Some(path) = arguments[1].to_text() else { return Value::Null };
        let found = path::find_in_document(&document, &path::parse(&path));
        let values = found.into_iter().flat_map(|json| native(json).into_members());
        Value::multi(values.collect())
    },
);

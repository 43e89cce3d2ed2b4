//! Functions that build JSON documents from values: json_array, json_object.

use serde_json::{Map, Value as Json};
use spilltrail_event::Value;

use super::{element, to_text};
use crate::CallContext;
use crate::functions::Category;
use crate::functions::{Arity, EvalFunction, doc, returns};

pub(in super::super) static JSON_ARRAY: EvalFunction = EvalFunction::row(
    doc(
        "json_array",
        Category::Json,
        "Return a JSON array of the values.",
        "json_array(<value>, …)",
        &[(r#"json_array("a", 1, true(), json_array())"#, r#"["a",1,true,[]]"#)],
    ),
    Arity::AtLeast(0),
    returns::string,
    |context, arguments| {
        let elements = arguments
            .iter()
            .enumerate()
            .map(|(index, value)| element(value, context.is_string(index)));
        to_text(&elements.collect())
    },
);

pub(in super::super) static JSON_OBJECT: EvalFunction = EvalFunction::row(
    doc(
        "json_object",
        Category::Json,
        "Return a JSON object of keys and values.",
        "json_object(<key>, <value>, …)",
        &[(r#"json_object("a", 1, "b", "2")"#, r#"{"a":1,"b":"2"}"#), ("json_object()", "{}")],
    ),
    Arity::EvenAtLeast(0),
    returns::string,
    json_object,
);

fn json_object<'a>(context: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let mut object = Map::new();
    for (index, pair) in arguments.chunks_exact(2).enumerate() {
        let Some(key) = pair[0].to_text() else { return Value::Null };
        let is_string = context.is_string(2 * index + 1);
        object.insert(key.into_owned(), element(&pair[1], is_string));
    }
    to_text(&Json::Object(object))
}

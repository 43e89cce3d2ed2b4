//! Functions that return the type of a value. The value of a field counts as a number if it looks
//! like one; a string literal never does.

use serde_json::Value as Json;
use spilltrail_event::Value;

use super::Category::Informational;
use super::{Arity, EvalFunction, digits, doc, returns};
use crate::CallContext;

pub(super) static ISARRAY: EvalFunction = EvalFunction::row(
    doc(
        "isarray",
        Informational,
        "Return true if the value is a JSON array.",
        "isarray(<value>)",
        &[(r#"tostring(isarray("[1, 2]"))"#, "True"), (r#"tostring(isarray("[1"))"#, "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(matches!(json(&arguments[0]), Some(Json::Array(_)))),
);

pub(super) static ISBOOL: EvalFunction = EvalFunction::row(
    doc(
        "isbool",
        Informational,
        "Return true if the value is a Boolean.",
        "isbool(<value>)",
        &[("tostring(isbool(1<2))", "True"), (r#"tostring(isbool("true"))"#, "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(matches!(arguments[0], Value::Bool(_))),
);

pub(super) static ISDOUBLE: EvalFunction = EvalFunction::row(
    doc(
        "isdouble",
        Informational,
        "Return true if the value is a number but not an integer.",
        "isdouble(<value>)",
        &[("tostring(isdouble(1.5))", "True"), ("tostring(isdouble(2))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |context, arguments| test_number(context, arguments, |number| number.fract() != 0.0),
);

pub(super) static ISINT: EvalFunction = EvalFunction::row(
    doc(
        "isint",
        Informational,
        "Return true if the value is an integer.",
        "isint(<value>)",
        &[("tostring(isint(2))", "True"), (r#"tostring(isint("2"))"#, "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |context, arguments| test_number(context, arguments, |number| number.fract() == 0.0),
);

pub(super) static ISMV: EvalFunction = EvalFunction::row(
    doc(
        "ismv",
        Informational,
        "Return true if the field has several values.",
        "ismv(<value>)",
        &[(r#"tostring(ismv(split("a,b", ",")))"#, "True"), ("tostring(ismv(1))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(matches!(arguments[0], Value::Multi(_))),
);

pub(super) static ISNOTNULL: EvalFunction = EvalFunction::row(
    doc(
        "isnotnull",
        Informational,
        "Return true if there is a value, even an empty text.",
        "isnotnull(<value>)",
        &[(r#"tostring(isnotnull(""))"#, "True"), ("tostring(isnotnull(missing))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(!arguments[0].is_null()),
);

pub(super) static ISNULL: EvalFunction = EvalFunction::row(
    doc(
        "isnull",
        Informational,
        "Return true if there is no value.",
        "isnull(<value>)",
        &[("tostring(isnull(missing))", "True"), ("tostring(isnull(0))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(arguments[0].is_null()),
);

pub(super) static ISNUM: EvalFunction = EvalFunction::row(
    doc(
        "isnum",
        Informational,
        "Return true if the value is a number.",
        "isnum(<value>)",
        &[("tostring(isnum(2.5))", "True"), (r#"tostring(isnum("2.5"))"#, "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |context, arguments| test_number(context, arguments, |_| true),
);

pub(super) static ISOBJECT: EvalFunction = EvalFunction::row(
    doc(
        "isobject",
        Informational,
        "Return true if the value is a JSON object.",
        "isobject(<value>)",
        &[(r#"tostring(isobject("{\"a\": 1}"))"#, "True"), ("tostring(isobject(1))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| Value::Bool(matches!(json(&arguments[0]), Some(Json::Object(_)))),
);

pub(super) static ISSTR: EvalFunction = EvalFunction::row(
    doc(
        "isstr",
        Informational,
        "Return true if the value is text that is not a number.",
        "isstr(<value>)",
        &[(r#"tostring(isstr("2"))"#, "True"), ("tostring(isstr(2))", "False")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |context, arguments| Value::Bool(is_string(context, &arguments[0])),
);

pub(super) static TYPEOF: EvalFunction = EvalFunction::row(
    doc(
        "typeof",
        Informational,
        "Return the name of the value's type: Number, String, Boolean, or Invalid for null.",
        "typeof(<value>)",
        &[
            ("typeof(1)", "Number"),
            (r#"typeof("1")"#, "String"),
            ("typeof(1=1)", "Boolean"),
            ("typeof(missing)", "Invalid"),
        ],
    )
    .differs(&["The type of a multivalue field is String."]),
    Arity::Exactly(1),
    returns::string,
    |context, arguments| {
        Value::text(match &arguments[0] {
            Value::Null => "Invalid",
            Value::Bool(_) => "Boolean",
            Value::Multi(_) => "String",
            single if is_string(context, single) => "String",
            _ => "Number",
        })
    },
);

fn test_number<'a>(
    context: &CallContext<'_>,
    arguments: &[Value<'_>],
    test: fn(f64) -> bool,
) -> Value<'a> {
    Value::Bool(context.number(0, &arguments[0]).is_some_and(test))
}

fn is_string(context: &CallContext<'_>, value: &Value<'_>) -> bool {
    matches!(value, Value::Text(_)) && context.number(0, value).is_none()
}

fn json(value: &Value<'_>) -> Option<Json> {
    match value {
        Value::Text(text) => digits::parsed(text),
        _ => None,
    }
}

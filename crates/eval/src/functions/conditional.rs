//! Conditional functions: case, coalesce, if, nullif, validate; the constants true, false, null.

use spilltrail_event::Value;
use spilltrail_spl::CompareOp;

use super::Category::Conditional;
use super::{Arity, EvalFunction, doc, returns, take};
use crate::operators::compare;
use crate::{Call, CallContext, Evaluation, Type};

pub(super) static CASE: EvalFunction = EvalFunction::special(
    doc(
        "case",
        Conditional,
        "Return the value after the first condition that is true, or null.",
        "case(<condition>, <value>, …)",
        &[(r#"case(1>2, "a", 2>1, "b", true(), "c")"#, "b"), (r#"case(missing=1, "a")"#, "null")],
    ),
    Arity::Pairs,
    returns::any_second,
    case,
);

fn case<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let mut pairs = call.arguments.chunks_exact(2);
    pairs
        .find(|pair| pair[0].truth(evaluation) == Some(true))
        .map_or(Value::Null, |pair| pair[1].evaluate(evaluation))
}

pub(super) static COALESCE: EvalFunction = EvalFunction::special(
    doc(
        "coalesce",
        Conditional,
        "Return the first value that is not null.",
        "coalesce(<value>, …)",
        &[(r#"coalesce(missing, "other")"#, "other")],
    ),
    Arity::AtLeast(1),
    returns::any_argument,
    coalesce,
);

fn coalesce<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let mut values = call.arguments.iter().map(|argument| argument.evaluate(evaluation));
    values.find(|value| !value.is_null()).unwrap_or(Value::Null)
}

pub(super) static FALSE: EvalFunction = EvalFunction::row(
    doc("false", Conditional, "Return false.", "false()", &[("tostring(false())", "False")]),
    Arity::Exactly(0),
    returns::boolean,
    |_, _| Value::Bool(false),
);

pub(super) static IF: EvalFunction = EvalFunction::special(
    doc(
        "if",
        Conditional,
        "Return the second argument if the first is true, otherwise the third.",
        "if(<condition>, <value>, <value>)",
        &[(r#"if(1<2, "less", "more")"#, "less"), ("if(missing>1, 1, 0)", "0")],
    ),
    Arity::Exactly(3),
    |arguments| Type::any(arguments.iter().skip(1).copied()),
    if_then_else,
);

fn if_then_else<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let holds = call.arguments[0].truth(evaluation) == Some(true);
    call.arguments[if holds { 1 } else { 2 }].evaluate(evaluation)
}

pub(super) static NULL: EvalFunction = EvalFunction::row(
    doc(
        "null",
        Conditional,
        "Return null. A field that is set to null is removed.",
        "null()",
        &[("null()", "null")],
    ),
    Arity::Exactly(0),
    returns::null,
    |_, _| Value::Null,
);

pub(super) static NULLIF: EvalFunction = EvalFunction::row(
    doc(
        "nullif",
        Conditional,
        "Return the first value, or null if both are equal.",
        "nullif(<value>, <value>)",
        &[(r#"nullif("a", "a")"#, "null"), (r#"nullif("a", "b")"#, "a")],
    ),
    Arity::Exactly(2),
    |arguments| arguments[0],
    nullif,
);

fn nullif<'a>(_: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    if compare(CompareOp::Eq, &arguments[0], &arguments[1]) == Some(true) {
        return Value::Null;
    }
    take(arguments, 0)
}

pub(super) static TRUE: EvalFunction = EvalFunction::row(
    doc("true", Conditional, "Return true.", "true()", &[(r#"if(true(), "a", "b")"#, "a")]),
    Arity::Exactly(0),
    returns::boolean,
    |_, _| Value::Bool(true),
);

pub(super) static VALIDATE: EvalFunction = EvalFunction::special(
    doc(
        "validate",
        Conditional,
        "Return the value after the first condition that is not true, or null.",
        "validate(<condition>, <value>, …)",
        &[
            (r#"validate(1<2, "not less", 2<1, "not less again")"#, "not less again"),
            (r#"validate(1<2, "not less")"#, "null"),
        ],
    ),
    Arity::Pairs,
    returns::any_second,
    validate,
);

fn validate<'a>(call: &'a Call, evaluation: Evaluation<'a>) -> Value<'a> {
    let mut pairs = call.arguments.chunks_exact(2);
    pairs
        .find(|pair| pair[0].truth(evaluation) != Some(true))
        .map_or(Value::Null, |pair| pair[1].evaluate(evaluation))
}

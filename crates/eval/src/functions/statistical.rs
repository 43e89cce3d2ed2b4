//! The functions avg, max, min and sum over the arguments of one row.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;

use super::Category::Statistical;
use super::{Arity, EvalFunction, doc, returns, take};
use crate::operators::number;
use crate::{CallContext, Constants, Preparation, Type};

pub(super) static AVG: EvalFunction = EvalFunction::row(
    doc(
        "avg",
        Statistical,
        "Return the mean of the numbers. Missing values and other text are ignored.",
        "avg(<number>, …)",
        &[("avg(1, 2, missing, 6)", "3")],
    ),
    Arity::AtLeast(1),
    returns::number,
    |_, arguments| {
        let (sum, count) = total(arguments);
        crate::number((count > 0).then(|| sum / count as f64))
    },
)
.prepared(no_string_literal);

pub(super) static SUM: EvalFunction = EvalFunction::row(
    doc(
        "sum",
        Statistical,
        "Return the sum of the numbers. Missing values and other text are ignored.",
        "sum(<number>, …)",
        &[("sum(1, 2, missing)", "3"), (r#"sum(split("1,2,x", ","))"#, "3")],
    ),
    Arity::AtLeast(1),
    returns::number,
    |_, arguments| {
        let (sum, count) = total(arguments);
        crate::number((count > 0).then_some(sum))
    },
)
.prepared(no_string_literal);

fn total(arguments: &[Value<'_>]) -> (f64, usize) {
    let mut total = (0.0, 0);
    let mut add = |found: Option<f64>| {
        if let Some(found) = found {
            total = (total.0 + found, total.1 + 1);
        }
    };
    for argument in arguments {
        match argument {
            Value::Multi(members) => {
                members.iter().for_each(|member| add(spilltrail_event::parse_number(member)));
            }
            single => add(number(single)),
        }
    }
    total
}

fn no_string_literal(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let count = preparation.arguments.len();
    match (0..count).find(|argument| preparation.literal_text(*argument).is_some()) {
        Some(argument) => {
            Err(preparation.refuse(argument, "expected a number, found a string literal"))
        }
        None => Ok(Constants::Nothing),
    }
}

pub(super) static MAX: EvalFunction = EvalFunction::row(
    doc(
        "max",
        Statistical,
        "Return the largest value; strings are greater than numbers.",
        "max(<value>, …)",
        &[("max(2, 10, 3)", "10"), (r#"max(2, "b", "a")"#, "b"), ("max(missing, 1)", "1")],
    ),
    Arity::AtLeast(1),
    extreme_type,
    |context, arguments| extreme(context, arguments, |candidate, best| candidate > best),
);

pub(super) static MIN: EvalFunction = EvalFunction::row(
    doc(
        "min",
        Statistical,
        "Return the smallest value; numbers are less than strings.",
        "min(<value>, …)",
        &[("min(2, 10, 3)", "2"), (r#"min("b", "a")"#, "a")],
    ),
    Arity::AtLeast(1),
    extreme_type,
    |context, arguments| extreme(context, arguments, |candidate, best| candidate < best),
);

/// A value in the order that max and min use.
#[derive(PartialEq, PartialOrd)]
enum Ranked<'a> {
    Number(f64),
    String(std::borrow::Cow<'a, str>),
}

fn extreme<'a>(
    context: &CallContext<'a>,
    arguments: &mut [Value<'a>],
    better: fn(&Ranked<'a>, &Ranked<'a>) -> bool,
) -> Value<'a> {
    let mut best: Option<Ranked<'a>> = None;
    for index in 0..arguments.len() {
        let is_string = context.is_string(index);
        for member in take(arguments, index).into_members() {
            let parsed = if is_string { None } else { spilltrail_event::parse_number(&member) };
            let candidate = parsed.map_or_else(|| Ranked::String(member), Ranked::Number);
            if best.as_ref().is_none_or(|best| better(&candidate, best)) {
                best = Some(candidate);
            }
        }
    }
    match best {
        Some(Ranked::Number(number)) => Value::Number(number),
        Some(Ranked::String(text)) => Value::Text(text),
        None => Value::Null,
    }
}

fn extreme_type(arguments: &[Type]) -> Type {
    match Type::any(arguments.iter().copied()) {
        known @ (Type::Number | Type::String | Type::Null) => known,
        _ => Type::Untyped,
    }
}

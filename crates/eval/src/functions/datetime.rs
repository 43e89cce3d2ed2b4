//! Date and time functions: epoch seconds, formatted times, and relative times, in the user's time
//! zone.

use spilltrail_event::Value;
use spilltrail_spl::time::{self, Modifier};

use super::Category::DateTime;
use super::{Arity, Asks, EvalFunction, doc, returns};
use crate::Constants;
use crate::operators::number;

pub(super) static NOW: EvalFunction = EvalFunction::row(
    doc(
        "now",
        DateTime,
        "Return the time that counts as now, in whole seconds; the same for all rows.",
        "now()",
        &[("now()-now()", "0")],
    ),
    Arity::Exactly(0),
    returns::number,
    |context, _| Value::Number(context.runtime.now.floor()),
)
.asks(Asks::Present);

pub(super) static RELATIVE_TIME: EvalFunction = EvalFunction::row(
    doc(
        "relative_time",
        DateTime,
        "Apply a time modifier to a time.",
        "relative_time(<time>, <modifier>)",
        &[(r#"relative_time(1700000000, "-1h@h")"#, "1699995600")],
    ),
    Arity::Exactly(2),
    returns::number,
    |context, arguments| {
        crate::number(with_text(arguments, |time, modifier| {
            time::relative_time(time, modifier, &context.runtime.zone)
        }))
    },
)
.prepared(|preparation| {
    let literal = preparation.literal_text(1);
    let wrong = literal.and_then(|(text, _)| match time::parse_modifier(text) {
        Ok(Modifier::Relative(_) | Modifier::Now) => None,
        Ok(_) => Some("not relative to a time, so the result is null".to_owned()),
        Err(error) => Some(format!("{error}, so the result is null")),
    });
    if let Some(wrong) = wrong {
        preparation.doubt(1, wrong);
    }
    Ok(Constants::Nothing)
});

pub(super) static STRFTIME: EvalFunction = EvalFunction::row(
    doc(
        "strftime",
        DateTime,
        "Format a time.",
        "strftime(<time>, <format>)",
        &[(r#"strftime(1700000000, "%Y-%m-%d %H:%M:%S")"#, "2023-11-14 22:13:20")],
    ),
    Arity::Exactly(2),
    returns::string,
    |context, arguments| {
        let text = with_text(arguments, |time, format| {
            Some(time::strftime(time, format, &context.runtime.zone))
        });
        text.map_or(Value::Null, Value::text)
    },
);

pub(super) static STRPTIME: EvalFunction = EvalFunction::row(
    doc(
        "strptime",
        DateTime,
        "Parse a time in a format; null if the text does not have that format.",
        "strptime(<text>, <format>)",
        &[
            (r#"strptime("2023-11-14 22:13:20", "%Y-%m-%d %H:%M:%S")"#, "1700000000"),
            (r#"strptime("yesterday", "%Y-%m-%d")"#, "null"),
        ],
    ),
    Arity::Exactly(2),
    returns::number,
    |context, arguments| {
        let (text, format) = (arguments[0].to_text(), arguments[1].to_text());
        crate::number(
            text.zip(format)
                .and_then(|(text, format)| time::strptime(&text, &format, &context.runtime.zone)),
        )
    },
);

pub(super) static TIME: EvalFunction = EvalFunction::row(
    doc(
        "time",
        DateTime,
        "Return the time that counts as now, like `now()`.",
        "time()",
        &[("time()-now()", "0")],
    )
    .differs(&["The time does not advance while the search runs, so that results are repeatable."]),
    Arity::Exactly(0),
    returns::number,
    |context, _| Value::Number(context.runtime.now),
)
.asks(Asks::Present);

/// Applies `apply` to the number and the text; returns `None` if either is missing.
fn with_text<T>(arguments: &[Value<'_>], apply: impl FnOnce(f64, &str) -> Option<T>) -> Option<T> {
    let time = number(&arguments[0])?;
    apply(time, &arguments[1].to_text()?)
}

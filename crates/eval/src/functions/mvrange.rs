//! The function mvrange: returns a series of numbers or of times.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use spilltrail_event::{Value, format_number};
use spilltrail_spl::time;

use super::Category::Multivalue;
use super::{Arity, EvalFunction, doc, returns};
use crate::CallContext;
use crate::operators::number;

/// Maximum number of values that one call returns, to limit memory use.
const LONGEST: usize = 100_000;

/// Whether a call in this process left out values because of the limit.
static WAS_CUT: AtomicBool = AtomicBool::new(false);

/// Returns true if `mvrange` left out values in this process, because a result has 100,000 at most.
#[must_use]
pub fn was_cut() -> bool {
    WAS_CUT.load(Ordering::Relaxed)
}

pub(super) static MVRANGE: EvalFunction = EvalFunction::row(
    doc(
        "mvrange",
        Multivalue,
        "Return the numbers from a start to an end, without the end. The step can be a time span.",
        "mvrange(<start>, <end>[, <step>])",
        &[("mvrange(1, 4)", "1 | 2 | 3"), ("mvrange(10, 0, -5)", "10 | 5")],
    )
    .differs(&["The result has at most 100,000 values."]),
    Arity::Between(2, 3),
    returns::multi,
    mvrange,
);

enum Step {
    Number(f64),
    Time(time::Span),
}

fn mvrange<'a>(context: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let (Some(start), Some(end)) = (number(&arguments[0]), number(&arguments[1])) else {
        return Value::Null;
    };
    let step = match arguments.get(2) {
        None => Some(Step::Number(1.0)),
        Some(step) => number(step)
            .map(Step::Number)
            .or_else(|| step.to_text().and_then(|text| time::parse_span(&text)).map(Step::Time)),
    };
    let Some(step) = step else { return Value::Null };
    let mut members = Vec::new();
    for index in 0..=LONGEST {
        let (value, ended) = match step {
            Step::Number(step) => {
                let value = step.mul_add(index as f64, start);
                (value, if step < 0.0 { value <= end } else { value >= end || step == 0.0 })
            }
            Step::Time(span) => {
                let count = i64::try_from(index).unwrap_or(i64::MAX);
                let count = count.saturating_mul(i64::from(span.count));
                let value = time::add(start, count, span.unit, &context.runtime.zone);
                // Stop if a step does not advance; otherwise the loop would never end.
                (value, value >= end || (index > 0 && value <= start))
            }
        };
        if ended || !value.is_finite() {
            break;
        }
        if index == LONGEST {
            WAS_CUT.store(true, Ordering::Relaxed);
            break;
        }
        members.push(Cow::Owned(format_number(value)));
    }
    Value::multi(members)
}

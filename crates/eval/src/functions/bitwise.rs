//! Bitwise functions on integers from 0 to 2^53 - 1. They return null for any other value.

use spilltrail_event::Value;

use super::Category::Bitwise;
use super::{Arity, EvalFunction, doc, returns};
use crate::CallContext;

/// Mask of the 53 bits that a double stores exactly.
const ALL: u64 = (1 << 53) - 1;

pub(super) static BIT_AND: EvalFunction = EvalFunction::row(
    doc(
        "bit_and",
        Bitwise,
        "Return the bits that are set in all values.",
        "bit_and(<integer>, <integer>, …)",
        &[("bit_and(12, 10)", "8"), ("bit_and(15, 6, 3)", "2"), ("bit_and(-1, 1)", "null")],
    ),
    Arity::AtLeast(2),
    returns::number,
    |context, arguments| combine(context, arguments, |left, right| left & right),
);

pub(super) static BIT_NOT: EvalFunction = EvalFunction::row(
    doc(
        "bit_not",
        Bitwise,
        "Invert the 53 bits of a value, or those in the mask.",
        "bit_not(<integer>[, <mask>])",
        &[("bit_not(0)", "9007199254740991"), ("bit_not(5, 15)", "10"), ("bit_not(0.5)", "null")],
    ),
    Arity::Between(1, 2),
    returns::number,
    |context, arguments| {
        let mask = match arguments.get(1) {
            Some(mask) => integer(context, 1, mask),
            None => Some(ALL),
        };
        value(integer(context, 0, &arguments[0]).zip(mask).map(|(bits, mask)| !bits & mask))
    },
);

pub(super) static BIT_OR: EvalFunction = EvalFunction::row(
    doc(
        "bit_or",
        Bitwise,
        "Return the bits that are set in any value.",
        "bit_or(<integer>, <integer>, …)",
        &[("bit_or(12, 3)", "15")],
    ),
    Arity::AtLeast(2),
    returns::number,
    |context, arguments| combine(context, arguments, |left, right| left | right),
);

pub(super) static BIT_SHIFT_LEFT: EvalFunction = EvalFunction::row(
    doc(
        "bit_shift_left",
        Bitwise,
        "Shift bits up; bits beyond the 53rd are lost.",
        "bit_shift_left(<integer>, <count>)",
        &[("bit_shift_left(5, 2)", "20"), ("bit_shift_left(1, 53)", "0")],
    ),
    Arity::Exactly(2),
    returns::number,
    |context, arguments| shift(context, arguments, u64::checked_shl),
);

pub(super) static BIT_SHIFT_RIGHT: EvalFunction = EvalFunction::row(
    doc(
        "bit_shift_right",
        Bitwise,
        "Shift bits down.",
        "bit_shift_right(<integer>, <count>)",
        &[("bit_shift_right(20, 2)", "5"), ("bit_shift_right(20, -1)", "null")],
    ),
    Arity::Exactly(2),
    returns::number,
    |context, arguments| shift(context, arguments, u64::checked_shr),
);

pub(super) static BIT_XOR: EvalFunction = EvalFunction::row(
    doc(
        "bit_xor",
        Bitwise,
        "Return the bits that are set in an odd number of values.",
        "bit_xor(<integer>, <integer>, …)",
        &[("bit_xor(12, 10)", "6")],
    ),
    Arity::AtLeast(2),
    returns::number,
    |context, arguments| combine(context, arguments, |left, right| left ^ right),
);

fn combine<'a>(
    context: &CallContext<'_>,
    arguments: &[Value<'_>],
    operator: fn(u64, u64) -> u64,
) -> Value<'a> {
    let bits: Option<Vec<u64>> = arguments
        .iter()
        .enumerate()
        .map(|(index, argument)| integer(context, index, argument))
        .collect();
    value(bits.and_then(|bits| bits.into_iter().reduce(operator)))
}

fn shift<'a>(
    context: &CallContext<'_>,
    arguments: &[Value<'_>],
    operator: fn(u64, u32) -> Option<u64>,
) -> Value<'a> {
    let bits = integer(context, 0, &arguments[0]);
    let count = integer(context, 1, &arguments[1]);
    value(bits.zip(count).map(|(bits, count)| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        // A shift by 53 or more bits leaves zero in either direction.
        if count >= 53 { 0 } else { operator(bits, count).unwrap_or(0) & ALL }
    }))
}

fn integer(context: &CallContext<'_>, index: usize, argument: &Value<'_>) -> Option<u64> {
    let number = context.number(index, argument)?;
    let fits = number.fract() == 0.0 && (0.0..=ALL as f64).contains(&number);
    fits.then_some(number as u64)
}

fn value<'a>(bits: Option<u64>) -> Value<'a> {
    crate::number(bits.map(|bits| bits as f64))
}

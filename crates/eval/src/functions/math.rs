//! Mathematical functions of one or two numbers.

use spilltrail_event::Value;

use super::Category::Mathematical;
use super::{Arity, EvalFunction, doc, returns, take};
use crate::CallContext;
use crate::operators::number;

pub(super) static ABS: EvalFunction = EvalFunction::math(
    doc(
        "abs",
        Mathematical,
        "Return the absolute value.",
        "abs(<number>)",
        &[("abs(-2.5)", "2.5"), (r#"abs("x")"#, "null")],
    ),
    f64::abs,
);

pub(super) static CEILING: EvalFunction = EvalFunction::math(
    doc("ceiling", Mathematical, "Round up.", "ceiling(<number>)", &[("ceiling(-1.5)", "-1")])
        .aliases(&["ceil"]),
    f64::ceil,
);

pub(super) static EXACT: EvalFunction = EvalFunction::row(
    doc(
        "exact",
        Mathematical,
        "Return the number in full precision, without rounding products to the figures of their factors.",
        "exact(<number>)",
        &[("exact(5 * 0.5)", "2.5"), ("5 * 0.5", "3")],
    ),
    Arity::Exactly(1),
    returns::number,
    |_, arguments| crate::number(number(&take(arguments, 0))),
);

pub(super) static EXP: EvalFunction = EvalFunction::math(
    doc(
        "exp",
        Mathematical,
        "Return e to the power of a number.",
        "exp(<number>)",
        &[("exp(0)", "1")],
    ),
    f64::exp,
);

pub(super) static FLOOR: EvalFunction = EvalFunction::math(
    doc("floor", Mathematical, "Round down.", "floor(<number>)", &[("floor(-1.5)", "-2")]),
    f64::floor,
);

pub(super) static LN: EvalFunction = EvalFunction::math(
    doc("ln", Mathematical, "Return the natural logarithm.", "ln(<number>)", &[("ln(1)", "0")]),
    f64::ln,
);

pub(super) static LOG: EvalFunction = EvalFunction::row(
    doc(
        "log",
        Mathematical,
        "Return the logarithm, to base 10 unless another is given.",
        "log(<number>[, <base>])",
        &[("log(1000)", "3"), ("log(8, 2)", "3")],
    ),
    Arity::Between(1, 2),
    returns::number,
    |_, arguments| {
        let base = if arguments.len() > 1 { number(&arguments[1]) } else { Some(10.0) };
        crate::number(number(&arguments[0]).zip(base).map(|(number, base)| {
            if base == 10.0 {
                number.log10()
            } else if base == 2.0 {
                number.log2()
            } else {
                number.ln() / base.ln()
            }
        }))
    },
);

pub(super) static PI: EvalFunction = EvalFunction::row(
    doc("pi", Mathematical, "Return pi.", "pi()", &[("round(pi(), 2)", "3.14")])
        .differs(&["The number has the full precision of a double."]),
    Arity::Exactly(0),
    returns::number,
    |_, _| Value::Number(std::f64::consts::PI),
);

pub(super) static POW: EvalFunction = EvalFunction::row(
    doc(
        "pow",
        Mathematical,
        "Return a number to the power of another.",
        "pow(<number>, <exponent>)",
        &[("pow(2, 8)", "256")],
    ),
    Arity::Exactly(2),
    returns::number,
    |_, arguments| {
        let numbers = number(&arguments[0]).zip(number(&arguments[1]));
        crate::number(numbers.map(|(number, exponent)| number.powf(exponent)))
    },
);

pub(super) static ROUND: EvalFunction = EvalFunction::row(
    doc(
        "round",
        Mathematical,
        "Round to a number of decimals, by default none. Halves round away from zero. A result with decimals is written with all of them, and is a text in JSON output.",
        "round(<number>[, <decimals>])",
        &[
            ("round(2.5)", "3"),
            ("round(-1.125, 2)", "-1.13"),
            ("round(1.005, 2)", "1.01"),
            ("round(10, 2)", "10.00"),
        ],
    ),
    Arity::Between(1, 2),
    returns::number,
    |_, arguments| {
        let decimals = if arguments.len() > 1 { number(&arguments[1]) } else { Some(0.0) };
        crate::number(
            number(&arguments[0])
                .zip(decimals)
                .map(|(number, decimals)| round(number, decimals.clamp(0.0, 400.0) as usize)),
        )
    },
);

/// Returns a rounded number, or its text if that needs zeros at its end to have all decimals.
pub(crate) fn with_decimals<'a>(rounded: Value<'a>, decimals: Option<&Value<'_>>) -> Value<'a> {
    let decimals = decimals.and_then(number).unwrap_or(0.0);
    // More decimals than a double has are not meant.
    let decimals = decimals.clamp(0.0, MOST_DECIMALS) as usize;
    let Value::Number(number) = rounded else { return rounded };
    if decimals == 0 || !number.is_finite() {
        return Value::Number(number);
    }
    // The shortest digits of the number, and not those of its binary form.
    let text = spilltrail_event::format_number(number);
    let has = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let Some(zeros @ 1..) = decimals.checked_sub(has) else { return Value::Number(number) };
    let point = if has == 0 { "." } else { "" };
    Value::text(format!("{text}{point}{}", "0".repeat(zeros)))
}

/// The most decimals that are written for a number.
const MOST_DECIMALS: f64 = 20.0;

/// Rounds the decimal number that the user most likely wrote, which is given by the first 15 digits
/// of the double: 1.005 is slightly less in binary, but must round up.
pub(super) fn round(number: f64, decimals: usize) -> f64 {
    let Some((negative, digits, point)) = decimal(number, 15) else { return number };
    // Keep the digits before the decimal point and `decimals` digits after it.
    let keep = point + decimals as i64;
    if keep >= digits.len() as i64 {
        return number;
    }
    rounded(negative, &digits, point, keep)
}

/// Rounds to a number of significant figures.
pub(super) fn round_to_figures(number: f64, figures: usize) -> f64 {
    let Some((negative, digits, point)) = decimal(number, 15) else { return number };
    if figures >= digits.len() {
        return number;
    }
    rounded(negative, &digits, point, figures as i64)
}

/// Rounds a product to a number of significant figures, but no digit before the decimal point.
pub(crate) fn round_product(number: f64, figures: usize) -> f64 {
    let Some((negative, digits, point)) = decimal(number, 15) else { return number };
    let keep = (figures as i64).max(point);
    if keep >= digits.len() as i64 {
        return number;
    }
    rounded(negative, &digits, point, keep)
}

/// Returns the sign, the decimal digits, and the index of the decimal point in them. Returns `None`
/// for zero, NaN and infinity.
fn decimal(number: f64, figures: usize) -> Option<(bool, Vec<u8>, i64)> {
    if number == 0.0 || !number.is_finite() {
        return None;
    }
    let text = format!("{:.*e}", figures - 1, number.abs());
    let (mantissa, exponent) = text.split_once('e')?;
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    Some((number < 0.0, digits, exponent.parse::<i64>().ok()? + 1))
}

/// Keeps the first `keep` digits, rounding half away from zero.
fn rounded(negative: bool, digits: &[u8], point: i64, keep: i64) -> f64 {
    let Ok(keep) = usize::try_from(keep) else { return 0.0 };
    let up = digits.get(keep).is_some_and(|digit| *digit >= 5);
    let kept = digits[..keep].iter().fold(0_u64, |value, digit| value * 10 + u64::from(*digit));
    let value = kept + u64::from(up);
    let text = format!("{value}e{}", point - keep as i64);
    let magnitude: f64 = text.parse().unwrap_or(f64::NAN);
    if negative && magnitude != 0.0 { -magnitude } else { magnitude }
}

pub(super) static SQRT: EvalFunction = EvalFunction::math(
    doc("sqrt", Mathematical, "Return the square root.", "sqrt(<number>)", &[("sqrt(16)", "4")]),
    f64::sqrt,
);

pub(super) static RANDOM: EvalFunction = EvalFunction::row(
    doc(
        "random",
        super::Category::Statistical,
        "Return a random integer from 0 to 2147483647, a different one for each row.",
        "random()",
        &[("if(random()>=0, 1, 0)", "1")],
    ),
    Arity::Exactly(0),
    returns::number,
    random,
)
.volatile();

fn random<'a>(_: &CallContext<'a>, _: &mut [Value<'a>]) -> Value<'a> {
    Value::Number(f64::from(fastrand::u32(0..=0x7fff_ffff)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_decimal() {
        for (number, decimals, result) in [
            (2.675, 2, 2.68),
            (0.5, 0, 1.0),
            (-0.5, 0, -1.0),
            (0.05, 1, 0.1),
            (0.049, 1, 0.0),
            (99.995, 2, 100.0),
            (123_456_789.0, 3, 123_456_789.0),
            (1e300, 2, 1e300),
            (1e-300, 2, 0.0),
        ] {
            assert_eq!(round(number, decimals), result, "{number} {decimals}");
        }
        assert!(round(f64::NAN, 1).is_nan());
        assert_eq!(round_to_figures(1299.0, 2), 1300.0);
        assert_eq!(round_to_figures(-0.001_25, 2), -0.0013);
    }
}

//! Trigonometric and hyperbolic functions in radians, as in the C library.

use super::Category::Trigonometric;
use super::{Arity, EvalFunction, doc, returns};
use crate::operators::number;

pub(super) static ACOS: EvalFunction = EvalFunction::math(
    doc("acos", Trigonometric, "Return the arc cosine.", "acos(<number>)", &[("acos(1)", "0")]),
    f64::acos,
);

pub(super) static ACOSH: EvalFunction = EvalFunction::math(
    doc(
        "acosh",
        Trigonometric,
        "Return the inverse hyperbolic cosine.",
        "acosh(<number>)",
        &[("acosh(1)", "0")],
    ),
    f64::acosh,
);

pub(super) static ASIN: EvalFunction = EvalFunction::math(
    doc("asin", Trigonometric, "Return the arc sine.", "asin(<number>)", &[("asin(0)", "0")]),
    f64::asin,
);

pub(super) static ASINH: EvalFunction = EvalFunction::math(
    doc(
        "asinh",
        Trigonometric,
        "Return the inverse hyperbolic sine.",
        "asinh(<number>)",
        &[("asinh(0)", "0")],
    ),
    f64::asinh,
);

pub(super) static ATAN: EvalFunction = EvalFunction::math(
    doc("atan", Trigonometric, "Return the arc tangent.", "atan(<number>)", &[("atan(0)", "0")]),
    f64::atan,
);

pub(super) static ATAN2: EvalFunction = EvalFunction::row(
    doc(
        "atan2",
        Trigonometric,
        "Return the angle of the point (x, y).",
        "atan2(<y>, <x>)",
        &[("round(atan2(1, 1)*4, 3)", "3.142")],
    ),
    Arity::Exactly(2),
    returns::number,
    |_, arguments| {
        let point = number(&arguments[0]).zip(number(&arguments[1]));
        crate::number(point.map(|(y, x)| y.atan2(x)))
    },
);

pub(super) static ATANH: EvalFunction = EvalFunction::math(
    doc(
        "atanh",
        Trigonometric,
        "Return the inverse hyperbolic tangent.",
        "atanh(<number>)",
        &[("atanh(0)", "0")],
    ),
    f64::atanh,
);

pub(super) static COS: EvalFunction = EvalFunction::math(
    doc("cos", Trigonometric, "Return the cosine.", "cos(<number>)", &[("cos(0)", "1")]),
    f64::cos,
);

pub(super) static COSH: EvalFunction = EvalFunction::math(
    doc(
        "cosh",
        Trigonometric,
        "Return the hyperbolic cosine.",
        "cosh(<number>)",
        &[("cosh(0)", "1")],
    ),
    f64::cosh,
);

pub(super) static HYPOT: EvalFunction = EvalFunction::row(
    doc(
        "hypot",
        Trigonometric,
        "Return the length of the hypotenuse.",
        "hypot(<x>, <y>)",
        &[("hypot(5, 12)", "13")],
    ),
    Arity::Exactly(2),
    returns::number,
    |_, arguments| {
        let sides = number(&arguments[0]).zip(number(&arguments[1]));
        crate::number(sides.map(|(x, y)| x.hypot(y)))
    },
);

pub(super) static SIN: EvalFunction = EvalFunction::math(
    doc("sin", Trigonometric, "Return the sine.", "sin(<number>)", &[("sin(0)", "0")]),
    f64::sin,
);

pub(super) static SINH: EvalFunction = EvalFunction::math(
    doc(
        "sinh",
        Trigonometric,
        "Return the hyperbolic sine.",
        "sinh(<number>)",
        &[("sinh(0)", "0")],
    ),
    f64::sinh,
);

pub(super) static TAN: EvalFunction = EvalFunction::math(
    doc("tan", Trigonometric, "Return the tangent.", "tan(<number>)", &[("tan(0)", "0")]),
    f64::tan,
);

pub(super) static TANH: EvalFunction = EvalFunction::math(
    doc(
        "tanh",
        Trigonometric,
        "Return the hyperbolic tangent.",
        "tanh(<number>)",
        &[("tanh(0)", "0")],
    ),
    f64::tanh,
);

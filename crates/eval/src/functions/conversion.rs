//! Conversions between numbers, text and IP addresses.

use std::borrow::Cow;
use std::net::IpAddr;

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Value, format_number, parse_number};

use super::Category::Conversion;
use super::math::round;
use super::{Arity, EvalFunction, doc, each_member, returns, take};
use crate::operators::number;
use crate::{Constants, Preparation};

pub(super) static IPMASK: EvalFunction = EvalFunction::row(
    doc(
        "ipmask",
        Conversion,
        "Keep the bits of an IP address that are set in the mask.",
        "ipmask(<mask>, <address>)",
        &[
            (r#"ipmask("255.255.0.0", "10.1.2.3")"#, "10.1.0.0"),
            (r#"ipmask("255.255.0.0", "none")"#, "null"),
        ],
    ),
    Arity::Exactly(2),
    returns::string_per_member,
    |_, arguments| {
        let mask = arguments[0].to_text().and_then(|mask| mask.trim().parse().ok());
        let Some(mask) = mask else { return Value::Null };
        each_member(take(arguments, 1), |address| {
            masked(mask, address.trim().parse().ok()?).map(|text| Cow::Owned(text.to_string()))
        })
    },
);

fn masked(mask: IpAddr, address: IpAddr) -> Option<IpAddr> {
    match (mask, address) {
        (IpAddr::V4(mask), IpAddr::V4(address)) => Some(IpAddr::V4(mask & address)),
        (IpAddr::V6(mask), IpAddr::V6(address)) => Some(IpAddr::V6(mask & address)),
        _ => None,
    }
}

pub(super) static TOBOOL: EvalFunction = EvalFunction::row(
    doc(
        "tobool",
        Conversion,
        "Return false for 0, `false`, `f`, `no` and `n`; true for any other number, `true`, `t`, `yes` and `y`; otherwise null.",
        "tobool(<value>)",
        &[(r#"if(tobool("yes"), 1, 0)"#, "1"), ("if(tobool(0), 1, 0)", "0")],
    ),
    Arity::Exactly(1),
    returns::boolean,
    |_, arguments| {
        let value = &arguments[0];
        let spelled = || match value.to_text()?.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" => Some(true),
            "false" | "f" | "no" | "n" => Some(false),
            _ => None,
        };
        crate::boolean(crate::operators::truth(value).or_else(spelled))
    },
);

pub(super) static TODOUBLE: EvalFunction = EvalFunction::row(
    doc(
        "todouble",
        Conversion,
        "Return the value as a number, or null if it does not look like one.",
        "todouble(<value>)",
        &[(r#"todouble("2.50")"#, "2.5")],
    ),
    Arity::Exactly(1),
    returns::number,
    |_, arguments| crate::number(whole_number(&arguments[0])),
);

pub(super) static TOINT: EvalFunction = EvalFunction::row(
    doc(
        "toint",
        Conversion,
        "Return the value as a number without its fraction, or null if it does not look like a number.",
        "toint(<value>)",
        &[(r#"toint("-2.5")"#, "-2"), (r#"toint("x")"#, "null")],
    ),
    Arity::Exactly(1),
    returns::number,
    |_, arguments| crate::number(whole_number(&arguments[0]).map(f64::trunc)),
);

fn whole_number(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        other => other.as_number(),
    }
}

pub(super) static TONUMBER: EvalFunction = EvalFunction::row(
    doc(
        "tonumber",
        Conversion,
        "Parse a number, in base 10 or another base; null if the text is not a number.",
        "tonumber(<text>[, <base>])",
        &[
            (r#"tonumber("1e3")"#, "1000"),
            (r#"tonumber("-7f", 16)"#, "-127"),
            (r#"tonumber(trim(" x "))"#, "null"),
        ],
    ),
    Arity::Between(1, 2),
    returns::number,
    |_, arguments| {
        let base = match arguments.get(1) {
            None => Some(10),
            Some(base) => valid_base(number(base)),
        };
        let text = arguments[0].to_text();
        crate::number(text.zip(base).and_then(|(text, base)| to_number(&text, base)))
    },
)
.prepared(prepare_tonumber);

fn prepare_tonumber(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let base = match preparation.arguments.get(1) {
        None => 10,
        Some(base) => match base.literal() {
            Some(literal) => match valid_base(literal.as_number()) {
                Some(base) => base,
                None => return Err(preparation.refuse(1, "expected a base from 2 to 36")),
            },
            None => return Ok(Constants::Nothing),
        },
    };
    match preparation.literal_text(0) {
        Some((text, _)) if to_number(text, base).is_none() => {
            let label = format!("expected a number in base {base}, found `{text}`");
            Err(preparation.refuse(0, label))
        }
        _ => Ok(Constants::Nothing),
    }
}

fn valid_base(base: Option<f64>) -> Option<u32> {
    base.filter(|base| (2.0..=36.0).contains(base) && base.fract() == 0.0).map(|base| base as u32)
}

fn to_number(text: &str, base: u32) -> Option<f64> {
    if base == 10 {
        return parse_number(text);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let digits = match base {
        16 => digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits),
        _ => digits,
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.chars().try_fold(0.0, |value, digit| {
        digit.to_digit(base).map(|digit| value * f64::from(base) + f64::from(digit))
    })?;
    Some(sign * value)
}

pub(super) static TOSTRING: EvalFunction = EvalFunction::row(
    doc(
        "tostring",
        Conversion,
        "Return the value as text; numbers optionally in the format `hex`, `binary`, `commas` or `duration`.",
        "tostring(<value>[, <format>])",
        &[
            ("tostring(1=1)", "True"),
            (r#"tostring(255, "hex")"#, "0xFF"),
            (r#"tostring(5, "binary")"#, "101"),
            (r#"tostring(1234567.891, "commas")"#, "1,234,567.89"),
            (r#"tostring(3725, "duration")"#, "01:02:05"),
        ],
    ),
    Arity::Between(1, 2),
    returns::string_per_member,
    |_, arguments| {
        let Some(format) = arguments.get(1) else {
            return each_member(take(arguments, 0), Some);
        };
        let format = format.to_text().unwrap_or_default().into_owned();
        match number(&arguments[0]) {
            Some(number) => formatted(number, &format).map_or(Value::Null, Value::text),
            None => each_member(take(arguments, 0), Some),
        }
    },
)
.prepared(|preparation| match preparation.literal_text(1) {
    Some((format, _)) if formatted(0.0, format).is_none() => Err(preparation.refuse(
        1,
        format!("expected `hex`, `binary`, `commas` or `duration`, found `{format}`"),
    )),
    _ => Ok(Constants::Nothing),
});

fn formatted(number: f64, format: &str) -> Option<String> {
    let sign = if number < 0.0 { "-" } else { "" };
    let whole = number.abs().trunc() as u64;
    match format {
        "hex" => Some(format!("{sign}0x{whole:X}")),
        "binary" => Some(format!("{sign}{whole:b}")),
        "commas" => Some(commas(number)),
        "duration" => Some(duration(number)),
        _ => None,
    }
}

/// Returns the number with commas between thousands, and with two decimals if it has any.
fn commas(number: f64) -> String {
    let rounded = round(number, 2);
    let text = if number.fract() == 0.0 { format_number(rounded) } else { format!("{rounded:.2}") };
    group_thousands(&text)
}

/// Inserts commas between the thousands of a number in text form.
pub(super) fn group_thousands(text: &str) -> String {
    let start = text.len() - text.trim_start_matches(['-', '+', ' ']).len();
    let digits = text[start..].bytes().take_while(u8::is_ascii_digit).count();
    let mut grouped = text[..start].to_owned();
    for (index, digit) in text[start..start + digits].chars().enumerate() {
        if index > 0 && (digits - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &text[start + digits..]
}

/// Returns seconds as `[D+]HH:MM:SS`, with six decimals if they are not a whole number.
fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let mut micros = (seconds.abs().fract() * 1e6).round() as u64;
    let mut seconds = seconds.abs().trunc() as u64;
    if micros == 1_000_000 {
        (seconds, micros) = (seconds.saturating_add(1), 0);
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    if micros > 0 {
        clock = format!("{clock}.{micros:06}");
    }
    if days > 0 { format!("{sign}{days}+{clock}") } else { format!("{sign}{clock}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_formats() {
        for (number, format, text) in [
            (-255.0, "hex", "-0xFF"),
            (999.0, "commas", "999"),
            (-1234.5, "commas", "-1,234.50"),
            (999_999.999, "commas", "1,000,000.00"),
            (90_061.0, "duration", "1+01:01:01"),
            (59.9, "duration", "00:00:59.900000"),
            (-59.999_999_9, "duration", "-00:01:00"),
        ] {
            assert_eq!(formatted(number, format).as_deref(), Some(text));
        }
        assert_eq!(formatted(1.0, "roman"), None);
    }

    #[test]
    fn bases() {
        for (text, base, number) in [
            ("ff", 16, Some(255.0)),
            ("0x1F", 16, Some(31.0)),
            ("102", 2, None),
            ("-z", 36, Some(-35.0)),
            (" 1", 10, None),
            ("", 2, None),
            ("-", 8, None),
        ] {
            assert_eq!(to_number(text, base), number, "{text}");
        }
    }
}

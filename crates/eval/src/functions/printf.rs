//! The function printf: formats its arguments with the format syntax of C.

use spilltrail_event::Value;

use super::Category::Conversion;
use super::conversion::group_thousands;
use super::{Arity, EvalFunction, doc, returns, take};
use crate::operators::number;

/// Maximum width and precision, to limit memory use.
const WIDEST: usize = 1000;

pub(super) static PRINTF: EvalFunction = EvalFunction::row(
    doc(
        "printf",
        Conversion,
        "Format the arguments like C's printf.",
        "printf(<format>, <value>, …)",
        &[
            (r#"printf("%05.1f|%-3d|%x", 2.25, 7, 255)"#, "002.2|7  |ff"),
            (r#"printf("%s has %d", "bucket", 3)"#, "bucket has 3"),
            (r#"printf("%'d%%", 12345)"#, "12,345%"),
        ],
    )
    .differs(&[
        "The result is null for a width or precision above 1000 and for a conversion that C does not have.",
    ]),
    Arity::AtLeast(1),
    returns::string,
    |_, arguments| {
        let format = take(arguments, 0);
        let Some(format) = format.to_text() else { return Value::Null };
        print(&format, &arguments[1..]).map_or(Value::Null, Value::text)
    },
);

/// The flags, width and precision between `%` and the conversion letter.
#[derive(Debug, Default, Clone, Copy)]
struct Spec {
    left: bool,
    plus: bool,
    blank: bool,
    zero: bool,
    alternate: bool,
    grouped: bool,
    width: usize,
    precision: Option<usize>,
}

/// Returns the formatted text; `None` if the format is invalid, or if an argument is missing or has
/// the wrong type for its conversion.
fn print(format: &str, arguments: &[Value<'_>]) -> Option<String> {
    let mut arguments = arguments.iter();
    let mut printed = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        printed.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars().peekable();
        let spec = spec(&mut chars, &mut arguments)?;
        let letter = chars.next()?;
        if letter == '%' {
            printed.push('%');
        } else {
            printed.push_str(&conversion(spec, letter, arguments.next()?)?);
        }
        let left: usize = chars.map(char::len_utf8).sum();
        rest = &rest[rest.len() - left..];
    }
    printed.push_str(rest);
    Some(printed)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;
type Arguments<'a, 'b> = std::slice::Iter<'a, Value<'b>>;

fn spec(chars: &mut Chars<'_>, arguments: &mut Arguments<'_, '_>) -> Option<Spec> {
    let mut spec = Spec::default();
    loop {
        match chars.peek() {
            Some('-') => spec.left = true,
            Some('+') => spec.plus = true,
            Some(' ') => spec.blank = true,
            Some('0') => spec.zero = true,
            Some('#') => spec.alternate = true,
            Some('\'') => spec.grouped = true,
            _ => break,
        }
        chars.next();
    }
    let width = size(chars, arguments)?.unwrap_or(0);
    spec.left |= width < 0;
    spec.width = usize::try_from(width.unsigned_abs()).ok().filter(|width| *width <= WIDEST)?;
    if chars.next_if_eq(&'.').is_some() {
        let precision = size(chars, arguments)?.unwrap_or(0);
        // A negative precision is treated as if it were omitted.
        spec.precision = usize::try_from(precision).ok();
        if spec.precision.is_some_and(|precision| precision > WIDEST) {
            return None;
        }
    }
    Some(spec)
}

/// Parses a number, or for `*` takes it from the arguments. The inner `None` means that the format
/// contains neither.
fn size(chars: &mut Chars<'_>, arguments: &mut Arguments<'_, '_>) -> Option<Option<i64>> {
    if chars.next_if_eq(&'*').is_some() {
        return Some(Some(number(arguments.next()?)? as i64));
    }
    let mut size = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        size = Some(size.unwrap_or(0_i64).saturating_mul(10).saturating_add(i64::from(digit)));
    }
    Some(size)
}

fn conversion(spec: Spec, letter: char, argument: &Value<'_>) -> Option<String> {
    let text = match letter {
        's' | 'z' => {
            let text = argument.to_text()?;
            let limit = spec.precision.unwrap_or(usize::MAX);
            return Some(pad(spec, "", text.chars().take(limit).collect(), false));
        }
        'c' => {
            let c = match number(argument) {
                Some(code) => char::from_u32(code as u32)?,
                None => argument.to_text()?.chars().next()?,
            };
            return Some(pad(spec, "", c.to_string(), false));
        }
        'd' | 'i' => integer(spec, number(argument)?),
        'u' => unsigned(spec, number(argument)?, |value| value.to_string()),
        'o' => unsigned(spec, number(argument)?, |value| format!("{value:o}")),
        'x' => unsigned(spec, number(argument)?, |value| format!("{value:x}")),
        'X' | 'p' => unsigned(spec, number(argument)?, |value| format!("{value:X}")),
        'a' | 'A' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' => float(spec, letter, number(argument)?),
        _ => return None,
    };
    Some(match letter {
        'o' if spec.alternate && !text.starts_with('0') => pad(spec, "", format!("0{text}"), true),
        'x' if spec.alternate && text != "0" => pad(spec, "0x", text, true),
        'X' | 'p' if spec.alternate && text != "0" => pad(spec, "0X", text, true),
        'o' | 'x' | 'X' | 'p' | 'u' => pad(spec, "", text, true),
        _ => signed(spec, number(argument)?, text),
    })
}

/// Adds the sign in front of the digits of the magnitude.
fn signed(spec: Spec, number: f64, digits: String) -> String {
    let sign = match number {
        negative if negative.is_sign_negative() && !negative.is_nan() => "-",
        _ if spec.plus => "+",
        _ if spec.blank => " ",
        _ => "",
    };
    pad(spec, sign, digits, number.is_finite())
}

fn integer(spec: Spec, number: f64) -> String {
    grouped(spec, with_digits(spec, (number.abs().trunc() as u64).to_string()))
}

fn unsigned(spec: Spec, number: f64, print: fn(u64) -> String) -> String {
    // C interprets a negative number as its two's complement.
    let bits = if number < 0.0 { (number as i64) as u64 } else { number as u64 };
    with_digits(spec, print(bits))
}

/// Pads the digits with zeros: for integers, the precision is the minimum number of digits.
fn with_digits(spec: Spec, digits: String) -> String {
    let wanted = spec.precision.unwrap_or(1);
    "0".repeat(wanted.saturating_sub(digits.len())) + &digits
}

fn grouped(spec: Spec, digits: String) -> String {
    if spec.grouped { group_thousands(&digits) } else { digits }
}

/// Formats the magnitude of a floating-point number as C does.
fn float(spec: Spec, letter: char, number: f64) -> String {
    let magnitude = number.abs();
    if !magnitude.is_finite() {
        let text = if magnitude.is_nan() { "nan" } else { "inf" };
        return if letter.is_uppercase() { text.to_uppercase() } else { text.to_owned() };
    }
    let precision = spec.precision.unwrap_or(6);
    let text = match letter.to_ascii_lowercase() {
        'e' => exponential(magnitude, precision),
        'f' => grouped(spec, format!("{magnitude:.precision$}")),
        'a' => hexadecimal(magnitude, spec.precision),
        _ => shortest(spec, magnitude, precision.max(1)),
    };
    if letter.is_uppercase() { text.to_uppercase() } else { text }
}

/// Formats as `d.dde+XX`. Rust prints the exponent without sign and padding, so both are added.
fn exponential(magnitude: f64, precision: usize) -> String {
    let text = format!("{magnitude:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Formats `%g`: exponential notation for very small or large numbers, otherwise fixed notation,
/// without trailing zeros.
fn shortest(spec: Spec, magnitude: f64, precision: usize) -> String {
    let scientific = exponential(magnitude, precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i64 = exponent.parse().unwrap_or(0);
    let strip = |text: &str| {
        if spec.alternate || !text.contains('.') {
            return text.to_owned();
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if power < -4 || power >= precision as i64 {
        return format!("{}e{exponent}", strip(mantissa));
    }
    let decimals = usize::try_from(precision as i64 - 1 - power).unwrap_or(0);
    grouped(spec, strip(&format!("{magnitude:.decimals$}")))
}

/// Formats as `0x1.8p+1`, from the bits of the number.
fn hexadecimal(magnitude: f64, precision: Option<usize>) -> String {
    let bits = magnitude.to_bits();
    let (mut mantissa, biased) = (bits & ((1 << 52) - 1), (bits >> 52) & 0x7ff);
    let exponent = match biased {
        0 if mantissa == 0 => 0,
        0 => -1022,
        _ => biased as i64 - 1023,
    };
    mantissa |= u64::from(biased != 0) << 52;
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let unit = 1_u64 << (4 * (13 - precision));
        let (half, rest) = (unit / 2, mantissa % unit);
        mantissa -= rest;
        // Round half to even.
        if rest > half || (rest == half && mantissa / unit % 2 == 1) {
            mantissa += unit;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        Some(precision) => format!("{fraction:0<precision$}")[..precision].to_owned(),
        None => fraction.trim_end_matches('0').to_owned(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x{}{point}{digits}p{exponent:+}", mantissa >> 52)
}

/// Pads the text to the width, with spaces or with zeros after the prefix.
fn pad(spec: Spec, prefix: &str, text: String, zeros: bool) -> String {
    let length = prefix.len() + text.chars().count();
    let fill = spec.width.saturating_sub(length);
    if spec.left {
        return format!("{prefix}{text}{}", " ".repeat(fill));
    }
    if spec.zero && zeros {
        return format!("{prefix}{}{text}", "0".repeat(fill));
    }
    format!("{}{prefix}{text}", " ".repeat(fill))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_c_does() {
        let (pi, text) = (Value::Number(std::f64::consts::PI), Value::text("trail"));
        let (big, minus) = (Value::Number(1_234_567.0), Value::text("-7"));
        for (format, argument, printed) in [
            ("%.3A", &pi, "0X1.922P+1"),
            ("%a", &Value::Number(0.5), "0x1p-1"),
            ("%g|", &big, "1.23457e+06|"),
            ("%g", &Value::Number(0.0001), "0.0001"),
            ("%g", &Value::Number(100.0), "100"),
            ("%G", &Value::Number(1e-5), "1E-05"),
            ("%'.1f", &big, "1,234,567.0"),
            ("%+.2e", &pi, "+3.14e+00"),
            ("% d", &Value::Number(5.9), " 5"),
            ("%05d", &minus, "-0007"),
            ("%-5d|", &minus, "-7   |"),
            ("%.3d", &minus, "-007"),
            ("%5.2s|", &text, "   tr|"),
            ("%c", &Value::Number(65.0), "A"),
            ("%c", &text, "t"),
            ("%#o %%", &Value::Number(8.0), "010 %"),
            ("%#X", &Value::Number(255.0), "0XFF"),
            ("%x", &Value::Number(-1.0), "ffffffffffffffff"),
        ] {
            let got = print(format, std::slice::from_ref(argument));
            assert_eq!(got.as_deref(), Some(printed), "{format}");
        }
    }

    #[test]
    fn what_cannot_be_printed() {
        for (format, argument) in
            [("%d", Value::text("x")), ("%n", Value::Number(1.0)), ("%9999d", Value::Number(1.0))]
        {
            assert_eq!(print(format, &[argument]), None, "{format}");
        }
        assert_eq!(print("%d %d", &[Value::Number(1.0)]), None);
        assert_eq!(print("100%", &[]), None);
    }
}

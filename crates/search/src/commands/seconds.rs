//! Options that take a time in seconds.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;
use spilltrail_spl::time::parse_span;

use crate::rows::bins;

/// Returns the seconds of an option, a number or a span such as `5m`, which may be negative. Reports
/// one that is neither, and returns `None` then.
pub(super) fn of_option(name: &str, arguments: &mut Arguments<'_>) -> Option<f64> {
    let text: String = arguments.value(name);
    let seconds = signed(text.trim());
    if seconds.is_none() {
        let place = arguments.given_at(name).unwrap_or_else(|| arguments.span());
        let message = format!("expected a span of time such as `5m` for `{name}`, found `{text}`");
        arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(place));
    }
    seconds
}

fn signed(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let unit = text.trim_start_matches('-').trim_start_matches(|c: char| c.is_ascii_digit());
    match text[..text.len() - unit.len()].parse::<f64>() {
        Ok(count) => parse_span(&format!("1{unit}")).map(|unit| count * bins::seconds(unit)),
        Err(_) => parse_span(text).map(bins::seconds),
    }
}

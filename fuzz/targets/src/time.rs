//! Reads time modifiers, spans and formats: a modifier, a format and a text, each on a line.

use jiff::tz::TimeZone;
use spilltrail_spl::time;

use crate::{halves, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (modifier, rest) = halves(&text, "\n");
    let (format, value) = halves(rest, "\n");
    let zone = TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC);
    let _ = time::parse_modifier(modifier);
    let _ = time::deprecated(modifier, value, 0.0);
    for now in [0.0, -1.5, 1.7e9, 1e12, -1e12, 1e18, f64::MAX, f64::NAN, f64::NEG_INFINITY] {
        let _ = time::resolve(modifier, now, &zone);
        let _ = time::relative_time(now, modifier, &zone);
        let _ = time::strftime(now, format, &zone);
        if let Some(span) = time::parse_span(modifier) {
            let start = time::floor(now, span, &zone);
            assert!(start.is_nan() || start <= now || now.abs() >= 1e13, "{now} {span:?}");
            let _ = time::add(now, i64::from(span.count), span.unit, &zone);
        }
    }
    let _ = time::strptime(value, format, &zone);
}

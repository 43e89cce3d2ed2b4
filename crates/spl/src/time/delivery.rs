//! How long CloudTrail takes to deliver events, and how long ago windows of time begin and end.

use jiff::tz::TimeZone;

use super::{Modifier, parse_modifier, resolve};

/// Seconds after which CloudTrail usually has delivered an event.
pub const USUAL_DELIVERY: f64 = 5.0 * 60.0;

/// Seconds that CloudTrail at times takes to deliver an event.
pub const LATE_DELIVERY: f64 = 15.0 * 60.0;

/// Returns how many seconds before the run `now` or a relative time is; `None` for other times and
/// for text that is no time.
#[must_use]
pub fn ago(modifier: &str) -> Option<f64> {
    match parse_modifier(modifier).ok()? {
        Modifier::Now => Some(0.0),
        Modifier::Relative(_) => {
            // A midnight, so that no snapping changes the length of a window.
            const NOW: f64 = 1_767_571_200.0;
            Some(NOW - resolve(modifier, NOW, &TimeZone::UTC).ok()??)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_some_time_ago() {
        for (modifier, expected) in [
            ("now", Some(0.0)),
            ("-70m@m", Some(4200.0)),
            ("-1d@d", Some(86_400.0)),
            ("+5m", Some(-300.0)),
            ("1767571200", None),
            ("0", None),
            ("soon", None),
        ] {
            assert_eq!(ago(modifier), expected, "{modifier}");
        }
    }
}

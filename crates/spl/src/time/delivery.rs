//! How long CloudTrail takes to deliver events, and how long ago windows of time begin.

use jiff::tz::TimeZone;

use super::relative_time;

/// Seconds after which CloudTrail usually has delivered an event.
pub const USUAL_DELIVERY: f64 = 5.0 * 60.0;

/// Seconds that CloudTrail at times takes to deliver an event.
pub const SLOW_DELIVERY: f64 = 15.0 * 60.0;

/// Returns how many seconds before a run `now` or a relative time is; `None` for other times and for
/// text that is no time.
///
/// Where a snap makes this depend on the time of the run, as `@d` does, it is that of a run just
/// before the next unit begins: the length that the window of a later run never exceeds by much.
#[must_use]
pub fn longest_ago(modifier: &str) -> Option<f64> {
    // The last second of a year.
    const NOW: f64 = 1_767_225_599.0;
    relative_time(NOW, modifier, &TimeZone::UTC).map(|time| NOW - time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_are_some_time_ago() {
        for (modifier, expected) in [
            ("now", Some(0.0)),
            ("-70m", Some(4200.0)),
            ("-70m@m", Some(4259.0)),
            ("@s", Some(0.0)),
            ("@m", Some(59.0)),
            ("@h", Some(3599.0)),
            ("@d", Some(86_399.0)),
            ("@w1", Some(3.0 * 86_400.0 - 1.0)),
            ("-1d@d", Some(2.0 * 86_400.0 - 1.0)),
            ("+5m", Some(-300.0)),
            ("1767571200", None),
            ("0", None),
            ("soon", None),
        ] {
            assert_eq!(longest_ago(modifier), expected, "{modifier}");
        }
    }
}

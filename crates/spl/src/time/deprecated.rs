//! Resolves the time modifiers of old searches: `starthoursago=168`, `daysago=2`.

/// Resolves a deprecated time modifier to `(is_earliest, seconds since 1970)`.
///
/// `daysago`, `hoursago`, `minutesago` and their forms with `start` set the earliest time; the
/// forms with `end` set the latest. A month has 30 days here, because these modifiers are fixed
/// lengths, not calendar steps. `starttimeu` and `endtimeu` are seconds since 1970. Returns `None`
/// if `bound` is none of these modifiers or `value` is not a number.
#[must_use]
pub fn deprecated(bound: &str, value: &str, now: f64) -> Option<(bool, f64)> {
    let number: f64 = value.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    let bound = bound.to_ascii_lowercase();
    match bound.as_str() {
        "starttimeu" => return Some((true, number)),
        "endtimeu" => return Some((false, number)),
        _ => {}
    }
    let (is_earliest, unit) = match (bound.strip_prefix("start"), bound.strip_prefix("end")) {
        (Some(unit), _) => (true, unit),
        (None, Some(unit)) => (false, unit),
        (None, None) => (true, bound.as_str()),
    };
    let seconds = match unit {
        "minutesago" => 60.0,
        "hoursago" => 3600.0,
        "daysago" => 86_400.0,
        "monthsago" => 30.0 * 86_400.0,
        _ => return None,
    };
    Some((is_earliest, now - number * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_lengths() {
        let cases = [
            ("starthoursago", "168", Some((true, 1_000_000.0 - 604_800.0))),
            ("EndHoursAgo", "1", Some((false, 996_400.0))),
            ("minutesago", "2", Some((true, 999_880.0))),
            ("endtimeu", "12", Some((false, 12.0))),
            ("daysago", "x", None),
            ("daysago", "NaN", None),
            ("fortnightsago", "1", None),
        ];
        for (bound, value, expected) in cases {
            assert_eq!(deprecated(bound, value, 1_000_000.0), expected, "{bound}={value}");
        }
    }
}

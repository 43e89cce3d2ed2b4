//! Moves times along the calendar of a time zone.
//!
//! Seconds, minutes and hours have fixed lengths. Days and longer units follow the calendar, so
//! that midnight plus one day is midnight again even if clocks change in between.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::TimeZone;
use jiff::{Span as JiffSpan, Timestamp};

use super::unit::{Span, Unit};

/// Day 0 of bins whose length is a number of days.
const EPOCH: Date = date(1970, 1, 1);

/// Returns the start of the bin of length `span` that contains `time`.
///
/// Bins of up to hours begin at multiples of their length since 1970 in UTC. Bins of days and
/// longer begin at local midnight and count from 1970-01-01, so weeks begin on Thursdays and months
/// on the first. A time outside the calendar gives NaN.
#[must_use]
pub fn floor(time: f64, span: Span, zone: &TimeZone) -> f64 {
    let count = i64::from(span.count);
    match span.unit {
        Unit::Microsecond => floor_to(time, 1_000_000.0, count),
        Unit::Millisecond => floor_to(time, 1_000.0, count),
        Unit::Second => multiple(time, count),
        Unit::Minute => multiple(time, count * 60),
        Unit::Hour => multiple(time, count * 3600),
        Unit::Day => days_floor(time, count, zone).unwrap_or(f64::NAN),
        Unit::Week => days_floor(time, count * 7, zone).unwrap_or(f64::NAN),
        Unit::Month => months_floor(time, count, zone).unwrap_or(f64::NAN),
        Unit::Quarter => months_floor(time, count * 3, zone).unwrap_or(f64::NAN),
        Unit::Year => months_floor(time, count * 12, zone).unwrap_or(f64::NAN),
    }
}

/// Returns `time` moved by `count` units, backwards if `count` is negative.
///
/// If the target month lacks the day, the result is the month's last day. A time outside the
/// calendar gives NaN.
#[must_use]
pub fn add(time: f64, count: i64, unit: Unit, zone: &TimeZone) -> f64 {
    match unit.seconds() {
        Some(seconds) => time + count as f64 * seconds,
        None => calendar_add(time, count, unit, zone).unwrap_or(f64::NAN),
    }
}

/// Returns the local date and time of the whole second that contains `time`, and the fraction.
pub(super) fn local(time: f64, zone: &TimeZone) -> Option<(DateTime, f64)> {
    let second = time.floor();
    Some((zone.to_datetime(timestamp(second)?), time - second))
}

/// Returns the time of a local date and time.
///
/// A local time that the zone skips is moved forward by the length of the gap; a repeated local
/// time means its first occurrence.
pub(super) fn instant(local: DateTime, zone: &TimeZone) -> Option<f64> {
    Some(seconds(zone.to_timestamp(local).ok()?))
}

/// Returns the timestamp of a time, rounded to microseconds, or `None` outside the calendar.
pub(super) fn timestamp(time: f64) -> Option<Timestamp> {
    let microseconds = (time * 1e6).round();
    // Larger values would saturate in the conversion to an integer; no calendar extends that far.
    if !microseconds.is_finite() || microseconds.abs() > 9e18 {
        return None;
    }
    Timestamp::from_microsecond(microseconds as i64).ok()
}

/// Returns the start of the local hour, minute, second or calendar unit that contains `time`.
pub(super) fn snap(time: f64, unit: Unit, zone: &TimeZone) -> Option<f64> {
    let length = match unit {
        Unit::Microsecond | Unit::Millisecond => return Some(time),
        Unit::Second => 1,
        Unit::Minute => 60,
        Unit::Hour => 3600,
        Unit::Day => return days_floor(time, 1, zone),
        Unit::Week => return weekday(time, 0, zone),
        Unit::Month => return months_floor(time, 1, zone),
        Unit::Quarter => return months_floor(time, 3, zone),
        Unit::Year => return months_floor(time, 12, zone),
    };
    let offset = f64::from(zone.to_offset(timestamp(time.floor())?).seconds());
    Some(multiple(time + offset, length) - offset)
}

/// Returns the latest local midnight of a weekday (0 is Sunday) at or before `time`.
pub(super) fn weekday(time: f64, weekday: i8, zone: &TimeZone) -> Option<f64> {
    let (local, _) = local(time, zone)?;
    let back = (local.weekday().to_sunday_zero_offset() - weekday).rem_euclid(7);
    let day = local.date().checked_sub(JiffSpan::new().days(back)).ok()?;
    instant(day.to_datetime(Time::midnight()), zone)
}

fn seconds(timestamp: Timestamp) -> f64 {
    timestamp.as_microsecond() as f64 / 1e6
}

fn multiple(time: f64, length: i64) -> f64 {
    (time / length as f64).floor() * length as f64
}

/// Rounds down in parts of a second, using whole numbers, so that `0.3` is a multiple of `0.1`.
fn floor_to(time: f64, parts: f64, count: i64) -> f64 {
    multiple((time * 1e6).round() / 1e6 * parts, count) / parts
}

fn days_floor(time: f64, count: i64, zone: &TimeZone) -> Option<f64> {
    let (local, _) = local(time, zone)?;
    let day = i64::from(EPOCH.until(local.date()).ok()?.get_days());
    let start = EPOCH.checked_add(JiffSpan::new().try_days(day - day.rem_euclid(count)).ok()?);
    instant(start.ok()?.to_datetime(Time::midnight()), zone)
}

fn months_floor(time: f64, count: i64, zone: &TimeZone) -> Option<f64> {
    let (local, _) = local(time, zone)?;
    let month = (i64::from(local.year()) - 1970) * 12 + i64::from(local.month()) - 1;
    let start = JiffSpan::new().try_months(month - month.rem_euclid(count)).ok()?;
    instant(EPOCH.checked_add(start).ok()?.to_datetime(Time::midnight()), zone)
}

fn calendar_add(time: f64, count: i64, unit: Unit, zone: &TimeZone) -> Option<f64> {
    let span = JiffSpan::new();
    let span = match unit {
        Unit::Day => span.try_days(count),
        Unit::Week => span.try_weeks(count),
        Unit::Month => span.try_months(count),
        Unit::Quarter => span.try_months(count.checked_mul(3)?),
        Unit::Year => span.try_years(count),
        _ => return None,
    };
    let (local, fraction) = local(time, zone)?;
    Some(instant(local.checked_add(span.ok()?).ok()?, zone)? + fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_span;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    /// Floors an RFC 3339 time to a span and compares in the same notation.
    fn check_floor(time: &str, span: &str, zone_name: &str, expected: &str) {
        let time: Timestamp = time.parse().unwrap();
        let expected: Timestamp = expected.parse().unwrap();
        let found = floor(seconds(time), parse_span(span).unwrap(), &zone(zone_name));
        assert_eq!(found, seconds(expected), "{time} {span} {zone_name}");
    }

    #[test]
    fn bins_begin_where_they_should() {
        check_floor("2024-03-05T17:48:09.5Z", "10m", "UTC", "2024-03-05T17:40:00Z");
        check_floor("2024-03-05T17:48:09.5Z", "4h", "Europe/Berlin", "2024-03-05T16:00:00Z");
        check_floor("2024-03-05T17:48:09.5Z", "250ms", "UTC", "2024-03-05T17:48:09.5Z");
        check_floor("2024-03-05T03:00:00Z", "1d", "America/New_York", "2024-03-04T05:00:00Z");
        // Clocks went forward on this day, so its midnight has the old offset.
        check_floor("2024-03-10T20:00:00Z", "1d", "America/New_York", "2024-03-10T05:00:00Z");
        check_floor("2024-03-05T00:00:00Z", "1w", "UTC", "2024-02-29T00:00:00Z");
        check_floor("2024-03-05T00:00:00Z", "2mon", "UTC", "2024-03-01T00:00:00Z");
        check_floor("2024-12-31T23:59:59Z", "1q", "UTC", "2024-10-01T00:00:00Z");
        check_floor("1969-12-31T23:00:00Z", "1y", "UTC", "1969-01-01T00:00:00Z");
        assert_eq!(floor(-1.0, parse_span("1m").unwrap(), &TimeZone::UTC), -60.0);
    }

    #[test]
    fn steps_follow_the_calendar() {
        let new_york = zone("America/New_York");
        let noon = 1_710_000_000.0 - 1_710_000_000.0 % 86400.0 + 17.0 * 3600.0;
        assert_eq!(add(noon, 1, Unit::Day, &new_york) - noon, 23.0 * 3600.0);
        assert_eq!(add(noon, 24, Unit::Hour, &new_york) - noon, 24.0 * 3600.0);
        let march_31 = 1_711_843_200.25;
        let february_29 = 1_709_164_800.25;
        assert_eq!(add(march_31, -1, Unit::Month, &TimeZone::UTC), february_29);
        assert_eq!(add(0.5, 3, Unit::Second, &TimeZone::UTC), 3.5);
    }

    #[test]
    fn times_without_a_calendar_are_not_a_number() {
        for time in [f64::NAN, f64::INFINITY, 1e300, -1e15] {
            assert!(floor(time, parse_span("1d").unwrap(), &TimeZone::UTC).is_nan());
            assert!(add(time, 1, Unit::Month, &TimeZone::UTC).is_nan());
        }
        assert!(add(0.0, i64::MAX, Unit::Quarter, &TimeZone::UTC).is_nan());
    }
}

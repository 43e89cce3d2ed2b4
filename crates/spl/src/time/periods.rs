//! Cuts the time before an instant into periods of equal length, as `timewrap` does.

use jiff::Span as JiffSpan;
use jiff::tz::TimeZone;

use super::calendar::{add, instant, local};
use super::unit::{Span, Unit, parse_span};

/// Periods that end at an instant, one before the other. The latest one is period 0.
///
/// Each includes its start and not its end. Periods of days and longer follow the calendar.
#[derive(Debug, Clone)]
pub struct Periods {
    span: Span,
    end: f64,
    zone: TimeZone,
}

/// No calendar has times as far from 1970 as this; their periods are not counted.
const FARTHEST: f64 = 1e12;

/// Parses the length of periods: a number, which may be missing, and a unit of seconds or longer.
///
/// Unlike in [`parse_span`], `m` is a month, and the unit is not optional.
#[must_use]
pub fn parse_period(text: &str) -> Option<Span> {
    let text = text.trim();
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    if unit.is_empty() {
        return None;
    }
    let month = || format!("{}mon", &text[..text.len() - unit.len()]);
    let span = if unit.eq_ignore_ascii_case("m") { parse_span(&month()) } else { parse_span(text) };
    span.filter(|span| !matches!(span.unit, Unit::Microsecond | Unit::Millisecond))
}

impl Periods {
    /// Returns the periods that end at `end`; if `last` is not before it, at the next time after
    /// `last` that whole periods lead to.
    #[must_use]
    pub fn until(span: Span, end: f64, last: f64, zone: TimeZone) -> Self {
        let mut periods = Self { span, end, zone };
        if last >= end && is_near(last) && is_near(end) {
            let mut ahead = periods.whole(last - end).saturating_add(1);
            while periods.before(ahead.saturating_neg()) <= last {
                ahead += 1;
            }
            while ahead > 1 && periods.before((ahead - 1).saturating_neg()) > last {
                ahead -= 1;
            }
            periods.end = periods.before(ahead.saturating_neg());
        }
        periods
    }

    /// Returns the number of the period with `time`; `None` for a time after all of them, and for
    /// one that no calendar has.
    #[must_use]
    pub fn number(&self, time: f64) -> Option<i64> {
        if time >= self.end || !is_near(time) || !is_near(self.end) {
            return None;
        }
        let mut number = (self.whole(self.end - time) - 1).max(0);
        while self.start(number) > time {
            number += 1;
        }
        while number > 0 && self.start(number - 1) <= time {
            number -= 1;
        }
        self.start(number).is_finite().then_some(number)
    }

    /// Returns the start of a period.
    #[must_use]
    pub fn start(&self, number: i64) -> f64 {
        self.before(number.saturating_add(1))
    }

    /// Returns the time that is in the latest period where `time` is in its own one.
    ///
    /// Days and longer units keep the day of the period and the time of the day. In a period that is
    /// longer than the latest one, this can be after its end.
    #[must_use]
    pub fn in_latest(&self, time: f64, number: i64) -> f64 {
        if number == 0 {
            return time;
        }
        if let Some(seconds) = self.span.unit.seconds() {
            return time + number as f64 * f64::from(self.span.count) * seconds;
        }
        self.on_calendar(time, number).unwrap_or(f64::NAN)
    }

    fn on_calendar(&self, time: f64, number: i64) -> Option<f64> {
        let (start, _) = local(self.start(number), &self.zone)?;
        let (latest, _) = local(self.start(0), &self.zone)?;
        let (moment, fraction) = local(time, &self.zone)?;
        let days = start.date().until(moment.date()).ok()?.get_days();
        let day = latest.date().checked_add(JiffSpan::new().days(days)).ok()?;
        Some(instant(day.to_datetime(moment.time()), &self.zone)? + fraction)
    }

    /// Returns the name of a period by how long it is before the latest one: `latest_week`,
    /// `1week_before`, `2weeks_before`.
    #[must_use]
    pub fn relative_name(&self, number: i64) -> String {
        let count = i64::from(self.span.count);
        let unit = name(self.span.unit);
        let shown = |many: i64| if many == 1 { unit.to_owned() } else { format!("{unit}s") };
        match (number, count) {
            (0, 1) => format!("latest_{}", shown(1)),
            (0, count) => format!("latest_{count}{}", shown(count)),
            (number, count) => {
                let many = number.saturating_mul(count);
                format!("{many}{}_before", shown(many))
            }
        }
    }

    /// Returns the end of the periods moved back by a number of them.
    fn before(&self, periods: i64) -> f64 {
        let count = periods.saturating_mul(i64::from(self.span.count)).saturating_neg();
        add(self.end, count, self.span.unit, &self.zone)
    }

    /// Returns about how many periods are in a number of seconds.
    fn whole(&self, seconds: f64) -> i64 {
        let day = 86_400.0;
        let length = match self.span.unit {
            Unit::Day => day,
            Unit::Week => 7.0 * day,
            Unit::Month => 30.436_875 * day,
            Unit::Quarter => 91.310_625 * day,
            Unit::Year => 365.242_5 * day,
            other => other.seconds().unwrap_or(1.0),
        };
        (seconds / (length * f64::from(self.span.count))).floor() as i64
    }
}

fn is_near(time: f64) -> bool {
    time.abs() <= FARTHEST
}

fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Microsecond => "microsecond",
        Unit::Millisecond => "millisecond",
        Unit::Second => "second",
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        Unit::Day => "day",
        Unit::Week => "week",
        Unit::Month => "month",
        Unit::Quarter => "quarter",
        Unit::Year => "year",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{strftime, strptime};

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn a_period_needs_a_unit_and_m_is_a_month() {
        for (text, expected) in [
            ("w", Some((1, Unit::Week))),
            ("2weeks", Some((2, Unit::Week))),
            ("m", Some((1, Unit::Month))),
            ("3M", Some((3, Unit::Month))),
            ("15min", Some((15, Unit::Minute))),
            ("90s", Some((90, Unit::Second))),
            ("1qtr", Some((1, Unit::Quarter))),
            ("day", Some((1, Unit::Day))),
            ("7", None),
            ("", None),
            ("0d", None),
            ("5ms", None),
            ("fortnight", None),
        ] {
            let span = parse_period(text).map(|span| (span.count, span.unit));
            assert_eq!(span, expected, "{text}");
        }
    }

    #[test]
    fn times_move_to_the_latest_period() {
        let format = "%Y-%m-%d %H:%M";
        for (period, zone_name, end, time, expected) in [
            ("1w", "UTC", "2024-10-02 15:00", "2024-10-02 00:00", Some((0, "2024-10-02 00:00"))),
            ("1w", "UTC", "2024-10-02 15:00", "2024-09-26 00:00", Some((0, "2024-09-26 00:00"))),
            ("1w", "UTC", "2024-10-02 15:00", "2024-09-25 00:00", Some((1, "2024-10-02 00:00"))),
            ("1w", "UTC", "2024-10-02 15:00", "2024-09-08 00:00", Some((3, "2024-09-29 00:00"))),
            ("6h", "UTC", "2024-10-02 12:00", "2024-10-02 05:59", Some((1, "2024-10-02 11:59"))),
            ("6h", "UTC", "2024-10-02 12:00", "2024-10-02 06:00", Some((0, "2024-10-02 06:00"))),
            ("6h", "UTC", "2024-10-02 12:00", "2024-10-02 12:00", None),
            // Clocks are set back on October 27: noon stays noon.
            (
                "1d",
                "Europe/Vienna",
                "2024-10-28 00:00",
                "2024-10-26 12:00",
                Some((1, "2024-10-27 12:00")),
            ),
            // March has more days than February.
            ("1m", "UTC", "2023-03-01 00:00", "2023-01-01 06:00", Some((1, "2023-02-01 06:00"))),
            ("1m", "UTC", "2023-03-01 00:00", "2023-01-31 06:00", Some((1, "2023-03-03 06:00"))),
            ("1y", "UTC", "2025-01-01 00:00", "2020-03-01 00:00", Some((4, "2024-03-01 00:00"))),
            ("2d", "UTC", "2024-10-03 00:00", "2024-09-29 01:00", Some((1, "2024-10-01 01:00"))),
        ] {
            let zone = zone(zone_name);
            let instant = |text: &str| strptime(text, format, &zone).unwrap();
            let span = parse_period(period).unwrap();
            let periods = Periods::until(span, instant(end), f64::MIN, zone.clone());
            let found = periods.number(instant(time)).map(|number| {
                let moved = periods.in_latest(instant(time), number);
                (number, strftime(moved, format, &zone))
            });
            let expected = expected.map(|(number, moved)| (number, moved.to_owned()));
            assert_eq!(found, expected, "{period} {end} {time}");
        }
    }

    #[test]
    fn the_end_moves_by_whole_periods() {
        for (period, end, last, expected) in [
            ("10s", 100.0, 99.0, 100.0),
            ("10s", 100.0, 100.0, 110.0),
            ("10s", 100.0, 134.0, 140.0),
            ("10s", 100.0, 140.0, 150.0),
            ("1d", 3_600.0, 86_400.0 * 2.0, 86_400.0 * 2.0 + 3_600.0),
            ("1m", 0.0, 86_400.0 * 40.0, 86_400.0 * 59.0),
        ] {
            let span = parse_period(period).unwrap();
            let periods = Periods::until(span, end, last, TimeZone::UTC);
            assert_eq!(periods.end, expected, "{period} {last}");
            assert_eq!(periods.number(last), Some(0), "{period} {last}");
        }
    }

    #[test]
    fn names_say_how_long_before() {
        for (period, number, expected) in [
            ("1w", 0, "latest_week"),
            ("1w", 1, "1week_before"),
            ("1w", 2, "2weeks_before"),
            ("2d", 0, "latest_2days"),
            ("2d", 1, "2days_before"),
            ("m", 12, "12months_before"),
        ] {
            let span = parse_period(period).unwrap();
            let periods = Periods::until(span, 0.0, f64::MIN, TimeZone::UTC);
            assert_eq!(periods.relative_name(number), expected);
        }
    }

    #[test]
    fn times_outside_every_calendar_have_no_period() {
        let periods = Periods::until(parse_period("d").unwrap(), 1e9, f64::MIN, TimeZone::UTC);
        for time in [f64::NAN, f64::INFINITY, f64::MIN, -1e300, -1e17] {
            assert_eq!(periods.number(time), None, "{time}");
        }
        let far = Periods::until(parse_period("s").unwrap(), 1e9, f64::MIN, TimeZone::UTC);
        assert_eq!(far.number(-1e12), Some(1_000_999_999_999));
        for last in [f64::INFINITY, f64::NAN, 1e300] {
            let _ = Periods::until(parse_period("y").unwrap(), 0.0, last, TimeZone::UTC);
        }
    }
}

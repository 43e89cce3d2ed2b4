//! Parses and resolves time modifiers: `-70m@m`, `@d+2h`, `now`, `1644413825`,
//! `10/19/2026:00:00:00`.
//!
//! A relative modifier is a list of offsets and snaps that apply from left to right. A snap always
//! moves back in time, in the user's time zone.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use super::calendar::{add, instant, snap, timestamp, weekday};
use super::format::strftime;
use super::parse::strptime;
use super::unit::Unit;

/// The maximum number of steps in a modifier, far more than any user writes.
const MAX_STEPS: usize = 64;

/// A parsed time modifier.
#[derive(Debug, Clone, PartialEq)]
pub enum Modifier {
    /// Empty text: no bound.
    Unbounded,
    /// `now` or `now()`
    Now,
    /// Seconds since 1970.
    Epoch(f64),
    /// A date and time in the user's zone.
    Local(DateTime),
    /// Steps from the current time, in the order in which they apply.
    Relative(Vec<Step>),
}

/// One step of a relative modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `-70m`, `+1d`, `-h`
    Offset(i64, Unit),
    /// `@h`, `@w1`
    Snap(Snap),
}

/// The target of a snap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snap {
    /// The start of the unit; weeks start on Sunday.
    Unit(Unit),
    /// The latest midnight of a weekday; 0 is Sunday.
    Weekday(i8),
}

/// The error for a text that is not a time modifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time modifier: {reason}")]
pub struct TimeError {
    /// The text.
    pub text: String,
    /// The reason, in one line.
    pub reason: String,
}

/// Parses a time modifier, such as the value of `earliest` or `latest`.
///
/// # Errors
/// Fails if the text has none of the forms of [`Modifier`].
pub fn parse_modifier(text: &str) -> Result<Modifier, TimeError> {
    let trimmed = text.trim();
    let error = |reason: String| TimeError { text: text.to_owned(), reason };
    match trimmed {
        "" => return Ok(Modifier::Unbounded),
        "now" | "now()" => return Ok(Modifier::Now),
        _ if trimmed.starts_with("rt") => {
            return Err(error("real-time windows are not supported".to_owned()));
        }
        _ => {}
    }
    if trimmed.starts_with(['+', '-', '@']) {
        return steps(trimmed).map(Modifier::Relative).map_err(error);
    }
    let is_number = trimmed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if let (true, Ok(epoch)) = (is_number, trimmed.parse()) {
        return Ok(Modifier::Epoch(epoch));
    }
    absolute(trimmed).ok_or_else(|| {
        let forms = "expected a form such as `-24h@h`, `@d`, `now`, seconds since 1970, `2026-10-19`, \
                     `2026-10-19T08:30:00Z`, or `10/19/2026:00:00:00`";
        error(forms.to_owned())
    })
}

/// Resolves a time modifier to seconds since 1970; returns `None` for no bound.
///
/// # Errors
/// Fails if the text is not a modifier, or if the result is outside the calendar.
pub fn resolve(modifier: &str, now: f64, zone: &TimeZone) -> Result<Option<f64>, TimeError> {
    let beyond = || TimeError {
        text: modifier.to_owned(),
        reason: "it leads to a time outside the calendar".to_owned(),
    };
    if let Some(time) = printed(modifier, zone) {
        return Ok(Some(time));
    }
    match parse_modifier(modifier)? {
        Modifier::Unbounded => Ok(None),
        Modifier::Now => Ok(Some(now)),
        Modifier::Epoch(time) => Ok(Some(time)),
        Modifier::Local(local) => instant(local, zone).map(Some).ok_or_else(beyond),
        Modifier::Relative(steps) => walk(now, &steps, zone).map(Some).ok_or_else(beyond),
    }
}

/// Resolves a date and time with the abbreviation of `zone`, as times are printed.
///
/// An abbreviation such as `CST` means different zones in different countries, so that the one that
/// `zone` itself has at this time counts first.
fn printed(text: &str, zone: &TimeZone) -> Option<f64> {
    let (local, name) = text.trim().rsplit_once(' ')?;
    let Modifier::Local(local) = absolute(local.trim_end())? else { return None };
    let time = instant(local, zone)?;
    (strftime(time, "%Z", zone) == name).then_some(time)
}

/// Returns `now` moved by a relative modifier, as eval's `relative_time` does.
///
/// Returns `None` if the modifier is not relative, or if the result is outside the calendar.
#[must_use]
pub fn relative_time(now: f64, modifier: &str, zone: &TimeZone) -> Option<f64> {
    match parse_modifier(modifier) {
        Ok(Modifier::Relative(steps)) => walk(now, &steps, zone),
        Ok(Modifier::Now) => Some(now),
        _ => None,
    }
}

fn walk(now: f64, steps: &[Step], zone: &TimeZone) -> Option<f64> {
    // A time outside the calendar gives no result, even if only seconds are added to it.
    timestamp(now)?;
    let mut time = now;
    for step in steps {
        time = match *step {
            Step::Offset(count, unit) => add(time, count, unit, zone),
            Step::Snap(Snap::Unit(unit)) => snap(time, unit, zone)?,
            Step::Snap(Snap::Weekday(day)) => weekday(time, day, zone)?,
        };
    }
    timestamp(time).map(|_| time)
}

/// Parses consecutive steps of the forms `[+|-][count]unit` and `@unit`; the error is the reason.
fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        if !matches!(sign, '+' | '-' | '@') {
            return Err(format!("expected `+`, `-` or `@`, found `{rest}`"));
        }
        if steps.len() == MAX_STEPS {
            return Err(format!("it has more than {MAX_STEPS} steps"));
        }
        let end = rest[1..].find(['+', '-', '@']).map_or(rest.len(), |index| index + 1);
        let body = &rest[1..end];
        steps.push(if sign == '@' { snap_step(body)? } else { offset_step(sign, body)? });
        rest = &rest[end..];
    }
    Ok(steps)
}

fn snap_step(name: &str) -> Result<Step, String> {
    let lower = name.to_ascii_lowercase();
    if let ['w', digit @ '0'..='7'] = lower.chars().collect::<Vec<_>>()[..] {
        return Ok(Step::Snap(Snap::Weekday((digit as i8 - b'0' as i8) % 7)));
    }
    match Unit::of_modifier(&lower) {
        Some(unit) => Ok(Step::Snap(Snap::Unit(unit))),
        None => Err(format!("expected a unit after `@`, found `{name}`")),
    }
}

fn offset_step(sign: char, body: &str) -> Result<Step, String> {
    let digits = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
    let count: i64 = if digits == 0 {
        1
    } else {
        body[..digits].parse().map_err(|_| format!("`{}` is too large", &body[..digits]))?
    };
    let Some(unit) = Unit::of_modifier(&body[digits..].to_ascii_lowercase()) else {
        let found = if body[digits..].is_empty() { "nothing" } else { &body[digits..] };
        return Err(format!("expected a unit such as `s`, `m`, `h` or `d`, found `{found}`"));
    };
    Ok(Step::Offset(if sign == '-' { -count } else { count }, unit))
}

/// Parses Splunk's own date format and ISO 8601, with or without a zone or a time.
fn absolute(text: &str) -> Option<Modifier> {
    for format in ["%m/%d/%Y:%H:%M:%S", "%m/%d/%Y"] {
        // The format has no zone, so reading it in UTC gives the local date and time.
        if let Some(time) = strptime_whole(text, format) {
            return Some(Modifier::Local(TimeZone::UTC.to_datetime(timestamp(time)?)));
        }
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Modifier::Epoch(instant.as_microsecond() as f64 / 1e6));
    }
    // A time as it is printed, with the name of its zone.
    for format in ["%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S.%Q %Z"] {
        if let Some(time) = strptime_whole(text, format) {
            return Some(Modifier::Epoch(time));
        }
    }
    if text.len() <= "2026-10-19".len() {
        let day: Date = text.parse().ok()?;
        return Some(Modifier::Local(day.to_datetime(Time::midnight())));
    }
    text.parse().ok().map(Modifier::Local)
}

/// Parses all of `text` in UTC; returns `None` if any text follows the date.
fn strptime_whole(text: &str, format: &str) -> Option<f64> {
    // `strptime` ignores text after the date; a final mark in both strings makes such text fail.
    strptime(&format!("{text}\u{1}"), &format!("{format}\u{1}"), &TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-15 (a Wednesday) 10:20:30 UTC.
    const NOW: f64 = 1_715_768_430.0;

    fn iso(text: &str) -> f64 {
        text.parse::<Timestamp>().unwrap().as_microsecond() as f64 / 1e6
    }

    fn check(modifier: &str, zone: &str, expected: &str) {
        let zone = TimeZone::get(zone).unwrap();
        assert_eq!(resolve(modifier, NOW, &zone), Ok(Some(iso(expected))), "{modifier}");
    }

    #[test]
    fn relative_modifiers() {
        let cases = [
            ("-90m", "2024-05-15T08:50:30Z"),
            ("-90m@h", "2024-05-15T08:00:00Z"),
            ("@d-2h", "2024-05-14T22:00:00Z"),
            ("-d@d+30m", "2024-05-14T00:30:00Z"),
            ("+2hrs@m", "2024-05-15T12:20:00Z"),
            ("@w", "2024-05-12T00:00:00Z"),
            ("@w0", "2024-05-12T00:00:00Z"),
            ("@w7", "2024-05-12T00:00:00Z"),
            ("@w3", "2024-05-15T00:00:00Z"),
            ("@W4", "2024-05-09T00:00:00Z"),
            ("-2w@week", "2024-04-28T00:00:00Z"),
            ("-1MON@mon", "2024-04-01T00:00:00Z"),
            ("@q", "2024-04-01T00:00:00Z"),
            ("-3qtrs", "2023-08-15T10:20:30Z"),
            ("-1y@yr", "2023-01-01T00:00:00Z"),
            ("-1mon@mon+1mon-1s", "2024-04-30T23:59:59Z"),
        ];
        for (modifier, expected) in cases {
            check(modifier, "UTC", expected);
        }
    }

    #[test]
    fn snaps_are_local() {
        check("@d", "America/Los_Angeles", "2024-05-15T07:00:00Z");
        check("@w1", "Asia/Tokyo", "2024-05-12T15:00:00Z");
        check("@h", "Asia/Kolkata", "2024-05-15T09:30:00Z");
        check("-60d@d", "America/Los_Angeles", "2024-03-16T07:00:00Z");
        check("-70d@d", "America/Los_Angeles", "2024-03-06T08:00:00Z");
    }

    #[test]
    fn absolute_modifiers() {
        check("now", "UTC", "2024-05-15T10:20:30Z");
        check("0", "UTC", "1970-01-01T00:00:00Z");
        check("1715768430.5", "UTC", "2024-05-15T10:20:30.5Z");
        check("4/9/2024:08:00:00", "Europe/Berlin", "2024-04-09T06:00:00Z");
        check("04/09/2024", "UTC", "2024-04-09T00:00:00Z");
        check("2024-04-09T08:00:00Z", "Europe/Berlin", "2024-04-09T08:00:00Z");
        check("2024-04-09T08:00:00.25+02:00", "UTC", "2024-04-09T06:00:00.25Z");
        check("2024-04-09 08:00:00", "Europe/Berlin", "2024-04-09T06:00:00Z");
        check("2024-04-09", "Europe/Berlin", "2024-04-08T22:00:00Z");
        assert_eq!(resolve("", NOW, &TimeZone::UTC), Ok(None));
    }

    #[test]
    fn a_printed_time_is_a_modifier() {
        for zone in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kolkata"] {
            let zone = TimeZone::get(zone).unwrap();
            for format in ["%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%dT%H:%M:%S%:z"] {
                let text = strftime(NOW, format, &zone);
                assert_eq!(resolve(&text, 0.0, &zone), Ok(Some(NOW)), "{text}");
            }
        }
        check("2024-05-15 10:20:30 UTC", "Asia/Tokyo", "2024-05-15T10:20:30Z");
        check("2024-05-15 10:20:30.25 UTC", "UTC", "2024-05-15T10:20:30.25Z");
        check("2024-05-15 06:20:30 EDT", "UTC", "2024-05-15T10:20:30Z");
        assert!(resolve("2024-05-15 10:20:30 NOWHERE", NOW, &TimeZone::UTC).is_err());
    }

    #[test]
    fn what_is_no_modifier() {
        for text in [
            "-1",
            "-1x",
            "@",
            "@w8",
            "-1h@",
            "-1h 2m",
            "yesterday",
            "1.2.3",
            "rt-5m",
            "--1h",
            "-99999999999999999999s",
            "-9999999y",
            "-9999999999999h",
            "13/45/2024:00:00:00",
            "4/9/2024:08:00:00 x",
        ] {
            assert!(resolve(text, NOW, &TimeZone::UTC).is_err(), "{text}");
        }
        assert!(resolve(&"-1s".repeat(1000), NOW, &TimeZone::UTC).is_err());
        let error = resolve("-1x", NOW, &TimeZone::UTC).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`-1x` is not a time modifier: expected a unit such as `s`, `m`, `h` or `d`, found `x`"
        );
    }

    #[test]
    fn relative_time_takes_only_relative_modifiers() {
        assert_eq!(relative_time(NOW + 0.5, "-30s", &TimeZone::UTC), Some(NOW - 29.5));
        assert_eq!(relative_time(NOW, "1715768430", &TimeZone::UTC), None);
        assert_eq!(relative_time(f64::NAN, "-30s", &TimeZone::UTC), None);
        assert_eq!(relative_time(1e300, "@d", &TimeZone::UTC), None);
    }
}

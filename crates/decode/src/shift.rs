//! Moves an event in time: writes all times in its text anew, in the form in which they are written.
//!
//! Tests and replays need old events as if they had happened lately. Moving only the time of the event
//! would tear it from the times that it names, such as the start of its session, so all of them move.

use std::borrow::Cow;

use crate::event_view::all_time_members;
use crate::extract::Sourcetype;
use crate::json::member;
use crate::record::Format;
use crate::time::{civil_from_days, days_from_civil, days_of};

/// The length of a date and a time to the second, such as `2026-03-10T09:00:00`.
const LENGTH: usize = 19;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The last day of the year 9999, in days since 1970; the first one of the calendar is in 1970.
const LAST_DAY: i64 = 2_932_896;

/// Numbers from this one on are in milliseconds, from a thousand times this on in microseconds, and
/// so on; below [`FIRST_SECONDS`] they are no times.
const FIRST_MILLIS: u128 = 100_000_000_000;
/// The least number that is a time: it is in the year 1973.
const FIRST_SECONDS: u128 = 100_000_000;

/// Returns the text of an event of this sourcetype with all of its times moved by `seconds`. The text
/// is borrowed if it has no time.
///
/// Times are recognized where they are written as a date with a time to the second, in any place, and
/// as a number in the members that hold the time of an event. Dates without a time, such as the
/// version of a policy, stay.
#[must_use]
pub fn shifted<'a>(text: &'a str, sourcetype: &str, seconds: i64) -> Cow<'a, str> {
    let format = Sourcetype::named(sourcetype).format;
    match dates(text, seconds) {
        Cow::Borrowed(text) => numbers(text, format, seconds),
        Cow::Owned(text) => Cow::Owned(numbers(&text, format, seconds).into_owned()),
    }
}

/// Returns the first time in a text that is written as a date with a time to the second, in seconds
/// since the epoch; it is taken as UTC.
#[must_use]
pub fn first_time(text: &str) -> Option<f64> {
    let (_, date) = next_date(text, 0)?;
    seconds_of(date).map(|seconds| seconds as f64)
}

/// Returns the offset and the bytes of the first date with a time at or after `from`.
fn next_date(text: &str, mut from: usize) -> Option<(usize, &[u8])> {
    let bytes = text.as_bytes();
    let first = from;
    // Every date has the hyphen behind its year.
    loop {
        let hyphen = from + memchr::memchr(b'-', bytes.get(from..)?)?;
        from = hyphen + 1;
        let Some(start) = hyphen.checked_sub(4).filter(|start| *start >= first) else { continue };
        let Some(date) = bytes.get(start..start + LENGTH).filter(|date| is_date(date)) else {
            continue;
        };
        // Digits around it make it a part of something else.
        let is_digit =
            |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        if !is_digit(start.checked_sub(1)) && !is_digit(Some(start + LENGTH)) {
            return Some((start, date));
        }
    }
}

/// Moves the dates that have a time.
fn dates(text: &str, seconds: i64) -> Cow<'_, str> {
    let mut moved = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some((start, date)) = next_date(text, from) {
        from = start + LENGTH;
        if let Some(later) = later(date, seconds) {
            moved.push_str(text.get(copied..start).unwrap_or_default());
            moved.push_str(&later);
            copied = from;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    moved.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(moved)
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b'T' | b't' | b' '),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    })
}

/// Returns the seconds from the epoch to a date, if it is in the calendar.
fn seconds_of(date: &[u8]) -> Option<i64> {
    let number = |from: usize, length: usize| -> Option<u32> {
        std::str::from_utf8(date.get(from..from + length)?).ok()?.parse().ok()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let is_valid = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
    // A leap second is the second before it, as for the time of an event.
    let of_day = i64::from(hour * 3600 + minute * 60 + second.min(59));
    is_valid.then_some(days * DAY + of_day)
}

/// Returns a date moved by `seconds`, with the same letter before its time. Fractions and zones come
/// behind it and stay.
fn later(date: &[u8], seconds: i64) -> Option<String> {
    let later = seconds_of(date)?.checked_add(seconds)?;
    let (days, of_day) = (later.div_euclid(DAY), later.rem_euclid(DAY));
    let (year, month, day) = (0..=LAST_DAY).contains(&days).then(|| civil_from_days(days))?;
    let letter = char::from(*date.get(10)?);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    Some(format!("{year:04}-{month:02}-{day:02}{letter}{hour:02}:{minute:02}:{second:02}"))
}

/// Moves the numbers in the members that hold the time of an event.
fn numbers(text: &str, format: Format, seconds: i64) -> Cow<'_, str> {
    let mut moved = Cow::Borrowed(text);
    for name in all_time_members(format) {
        let Some(range) = member(moved.as_bytes(), name.as_bytes()) else { continue };
        let Some(written) = moved.get(range.clone()) else { continue };
        let quotes = usize::from(written.starts_with('"') && written.len() > 1);
        let Some(number) = written.get(quotes..written.len() - quotes) else { continue };
        let Some(later) = later_number(number, seconds) else { continue };
        let inner = range.start + quotes..range.end - quotes;
        let mut text = moved.into_owned();
        text.replace_range(inner, &later);
        moved = Cow::Owned(text);
    }
    moved
}

/// Returns a number of seconds, milliseconds or a smaller unit moved by `seconds`, with the same
/// digits behind its point.
fn later_number(number: &str, seconds: i64) -> Option<String> {
    let (whole, fraction) = number.find('.').map_or((number, ""), |at| number.split_at(at));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction.trim_start_matches('.')) {
        return None;
    }
    let value: u128 = whole.parse().ok()?;
    let mut unit: i128 = 1;
    let mut first = FIRST_MILLIS;
    while value >= first && unit < 1_000_000_000 {
        unit *= 1000;
        first = first.checked_mul(1000)?;
    }
    if value < FIRST_SECONDS {
        return None;
    }
    let later = i128::try_from(value).ok()?.checked_add(i128::from(seconds).checked_mul(unit)?)?;
    (later >= 0).then(|| format!("{later}{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_in_the_form_in_which_they_are_written() {
        let (trail, lake, json, other) = ("aws:cloudtrail", "aws:asl", "json", "vendor");
        let cases = [
            (
                trail,
                r#"{"eventTime":"2026-02-28T23:59:59Z","a":{"creationDate":"2026-02-28T22:00:00Z"}}"#,
                r#"{"eventTime":"2026-03-01T23:59:59Z","a":{"creationDate":"2026-03-01T22:00:00Z"}}"#,
            ),
            // Fractions, zones and the letter stay.
            (
                json,
                r#"{"t":"2026-12-31 10:00:00.250+02:00"}"#,
                r#"{"t":"2027-01-01 10:00:00.250+02:00"}"#,
            ),
            (json, r#"{"t":"2024-02-29t00:00:60z"}"#, r#"{"t":"2024-03-01t00:00:59z"}"#),
            // In any text.
            (
                other,
                "<TimeCreated SystemTime='2023-04-10T00:03:00.1Z'/>",
                "<TimeCreated SystemTime='2023-04-11T00:03:00.1Z'/>",
            ),
            (
                lake,
                r#"{"time":1795168800123,"time_dt":"2026-11-20T10:00:00Z"}"#,
                r#"{"time":1795255200123,"time_dt":"2026-11-21T10:00:00Z"}"#,
            ),
            (
                other,
                r#"{"timestamp":"1773741600.5","time":5}"#,
                r#"{"timestamp":"1773828000.5","time":5}"#,
            ),
            (
                json,
                r#"{"_time":1773741600,"n":1773741600}"#,
                r#"{"_time":1773828000,"n":1773741600}"#,
            ),
        ];
        for (sourcetype, text, expected) in cases {
            assert_eq!(shifted(text, sourcetype, DAY), expected);
            assert_eq!(
                shifted(&shifted(text, sourcetype, DAY), sourcetype, -DAY).len(),
                text.len()
            );
        }
    }

    #[test]
    fn the_first_time_of_a_text() {
        let line =
            "<Event a='2026-01-0'><T t='2026-01-02T00:00:01.5Z'/>2027-01-01T00:00:00</Event>";
        assert_eq!(first_time(line), Some(1_767_312_001.0));
        assert_eq!(first_time("Mar 10 09:00:00 host"), None);
    }

    #[test]
    fn what_is_no_time_stays() {
        for text in [
            r#"{"Version":"2012-10-17"}"#,
            r#"{"eventTime":"2026-13-01T00:00:00Z"}"#,
            r#"{"a":"12026-01-01T00:00:00Z","b":"2026-01-01T00:00:000"}"#,
            r#"{"a":"i-0123-45-67T89:01:23"}"#,
            "------2026-01-",
            "ä-2026-01-01T00:00:0é",
            "{\"eventTime\":-5,\"timestamp\":\"\",\"time\":\"x\",\"_time\":99999999}",
            "",
        ] {
            assert!(matches!(shifted(text, "aws:cloudtrail", DAY), Cow::Borrowed(_)), "{text}");
        }
        // A time that would leave the calendar.
        let end = r#"{"eventTime":"9999-12-31T00:00:00Z"}"#;
        assert_eq!(shifted(end, "aws:cloudtrail", DAY * 2), end);
        assert_eq!(shifted(end, "aws:cloudtrail", i64::MAX), end);
    }
}

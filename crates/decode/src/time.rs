//! Parses the times written in events.

/// A point in time with the calendar fields as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WrittenTime {
    /// Epoch seconds.
    pub(crate) epoch: f64,
    pub(crate) year: i64,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    /// Minutes east of UTC.
    pub(crate) zone: i64,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] =
    ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];

impl WrittenTime {
    /// Parses a date and time as events and exports write them.
    ///
    /// The forms are ISO 8601 (`2026-03-17T10:00:00.25+01:00`, also with a blank instead of the
    /// `T`, with slashes, without separators as `20260317T100000Z`, or as a date alone, which means
    /// its midnight) and dates with the name of the month (`Mar 17, 2026, 10:00:00 AM`, `Tue, 17
    /// Mar 2026 10:00:00 +0000`). A time without an offset is UTC. Dates such as `03/04/2026`, whose
    /// month cannot be told from their day, are not read.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let parts = Parts::separated(text)
            .or_else(|| Parts::compact(text))
            .or_else(|| Parts::with_month_name(text))?;
        parts.time()
    }

    pub(crate) fn month_name(&self) -> &'static str {
        MONTHS.get(self.month as usize - 1).copied().unwrap_or_default()
    }

    pub(crate) fn weekday_name(&self) -> &'static str {
        let days = days_from_civil(self.year, i64::from(self.month), i64::from(self.day));
        let index = usize::try_from(days.rem_euclid(7)).unwrap_or_default();
        WEEKDAYS[index]
    }
}

/// What was read of a time, before it is checked.
#[derive(Debug, Default)]
struct Parts {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    fraction: f64,
    /// Minutes east of UTC.
    zone: i64,
}

impl Parts {
    /// Reads `2026-03-17T10:00:00.25+01:00`; seconds, fraction, offset and the time are optional.
    fn separated(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let separator = *bytes.get(4).filter(|byte| matches!(byte, b'-' | b'/'))?;
        let (year, month, day) =
            (number(bytes, 0..4)?, number(bytes, 5..7)?, number(bytes, 8..10)?);
        if bytes[7] != separator {
            return None;
        }
        let mut parts = Self { year, month, day, ..Self::default() };
        if let [between, clock @ ..] = &bytes[10..] {
            if !matches!(between, b'T' | b't' | b' ') || *clock.get(2)? != b':' {
                return None;
            }
            (parts.hour, parts.minute) = (number(clock, 0..2)?, number(clock, 3..5)?);
            let mut rest = &clock[5..];
            if rest.first() == Some(&b':') {
                parts.second = number(rest, 1..3)?;
                rest = &rest[3..];
            }
            parts.ending(rest)?;
        }
        Some(parts)
    }

    /// Reads `20260317T100000Z`; fraction and offset are optional.
    fn compact(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !matches!(bytes.get(8)?, b'T' | b't') {
            return None;
        }
        let mut parts = Self {
            year: number(bytes, 0..4)?,
            month: number(bytes, 4..6)?,
            day: number(bytes, 6..8)?,
            hour: number(bytes, 9..11)?,
            minute: number(bytes, 11..13)?,
            second: number(bytes, 13..15)?,
            ..Self::default()
        };
        parts.ending(&bytes[15..])?;
        Some(parts)
    }

    /// Reads the fraction and the offset that follow the seconds.
    fn ending(&mut self, rest: &[u8]) -> Option<()> {
        let mut rest = rest;
        if let Some((b'.' | b',', digits)) = rest.split_first() {
            let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.fraction = fraction(&digits[..count])?;
            rest = &digits[count..];
        }
        self.zone = parse_zone(rest.trim_ascii_start())?;
        Some(())
    }

    /// Reads a date with the name of its month, whose parts may come in any order, because none of
    /// them can be taken for another.
    fn with_month_name(text: &str) -> Option<Self> {
        let mut parts = Self::default();
        let mut has_clock = false;
        let mut afternoon = None;
        let words = text.split([' ', ',', '(', ')', '\u{a0}', '\u{202f}']);
        for word in words.filter(|word| !word.is_empty()) {
            let bytes = word.as_bytes();
            let is_digits = bytes.iter().all(u8::is_ascii_digit);
            match bytes.len() {
                1 | 2 if is_digits && parts.day == 0 => parts.day = number(bytes, 0..bytes.len())?,
                4 if is_digits && parts.year == 0 => parts.year = number(bytes, 0..4)?,
                _ if bytes[0].is_ascii_digit() && !has_clock => {
                    has_clock = true;
                    parts.clock(word)?;
                }
                _ if word.eq_ignore_ascii_case("am") => afternoon = Some(false),
                _ if word.eq_ignore_ascii_case("pm") => afternoon = Some(true),
                _ if word.eq_ignore_ascii_case("at") => {}
                _ => match (named(word, &MONTHS), named(word, &WEEKDAYS)) {
                    (Some(month), _) if parts.month == 0 => parts.month = month + 1,
                    (None, Some(_)) => {}
                    _ => parts.zone = parse_zone(bytes)?,
                },
            }
        }
        if let Some(afternoon) = afternoon {
            if !(1..=12).contains(&parts.hour) {
                return None;
            }
            parts.hour = parts.hour % 12 + if afternoon { 12 } else { 0 };
        }
        (parts.year > 0).then_some(parts)
    }

    /// Reads `9:05`, `09:05:03` or `09:05:03.250`.
    fn clock(&mut self, word: &str) -> Option<()> {
        let (whole, part) = word.split_once('.').unwrap_or((word, "0"));
        let mut numbers = [0; 3];
        let mut count = 0;
        for text in whole.split(':') {
            *numbers.get_mut(count)? = number(text.as_bytes(), 0..text.len())?;
            count += 1;
        }
        [self.hour, self.minute, self.second] = numbers;
        self.fraction = fraction(part.as_bytes())?;
        (count >= 2).then_some(())
    }

    fn time(self) -> Option<WrittenTime> {
        let Self { month, day, hour, minute, second, zone, .. } = self;
        let is_date = (1..=12).contains(&month) && (1..=days_of(self.year, month)).contains(&day);
        if !is_date || hour > 24 || minute > 59 || second > 60 {
            return None;
        }
        let year = i64::from(self.year);
        let days = days_from_civil(year, i64::from(month), i64::from(day));
        let seconds =
            days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
                - zone * 60;
        let epoch = seconds as f64 + self.fraction;
        Some(WrittenTime { epoch, year, month, day, hour, minute, second, zone })
    }
}

fn number(bytes: &[u8], range: std::ops::Range<usize>) -> Option<u32> {
    let digits = bytes.get(range).filter(|digits| (1..=4).contains(&digits.len()))?;
    digits.iter().try_fold(0u32, |sum, digit| {
        digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
    })
}

/// Returns the value of the digits after a decimal point; `None` if they are not all digits.
fn fraction(digits: &[u8]) -> Option<f64> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { format!("0.{digits}").parse().ok() } else { None }
}

/// Returns the index of a name, given in full or as its first three letters.
fn named(word: &str, names: &[&str]) -> Option<u32> {
    let word = word.trim_end_matches('.');
    let is_name =
        |name: &&str| word.eq_ignore_ascii_case(name) || word.eq_ignore_ascii_case(&name[..3]);
    names.iter().position(is_name).and_then(|index| u32::try_from(index).ok())
}

/// Returns the minutes east of UTC of an offset such as `Z`, `+0100`, `UTC` or `UTC+01:00`.
fn parse_zone(rest: &[u8]) -> Option<i64> {
    let rest = match rest.get(..3) {
        Some(name) if name.eq_ignore_ascii_case(b"UTC") || name.eq_ignore_ascii_case(b"GMT") => {
            rest[3..].trim_ascii_start()
        }
        _ => rest,
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let (sign, digits) = match rest {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let minutes = match *digits {
        [a] => digit(a)? * 60,
        [a, b] => digit(a)? * 600 + digit(b)? * 60,
        [a, b, c, d] | [a, b, b':', c, d] => {
            digit(a)? * 600 + digit(b)? * 60 + digit(c)? * 10 + digit(d)?
        }
        _ => return None,
    };
    Some(sign * minutes)
}

/// Returns the number of days of a month of the Gregorian calendar.
pub(crate) fn days_of(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar (Hinnant's algorithm).
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The length of a time in CloudTrail's own format.
pub(crate) const USUAL: usize = b"0000-00-00T00:00:00Z".len();

/// Returns true for a valid time in CloudTrail's own format, `2026-03-17T10:00:00Z`.
///
/// Such times have the order of their texts.
pub(crate) fn is_usual(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape: &[u8; USUAL] = b"0000-00-00T00:00:00Z";
    let has_shape = bytes.len() == shape.len()
        && bytes.iter().zip(shape).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            mark => byte == mark,
        });
    let is_in = |start: usize, least: &[u8], most: &[u8]| {
        let digits = &bytes[start..start + 2];
        least <= digits && digits <= most
    };
    has_shape
        && is_in(5, b"01", b"12")
        // Later days are none of some months.
        && (is_in(8, b"01", b"28") || is_in(8, b"29", b"31") && WrittenTime::parse(text).is_some())
        && is_in(11, b"00", b"24")
        && is_in(14, b"00", b"59")
        && is_in(17, b"00", b"60")
}

/// Writes a time as CloudTrail does: ISO 8601 in UTC, with milliseconds if it has any.
pub(crate) fn written(epoch: f64) -> String {
    // A double holds every millisecond of the calendar exactly enough to round to it.
    let millis = (epoch * 1000.0).round() as i64;
    let (seconds, fraction) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:03}") };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Returns the date that is this many days after 1970-01-01, the inverse of [`days_from_civil`].
pub(crate) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs() {
        for (text, epoch) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199.0)),
            ("2024-03-01", Some(1_709_251_200.0)),
            ("2024-03-01T01:00:00.250+01:00", Some(1_709_251_200.25)),
            ("2024-02-29 19:00:00-0500", Some(1_709_251_200.0)),
            ("2024-03-01 00:00:00", Some(1_709_251_200.0)),
            ("2024-03-01 00:00:00 UTC", Some(1_709_251_200.0)),
            ("2024-03-01 01:00:00.5 +0100", Some(1_709_251_200.5)),
            ("2024/03/01 00:00:00", Some(1_709_251_200.0)),
            ("20240301T000000Z", Some(1_709_251_200.0)),
            ("20240301T010000.25+0100", Some(1_709_251_200.25)),
            ("Mar 1, 2024, 12:00:00 AM", Some(1_709_251_200.0)),
            ("Mar 1, 2024, 1:05:03\u{202f}PM", Some(1_709_298_303.0)),
            ("March 01, 2024, 00:00:00 (UTC)", Some(1_709_251_200.0)),
            ("March 01, 2024, 01:00:00 (UTC+01:00)", Some(1_709_251_200.0)),
            ("Fri, 01 Mar 2024 00:00:00 +0000", Some(1_709_251_200.0)),
            ("Fri Mar  1 00:00:00 UTC 2024", Some(1_709_251_200.0)),
            ("1 march 2024", Some(1_709_251_200.0)),
            // The month cannot be told from the day, or a part is missing or there twice.
            ("03/04/2024 00:00:00", None),
            ("Mar 2024", None),
            ("Mar 1 00:00:00", None),
            ("Mar 1, 2, 2024", None),
            ("Mar 1, 2024, 13:00:00 PM", None),
            ("20240301T0000", None),
            ("2024-03/01", None),
            ("2024-13-01T00:00:00Z", None),
            // Days that the month does not have.
            ("2024-02-30T00:00:00Z", None),
            ("2026-02-29T00:00:00Z", None),
            ("1900-02-29", None),
            ("2026-04-31 10:00:00", None),
            ("Feb 30, 2026, 10:00:00 AM", None),
            ("20260230T100000Z", None),
            ("2024-01-01T00:00:00X", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(WrittenTime::parse(text).map(|time| time.epoch), epoch, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2000-02-29T12:00:00.250Z",
            "2026-03-17T10:00:00Z",
            "2100-03-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(written(WrittenTime::parse(text).unwrap().epoch), text);
        }
    }

    #[test]
    fn usual_times_are_valid() {
        for (text, is_valid) in [
            ("2026-03-31T10:00:00Z", true),
            ("2024-02-29T10:00:00Z", true),
            ("2026-02-30T10:00:00Z", false),
            ("2026-11-31T10:00:00Z", false),
            ("2026-01-32T10:00:00Z", false),
            ("2026-03-17T10:00:00.5Z", false),
        ] {
            assert_eq!(is_usual(text), is_valid, "{text}");
        }
    }

    #[test]
    fn names() {
        let time = WrittenTime::parse("2025-02-11T20:03:06Z").unwrap();
        assert_eq!((time.month_name(), time.weekday_name()), ("february", "tuesday"));
    }
}

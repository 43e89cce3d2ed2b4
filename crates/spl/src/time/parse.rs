//! Implements `strptime`: parses times by Splunk's date and time format variables.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::calendar::instant;
use super::format::{MONTHS, WEEKDAYS, composite, variable};

/// The first year that Splunk's `strptime` accepts.
const FIRST_YEAR: i16 = 1971;

/// Parses a time; returns `None` if the text does not match the format or does not specify a day.
///
/// Text after the part that matches the format is ignored. Names match in any case, a blank in the
/// format matches any number of blanks, and leading zeros are optional. If the text has no zone,
/// the time is in `zone`. The year is required, and years before 1971 give `None`.
#[must_use]
pub fn strptime(text: &str, format: &str, zone: &TimeZone) -> Option<f64> {
    let mut parts = Parts::default();
    read(text, format, &mut parts)?;
    parts.time(zone)
}

/// The values read from a text.
#[derive(Debug, Default)]
struct Parts {
    epoch: Option<i64>,
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    /// True for PM, false for AM, `None` if the text has neither.
    afternoon: Option<bool>,
    /// The fraction of the second, in nanoseconds.
    nanosecond: i32,
    zone: Option<TimeZone>,
}

impl Parts {
    fn time(self, zone: &TimeZone) -> Option<f64> {
        let fraction = f64::from(self.nanosecond / 1000) / 1e6;
        if let Some(epoch) = self.epoch {
            return Some(epoch as f64 + fraction);
        }
        let year = self.year.filter(|year| *year >= FIRST_YEAR)?;
        let day = match self.day_of_year {
            Some(day) => Date::new(year, 1, 1).ok()?.with().day_of_year(day).build().ok()?,
            None => Date::new(year, self.month?, self.day?).ok()?,
        };
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        // A leap second is read as the next second, which the calendar has.
        let leap = i8::from(self.second == 60);
        let clock = Time::new(hour, self.minute, self.second - leap, 0).ok()?;
        let local = DateTime::from_parts(day, clock);
        let time = instant(local, self.zone.as_ref().unwrap_or(zone))?;
        Some(time + f64::from(leap) + fraction)
    }
}

/// Reads the start of `text` that matches `format`; returns the rest of `text`.
fn read<'t>(text: &'t str, format: &str, parts: &mut Parts) -> Option<&'t str> {
    let (mut text, mut format) = (text, format);
    while let Some(c) = format.chars().next() {
        if c == '%' {
            let variable = variable(format)?;
            format = &format[variable.text.len()..];
            text = match composite(variable.letter) {
                Some(composite) => read(text, composite, parts)?,
                None => {
                    read_variable(text, variable.letter, variable.width, variable.extended, parts)?
                }
            };
        } else if c.is_whitespace() {
            format = format.trim_start();
            text = text.trim_start();
        } else {
            format = &format[c.len_utf8()..];
            text = text.strip_prefix(c)?;
        }
    }
    Some(text)
}

fn read_variable<'t>(
    text: &'t str,
    letter: char,
    width: Option<usize>,
    extended: bool,
    parts: &mut Parts,
) -> Option<&'t str> {
    let two = |low, high| number(text, 2, low, high);
    let (value, rest) = match letter {
        'z' if extended => return read_minutes(text, parts),
        'z' => return read_offset(text, parts),
        'Z' => return read_zone(text, parts),
        'N' => return read_fraction(text, width.unwrap_or(9), parts),
        'Q' | 'f' => return read_fraction(text, width.unwrap_or(9), parts),
        'p' => return read_half(text, parts),
        's' => return read_epoch(text, parts),
        'a' | 'A' => return name(text, &WEEKDAYS).map(|(_, rest)| rest),
        'b' | 'B' => {
            let (index, rest) = name(text, &MONTHS)?;
            parts.month = i8::try_from(index + 1).ok();
            return Some(rest);
        }
        '%' => return text.strip_prefix('%'),
        'Y' => number(text, 4, 0, 9999)?,
        'j' => number(text, 3, 1, 366)?,
        'w' => number(text, 1, 0, 7)?,
        'U' | 'V' => two(0, 53)?,
        'y' => two(0, 99)?,
        'm' => two(1, 12)?,
        'd' | 'e' => two(1, 31)?,
        'H' | 'k' => two(0, 23)?,
        'I' => two(1, 12)?,
        'M' => two(0, 59)?,
        'S' => two(0, 60)?,
        _ => return None,
    };
    match letter {
        'Y' => parts.year = Some(value),
        // The usual two-digit rule: 69 to 99 are in the previous century.
        'y' => parts.year = Some(value + if value < 69 { 2000 } else { 1900 }),
        'j' => parts.day_of_year = Some(value),
        'm' => parts.month = i8::try_from(value).ok(),
        'd' | 'e' => parts.day = i8::try_from(value).ok(),
        'H' | 'k' | 'I' => parts.hour = i8::try_from(value).ok()?,
        'M' => parts.minute = i8::try_from(value).ok()?,
        'S' => parts.second = i8::try_from(value).ok()?,
        // A weekday or week number adds nothing to a date.
        _ => {}
    }
    Some(rest)
}

/// Reads up to `digits` digits after optional blanks.
fn number(text: &str, digits: usize, low: i16, high: i16) -> Option<(i16, &str)> {
    let text = text.trim_start();
    let length = text.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    let value: i16 = text[..length].parse().ok()?;
    (low..=high).contains(&value).then_some((value, &text[length..]))
}

/// Reads a full name or its first three letters; returns the name's index.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(usize, &'t str)> {
    let text = text.trim_start();
    let matches = |length: usize, name: &str| {
        text.get(..length).is_some_and(|start| start.eq_ignore_ascii_case(&name[..length]))
    };
    names.iter().enumerate().find_map(|(index, name)| {
        let length = [name.len(), 3].into_iter().find(|length| matches(*length, name))?;
        Some((index, &text[length..]))
    })
}

fn read_fraction<'t>(text: &'t str, width: usize, parts: &mut Parts) -> Option<&'t str> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count().min(width);
    if length == 0 {
        return None;
    }
    let digits = &text[..length.min(9)];
    let value: i32 = digits.parse().ok()?;
    parts.nanosecond = value * 10_i32.pow(9 - u32::try_from(digits.len()).ok()?);
    Some(&text[length..])
}

fn read_half<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let text = text.trim_start();
    let half = text.get(..2)?.to_ascii_lowercase();
    parts.afternoon = Some(match half.as_str() {
        "am" => false,
        "pm" => true,
        _ => return None,
    });
    Some(&text[2..])
}

fn read_epoch<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with('-'));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    // An `f64` represents fifteen digits exactly; no date has more.
    if digits > 15 {
        return None;
    }
    parts.epoch = Some(text[..sign + digits].parse().ok()?);
    Some(&text[sign + digits..])
}

/// Reads `Z`, `+02`, `+0200`, `+02:00` or `+02:00:00`.
fn read_offset<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        parts.zone = Some(TimeZone::UTC);
        return Some(rest);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let mut rest = &text[1..];
    let mut seconds = 0;
    for (index, unit) in [3600, 60, 1].into_iter().enumerate() {
        let part = if index == 0 { rest } else { rest.strip_prefix(':').unwrap_or(rest) };
        let digits = part.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits < 2 {
            if index == 0 {
                return None;
            }
            break;
        }
        let value: i32 = part[..2].parse().ok()?;
        if index > 0 && value > 59 {
            return None;
        }
        seconds += value * unit;
        rest = &part[2..];
    }
    parts.zone = Some(Offset::from_seconds(sign * seconds).ok()?.to_time_zone());
    Some(rest)
}

/// Reads Splunk's `%Ez`: an offset in minutes.
fn read_minutes<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['+', '-']));
    let digits = text[sign..].bytes().take(4).take_while(u8::is_ascii_digit).count();
    let minutes: i32 = text[..sign + digits].parse().ok()?;
    parts.zone = Some(Offset::from_seconds(minutes.checked_mul(60)?).ok()?.to_time_zone());
    Some(&text[sign + digits..])
}

/// Reads a zone's tz database name, or an abbreviation that is unambiguous in the US.
fn read_zone<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    let text = text.trim_start();
    if text.starts_with(['+', '-']) {
        return read_offset(text, parts);
    }
    let length = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+')))
        .unwrap_or(text.len());
    let name = &text[..length];
    let hours = match name.to_ascii_uppercase().as_str() {
        "" => return None,
        "Z" | "UTC" | "GMT" => Some(0),
        "EST" | "CDT" => Some(-5),
        "EDT" => Some(-4),
        "CST" | "MDT" => Some(-6),
        "MST" | "PDT" => Some(-7),
        "PST" => Some(-8),
        "CET" => Some(1),
        "CEST" => Some(2),
        _ => None,
    };
    parts.zone = Some(match hours {
        Some(hours) => Offset::from_hours(hours).ok()?.to_time_zone(),
        None => TimeZone::get(name).ok()?,
    });
    Some(&text[length..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::strftime;

    const TIME: f64 = 1_707_296_703.0;

    fn check(text: &str, format: &str, expected: Option<f64>) {
        assert_eq!(strptime(text, format, &TimeZone::UTC), expected, "{text} {format}");
    }

    #[test]
    fn formats() {
        check("2024-02-07T09:05:03Z", "%Y-%m-%dT%H:%M:%S%Z", Some(TIME));
        check("2024-02-07T10:05:03.250+0100", "%Y-%m-%dT%H:%M:%S.%Q%z", Some(TIME + 0.25));
        check("2024-02-07 04:05:03 EST", "%F %T %Z", Some(TIME));
        check("2024-02-07 04:05:03 America/New_York", "%F %T %Z", Some(TIME));
        check("Wed Feb  7 09:05:03 2024", "%c", Some(TIME));
        check("07 february 24, 9:05:03 am", "%d %B %y, %I:%M:%S %p", Some(TIME));
        check("12:05:03 AM 2/7/2024", "%I:%M:%S %p %m/%d/%Y", Some(TIME - 32_400.0));
        check("038 2024 09:05:03", "%j %Y %T", Some(TIME));
        check("1707296703.5", "%s.%N", Some(TIME + 0.5));
        check("2024-02-07", "%Y-%m-%d", Some(TIME - 32_703.0));
        check("2024-02-07 09:05:03.123456789", "%F %T.%3N", Some(TIME + 0.123));
        check("2024-02-07 and more", "%F", Some(TIME - 32_703.0));
    }

    #[test]
    fn what_does_not_fit() {
        check("02/2024", "%m/%Y", None);
        check("09:05", "%H:%M", None);
        check("2024-02-30", "%F", None);
        check("2024-13-01", "%F", None);
        check("1970-01-01", "%F", None);
        check("2024-02-07 13:00 PM", "%F %I:%M %p", None);
        check("13 PM 2024-02-07", "%H %p %F", None);
        check("2024-02-07", "%Y/%m/%d", None);
        check("2024-02-07 XYZ", "%F %Z", None);
        check("2024-02-07 +99:99", "%F %z", None);
        check("", "%F", None);
        check("é", "%b", None);
        check("é", "%p", None);
        check("99999999999999999999", "%s", None);
    }

    #[test]
    fn local_times_follow_the_zone() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        assert_eq!(strptime("2024-02-07 01:05:03", "%F %T", &zone), Some(TIME));
        assert_eq!(strptime("2024-02-07 09:05:03 +00:00", "%F %T %:z", &zone), Some(TIME));
    }

    #[test]
    fn what_strftime_writes_strptime_reads() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        for format in ["%F %T %z", "%c", "%s", "%A, %d %B %Y %I:%M:%S %p", "%D %X", "%F %T %Ez"] {
            let text = strftime(TIME, format, &zone);
            assert_eq!(strptime(&text, format, &zone), Some(TIME), "{format}: {text}");
        }
    }
}

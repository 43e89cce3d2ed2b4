//! Implements `strftime` with Splunk's date and time format variables.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::calendar::timestamp;

/// Formats a time; `format` contains text and Splunk's "Date and time format variables".
///
/// A variable that Splunk does not document stays as written. A time outside the calendar gives
/// empty text.
#[must_use]
pub fn strftime(time: f64, format: &str, zone: &TimeZone) -> String {
    let Some(instant) = timestamp(time) else { return String::new() };
    let info = zone.to_offset_info(instant);
    let moment = Moment {
        local: info.offset().to_datetime(instant),
        offset: info.offset().seconds(),
        abbreviation: info.abbreviation().to_owned(),
        second: instant.as_microsecond().div_euclid(1_000_000),
    };
    let mut out = String::with_capacity(format.len() * 2);
    write(&mut out, format, &moment);
    out
}

/// Returns the format that a variable abbreviates.
pub(super) fn composite(variable: char) -> Option<&'static str> {
    Some(match variable {
        'c' => "%a %b %e %H:%M:%S %Y",
        '+' => "%a %b %e %H:%M:%S %Z %Y",
        'T' | 'X' => "%H:%M:%S",
        'F' => "%Y-%m-%d",
        'x' | 'D' => "%m/%d/%Y",
        'R' => "%H:%M",
        _ => return None,
    })
}

/// A variable of a format, separated from the text after it.
pub(super) struct Variable<'a> {
    /// Its letter.
    pub(super) letter: char,
    /// The digit before the letter, as in `%3N`.
    pub(super) width: Option<usize>,
    /// The number of colons before the letter, as in `%::z`.
    pub(super) colons: usize,
    /// True for `%Ez`.
    pub(super) extended: bool,
    /// The variable as written, with its `%`.
    pub(super) text: &'a str,
}

/// Splits the variable off `format`, which begins with `%`; returns `None` if it has no letter.
pub(super) fn variable(format: &str) -> Option<Variable<'_>> {
    let body = format.strip_prefix('%')?;
    let width = body.chars().next().and_then(|c| c.to_digit(10)).map(|digit| digit as usize);
    let body = if width.is_some() { &body[1..] } else { body };
    let colons = body.len() - body.trim_start_matches(':').len();
    let body = &body[colons..];
    let extended = body.starts_with("Ez");
    let letter = body.chars().nth(usize::from(extended))?;
    let rest = &body[letter.len_utf8() + usize::from(extended)..];
    let text = &format[..format.len() - rest.len()];
    Some(Variable { letter, width, colons, extended, text })
}

/// A time with all values that a format may print.
struct Moment {
    local: DateTime,
    /// Seconds east of UTC.
    offset: i32,
    abbreviation: String,
    /// Whole seconds since 1970.
    second: i64,
}

fn write(out: &mut String, format: &str, moment: &Moment) {
    let mut rest = format;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent..];
        let Some(variable) = variable(rest) else { break };
        if !write_variable(out, &variable, moment) {
            out.push_str(variable.text);
        }
        rest = &rest[variable.text.len()..];
    }
    out.push_str(rest);
}

/// Writes the variable's value; returns false for an unknown variable.
fn write_variable(out: &mut String, variable: &Variable<'_>, moment: &Moment) -> bool {
    let local = &moment.local;
    let hour = local.hour();
    let hour_12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    match variable.letter {
        'z' if variable.extended => push(out, format_args!("{:+}", moment.offset / 60)),
        'z' => write_offset(out, moment.offset, variable.colons),
        _ if variable.colons > 0 || variable.extended => return false,
        'N' => write_subseconds(out, local, variable.width.unwrap_or(9)),
        'Q' => write_subseconds(out, local, variable.width.unwrap_or(3)),
        _ if variable.width.is_some() => return false,
        'f' => write_subseconds(out, local, 6),
        'H' => push(out, format_args!("{hour:02}")),
        'k' => push(out, format_args!("{hour:2}")),
        'I' => push(out, format_args!("{hour_12:02}")),
        'M' => push(out, format_args!("{:02}", local.minute())),
        'S' => push(out, format_args!("{:02}", local.second())),
        's' => push(out, format_args!("{}", moment.second)),
        'p' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'Z' => out.push_str(&moment.abbreviation),
        'A' => out.push_str(WEEKDAYS[weekday(local)]),
        'a' => out.push_str(&WEEKDAYS[weekday(local)][..3]),
        'w' => push(out, format_args!("{}", weekday(local))),
        'd' => push(out, format_args!("{:02}", local.day())),
        'e' => push(out, format_args!("{:2}", local.day())),
        'j' => push(out, format_args!("{:03}", local.day_of_year())),
        // Splunk documents %V as another name for %U, whose weeks begin on Sunday.
        'U' | 'V' => push(out, format_args!("{:02}", sunday_week(local))),
        'B' => out.push_str(month_name(local)),
        'b' => out.push_str(&month_name(local)[..3]),
        'm' => push(out, format_args!("{:02}", local.month())),
        'y' => push(out, format_args!("{:02}", local.year().rem_euclid(100))),
        'Y' => push(out, format_args!("{:04}", local.year())),
        '%' => out.push('%'),
        letter => match composite(letter) {
            Some(format) => write(out, format, moment),
            None => return false,
        },
    }
    true
}

pub(super) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn weekday(local: &DateTime) -> usize {
    local.weekday().to_sunday_zero_offset().unsigned_abs().into()
}

fn month_name(local: &DateTime) -> &'static str {
    MONTHS[usize::from(local.month().unsigned_abs()) - 1]
}

/// Returns the week of the year; the days before the first Sunday are in week 0.
fn sunday_week(local: &DateTime) -> i16 {
    (local.day_of_year() + 6 - i16::from(local.weekday().to_sunday_zero_offset())) / 7
}

fn write_subseconds(out: &mut String, local: &DateTime, digits: usize) {
    let text = format!("{:09}", local.subsec_nanosecond());
    out.push_str(text.get(..digits).unwrap_or(&text));
}

/// Writes `+0200`, `+02:00`, `+02:00:00` or the shortest of these, depending on the number of
/// colons.
fn write_offset(out: &mut String, offset: i32, colons: usize) {
    let sign = if offset < 0 { '-' } else { '+' };
    let offset = offset.unsigned_abs();
    let (hours, minutes, seconds) = (offset / 3600, offset / 60 % 60, offset % 60);
    push(out, format_args!("{sign}{hours:02}"));
    match colons {
        0 => push(out, format_args!("{minutes:02}")),
        1 => push(out, format_args!(":{minutes:02}")),
        2 => push(out, format_args!(":{minutes:02}:{seconds:02}")),
        _ if seconds != 0 => push(out, format_args!(":{minutes:02}:{seconds:02}")),
        _ if minutes != 0 => push(out, format_args!(":{minutes:02}")),
        _ => {}
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-07 (a Wednesday) 09:05:03.25 in UTC.
    const TIME: f64 = 1_707_296_703.25;

    #[test]
    fn every_variable() {
        let cases = [
            ("%Y-%m-%dT%H:%M:%S.%3N%:z", "2024-02-07T09:05:03.250+00:00"),
            ("%F %T|%D|%x|%X|%R", "2024-02-07 09:05:03|02/07/2024|02/07/2024|09:05:03|09:05"),
            ("%c", "Wed Feb  7 09:05:03 2024"),
            ("%+", "Wed Feb  7 09:05:03 UTC 2024"),
            ("%e|%k|%I %p|%y", " 7| 9|09 AM|24"),
            ("%A %a %w %B %b", "Wednesday Wed 3 February Feb"),
            ("%j %U %V", "038 05 05"),
            ("%N %Q %6Q %f %s", "250000000 250 250000 250000 1707296703"),
            ("%z %Z %Ez %::z %:::z", "+0000 UTC +0 +00:00:00 +00"),
            ("100%% %! %", "100% %! %"),
        ];
        for (format, expected) in cases {
            assert_eq!(strftime(TIME, format, &TimeZone::UTC), expected, "{format}");
        }
    }

    #[test]
    fn zones_have_offsets_and_names() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let text = strftime(TIME, "%H:%M %z %:z %:::z %Ez %Z", &zone);
        assert_eq!(text, "14:35 +0530 +05:30 +05:30 +330 IST");
        let zone = TimeZone::get("America/New_York").unwrap();
        assert_eq!(strftime(TIME, "%H %z %:::z %Z", &zone), "04 -0500 -05 EST");
    }

    #[test]
    fn edges() {
        assert_eq!(strftime(0.0, "%I %p", &TimeZone::UTC), "12 AM");
        assert_eq!(strftime(43_200.0, "%I %p", &TimeZone::UTC), "12 PM");
        assert_eq!(strftime(-0.5, "%T.%3N %s", &TimeZone::UTC), "23:59:59.500 -1");
        assert_eq!(strftime(f64::NAN, "%T", &TimeZone::UTC), "");
        assert_eq!(strftime(1e18, "%T", &TimeZone::UTC), "");
        assert_eq!(strftime(0.0, "é%é%3é%", &TimeZone::UTC), "é%é%3é%");
    }
}

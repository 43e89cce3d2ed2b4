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
    /// Parses ISO 8601: a date, `T` or a blank, a time with an optional fraction, and `Z` or an
    /// offset.
    ///
    /// A time without an offset is UTC. A date alone means its midnight.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.trim().as_bytes();
        let number = |range: std::ops::Range<usize>| {
            let digits = bytes.get(range)?;
            digits.iter().try_fold(0u32, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
            })
        };
        let at = |index: usize, byte: u8| (bytes.get(index) == Some(&byte)).then_some(());
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        at(4, b'-').and(at(7, b'-'))?;
        let (mut hour, mut minute, mut second, mut fraction, mut zone) = (0, 0, 0, 0.0, 0);
        if bytes.len() > 10 {
            at(10, b'T').or(at(10, b't')).or(at(10, b' '))?;
            (hour, minute) = (number(11..13)?, number(14..16)?);
            at(13, b':')?;
            let mut rest = &bytes[16..];
            if rest.first() == Some(&b':') {
                second = number(17..19)?;
                rest = &bytes[19..];
            }
            if let Some((b'.' | b',', digits)) = rest.split_first() {
                let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
                let text = std::str::from_utf8(&digits[..count]).ok()?;
                fraction = format!("0.{text}").parse().ok()?;
                rest = &digits[count..];
            }
            zone = parse_zone(rest)?;
        }
        let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
        if !valid || hour > 24 || minute > 59 || second > 60 {
            return None;
        }
        let year = i64::from(year);
        let days = days_from_civil(year, i64::from(month), i64::from(day));
        let seconds =
            days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
                - zone * 60;
        let epoch = seconds as f64 + fraction;
        Some(Self { epoch, year, month, day, hour, minute, second, zone })
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

fn parse_zone(rest: &[u8]) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let (sign, digits) = match rest {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let minutes = match *digits {
        [a, b] => digit(a)? * 600 + digit(b)? * 60,
        [a, b, c, d] | [a, b, b':', c, d] => {
            digit(a)? * 600 + digit(b)? * 60 + digit(c)? * 10 + digit(d)?
        }
        _ => return None,
    };
    Some(sign * minutes)
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar (Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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
            ("2024-13-01T00:00:00Z", None),
            ("2024-01-01T00:00:00X", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(WrittenTime::parse(text).map(|time| time.epoch), epoch, "{text}");
        }
    }

    #[test]
    fn names() {
        let time = WrittenTime::parse("2025-02-11T20:03:06Z").unwrap();
        assert_eq!((time.month_name(), time.weekday_name()), ("february", "tuesday"));
    }
}

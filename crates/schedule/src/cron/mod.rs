//! Cron expressions with five fields, in a time zone.
//!
//! # Which local times match
//!
//! The fields are minute, hour, day of the month, month and day of the week, in numbers, as Splunk's
//! `cron_schedule` has them; 0 and 7 are Sunday. If both fields of days are restricted, a day matches
//! if one of them does, as in every cron.
//!
//! # When clocks change
//!
//! The field of hours decides. If it has a `*` or a step, the schedule is a rhythm: it fires whenever
//! the clock shows a matching time. A time that is skipped does not fire, and one that is repeated
//! fires twice, since both hours are real and each has events of its own.
//!
//! Otherwise the schedule means times of a day, and each day has them once. A time that is skipped
//! fires at the moment at which the clock is set forward; several that are skipped fire there together,
//! once. A time that is repeated fires the first time only.

mod fields;
mod firings;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;

use crate::moment::Moment;

/// The error for a text that is no cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a schedule: {reason}")]
pub struct CronError {
    /// The text, cut if it is very long.
    pub text: String,
    /// The first byte of the part that is wrong.
    pub from: usize,
    /// The byte after it.
    pub to: usize,
    /// What is wrong, in one line.
    pub reason: String,
    /// What to do about it, in one line.
    pub help: String,
}

/// The error for a text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`{}", did_you_mean(.similar.as_ref()))]
pub struct ZoneError {
    /// The text.
    pub name: String,
    /// A zone that may be meant.
    pub similar: Option<String>,
}

/// Returns the time zone with a name of the IANA database, such as `Europe/Berlin` or `UTC`.
///
/// # Errors
/// Fails if there is none; the error has the zone of that city, if there is one.
pub fn zone_of(name: &str) -> Result<TimeZone, ZoneError> {
    if let Ok(zone) = TimeZone::get(name) {
        return Ok(zone);
    }
    let city = name.rsplit('/').next().unwrap_or(name).trim().replace(' ', "_");
    let is_meant = |zone: &jiff::tz::TimeZoneName| {
        zone.as_str().rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city))
    };
    let similar = jiff::tz::db().available().find(is_meant).map(|zone| zone.as_str().to_owned());
    Err(ZoneError { name: name.to_owned(), similar })
}

fn did_you_mean(similar: Option<&String>) -> String {
    similar.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
    /// Whether the field of hours has a `*` or a step.
    is_rhythm: bool,
    /// Whether no date ever matches, as in `0 0 30 2 *`.
    is_never: bool,
}

impl Cron {
    /// Parses an expression of five fields.
    ///
    /// # Errors
    /// Fails with the place of the mistake: another number of fields, a number out of range, a name
    /// of a month or day, a nickname, or what only other programs know, such as `L` and `#`.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields = fields::check(text)?;
        let texts = fields.texts;
        let pattern = texts.join(" ").parse::<croner::Cron>().map_err(|error| CronError {
            text: text.to_owned(),
            from: 0,
            to: text.len(),
            reason: error.to_string(),
            help: "write `minute hour day-of-month month day-of-week`, such as `0 * * * *`".into(),
        })?;
        let is_rhythm = texts[1].contains(['*', '/']);
        let is_never = is_never(&pattern);
        Ok(Self { text: text.to_owned(), pattern, is_rhythm, is_never })
    }

    /// Returns the expression as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the first firing after a moment; `None` if there is none in the calendar.
    #[must_use]
    pub fn next(&self, after: Moment, zone: &TimeZone) -> Option<Moment> {
        if self.is_never {
            return None;
        }
        let after = after.timestamp()?;
        let found = if self.is_rhythm {
            firings::next_of_rhythm(&self.pattern, after, zone)
        } else {
            firings::next_of_day(&self.pattern, after, zone)
        };
        found.map(Moment::from)
    }

    /// Returns the last firing before a moment; `None` if there is none in the calendar.
    #[must_use]
    pub fn previous(&self, before: Moment, zone: &TimeZone) -> Option<Moment> {
        if self.is_never {
            return None;
        }
        let before = before.timestamp()?;
        let found = if self.is_rhythm {
            firings::previous_of_rhythm(&self.pattern, before, zone)
        } else {
            firings::previous_of_day(&self.pattern, before, zone)
        };
        found.map(Moment::from)
    }
}

/// Returns whether no month has one of the days.
///
/// A search for such a date would walk through thousands of years.
fn is_never(pattern: &croner::Cron) -> bool {
    let pattern = &pattern.pattern;
    if !pattern.is_dow_wildcard() {
        return false;
    }
    let first = pattern.days.values().first().copied().unwrap_or(u16::MAX);
    let longest = |month: u16| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    pattern.months.values().into_iter().all(|month| longest(month) < first)
}

//! The current time, time zone and time range of a run.

use jiff::tz::TimeZone;
use spilltrail_event::TimeBounds;
use spilltrail_spl::time::{self, TimeError};

use crate::error::AppError;
use crate::options::TimeOptions;

/// Clock change in seconds, large enough to move every relative time bound.
const LONG_AGO: f64 = 1e8;

/// The current time, time zone and time range of a run.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Value of `now()`, in epoch seconds.
    pub now: f64,
    /// True if the caller set the current time.
    pub is_fixed: bool,
    /// Time zone used to snap, format and parse times.
    pub zone: TimeZone,
    /// Time range of the run.
    pub range: TimeBounds,
}

impl Clock {
    /// Resolves the options against their `now`, or against the wall clock if they set none.
    ///
    /// # Errors
    /// Fails if the time zone is unknown, or if a bound cannot be parsed as a time.
    pub fn new(options: &TimeOptions) -> Result<Self, AppError> {
        let zone = options.time_zone()?;
        let wall = jiff::Timestamp::now().as_duration().as_secs_f64();
        let fixed = resolve("now", options.now.as_deref(), wall, &zone)?;
        let clock = Self::at(options, fixed.unwrap_or(wall))?;
        Ok(Self { is_fixed: fixed.is_some(), ..clock })
    }

    /// Resolves the options with `now` as the current time.
    ///
    /// # Errors
    /// As [`Clock::new`].
    pub fn at(options: &TimeOptions, now: f64) -> Result<Self, AppError> {
        let zone = options.time_zone()?;
        let range = TimeBounds {
            earliest: resolve("earliest", options.earliest.as_deref(), now, &zone)?,
            latest: resolve("latest", options.latest.as_deref(), now, &zone)?,
        };
        Ok(Self { now, is_fixed: false, zone, range })
    }

    /// Checks that the range contains a moment.
    ///
    /// # Errors
    /// Fails if it ends before it begins, because nothing could be found in it.
    pub(crate) fn check_range(&self) -> Result<(), AppError> {
        match self.range {
            TimeBounds { earliest: Some(earliest), latest: Some(latest) } if earliest >= latest => {
                Err(AppError::EmptyRange)
            }
            _ => Ok(()),
        }
    }

    /// Returns true if a bound of the range is relative to the current time. `options` must be
    /// those that this clock was built from.
    ///
    /// # Errors
    /// As [`Clock::new`].
    pub(crate) fn is_range_relative(&self, options: &TimeOptions) -> Result<bool, AppError> {
        Ok(Self::at(options, self.now - LONG_AGO)?.range != self.range)
    }
}

impl TimeOptions {
    /// Returns the time zone.
    ///
    /// # Errors
    /// Fails if the name of the time zone is unknown.
    pub fn time_zone(&self) -> Result<TimeZone, AppError> {
        TimeZone::get(&self.zone).map_err(|_| AppError::Zone { name: self.zone.clone() })
    }
}

fn resolve(
    option: &'static str,
    text: Option<&str>,
    now: f64,
    zone: &TimeZone,
) -> Result<Option<f64>, AppError> {
    let Some(text) = text else { return Ok(None) };
    let time = time::resolve(text, now, zone).and_then(|time| in_seconds(text, time));
    time.map_err(|source| AppError::Time { option, source })
}

/// Checks that an epoch is not in milliseconds or in a smaller unit.
///
/// As seconds it would be thousands of years ahead, and no event would be in the range.
fn in_seconds(text: &str, time: Option<f64>) -> Result<Option<f64>, TimeError> {
    let is_number = text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let units = [(1e17, 1e9, "nano"), (1e14, 1e6, "micro"), (1e11, 1e3, "milli")];
    let unit = |epoch: f64| units.into_iter().find(|(first, ..)| epoch >= *first);
    match time.filter(|_| is_number).and_then(|epoch| Some((epoch, unit(epoch)?))) {
        None => Ok(time),
        Some((epoch, (_, parts, name))) => Err(TimeError {
            text: text.to_owned(),
            reason: format!(
                "expected seconds since 1970, found {name}seconds by its size; in seconds it is \
                 `{}`",
                epoch / parts
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_in_milliseconds_is_refused() {
        for (text, seconds) in [
            ("1773741600", None),
            ("9999999999", None),
            ("9999-12-30T00:00:00Z", None),
            ("1773741600000", Some("`1773741600`")),
            ("1773741600250", Some("`1773741600.25`")),
            ("1773741600000000", Some("`1773741600`")),
        ] {
            for option in ["earliest", "latest", "now"] {
                let given = |name: &str| (name == option).then(|| text.to_owned());
                let options = TimeOptions {
                    earliest: given("earliest"),
                    latest: given("latest"),
                    now: given("now"),
                    ..TimeOptions::default()
                };
                let error = Clock::new(&options).err().map(|error| error.to_string());
                match (error, seconds) {
                    (None, None) => {}
                    (Some(error), Some(seconds)) => {
                        assert!(error.starts_with(option) && error.ends_with(seconds), "{error}");
                    }
                    (error, _) => panic!("{text}: {error:?}"),
                }
            }
        }
    }

    #[test]
    fn a_bound_that_moves_with_the_clock_is_relative() {
        for (earliest, is_relative) in
            [(None, false), (Some("-1h"), true), (Some("@d"), true), (Some("1700000000"), false)]
        {
            let options =
                TimeOptions { earliest: earliest.map(str::to_owned), ..TimeOptions::default() };
            let clock = Clock::at(&options, 1.8e9).unwrap();
            assert_eq!(clock.is_range_relative(&options).unwrap(), is_relative, "{earliest:?}");
        }
    }
}

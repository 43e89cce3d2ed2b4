//! The current time, time zone and time range of a run.

use jiff::tz::TimeZone;
use spilltrail_event::TimeBounds;
use spilltrail_spl::time;

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
    time::resolve(text, now, zone).map_err(|source| AppError::Time { option, source })
}

#[cfg(test)]
mod tests {
    use super::*;

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

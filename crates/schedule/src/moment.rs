//! Moments and intervals in whole seconds.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment: whole seconds since 1970 in UTC.
///
/// Schedules fire on whole minutes, and time modifiers have whole seconds, so that nothing is lost. It
/// is an integer because it is part of the identity of a run. Any value is valid; arithmetic saturates.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Returns the moment this many seconds later, or earlier if they are negative.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the seconds from `earlier` to this moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the whole second that contains a time in seconds since 1970; `None` for a time that is
    /// no number or too far away.
    #[must_use]
    pub fn of_seconds(time: f64) -> Option<Self> {
        // Every integer up to this is exact as a number.
        const FARTHEST: f64 = 9e15;
        (time.abs() <= FARTHEST).then(|| Self(time.floor() as i64))
    }

    /// Returns the timestamp, or `None` outside the calendar.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_second(self.0).ok()
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        // Rounds towards the past, as everywhere; `as_second` rounds towards 1970.
        Self(timestamp.as_nanosecond().div_euclid(1_000_000_000) as i64)
    }
}

impl fmt::Display for Moment {
    /// Writes the moment in UTC, as in `2026-10-19T08:30:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(timestamp) => write!(f, "{timestamp}"),
            None => write!(f, "{}s", self.0),
        }
    }
}

/// The time from one moment to another: `from` is part of it, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first moment.
    pub from: Moment,
    /// The first moment after it.
    pub to: Moment,
}

impl Interval {
    /// Returns whether it has no moment.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// Returns whether both have a moment in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.from.max(other.from) < self.to.min(other.to)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_whole_seconds() {
        for (time, expected) in [
            (0.0, Some(0)),
            (1.9, Some(1)),
            (-0.5, Some(-1)),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e18, None),
        ] {
            assert_eq!(Moment::of_seconds(time), expected.map(Moment), "{time}");
        }
        let half: Timestamp = "1969-12-31T23:59:58.5Z".parse().unwrap();
        assert_eq!(Moment::from(half), Moment(-2));
        assert_eq!(Moment(1_792_398_600).to_string(), "2026-10-19T08:30:00Z");
        assert_eq!(Moment(i64::MAX).plus(1).to_string(), "9223372036854775807s");
    }

    #[test]
    fn the_end_is_not_in_an_interval() {
        let interval = |from, to| Interval { from: Moment(from), to: Moment(to) };
        for (one, other, expected) in [
            (interval(0, 10), interval(10, 20), false),
            (interval(0, 10), interval(9, 20), true),
            (interval(0, 10), interval(3, 4), true),
            (interval(0, 10), interval(5, 5), false),
        ] {
            assert_eq!(one.overlaps(other), expected, "{one}, {other}");
            assert_eq!(other.overlaps(one), expected, "{other}, {one}");
        }
    }
}

//! What the sender of an event gives beside its text.

/// What the sender of an event gives beside its text: nothing for most events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// The time, in microseconds since the epoch. That of a CloudTrail record counts only if the record
    /// has none that can be read.
    pub(crate) time: Option<i64>,
}

impl Given {
    /// Returns the time in epoch seconds.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.time.map(|time| time as f64 / 1e6)
    }

    /// Returns true if a time in epoch seconds is the one that is given.
    pub(crate) fn is_at(&self, epoch: f64) -> bool {
        self.time == Some((epoch * 1e6).round() as i64)
    }
}

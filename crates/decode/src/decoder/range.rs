//! The range of time of the records of a part.

use crate::event_view::EventTime;
use crate::record::Format;
use crate::report::{FileReport, Untimed};
use crate::time;

/// A time in CloudTrail's own format.
type Usual = [u8; time::USUAL];

/// Finds the oldest and newest of many times; compares times in CloudTrail's own format as text.
#[derive(Debug)]
pub(super) struct Times {
    range: Option<(Usual, Usual)>,
    others: Vec<f64>,
    untimed: Untimed,
    horizon: f64,
    /// The horizon in CloudTrail's own format, if there is one.
    last: Option<String>,
}

impl Times {
    pub(super) fn new(horizon: f64) -> Self {
        let last = horizon.is_finite().then(|| time::written(horizon.floor()));
        Self { range: None, others: Vec::new(), untimed: Untimed::default(), horizon, last }
    }

    /// Records the time of a record; `other` returns that of a record without a readable
    /// `eventTime`.
    pub(super) fn see(&mut self, time: Option<&str>, other: impl FnOnce() -> Option<f64>) {
        let is_late = |time: &str| self.last.as_ref().is_some_and(|last| time > last.as_str());
        let usual = time.filter(|time| time::is_usual(time) && !is_late(time));
        if let Some(time) = usual.and_then(|time| Usual::try_from(time.as_bytes()).ok()) {
            let (oldest, newest) = self.range.unwrap_or((time, time));
            self.range = Some((oldest.min(time), newest.max(time)));
            return;
        }
        match time.and_then(|time| EventTime::read(time).epoch).or_else(other) {
            Some(epoch) => self.others.push(epoch),
            None => self.untimed.see(Format::CloudTrail, time),
        }
    }

    pub(super) fn tell(self, report: &mut FileReport) {
        let (oldest, newest) = self.range.unzip();
        let usual = [oldest, newest].into_iter().flatten();
        let usual = usual.filter_map(|time| {
            EventTime::read(std::str::from_utf8(&time).unwrap_or_default()).epoch
        });
        let all = usual.chain(self.others);
        all.for_each(|time| report.see_time_until(time, self.horizon));
        report.untimed.merge(&self.untimed);
    }
}

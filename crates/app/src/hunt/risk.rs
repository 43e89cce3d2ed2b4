//! The risk events of a hunt, which correlations read after the other detections have run.

use std::io;

use spilltrail_detect::{Finding, risk_events};
use spilltrail_search::events::file::{FileEvents, FileEventsWriter};

/// Collects risk events in a temporary file: there may be more than fit in memory.
pub(super) struct RiskEvents {
    /// The error that ended the writing, once there is one.
    writer: io::Result<FileEventsWriter>,
}

impl RiskEvents {
    /// Creates the file, which has no events.
    pub(super) fn new() -> Self {
        Self { writer: FileEventsWriter::new() }
    }

    /// Adds the risk that a finding raises. `now` is the time of a finding without a time.
    pub(super) fn add(&mut self, finding: &Finding, now: f64) {
        let Ok(writer) = &mut self.writer else { return };
        let events = risk_events(finding, now);
        if let Err(error) = events.iter().try_for_each(|event| writer.write(event)) {
            self.writer = Err(error);
        }
    }

    /// Returns the events.
    ///
    /// # Errors
    /// Fails if they could not be kept.
    pub(super) fn finish(self) -> io::Result<FileEvents> {
        self.writer?.finish()
    }
}

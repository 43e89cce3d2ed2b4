//! The risk events of a hunt, which correlations read after the other detections have run.

use std::io;
use std::sync::Arc;

use spilltrail_detect::{Finding, risk_event};
use spilltrail_search::events::file::{FileEvents, FileEventsWriter};

use crate::error::AppError;

/// Collects risk events in a temporary file: there may be more than fit in memory.
#[derive(Default)]
pub(super) struct RiskEvents {
    writer: Option<FileEventsWriter>,
    /// The error that ended the writing.
    error: Option<io::Error>,
}

impl RiskEvents {
    /// Adds the risk that a finding raises. `now` is the time of a finding without a time.
    pub(super) fn add(&mut self, finding: &Finding, now: f64) {
        if finding.risk_objects.is_empty() || self.error.is_some() {
            return;
        }
        if let Err(error) = self.write(finding, now) {
            self.error = Some(error);
        }
    }

    fn write(&mut self, finding: &Finding, now: f64) -> io::Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(FileEventsWriter::new()?),
        };
        risk_event::risk_events(finding, now).iter().try_for_each(|event| writer.write(event))
    }

    /// Returns the events; `None` if no finding raised risk.
    ///
    /// # Errors
    /// Fails if the events could not be kept.
    pub(super) fn finish(self) -> Result<Option<Arc<FileEvents>>, AppError> {
        if let Some(error) = self.error {
            return Err(AppError::RiskEvents(error));
        }
        let events = self.writer.map(FileEventsWriter::finish).transpose();
        Ok(events.map_err(AppError::RiskEvents)?.map(Arc::new))
    }
}

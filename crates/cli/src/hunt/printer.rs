//! Prints a hunt: progress and diagnostics to standard error, findings to standard output.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use indicatif::ProgressBar;
use spilltrail_app::{HuntEvent, HuntSink, SinkError, Summary};
use spilltrail_source::Progress;

use super::findings::FindingWriter;
use super::notes::Notes;
use crate::arguments::HuntOptions;
use crate::{memory, progress};

/// After a detection with this many matched events, freed memory is returned to the system.
const MANY_EVENTS: u64 = 10_000;

/// Prints the events of a hunt as they happen.
pub(super) struct Printer {
    bar: ProgressBar,
    writer: FindingWriter,
    notes: Notes,
}

impl Printer {
    pub(super) fn new(writer: FindingWriter, notes: Notes) -> Self {
        Self { bar: progress::bar(), writer, notes }
    }

    /// Prints the notes about detections, the remaining findings and the summary.
    pub(super) fn finish(self, summary: &Summary, options: &HuntOptions) -> io::Result<()> {
        self.notes.print(&summary.causes, self.writer.shows_causes());
        self.writer.finish(summary, options)
    }

    /// Prints the remaining findings of a hunt that was stopped before its end.
    pub(super) fn give_up(self) {
        self.bar.finish_and_clear();
        // The hunt already failed with an error of its own, which is the one to report.
        let _ = self.writer.give_up();
    }
}

#[async_trait]
impl HuntSink for Printer {
    fn progress(&self) -> Option<Progress> {
        let bar = self.bar.clone();
        Some(Progress(Arc::new(move |bytes| bar.inc(bytes))))
    }

    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), SinkError> {
        match event {
            HuntEvent::Listed { bytes, .. } => self.bar.set_length(bytes),
            HuntEvent::LogsRead => {
                self.bar.finish_and_clear();
                memory::give_back();
            }
            HuntEvent::Finding(finding) => self.writer.write(&finding)?,
            HuntEvent::DetectionFinished { detection, report } => {
                self.notes.add(detection, report);
                if report.matched_events.unwrap_or_default() > MANY_EVENTS {
                    memory::give_back();
                }
            }
        }
        Ok(())
    }
}

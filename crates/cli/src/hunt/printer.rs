//! Prints a hunt: progress and diagnostics to standard error, findings to standard output.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use spilltrail_app::{HuntEvent, HuntSink, Report, SinkError, Summary};
use spilltrail_content::Detection;
use spilltrail_detect::Status;
use spilltrail_diagnostic::{Diagnostic, Severity};
use spilltrail_source::Progress;

use super::findings::FindingWriter;
use crate::arguments::HuntOptions;
use crate::{memory, report};

/// After a detection with this many matched events, freed memory is returned to the system.
const MANY_EVENTS: u64 = 10_000;

/// Prints the events of a hunt as they happen.
pub(super) struct Printer {
    bar: ProgressBar,
    writer: FindingWriter,
}

impl Printer {
    pub(super) fn new(writer: FindingWriter) -> Self {
        Self { bar: progress(), writer }
    }

    /// Prints the remaining findings and the summary.
    pub(super) fn finish(self, summary: &Summary, options: &HuntOptions) -> io::Result<()> {
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
                complain(detection, report);
                if report.matched_events.unwrap_or_default() > MANY_EVENTS {
                    memory::give_back();
                }
            }
        }
        Ok(())
    }
}

/// Returns a progress bar that counts bytes, hidden if standard error is not a terminal.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Prints the diagnostics of a detection: in full if it failed, and one line each if it is
/// unsupported or has findings.
fn complain(detection: &Detection, report: &Report) {
    match report.status {
        Status::Failed => {
            // A message without a location in the search would not say whose it is.
            let named = |message: &Diagnostic| match message.labels.as_slice() {
                [] => Diagnostic {
                    message: format!("{}: {}", detection.name, message.message),
                    ..message.clone()
                },
                _ => message.clone(),
            };
            let messages: Vec<Diagnostic> = report.messages.iter().map(named).collect();
            report::diagnostics(&messages, &detection.name, &detection.search);
        }
        Status::Unsupported | Status::Fired => {
            for message in &report.messages {
                let severity = match message.severity {
                    Severity::Unsupported => "unsupported",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                let (code, text) = (message.code, &message.message);
                report::line(format_args!("{severity}[{code}]: {}: {text}", detection.name));
            }
        }
        _ => {}
    }
}

//! Events that a hunt reports to its caller while it runs.

use async_trait::async_trait;
use spilltrail_content::Detection;
use spilltrail_detect::Finding;
use spilltrail_source::Progress;

use super::summary::Report;

/// The error with which a sink stops a hunt.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// A step of a hunt. Events are reported in the order in which they happen.
#[derive(Debug)]
pub enum HuntEvent<'a> {
    /// The logs were listed and will be read next.
    Listed {
        /// Number of files to read.
        files: u64,
        /// Total size of the files as stored, in bytes.
        bytes: u64,
    },
    /// The logs were read; the detections run next.
    LogsRead,
    /// A detection produced a finding. Findings are ordered by detection, then as the search
    /// returned them.
    Finding(Box<Finding>),
    /// A detection finished, and all its findings were reported.
    DetectionFinished {
        /// The detection that finished.
        detection: &'a Detection,
        /// The outcome of the detection.
        report: &'a Report,
    },
}

/// Receives the events of a hunt.
///
/// The hunt waits for each call to return, so a slow sink slows the hunt down instead of letting
/// findings accumulate in memory.
#[async_trait]
pub trait HuntSink: Send {
    /// Returns a callback that is called, from any thread, with the size of each file after it was
    /// read.
    fn progress(&self) -> Option<Progress> {
        None
    }

    /// Handles one event.
    ///
    /// # Errors
    /// An error stops the hunt.
    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), SinkError>;
}

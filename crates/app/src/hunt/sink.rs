//! What a hunt tells its caller while it runs.

use async_trait::async_trait;
use spilltrail_content::Detection;
use spilltrail_detect::Finding;
use spilltrail_source::Progress;

use super::summary::Report;

/// Why a sink cannot take more.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Something that happened in a hunt, in the order in which it happens.
#[derive(Debug)]
pub enum HuntEvent<'a> {
    /// The logs are listed, and will be read.
    Listed {
        /// Files to read.
        files: u64,
        /// Their size in bytes, as they are stored.
        bytes: u64,
    },
    /// The logs are read; detections run next.
    LogsRead,
    /// A detection found something. Detections come in their order, and so do their findings.
    Finding(Box<Finding>),
    /// A detection has run, and all its findings were handed on.
    DetectionFinished {
        /// The detection.
        detection: &'a Detection,
        /// What became of it.
        report: &'a Report,
    },
}

/// Takes what a hunt has to say. The hunt waits for it, so that a slow sink slows the hunt down and
/// nothing piles up.
#[async_trait]
pub trait HuntSink: Send {
    /// Returns a listener that is called with the size of each file that was read, from any thread.
    fn progress(&self) -> Option<Progress> {
        None
    }

    /// Takes note of an event.
    ///
    /// # Errors
    /// Fails if it cannot take more, which ends the hunt.
    async fn event(&mut self, event: HuntEvent<'_>) -> Result<(), SinkError>;
}

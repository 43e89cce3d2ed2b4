//! Recognizes the file into which this run writes: in a folder of logs, it is no log.

use std::fs::Metadata;

pub(crate) const REASON: &str = "is where this run writes its output";

/// The file that standard output is, if it is a file.
pub(crate) struct OwnOutput(Option<(u64, u64)>);

impl OwnOutput {
    #[cfg(unix)]
    pub(crate) fn find() -> Self {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata("/dev/stdout").ok().filter(Metadata::is_file);
        Self(found.map(|metadata| (metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    pub(crate) fn find() -> Self {
        Self(None)
    }

    /// Returns true if a file is the output of this run.
    #[cfg(unix)]
    pub(crate) fn is(&self, metadata: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.0 == Some((metadata.dev(), metadata.ino()))
    }

    #[cfg(not(unix))]
    pub(crate) fn is(&self, _: &Metadata) -> bool {
        false
    }
}

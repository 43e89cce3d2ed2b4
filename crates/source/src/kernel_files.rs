//! Finds the file systems in which Linux shows its own state as files, such as `/proc`.
//!
//! They hold no logs, links in them lead anywhere, and reading some of their files never ends.

use std::fs::Metadata;
use std::path::Path;

pub(crate) const REASON: &str = "shows the state of the system, and holds no logs";

const PLACES: [&str; 2] = ["/proc", "/sys"];

/// The devices of these file systems.
pub(crate) struct KernelFiles(Vec<u64>);

impl KernelFiles {
    #[cfg(target_os = "linux")]
    pub(crate) fn find() -> Self {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &str| Path::new(path).metadata().ok().map(|metadata| metadata.dev());
        let root = device("/");
        // Where nothing is mounted, these are folders like any others.
        Self(PLACES.into_iter().filter_map(device).filter(|found| Some(*found) != root).collect())
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn find() -> Self {
        Self(Vec::new())
    }

    /// Returns true for a file or folder in one of these file systems.
    #[cfg(unix)]
    pub(crate) fn has(&self, metadata: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.0.contains(&metadata.dev())
    }

    #[cfg(not(unix))]
    pub(crate) fn has(&self, _: &Metadata) -> bool {
        false
    }
}

/// Returns true for a folder at or below these places; a link among them that leads elsewhere is not.
pub(crate) fn has_path(folder: &Path) -> bool {
    cfg!(target_os = "linux")
        && folder
            .canonicalize()
            .is_ok_and(|path| PLACES.iter().any(|place| path.starts_with(place)))
}

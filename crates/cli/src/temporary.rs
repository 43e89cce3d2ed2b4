//! The folder of a run's temporary files, which goes with the run.

use std::path::Path;

use tempfile::TempDir;

/// Attempts to remove the folder: a thread that has not ended yet may add a file meanwhile.
const ATTEMPTS: usize = 3;

/// A folder for all temporary files of the program, removed when dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(Option<TempDir>);

impl TemporaryFolder {
    /// Makes the folder in the system's folder for temporary files. Without room for it, whatever needs
    /// a file fails by itself and says so; most runs need none.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("spilltrail-").tempdir().ok();
        // Only the first folder of a program counts, and this is the only one.
        Self(folder.filter(|folder| tempfile::env::override_temp_dir(folder.path()).is_ok()))
    }

    /// Returns where it is, if there is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.0.as_ref().map(TempDir::path)
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            remove(&folder.keep());
        }
    }
}

/// Removes the folder and what is in it, as far as the system lets it.
pub(crate) fn remove(folder: &Path) {
    for _ in 0..ATTEMPTS {
        if std::fs::remove_dir_all(folder).is_ok() {
            return;
        }
    }
}

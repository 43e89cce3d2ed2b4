//! The temporary folder of a run, which is removed when the run ends.

use std::path::Path;

use tempfile::TempDir;

/// Number of attempts to remove the folder: a thread that is still running may create a file in it
/// in the meantime.
const ATTEMPTS: usize = 3;

/// The folder for all temporary files of the program, removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(Option<TempDir>);

impl TemporaryFolder {
    /// Creates the folder in the system's temporary folder. If this fails, the run goes on: most
    /// runs need no temporary file, and an operation that does need one reports its own error.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("spilltrail-").tempdir().ok();
        // `override_temp_dir` takes effect only once per process, and this is the only call.
        Self(folder.filter(|folder| tempfile::env::override_temp_dir(folder.path()).is_ok()))
    }

    /// Returns the path of the folder; `None` if it could not be created.
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

/// Removes the folder and its contents, and ignores errors.
pub(crate) fn remove(folder: &Path) {
    for _ in 0..ATTEMPTS {
        if std::fs::remove_dir_all(folder).is_ok() {
            return;
        }
    }
}

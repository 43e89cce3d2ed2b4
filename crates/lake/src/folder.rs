//! The folder of a lake, and what is where in it.

use std::path::{Path, PathBuf};

/// The folder of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFolder(PathBuf);

impl LakeFolder {
    /// Returns the lake in a folder, which may not be there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Returns the file of the log of arriving events.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("arriving.sqlite")
    }

    /// Returns the folder of the table of events.
    #[must_use]
    pub fn table(&self) -> PathBuf {
        self.0.join("events")
    }

    /// Returns true if the folder has a lake. The log of arriving events is its first file.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.log().is_file()
    }
}

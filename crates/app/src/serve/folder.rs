//! The data folder of a server, and what is where in it.

use std::path::{Path, PathBuf};

use spilltrail_lake::LakeFolder;

/// The data folder of a server. It is a lake, with what the server knows of its detections beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// Returns the data folder at a path, which may not be there yet.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Returns the path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the lake, which is the folder itself: `--lake` takes it, too.
    #[must_use]
    pub fn lake(&self) -> LakeFolder {
        LakeFolder::new(&self.0)
    }

    /// Returns the file with schedules, runs and findings.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("findings.sqlite")
    }

    /// Returns the folder to which searches write lookups.
    #[must_use]
    pub fn lookups(&self) -> PathBuf {
        self.0.join("lookups")
    }

    /// Returns the file with the tokens of senders of events, hashed.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.0.join("hec-tokens.json")
    }
}

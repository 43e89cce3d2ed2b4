//! Waits until files and folders are on the disk.
//!
//! The store of the library that writes the table leaves that to the system, and a loss of power may take
//! what was written last. A name is on the disk once its folder is synced, too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::TableError;

/// Syncs what belongs to a table.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// What was synced, in order.
    #[cfg(test)]
    pub(super) synced: std::sync::Mutex<Vec<PathBuf>>,
}

impl Disk {
    /// Syncs what belongs to the table in this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            #[cfg(test)]
            synced: std::sync::Mutex::default(),
        }
    }

    /// Waits until files, their names, and those of their folders are on the disk. A file that is no
    /// longer there needs no waiting.
    pub(super) fn sync(&self, files: &[PathBuf]) -> Result<(), TableError> {
        let mut folders = BTreeSet::new();
        for file in files {
            self.sync_one(file)?;
            let above = file.ancestors().skip(1);
            folders.extend(above.take_while(|folder| folder.starts_with(&self.folder)));
        }
        // Those inside come before those that name them.
        folders.into_iter().rev().try_for_each(|folder| self.sync_one(folder))
    }

    /// Waits until the folder of the table has its name on the disk. It may have been created together
    /// with those above it.
    pub(super) fn sync_name(&self) -> Result<(), TableError> {
        for (distance, folder) in self.folder.ancestors().skip(1).enumerate() {
            match self.sync_one(folder) {
                // What is further above can be of others, and cannot be opened then.
                Err(_) if distance > 0 => break,
                synced => synced?,
            }
        }
        Ok(())
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests look at what is synced"))]
    fn sync_one(&self, path: &Path) -> Result<(), TableError> {
        #[cfg(test)]
        if let Ok(mut synced) = self.synced.lock() {
            synced.push(path.to_owned());
        }
        match File::open(path).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced.map_err(|source| TableError::Folder { path: path.to_owned(), source }),
        }
    }
}

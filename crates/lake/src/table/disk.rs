//! Waits until files and folders are on the disk.
//!
//! The store of the library that writes the table leaves that to the system, and a loss of power may take
//! what was written last. A name is on the disk once its folder is synced, too.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::TableError;

/// Syncs what belongs to a table.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// Files of which it is not known that they are on the disk, although syncing them may succeed.
    doubted: Mutex<BTreeSet<PathBuf>>,
    /// What was synced, in order.
    #[cfg(test)]
    pub(super) synced: Mutex<Vec<PathBuf>>,
    /// What cannot be synced.
    #[cfg(test)]
    pub(super) failing: Mutex<BTreeSet<PathBuf>>,
}

impl Disk {
    /// Syncs what belongs to the table in this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            doubted: Mutex::default(),
            #[cfg(test)]
            synced: Mutex::default(),
            #[cfg(test)]
            failing: Mutex::default(),
        }
    }

    /// Waits until files, their names, and those of their folders are on the disk. A file that is no
    /// longer there needs no waiting.
    pub(super) fn sync(&self, files: &[PathBuf]) -> Result<(), TableError> {
        files.iter().try_for_each(|file| self.sync_one(file))?;
        self.sync_folders(files)
    }

    /// Works like [`Disk::sync`] for files that count already, and so cannot be given up.
    ///
    /// The system tells only once that it could not write a file, and takes what it has in memory for what
    /// is on the disk from then on. So such a file is written anew, and takes the place of the first.
    pub(super) fn sync_or_renew(&self, files: &[PathBuf]) -> Result<(), TableError> {
        for file in files {
            let is_doubted = self.doubted().contains(file);
            if is_doubted || self.sync_one(file).is_err() {
                self.doubted().insert(file.clone());
                renew(file).map_err(|source| TableError::Folder { path: file.clone(), source })?;
                self.doubted().remove(file);
            }
        }
        self.sync_folders(files)
    }

    /// Waits until the names of files, and those of their folders, are on the disk.
    fn sync_folders(&self, files: &[PathBuf]) -> Result<(), TableError> {
        let above = files.iter().flat_map(|file| file.ancestors().skip(1));
        let inside = above.filter(|folder| folder.starts_with(&self.folder));
        let folders: BTreeSet<&Path> = inside.collect();
        // Those inside come before those that name them.
        folders.into_iter().rev().try_for_each(|folder| self.sync_one(folder))
    }

    fn doubted(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        // It is whole at any moment.
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
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
        #[cfg(test)]
        if self.failing.lock().is_ok_and(|mut failing| failing.remove(path)) {
            let source = io::Error::other("it fails once");
            return Err(TableError::Folder { path: path.to_owned(), source });
        }
        match File::open(path).and_then(|file| file.sync_all()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced.map_err(|source| TableError::Folder { path: path.to_owned(), source }),
        }
    }
}

/// Puts a copy in the place of a file, once it is on the disk. A copy that is left over, because the process
/// is killed, has a name by which it is deleted later.
fn renew(path: &Path) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("#{}", std::process::id()));
    let copy = PathBuf::from(name);
    let renewed = fs::copy(path, &copy)
        .and_then(|_| File::open(&copy)?.sync_all())
        .and_then(|()| fs::rename(&copy, path));
    match renewed {
        // It stopped to count meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            // There is nothing else to do about a copy that cannot be deleted.
            let _ = fs::remove_file(&copy);
            Err(error)
        }
        Ok(()) => Ok(()),
    }
}

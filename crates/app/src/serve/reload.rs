//! Notices that content files have changed, and loads them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use crate::content::Content;

/// The content that is used now, for whoever does not run detections.
#[derive(Debug, Clone)]
pub struct CurrentContent(Arc<RwLock<Arc<Content>>>);

impl CurrentContent {
    pub(super) fn new(content: Arc<Content>) -> Self {
        Self(Arc::new(RwLock::new(content)))
    }

    /// Returns the content.
    #[must_use]
    pub fn get(&self) -> Arc<Content> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, content: Arc<Content>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = content;
    }
}

/// The files of content folders, each with its size and the time of its last change.
pub(super) type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Returns the files of content folders. What cannot be read is as if it were not there; loading tells.
pub(super) fn files(folders: &[PathBuf]) -> Files {
    let mut found = Files::new();
    for folder in folders {
        add(folder, &mut found);
    }
    found
}

fn add(folder: &Path, found: &mut Files) {
    // The folder of a repository's history changes without its content.
    let is_hidden =
        folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|_| !is_hidden) {
        match entry.metadata() {
            Ok(of_entry) if of_entry.is_dir() => add(&entry.path(), found),
            Ok(of_entry) => {
                found.insert(entry.path(), (of_entry.len(), of_entry.modified().ok()));
            }
            Err(_) => {}
        }
    }
}

//! A folder of content for tests, removed when they end.

use std::fs;
use std::path::PathBuf;

/// A folder in the system's temporary folder.
pub(crate) struct TestFolder(pub(crate) PathBuf);

impl TestFolder {
    /// Creates the folder with files, given by path and text. `name` tells it from those of other
    /// tests.
    pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("content-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

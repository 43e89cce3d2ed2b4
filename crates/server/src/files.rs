//! Files of a server, which are replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable {
    /// Its owner only.
    ByOwner,
    /// Everybody.
    ByAll,
}

/// Replaces a file: whoever reads it finds the old one or the new one, which is on the disk at the end.
pub(crate) fn replace(path: &Path, text: &str, readable: Readable) -> io::Result<()> {
    let beside = path.with_extension("new");
    // One that a killed process left may have another mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        let mode = if readable == Readable::ByOwner { 0o600 } else { 0o644 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The name is on the disk when its folder is.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Replaces a file that only its owner may read. Whoever reads it finds the old one or the new one, which is
/// on the disk at the end.
///
/// # Errors
/// Fails if the file cannot be written. Then the old one is there.
pub fn replace_private(path: &Path, text: &str) -> io::Result<()> {
    replace(path, text, Readable::ByOwner)
}

/// Reads a file; returns `None` if it has more than `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_has_its_own_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.pem");
        let left = folder.path().join("secret.new");
        fs::write(&path, "old").unwrap();
        fs::write(&left, "left by a process that was killed").unwrap();
        replace(&path, "text", Readable::ByOwner).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert!(!left.try_exists().unwrap());
        for (most, expected) in [(3, None), (4, Some(b"text".to_vec()))] {
            assert_eq!(read(&path, most).unwrap(), expected, "{most}");
        }
        replace(&path, "", Readable::ByAll).unwrap();
        assert_eq!(mode(&path) & 0o600, 0o600);
        assert_eq!(read(&path, 0).unwrap(), Some(Vec::new()));
    }
}

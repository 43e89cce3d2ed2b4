//! Opens the files that options name, such as a configuration file or a database.
//!
//! A name is often mistyped, or made by a script. Reading a device may never end, and opening a named
//! pipe waits for who writes to it, so both are refused. The pipe of a shell's `<(…)` has a writer.

use std::fs::{self, File};
use std::io::{self, Error, Read};
use std::path::Path;

use spilltrail_source::file_kind;

/// Where systems keep the files that a process has open, among them the pipes of a shell.
const DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// Opens a file that an option names.
///
/// # Errors
/// Fails if the path leads to something other than a file, or if the file cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    let is_of_a_shell = DESCRIPTORS.iter().any(|folder| path.starts_with(folder));
    let is_endless = !kind.is_file()
        && !(file_kind::can_be_read_once(path, kind)
            && (is_of_a_shell || !is_named_pipe(path, kind)));
    if is_endless {
        return Err(Error::other(format!("expected a file, found {}", file_kind::name(kind))));
    }
    File::open(path)
}

fn is_named_pipe(path: &Path, kind: fs::FileType) -> bool {
    file_kind::is_pipe(kind) && path != Path::new("/dev/stdin")
}

/// Reads a file that an option names and that has at most `limit` bytes.
///
/// # Errors
/// As [`open`], and if the file has more bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    // What has no size yet, such as a pipe, is known to be too large only after reading so much.
    if size <= limit {
        bytes.try_reserve(usize::try_from(size).unwrap_or(usize::MAX))?;
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if size > limit || bytes.len() as u64 > limit {
        return Err(Error::other(format!("it has more than {} MiB", limit >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        for (name, found) in [
            ("pipe", "a named pipe"),
            ("socket", "a socket"),
            ("link", "a device"),
            ("", "a folder"),
            ("/dev/zero", "a device"),
        ] {
            let error = read(&path(name), 10).unwrap_err().to_string();
            assert_eq!(error, format!("expected a file, found {found}"), "{name}");
        }
        assert!(read(&path("none"), 10).is_err());
        assert_eq!(read(Path::new("/dev/null"), 10).unwrap(), b"");
    }

    #[test]
    fn a_file_may_have_as_many_bytes_as_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'a'; 1 << 20]).unwrap();
        assert_eq!(read(&path, 1 << 20).unwrap().len(), 1 << 20);
        fs::write(&path, vec![b'a'; (1 << 20) + 1]).unwrap();
        let error = read(&path, 1 << 20).unwrap_err().to_string();
        assert_eq!(error, "it has more than 1 MiB");
        // Sizes under `/proc` are not told.
        assert!(read(Path::new("/proc/self/maps"), 10).is_err());
    }
}

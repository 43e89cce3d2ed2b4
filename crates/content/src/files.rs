//! Opens files of content folders, which may come from strangers.
//!
//! Only regular files are read, only up to a limit, and only if they are within the content folder:
//! a symbolic link must not lead out of it. Devices and named pipes are never opened, because
//! reading them can block or never end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use spilltrail_diagnostic::{Code, Diagnostic, Span};

/// A content folder, as the boundary that links must not cross.
#[derive(Debug, Clone)]
pub(crate) struct Boundary(PathBuf);

impl Boundary {
    /// Returns the boundary of a folder. The folder itself may be a link, because the user named
    /// it.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        // The parent of a plain file name is empty, and means the working directory.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::canonicalize(folder).map(Self)
    }

    /// Checks that `path` leads to a file within the folder.
    ///
    /// # Errors
    /// The diagnostic names the path and where it leads.
    pub(crate) fn check(&self, path: &Path) -> Result<(), Diagnostic> {
        let target = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        if target.starts_with(&self.0) {
            return Ok(());
        }
        let message = format!(
            "`{}` is a link that leads out of the content folder, to `{}`",
            path.display(),
            target.display()
        );
        Err(Diagnostic::error(Code::UNREADABLE, message)
            .help("put a copy of the file in the folder, or name its own folder with `--content`"))
    }
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Diagnostic> {
    // The kind is checked before the file is opened, because opening a named pipe blocks.
    check_regular(path)?;
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut bytes = Vec::new();
    // The size that the system reports may be wrong: files of `/proc` have none.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > limit {
        let message = format!("`{}` has more than {limit} bytes", path.display());
        let help = "expected a smaller file; split it, or leave it out of the content folder";
        return Err(Diagnostic::error(Code::UNREADABLE, message).help(help));
    }
    Ok(bytes)
}

/// Returns the error about a file that is not text. Its place is the start, so that the file is named.
pub(crate) fn not_text() -> Diagnostic {
    Diagnostic::error(Code::YAML, "the file is not UTF-8 text").at(Span::new(0, 0))
}

/// Checks that `path`, or what it links to, is a regular file.
pub(crate) fn check_regular(path: &Path) -> Result<(), Diagnostic> {
    let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = if kind.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
    let message = format!("`{}` is {what}, expected a file", path.display());
    Err(Diagnostic::error(Code::UNREADABLE, message).help("it is skipped and never opened"))
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::UNREADABLE, format!("`{}`: {error}", path.display()))
}

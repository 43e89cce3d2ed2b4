//! What a path leads to that is neither a file nor a folder.
//!
//! Reading a device may never end, and opening a pipe waits for who writes to it.

use std::fs::FileType;
use std::path::Path;

/// Returns the kind of a file in words, such as "a device".
#[must_use]
pub fn name(kind: FileType) -> &'static str {
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a folder"
    } else if is_pipe(kind) {
        "a named pipe"
    } else if is_socket(kind) {
        "a socket"
    } else {
        "a device"
    }
}

/// Returns true if a path of this kind may be read from its first byte to its last: pipes, what
/// stands for standard input, and the device that is empty.
#[must_use]
pub fn can_be_read_once(path: &Path, kind: FileType) -> bool {
    is_pipe(kind) || path == Path::new("/dev/stdin") || path == Path::new("/dev/null")
}

/// Returns true for pipes, named or not.
#[must_use]
pub fn is_pipe(kind: FileType) -> bool {
    #[cfg(unix)]
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&kind);
    #[cfg(not(unix))]
    let is_pipe = false;
    is_pipe
}

fn is_socket(kind: FileType) -> bool {
    #[cfg(unix)]
    let is_socket = std::os::unix::fs::FileTypeExt::is_socket(&kind);
    #[cfg(not(unix))]
    let is_socket = false;
    is_socket
}

//! Tells whether standard output was open when the program started.
//!
//! Rust's runtime opens `/dev/null` in place of a closed standard output before `main` is called, and
//! writing there succeeds. A hunt would then end with status 0, and nobody would have its findings.

use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Returns true if the program was started without a standard output, as by `>&-` in a shell.
pub(crate) fn was_closed() -> bool {
    WAS_CLOSED.load(Ordering::Relaxed)
}

/// Runs [`look`] before the runtime of Rust starts.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[expect(unsafe_code, reason = "nothing else runs early enough")]
// SAFETY: The linker calls each pointer in this section once, as a C function without arguments that
// are needed, before `main`. `look` has that form, and needs nothing that starts later.
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[used]
static LOOK: extern "C" fn() = look;

#[cfg(any(target_os = "linux", target_os = "macos"))]
extern "C" fn look() {
    #[expect(unsafe_code, reason = "the safe calls need a descriptor that is open")]
    // SAFETY: `fcntl` with `F_GETFD` takes a number, and fails if it is not that of an open file.
    let is_closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    WAS_CLOSED.store(is_closed, Ordering::Relaxed);
}

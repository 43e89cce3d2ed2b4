//! How the system gives memory.

/// Asks for memory in small pages. Where huge ones are to be had the allocator asks for those, and a
/// few bytes in each of its blocks then take two megabytes; nothing here is faster for it.
pub(crate) fn keep_pages_small() {
    #[cfg(target_os = "linux")]
    {
        #[expect(unsafe_code, reason = "there is no safe call for it in the crates that are here")]
        // SAFETY: this call takes integers only and sets a flag of the process; it touches no memory.
        // Where it is not known it fails, and all stays as it was.
        unsafe {
            libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
        }
    }
}

//! The allocator, and memory that goes back to the system.
//!
//! Passes and searches follow each other, on several threads, and need memory of different sizes: what one
//! keeps free in case it needs it again would add to the peak of the next.

/// glibc's own takes the least here, in time and in memory, if all threads share one heap; C libraries
/// that are made to be small have a slow one.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has all threads share one heap, where that is up to the program. Small blocks are each thread's own
/// anyway.
pub(crate) fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    // SAFETY: takes two integers, and sets an option of the allocator, which may be done while no other
    // thread is there: this is the first thing that the program does.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives memory that is free back to the system, where the allocator does not by itself; takes
/// milliseconds.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    // SAFETY: takes an integer, may be called at any time from any thread, and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}

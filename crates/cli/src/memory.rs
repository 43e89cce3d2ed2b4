//! Configures the allocator and returns freed memory to the system.
//!
//! Passes and searches run one after the other, on several threads, with allocations of different
//! sizes. Free memory that the allocator keeps after one of them would add to the peak of the next.

/// Replaces the allocator except with glibc, whose allocator uses the least time and memory here
/// if all threads share one heap. Small C libraries have slow allocators.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Blocks up to this size come from the heap. With less, each column that is read or written comes from the
/// system, which clears its pages anew.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const FROM_HEAP: libc::c_int = 16 << 20;

/// The free memory at the end of the heap from which on it is returned to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 32 << 20;

/// Makes all threads share one heap, if the allocator is glibc's, from which also large blocks come. Small
/// blocks still come from caches of each thread.
pub(crate) fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    // SAFETY: `mallopt` takes two integers and sets an option of the allocator, which is allowed
    // while no other thread exists. The program calls this function before anything else.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_HEAP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Returns free memory to the system, if the allocator does not do so by itself. Takes
/// milliseconds.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "there is no safe call for it")]
    // SAFETY: `malloc_trim` takes an integer, may be called at any time from any thread, and
    // changes only free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

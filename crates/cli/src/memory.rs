//! The allocator, and how soon it gives memory back.

use std::ffi::c_int;

use libmimalloc_sys::mi_option_set;
use mimalloc::MiMalloc;

/// Huge pages are left out (feature `no_thp`): a few bytes in each of the allocator's blocks would take two
/// megabytes each, and nothing here is faster for them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc's `mi_option_e`, which its bindings do not name.
const PURGE_DELAY: c_int = 15;

/// Has memory that is free given back within milliseconds. The passes and the searches of a run follow each
/// other and need memory of other sizes: what one keeps in case it needs it again would add to the peak of
/// the next.
pub(crate) fn give_back_soon() {
    #[expect(unsafe_code, reason = "mimalloc's bindings have no safe call for it")]
    // SAFETY: takes two integers, and sets one of the allocator's options, which may be done at any time
    // while no other thread is there: this is the first thing that the program does.
    unsafe {
        mi_option_set(PURGE_DELAY, 2);
    }
}

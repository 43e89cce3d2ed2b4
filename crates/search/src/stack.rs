//! Threads with stacks large enough for the largest accepted search.
//!
//! A plan is a chain of nodes, and each command adds some. The engine optimizes, translates, runs
//! and drops the chain recursively, so the stack it needs grows with the chain's length. That
//! length is limited ([`spilltrail_spl::MAX_COMMANDS`],
//! [`MAX_STEPS`](crate::planning::plan::MAX_STEPS)). Code that plans, runs or drops searches must
//! do so on a thread from this module.

use std::io;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::Runtime;

/// The stack size, in bytes, of threads that plan, run or drop searches.
///
/// A plan of [`MAX_STEPS`](crate::planning::plan::MAX_STEPS) uses about a quarter of it in a build
/// without optimizations. A page of the stack takes memory only once it is touched, so ordinary
/// searches use no more memory than on a small stack.
pub const STACK_BYTES: usize = 128 << 20;

/// Creates a multi-threaded runtime whose threads have stacks of [`STACK_BYTES`], including its
/// threads for blocking work. Its time and IO drivers are enabled.
///
/// # Errors
/// Fails if the system cannot create a thread.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
}

/// Starts a thread with a stack of [`STACK_BYTES`].
///
/// # Errors
/// Fails if the system cannot create the thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)
}

/// Runs `work` on a thread with a stack of [`STACK_BYTES`] and returns its result. If `work`
/// panics, the panic continues on the calling thread.
///
/// # Errors
/// As [`spawn`].
pub fn call<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let done = spawn("search", work)?.join();
    Ok(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

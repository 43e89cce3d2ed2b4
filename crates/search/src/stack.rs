//! Threads whose stacks have room for the largest search that is accepted.
//!
//! A plan is a chain of nodes, some for each command. The engine optimizes, translates, runs and drops
//! it by recursion, so that the chain's length decides how much stack that takes. The chain is bounded
//! ([`spilltrail_spl::MAX_COMMANDS`], [`MAX_STEPS`](crate::planning::plan::MAX_STEPS)), and whatever plans, runs or
//! drops searches does so on a thread made here.

use std::io;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::Runtime;

/// The stack of a thread that searches are planned, run or dropped on, in bytes.
///
/// A plan of [`MAX_STEPS`](crate::planning::plan::MAX_STEPS) takes about a quarter of it in a build without
/// optimizations. A page of it takes memory once it is touched, so that ordinary searches take no more
/// than on a small stack.
pub const STACK_BYTES: usize = 128 << 20;

/// Makes a runtime of several threads, all of them with a stack of [`STACK_BYTES`], those for work that
/// blocks included. Its drivers of time and IO are enabled.
///
/// # Errors
/// Fails if the system refuses a thread.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
}

/// Starts a thread with a stack of [`STACK_BYTES`].
///
/// # Errors
/// Fails if the system refuses the thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work)
}

/// Does `work` on a thread with a stack of [`STACK_BYTES`] and returns what it gives; a panic goes on
/// here.
///
/// # Errors
/// As [`spawn`].
pub fn call<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let done = spawn("search", work)?.join();
    Ok(done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

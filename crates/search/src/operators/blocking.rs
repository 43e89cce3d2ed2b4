//! Runs work that waits for a disk on a thread that also runs async tasks.
//!
//! `source::blocking` is a copy of this function: neither crate may depend on the other, and the
//! crates that both depend on do not use tokio.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs work that may wait for a disk, and returns its result.
///
/// On a multi-threaded runtime, another thread takes over this thread's tasks in the meantime.
/// Elsewhere the work just runs: the thread belongs to the caller, and no other task needs it.
pub(crate) fn blocking<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn work_is_done_on_every_kind_of_thread() {
        assert_eq!(blocking(|| 1), 1);
        let single = Builder::new_current_thread().build().unwrap();
        assert_eq!(single.block_on(async { blocking(|| 2) }), 2);
        let several = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert_eq!(several.block_on(async { blocking(|| 3) }), 3);
        let (sender, waiting) = std::sync::mpsc::channel();
        let other = several.spawn(async move {
            // Another task of the only worker thread ends this wait.
            blocking(|| waiting.recv().unwrap())
        });
        several.spawn(async move { sender.send(4).unwrap() });
        assert_eq!(several.block_on(other).unwrap(), 4);
    }
}

//! Work that waits for a disk, where tasks run.
//!
//! `source::blocking` is the same function: neither crate may use the other, and the crates that both
//! use do without tokio.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Does work that may wait for a disk. On a runtime of several threads, another thread goes on with the
/// tasks of this one meanwhile; elsewhere the thread is the caller's own, and nobody waits for it.
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
            // Another task of the only thread ends this wait.
            blocking(|| waiting.recv().unwrap())
        });
        several.spawn(async move { sender.send(4).unwrap() });
        assert_eq!(several.block_on(other).unwrap(), 4);
    }
}

//! Pulls objects from a queue: the caller takes batches, stores them and says so; everything about
//! messages happens behind that.
//!
//! - A message is deleted only when all its objects are stored, and never if a part of it cannot be
//!   read.
//! - A message is held longer, at half of its time, while one of its objects is out or waits.
//! - An object that several messages name is handed out once, while it is being stored and for as long
//!   as it is among those that were stored last.
//! - Objects that are out, messages that are held and what is remembered are bounded.

mod batch;
mod held;
mod jobs;
mod keeper;
mod note;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Queue, QueueError};
use held::{Holding, LONGEST_RETURN, Limits};
use keeper::Shared;

pub use batch::Batch;
pub use note::{Counts, Note, Observer};

/// The most objects that a puller may have out.
pub const MOST_OUT: usize = 1000;

/// The most objects that a puller may remember.
pub const MOST_WINDOW: usize = 1_000_000;

/// How much is pulled at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullOptions {
    /// The most objects that are out with the caller, in all batches; from 1 to [`MOST_OUT`].
    pub most_out: usize,
    /// The most objects of a batch; from 1.
    pub most_batch: usize,
    /// How many objects that were stored are remembered; up to [`MOST_WINDOW`], each with its key in
    /// memory.
    pub window: usize,
    /// After which time an object that failed comes again for the first time, up to 15 minutes. It
    /// doubles each time, up to 15 minutes. With none it comes at once, until the queue gives up.
    pub retry_after: Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { most_out: 100, most_batch: 20, window: 10_000, retry_after: Duration::from_secs(10) }
    }
}

/// Pulls objects from a queue, with two tasks of the runtime.
pub struct Puller {
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
    /// Stops both tasks when this is dropped.
    _guard: DropGuard,
}

impl fmt::Debug for Puller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Puller").field("queue", &self.shared.queue).finish_non_exhaustive()
    }
}

impl Puller {
    /// Starts to pull. Nothing is received before the first call of [`next`](Self::next). `observer` is
    /// told what is no object; `stop` ends everything within a second.
    ///
    /// It must be called within a runtime of tokio.
    ///
    /// # Errors
    /// Fails if an option cannot be used.
    pub fn start(
        queue: Queue,
        options: PullOptions,
        stop: &CancellationToken,
        observer: Observer,
    ) -> Result<Self, QueueError> {
        let refused = |option, expected| Err(QueueError::Option { option, expected });
        if !(1..=MOST_OUT).contains(&options.most_out) {
            return refused("most_out", "a number of objects from 1 to 1000");
        }
        if options.most_batch == 0 {
            return refused("most_batch", "at least one object");
        }
        if options.window > MOST_WINDOW {
            return refused("window", "a number of objects up to 1000000");
        }
        if options.retry_after > LONGEST_RETURN {
            return refused("retry_after", "at most 15 minutes");
        }
        let limits = Limits {
            most_out: options.most_out,
            most_batch: options.most_batch,
            window: options.window,
            visibility: queue.visibility(),
            retry_after: options.retry_after,
        };
        let shared = Arc::new(Shared::new(queue, Holding::new(limits), observer));
        let stop = stop.child_token();
        let tasks = [
            tokio::spawn(keeper::receive(Arc::clone(&shared), stop.clone())),
            tokio::spawn(keeper::keep(Arc::clone(&shared), stop.clone())),
        ];
        let guard = stop.clone().drop_guard();
        Ok(Self { shared, stop, tasks, _guard: guard })
    }

    /// Waits for objects. Returns `None` when pulling has been stopped. The future can be dropped:
    /// nothing is lost with it.
    ///
    /// # Errors
    /// Tells that the queue cannot be used now. The caller decides whether to go on
    /// ([`QueueError::is_retry`]); if it does, the queue is asked again after a while, which is longer
    /// each time.
    pub async fn next(&mut self) -> Result<Option<Batch>, QueueError> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            {
                let mut holding = self.shared.lock();
                if holding.is_closed {
                    return Ok(None);
                }
                if let Some(error) = holding.error.take() {
                    return Err(error);
                }
                let taken = holding.take();
                if !taken.is_empty() {
                    return Ok(Some(Batch::new(taken, Arc::clone(&self.shared))));
                }
                holding.is_wanted = true;
            }
            self.shared.wake_receiver();
            tokio::select! {
                () = self.stop.cancelled() => return Ok(None),
                () = self.shared.for_caller.notified() => {}
            }
        }
    }

    /// Returns what was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts.clone()
    }

    /// Stops pulling, and waits until messages are given back or deleted, at most a second. Batches
    /// that are out can be stored meanwhile, for half of it.
    pub async fn finish(self) -> Counts {
        self.stop.cancel();
        for task in self.tasks {
            // A task that has panicked has told so.
            let _ = task.await;
        }
        self.shared.lock().counts.clone()
    }
}

//! Work on files, which can be on a disk or a server that does not answer.
//!
//! It is done on threads that may wait, one at a time for each path and in the order of the calls. A
//! call that hangs cannot be ended, and keeps its thread. So that there is only one for each path, and
//! nothing is written twice behind the back of who gave up, no other work begins on a path before that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::{DeliveryError, Reason};

/// Whose turn it is, for each path that is in use.
#[derive(Debug, Default)]
pub(crate) struct Files {
    turns: Mutex<HashMap<PathBuf, Turn>>,
}

#[derive(Debug, Default)]
struct Turn {
    /// Held by the work itself, also when nobody waits for it any more.
    lock: Arc<tokio::sync::Mutex<()>>,
    /// True if nobody waits for the work that was begun last.
    is_left: bool,
}

impl Files {
    /// Does work on a file when it is its turn.
    ///
    /// # Errors
    /// [`Reason::Busy`], [`Reason::Hangs`] or [`Reason::Interrupted`]; all can pass. After
    /// [`Reason::Hangs`], the work may still be done.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        path: &Path,
        limit: Duration,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Result<T, DeliveryError> {
        let end = Instant::now() + limit;
        let (lock, is_left) = self.turn(path);
        let held = if is_left {
            // It has had its time.
            lock.try_lock_owned().ok()
        } else {
            timeout_at(end, lock.lock_owned()).await.ok()
        };
        let failed = |reason: fn(PathBuf) -> Reason| DeliveryError::retry(reason(path.to_owned()));
        let held = held.ok_or_else(|| failed(|path| Reason::Busy { path }))?;
        self.set_left(path, false);
        let task = tokio::task::spawn_blocking({
            let path = path.to_owned();
            move || {
                let done = work(&path);
                drop(held);
                done
            }
        });
        let mut waiting = Waiting { files: self, path, task: task.abort_handle(), is_ended: false };
        let ended = timeout_at(end, task).await;
        waiting.is_ended = ended.is_ok();
        let ended = ended.map_err(|_| failed(|path| Reason::Hangs { path }))?;
        // It panicked, or the runtime ends.
        ended.map_err(|_| failed(|path| Reason::Interrupted { path }))
    }

    /// Returns the lock of a path, and whether the work that holds it was left.
    fn turn(&self, path: &Path) -> (Arc<tokio::sync::Mutex<()>>, bool) {
        let mut turns = self.turns();
        // Those that nobody holds or waits for.
        turns.retain(|_, turn| Arc::strong_count(&turn.lock) > 1);
        let turn = turns.entry(path.to_owned()).or_default();
        (Arc::clone(&turn.lock), turn.is_left)
    }

    fn set_left(&self, path: &Path, is_left: bool) {
        if let Some(turn) = self.turns().get_mut(path) {
            turn.is_left = is_left;
        }
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<PathBuf, Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for work, and may be dropped before it ends.
struct Waiting<'a> {
    files: &'a Files,
    path: &'a Path,
    task: AbortHandle,
    is_ended: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_ended {
            // Work that has not begun does not begin any more.
            self.task.abort();
            self.files.set_left(self.path, true);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::Clients;

    /// Begins work on a path that hangs until the sender is dropped, and gives up on it.
    pub(crate) async fn hang(clients: &Clients, path: &Path) -> mpsc::Sender<()> {
        let (sender, receiver) = mpsc::channel();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let work = clients.files.run(path, Duration::from_hours(1), move |_| {
            begun.send(()).unwrap();
            // It ends when the sender is dropped.
            receiver.recv().unwrap_err();
        });
        tokio::select! {
            _ = work => panic!("it hangs"),
            begun = has_begun => begun.unwrap(),
        }
        sender
    }

    #[tokio::test]
    async fn work_that_was_left_keeps_others_away_until_it_ends() {
        let clients = Clients::for_tests(&[]);
        let (path, other) = (Path::new("/a"), Path::new("/b"));
        let sender = hang(&clients, path).await;
        let limit = Duration::from_hours(1);
        for _ in 0..3 {
            let error = clients.files.run(path, limit, |_| ()).await.unwrap_err();
            assert!(error.is_retry());
            assert_eq!(error.to_string(), "an earlier attempt at file `/a` has not ended");
        }
        assert_eq!(clients.files.run(other, limit, |_| 1).await.unwrap(), 1);
        let (lock, _) = clients.files.turn(path);
        drop(sender);
        drop(lock.lock().await);
        assert_eq!(clients.files.run(path, limit, |_| 1).await.unwrap(), 1);
        assert_eq!(clients.files.turns().len(), 1, "only the last is remembered");
    }

    #[tokio::test]
    async fn time_is_limited_and_panics_end_only_their_work() {
        let files = Files::default();
        let path = Path::new("/a");
        let (sender, receiver) = mpsc::channel::<()>();
        let limit = Duration::from_millis(20);
        let error =
            files.run(path, limit, move |_| receiver.recv().unwrap_err()).await.unwrap_err();
        assert!(matches!(error.reason(), Reason::Hangs { .. }), "{error}");
        let (lock, is_left) = files.turn(path);
        assert!(is_left);
        drop(sender);
        drop(lock.lock().await);
        let limit = Duration::from_hours(1);
        let error = files.run(path, limit, |_| panic!("on purpose")).await.unwrap_err();
        assert!(error.is_retry(), "{error}");
        files.run(path, limit, |_| ()).await.unwrap();
    }
}

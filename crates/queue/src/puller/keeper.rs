//! The two tasks of a puller: one receives messages, the other holds, deletes and gives them back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::held::{Ask, Holding, Next, backoff};
use super::note::{Note, Observer};
use crate::error::QueueError;
use crate::message::Receipt;
use crate::{Queue, notice};

/// How long the caller has after the signal to stop, for objects that it is storing.
const GRACE: Duration = Duration::from_millis(500);

/// How long the last requests may take.
const LAST_REQUESTS: Duration = Duration::from_millis(400);

/// How many requests are sent at the same time.
const MOST_REQUESTS: usize = 8;

/// The least time between two requests that bring nothing: a server may not wait for messages.
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// What the caller and both tasks share.
pub(super) struct Shared {
    holding: Mutex<Holding>,
    pub(super) queue: Queue,
    observer: Observer,
    pub(super) for_caller: Notify,
    for_receiver: Notify,
    for_keeper: Notify,
}

/// Closes what is shared when a task ends, however it ends: the caller would wait for ever.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.with(|holding| holding.close(Instant::now()));
    }
}

impl Shared {
    pub(super) fn new(queue: Queue, holding: Holding, observer: Observer) -> Self {
        Self {
            holding: Mutex::new(holding),
            queue,
            observer,
            for_caller: Notify::new(),
            for_receiver: Notify::new(),
            for_keeper: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Holding> {
        // A state is whole between two statements of ours.
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the task that receives.
    pub(super) fn wake_receiver(&self) {
        self.for_receiver.notify_one();
    }

    /// Changes the state, and wakes all who may have something to do now.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Holding) -> T) -> T {
        let changed = change(&mut self.lock());
        self.for_caller.notify_one();
        self.for_receiver.notify_one();
        self.for_keeper.notify_one();
        changed
    }

    fn tell(&self, notes: impl IntoIterator<Item = Note>) {
        for note in notes {
            (self.observer)(note);
        }
    }

    fn failed(&self, error: QueueError) {
        self.with(|holding| holding.error = Some(error));
    }

    /// Sends one request, and notes what came of it.
    async fn send(&self, asks: Vec<Ask>) {
        let began = Instant::now();
        let receipts = asks.iter().map(|ask| ask.receipt.clone());
        let times = asks.iter().filter_map(|ask| match ask.next {
            Next::Hold => Some(self.queue.visibility()),
            Next::Return(delay) => Some(delay),
            Next::Delete => None,
        });
        let changes: Vec<(Receipt, Duration)> = receipts.clone().zip(times).collect();
        // The messages of a request are all of one kind.
        let answer = if changes.is_empty() {
            self.queue.delete(&receipts.collect::<Vec<_>>()).await
        } else {
            self.queue.hold(&changes).await
        };
        let now = Instant::now();
        let notes = self.with(|holding| {
            let outcomes = asks.iter().enumerate().map(|(index, ask)| {
                let outcome = match &answer {
                    Ok(rejected) => match rejected.iter().find(|other| other.index == index) {
                        None => Ok(()),
                        Some(rejected) => Err((rejected.code.as_str(), rejected.is_final)),
                    },
                    Err(_) => Err(("", false)),
                };
                (ask, outcome)
            });
            let notes = outcomes
                .filter_map(|(ask, outcome)| holding.answered(ask, outcome, began, now))
                .collect::<Vec<_>>();
            if let Err(error) = answer.as_ref() {
                holding.error = Some(error.clone());
            }
            notes
        });
        self.tell(notes);
    }

    /// Sends everything that is due.
    async fn send_due(&self) {
        let requests = self.lock().requests(Instant::now());
        let sending = futures::stream::iter(requests).map(|request| self.send(request));
        sending.buffer_unordered(MOST_REQUESTS).for_each(|()| std::future::ready(())).await;
    }
}

/// Receives messages while the caller wants objects and there is room for them.
pub(super) async fn receive(shared: Arc<Shared>, stop: CancellationToken) {
    let _closing = Closing(Arc::clone(&shared));
    let mut failures = 0;
    loop {
        let room = shared.lock().room();
        if room == 0 {
            tokio::select! {
                () = stop.cancelled() => return,
                () = shared.for_receiver.notified() => continue,
            }
        }
        let began = Instant::now();
        let received = tokio::select! {
            () = stop.cancelled() => return,
            received = shared.queue.receive(room) => received,
        };
        let pause = match received {
            Ok(messages) => {
                if std::mem::take(&mut failures) > 0 {
                    shared.tell([Note::Reached]);
                }
                let now = Instant::now();
                let is_empty = messages.is_empty();
                let read = messages.into_iter().map(|message| {
                    let notice = notice::read(&message.body);
                    (message, notice)
                });
                let read = read.collect();
                let notes = shared.with(|holding| holding.add(read, now));
                shared.tell(notes);
                if is_empty { LEAST_WAIT.saturating_sub(began.elapsed()) } else { Duration::ZERO }
            }
            Err(error) => {
                failures += 1;
                // Somebody has to change something, which takes a while.
                let pause = if error.is_retry() { backoff(failures) } else { backoff(u32::MAX) };
                shared.failed(error);
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// Holds messages while their objects are stored, deletes them then, and gives back the others. After
/// the signal to stop it ends within a second.
pub(super) async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let closing = Closing(Arc::clone(&shared));
    while !stop.is_cancelled() {
        let due = shared.lock().due();
        let is_due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.for_keeper.notified() => {}
            () = is_due => {}
        }
        tokio::select! {
            // A request that is dropped here is sent again below.
            () = stop.cancelled() => break,
            () = shared.send_due() => {}
        }
    }
    drop(closing);
    let end = Instant::now() + GRACE;
    while Instant::now() < end {
        // A request that is dropped at the end is sent again below.
        let _ = timeout_at(end, shared.send_due()).await;
        if shared.lock().is_empty() {
            return;
        }
        tokio::select! {
            () = sleep_until(end) => {}
            () = shared.for_keeper.notified() => {}
        }
    }
    shared.with(|holding| holding.abandon(Instant::now()));
    // Who does not answer in time keeps the messages until their timeout.
    let _ = timeout(LAST_REQUESTS, shared.send_due()).await;
}

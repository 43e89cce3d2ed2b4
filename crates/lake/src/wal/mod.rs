//! The log of arriving events: batches that are not in a table yet, in a SQLite file.
//!
//! SQLite's own log makes transactions whole: after a crash or a loss of power, a commit is there with
//! all its batches and marks, or nothing of it is. With `synchronous=FULL`, it is on the disk before
//! [`Wal::append`] answers. Many commits share a transaction, and so one wait for the disk.

mod form;
mod pending;
mod reader;
#[cfg(test)]
mod tests;
mod torn;
mod writer;

use std::fs::{File, TryLockError};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::arrival::Arrival;
use crate::batch::Batch;
use crate::error::WalError;
pub use reader::{ListedBatch, StoredBatch, WalReader, WalSize};
use writer::{Order, Writer};

/// How the log of arriving events is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalOptions {
    /// The most bytes of commits, batches compressed, that may wait to be stored; more are refused as
    /// [`WalError::Busy`].
    pub most_waiting: usize,
    /// The most bytes of commits that share a transaction, apart from a commit that alone has more.
    pub most_together: usize,
    /// The most pages that the file may have; `None` for as many as the disk has room for.
    pub most_pages: Option<u32>,
}

impl Default for WalOptions {
    fn default() -> Self {
        Self { most_waiting: 64 << 20, most_together: 8 << 20, most_pages: None }
    }
}

/// Batches and marks that are stored together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The batches, in order.
    pub batches: Vec<Batch>,
    /// The marks, such as how far a file was read.
    pub marks: Vec<Mark>,
    /// When the batches arrived, in microseconds since the epoch.
    pub received: i64,
}

impl Commit {
    /// Returns the bytes that it has in memory, about.
    fn bytes(&self) -> usize {
        let batches =
            self.batches.iter().map(|batch| size_of::<Batch>() + batch.compressed_bytes());
        let marks = self.marks.iter();
        let marks = marks.map(|mark| size_of::<Mark>() + mark.key.len() + mark.value.len());
        size_of::<Self>() + batches.chain(marks).sum::<usize>()
    }
}

/// A value under a key, which replaces one under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// The numbers of batches; `None` for none.
pub type Numbers = Option<RangeInclusive<u64>>;

/// The answer to a commit, once it is on the disk: the numbers of its batches. Await it, or call
/// `blocking_recv` outside of a runtime.
pub type Appended = oneshot::Receiver<Result<Numbers, WalError>>;

/// When events of an index happened that come into the table: the index, and stretches of time as in
/// [`Arrival`].
pub type Arriving = (String, Vec<(i64, i64)>);

/// The answer to what is added straight to the table, once it is on the disk: its number.
pub type Pended = oneshot::Receiver<Result<u64, WalError>>;

/// The answer to another change of the log, once it is on the disk.
pub type Removed = oneshot::Receiver<Result<(), WalError>>;

/// The only writer of a log of arriving events.
///
/// Dropping it stores what waits, and closes the file.
#[derive(Debug)]
pub struct Wal {
    path: PathBuf,
    most_waiting: usize,
    waiting: Arc<AtomicUsize>,
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// Held as long as this process may write.
    _lock: File,
}

impl Wal {
    /// Opens the log in a file, which is created if it is not there.
    ///
    /// # Errors
    /// Fails if another process writes to it, if it is of a newer version of the program, or if it
    /// cannot be opened.
    pub fn open(path: &Path, options: WalOptions) -> Result<Self, WalError> {
        let lock = locked(path)?;
        check_log(path)?;
        let connection = form::open_to_write(path, options)?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let (orders, received) = channel();
        let counter = waiting.clone();
        let writer = Writer::new(connection, path.to_owned());
        let work = move || writer.run(&received, &counter, options.most_together);
        let thread = std::thread::Builder::new().name("wal".to_owned()).spawn(work);
        let thread = thread.map_err(|error| WalError::Form {
            path: path.to_owned(),
            reason: format!("no thread can be started: {error}"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            most_waiting: options.most_waiting,
            waiting,
            orders: Some(orders),
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores a commit. The answer comes when it is on the disk.
    ///
    /// # Errors
    /// Fails with [`WalError::Busy`] if too much waits already, however small the commit is. A commit
    /// that alone has more than may wait is taken if nothing else waits.
    pub fn append(&self, commit: Commit) -> Result<Appended, WalError> {
        let bytes = commit.bytes();
        let reserve = |waiting: usize| {
            let all = waiting.saturating_add(bytes);
            (waiting == 0 || all <= self.most_waiting).then_some(all)
        };
        let reserved = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reserve);
        reserved.map_err(|_| WalError::Busy)?;
        let (answer, answered) = oneshot::channel();
        self.order(Order::Append { commit, bytes, answer }).inspect_err(|_| {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        })?;
        Ok(answered)
    }

    /// Returns true if less than a tenth is left of what may wait.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > self.most_waiting - self.most_waiting / 10
    }

    /// Takes the next number for rows that come straight into the table, and keeps marks under it that
    /// count once the table has that number: from [`remove_up_to`](Self::remove_up_to) or
    /// [`settle`](Self::settle) on. It also [notes](Self::note) when the events happened.
    ///
    /// The answer is [`WalError::Unsettled`] if there are batches, or marks under an earlier number. So the
    /// table cannot go past what it lacks, and marks never count with the rows of others.
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn pend(&self, marks: Vec<Mark>, arrivals: Vec<Arriving>) -> Result<Pended, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Pend { marks, arrivals, answer })?;
        Ok(answered)
    }

    /// Tells the log what the table has, after it was not known: marks that were kept for its numbers up to
    /// `last` count now, and those for later ones are dropped, since their rows did not come. The batches
    /// up to `last` are removed.
    ///
    /// A log that has not given out so many numbers yet goes on after `last`. If it has batches, they are
    /// not those that the table has, and the answer is [`WalError::Behind`].
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn settle(&self, last: u64) -> Result<Removed, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Settle { last, answer })?;
        Ok(answered)
    }

    /// Removes the batches up to this number, and lets the marks count that were [kept](Self::pend) for it.
    /// Call it when they are stored elsewhere. They are still there if the answer is an error. Their room
    /// is given back to the disk later, some at a time.
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn remove_up_to(&self, number: u64) -> Result<Removed, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Remove { up_to: number, answer })?;
        Ok(answered)
    }

    /// Puts a damaged batch where [`WalReader::after`] does not find it and nothing removes it.
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn set_aside(&self, number: u64) -> Result<Removed, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::SetAside { number, answer })?;
        Ok(answered)
    }

    /// Stores when events happened that come into the table. Call it before they do: so nothing that is
    /// there was never told of.
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn note(&self, arrivals: Vec<Arrival>) -> Result<Removed, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Note { arrivals, answer })?;
        Ok(answered)
    }

    /// Removes what [`note`](Self::note) stored of batches up to this number, once nobody needs it.
    ///
    /// # Errors
    /// Fails if the log is closed.
    pub fn forget(&self, number: u64) -> Result<Removed, WalError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Forget { up_to: number, answer })?;
        Ok(answered)
    }

    fn order(&self, order: Order) -> Result<(), WalError> {
        let orders = self.orders.as_ref().ok_or(WalError::Closed)?;
        orders.send(order).map_err(|_| WalError::Closed)
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        // The thread ends when it has done what waits and no more can come.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            let _ = thread.join();
        }
    }
}

/// Refuses SQLite's own log if it was damaged: who opens it would lose what is behind.
fn check_log(path: &Path) -> Result<(), WalError> {
    let unreadable =
        |error: std::io::Error| WalError::Form { path: path.to_owned(), reason: error.to_string() };
    match torn::damage(path).map_err(unreadable)? {
        None => Ok(()),
        Some(torn::Damage { path, offset, transactions }) => {
            Err(WalError::Damaged { path, offset, transactions })
        }
    }
}

/// Returns whether a process holds the lock of writers.
fn is_written(path: &Path) -> bool {
    let lock = File::open(lock_of(path));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// Takes the lock that makes this process the only writer.
fn locked(path: &Path) -> Result<File, WalError> {
    let beside = lock_of(path);
    let failed =
        |error: &std::io::Error| WalError::Form { path: beside.clone(), reason: error.to_string() };
    let file = File::options().create(true).truncate(false).write(true).open(&beside);
    let file = file.map_err(|error| failed(&error))?;
    let mut tries = 0;
    let mut lock = file.try_lock();
    // Who looks whether somebody has it holds it for a moment.
    while matches!(lock, Err(TryLockError::WouldBlock)) && tries < 10 {
        std::thread::sleep(Duration::from_millis(10));
        lock = file.try_lock();
        tries += 1;
    }
    match lock {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(WalError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

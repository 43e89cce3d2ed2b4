//! The lock of the one writer of runs and findings.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use crate::error::StoreError;

/// Returns whether a process holds the lock: a server works with the file.
pub(crate) fn is_taken(path: &Path) -> bool {
    let lock = File::open(path.with_extension("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Takes the lock that makes this process the only writer, until the file is dropped.
pub(crate) fn take(path: &Path) -> Result<File, StoreError> {
    let beside = path.with_extension("lock");
    let failed = |error: &std::io::Error| StoreError::Form {
        path: beside.clone(),
        reason: error.to_string(),
    };
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
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(&error)),
    }
}

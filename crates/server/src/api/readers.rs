//! Reading the store beside requests: on threads that may block, a few at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spilltrail_store::{Desk, StoreError, StoreReader};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::errors::{ApiError, Code};

/// How many readers there are at most.
const READERS: usize = 4;

/// For how long a request waits for a reader.
const PATIENCE: Duration = Duration::from_secs(10);

/// Readers of the store, which are opened when they are needed and kept; and the desk, by which it is changed.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<StoreReader>>,
    places: Arc<Semaphore>,
    desk: Arc<Mutex<Option<Desk>>>,
    desk_place: Arc<Semaphore>,
}

impl Readers {
    /// Reads the store in a file, which must be there when the first request comes.
    #[must_use]
    pub fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(READERS)),
            desk: Arc::default(),
            desk_place: Arc::new(Semaphore::new(1)),
        })
    }

    /// Reads the store.
    ///
    /// # Errors
    /// Fails if the store cannot be read, or if too many requests wait for it.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&StoreReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = place(&self.places).await?;
        let readers = self.clone();
        let work = spawn_blocking(move || {
            // Whoever asked may be gone, but its place is taken until its work is done.
            let _place = place;
            let idle = || readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = idle().pop();
            let reader = kept.map_or_else(|| StoreReader::open(&readers.path), Ok)?;
            let found = read(&reader)?;
            // One that has failed is not kept.
            idle().push(reader);
            Ok(found)
        });
        work.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| of_store(&error))
    }

    /// Does other work that may block, in the place of a reader.
    ///
    /// # Errors
    /// Fails if the work ends with a panic, or if too many requests wait.
    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = place(&self.places).await?;
        let work = spawn_blocking(move || {
            let _place = place;
            work()
        });
        work.await.map_err(|error| ApiError::internal(&error))
    }

    /// Changes the store. Changes come one after the other.
    ///
    /// # Errors
    /// Fails if the store cannot be changed in this way, or if too many requests wait for it.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let place = place(&self.desk_place).await?;
        let readers = self.clone();
        let work = spawn_blocking(move || {
            let _place = place;
            let mut kept = readers.desk.lock().unwrap_or_else(PoisonError::into_inner);
            let mut desk = kept.take().map_or_else(|| Desk::open(&readers.path), Ok)?;
            let changed = change(&mut desk);
            *kept = Some(desk);
            changed
        });
        work.await.map_err(|error| ApiError::internal(&error))?.map_err(|error| of_store(&error))
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<tokio::sync::OwnedSemaphorePermit, ApiError> {
    let place = timeout(PATIENCE, places.clone().acquire_owned()).await;
    let place = place.map_err(|_| ApiError::plain(Code::Busy))?;
    Ok(place.expect("nobody closes the semaphore"))
}

/// Returns the error that a client is told.
fn of_store(error: &StoreError) -> ApiError {
    let code = match error {
        StoreError::NoSchedule { .. }
        | StoreError::NoFinding { .. }
        | StoreError::NoEntry { .. }
        | StoreError::NoDelivery { .. } => Code::NotFound,
        StoreError::ShortId { .. }
        | StoreError::AmbiguousId { .. }
        | StoreError::EmptyChange
        | StoreError::NoUrgency
        | StoreError::Cursor { .. }
        | StoreError::Wildcards { .. } => Code::BadRequest,
        StoreError::DiskFull | StoreError::Busy | StoreError::Locked { .. } => {
            return ApiError::plain(Code::Busy).because(error);
        }
        other => return ApiError::internal(other),
    };
    ApiError::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_way_may_be_tried_again() {
        let path = || PathBuf::from("store.sqlite");
        let reason = || "it has another form".to_owned();
        for (error, status, is_retried) in [
            (StoreError::Busy, 503, true),
            (StoreError::Locked { path: path() }, 503, true),
            (StoreError::DiskFull, 503, true),
            (StoreError::Form { path: path(), reason: reason() }, 500, false),
            (StoreError::Damaged { what: "schedule", reason: reason() }, 500, false),
            (StoreError::NoEntry { id: 1 }, 404, false),
            (StoreError::EmptyChange, 400, false),
        ] {
            let found = of_store(&error);
            assert_eq!((found.code.status(), found.retry_after.is_some()), (status, is_retried));
            // What the server has to look into is in its log.
            let cause = (status >= 500).then(|| error.to_string());
            assert_eq!(found.cause, cause, "{error}");
        }
    }
}

//! A bucket, and the retry loop for all requests to it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::aws::AmazonS3;

use super::failure::{Failure, Patience};
use super::options::Settled;
use super::refusal::{NoCredentials, Refusal, find};
use super::silence::Listener;
use super::throttle::Slot;
use super::{Io, SCHEME};

/// A bucket of S3.
#[derive(Debug)]
pub(crate) struct Bucket {
    name: String,
    settled: Settled,
    /// Replaced if the bucket turns out to be in another region.
    store: Mutex<Arc<AmazonS3>>,
    pub(super) io: Arc<Io>,
    patience: Patience,
}

impl Bucket {
    pub(super) fn new(
        name: &str,
        io: Arc<Io>,
        settled: Settled,
        patience: Patience,
    ) -> Result<Self, Failure> {
        let is_fit = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_fit) {
            return Err(Failure::Unusable(format!("`{name}` is not the name of a bucket")));
        }
        let store = build(&settled, name, None)?;
        Ok(Self { name: name.to_owned(), settled, store: Mutex::new(store), io, patience })
    }

    /// Returns the key of the object with this name.
    pub(crate) fn key_of<'a>(&self, name: &'a str) -> &'a str {
        let key = name.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix(&self.name));
        key.and_then(|key| key.strip_prefix('/')).unwrap_or(name)
    }

    /// Returns the name of an object, or of a prefix, with this key.
    pub(crate) fn name_of(&self, key: &str) -> String {
        format!("{SCHEME}{}/{key}", self.name)
    }

    pub(crate) fn io(&self) -> &Io {
        &self.io
    }

    pub(super) fn store(&self) -> Arc<AmazonS3> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn move_to(&self, region: &str) -> Result<(), Failure> {
        let store = build(&self.settled, &self.name, Some(region))?;
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = store;
        Ok(())
    }

    /// Repeats a request until it succeeds or a retry would be useless.
    pub(super) async fn persist<T, F>(
        &self,
        mut request: impl FnMut(Arc<AmazonS3>) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut attempts = Attempts::new(self);
        loop {
            let slot = attempts.begin().await;
            match attempts.wait(request(self.store())).await? {
                Ok(result) => {
                    attempts.heard();
                    slot.succeeded();
                    return Ok(result);
                }
                Err(error) => attempts.failed(slot, Setback::Error(error)).await?,
            }
        }
    }
}

fn build(settled: &Settled, name: &str, region: Option<&str>) -> Result<Arc<AmazonS3>, Failure> {
    let store = settled.bucket(name, region).build();
    store.map(Arc::new).map_err(|error| Failure::Unusable(error.to_string()))
}

/// Why one attempt failed.
#[derive(Debug)]
pub(super) enum Setback {
    Error(object_store::Error),
    /// The body ended early, without an error.
    Cut {
        got: u64,
        size: u64,
    },
}

/// The state of the attempts at one request.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    bucket: &'a Bucket,
    /// Failures since an attempt last received data.
    failures: u32,
    has_moved: bool,
    listener: Listener,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(bucket: &'a Bucket) -> Self {
        Self { bucket, failures: 0, has_moved: false, listener: Listener::default() }
    }

    /// Waits for a slot for the next attempt.
    pub(super) async fn begin(&self) -> Slot<'a> {
        self.bucket.io.throttle.enter().await
    }

    /// Waits for the server, which may have been silent for too long.
    pub(super) async fn wait<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let bucket = self.bucket;
        bucket.io.silence.wait(&mut self.listener, &bucket.name, answer).await
    }

    /// Records that the server answered.
    pub(super) fn heard(&mut self) {
        self.bucket.io.silence.heard(&mut self.listener, &self.bucket.name);
    }

    /// Resets the count of failures, because data has arrived.
    pub(super) fn progressed(&mut self) {
        self.heard();
        self.failures = 0;
    }

    /// Waits before the next attempt, or returns the failure if no retry is allowed.
    pub(super) async fn failed(&mut self, slot: Slot<'_>, setback: Setback) -> Result<(), Failure> {
        let failure = match setback {
            Setback::Cut { got, size } => {
                drop(slot);
                Failure::Cut { got, size }
            }
            Setback::Error(error) => {
                let failure = Failure::of(&error);
                let refusal = Refusal::of(&error);
                if refusal.is_some() {
                    self.heard();
                }
                match refusal {
                    Some(refusal) if refusal.is_throttling() => slot.throttled(),
                    _ => drop(slot),
                }
                // A bucket in another region is requested there, but only once, so that two regions
                // cannot redirect to each other forever.
                if let Failure::Region { region: Some(region) } = &failure
                    && !self.has_moved
                {
                    self.has_moved = true;
                    return self.bucket.move_to(region);
                }
                let is_final = match refusal {
                    Some(refusal) => !refusal.is_passing(),
                    None => {
                        matches!(failure, Failure::Unusable(_))
                            || find::<NoCredentials>(&error).is_some()
                    }
                };
                if is_final {
                    return Err(failure);
                }
                failure
            }
        };
        self.failures += 1;
        let patience = self.bucket.patience;
        if self.failures >= patience.attempts {
            return Err(Failure::Exhausted { attempts: self.failures, last: Box::new(failure) });
        }
        tokio::time::sleep(patience.wait(self.failures)).await;
        Ok(())
    }
}

//! Objects on S3, as blocking reads.
//!
//! [`Bucket`] is what the rest of this crate sees: it lists, and it reads objects whole or in parts.
//! Requests run on one thread of their own ([`Io`]) and are tried again here, not by the client
//! library, so that a server that asks to slow down is heard ([`Throttle`]).

mod bucket;
mod failure;
mod list;
mod object;
mod options;
mod profile;
mod refusal;
mod throttle;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) use bucket::Bucket;
use failure::{Failure, Patience};
#[cfg(test)]
use list::Listing;
pub(crate) use object::{MAX_HELD, ObjectReader, Part};
pub use options::S3Options;
use options::{Settled, Variables};
pub(crate) use throttle::MAX_REQUESTS;
use throttle::Throttle;

/// What a name of an object, or of many, begins with.
pub(crate) const SCHEME: &str = "s3://";

/// The thread on which requests run, and how many may.
#[derive(Debug)]
pub(crate) struct Io {
    handle: Handle,
    /// Taken only when dropped.
    runtime: Option<Runtime>,
    throttle: Throttle,
}

impl Io {
    fn new() -> std::io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("s3").enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Self { handle, runtime: Some(runtime), throttle: Throttle::new() })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a request to its end while the calling thread waits.
    fn wait<T, F>(&self, request: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let _task = self.handle.spawn(async move {
            // The receiver is there until this is sent.
            let _ = sender.send(request.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(Failure::ended()))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // Waiting for what still runs is not possible everywhere, and of no use to anybody.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The buckets of a run.
#[derive(Debug)]
pub(crate) struct Buckets {
    options: S3Options,
    patience: Patience,
    /// Made when the first name of S3 comes.
    shared: Option<(Arc<Io>, Settled)>,
    buckets: BTreeMap<String, Arc<Bucket>>,
}

impl Buckets {
    pub(crate) fn new(options: S3Options) -> Self {
        let patience = Patience::default();
        Self { options, patience, shared: None, buckets: BTreeMap::new() }
    }

    /// Returns the bucket with this name.
    pub(crate) fn get(&mut self, name: &str) -> Result<Arc<Bucket>, Failure> {
        if let Some(bucket) = self.buckets.get(name) {
            return Ok(bucket.clone());
        }
        let (io, settled) = match &self.shared {
            Some((io, settled)) => (io.clone(), settled.clone()),
            None => {
                let settled = Settled::new(&self.options, &Variables::of_process())
                    .map_err(|error| Failure::Unusable(error.to_string()))?;
                let io = Io::new().map_err(|error| Failure::Unusable(error.to_string()))?;
                self.shared.insert((Arc::new(io), settled)).clone()
            }
        };
        let bucket = Arc::new(Bucket::new(name, io, settled, self.patience)?);
        self.buckets.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }
}

/// Splits `s3://bucket/key` into bucket and key; none if the name is no such one.
pub(crate) fn split_name(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(SCHEME)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

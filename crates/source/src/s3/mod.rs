//! Objects on S3, as blocking reads.
//!
//! [`Bucket`] is what the rest of this crate sees: it lists, and it reads objects whole or in parts.
//! Requests are tasks of the program's runtime ([`Io`]) and are tried again here, not by the client
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
use std::time::Duration;

use spilltrail_event::StopToken;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

pub(crate) use bucket::Bucket;
use failure::{Failure, Patience};
#[cfg(test)]
use list::Listing;
pub(crate) use object::{MAX_HELD, ObjectReader, Part};
pub use options::{EndpointError, S3Options, check_endpoint};
use options::{Settled, Variables};
pub(crate) use throttle::MAX_REQUESTS;
use throttle::Throttle;

/// What a name of an object, or of many, begins with.
pub(crate) const SCHEME: &str = "s3://";

/// How often a request that waits for its server looks whether it should stop.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// Where requests run, and how many may.
#[derive(Debug)]
pub(crate) struct Io {
    runtime: Handle,
    stop: StopToken,
    throttle: Throttle,
}

impl Io {
    fn new(runtime: Handle, stop: StopToken) -> Self {
        Self { runtime, stop, throttle: Throttle::new() }
    }

    /// Runs a request, which is dropped if it is aborted or told to stop.
    pub(crate) fn spawn(&self, request: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let stop = self.stop.clone();
        let request = async move {
            tokio::select! {
                () = request => {}
                () = stopped(&stop) => {}
            }
        };
        self.runtime.spawn(request).abort_handle()
    }

    /// Runs a request to its end while the calling thread waits.
    fn wait<T, F>(&self, request: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.spawn(async move {
            // The receiver is there until this is sent.
            let _ = sender.send(request.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(self.ended()))
    }

    /// Returns why the task of a request is gone without an answer.
    fn ended(&self) -> Failure {
        if self.stop.is_set() { Failure::Stopped } else { Failure::ended() }
    }
}

/// Waits until a token is set.
async fn stopped(stop: &StopToken) {
    while !stop.is_set() {
        tokio::time::sleep(STOP_INTERVAL).await;
    }
}

/// The buckets of a run.
#[derive(Debug)]
pub(crate) struct Buckets {
    options: S3Options,
    stop: StopToken,
    patience: Patience,
    /// Made when the first name of S3 comes.
    shared: Option<(Arc<Io>, Settled)>,
    buckets: BTreeMap<String, Arc<Bucket>>,
}

impl Buckets {
    pub(crate) fn new(options: S3Options, stop: StopToken) -> Self {
        let patience = Patience::default();
        Self { options, stop, patience, shared: None, buckets: BTreeMap::new() }
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
                let runtime = Handle::try_current()
                    .map_err(|_| Failure::Unusable("S3 needs a runtime of tasks".to_owned()))?;
                let io = Arc::new(Io::new(runtime, self.stop.clone()));
                self.shared.insert((io, settled)).clone()
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

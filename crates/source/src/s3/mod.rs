//! Objects on S3, with blocking reads.
//!
//! The rest of this crate uses [`Bucket`], which lists objects and reads them whole or in parts.
//! Requests are tasks on the program's runtime ([`Io`]). They are retried here instead of in the
//! client library, so that [`Throttle`] can react when a server asks for fewer requests.

mod bucket;
mod failure;
mod list;
mod object;
mod options;
mod profile;
mod refusal;
mod silence;
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

use crate::logs::Notice;
pub(crate) use bucket::Bucket;
use failure::{Failure, Patience};
#[cfg(test)]
use list::Listing;
pub(crate) use object::{MAX_HELD, ObjectReader, Part};
pub use options::{EndpointError, S3Options, check_endpoint, s3_credentials};
use options::{Settled, Variables};
use silence::{Limits, Silence};
pub(crate) use throttle::MAX_REQUESTS;
use throttle::Throttle;

/// The prefix of names of objects and folders on S3.
pub(crate) const SCHEME: &str = "s3://";

/// Interval at which a pending request checks whether the run was canceled.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// The runtime for requests, and the limit on concurrent requests.
#[derive(Debug)]
pub(crate) struct Io {
    runtime: Handle,
    stop: StopToken,
    throttle: Throttle,
    silence: Silence,
}

impl Io {
    fn new(runtime: Handle, stop: StopToken, silence: Silence) -> Self {
        Self { runtime, stop, throttle: Throttle::new(), silence }
    }

    /// Spawns a request, which is dropped when it is aborted or the run is canceled.
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

    /// Runs a request and blocks the calling thread until it ends.
    fn wait<T, F>(&self, request: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.spawn(async move {
            // Sending cannot fail, because the calling thread waits with the receiver.
            let _ = sender.send(request.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(self.ended()))
    }

    /// Returns why a task ended without a result.
    fn ended(&self) -> Failure {
        if self.stop.is_set() { Failure::Stopped } else { Failure::ended() }
    }
}

/// Waits until the token is set.
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
    notice: Option<Notice>,
    patience: Patience,
    /// Created when the first bucket is requested.
    shared: Option<(Arc<Io>, Settled)>,
    buckets: BTreeMap<String, Arc<Bucket>>,
}

impl Buckets {
    pub(crate) fn new(options: S3Options, stop: StopToken, notice: Option<Notice>) -> Self {
        let patience = Patience::default();
        Self { options, stop, notice, patience, shared: None, buckets: BTreeMap::new() }
    }

    /// Returns the bucket with this name, and creates it on first use.
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
                let io = Arc::new(Io::new(
                    runtime,
                    self.stop.clone(),
                    Silence::new(Limits::default(), self.notice.clone()),
                ));
                self.shared.insert((io, settled)).clone()
            }
        };
        let bucket = Arc::new(Bucket::new(name, io, settled, self.patience)?);
        self.buckets.insert(name.to_owned(), bucket.clone());
        Ok(bucket)
    }
}

/// Splits `s3://bucket/key` into bucket and key; returns `None` for other names.
pub(crate) fn split_name(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix(SCHEME)?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

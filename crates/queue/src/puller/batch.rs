//! Objects that the caller is to store.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::held::Holding;
use super::jobs::{JobNumber, Taken};
use super::keeper::Shared;
use crate::notice::ObjectRef;

/// Objects to store, and what has to be said of them then.
///
/// While it is there, the messages that name its objects are held. If it is dropped without a word,
/// its objects have failed.
pub struct Batch {
    /// The objects, in the order in which the queue told of them.
    pub objects: Vec<ObjectRef>,
    /// When the oldest message about them was sent, in milliseconds since the epoch.
    pub sent: Option<u64>,
    receipt: Vec<JobNumber>,
    shared: Arc<Shared>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl Batch {
    pub(super) fn new(taken: Vec<Taken>, shared: Arc<Shared>) -> Self {
        Self {
            sent: taken.iter().filter_map(|taken| taken.sent).min(),
            receipt: taken.iter().map(|taken| taken.number).collect(),
            objects: taken.into_iter().map(|taken| taken.object).collect(),
            shared,
        }
    }

    /// Says that all objects are stored: on a disk, so that nothing is lost if the machine stops now.
    /// The messages of which nothing else is to be stored are deleted.
    pub fn stored(mut self) {
        self.end(|_| true);
    }

    /// Says that the objects at these places could not be stored, and that all others are. Messages
    /// that name one of them are given back. A place that is none means that nothing was stored.
    pub fn failed(mut self, which: &[usize]) {
        let is_strange = which.iter().any(|place| *place >= self.receipt.len());
        self.end(|place| !is_strange && !which.contains(&place));
    }

    fn end(&mut self, is_stored: impl Fn(usize) -> bool) {
        let receipt = std::mem::take(&mut self.receipt);
        if receipt.is_empty() {
            return;
        }
        let ends = receipt.into_iter().enumerate().map(|(place, job)| (job, is_stored(place)));
        self.shared.with(|holding: &mut Holding| holding.end(ends, Instant::now()));
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.end(|_| false);
    }
}

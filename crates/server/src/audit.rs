//! Telling of requests that were refused, and of changes that were made.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one address is told of.
const EVERY: Duration = Duration::from_secs(1);

/// The number of addresses that are told apart. More of them share the limit, and no more memory is used.
const SLOTS: usize = 1024;

/// The part of the server that refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The collector of events.
    Collector,
    /// The API, and what tells how the server is.
    Api,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// There is none.
    Missing,
    /// The header is of no form that is understood.
    Malformed,
    /// Nobody knows the token.
    Unknown,
    /// The token is disabled.
    Disabled,
    /// The token is in the query, and may not be there.
    InQuery,
    /// Too many requests from the address were refused before.
    TooManyTries,
    /// The request is for a host that is not this server.
    WrongHost,
    /// A page of another server sent the request.
    WrongOrigin,
}

/// A request that was refused for its token, or for where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The part that refused it.
    pub part: Part,
    /// The address of the client; `None` if it did not come over a network.
    pub address: Option<IpAddr>,
    /// Why.
    pub reason: RefusalReason,
    /// The name of the token, if it is known.
    pub token: Option<String>,
    /// The number of refusals before this one that were not told, because there were too many.
    pub untold: u64,
}

/// A change that a request made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who made it, as the request says.
    pub who: String,
    /// The address of the client; `None` if it did not come over a network.
    pub address: Option<IpAddr>,
    /// The id of the request, which is in its answer and in the log.
    pub request: String,
    /// The name of the operation, as in the document that describes the API.
    pub operation: &'static str,
    /// The path of the request.
    pub path: String,
}

/// Is told of refused requests, at most once a second for an address, and of each change.
pub trait Audit: Send + Sync + 'static {
    /// Takes note of a refusal. It must not block.
    fn refused(&self, refusal: Refusal);

    /// Takes note of a change. It must not block.
    fn changed(&self, change: Change);
}

/// Writes refusals and changes to the log of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogAudit;

impl Audit for LogAudit {
    fn refused(&self, refusal: Refusal) {
        let Refusal { part, address, reason, token, untold } = refusal;
        log::warn!(
            "{part:?} refused a request: {reason:?}, from {address:?}, token {token:?}, {untold} more"
        );
    }

    fn changed(&self, change: Change) {
        let Change { who, address, request, operation, path } = change;
        log::info!("{request}: `{who}` at {address:?} made a change: {operation} {path:?}");
    }
}

/// Limits how often an address is told of.
pub(crate) struct Limited {
    audit: Arc<dyn Audit>,
    slots: Mutex<Vec<Slot>>,
    /// Random, so that nobody can choose addresses that share a slot with others.
    hasher: RandomState,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    told: Option<Instant>,
    untold: u64,
}

impl Limited {
    pub(crate) fn new(audit: Arc<dyn Audit>) -> Self {
        let slots = Mutex::new(vec![Slot::default(); SLOTS]);
        Self { audit, slots, hasher: RandomState::new() }
    }

    /// Tells of a refusal at a time, or counts it.
    pub(crate) fn refused(&self, mut refusal: Refusal, now: Instant) {
        let at = self.hasher.hash_one(refusal.address) as usize % SLOTS;
        {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(slot) = slots.get_mut(at) else { return };
            if slot.told.is_some_and(|told| now.saturating_duration_since(told) < EVERY) {
                slot.untold += 1;
                return;
            }
            refusal.untold = std::mem::take(&mut slot.untold);
            slot.told = Some(now);
        }
        self.audit.refused(refusal);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    struct Told(Mutex<Sender<Refusal>>);

    impl Audit for Told {
        fn refused(&self, refusal: Refusal) {
            self.0.lock().unwrap().send(refusal).unwrap();
        }

        fn changed(&self, _: Change) {}
    }

    #[test]
    fn each_address_is_told_of_once_a_second() {
        let (sender, told) = channel();
        let limited = Limited::new(Arc::new(Told(Mutex::new(sender))));
        let start = Instant::now();
        let refusal = |untold| Refusal {
            part: Part::Collector,
            address: Some([10, 0, 0, 1].into()),
            reason: RefusalReason::Unknown,
            token: None,
            untold,
        };
        for after in [0, 1, 500, 999, 1000, 1001, 5000] {
            limited.refused(refusal(0), start + Duration::from_millis(after));
        }
        let told: Vec<Refusal> = told.try_iter().collect();
        assert_eq!(told, [refusal(0), refusal(3), refusal(1)]);
    }

    /// However many addresses there are, the memory stays the same; most are told of.
    #[test]
    fn many_addresses() {
        let (sender, told) = channel();
        let limited = Limited::new(Arc::new(Told(Mutex::new(sender))));
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let address = Some(IpAddr::from(number.to_be_bytes()));
            let (part, reason) = (Part::Api, RefusalReason::Missing);
            limited.refused(Refusal { part, address, reason, token: None, untold: 0 }, now);
        }
        let told = told.try_iter().count();
        assert!((SLOTS / 2..=SLOTS).contains(&told), "{told}");
    }
}

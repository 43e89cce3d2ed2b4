//! Telling of requests that were refused for their token.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one address is told of.
const EVERY: Duration = Duration::from_secs(1);

/// The number of addresses that are told apart. More of them share the limit, and no more memory is used.
const SLOTS: usize = 1024;

/// Why a token was refused.
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
}

/// A request that was refused for its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The address of the client; `None` if it did not come over a network.
    pub address: Option<IpAddr>,
    /// Why.
    pub reason: RefusalReason,
    /// The name of the token, if it is known.
    pub token: Option<String>,
    /// The number of refusals before this one that were not told, because there were too many.
    pub untold: u64,
}

/// Is told of refused tokens, at most once a second for an address.
pub trait Audit: Send + Sync + 'static {
    /// Takes note of a refusal. It must not block.
    fn refused(&self, refusal: Refusal);
}

/// Writes refusals to the log of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogAudit;

impl Audit for LogAudit {
    fn refused(&self, refusal: Refusal) {
        let Refusal { address, reason, token, untold } = refusal;
        log::warn!(
            "a request was refused: {reason:?}, from {address:?}, token {token:?}, {untold} more"
        );
    }
}

/// Limits how often an address is told of.
pub(crate) struct Limited {
    audit: Box<dyn Audit>,
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
    pub(crate) fn new(audit: Box<dyn Audit>) -> Self {
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
    }

    #[test]
    fn each_address_is_told_of_once_a_second() {
        let (sender, told) = channel();
        let limited = Limited::new(Box::new(Told(Mutex::new(sender))));
        let start = Instant::now();
        let refusal = |untold| Refusal {
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
        let limited = Limited::new(Box::new(Told(Mutex::new(sender))));
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let address = Some(IpAddr::from(number.to_be_bytes()));
            let reason = RefusalReason::Missing;
            limited.refused(Refusal { address, reason, token: None, untold: 0 }, now);
        }
        let told = told.try_iter().count();
        assert!((SLOTS / 2..=SLOTS).contains(&told), "{told}");
    }
}

//! Telling of requests that were refused, and of changes that were made.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often it is told that an address was refused for a reason.
const EVERY: Duration = Duration::from_secs(1);

/// The number of addresses and reasons that are told apart. More of them share the limit, and no more memory
/// is used.
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
    /// What it asks or sends is not understood, whoever sent it.
    Invalid,
}

/// A request that was refused for its token, for where it comes from, or for what it is.
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
    /// The number of refusals that were not told, because there were too many: like this one, or of some
    /// other address or reason if very many are told apart.
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

/// Is told of refused requests, at most once a second for an address and a reason, and of each change.
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

/// Limits how often it is told of an address. No refusal is left out: what is not told is counted, and told
/// with one like it, or when there is time.
pub(crate) struct Limited {
    audit: Arc<dyn Audit>,
    slots: Mutex<Slots>,
    /// Random, so that nobody can choose addresses that share a slot with others.
    hasher: RandomState,
}

struct Slots {
    all: Vec<Slot>,
    /// When those were told last that nothing like them followed.
    swept: Option<Instant>,
}

#[derive(Clone, Default)]
struct Slot {
    told: Option<Instant>,
    /// The last refusal that was not told, with the number of those before it.
    waiting: Option<Refusal>,
}

impl Limited {
    pub(crate) fn new(audit: Arc<dyn Audit>) -> Self {
        let slots = Slots { all: vec![Slot::default(); SLOTS], swept: None };
        Self { audit, slots: Mutex::new(slots), hasher: RandomState::new() }
    }

    /// Tells of a refusal at a time, or counts it.
    pub(crate) fn refused(&self, refusal: Refusal, now: Instant) {
        let at = self.slot_of(&refusal);
        let mut told = Vec::new();
        {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = slots.all.get_mut(at) {
                slot.see(refusal, now, &mut told);
            }
            if slots.swept.is_none_or(|swept| is_over(swept, now)) {
                slots.swept = Some(now);
                slots.all.iter_mut().for_each(|slot| slot.sweep(|at| is_over(at, now), &mut told));
            }
        }
        told.into_iter().for_each(|refusal| self.audit.refused(refusal));
    }

    fn slot_of(&self, refusal: &Refusal) -> usize {
        let Refusal { address, part, reason, .. } = refusal;
        self.hasher.hash_one((address, part, reason)) as usize % SLOTS
    }

    /// Tells all that was only counted.
    pub(crate) fn flush(&self) {
        let mut told = Vec::new();
        {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.all.iter_mut().for_each(|slot| slot.sweep(|_| true, &mut told));
        }
        told.into_iter().for_each(|refusal| self.audit.refused(refusal));
    }
}

fn is_over(told: Instant, now: Instant) -> bool {
    now.saturating_duration_since(told) >= EVERY
}

impl Slot {
    fn see(&mut self, refusal: Refusal, now: Instant, told: &mut Vec<Refusal>) {
        let untold = self.waiting.as_ref().map_or(0, |waiting| waiting.untold + 1);
        let refusal = Refusal { untold, ..refusal };
        if self.told.is_none_or(|at| is_over(at, now)) {
            self.told = Some(now);
            self.waiting = None;
            told.push(refusal);
        } else {
            self.waiting = Some(refusal);
        }
    }

    /// Tells what waits since a time that is long enough ago.
    fn sweep(&mut self, is_over: impl Fn(Instant) -> bool, told: &mut Vec<Refusal>) {
        if self.told.is_some_and(is_over) {
            told.extend(self.waiting.take());
        }
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
    fn each_reason_of_an_address_is_told_once_a_second_and_all_are_counted() {
        let (sender, told) = channel();
        let limited = Limited::new(Arc::new(Told(Mutex::new(sender))));
        let start = Instant::now();
        let of = |last: u8, reason, untold| Refusal {
            part: Part::Collector,
            address: Some([10, 0, 0, last].into()),
            reason,
            token: None,
            untold,
        };
        let (unknown, missing) = (RefusalReason::Unknown, RefusalReason::Missing);
        // Both reasons have slots of their own, for most addresses.
        let slots = |last| [unknown, missing].map(|reason| limited.slot_of(&of(last, reason, 0)));
        let last = (0..=u8::MAX).find(|last| slots(*last)[0] != slots(*last)[1]).unwrap();
        let refusal = |reason, untold| of(last, reason, untold);
        for (after, reason) in [
            (0, unknown),
            (1, unknown),
            (2, missing),
            (500, unknown),
            (999, unknown),
            (1000, unknown),
            (1001, unknown),
            (1002, missing),
            (1003, missing),
            (5000, missing),
        ] {
            limited.refused(refusal(reason, 0), start + Duration::from_millis(after));
        }
        let told_now = || told.try_iter().collect::<Vec<Refusal>>();
        let expected = [
            refusal(unknown, 0),
            refusal(missing, 0),
            refusal(unknown, 3),
            refusal(missing, 0),
            refusal(missing, 1),
            // Nothing like it followed.
            refusal(unknown, 0),
        ];
        assert_eq!(told_now(), expected);
        limited.refused(refusal(unknown, 0), start + Duration::from_millis(5001));
        limited.refused(refusal(missing, 0), start + Duration::from_millis(5002));
        assert_eq!(told_now(), [refusal(unknown, 0)]);
        limited.flush();
        assert_eq!(told_now(), [refusal(missing, 0)]);
        limited.flush();
        assert_eq!(told_now(), []);
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

//! How many requests are served: all together, and of an address that has shown no good token.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of addresses whose failures are remembered. A further one takes the place of another.
const SLOTS: usize = 4096;

/// Remembers which addresses have shown no good token.
pub(super) struct Failures {
    most: u32,
    window: Duration,
    slots: Mutex<Vec<Slot>>,
    /// Random, so that nobody can choose addresses that share a slot with others.
    hasher: RandomState,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The hash of the address.
    address: u64,
    count: u32,
    /// When the first of these failures was.
    since: Option<Instant>,
}

impl Failures {
    /// Allows an address so many failures within a window.
    pub(super) fn new(most: u32, window: Duration) -> Self {
        let slots = Mutex::new(vec![Slot::default(); SLOTS]);
        Self { most, window, slots, hasher: RandomState::new() }
    }

    /// Returns for how long an address is refused, if it is.
    pub(super) fn refused(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let hash = self.hasher.hash_one(network(address));
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(hash as usize % SLOTS).filter(|slot| slot.address == hash)?;
        let passed = now.saturating_duration_since(slot.since?);
        let left = self.window.checked_sub(passed).filter(|left| !left.is_zero())?;
        (slot.count >= self.most).then_some(left)
    }

    /// Takes note of a failure.
    pub(super) fn failed(&self, address: IpAddr, now: Instant) {
        let hash = self.hasher.hash_one(network(address));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = slots.get_mut(hash as usize % SLOTS) else { return };
        let is_recent =
            slot.since.is_some_and(|since| now.saturating_duration_since(since) < self.window);
        if slot.address == hash && is_recent {
            slot.count = slot.count.saturating_add(1);
        } else {
            *slot = Slot { address: hash, count: 1, since: Some(now) };
        }
    }
}

/// Returns what counts as one address: of IPv6, the 64 bits that one customer has at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Limits how many requests are served in a second. Those that were not made in the second before may be
/// made now.
pub(super) struct Rate {
    per_second: f64,
    state: Mutex<(f64, Option<Instant>)>,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, state: Mutex::new((2.0 * per_second, None)) }
    }

    /// Returns true if one more request may be served now.
    pub(super) fn take(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, last) = *state;
        let passed = last.map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        let left = (left + passed * self.per_second).min(2.0 * self.per_second);
        let is_allowed = left >= 1.0;
        *state = (
            if is_allowed { left - 1.0 } else { left },
            Some(last.map_or(now, |last| last.max(now))),
        );
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_that_fails_is_refused_for_a_while() {
        let window = Duration::from_mins(1);
        let failures = Failures::new(3, window);
        let start = Instant::now();
        let one = address("2001:db8::1");
        for count in 0..3 {
            assert_eq!(failures.refused(one, start), None, "{count}");
            failures.failed(one, start);
        }
        assert_eq!(failures.refused(one, start), Some(window));
        // The same network, and another one.
        assert!(failures.refused(address("2001:db8::ffff:1"), start).is_some());
        assert!(failures.refused(address("2001:db8:0:1::1"), start).is_none());
        assert!(failures.refused(address("10.0.0.1"), start).is_none());
        let almost = start + Duration::from_secs(59);
        assert_eq!(failures.refused(one, almost), Some(Duration::from_secs(1)));
        assert_eq!(failures.refused(one, start + window), None);
        failures.failed(one, start + window);
        assert_eq!(failures.refused(one, start + window), None);
        // An address of IPv4 is the same one in the form of IPv6.
        for _ in 0..3 {
            failures.failed(address("::ffff:10.0.0.1"), start);
        }
        assert!(failures.refused(address("10.0.0.1"), start).is_some());
    }

    #[test]
    fn a_rate_has_a_burst() {
        let rate = Rate::new(2);
        let start = Instant::now();
        let taken = |after: u64, most: usize| {
            let now = start + Duration::from_millis(after);
            (0..most).take_while(|_| rate.take(now)).count()
        };
        assert_eq!(taken(0, 10), 4);
        assert_eq!(taken(100, 10), 0);
        assert_eq!(taken(600, 10), 1);
        // A clock that stands still or goes back gives nothing.
        assert_eq!(taken(0, 10), 0);
        assert_eq!(taken(1_000_000, 10), 4);
    }
}

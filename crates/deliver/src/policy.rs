//! When an attempt that failed is repeated, and when no more: pure functions, for a caller that
//! records attempts.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::DeliveryError;

/// The number of attempts after which a message is given up. With the waits of [`backoff`], the last
/// one is made at least 23 hours after the first, so that a service may be away for most of a day.
pub const MOST_ATTEMPTS: u32 = 40;

/// The longest wait of [`backoff`].
pub const LONGEST_BACKOFF: Duration = Duration::from_hours(1);

/// The longest wait that a service can ask for. A service that names more is asked again after this.
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The wait after the first attempt, before jitter.
const FIRST: Duration = Duration::from_secs(10);

/// Returns how long to wait after a number of failed attempts at the message `id`: 10 seconds that
/// double with each attempt up to an hour, less up to a quarter. What is taken off depends on the
/// message and the attempt, so that messages that failed together are not repeated together; the same
/// arguments give the same wait.
#[must_use]
pub fn backoff(attempts: u32, id: &str) -> Duration {
    let doublings = attempts.saturating_sub(1).min(31);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
    let hash = Sha256::new().chain_update(attempts.to_be_bytes()).chain_update(id).finalize();
    let share = u16::from_be_bytes([hash[0], hash[1]]);
    whole.mul_f64(1.0 - f64::from(share) / f64::from(u16::MAX) / 4.0)
}

/// Returns how long to wait after `attempts` attempts at the message `id`, the last of which failed
/// with this error; `None` if the message is given up and belongs to the dead letters. A service that
/// says when to come back is not asked earlier.
#[must_use]
pub fn next_attempt(error: &DeliveryError, attempts: u32, id: &str) -> Option<Duration> {
    match error {
        DeliveryError::Permanent { .. } => None,
        DeliveryError::Retry { .. } if attempts >= MOST_ATTEMPTS => None,
        DeliveryError::Retry { after, .. } => {
            let asked = after.unwrap_or_default().min(LONGEST_WAIT);
            Some(backoff(attempts, id).max(asked))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn waits_double_up_to_an_hour() {
        for (attempts, seconds) in [
            (0, 10),
            (1, 10),
            (2, 20),
            (3, 40),
            (9, 2560),
            (10, 3600),
            (40, 3600),
            (u32::MAX, 3600),
        ] {
            let whole = Duration::from_secs(seconds);
            for id in ["a", "b", "c", ""] {
                let wait = backoff(attempts, id);
                assert!(wait <= whole && wait >= whole.mul_f64(0.75), "{attempts} {id} {wait:?}");
                assert_eq!(wait, backoff(attempts, id));
            }
        }
    }

    #[test]
    fn messages_that_failed_together_spread() {
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|number| backoff(10, &format!("message {number}"))).collect();
        assert!(waits.len() > 95, "{}", waits.len());
        let (first, last) = (waits.first().unwrap(), waits.last().unwrap());
        assert!(*last > *first + Duration::from_mins(10));
    }

    #[test]
    fn attempts_go_on_for_a_day() {
        for id in ["a", "b", "c"] {
            let total: Duration = (1..MOST_ATTEMPTS).map(|attempt| backoff(attempt, id)).sum();
            assert!(total > Duration::from_hours(23), "{total:?}");
            assert!(total < Duration::from_hours(32), "{total:?}");
        }
    }

    #[test]
    fn what_comes_next() {
        let seconds = Duration::from_secs;
        let retry = |after| DeliveryError::Retry { reason: Reason::Time, after };
        let permanent = DeliveryError::Permanent { reason: Reason::Time };
        let own = backoff(1, "m");
        for (error, attempts, expected) in [
            (retry(None), 1, Some(own)),
            (retry(Some(seconds(1))), 1, Some(own)),
            (retry(Some(seconds(120))), 1, Some(seconds(120))),
            (retry(Some(seconds(u64::MAX))), 1, Some(LONGEST_WAIT)),
            (retry(None), MOST_ATTEMPTS - 1, Some(backoff(MOST_ATTEMPTS - 1, "m"))),
            (retry(Some(seconds(120))), MOST_ATTEMPTS, None),
            (permanent, 1, None),
        ] {
            assert_eq!(next_attempt(&error, attempts, "m"), expected, "{error:?} {attempts}");
        }
    }
}

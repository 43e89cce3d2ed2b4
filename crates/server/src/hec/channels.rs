//! Acknowledgements: which requests of a channel are stored.
//!
//! A channel counts its requests from 0. Each has the answer of the store, which is looked at when the sender
//! asks, and nothing is acknowledged before it has come. All of this is in memory. After a restart every
//! number is unknown, and the sender sends again what it asks about.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::inbox::Stored;
use super::reply::Code;
use crate::secret::TokenHash;

/// How often idle channels are looked for, apart from when there is no place left.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// How often they are looked for when there is none.
const SWEEP_WHEN_FULL: Duration = Duration::from_secs(1);

/// The limits of acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckOptions {
    /// The most channels.
    pub max_channels: usize,
    /// The most requests of all channels that wait for their sender to ask.
    pub max_pending: usize,
    /// After how long without a request a channel is forgotten, with all that it has.
    pub max_idle: Duration,
}

impl Default for AckOptions {
    /// As in Splunk, but for fewer channels and requests: each takes some hundred bytes.
    fn default() -> Self {
        Self { max_channels: 100_000, max_pending: 1_000_000, max_idle: Duration::from_mins(10) }
    }
}

/// How much more can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// Less than a tenth is left.
    Little,
    None,
}

/// A channel of a token. Channels of different tokens are different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChannelKey {
    token: TokenHash,
    id: Uuid,
}

impl ChannelKey {
    /// Reads the GUID of a channel, in the form with hyphens.
    pub(crate) fn parse(token: TokenHash, text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
        Some(Self { token, id })
    }
}

/// The channels of all tokens.
pub(crate) struct Channels {
    options: AckOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channels: HashMap<ChannelKey, Channel>,
    /// The number of requests that wait in channels, and of places that are reserved.
    pending: usize,
    swept: Option<Instant>,
}

struct Channel {
    next: u64,
    pending: HashMap<u64, Stored>,
    used: Instant,
}

/// A place for an acknowledgement, which is free again when it is dropped.
pub(crate) struct Place {
    channels: Arc<Channels>,
    key: ChannelKey,
    is_taken: bool,
}

impl Channels {
    pub(crate) fn new(options: AckOptions) -> Self {
        Self { options, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole at any moment: nothing that can panic changes it halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves a place, so that nothing is taken that cannot be acknowledged.
    ///
    /// # Errors
    /// Fails if there is none left.
    pub(crate) fn reserve(self: &Arc<Self>, key: ChannelKey, now: Instant) -> Result<Place, Code> {
        let mut state = self.state();
        let options = self.options;
        let is_full = |state: &State| {
            let is_new = !state.channels.contains_key(&key);
            state.pending >= options.max_pending
                || is_new && state.channels.len() >= options.max_channels
        };
        let since = state.swept.map(|swept| now.saturating_duration_since(swept));
        let patience = if is_full(&state) { SWEEP_WHEN_FULL } else { SWEEP_EVERY };
        if since.is_none_or(|since| since >= patience) {
            state.sweep(now, options.max_idle);
        }
        if is_full(&state) {
            return Err(Code::AckChannelFull);
        }
        state.channel(key, now);
        state.pending += 1;
        Ok(Place { channels: self.clone(), key, is_taken: false })
    }

    /// Tells for each number whether its request is stored. Those that are, are forgotten, and those
    /// that were refused, too.
    pub(crate) fn ask(
        &self,
        key: ChannelKey,
        ids: &BTreeSet<u64>,
        now: Instant,
    ) -> Vec<(u64, bool)> {
        let mut state = self.state();
        let state = &mut *state;
        let mut channel = state.channels.get_mut(&key);
        if let Some(channel) = &mut channel {
            channel.used = now;
        }
        let mut is_stored = |id: &u64| {
            let Some(channel) = &mut channel else { return false };
            let Some(answer) = channel.pending.get_mut(id) else { return false };
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => false,
                Poll::Ready(outcome) => {
                    channel.pending.remove(id);
                    state.pending -= 1;
                    outcome.is_ok()
                }
            }
        };
        ids.iter().map(|id| (*id, is_stored(id))).collect()
    }

    /// Returns how many more requests can be acknowledged at present.
    pub(crate) fn room(&self, now: Instant) -> Room {
        let most = self.options.max_pending;
        let mut state = self.state();
        if state.pending >= most {
            state.sweep(now, self.options.max_idle);
        }
        match state.pending {
            pending if pending >= most => Room::None,
            pending if pending > most - most / 10 => Room::Little,
            _ => Room::Enough,
        }
    }
}

impl State {
    fn channel(&mut self, key: ChannelKey, now: Instant) -> &mut Channel {
        let new = || Channel { next: 0, pending: HashMap::new(), used: now };
        let channel = self.channels.entry(key).or_insert_with(new);
        channel.used = now;
        channel
    }

    /// Forgets the channels that nobody uses.
    fn sweep(&mut self, now: Instant, max_idle: Duration) {
        self.swept = Some(now);
        let pending = &mut self.pending;
        self.channels.retain(|_, channel| {
            let is_used = now.saturating_duration_since(channel.used) < max_idle;
            if !is_used {
                *pending -= channel.pending.len();
            }
            is_used
        });
    }
}

impl Place {
    /// Puts the answer of the store into the place, and returns the number by which to ask for it.
    pub(crate) fn take(mut self, answer: Stored, now: Instant) -> u64 {
        let mut state = self.channels.state();
        let channel = state.channel(self.key, now);
        let id = channel.next;
        channel.next += 1;
        channel.pending.insert(id, answer);
        drop(state);
        self.is_taken = true;
        id
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_taken {
            self.channels.state().pending -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::super::inbox::InboxError;
    use super::*;

    fn key(token: &str, number: u128) -> ChannelKey {
        let id = Uuid::from_u128(number).to_string();
        ChannelKey::parse(TokenHash::of(token), &id).unwrap()
    }

    fn channels(max_channels: usize, max_pending: usize) -> Arc<Channels> {
        let max_idle = Duration::from_mins(10);
        Arc::new(Channels::new(AckOptions { max_channels, max_pending, max_idle }))
    }

    fn ready(outcome: Result<(), InboxError>) -> Stored {
        Box::pin(std::future::ready(outcome))
    }

    fn ask(channels: &Channels, key: ChannelKey, ids: &[u64], now: Instant) -> Vec<bool> {
        let ids = ids.iter().copied().collect();
        channels.ask(key, &ids, now).into_iter().map(|(_, is_stored)| is_stored).collect()
    }

    #[test]
    fn channels_are_guids() {
        for (text, is_valid) in [
            ("FE0ECFAD-13D5-401B-847D-77833BD77131", true),
            ("fe0ecfad-13d5-401b-847d-77833bd77131", true),
            ("00000000-0000-0000-0000-000000000000", true),
            ("fe0ecfad13d5401b847d77833bd77131", false),
            ("{fe0ecfad-13d5-401b-847d-77833bd77131}", false),
            ("fe0ecfad-13d5-401b-847d-77833bd7713g", false),
            ("my channel", false),
            ("", false),
        ] {
            let found = ChannelKey::parse(TokenHash::of("t"), text);
            assert_eq!(found.is_some(), is_valid, "{text}");
        }
        let hash = TokenHash::of("t");
        let upper = ChannelKey::parse(hash, "FE0ECFAD-13D5-401B-847D-77833BD77131");
        assert_eq!(upper, ChannelKey::parse(hash, "fe0ecfad-13d5-401b-847d-77833bd77131"));
    }

    #[test]
    fn what_is_stored_is_told_once() {
        let channels = channels(10, 10);
        let now = Instant::now();
        let (one, two) = (key("t", 1), key("t", 2));
        let (sender, answer) = oneshot::channel::<()>();
        let later: Stored = Box::pin(async move { answer.await.map_err(|_| InboxError::Closed) });
        let take = |key, answer| channels.reserve(key, now).unwrap().take(answer, now);
        // Each channel counts for itself.
        assert_eq!(take(one, ready(Ok(()))), 0);
        assert_eq!(take(one, later), 1);
        assert_eq!(take(one, ready(Err(InboxError::Full))), 2);
        assert_eq!(take(two, ready(Ok(()))), 0);
        assert_eq!(ask(&channels, one, &[0, 1, 2, 3], now), [true, false, false, false]);
        assert_eq!(ask(&channels, one, &[0, 1, 2], now), [false; 3]);
        // A token cannot ask for what another one sent.
        assert_eq!(ask(&channels, key("u", 2), &[0], now), [false]);
        assert_eq!(ask(&channels, two, &[0], now), [true]);
        sender.send(()).unwrap();
        assert_eq!(ask(&channels, one, &[1], now), [true]);
        assert_eq!(take(one, ready(Ok(()))), 3);
        assert_eq!(channels.state().pending, 1);
    }

    #[test]
    fn places_are_limited() {
        let channels = channels(2, 3);
        let now = Instant::now();
        let reserve = |number, now| channels.reserve(key("t", number), now);
        let first = reserve(1, now).unwrap();
        let second = reserve(2, now).unwrap();
        assert_eq!(reserve(3, now).err(), Some(Code::AckChannelFull), "no more channels");
        let third = reserve(1, now).unwrap();
        assert_eq!(reserve(1, now).err(), Some(Code::AckChannelFull), "no more places");
        assert_eq!(channels.room(now), Room::None);
        drop(third);
        assert_eq!(channels.room(now), Room::Enough);
        assert_eq!(first.take(ready(Ok(())), now), 0);
        assert_eq!(second.take(ready(Ok(())), now), 0);
        // The first channel is in use, so that only the second one is forgotten.
        let later = now + Duration::from_secs(599);
        assert_eq!(ask(&channels, key("t", 1), &[7], later), [false]);
        let later = now + Duration::from_secs(601);
        drop(reserve(3, later).unwrap());
        assert_eq!(ask(&channels, key("t", 2), &[0], later), [false]);
        assert_eq!(ask(&channels, key("t", 1), &[0], later), [true]);
        assert_eq!(channels.state().pending, 0);
        assert_eq!(channels.state().channels.len(), 2);
    }
}

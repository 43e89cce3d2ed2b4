//! Detects duplicate events: an event may be delivered twice, or to two trails.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use crate::json::member;
use crate::record::{Format, RawRecord};

/// The ids of the events seen so far.
///
/// Stores a 128-bit hash of each id: about 40 bytes of memory per event. A collision is negligibly
/// unlikely for any log of realistic size.
#[derive(Debug, Default)]
pub struct SeenEvents {
    ids: HashSet<u128>,
}

impl SeenEvents {
    /// Adds an event; returns false if its `eventID` was seen before for the same recipient
    /// account.
    ///
    /// An event without an id is always new.
    pub fn insert(&mut self, event: &RawRecord<'_>) -> bool {
        if event.format != Format::CloudTrail {
            return true;
        }
        let bytes = event.text.as_bytes();
        let Some(id) = member(bytes, b"eventID") else { return true };
        let account = member(bytes, b"recipientAccountId").map(|range| &bytes[range]);
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &bytes[id.clone()], account).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        self.ids.insert(half(0) << 64 | half(1))
    }

    /// Returns the number of distinct events seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns true if no event has been seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_id_and_account() {
        let mut seen = SeenEvents::default();
        for (text, new) in [
            (r#"{"eventID":"a","recipientAccountId":"1"}"#, true),
            (r#"{"eventID":"a","recipientAccountId":"2"}"#, true),
            (r#"{"recipientAccountId":"1", "eventID":"a"}"#, false),
            (r#"{"eventName":"x"}"#, true),
            (r#"{"eventName":"x"}"#, true),
        ] {
            let event = RawRecord { text, offset: 0, format: Format::CloudTrail };
            assert_eq!(seen.insert(&event), new, "{text}");
        }
        assert_eq!(seen.len(), 2);
    }
}

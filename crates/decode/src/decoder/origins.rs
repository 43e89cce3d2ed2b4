//! Remembers the origins of the events of a table.
//!
//! A lake sorts events by what they are, and so those of many files take turns.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::origin::{Origin, OwnOrigin};

/// The most origins that are remembered. A lake has one for each file that it took in.
const MOST: usize = 4096;

/// What events say of their origin, and the origins that follow.
#[derive(Debug, Default)]
pub(super) struct Origins {
    known: Vec<(Own, Origin)>,
    places: HashTable<usize>,
    hasher: RandomState,
    last: Option<usize>,
}

/// Like an [`OwnOrigin`].
#[derive(Debug)]
struct Own([Option<Box<str>>; 3]);

impl Own {
    fn is(&self, own: OwnOrigin<'_>) -> bool {
        self.0.each_ref().map(Option::as_deref) == [own.source, own.host, own.sourcetype]
    }
}

impl Origins {
    /// Returns the origin of an event in a table of another origin, always the same table, and whether
    /// it is another one than that of the last event. What senders give besides is not remembered.
    pub(super) fn of(&mut self, table: &Origin, own: OwnOrigin<'_>) -> (&mut Origin, bool) {
        let Self { known, places, hasher, last } = self;
        if let Some(place) = last.filter(|place| known[*place].0.is(own)) {
            return (&mut known[place].1, false);
        }
        if known.len() == MOST {
            known.clear();
            places.clear();
        }
        let hash = hasher.hash_one((own.source, own.host, own.sourcetype));
        let place = match places.find(hash, |place| known[*place].0.is(own)) {
            Some(place) => *place,
            None => {
                let said = [own.source, own.host, own.sourcetype];
                known.push((Own(said.map(|value| value.map(Box::from))), table.of_event(own)));
                let hash_of = |place: &usize| {
                    let [source, host, sourcetype] = known[*place].0.0.each_ref();
                    hasher.hash_one((source.as_deref(), host.as_deref(), sourcetype.as_deref()))
                };
                places.insert_unique(hash, known.len() - 1, hash_of);
                known.len() - 1
            }
        };
        *last = Some(place);
        (&mut known[place].1, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_own_origin_however_many_there_are() {
        let table = Origin { index: Some("aws".into()), ..Origin::new("table") };
        let sources: Vec<String> = (0..MOST * 2).map(|number| format!("s3://b/{number}")).collect();
        let mut origins = Origins::default();
        let mut random = fastrand::Rng::with_seed(3);
        let mut last = None;
        for turn in 0..MOST * 4 {
            // Each of them first, and then some of them again and again.
            let place = if turn < sources.len() { turn } else { random.usize(0..50) };
            let own = OwnOrigin {
                source: Some(&*sources[place]).filter(|_| place % 7 != 0),
                host: Some("h").filter(|_| place % 2 == 0),
                ..OwnOrigin::default()
            };
            let (found, is_new) = origins.of(&table, own);
            assert_eq!(*found, table.of_event(own));
            assert_eq!(is_new, last != Some(own), "{own:?} after {last:?}");
            last = Some(own);
        }
        assert!(origins.known.len() <= MOST);
    }
}

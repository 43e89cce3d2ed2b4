//! Which objects were stored lately.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::notice::{ObjectRef, Sequencer};

/// What messages about one object have in common.
///
/// An object that comes with a sequencer and without one has two tracks: there is no order between
/// both, so that neither stands for the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Track {
    bucket: String,
    key: String,
    is_ordered: bool,
}

/// The objects that were stored last, up to a number of them.
#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    /// The newest that was stored, and the number of that entry in `order`.
    stored: HashMap<Arc<Track>, (Option<Sequencer>, u64)>,
    /// From the oldest to the newest. An entry with a number that is no longer in `stored` is void.
    order: VecDeque<(Arc<Track>, u64)>,
    number: u64,
}

impl Track {
    pub(super) fn of(object: &ObjectRef) -> Self {
        Self {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            is_ordered: object.sequencer.is_some(),
        }
    }
}

impl Window {
    pub(super) fn new(most: usize) -> Self {
        Self { most, stored: HashMap::new(), order: VecDeque::new(), number: 0 }
    }

    /// Returns true if this or something newer of the object was stored.
    pub(super) fn has(&self, track: &Track, sequencer: Option<&Sequencer>) -> bool {
        self.stored.get(track).is_some_and(|(stored, _)| stored.as_ref() >= sequencer)
    }

    /// Remembers that something was stored.
    pub(super) fn store(&mut self, track: &Arc<Track>, sequencer: Option<Sequencer>) {
        if self.has(track, sequencer.as_ref()) {
            return;
        }
        self.number += 1;
        self.stored.insert(Arc::clone(track), (sequencer, self.number));
        self.order.push_back((Arc::clone(track), self.number));
        while self.stored.len() > self.most || self.order.len() > 2 * self.most {
            let Some((track, number)) = self.order.pop_front() else { break };
            if self.stored.get(&track).is_some_and(|stored| stored.1 == number) {
                self.stored.remove(&track);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, sequencer: &str) -> ObjectRef {
        ObjectRef {
            bucket: "b".into(),
            key: key.into(),
            size: None,
            etag: None,
            sequencer: Sequencer::parse(sequencer),
        }
    }

    fn has(window: &Window, key: &str, sequencer: &str) -> bool {
        let object = object(key, sequencer);
        window.has(&Track::of(&object), object.sequencer.as_ref())
    }

    fn store(window: &mut Window, key: &str, sequencer: &str) {
        let object = object(key, sequencer);
        window.store(&Arc::new(Track::of(&object)), object.sequencer);
    }

    #[test]
    fn what_was_stored_is_known_until_others_were() {
        let mut window = Window::new(2);
        store(&mut window, "a", "5");
        assert!(has(&window, "a", "5") && has(&window, "a", "4"));
        assert!(!has(&window, "a", "6") && !has(&window, "b", "5") && !has(&window, "a", ""));
        store(&mut window, "a", "4");
        store(&mut window, "a", "");
        assert!(has(&window, "a", "5") && has(&window, "a", ""));
        // A newer one of the same object makes its place new.
        store(&mut window, "a", "6");
        store(&mut window, "b", "1");
        assert!(has(&window, "a", "6") && has(&window, "b", "1") && !has(&window, "a", ""));
    }

    #[test]
    fn the_window_is_bounded() {
        let mut window = Window::new(3);
        for number in 1..1000 {
            store(&mut window, "a", &format!("{number:08x}1"));
            store(&mut window, &number.to_string(), "");
            assert!(window.stored.len() <= 3 && window.order.len() <= 6);
        }
        let mut none = Window::new(0);
        store(&mut none, "a", "1");
        assert!(!has(&none, "a", "1"));
    }
}

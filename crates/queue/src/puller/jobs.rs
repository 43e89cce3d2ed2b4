//! Objects that are to be stored: which wait, which are out with the caller, and which messages wait
//! for them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::window::{Track, Window};
use crate::notice::ObjectRef;

/// The number of a message that is held.
pub(super) type MessageNumber = u64;

/// The number of an object that is to be stored.
pub(super) type JobNumber = u64;

#[derive(Debug)]
struct Job {
    track: Arc<Track>,
    object: ObjectRef,
    /// When the first message about it was sent.
    sent: Option<u64>,
    /// Who waits for it.
    messages: Vec<MessageNumber>,
    is_out: bool,
}

/// What became of an object that a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It is to be stored.
    New,
    /// This or something newer of it was stored: there is nothing to do.
    Stored,
    /// The same is being stored already, and the message waits for that.
    Repeated,
    /// Something newer of it is being stored, or takes its place, and the message waits for that.
    Older,
}

/// An object for the caller.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) number: JobNumber,
    pub(super) object: ObjectRef,
    pub(super) sent: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Jobs {
    jobs: BTreeMap<JobNumber, Job>,
    /// Those that wait for the caller, in the order in which they came.
    pending: VecDeque<JobNumber>,
    /// All that are there of one object. More than one only if a newer one came while one was out.
    live: HashMap<Arc<Track>, Vec<JobNumber>>,
    window: Window,
    next: JobNumber,
    out: usize,
}

impl Jobs {
    pub(super) fn new(window: usize) -> Self {
        Self {
            jobs: BTreeMap::new(),
            pending: VecDeque::new(),
            live: HashMap::new(),
            window: Window::new(window),
            next: 0,
            out: 0,
        }
    }

    /// Returns how many objects are out with the caller.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// Returns how many objects wait for the caller.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Adds an object that a message names. The message waits for it unless it was stored before.
    pub(super) fn add(
        &mut self,
        object: ObjectRef,
        sent: Option<u64>,
        message: MessageNumber,
    ) -> Added {
        let track = Track::of(&object);
        if self.window.has(&track, object.sequencer.as_ref()) {
            return Added::Stored;
        }
        let live = self.live.get(&track).map_or(&[][..], Vec::as_slice);
        for number in live {
            let Some(job) = self.jobs.get_mut(number) else { continue };
            if job.object.sequencer >= object.sequencer {
                let is_same = job.object.sequencer == object.sequencer;
                job.messages.push(message);
                return if is_same { Added::Repeated } else { Added::Older };
            }
            if !job.is_out {
                // What waits is replaced: whoever reads the object gets what is newest in any case.
                job.object = object;
                job.messages.push(message);
                return Added::Older;
            }
        }
        self.next += 1;
        let track = Arc::new(track);
        self.live.entry(Arc::clone(&track)).or_default().push(self.next);
        let job = Job { track, object, sent, messages: vec![message], is_out: false };
        self.jobs.insert(self.next, job);
        self.pending.push_back(self.next);
        Added::New
    }

    /// Returns up to `most` objects that can be stored now. While one content of an object is out,
    /// a newer one waits, because both would be read at the same time.
    pub(super) fn take(&mut self, most: usize) -> Vec<Taken> {
        let (mut taken, mut waiting) = (Vec::new(), Vec::new());
        while taken.len() < most {
            let Some(number) = self.pending.pop_front() else { break };
            let Some(job) = self.jobs.get(&number) else { continue };
            let others = self.live.get(&job.track).map_or(&[][..], Vec::as_slice);
            let is_out = |other: &JobNumber| self.jobs.get(other).is_some_and(|job| job.is_out);
            if others.iter().any(is_out) {
                waiting.push(number);
                continue;
            }
            let Some(job) = self.jobs.get_mut(&number) else { continue };
            job.is_out = true;
            self.out += 1;
            taken.push(Taken { number, object: job.object.clone(), sent: job.sent });
        }
        for number in waiting.into_iter().rev() {
            self.pending.push_front(number);
        }
        taken
    }

    /// Ends an object that is out, and returns the messages that wait for it. If it was stored, that
    /// is remembered.
    pub(super) fn end(&mut self, number: JobNumber, is_stored: bool) -> Vec<MessageNumber> {
        let Some(job) = self.jobs.remove(&number) else { return Vec::new() };
        self.forget(&job.track, number);
        self.out -= usize::from(job.is_out);
        if is_stored {
            self.window.store(&job.track, job.object.sequencer);
        }
        job.messages
    }

    /// Removes all objects that wait for the caller, and returns the messages that wait for them.
    pub(super) fn drop_pending(&mut self) -> Vec<MessageNumber> {
        let mut messages = Vec::new();
        while let Some(number) = self.pending.pop_front() {
            if let Some(job) = self.jobs.remove(&number) {
                self.forget(&job.track, number);
                messages.extend(job.messages);
            }
        }
        messages
    }

    fn forget(&mut self, track: &Arc<Track>, number: JobNumber) {
        if let Some(live) = self.live.get_mut(track) {
            live.retain(|other| *other != number);
            if live.is_empty() {
                self.live.remove(track);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Sequencer;

    fn object(key: &str, sequencer: &str) -> ObjectRef {
        ObjectRef {
            bucket: "b".into(),
            key: key.into(),
            size: None,
            etag: None,
            sequencer: Sequencer::parse(sequencer),
        }
    }

    fn add(jobs: &mut Jobs, key: &str, sequencer: &str, message: u64) -> Added {
        jobs.add(object(key, sequencer), None, message)
    }

    /// Returns the numbers and sequencers of what can be taken.
    fn take(jobs: &mut Jobs, most: usize) -> Vec<(u64, ObjectRef)> {
        jobs.take(most).into_iter().map(|taken| (taken.number, taken.object)).collect()
    }

    #[test]
    fn the_newest_is_kept() {
        let mut jobs = Jobs::new(10);
        assert_eq!(add(&mut jobs, "a", "5", 1), Added::New);
        assert_eq!(add(&mut jobs, "a", "5", 2), Added::Repeated);
        assert_eq!(add(&mut jobs, "a", "4", 3), Added::Older);
        assert_eq!(add(&mut jobs, "a", "6", 4), Added::Older);
        let taken = take(&mut jobs, 9);
        assert_eq!(taken, [(1, object("a", "6"))]);
        // While it is out, something newer waits, and something older waits for it.
        assert_eq!(add(&mut jobs, "a", "5", 5), Added::Older);
        assert_eq!(add(&mut jobs, "a", "7", 6), Added::New);
        assert_eq!(add(&mut jobs, "b", "1", 7), Added::New);
        assert_eq!(take(&mut jobs, 9), [(3, object("b", "1"))]);
        assert_eq!((jobs.out(), jobs.pending()), (2, 1));
        assert_eq!(jobs.end(1, true), [1, 2, 3, 4, 5]);
        assert_eq!(take(&mut jobs, 9), [(2, object("a", "7"))]);
        assert_eq!(jobs.end(2, true), [6]);
        for sequencer in ["4", "6", "7"] {
            assert_eq!(add(&mut jobs, "a", sequencer, 8), Added::Stored);
        }
        assert_eq!(add(&mut jobs, "a", "8", 8), Added::New);
    }

    #[test]
    fn what_failed_is_new_again() {
        let mut jobs = Jobs::new(10);
        add(&mut jobs, "a", "", 1);
        assert_eq!(add(&mut jobs, "a", "", 2), Added::Repeated);
        assert_eq!(take(&mut jobs, 9).len(), 1);
        assert_eq!(jobs.end(1, false), [1, 2]);
        assert_eq!(jobs.end(1, true), [0; 0]);
        assert_eq!(add(&mut jobs, "a", "", 1), Added::New);
        assert_eq!(jobs.drop_pending(), [1]);
        assert_eq!((jobs.out(), jobs.pending(), jobs.live.len(), jobs.jobs.len()), (0, 0, 0, 0));
    }

    #[test]
    fn objects_come_in_order_and_not_too_many() {
        let mut jobs = Jobs::new(10);
        for key in ["c", "a", "b"] {
            add(&mut jobs, key, "1", 1);
        }
        let keys = |taken: Vec<(u64, ObjectRef)>| {
            taken.into_iter().map(|(_, object)| object.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(take(&mut jobs, 2)), ["c", "a"]);
        assert_eq!(keys(take(&mut jobs, 0)), [""; 0]);
        assert_eq!(keys(take(&mut jobs, 2)), ["b"]);
    }
}

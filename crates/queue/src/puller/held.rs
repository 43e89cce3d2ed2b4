//! Messages that are held: what is to be done with each, and when.
//!
//! This has no IO and no clock. The keeper asks for what is due, does it, and tells how it went.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::jobs::{Added, JobNumber, Jobs, MessageNumber, Taken};
use super::note::{Counts, Note};
use crate::error::QueueError;
use crate::message::{Message, Receipt};
use crate::notice::{Notice, NoticeError};
use crate::queue::MOST_MESSAGES;
use crate::text;

/// The longest time until a message that failed can be received again.
pub(super) const LONGEST_RETURN: Duration = Duration::from_mins(15);

/// The longest time between two attempts to reach the queue.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// What bounds and times a puller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) most_out: usize,
    pub(super) most_batch: usize,
    pub(super) window: usize,
    pub(super) visibility: Duration,
    pub(super) retry_after: Duration,
}

/// What becomes of a message next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It waits for objects.
    Hold,
    /// It is to be deleted.
    Delete,
    /// It is to be given back, to be received again after a time.
    Return(Duration),
}

#[derive(Debug)]
struct Held {
    id: String,
    receipt: Receipt,
    receives: u32,
    /// When others can receive it.
    until: Instant,
    /// When the next request about it is due.
    due: Instant,
    attempts: u32,
    /// How many of its objects are not stored yet.
    waits: usize,
    has_failed: bool,
    next: Next,
    /// It cannot be held any longer.
    is_lost: bool,
}

/// What the queue is asked for one message.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    number: MessageNumber,
    pub(super) receipt: Receipt,
    pub(super) next: Next,
}

/// All messages that are held, with their objects.
#[derive(Debug)]
pub(super) struct Holding {
    limits: Limits,
    messages: BTreeMap<MessageNumber, Held>,
    numbers: HashMap<String, MessageNumber>,
    jobs: Jobs,
    next: MessageNumber,
    /// The caller asks for objects.
    pub(super) is_wanted: bool,
    /// Nothing more is received or handed out.
    pub(super) is_closed: bool,
    /// The last error that the caller was not told.
    pub(super) error: Option<QueueError>,
    pub(super) counts: Counts,
}

impl Holding {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: BTreeMap::new(),
            numbers: HashMap::new(),
            jobs: Jobs::new(limits.window),
            next: 0,
            is_wanted: false,
            is_closed: false,
            error: None,
            counts: Counts::default(),
        }
    }

    /// Returns how many messages may be received now.
    pub(super) fn room(&self) -> usize {
        if self.is_closed || !self.is_wanted || self.jobs.pending() > 0 {
            return 0;
        }
        // Messages that only wait for the objects of others are bounded, too.
        let most_held = 2 * self.limits.most_out + MOST_MESSAGES;
        let objects = self.limits.most_out.saturating_sub(self.jobs.out());
        objects.min(most_held.saturating_sub(self.messages.len())).min(MOST_MESSAGES)
    }

    /// Takes messages that were received at `now`, with what they say.
    pub(super) fn add(
        &mut self,
        messages: Vec<(Message, Result<Notice, NoticeError>)>,
        now: Instant,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        for (message, notice) in messages {
            self.counts.received += 1;
            let until = now + self.limits.visibility;
            // It was not held long enough, and came again. The newest receipt is the valid one.
            let known = self.numbers.get(&message.id).copied();
            if let Some(held) = known.and_then(|number| self.messages.get_mut(&number)) {
                held.receipt = message.receipt;
                held.receives = message.receives;
                held.until = until;
                held.is_lost = false;
                held.attempts = 0;
                let is_decided = held.next != Next::Hold;
                held.due = if is_decided { now } else { now + self.limits.visibility / 2 };
                continue;
            }
            self.next += 1;
            let number = self.next;
            self.numbers.insert(message.id.clone(), number);
            let mut held = Held {
                id: message.id.clone(),
                receipt: message.receipt,
                receives: message.receives,
                until,
                due: now + self.limits.visibility / 2,
                attempts: 0,
                waits: 0,
                has_failed: false,
                next: Next::Hold,
                is_lost: false,
            };
            match notice {
                Ok(notice) => self.read(number, &mut held, notice, message.sent, &mut notes),
                Err(error) => {
                    self.counts.unreadable += 1;
                    held.has_failed = true;
                    let (message, receives) = (message.id, message.receives);
                    notes.push(Note::Unreadable { message, receives, error });
                }
            }
            self.messages.insert(number, held);
            self.settle(number, now);
        }
        if self.jobs.pending() > 0 {
            self.is_wanted = false;
        }
        notes
    }

    /// Adds the objects that a message names.
    fn read(
        &mut self,
        number: MessageNumber,
        held: &mut Held,
        notice: Notice,
        sent: Option<u64>,
        notes: &mut Vec<Note>,
    ) {
        for skipped in notice.skipped {
            *self.counts.skipped.entry(skipped.reason).or_default() += 1;
            notes.push(Note::Skipped { message: held.id.clone(), skipped });
        }
        for error in notice.damaged {
            self.counts.damaged += 1;
            held.has_failed = true;
            notes.push(Note::Damaged { message: held.id.clone(), error });
        }
        for object in notice.objects {
            let added = self.jobs.add(object, sent, number);
            match added {
                Added::New => {}
                Added::Stored | Added::Repeated => self.counts.repeated += 1,
                Added::Older => self.counts.older += 1,
            }
            held.waits += usize::from(added != Added::Stored);
        }
    }

    /// Returns objects for the caller, as many as may be out; none if nothing is there.
    pub(super) fn take(&mut self) -> Vec<Taken> {
        if self.is_closed {
            return Vec::new();
        }
        let room = self.limits.most_out.saturating_sub(self.jobs.out());
        let taken = self.jobs.take(room.min(self.limits.most_batch));
        self.counts.objects += taken.len() as u64;
        taken
    }

    /// Ends objects that were handed out: stored, or not.
    pub(super) fn end(&mut self, jobs: impl IntoIterator<Item = (JobNumber, bool)>, now: Instant) {
        for (job, is_stored) in jobs {
            let counter = if is_stored { &mut self.counts.stored } else { &mut self.counts.failed };
            *counter += 1;
            for number in self.jobs.end(job, is_stored) {
                if let Some(held) = self.messages.get_mut(&number) {
                    held.waits = held.waits.saturating_sub(1);
                    held.has_failed |= !is_stored;
                    self.settle(number, now);
                }
            }
        }
    }

    /// Decides what becomes of a message if it waits for nothing.
    fn settle(&mut self, number: MessageNumber, now: Instant) {
        let Some(held) = self.messages.get_mut(&number) else { return };
        if held.waits > 0 || held.next != Next::Hold {
            return;
        }
        held.due = now;
        held.next = if held.has_failed {
            Next::Return(return_delay(self.limits.retry_after, held.receives))
        } else {
            Next::Delete
        };
    }

    /// Hands out nothing more, and gives back messages of which nothing is out.
    pub(super) fn close(&mut self, now: Instant) {
        if self.is_closed {
            return;
        }
        self.is_closed = true;
        for number in self.jobs.drop_pending() {
            if let Some(held) = self.messages.get_mut(&number) {
                held.waits = held.waits.saturating_sub(1);
                held.has_failed = true;
                if held.waits == 0 && held.next == Next::Hold {
                    held.next = Next::Return(Duration::ZERO);
                    held.due = now;
                }
            }
        }
    }

    /// Gives back all messages that wait for something, and makes everything due.
    pub(super) fn abandon(&mut self, now: Instant) {
        for held in self.messages.values_mut() {
            held.due = now;
            if held.next == Next::Hold {
                held.next = Next::Return(Duration::ZERO);
            }
        }
    }

    /// Returns true if no message is held.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns when the next request is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.messages.values().filter(|held| held.is_due_ever()).map(|held| held.due).min()
    }

    /// Returns what is due at `now`, in groups that are one request each. Messages that are held longer
    /// come first, because they have a deadline.
    pub(super) fn requests(&self, now: Instant) -> Vec<Vec<Ask>> {
        let is_due = |held: &&Held| held.is_due_ever() && held.due <= now;
        let of_kind =
            |wanted: fn(&Next) -> bool| {
                let messages = self.messages.iter().filter(move |(_, held)| is_due(held));
                let asks =
                    messages.filter(move |(_, held)| wanted(&held.next)).map(|(number, held)| {
                        Ask { number: *number, receipt: held.receipt.clone(), next: held.next }
                    });
                asks.collect::<Vec<_>>()
            };
        let kinds = [
            of_kind(|next| *next == Next::Hold),
            of_kind(|next| matches!(next, Next::Return(_))),
            of_kind(|next| *next == Next::Delete),
        ];
        kinds.iter().flat_map(|kind| kind.chunks(MOST_MESSAGES).map(<[Ask]>::to_vec)).collect()
    }

    /// Takes the answer about one message to what was asked at `began`: success, or what the queue said
    /// and whether that is final.
    pub(super) fn answered(
        &mut self,
        ask: &Ask,
        outcome: Result<(), (&str, bool)>,
        began: Instant,
        now: Instant,
    ) -> Option<Note> {
        let visibility = self.limits.visibility;
        let held = self.messages.get_mut(&ask.number)?;
        // It came again meanwhile, and the answer is not about the receipt that counts now.
        if held.receipt != ask.receipt {
            return None;
        }
        let is_answer_to_next = held.next == ask.next;
        match outcome {
            Ok(()) if ask.next == Next::Hold => {
                self.counts.extended += 1;
                held.until = began + visibility;
                if is_answer_to_next {
                    held.due = began + visibility / 2;
                    held.attempts = 0;
                }
                None
            }
            // It was decided meanwhile what becomes of it, which is asked for next.
            _ if !is_answer_to_next => None,
            Ok(()) => {
                let is_deleted = ask.next == Next::Delete;
                let counts = &mut self.counts;
                *(if is_deleted { &mut counts.deleted } else { &mut counts.returned }) += 1;
                self.forget(ask.number);
                None
            }
            Err((code, is_final)) => {
                held.attempts += 1;
                held.due = now + backoff(held.attempts);
                if !is_final && now < held.until {
                    return None;
                }
                let note = Note::Lost { message: held.id.clone(), code: text::shown(code) };
                let was_lost = std::mem::replace(&mut held.is_lost, true);
                self.counts.lost += u64::from(!was_lost);
                // While its objects are out it is kept, and is deleted as far as that works then.
                if ask.next != Next::Hold {
                    self.forget(ask.number);
                }
                (!was_lost).then_some(note)
            }
        }
    }

    fn forget(&mut self, number: MessageNumber) {
        if let Some(held) = self.messages.remove(&number) {
            self.numbers.remove(&held.id);
        }
    }
}

impl Held {
    /// Returns false for a message that can neither be held longer nor be ended yet.
    fn is_due_ever(&self) -> bool {
        !(self.is_lost && self.next == Next::Hold)
    }
}

/// Returns after which time a message that failed can be received again: longer each time, so that
/// the queue of those that fail again and again gets it only if that lasts.
fn return_delay(base: Duration, receives: u32) -> Duration {
    let doublings = receives.saturating_sub(1).min(16);
    base.saturating_mul(1 << doublings).min(LONGEST_RETURN)
}

/// Returns how long to wait after so many failures in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    Duration::from_secs(1).saturating_mul(1 << doublings).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let seconds = Duration::from_secs;
        for (receives, expected) in [(0, 10), (1, 10), (2, 20), (5, 160), (8, 900), (u32::MAX, 900)]
        {
            assert_eq!(return_delay(seconds(10), receives), seconds(expected), "{receives}");
            assert_eq!(return_delay(Duration::ZERO, receives), Duration::ZERO);
        }
        for (failures, expected) in [(0, 1), (1, 1), (2, 2), (6, 32), (7, 60), (u32::MAX, 60)] {
            assert_eq!(backoff(failures), seconds(expected), "{failures}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns one message about one object, which is out, and the number of that.
    fn one(now: Instant) -> (Holding, JobNumber) {
        let mut holding = Holding::new(Limits {
            most_out: 10,
            most_batch: 10,
            window: 10,
            visibility: 60 * SECOND,
            retry_after: SECOND,
        });
        receive(&mut holding, "first", now);
        let taken = holding.take();
        (holding, taken[0].number)
    }

    fn receive(holding: &mut Holding, receipt: &str, now: Instant) {
        let message = Message {
            id: "m".into(),
            body: r#"{"s3Bucket": "b", "s3ObjectKey": ["a"]}"#.into(),
            receipt: Receipt(receipt.into()),
            receives: 1,
            sent: None,
        };
        let notice = crate::notice::read(&message.body);
        assert_eq!(holding.add(vec![(message, notice)], now), []);
    }

    /// Returns the only thing that is to be asked now.
    fn ask(holding: &Holding, now: Instant) -> Ask {
        let mut requests = holding.requests(now);
        assert_eq!(requests.len(), 1);
        requests.remove(0).remove(0)
    }

    #[test]
    fn an_answer_is_about_what_was_asked() {
        let now = Instant::now();
        let half = now + 30 * SECOND;
        // To hold the message longer was asked; whatever the answer is, it is to be deleted now.
        for answer in [Ok(()), Err(("", false)), Err(("MessageNotInflight", true))] {
            let (mut holding, job) = one(now);
            assert_eq!(holding.due(), Some(half));
            let hold = ask(&holding, half);
            assert_eq!(hold.next, Next::Hold);
            holding.end([(job, true)], half);
            assert_eq!(holding.answered(&hold, answer, half, half), None);
            let delete = ask(&holding, half);
            assert_eq!(delete.next, Next::Delete);
            assert_eq!(holding.answered(&delete, Ok(()), half, half), None);
            assert!(holding.is_empty());
            assert_eq!((holding.counts.deleted, holding.counts.lost), (1, 0));
        }
    }

    #[test]
    fn an_answer_about_an_older_receipt_says_nothing() {
        let now = Instant::now();
        let (mut holding, job) = one(now);
        holding.end([(job, true)], now);
        let older = ask(&holding, now);
        receive(&mut holding, "second", now);
        assert_eq!(holding.answered(&older, Ok(()), now, now), None);
        let newer = ask(&holding, now);
        assert_eq!((newer.next, newer.receipt), (Next::Delete, Receipt("second".into())));
    }

    #[test]
    fn a_lost_message_is_told_once() {
        let now = Instant::now();
        let (mut holding, job) = one(now);
        let half = now + 30 * SECOND;
        let refused = Err(("ReceiptHandleIsInvalid", true));
        assert!(holding.answered(&ask(&holding, half), refused, half, half).is_some());
        assert_eq!((holding.due(), holding.requests(half).len()), (None, 0));
        holding.end([(job, true)], half);
        let delete = ask(&holding, half);
        assert_eq!(holding.answered(&delete, refused, half, half), None);
        assert!(holding.is_empty());
        assert_eq!(holding.counts.lost, 1);
    }
}

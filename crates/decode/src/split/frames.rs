//! Keeps track of the brackets around the events that are read one by one.

use super::inside::join;

/// The maximum number of brackets around an event.
const MAX_FRAMES: usize = 6;

/// A bracket around events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// An array of events.
    Array,
    /// An object with an array of events under a known key; the array is being read.
    Envelope,
    /// An object that is read member by member.
    Opened {
        why: Opening,
        /// The number of events that had been unwrapped before it.
        found: u64,
    },
}

/// Why an object is read member by member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// It is too large for memory.
    Large,
    /// It is damaged, or ends early.
    Damaged,
    /// It has an array of events and other members.
    Mixed,
}

/// The open brackets, outermost first, with the path of what they hold.
#[derive(Debug, Default)]
pub(super) struct Frames {
    frames: Vec<(Frame, usize)>,
    /// The path inside the innermost bracket, such as `Events[]`.
    path: String,
    /// The last string of the innermost opened object, which is the key of what follows.
    key: Vec<u8>,
}

impl Frames {
    pub(super) fn top(&self) -> Option<Frame> {
        self.frames.last().map(|(frame, _)| *frame)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns true if another bracket may be entered.
    pub(super) fn have_room(&self) -> bool {
        self.frames.len() < MAX_FRAMES
    }

    /// Returns true inside an opened object.
    pub(super) fn is_opened(&self) -> bool {
        self.frames.iter().any(|(frame, _)| matches!(frame, Frame::Opened { .. }))
    }

    /// Returns the path of the value that comes next.
    pub(super) fn path(&self) -> String {
        let mut path = self.path.clone();
        if matches!(self.top(), Some(Frame::Opened { .. })) {
            join(&mut path, &self.key);
        }
        path
    }

    pub(super) fn set_key(&mut self, key: &[u8]) {
        self.key = key.to_vec();
    }

    pub(super) fn enter_array(&mut self) {
        let path = self.path() + "[]";
        self.push(Frame::Array, path);
    }

    pub(super) fn enter_envelope(&mut self, key: &[u8]) {
        let mut path = self.path();
        join(&mut path, key);
        self.push(Frame::Envelope, path + "[]");
    }

    pub(super) fn open(&mut self, why: Opening, found: u64) {
        let path = self.path();
        self.push(Frame::Opened { why, found }, path);
    }

    fn push(&mut self, frame: Frame, path: String) {
        self.frames.push((frame, self.path.len()));
        self.path = path;
        self.key.clear();
    }

    pub(super) fn pop(&mut self) -> Option<Frame> {
        let (frame, length) = self.frames.pop()?;
        self.path.truncate(length);
        Some(frame)
    }

    pub(super) fn clear(&mut self) {
        self.leave(0);
    }

    /// Leaves the outermost opened object, and all brackets inside it.
    pub(super) fn leave_opened(&mut self) {
        let opened = |(frame, _): &(Frame, usize)| matches!(frame, Frame::Opened { .. });
        if let Some(first) = self.frames.iter().position(opened) {
            self.leave(first);
        }
    }

    fn leave(&mut self, first: usize) {
        if let Some((_, length)) = self.frames.get(first) {
            self.path.truncate(*length);
            self.frames.truncate(first);
        }
    }
}
